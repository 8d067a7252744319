"""Follow-ups, as stories: crises that rest questions, lapses before a dose, a year of anything."""

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from records import clinics, patients
from records.base import Session
from records.followups import FollowUp
from records.patients import Patient
from schedules import followup_rules
from schedules.staffing import StaffedHours
from tests.support.world import World, make_visits, phone_of
from tests.worker.duty import CRISIS, KIM, SAM, Duty
from worker.opening import open_follow_ups
from worker.steps import compare
from worker.steps import followup_actions as actions
from worker.steps import staff as staff_step


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


PAT = "+12125550195"
NOBODY = {"on_call": [], "after_hours": "none"}
CALLER = {"closed_day_caller": {"name": "Pat", "phone": PAT, "email": "pat@clinic.test"}}


@pytest.mark.parametrize(
    ("seed", "file"),
    [(0, {}), (2, NOBODY | CALLER), (3, NOBODY), (4, NOBODY | {"lead": None})],
    ids=["on call", "a caller for closed days", "the lead", "nobody at all"],
)
def test_a_random_year_leaves_no_item_without_an_owner_or_a_clock(
    duty: Duty, seed: int, file: dict[str, object]
) -> None:
    """Texts, takings, hand-overs, absences, snoozes and silence, through the real steps."""
    duty.file(**file)
    chance = random.Random(seed)
    emails = ("sam@clinic.test", "kim@clinic.test", "doc@clinic.test")
    for email in emails:
        duty.staff(email, "clinician")
    for _ in range(40):
        duty.world.advance(minutes=chance.choice([1, 7, 31, 240, 1440, 20_000]))
        _something_happens(duty, chance, emails)
        duty.rounds()
        duty.tick()
        duty.tick()
        for item in duty.talk.rows(FollowUp):
            if item.status == "resolved":
                assert item.climbs_at is None
            else:
                assert item.climbs_at is not None
                assert item.climbs_at > duty.world.now
                assert item.climbs_at < duty.world.now + timedelta(days=31)


def _something_happens(duty: Duty, chance: random.Random, emails: Sequence[str]) -> None:
    services, now = duty.world.services, duty.world.now
    words = [CRISIS, "call me", "can I bring my dog?", "he hit me and i am scared to go home"]
    if chance.random() < 0.4:
        duty.talk.says(chance.choice(words), phone=chance.choice([phone_of(0), "+12125550177"]))
        return
    if chance.random() < 0.2:
        # Staff answer a page by text, rightly or not.
        duty.talk.says(
            chance.choice(["1", "2", "take", "ok"]), phone=chance.choice([SAM, KIM, PAT])
        )
        return
    if chance.random() < 0.2:
        day = now.date() + timedelta(days=chance.randrange(3))
        staff_step.away(services, email=chance.choice(emails), first=day, last=day, actor="test")
        return
    items = [row for row in duty.talk.rows(FollowUp) if row.status != "resolved"]
    if not items:
        return
    item = chance.choice(items)
    actor = actions.actor_by_email(services, chance.choice(emails), item.id)
    with suppress(actions.FollowUpActionError):
        match chance.randrange(4):
            case 0:
                actions.take(services, item.id, actor=actor)
            case 1:
                actions.assign(services, item.id, email=chance.choice(emails), actor=actor)
            case 2:
                until = now + timedelta(minutes=chance.choice([5, 25, 600, 5000]))
                actions.snooze(services, item.id, until=until, actor=actor)
            case _:
                outcome = "misread" if actions.is_safety(item.reason) else "handled"
                actions.resolve(services, item.id, outcome=outcome, actor=actor)
