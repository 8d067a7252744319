"""Migrations only add: the release before goes on working while the next one is brought in.

Judged by PostgreSQL's own catalogue, before and after each revision, so that no way of writing a
migration gets past it.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from cli.embedded import postgres_install
from records import migrate
from records.base import APP_ROLE
from tests.support.databases import Databases, OwnDatabase
from tests.support.services import OWNER

_COLUMNS = """
    SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           a.atthasdef OR a.attidentity <> ''
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
      AND a.attnum > 0 AND NOT a.attisdropped
"""
# What may refuse a row: checks, keys, unique indexes; each with the columns that it is about.
_RULES = """
    SELECT k.conname, c.relname, array(SELECT c.relname || '.' || a.attname FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY(k.conkey))
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('c', 'f', 'p', 'u', 'x')
    UNION ALL
    SELECT x.relname, c.relname, array(SELECT c.relname || '.' || a.attname FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY(i.indkey))
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schema:
    """What code can lean on. `columns`: type, whether it must be given; `rules`: their columns."""

    columns: dict[str, tuple[str, bool, bool]]
    rules: dict[tuple[str, str], frozenset[str]]


def _read(connection: Connection) -> _Schema:
    columns = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(text(_COLUMNS))}
    rules = {(row[0], row[1]): frozenset(row[2]) for row in connection.execute(text(_RULES))}
    return _Schema(columns=columns, rules=rules)


def broken(before: _Schema, after: _Schema) -> Iterator[str]:
    """Say what the release before could not live with."""
    tables = {name.partition(".")[0] for name in before.columns}
    for name, was in before.columns.items():
        now = after.columns.get(name)
        if now is None:
            yield f"{name} is gone or renamed"
        elif now[0] != was[0]:
            yield f"{name} was {was[0]} and is {now[0]}"
        elif now[1] and not was[1]:
            yield f"{name} must be given now"
    for name in after.columns.keys() - before.columns.keys():
        _, needed, filled = after.columns[name]
        if name.partition(".")[0] in tables and needed and not filled:
            yield f"{name} is new and must be given"
    for rule in after.rules.keys() - before.rules.keys():
        about = after.rules[rule]
        if rule[1] in tables and about <= before.columns.keys():
            yield f"{rule[0]} is a new rule about columns that the release before writes"


def _steps(databases: Databases) -> Iterator[tuple[str, _Schema]]:
    """Migrate an empty database revision by revision."""
    with databases.empty() as own:
        engine = create_engine(own.owner_url)
        with engine.connect() as connection:
            migrate._make_roles(connection, own.url)
            connection.commit()
            scripts = ScriptDirectory.from_config(migrate._config())
            for script in reversed(list(scripts.walk_revisions())):
                command.upgrade(migrate._config(connection), script.revision)
                connection.commit()
                yield script.revision, _read(connection)
                connection.rollback()
        engine.dispose()


def test_every_migration_only_adds(databases: Databases) -> None:
    """No column goes, changes its type or has to be given from one release to the next."""
    before: _Schema | None = None
    revisions = 0
    for revision, after in _steps(databases):
        faults = list(broken(before, after)) if before else []
        assert faults == [], f"migration {revision}: {faults}"
        before, revisions = after, revisions + 1
    assert revisions >= 2
    assert before is not None
    assert len(before.columns) > 100


def _migrated_to(own: OwnDatabase, revision: str) -> None:
    """Migrate up to a revision; whatever waits for another transaction is soon broken off."""
    engine = create_engine(own.owner_url, connect_args={"options": "-c lock_timeout=100ms"})
    try:
        with engine.connect() as connection:
            command.upgrade(migrate._config(connection), revision)
            connection.commit()
    finally:
        engine.dispose()


def _built_beside() -> list[tuple[str, str]]:
    """Return the revisions that build an index beside the running house, each with the one before.

    What they did before that is committed by then.
    """
    scripts = reversed(list(ScriptDirectory.from_config(migrate._config()).walk_revisions()))
    return [
        (str(script.down_revision), script.revision)
        for script in scripts
        if "autocommit_block" in Path(script.path).read_text(encoding="utf-8")
    ]


def test_a_migration_that_was_broken_off_is_taken_up_again(databases: Databases) -> None:
    """A backup is being read, the index waits for it, and somebody ends the upgrade meanwhile."""
    with databases.empty() as own:
        engine = create_engine(own.owner_url)
        with engine.connect() as connection:
            migrate._make_roles(connection, own.url)
            connection.commit()
        engine.dispose()
        for before, revision in _built_beside():
            _migrated_to(own, before)
            with psycopg.connect(own.owner_dsn) as backup:
                backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                backup.execute("SELECT 1 FROM alembic_version")
                with pytest.raises(OperationalError, match="lock timeout"):
                    _migrated_to(own, revision)
        assert migrate.upgrade(own.owner_url, own.url)[1] == migrate.newest()
        with psycopg.connect(own.owner_dsn) as owner:
            invalid = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid"
            assert owner.execute(invalid).fetchall() == []


_RESTORING = Path(__file__).parents[2] / "docs" / "operations.md"


def _run_as_documented(own: OwnDatabase, dump: Path) -> None:
    """Run each command of the second step of "Restoring", with this database for the clinic's."""
    told = (
        _RESTORING.read_text(encoding="utf-8").partition("### Restoring")[2].partition("\n3. ")[0]
    )
    lines = [line.split() for line in told.splitlines() if line.startswith("       docker compose")]
    assert lines
    for line in lines:
        if line[2:] == ["run", "--rm", "migrate"]:
            migrate.upgrade(own.owner_url, own.url)
            continue
        tool, _, user, *rest = line[5:]
        assert user == OWNER
        arguments = [own.name if word == "aftercare" else word for word in rest]
        with dump.open("rb") as backup:
            _postgres(own, tool, *arguments[: _before_redirection(arguments)], stdin=backup)


def _before_redirection(arguments: list[str]) -> int:
    return arguments.index("<") if "<" in arguments else len(arguments)


def _postgres(own: OwnDatabase, tool: str, *arguments: str, stdin: IO[bytes] | None = None) -> None:
    """Run one of PostgreSQL's own programs as the owner."""
    at = make_url(own.owner_url)
    given = {"PGHOST": at.host, "PGPORT": at.port, "PGUSER": at.username, "PGPASSWORD": at.password}
    program = str(postgres_install() / "bin" / tool)
    environment = {**os.environ, **{name: str(value) for name, value in given.items()}}
    subprocess.run([program, *arguments], env=environment, stdin=stdin, check=True)


@pytest.mark.parametrize("release", ["0010", "0015", "head"])
def test_a_backup_is_restored_as_documented_and_upgraded(
    databases: Databases, tmp_path: Path, release: str
) -> None:
    """The release after it went wrong, and its schema is there when the backup comes back."""
    dump = tmp_path / "aftercare.dump"
    with databases.empty() as own:
        engine = create_engine(own.owner_url)
        with engine.connect() as connection:
            migrate._make_roles(connection, own.url)
            connection.commit()
        engine.dispose()
        _migrated_to(own, release)
        add = "INSERT INTO clinic (id, key, settings) VALUES (gen_random_uuid(), %s, '{}')"
        with psycopg.connect(own.owner_dsn) as owner:
            owner.execute(add, ("in-the-backup",))
        _postgres(own, "pg_dump", "-Fc", "-f", str(dump), own.name)
        migrate.upgrade(own.owner_url, own.url)
        with psycopg.connect(own.owner_dsn) as owner:
            owner.execute(add, ("since-the-backup",))
        _run_as_documented(own, dump)
        assert migrate.upgrade(own.owner_url, own.url)[1] == migrate.newest()
        # As the processes do, whose role and rights are no part of an empty database.
        with psycopg.connect(own.url.replace("+psycopg", "", 1)) as process:
            process.execute(f'SET ROLE "{APP_ROLE}"'.encode())
            assert process.execute("SELECT key FROM clinic").fetchall() == [("in-the-backup",)]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("ALTER TABLE message DROP COLUMN policy", "message.policy is gone or renamed"),
        ("ALTER TABLE message RENAME COLUMN step TO stage", "message.step is gone or renamed"),
        ("ALTER TABLE message ALTER priority TYPE int", "message.priority was smallint"),
        ("ALTER TABLE message ALTER reason SET NOT NULL", "message.reason must be given now"),
        ("ALTER TABLE message ADD COLUMN x int NOT NULL", "message.x is new and must be given"),
        ("ALTER TABLE message ADD CHECK (priority > 0)", "is a new rule about columns"),
        ("CREATE UNIQUE INDEX u ON message (step)", "u is a new rule about columns"),
    ],
)
def test_what_would_break_the_release_before_is_seen(
    databases: Databases, statement: str, fault: str
) -> None:
    """The check itself has teeth."""
    with databases.migrated() as own:
        engine = create_engine(own.owner_url)
        with engine.connect() as connection:
            before = _read(connection)
            connection.execute(text(statement))
            found = list(broken(before, _read(connection)))
            connection.rollback()
        engine.dispose()
    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    ("revision", "ready"), [("of-a-later-release", True), ("0001", False), (None, False)]
)
def test_only_an_older_schema_keeps_this_code_from_serving(
    databases: Databases, revision: str | None, *, ready: bool
) -> None:
    """During a deploy the new schema comes first, and the old processes serve on."""
    with databases.migrated() as own:
        with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
            owner.execute("DELETE FROM alembic_version")
            if revision:
                owner.execute("INSERT INTO alembic_version VALUES (%s)", (revision,))
        engine = create_engine(own.owner_url)
        with engine.connect() as connection:
            assert migrate.is_older(migrate.current(connection)) is not ready
        engine.dispose()
