"""Rules 1 to 6: who may be texted at all, and what proves it."""

import psycopg
import pytest

from records import patients
from records.base import DBAPIError
from records.patients import Consent
from tests.compliance.line import Line
from tests.support.databases import OwnDatabase
from worker.refusal import RefusedError
from worker.steps import consents


def test_rule_01_no_text_without_consent(line: Line) -> None:
    """A due text for a purpose that nobody agreed to is skipped, and the carrier is not called."""
    [refused] = line.world.due(patient={"purposes": ["check_ins"]})
    [agreed] = line.world.due(patient={"purposes": ["visits"]})

    line.world.send()

    assert (line.world.message(refused).status, line.world.message(refused).reason) == (
        "skipped",
        "no_consent",
    )
    assert line.world.message(agreed).status == "accepted"
    assert len(line.world.gateway.calls) == 1


def test_rule_01_a_consent_says_how_when_by_whom_and_to_which_words(line: Line) -> None:
    """The ledger's entry has number, purposes, wording, method, time and who wrote it down."""
    line.admits_by_file("+12125550141", consent="paper,2026-11-01,visits;check_ins,v3,yes")

    [entry] = line.rows(Consent)
    assert (entry.action, entry.method, entry.wording_version) == ("grant", "paper", "v3")
    assert entry.purposes == ["check_ins", "visits"]
    assert entry.actor == "desk@clinic.test"
    assert entry.occurred_at.date().isoformat() == "2026-11-01"
    assert entry.phone_blind == line.world.vault.blind("phone", "+12125550141")


@pytest.mark.parametrize(
    "change",
    [
        (
            "INSERT INTO opt_out (clinic_id, phone_blind, reason, occurred_at)"
            " SELECT clinic_id, phone_blind, 'words', :now FROM patient"
        ),
        "UPDATE patient SET purposes = '{}'",
        "UPDATE patient SET status = 'held'",
        "UPDATE appointment SET status = 'cancelled'",
        "UPDATE appointment SET revision = revision + 1",
        "UPDATE patient SET safe_from = '13:00', safe_until = '14:00'",
    ],
    ids=["stopped", "revoked", "held", "cancelled", "moved", "wrong hour"],
)
def test_rule_02_everything_is_checked_again_when_sending(line: Line, change: str) -> None:
    """What changed between the plan and the sending counts: nothing goes to the carrier."""
    line.world.due()
    line.world.execute(change + " WHERE :now = :now", now=line.world.now)

    line.world.send()

    assert line.world.gateway.calls == []


def test_rule_02_the_cap_is_checked_when_sending(line: Line) -> None:
    """Of three texts due at once on one day the third is not sent."""
    ids = line.world.due(3)
    line.world.execute("UPDATE message SET patient_id = (SELECT min(id::text)::uuid FROM patient)")
    for _ in ids:
        line.world.advance(seconds=10)
        line.world.send()

    assert len(line.world.gateway.calls) == 2


def test_rule_03_the_first_recurring_text_confirms_the_opt_in(line: Line) -> None:
    """Whoever just agreed reads the welcome first: who writes, how often, help, how to stop."""
    _reads_something(line)

    first = line.reads()[0]
    for part in ("Riverside Care", "HELP", "STOP", "up to 2 texts a day"):
        assert part in first


def test_rule_03_the_opt_in_confirmation_names_the_rates(line: Line) -> None:
    """The confirmation of an opt-in says that message and data rates may apply."""
    _reads_something(line)

    assert "rates may apply" in line.reads()[0]


def _reads_something(line: Line) -> None:
    line.admits_by_file()
    line.has_imported_before()
    line.imports("2026-12-08T10:00", patient="P9")
    line.waits_until("2026-12-02 12:00")


def test_rule_04_a_new_number_starts_at_zero(line: Line) -> None:
    """A changed number is texted nothing until its holder agreed, planned texts included."""
    line.admits_by_file("+12125550141", consent="paper,2026-11-01,visits;check_ins,v3,yes")
    line.has_imported_before()
    line.imports("2026-12-08T10:00", patient="P9")
    sent_before = len(line.world.gateway.calls)

    line.admits_by_file("+12125550142", consent="paper,2026-11-01,visits;check_ins,v3,yes")
    line.waits_until("2026-12-08 12:00")

    person = line.person()
    assert (person.purposes, person.proved_at) == ([], None)
    assert line.reads("+12125550142") == []
    assert len(line.world.gateway.calls) == sent_before


def test_rule_05_the_warning_and_the_wish_are_stored(line: Line) -> None:
    """That the patient knows the risk of plain texts, and wants them, is on record."""
    line.admits_by_file("+12125550141", consent="paper,2026-11-01,visits,v3,yes")

    assert patients.profile(line.world.vault, line.person())["sms_risk_ack"] is True
    [entry] = line.rows(Consent)
    assert entry.risk_acknowledged is True


def test_rule_05_a_clinic_that_requires_the_warning_texts_nobody_without(line: Line) -> None:
    """Without the acknowledged warning nothing is sent where the clinic requires it."""
    line._set("{require_sms_risk_ack}", "true")
    line.admits_by_file("+12125550141", consent="paper,2026-11-01,visits,v3,no")
    line.has_imported_before()
    line.imports("2026-12-08T10:00", patient="P9")
    line.waits_until("2026-12-08 12:00")

    assert line.world.gateway.calls == []


def test_rule_05_nor_does_staff_s_word_without_the_warning(line: Line) -> None:
    """A consent that is written down by hand is refused there until it says so."""
    line._set("{require_sms_risk_ack}", "true")
    line.admits_by_file("+12125550141", consent="paper,2026-11-01,visits,v3,no")
    [row] = line.world.execute("SELECT id FROM patient WHERE purposes = '{}'")
    said = {"purposes": ["visits"], "method": "verbal", "actor": "desk"}
    with pytest.raises(RefusedError, match="texts are not private"):
        consents.grant(line.world.services, row.id, **said)

    assert consents.grant(line.world.services, row.id, **said, risk_acknowledged=True) == (
        "visits",
    )


@pytest.mark.parametrize("statement", ["UPDATE consent SET method = 'x'", "DELETE FROM consent"])
def test_rule_06_the_ledger_only_grows(line: Line, database: OwnDatabase, statement: str) -> None:
    """Neither the processes nor the schema's owner can change or delete an entry."""
    line.admits_by_file("+12125550141", consent="paper,2026-11-01,visits,v3,yes")

    with pytest.raises(DBAPIError):
        line.world.execute(statement)
    with (
        psycopg.connect(database.owner_dsn) as owner,
        pytest.raises(psycopg.Error, match="append-only"),
    ):
        owner.execute(statement.encode())


def test_rule_06_a_stop_is_kept_after_a_start(line: Line) -> None:
    """Lifting a stop keeps its row, and the ledger tells stop and start with the texts' ids."""
    line.admits()
    stop = line.says("STOP")
    line.world.advance(hours=1)
    start = line.says("START")

    [(lifted_at,)] = line.world.execute("SELECT lifted_at FROM opt_out")
    assert lifted_at is not None
    told = [(row.action, row.method, row.inbound_id) for row in line.rows(Consent)]
    assert told == [("revoke", "keyword", stop.id), ("grant", "keyword", start.id)]


def test_rule_06_no_process_may_delete_a_stop(line: Line) -> None:
    """The processes' role cannot delete from the list of numbers that stopped."""
    line.admits()
    line.says("STOP")

    with pytest.raises(DBAPIError):
        line.world.execute("DELETE FROM opt_out")
    assert line.stop_of() is not None
