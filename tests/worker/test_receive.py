"""Receiving: stored once, read, and stopped in the same transaction, on a real database."""

import threading
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from records import intake, patients, progress, sending
from records.base import new_id
from records.inbox import Inbound, StrayWebhook
from records.outbox import Message
from records.patients import Consent, OptOut
from records.progress import PULLED
from tests.support.databases import OwnDatabase
from tests.support.world import World, make_clinic, phone_of
from tests.worker.talk import Talk, hide_column
from worker import pulled
from worker.endings import end_record
from worker.steps import people, receive, replies


@pytest.fixture
def talk(world: World) -> Talk:
    """A world with a phone."""
    return Talk(world)


def test_a_text_is_kept_sealed_with_what_it_was_read_as(talk: Talk) -> None:
    """The body is unreadable in the table; the reading stands beside it."""
    [patient] = talk.someone()
    found = talk.receive("PAUSE")
    assert found.id is not None
    row = talk.inbound(found.id)
    assert (row.intent, row.patient_id, row.handled_at) == ("pause", patient, None)
    assert b"PAUSE" not in row.body
    assert talk.world.vault.open("inbound", "body", row.id, row.body) == "PAUSE"


def test_a_sid_received_twice_has_one_row_and_one_effect(talk: Talk) -> None:
    """Twilio retries; a stop is written to the ledger once."""
    talk.someone()
    text = talk.sms("STOP")
    first, second = (
        receive.store(talk.world.services, text, source="push", received_at=talk.world.now)
        for _ in range(2)
    )
    assert (first.duplicate, second.duplicate) == (False, True)
    assert len(talk.rows(Inbound)) == len(talk.rows(Consent)) == 1


def test_two_threads_storing_one_sid_make_one_row(talk: Talk) -> None:
    """Webhook and pull meet at the unique SID, whichever commits first."""
    talk.someone()
    texts = [talk.sms("STOP", sid=f"SM{number:032x}") for number in range(100, 110)]
    found: list[receive.Received] = []
    ready = threading.Barrier(4)

    def run() -> None:
        ready.wait()
        found.extend(
            receive.store(talk.world.services, text, source="push", received_at=talk.world.now)
            for text in texts
        )

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 40
    assert sum(not each.duplicate for each in found) == len(talk.rows(Inbound)) == 10
    assert [row.action for row in talk.rows(Consent)] == ["revoke"]


STRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "another account": ({"account_sid": "AC" + "9" * 32}, "another_account"),
    "a number of nobody": ({"to": "+12125550199"}, "number_of_no_clinic"),
}


@pytest.mark.parametrize("case", STRAYS)
def test_a_text_for_no_clinic_is_kept_as_a_stray(talk: Talk, case: str) -> None:
    """Nothing signed is thrown away; doctor counts these."""
    more, reason = STRAYS[case]
    found = talk.receive("hello", **more)
    assert (found.id, found.stray) == (None, True)
    [row] = talk.rows(StrayWebhook)
    assert (row.reason, row.kind) == (reason, "inbound")
    assert talk.rows(Inbound) == []


def test_a_text_to_a_previous_number_still_counts(talk: Talk) -> None:
    """A stop to an old number is a stop (care rule 28)."""
    talk.someone()
    talk.world.execute(
        "INSERT INTO sender_number (number, clinic_id, sender_id, previous)"
        " VALUES ('+12125550198', :clinic, :sender, true)",
        clinic=talk.world.clinic_id,
        sender=talk.world.sender_id,
    )
    assert talk.receive("STOP", to="+12125550198").opt_change == "stop"


def test_a_text_to_the_messaging_service_finds_its_clinic(talk: Talk) -> None:
    """A new number in the service is heard before the clinic file lists it."""
    talk.someone()
    service = "MG" + "7" * 32
    talk.world.execute("UPDATE sender SET messaging_service_sid = :sid", sid=service)
    found = talk.receive("STOP", to="+12125550197", messaging_service_sid=service)
    assert found.opt_change == "stop"


@pytest.mark.parametrize("status", ["planned", "claimed"])
def test_a_stop_ends_what_is_unsent_also_what_is_claimed(talk: Talk, status: str) -> None:
    """In the transaction that stored it: nothing of it can be sent any more."""
    world, token = talk.world, new_id()
    [message_id] = world.due()
    world.execute(
        "UPDATE message SET status = :status, claim_token = :token,"
        " lease_until = clock_timestamp() + interval '60 s', recipient_blind = '\\x00'",
        status=status,
        token=token,
    )
    assert talk.receive("Stop").opt_change == "stop"
    message = world.message(message_id)
    assert (message.status, message.reason, message.claim_token) == ("cancelled", "stopped", None)
    with world.database.transaction() as session:
        posted = sending.intend(session, [message_id], token=token, now=world.now, host="here")
    assert posted == {}
    world.send()
    assert world.gateway.created() == []


def test_a_stop_revokes_every_purpose_in_the_ledger(talk: Talk) -> None:
    """The ledger says what was taken away, by which text, and the patient's row follows."""
    talk.someone()
    found = talk.receive("STOP")
    [entry] = talk.rows(Consent)
    assert (entry.action, entry.method, entry.actor) == ("revoke", "keyword", "patient")
    assert entry.inbound_id == found.id
    assert sorted(entry.purposes) == ["check_ins", "health_questions", "visits"]
    assert talk.patient().purposes == []


def test_a_stop_counts_for_everybody_on_the_number(talk: Talk) -> None:
    """Two patients share a phone: neither is texted any more (care rule 22)."""
    talk.someone()
    talk.someone(first=1, phone=phone_of(0))
    talk.receive("STOP")
    assert [row.purposes for row in talk.rows(type(talk.patient()))] == [[], []]


def test_a_stop_of_an_unknown_number_is_remembered(talk: Talk) -> None:
    """Should the number become a patient's, it was stopped before."""
    assert talk.receive("STOP", phone="+12125550177").opt_change == "stop"
    [row] = talk.rows(OptOut)
    assert (row.reason, row.lifted_at) == ("keyword", None)


def test_a_stop_asks_for_a_new_plan(talk: Talk) -> None:
    """What would have come next is planned anew, as skipped."""
    talk.world.publish_protocols()
    talk.world.book(starts_in=timedelta(days=9))
    talk.world.plan()
    talk.receive("STOP")
    waiting = talk.world.execute(
        "SELECT count(*) FROM enrollment WHERE plan_requested_at IS NOT NULL"
    )
    assert waiting[0][0] == 1
    talk.world.plan()
    assert talk.world.statuses().get("planned", 0) == 0


def test_start_gives_back_what_the_keyword_took_but_health_questions(talk: Talk) -> None:
    """START is no new consent to questions about health (care rule 20)."""
    talk.someone()
    talk.receive("STOP")
    talk.world.advance(minutes=5)
    assert talk.receive("START").opt_change == "start"
    assert talk.patient().purposes == ["check_ins", "visits"]
    assert [row.action for row in talk.rows(Consent)] == ["revoke", "grant"]


def test_start_lifts_no_stop_but_a_keyword_one(talk: Talk) -> None:
    """A wrong number, or a stop that staff took down, needs a person."""
    talk.someone()
    talk.receive("wrong number")
    assert talk.receive("START").opt_change == "start_refused"
    assert talk.patient().purposes == []
    [row] = talk.rows(OptOut)
    assert (row.reason, row.lifted_at) == ("wrong_number", None)


@pytest.mark.parametrize(("closed", "did"), [(True, "start"), (False, "start_refused")])
def test_a_closed_record_on_the_number_keeps_no_start_from_lifting(
    talk: Talk, *, closed: bool, did: str
) -> None:
    """Of two who get texts there neither speaks for the other; a closed record gets none."""
    talk.someone(2, phone=phone_of(0))
    if closed:
        gone = talk.patient(0).id
        people.close(talk.world.services, gone, reason=people.Reason.DISCHARGED, actor="kim")
    talk.receive("STOP")
    talk.world.advance(minutes=5)
    assert talk.receive("START").opt_change == did
    given_back = ["check_ins", "visits"] if closed else []
    assert [talk.patient(number).purposes for number in (0, 1)] == [[], given_back]


def test_a_start_that_meets_a_death_lifts_nothing(talk: Talk) -> None:
    """It read the stop before the record was closed, and lifted it after."""
    [patient_id] = talk.someone()
    talk.receive("STOP")
    world = talk.world
    starts = threading.Thread(target=talk.receive, args=("START",))
    with world.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        person.status, person.status_reason = "closed", patients.DECEASED
        session.flush()
        starts.start()
        _waits_for_a_lock(world)
        end_record(session, person, now=world.now)
    starts.join(20)
    [stop] = talk.rows(OptOut)
    assert (stop.reason, stop.lifted_at) == (patients.DECEASED, None)


def _waits_for_a_lock(world: World) -> None:
    """Wait until some other transaction waits for one."""
    for _ in range(100):
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        if world.execute(waiting)[0][0]:
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_a_start_found_late_does_not_lift_the_stop_written_after_it(talk: Talk) -> None:
    """The pull may bring yesterday's START after today's STOP: the later word holds."""
    talk.someone()
    written = talk.world.now
    talk.world.advance(hours=1)
    assert talk.receive("STOP").opt_change == "stop"
    late = receive.store(talk.world.services, talk.sms("START"), source="pull", received_at=written)
    assert late.opt_change == "start_refused"


def test_a_stop_found_late_does_not_undo_the_start_written_after_it(talk: Talk) -> None:
    """The STOP's webhook was lost, the START's was not: texts go on, and a person asks.

    The reminder planned meanwhile goes; what a START never gives back is gone (care rule 20).
    """
    talk.world.publish_protocols()
    talk.world.book(starts_in=timedelta(days=7))
    talk.world.plan()
    written = talk.world.now
    talk.world.advance(minutes=5)
    assert talk.says("START").opt_change == "start_idle"
    talk.world.advance(minutes=10)
    late = receive.store(talk.world.services, talk.sms("STOP"), source="pull", received_at=written)
    replies.run(talk.world.services)
    assert late.opt_change == "stop_overtaken"
    [stop] = talk.rows(OptOut)
    assert (stop.reason, stop.lifted_at) == ("keyword", talk.world.now)
    assert talk.patient().purposes == ["check_ins", "visits"]
    assert [row.action for row in talk.rows(Consent)] == ["revoke", "grant"]
    assert "question" in talk.reasons
    assert "optout_confirm" not in talk.answers
    talk.world.plan()
    talk.world.send()
    assert [row.status for row in talk.world.texts() if row.step == "visit_7d"] == ["accepted"]


def test_a_stop_found_late_stands_if_another_came_after_the_start(talk: Talk) -> None:
    """The START between the two lifts neither."""
    talk.someone()
    written = talk.world.now
    talk.world.advance(minutes=5)
    talk.receive("START")
    talk.world.advance(minutes=5)
    talk.receive("STOP")
    late = receive.store(talk.world.services, talk.sms("STOP"), source="pull", received_at=written)
    assert late.opt_change == "stop_again"
    [stop] = talk.rows(OptOut)
    assert (stop.lifted_at, stop.occurred_at) == (None, talk.world.now)
    assert talk.patient().purposes == []


def test_start_replays_no_text_that_was_missed(talk: Talk) -> None:
    """What fell due during the stop stays unsent; what is ahead comes back."""
    talk.world.publish_protocols()
    talk.world.book(starts_in=timedelta(days=7))
    talk.world.plan()
    talk.receive("STOP")
    talk.world.plan()
    talk.world.advance(minutes=30)
    talk.receive("START")
    talk.world.plan()
    talk.world.send()
    by_step = {row.step: row.status for row in talk.world.texts()}
    assert by_step.pop("visit_7d") == "expired"
    assert set(by_step.values()) == {"planned"}
    assert talk.world.gateway.created() == []


def test_start_from_a_number_that_never_stopped_changes_nothing(talk: Talk) -> None:
    """No consent comes from it."""
    [patient] = talk.someone(purposes=["visits"])
    assert talk.receive("START").opt_change == "start_idle"
    assert talk.patient().id == patient
    assert talk.patient().purposes == ["visits"]


def test_the_carriers_own_word_adds_a_stop(talk: Talk) -> None:
    """Advanced Opt-Out may know a keyword that we don't: the number is blocked all the same."""
    talk.someone()
    found = talk.receive("basta ya por favor", opt_out_type="STOP")
    assert found.opt_change == "stop"


def test_a_reading_that_fails_keeps_the_raw_text(talk: Talk, database: OwnDatabase) -> None:
    """The text is committed, with the error's name and without a reading."""
    talk.someone()
    back = hide_column(database, "message", "nudge_for")
    found = talk.receive("C")
    assert (found.id is not None, found.opt_change) == (True, None)
    [row] = talk.rows(Inbound)
    assert (row.intent, row.reading_error is not None) == (None, True)
    back()
    replies.run(talk.world.services)
    [row] = talk.rows(Inbound)
    assert (row.intent is not None, row.handled_at is not None) == (True, True)


def test_a_stop_whose_reading_failed_is_applied_by_the_replies_step(
    talk: Talk, database: OwnDatabase
) -> None:
    """The second reading does what the first could not."""
    talk.someone()
    back = hide_column(database, "message", "nudge_for")
    talk.receive("STOP")
    back()
    replies.run(talk.world.services)
    assert talk.patient().purposes == []


def test_a_text_with_broken_letters_is_kept(talk: Talk) -> None:
    """Half of a surrogate pair must not cost the reply."""
    talk.someone()
    assert talk.receive("ok \ud83d").id is not None


def test_urgent_words_are_marked_and_read_across_texts(talk: Talk) -> None:
    """ "I want to" and "die" are one text if they come within three minutes (care rule 18)."""
    talk.someone()
    assert not talk.receive("i really just want to").urgent
    talk.world.advance(minutes=2)
    assert talk.receive("die").urgent
    talk.world.advance(minutes=10)
    assert not talk.receive("die").urgent


def test_the_pull_stores_what_no_webhook_told_and_nothing_twice(talk: Talk) -> None:
    """A webhook that never came is made up for; one that came is not stored again."""
    talk.someone()
    gateway, services = talk.world.gateway, talk.world.services
    told = gateway.receive(from_number=phone_of(0), to="+12125550110", body="STOP")
    receive.store(services, told, source="push", received_at=talk.world.now)
    talk.world.advance(minutes=1)
    gateway.receive(from_number=phone_of(0), to="+12125550110", body="START")
    counts = receive.pull(services, gateway, talk.world.carrier.call)
    assert counts == {"stored": 1}
    assert [row.source for row in talk.rows(Inbound)] == ["push", "pull"]
    assert talk.patient().purposes == ["check_ins", "visits"]
    assert receive.pull(services, gateway, talk.world.carrier.call) == {}


def test_a_pull_that_fails_keeps_its_cursor(talk: Talk) -> None:
    """What came in during the carrier's outage is found afterwards."""
    talk.someone()
    gateway, services = talk.world.gateway, talk.world.services
    receive.pull(services, gateway, talk.world.carrier.call)
    gateway.outage = True
    gateway.receive(from_number=phone_of(0), to="+12125550110", body="C")
    talk.world.advance(hours=30)
    assert receive.pull(services, gateway, talk.world.carrier.call) == {"failed": 1}
    gateway.outage = False
    assert receive.pull(services, gateway, talk.world.carrier.call) == {"stored": 1}


def test_a_text_that_the_list_shows_hours_later_is_found(talk: Talk) -> None:
    """Its webhook was lost, and the minutes that each pull reads again were over."""
    talk.someone()
    world = talk.world
    receive.pull(world.services, world.gateway, world.carrier.call)
    world.gateway.list_lag = timedelta(hours=2)
    world.gateway.receive(from_number=phone_of(0), to="+12125550110", body="STOP")
    for _ in range(3):
        world.advance(hours=1)
        world.execute("UPDATE progress SET at = at - interval '1 hour'")
        receive.pull(world.services, world.gateway, world.carrier.call)
    [row] = talk.rows(Inbound)
    assert (row.source, row.received_at) == ("pull", world.now - timedelta(hours=3))
    assert talk.patient().purposes == []


def test_a_text_that_came_while_the_clock_was_wrong_is_found(talk: Talk) -> None:
    """The cursor lay hours ahead: nothing of these hours was asked for any more."""
    talk.someone()
    world = talk.world
    receive.pull(world.services, world.gateway, world.carrier.call)
    world.advance(hours=2)
    receive.pull(world.services, world.gateway, world.carrier.call)
    world.advance(hours=-2)
    world.gateway.receive(from_number=phone_of(0), to="+12125550110", body="STOP")
    world.advance(minutes=30)
    for _ in range(2):
        receive.pull(world.services, world.gateway, world.carrier.call)
        world.execute("UPDATE progress SET at = at - interval '1 hour'")
    assert [row.source for row in talk.rows(Inbound)] == ["pull"]


def test_a_number_whose_list_comes_late_keeps_no_other_from_being_read(talk: Talk) -> None:
    """It is asked first each time; its clinic's questions wait, and the other's do not."""
    talk.someone()
    world, number = talk.world, "+12125550109"
    with world.database.transaction() as session:
        other, _ = make_clinic(session, key="other", number=number)
    asked: list[Any] = []

    def late_at_first(question: Coroutine[Any, Any, Any]) -> Any:
        asked.append(question)
        if len(asked) > 1:
            return world.carrier.call(question)
        question.close()
        raise TimeoutError

    world.gateway.receive(from_number=phone_of(0), to="+12125550110", body="C")
    counts = receive.pull(world.services, world.gateway, late_at_first)
    assert counts == {"stored": 1, "failed": 1}
    assert pulled.clinics_out_of_reach(world.services) == [other]
    assert PULLED not in _marks(talk)
    receive.pull(world.services, world.gateway, late_at_first)
    assert pulled.clinics_out_of_reach(world.services) == []
    assert PULLED in _marks(talk)


def _marks(talk: Talk) -> dict[str, float]:
    with talk.world.database.transaction() as session:
        return progress.ages(session)


def test_a_listed_text_that_cannot_be_stored_keeps_none_after_it(
    talk: Talk, database: OwnDatabase
) -> None:
    """Those after it are stored; the cursor stays before it, so that it comes again."""
    talk.someone()
    world = talk.world
    receive.pull(world.services, world.gateway, world.carrier.call)
    odd = world.gateway.receive(from_number=phone_of(0), to="+12125550110", body="C")
    world.gateway.receive(from_number=phone_of(0), to="+12125550110", body="STOP")
    refusal = f"ALTER TABLE inbound ADD CONSTRAINT odd CHECK (sid <> '{odd.sid}')"
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute(refusal.encode())
        counts = receive.pull(world.services, world.gateway, world.carrier.call)
        assert counts == {"stored": 1, "failed": 1}
        assert talk.patient().purposes == []
        owner.execute("ALTER TABLE inbound DROP CONSTRAINT odd")
    world.advance(days=2)
    assert receive.pull(world.services, world.gateway, world.carrier.call) == {"stored": 1}


def test_a_message_of_the_answer_lane_survives_its_own_stop(talk: Talk) -> None:
    """A second STOP cancels no confirmation of the first and adds none."""
    talk.someone()
    talk.receive("parar")
    replies.run(talk.world.services)
    talk.receive("parar")
    replies.run(talk.world.services)
    assert talk.answers == ["optout_confirm"]
    [row] = [row for row in talk.rows(Message) if row.kind == "answer"]
    assert isinstance(row.id, UUID)
    assert row.status == "planned"
