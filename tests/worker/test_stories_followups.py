"""Follow-ups, as stories: crises that rest questions, and lapses before a dose."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from records import clinics, patients
from records.base import Session
from records.followups import FollowUp
from records.patients import Patient
from schedules import followup_rules
from schedules.staffing import StaffedHours
from tests.support.world import World, make_visits
from tests.worker.duty import CRISIS, Duty
from worker.opening import open_follow_ups
from worker.steps import compare
from worker.steps import followup_actions as actions


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """A clinic on a Monday morning with somebody on call, and a patient."""
    with Duty(world=world) as made:
        made.talk.someone()
        yield made


def test_questions_rest_until_a_clinician_ends_the_crisis(duty: Duty) -> None:
    """Never by time (care rule 10)."""
    duty.staff("doc@clinic.test", "clinician")
    duty.says()
    until = duty.talk.patient().paused_until
    assert until is not None
    assert until > duty.world.now + timedelta(days=365)
    doctor = duty.actor("doc@clinic.test")
    actions.resolve(duty.world.services, duty.item.id, outcome="misread", actor=doctor)
    assert duty.talk.patient().paused_until == duty.world.now


@pytest.mark.parametrize("first", ["PAUSE", CRISIS])
def test_a_pause_outlives_the_crisis_it_was_asked_in(duty: Duty, first: str) -> None:
    """Asked before or during it, the seven days are the patient's (care rules 10, 20)."""
    duty.staff("doc@clinic.test", "clinician")
    asked = duty.world.now
    for words in (first, CRISIS if first == "PAUSE" else "PAUSE"):
        duty.says(words)
    assert patients.in_crisis(duty.talk.patient().paused_until, duty.world.now)
    duty.world.advance(days=1)
    [crisis] = [item for item in duty.talk.rows(FollowUp) if item.reason == "crisis"]
    doctor = duty.actor("doc@clinic.test")
    actions.resolve(duty.world.services, crisis.id, outcome="misread", actor=doctor)
    assert duty.talk.patient().paused_until == asked + timedelta(days=7)


@pytest.mark.parametrize(
    ("starts_in", "severity"),
    [(timedelta(days=3), "next_business_day"), (timedelta(hours=5), "call_today")],
)
def test_a_lapse_before_a_dose_reaches_somebody_before_it(
    duty: Duty, starts_in: timedelta, severity: str
) -> None:
    """What would be read at noon of the next day is called today when the dose is today."""
    world = duty.world
    [patient] = duty.talk.rows(Patient)
    with world.database.transaction() as session:
        make_visits(session, world.vault, world.clinic_id, [patient.id], world.now + starts_in)
        wanted = followup_rules.wanted(
            "off_plan", now=world.now, staffed=read(session, world), about=str(patient.id)
        )
        open_follow_ups(
            session,
            world.clinic_id,
            patient.id,
            [wanted],
            source_kind="check_in",
            source_id=patient.id,
            now=world.now,
        )
    [item] = duty.talk.rows(FollowUp)
    assert item.severity == severity
    assert item.due_at < world.now + starts_in


def test_a_lapse_in_the_night_before_a_dose_pages(duty: Duty) -> None:
    """When nobody would be there in time."""
    world = duty.world
    world.advance(hours=20)
    [patient] = duty.talk.rows(Patient)
    with world.database.transaction() as session:
        starts = world.now + timedelta(hours=3)
        make_visits(session, world.vault, world.clinic_id, [patient.id], starts)
        wanted = followup_rules.wanted(
            "use_disclosed", now=world.now, staffed=read(session, world), about=str(patient.id)
        )
        open_follow_ups(
            session,
            world.clinic_id,
            patient.id,
            [wanted],
            source_kind="check_in",
            source_id=patient.id,
            now=world.now,
        )
    duty.tick()
    assert duty.pages == [(0, "sam", "opened")]


def read(session: Session, world: World) -> StaffedHours:
    return clinics.by_id(session, world.clinic_id).file.staffed()


def test_a_page_to_staff_is_no_strange_text_of_the_night(duty: Duty) -> None:
    """The carrier's list has it, and so has our record, in another table."""
    duty.says()
    duty.safety_goes()
    for text in duty.world.gateway.created():
        duty.world.gateway.report(text.sid, "delivered")
    day = duty.world.now.date()
    counts = compare.compare(duty.world.services, duty.world.carrier, day)
    assert (counts["listed"], counts["strange"]) == (2, 0)
