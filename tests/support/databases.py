"""A migrated database for each test: the real migration runs once a run, then it is copied.

Measured on 2 cores: in memory (see `services.quick_place`) the copy takes 20 ms and the drop 10.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from records import migrate
from records.migrate import upgrade
from tests.support import statements
from tests.support.locks import held
from tests.support.services import OWNER, PROCESS, Services

_TEMPLATE = "migrated"

statements.share()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDatabase:
    """One test's database, with the addresses of both roles."""

    name: str
    url: str
    owner_url: str

    @property
    def owner_dsn(self) -> str:
        """The owner's address for psycopg itself."""
        return self.owner_url.replace("postgresql+psycopg:", "postgresql:", 1)


def run_revision(database: OwnDatabase, revision: str) -> None:
    """Run what one migration does, by itself, on rows that a release before it may have left."""
    folder = Path(migrate.__file__).parent / "migrations"
    engine = create_engine(database.owner_url)
    with engine.begin() as owner, Operations.context(MigrationContext.configure(owner)):
        ScriptDirectory(str(folder)).get_revision(revision).module.upgrade()
    engine.dispose()


class Databases:
    """Makes and drops one worker's databases."""

    def __init__(self, services: Services, folder: Path, worker: str) -> None:
        self._services = services
        self._folder = folder
        self._names = (f"test_{worker}_{number}" for number in count())
        self._filled: dict[str, str] = {}

    @contextmanager
    def migrated(self) -> Iterator[OwnDatabase]:
        """Yield a database at the newest schema, without rows."""
        self._make_template()
        with self._own(_TEMPLATE) as database:
            yield database

    @contextmanager
    def filled(self, what: str, fill: Callable[[OwnDatabase], None]) -> Iterator[OwnDatabase]:
        """Yield a database that `fill` has put rows into: once for `what`, of which this is a copy.

        `fill` closes its connections.
        """
        if what not in self._filled:
            self._filled[what] = self._fill(fill)
        with self._own(self._filled[what]) as copy:
            yield copy

    def _fill(self, fill: Callable[[OwnDatabase], None]) -> str:
        """Return the name of a database with these rows, which stays as long as the run."""
        self._make_template()
        name = self._create(_TEMPLATE)
        try:
            fill(self._addresses(name))
        except BaseException:
            # Each test shall show the real error.
            self._drop(name)
            raise
        return name

    @contextmanager
    def empty(self) -> Iterator[OwnDatabase]:
        """Yield a database without a schema."""
        with self._own("template0") as database:
            yield database

    @contextmanager
    def backup(self, database: OwnDatabase) -> Iterator[OwnDatabase]:
        """Yield a copy of a database as it stands now; nobody may be connected to that one."""
        with self._own(database.name) as copy:
            yield copy

    @contextmanager
    def _own(self, template: str) -> Iterator[OwnDatabase]:
        name = self._create(template)
        try:
            yield self._addresses(name)
        finally:
            self._drop(name)

    def _create(self, template: str) -> str:
        name = next(self._names)
        # By files: in memory that takes half of what writing a log of the copy does.
        self._as_superuser(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{OWNER}" STRATEGY FILE_COPY'
        )
        return name

    def _drop(self, name: str) -> None:
        # By force, since a process that was killed a moment ago may still be connected.
        self._as_superuser(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _addresses(self, name: str) -> OwnDatabase:
        return OwnDatabase(
            name=name,
            url=self._services.url(name, PROCESS),
            owner_url=self._services.url(name, OWNER),
        )

    def _make_template(self) -> None:
        done = self._folder / "template.done"
        if done.exists():
            return
        with held(self._folder / "template.lock"):
            if not done.exists():
                # Whatever a failed try left is dropped, so that each test shows the real error.
                self._as_superuser(f'DROP DATABASE IF EXISTS "{_TEMPLATE}" WITH (FORCE)')
                self._as_superuser(f'CREATE DATABASE "{_TEMPLATE}" OWNER "{OWNER}"')
                addresses = self._addresses(_TEMPLATE)
                upgrade(addresses.owner_url, addresses.url)
                done.touch()

    def _as_superuser(self, statement: str) -> None:
        with psycopg.connect(self._services.dsn(), autocommit=True) as connection:
            connection.execute(statement.encode())
