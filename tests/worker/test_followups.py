"""The follow-ups step: a text that did not arrive, and an event nobody recorded, become a call."""

from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest

from messages.gateways.fake import lose_answer, refuse
from records import appointments, clinics, enrollments
from records import receipts as kept
from schedules.clinic import ClinicFile
from schedules.visit_events import missing_events
from tests.support.world import World, phone_of
from tests.worker.talk import Talk
from worker import facts
from worker.steps import followups, receipts, reconcile


@pytest.fixture
def clinic(world: World) -> World:
    """The world with its protocols published."""
    world.publish_protocols()
    return world


def _items(world: World) -> list[tuple[str, str]]:
    rows = world.execute("SELECT reason, severity FROM follow_up ORDER BY reason")
    return [(row.reason, row.severity) for row in rows]


def _due_now(world: World, step: str) -> None:
    """Bring the clock to the minute at which a step's text is due."""
    text, *_ = [each for each in world.texts() if each.step == step]
    world.advance(seconds=(text.due_at - world.now).total_seconds())


def test_a_refused_food_text_becomes_a_call(clinic: World) -> None:
    """Care rule 2: an instruction that did not arrive is told by a person, before its deadline."""
    clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    _due_now(clinic, "visit_24h_prep")
    clinic.gateway.always("+12125550120", refuse(21211))
    clinic.send()
    followups.run(clinic.services)
    reasons = [reason for reason, _ in _items(clinic)]
    assert "instruction_not_delivered" in reasons


def test_a_delivered_food_text_asks_for_nobody(clinic: World) -> None:
    """What arrived needs no call."""
    clinic.book(starts_in=timedelta(days=1, hours=2))
    clinic.execute(
        "INSERT INTO message (id, clinic_id, sender_id, patient_id, enrollment_id, protocol, step,"
        " priority, template, due_at, latest_at, next_at, status, final_at, prove_by)"
        " SELECT uuidv7(), e.clinic_id, :sender, e.patient_id, e.id, e.protocol, 'visit_24h_prep',"
        " 20, 'visit_24h_prep', :now, :now, :now, 'delivered', :now, :now FROM enrollment e",
        sender=clinic.sender_id,
        now=clinic.now,
    )
    followups.run(clinic.services)
    assert _items(clinic) == []


def test_a_food_text_not_proved_in_time_becomes_a_call(clinic: World) -> None:
    """Accepted, but no word of delivery an hour before the deadline."""
    clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    _due_now(clinic, "visit_24h_prep")
    clinic.send()
    [text] = [each for each in clinic.texts() if each.step == "visit_24h_prep"]
    assert text.status == "accepted"
    assert text.prove_by is not None
    followups.run(clinic.services)
    told = "SELECT count(*) FROM follow_up_event WHERE action LIKE '%instruction_not_delivered%'"
    before = clinic.execute(told)[0][0]
    clinic.advance(seconds=(text.prove_by - clinic.now).total_seconds())
    followups.run(clinic.services)
    assert clinic.execute(told)[0][0] == before + 1


def _unproved(world: World) -> UUID:
    """Have somebody called about a food text that is not proved in time; return the text."""
    world.book(starts_in=timedelta(days=9))
    world.plan()
    _due_now(world, "visit_24h_prep")
    world.send()
    [text] = [each for each in world.texts() if each.step == "visit_24h_prep"]
    assert text.prove_by is not None
    world.advance(seconds=(text.prove_by - world.now).total_seconds())
    followups.run(world.services)
    assert _items(world) == [("instruction_not_delivered", "call_today")]
    return text.id


@pytest.mark.parametrize("code", [21610, 30005])
def test_a_number_that_can_not_be_texted_is_told_of_also_after_the_call(
    clinic: World, code: int
) -> None:
    """The text was looked at before its end; no text goes any more, and nobody knew why."""
    text_id = _unproved(clinic)
    row = kept.row(
        clinic.vault,
        clinic_id=clinic.clinic_id,
        message_id=text_id,
        attempt=1,
        sid=str(clinic.message(text_id).sid),
        status="undelivered",
        error_code=code,
        source="push",
        payload="{}",
        received_at=clinic.now,
    )
    with clinic.database.transaction() as session:
        kept.store(session, [row])
    receipts.run(clinic.services)
    followups.run(clinic.services)
    assert ("cannot_reach", "call_today") in _items(clinic)


@pytest.mark.parametrize("words", ["please call me", "i want to kill myself"])
def test_a_number_that_refuses_an_answer_is_told_of(clinic: World, words: str) -> None:
    """The carrier blocks it though nobody stopped: all that is planned ends by it."""
    talk = Talk(clinic)
    talk.someone()
    clinic.gateway.always(phone_of(0), refuse(21610))
    talk.says(words)
    clinic.advance(seconds=5)
    clinic.send()
    assert clinic.execute("SELECT reason FROM opt_out")[0][0] == "carrier_21610"
    followups.run(clinic.services)
    assert ("cannot_reach", "call_today") in _items(clinic)


def test_a_stop_whose_confirmation_is_refused_is_no_number_out_of_reach(clinic: World) -> None:
    """They stopped, and staff know: the carrier only says so too."""
    talk = Talk(clinic)
    talk.someone()
    clinic.gateway.always(phone_of(0), refuse(21610))
    talk.says("please stop texting me")
    clinic.send()
    followups.run(clinic.services)
    assert "cannot_reach" not in [reason for reason, _ in _items(clinic)]


def test_a_text_whose_row_asks_for_proof_too_early_is_looked_at_again(clinic: World) -> None:
    """A row of the version before counted from the minute at which a ride text goes."""
    clinic.book(starts_in=timedelta(days=9, hours=3))
    clinic.plan()
    [ride] = [each for each in clinic.texts() if each.step == "visit_2h_ride"]
    assert ride.prove_by is not None
    _due_now(clinic, "visit_2h_ride")
    clinic.send()
    followups.run(clinic.services)
    calls = "SELECT count(*) FROM follow_up_event WHERE action LIKE '%instruction_not_delivered%'"
    before = clinic.execute(calls)[0][0]
    clinic.execute("UPDATE message SET prove_by = due_at WHERE id = :id", id=ride.id)
    followups.run(clinic.services)
    row = clinic.message(ride.id)
    assert (row.status, row.prove_by, row.reviewed_at) == ("accepted", ride.prove_by, None)
    assert clinic.execute(calls)[0][0] == before
    clinic.advance(seconds=(ride.prove_by - clinic.now).total_seconds())
    followups.run(clinic.services)
    assert clinic.execute(calls)[0][0] == before + 1
    assert clinic.message(ride.id).reviewed_at == clinic.now


def test_a_record_that_can_not_be_read_costs_nobody_else_a_call(clinic: World) -> None:
    """Its own food text becomes a call at once, and the record itself an item; all are reviewed."""
    spoilt, fine = (clinic.book(starts_in=timedelta(days=9))[1] for _ in range(2))
    clinic.plan()
    _due_now(clinic, "visit_24h_prep")
    for phone in (phone_of(0), phone_of(1)):
        clinic.gateway.always(phone, refuse(21211))
    clinic.send()
    clinic.execute("UPDATE patient SET profile = 'no sealed text' WHERE id = :id", id=spoilt)
    followups.run(clinic.services)
    opened = clinic.execute("SELECT patient_id, reason, due_at FROM follow_up")
    calls = {who: due for who, reason, due in opened if reason == "instruction_not_delivered"}
    assert calls.keys() == {spoilt, fine}
    assert calls[spoilt] == clinic.now
    assert [who for who, reason, _ in opened if reason == "cannot_plan"] == [spoilt]
    assert clinic.execute("SELECT 1 FROM message WHERE final_at <= :now AND reviewed_at IS NULL",
                          now=clinic.now) == []  # fmt: skip


def test_a_visit_that_can_not_be_read_is_told_of_and_the_others_are_asked_about(
    clinic: World,
) -> None:
    """A dose that nobody knows the word for must not end the asking for a whole clinic."""
    (spoilt, whose), (_, fine) = (clinic.book(starts_in=timedelta(hours=-1)) for _ in range(2))
    clinic.execute("UPDATE appointment SET dose = 'some' WHERE id = :id", id=spoilt)
    for _ in range(2):
        followups.ask_about_visits(clinic.services)
    opened = clinic.execute("SELECT patient_id, reason, times_joined FROM follow_up")
    assert set(opened) == {(whose, "cannot_plan", 0), (fine, "visit_event_missing", 0)}


def test_an_unknown_that_can_not_be_settled_is_put_before_a_person(world: World) -> None:
    """May have been sent: nobody guesses."""
    world.gateway.script(lose_answer(creates=False))
    world.due(policy="prefer_silence")
    world.send()
    for _ in range(2):
        world.execute("UPDATE attempt SET next_look_at = now()")
        reconcile.settle_unknown(world.services, world.carrier)
    followups.run(world.services)
    assert ("outcome_unknown", "next_business_day") in _items(world)


def test_a_visit_without_any_text_opens_not_reminded(clinic: World) -> None:
    """Held while every text fell due: somebody calls."""
    clinic.book(starts_in=timedelta(days=9), patient={"status": "held"})
    clinic.plan()
    followups.run(clinic.services)
    assert "not_reminded" in [reason for reason, _ in _items(clinic)]


def test_each_ending_is_looked_at_once(clinic: World) -> None:
    """A resolved item is not opened again for the same text."""
    clinic.book(starts_in=timedelta(days=9), patient={"status": "held"})
    clinic.plan()
    followups.run(clinic.services)
    clinic.execute("UPDATE follow_up SET status = 'resolved', outcome = 'called'")
    followups.run(clinic.services)
    assert {row[0] for row in clinic.execute("SELECT status FROM follow_up")} == {"resolved"}


def test_staff_are_asked_once_for_an_arrival_that_nobody_recorded(clinic: World) -> None:
    """Care rule 6: a quarter of an hour after the start, once."""
    clinic.book(starts_in=timedelta(hours=1))
    followups.ask_about_visits(clinic.services)
    assert _items(clinic) == []
    clinic.advance(minutes=76)
    followups.ask_about_visits(clinic.services)
    assert _items(clinic) == [("visit_event_missing", "call_today")]
    clinic.execute("UPDATE follow_up SET status = 'resolved', outcome = 'came'")
    clinic.advance(minutes=1)
    followups.ask_about_visits(clinic.services)
    assert len(_items(clinic)) == 1


def test_every_visit_of_which_something_is_missing_is_read(clinic: World) -> None:
    """The query leaves out only what the rule asks nothing about, whatever is known of a visit."""
    visit_id, _ = clinic.book(starts_in=timedelta(hours=-30))
    staffed = clinic_file(clinic).staffed()
    for kind, status, dose, arrived, left in product(
        ("dosing", "integration"),
        ("booked", "arrived", "checked_out", "fulfilled", "cancelled", "no_show"),
        (None, "given", "partial", "not_given"),
        (None, clinic.now - timedelta(hours=29)),
        (None, clinic.now - timedelta(hours=28)),
    ):
        clinic.execute(
            "UPDATE appointment SET kind = :kind, status = :status, dose = :dose,"
            " arrived_at = CAST(:arrived AS timestamptz),"
            " checked_out_at = CAST(:left AS timestamptz)",
            kind=kind,
            status=status,
            dose=dose,
            arrived=arrived,
            left=left,
        )
        with clinic.database.transaction() as session:
            visit = facts.visit_facts(appointments.by_id(session, visit_id))
            since, asked = (
                clinic.now - timedelta(days=7),
                missing_events(visit, clinic.now, staffed),
            )
            read = appointments.unrecorded(session, clinic.clinic_id, since, clinic.now)
        assert bool(read) is bool(asked), (kind, status, dose, arrived, left)


def clinic_file(world: World) -> ClinicFile:
    """Return the settings of the world's clinic."""
    with world.database.transaction() as session:
        return clinics.by_id(session, world.clinic_id).file


def test_a_plan_asked_for_is_marked_once_as_the_transaction_ends(clinic: World) -> None:
    """Whatever a savepoint in between took back; a plan too many changes nothing."""
    _, patient_id = clinic.book(starts_in=timedelta(days=9))
    clinic.execute("UPDATE enrollment SET plan_requested_at = NULL")
    with clinic.database.transaction() as session:
        savepoint = session.begin_nested()
        enrollments.request_plan_of_patient(session, patient_id)
        savepoint.rollback()
        enrollments.request_plan_of_patient(session, patient_id)
        enrollments.request_plan_of_patient(session, patient_id)
    [row] = clinic.execute("SELECT plan_requested_at FROM enrollment")
    assert row.plan_requested_at is not None
