"""`aftercare db upgrade`: brings the schema to the newest version, by the owner of the tables.

The owner migrates; the processes act as `aftercare_app`, a role that owns nothing. A process
whose login is not the owner's gets it made here, with the password of its own address.
"""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url, text

from records.base import APP_ROLE

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = text("SELECT pg_advisory_lock(hashtext('aftercare.migrate'))")
_UNLOCK = text("SELECT pg_advisory_unlock(hashtext('aftercare.migrate'))")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


@cache
def _script() -> ScriptDirectory:
    # Kept, since it runs the file of every migration to learn how they follow each other.
    return ScriptDirectory.from_config(_config())


def newest() -> str:
    """Return the revision that this code needs."""
    head = _script().get_current_head()
    if head is None:
        raise RuntimeError("no migration found: the installation is incomplete")
    return head


def is_older(revision: str | None) -> bool:
    """Return whether a database at this revision lacks what this code needs.

    A revision that this code does not know is a later release's. Migrations only add, so this code
    goes on working with it while that release is brought in.
    """
    known = {each.revision for each in _script().walk_revisions()}
    return revision is None or (revision in known and revision != newest())


def current(connection: Connection) -> str | None:
    """Return the revision that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(owner_url: str, process_url: str | None = None) -> tuple[str | None, str]:
    """Migrate as the owner; return the revisions before and after. Two at once are safe.

    `process_url`: the address that the processes use, if it is another login.
    """
    engine = create_engine(owner_url, hide_parameters=True, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as guard:
            guard.execute(_LOCK)
            try:
                _make_roles(guard, process_url)
                return _migrate(owner_url)
            finally:
                guard.execute(_UNLOCK)
    finally:
        engine.dispose()


def _migrate(owner_url: str) -> tuple[str | None, str]:
    engine = create_engine(owner_url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            before = current(connection)
            connection.rollback()
            command.upgrade(_config(connection), "head")
            connection.commit()
            return before, newest()
    finally:
        engine.dispose()


def _quoted(connection: Connection, value: str, form: str) -> str:
    quoted: str = connection.execute(
        text(f"SELECT format('%{form}', CAST(:value AS text))"), {"value": value}
    ).scalar_one()
    return quoted


def _make_roles(connection: Connection, process_url: str | None) -> None:
    _create_role(connection, f'"{APP_ROLE}" NOLOGIN')
    # The owner may act as the role: one address is then enough for a small installation.
    connection.execute(text(f'GRANT "{APP_ROLE}" TO CURRENT_USER'))
    login = make_url(process_url) if process_url else None
    me = connection.execute(text("SELECT current_user")).scalar_one()
    if login is None or not login.username or login.username == me:
        return
    name = _quoted(connection, login.username, "I")
    password = _quoted(connection, str(login.password or ""), "L")
    _create_role(connection, f"{name} LOGIN NOINHERIT PASSWORD {password}")
    connection.execute(text(f'GRANT "{APP_ROLE}" TO {name}'))


def _create_role(connection: Connection, definition: str) -> None:
    # Roles belong to the cluster, so another database's migration may just have made it.
    connection.execute(
        text(
            f"DO $do$ BEGIN CREATE ROLE {definition};"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$"
        )
    )
