"""Rules 44 to 48: danger, wrong numbers, answers to what was asked, number hygiene, the record."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from messages.gateways.fake import refuse
from records.appointments import Appointment
from records.enrollments import Enrollment, ProtocolVersion
from records.followups import FollowUp
from tests.compliance.line import STRANGER, Line
from tests.support.world import make_due, make_visits, phone_of
from worker.steps import deactivations

DANGER = {
    "I want to kill myself": "988",
    "quiero morirme": "988",
    "i took the whole bottle": "911",
    "chest pain and i cant breathe": "911",
}


@pytest.mark.parametrize("body", DANGER)
def test_rule_44_danger_pages_at_once_and_is_answered_once(line: Line, body: str) -> None:
    """One item that pages, and one reply with the number to call; a second text is not chatted."""
    line.someone()

    row = line.says(body)
    line.world.advance(minutes=2)
    line.says(body)

    [item] = line.rows(FollowUp)
    assert (item.severity, item.due_at - item.opened_at <= timedelta(minutes=15)) == (
        "page_now",
        True,
    )
    assert row.urgent
    [reply] = line.reads()
    assert DANGER[body] in reply


def test_rule_44_the_alert_does_not_need_the_reply(line: Line) -> None:
    """Blocked by the carrier, stopped, held and paused: the reply is tried, the alert stays."""
    line.someone(status="held")
    line.says("STOP")
    line.world.execute("UPDATE clinic SET paused_at = :now", now=line.world.now)
    line.world.gateway.always(phone_of(0), refuse(21610))

    line.says("I want to kill myself")

    assert line.item("crisis").severity == "page_now"
    assert len(line.world.gateway.calls) == 1
    assert line.reads() == []


def test_rule_44_a_stranger_in_danger_is_no_stranger(line: Line) -> None:
    """A number that nobody knows gets the reply and the page as well."""
    line.says("i want to die", phone=STRANGER)

    assert line.item("crisis").severity == "page_now"
    assert len(line.reads(STRANGER)) == 1


def test_rule_44_no_question_follows_until_a_person_has_looked(line: Line) -> None:
    """After words of danger no check-in goes out before somebody has ended the hold."""
    line.world.enroll_by_hand()
    line.world.plan()
    line.says("i want to kill myself")
    line.goes_on(hours=7)
    line.goes_on(minutes=5)

    assert line.texts_sent("daily_0_10") == []


@pytest.mark.parametrize("body", ["wrong number", "you have the wrong person", "numero equivocado"])
def test_rule_45_a_wrong_number_is_left_alone(line: Line, body: str) -> None:
    """Nothing more goes there, staff look, and the answer says nothing of anybody's health."""
    [message_id] = line.world.due()

    line.says(body)
    line.world.advance(hours=1)
    line.world.send()

    assert line.world.message(message_id).status == "cancelled"
    stop = line.stop_of()
    assert stop is not None
    assert stop.reason == "wrong_number"
    assert line.item("wrong_number").severity == "call_today"
    for reply in line.reads():
        assert not {"visit", "clinic", "riverside", "care"} & set(reply.casefold().split())
    assert len(line.reads()) <= 1


def test_rule_46_an_answer_belongs_to_the_open_visit(line: Line) -> None:
    """C confirms the visit that the text spoke of, at the time it named."""
    visit_id = line.asks_for_confirmation()

    row = line.says("C")

    [visit] = line.rows(Appointment)
    assert (visit.id, visit.confirmed_start) == (visit_id, visit.starts_at)
    assert row.prompt_message_id is not None


def test_rule_46_with_several_open_visits_a_person_is_asked(line: Line) -> None:
    """One C and two visits: none is confirmed, the patient is asked which, and staff see it."""
    line.asks_for_confirmation()
    _ask_about_another_visit(line)

    line.says("C")

    assert [visit.confirmed_start for visit in line.rows(Appointment)] == [None, None]
    assert line.answers == ["which_one"]
    assert line.reasons != []


def _ask_about_another_visit(line: Line) -> None:
    world = line.world
    with world.database.transaction() as session:
        patient_id = line.person().id
        starts_at = world.now + timedelta(days=9)
        visits = make_visits(
            session, world.vault, world.clinic_id, [patient_id], starts_at, label="second"
        )
        make_due(
            session,
            world.clinic_id,
            world.sender_id,
            [patient_id],
            visits,
            due_at=world.now,
            starts_at=starts_at,
        )
    world.advance(seconds=10)
    line.send_due("visit-7d")


def test_rule_46_a_late_answer_confirms_nothing(line: Line) -> None:
    """A C after the visit began reaches a person and changes no visit."""
    line.asks_for_confirmation()
    line.world.advance(days=7, hours=1)

    line.says("C")

    [visit] = line.rows(Appointment)
    assert visit.confirmed_start is None
    assert line.reasons != []


@pytest.mark.parametrize("late", [False, True])
def test_rule_47_a_number_out_of_service_is_suspended(line: Line, *, late: bool) -> None:
    """After code 30005 nothing goes there until somebody has verified the number again."""
    [first] = line.world.due()
    if not late:
        line.world.gateway.always(phone_of(0), refuse(30005))
    line.world.send()
    if late:
        line.reports(first, "undelivered", code=30005)
    line.world.gateway.always(phone_of(0), None)
    line.world.advance(days=1)
    [second] = line.world.due()
    line.world.execute(
        "UPDATE message SET patient_id = :patient WHERE id = :id",
        patient=line.world.message(first).patient_id,
        id=second,
    )
    line.world.send()

    assert line.world.message(second).attempts == 0
    line.goes_on()
    assert "cannot_reach" in line.reasons


def test_rule_47_a_number_that_was_given_up_is_suspended(line: Line) -> None:
    """Once the carrier's list of yesterday names it, nothing goes there until it is verified."""
    [planned] = line.world.due()
    yesterday = line.world.now.date() - timedelta(days=1)
    line.world.gateway.given_up[yesterday] = [phone_of(0)]
    for _ in range(5):
        deactivations.run(line.world.services, line.world.carrier)

    assert line.world.message(planned).reason == "number_suspended"
    assert "number_deactivated" in line.reasons
    line.says("still my number")
    assert line.world.execute("SELECT 1 FROM opt_out WHERE lifted_at IS NULL") == []


def test_rule_48_every_decision_is_on_record(line: Line) -> None:
    """Each text of a patient tells its state, the reason, and each change with its time."""
    [sent] = line.world.due()
    [skipped] = line.world.due(patient={"purposes": []})
    [cancelled] = line.world.due(patient={"status": "held"})
    [expired] = line.world.due(latest_at=line.world.now)
    line.world.send()

    told = {
        message_id: (line.world.message(message_id).status, line.world.message(message_id).reason)
        for message_id in (sent, skipped, cancelled, expired)
    }
    assert told == {
        sent: ("accepted", None),
        skipped: ("skipped", "no_consent"),
        cancelled: ("cancelled", "patient_held"),
        expired: ("expired", "too_late"),
    }
    for message_id, (status, reason) in told.items():
        changes = line.world.execute(
            "SELECT status, reason FROM message_history WHERE message_id = :id AND at IS NOT NULL",
            id=message_id,
        )
        assert (status, reason) in [tuple(change) for change in changes]


def test_rule_48_a_planned_text_names_the_rules_it_came_from(line: Line) -> None:
    """Protocol, version and step of each planned text lead back to the words published."""
    line.asks_for_confirmation()
    world = line.world
    with world.database.transaction() as session:
        kept = {row.protocol for row in session.scalars(select(ProtocolVersion))}
        followed = {row.id: row.protocol for row in session.scalars(select(Enrollment))}

    for message in world.texts():
        assert message.enrollment_id is not None
        assert followed[message.enrollment_id] in kept
        assert message.step
