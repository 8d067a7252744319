"""The schema: migrations and models agree, rows stay in their clinic, audit gaps show."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text

from records import audit
from records.base import new_id
from records.migrate import _config, upgrade
from records.tables import metadata
from tests.support.world import NUMBER, World, make_clinic, make_patients

# Rows that belong to no clinic: keys, and what fits no clinic.
_NO_CLINIC = {"kept_key", "progress", "stray_webhook", "clinic"}


def test_migrations_and_models_say_the_same(owner_url: str) -> None:
    """A model changed without a migration is found here."""
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        command.check(_config(connection))
    engine.dispose()


def test_migrating_twice_is_harmless(owner_url: str) -> None:
    """`aftercare db upgrade` is safe to run again."""
    before, after = upgrade(owner_url)
    assert before == after


def test_every_table_and_foreign_key_bears_the_clinic() -> None:
    """A row can't point into another clinic."""
    for table in metadata.sorted_tables:
        if table.name in _NO_CLINIC:
            continue
        assert "clinic_id" in table.c, table.name
        for key in table.foreign_key_constraints:
            assert "clinic_id" in key.column_keys, (table.name, key.name)


def test_a_row_of_another_clinic_cannot_be_pointed_at(world: World) -> None:
    """The database itself refuses it."""
    with world.database.transaction() as session:
        other, _ = make_clinic(session, key="other", number=NUMBER[:-1] + "1")
        [patient_id] = make_patients(session, world.vault, other, 1)
    with pytest.raises(Exception, match="violates foreign key"):
        world.execute(
            "INSERT INTO consent (id, clinic_id, patient_id, action, purposes, method,"
            " phone_blind, actor, occurred_at)"
            " VALUES (:id, :clinic, :patient, 'grant', '{}', 'm', 'x', 'a', now())",
            id=new_id(),
            clinic=world.clinic_id,
            patient=patient_id,
        )


def test_a_gap_in_the_audit_chain_shows(world: World, owner_url: str) -> None:
    """Each event's hash follows from the one before."""
    with world.database.transaction() as session:
        for number in range(3):
            audit.record(
                session,
                world.vault,
                clinic_id=world.clinic_id,
                now=datetime(2026, 1, 1 + number, tzinfo=UTC),
                actor="test",
                action="looked",
                subject=str(uuid4()),
                details={"number": number},
            )
        assert audit.first_break(session, world.clinic_id) is None
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_event DISABLE TRIGGER append_only"))
        connection.execute(
            text("DELETE FROM audit_event WHERE sequence = (SELECT min(sequence) FROM audit_event)")
        )
    engine.dispose()
    with world.database.transaction() as session:
        assert audit.first_break(session, world.clinic_id) is not None


def test_the_database_has_exactly_the_tables_of_the_models(owner_url: str) -> None:
    """Nothing left over, nothing missing."""
    engine = create_engine(owner_url)
    found = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    assert found == set(metadata.tables)
