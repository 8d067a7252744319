"""A PostgreSQL without room on its disk, made on a machine where nobody is root.

PostgreSQL ignores SIGXFSZ so that a limit on the size of files works like a full disk: a table
that cannot grow is refused with the same error. The server sets the limit upon itself, since
nobody else has the right to; the write-ahead log's files are just as large as is allowed.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import psycopg

from cli.embedded import EmbeddedPostgres

CAN_BE_FULL = shutil.which("prlimit") is not None
#: What PostgreSQL's error says.
NO_ROOM = "could not extend file"
_LARGEST_FILE = 16 * 1024**2
_FILLER = (
    "INSERT INTO message_history (clinic_id, message_id, at, status, reason, due_at, attempt)"
    " SELECT gen_random_uuid(), gen_random_uuid(), now(), 'filler', 'filler', now(), 0"
    " FROM generate_series(1, {count})"
)


def fill(owner_dsn: str) -> None:
    """Make the history of texts as large as a file may become; its rows are nobody's."""
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        size = 0
        while size <= _LARGEST_FILE:
            owner.execute(_FILLER.format(count=50_000).encode())
            row = owner.execute("SELECT pg_relation_size('message_history')").fetchone()
            size = row[0] if row else 0


def is_full(owner_dsn: str) -> bool:
    """Whether a few hundred rows more are refused for want of room."""
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        try:
            owner.execute(_FILLER.format(count=400).encode())
        except psycopg.Error as error:
            return NO_ROOM in str(error)
    return False


@contextmanager
def no_room(server: EmbeddedPostgres, database: str) -> Iterator[None]:
    """Let none of the server's files grow beyond 16 MiB until the block ends."""
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        _limit(server, connection, _LARGEST_FILE)
        try:
            yield
        finally:
            _limit(server, connection, None)


def _limit(server: EmbeddedPostgres, connection: psycopg.Connection[Any], size: int | None) -> None:
    assert server.pid is not None
    parent = psutil.Process(server.pid)
    for each in [parent, *parent.children(recursive=True)]:
        limit = f"--fsize={size or 'unlimited'}:unlimited"
        # What COPY writes is read, or a program that is quick breaks its pipe.
        command = f"cat >/dev/null; prlimit --pid {each.pid} {limit} || true"
        connection.execute(f"COPY (SELECT 1) TO PROGRAM '{command}'".encode())
