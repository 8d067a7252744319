"""Sealing: what is kept about a patient can't be read, moved or forged."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from records import keys
from records.base import Database
from records.vault import KeyFormatError, VaultError, new_key
from tests.support.world import World


@pytest.fixture
def plain(database_url: str):
    made = Database.connect(database_url, application="test")
    yield made
    made.close()


def test_a_sealed_value_opens_in_its_own_place_only(world: World) -> None:
    """Another row, column or table: it does not open."""
    row = uuid4()
    sealed = world.vault.seal("patient", "phone", row, "+12125550123")
    assert world.vault.open("patient", "phone", row, sealed) == "+12125550123"
    for place in (("patient", "phone", uuid4()), ("patient", "name", row), ("x", "phone", row)):
        with pytest.raises(VaultError):
            world.vault.open(*place, sealed)


@given(value=st.text())
def test_equal_values_are_sealed_differently_and_found_equally(value: str) -> None:
    """The ciphertext says nothing; the blind index finds it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    from records.vault import Vault  # noqa: PLC0415

    vault = Vault(data_keys={1: AESGCM(b"k" * 32)}, current=1, blind_key=b"b" * 32)
    row = uuid4()
    first, second = (vault.seal("t", "c", row, value) for _ in range(2))
    assert first != second
    assert vault.open("t", "c", row, first) == vault.open("t", "c", row, second) == value
    assert vault.blind("phone", value) == vault.blind("phone", value)
    assert vault.blind("phone", value) != vault.blind("name", value)


def test_rotation_rewraps_and_keeps_the_keys_inside(plain: Database) -> None:
    """What was sealed before still opens, and a remembered number is still found."""
    old, new = new_key(), new_key()
    with plain.transaction() as session:
        before = keys.open_vault(session, [old])
    row = uuid4()
    sealed = before.seal("t", "c", row, "kept")
    with plain.transaction() as session:
        assert keys.rewrap(session, [new, old]) == 2
    with plain.transaction() as session:
        after = keys.open_vault(session, [new])
    assert after.open("t", "c", row, sealed) == "kept"
    assert after.blind("phone", "+12125550123") == before.blind("phone", "+12125550123")


def test_a_key_that_does_not_fit_is_told_so(plain: Database) -> None:
    """The message says to add the key used before."""
    with plain.transaction() as session:
        keys.open_vault(session, [new_key()])
    with plain.transaction() as session, pytest.raises(keys.NoKeyFitsError, match="add the key"):
        keys.open_vault(session, [new_key()])
    with plain.transaction() as session, pytest.raises(KeyFormatError, match="32 bytes"):
        keys.open_vault(session, ["short"])


def test_no_number_name_or_body_stands_readable_in_any_table(world: World) -> None:
    """A dump of the whole database is searched for what a text holds."""
    world.due(patient={"phone": "+12125550134"})
    world.send()
    body = world.gateway.created()[0].body
    tables = world.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    dump = "".join(str(world.execute(f'SELECT t::text FROM "{table}" t')) for (table,) in tables)
    for secret in ("+12125550134", "Robin", body, body[16:40]):
        assert secret not in dump
        assert secret.encode().hex() not in dump


def test_the_processes_role_owns_nothing_and_bypasses_nothing(world: World) -> None:
    """It can't change the schema, nor rewrite a ledger."""
    [(role, bypass, superuser)] = world.execute(
        "SELECT current_user, rolbypassrls, rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    assert (role, bypass, superuser) == ("aftercare_app", False, False)
    owned = world.execute("SELECT count(*) FROM pg_tables WHERE tableowner = 'aftercare_app'")
    assert owned[0][0] == 0
    for forbidden in (
        "DROP TABLE consent",
        "UPDATE consent SET method = 'x'",
        "DELETE FROM audit_event",
        "UPDATE message_history SET status = 'x'",
    ):
        with pytest.raises(Exception, match=r"permission denied|must be owner"):
            world.execute(forbidden)


def test_ledgers_refuse_change_by_their_owner_too(owner_url: str) -> None:
    """Append-only is a rule of the table, not of a grant alone."""
    from sqlalchemy import create_engine  # noqa: PLC0415

    engine = create_engine(owner_url)
    for ledger in ("consent", "disclosure"):
        with engine.connect() as connection, pytest.raises(Exception, match="append-only"):
            connection.execute(text(f"TRUNCATE {ledger} CASCADE"))
    engine.dispose()
