"""A database that is thrown away, in which the database's own clock is the simulated one too.

Ages that guard against double sending live by `clock_timestamp()`. This database has a schema whose
functions of that name stand before PostgreSQL's own on the search path, so that the steps' own
statements, unchanged, read the one clock that the simulator sets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from cli.embedded import EmbeddedPostgres
from records import migrate
from worker.clock import SetClock

OWNER, PROCESS = "aftercare", "aftercare_process"
_numbers = count(1)

# `public` stands first, since new tables are made in the first schema of the path.
_SHIM = """
CREATE SCHEMA simulated;
CREATE TABLE simulated.clock (at timestamptz NOT NULL);
INSERT INTO simulated.clock VALUES ('2000-01-01 00:00Z');
CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT at FROM simulated.clock';
CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT at FROM simulated.clock';
GRANT USAGE ON SCHEMA simulated TO PUBLIC;
GRANT SELECT ON simulated.clock TO PUBLIC;
"""
_SETTINGS = """
ALTER DATABASE "{name}" SET search_path = public, simulated, pg_catalog;
ALTER DATABASE "{name}" SET synchronous_commit = off;
ALTER DATABASE "{name}" SET jit = off;
"""
# What the simulator asks at each jump, and no process of the product does.
_INDEXES = """
CREATE INDEX simulated_next ON message (next_at) WHERE status = 'planned';
CREATE INDEX simulated_safety ON message (next_at) WHERE status = 'planned' AND priority = 0;
"""


class DrivenClock(SetClock):
    """The patients' clock and the database's, set together."""

    def __init__(self, at: datetime, connection: psycopg.Connection[Any]) -> None:
        super().__init__(at)
        self._connection = connection
        self.set(at)

    def set(self, at: datetime) -> None:
        """Jump to an instant (aware)."""
        self.at = at
        self._connection.execute("UPDATE simulated.clock SET at = %s", (at,))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDatabase:
    """The address for the product's processes, and a connection of the simulator's own."""

    url: str
    own: psycopg.Connection[Any]

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Return the rows of a question, as named tuples."""
        return self.own.execute(query.encode(), values).fetchall()


@contextmanager
def throwaway(server: EmbeddedPostgres) -> Iterator[OwnDatabase]:
    """Yield a migrated database of our own in a running server, and drop it."""
    name = f"simulation_{next(_numbers)}"
    server.ensure_role(OWNER, "CREATEDB CREATEROLE")
    _as_superuser(server, "postgres", f'CREATE DATABASE "{name}" OWNER "{OWNER}"')
    try:
        drive(server.dsn(name), name)
        migrate.upgrade(server.url(name, OWNER), server.url(name, PROCESS))
        _as_superuser(server, name, _INDEXES)
        with psycopg.connect(
            server.dsn(name), autocommit=True, row_factory=namedtuple_row
        ) as connection:
            yield OwnDatabase(url=server.url(name, PROCESS), own=connection)
    finally:
        _as_superuser(server, "postgres", f'DROP DATABASE "{name}" WITH (FORCE)')


def drive(dsn: str, name: str) -> None:
    """Have whoever connects to a database from now on read the clock that `DrivenClock` sets.

    `dsn` is psycopg's address of the database `name`, for a role that owns it.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute((_SHIM + _SETTINGS.format(name=name)).encode())


def _as_superuser(server: EmbeddedPostgres, database: str, statements: str) -> None:
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        connection.execute(statements.encode())
