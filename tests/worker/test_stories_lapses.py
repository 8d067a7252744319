"""A lapse told before a dose reaches a clinician before it, at any hour, in any clinic."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from records.followups import FollowUp
from records.pages import Page
from records.patients import Patient
from tests.support.world import World, make_visits
from tests.worker.desk import NEW_YORK, at
from tests.worker.duty import KIM, SAM, Duty
from worker.steps import followup_actions as actions
from worker.steps import staff as staff_step

LAPSE = "I used last night"
DOC, DESK = "doc@clinic.test", "desk@clinic.test"


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """A clinic with a clinician and a coordinator, and somebody on call, on a Monday at 10:00."""
    with Duty(world=world) as made:
        made.talk.someone()
        made.staff(DOC, "clinician")
        made.staff(DESK)
        yield made


def goes_to(duty: Duty, local: str) -> None:
    """Go on to a New York time; what the minutes on the way would do is done at its end."""
    duty.world.advance(seconds=(at(local) - duty.world.now).total_seconds())
    duty.rounds()


def books(duty: Duty, local: str) -> None:
    """Book a dose of the one patient."""
    [patient] = duty.talk.rows(Patient)
    world = duty.world
    with world.database.transaction() as session:
        make_visits(session, world.vault, world.clinic_id, [patient.id], at(local))


def item_of(duty: Duty) -> FollowUp:
    """Return the one item, whatever its severity."""
    [item] = duty.talk.rows(FollowUp)
    assert isinstance(item, FollowUp)
    return item


def paged(duty: Duty) -> list[str]:
    """Return who was called to the item first, when its ladder began."""
    rows = [row for row in duty.talk.rows(Page) if row.kind == "item" and row.why == "opened"]
    return [row.person for row in rows]


def due(duty: Duty) -> str:
    instant: datetime = item_of(duty).due_at
    return instant.astimezone(NEW_YORK).strftime("%a %H:%M")


def owner(duty: Duty) -> str | None:
    services = duty.world.services
    actor = actions.actor_by_email(services, DOC, item_of(duty).id)
    return "doc" if item_of(duty).owner_id == actor.staff_id else None


@pytest.mark.parametrize("on_call", [True, False])
def test_by_day_a_clinician_has_it_before_the_fast_begins(duty: Duty, on_call: bool) -> None:
    """A dose tomorrow at 09:00 forbids food from 03:00: the item is called today, by the doctor."""
    if not on_call:
        duty.nobody_on_call()
    books(duty, "2026-12-01 09:00")
    duty.says(LAPSE)
    assert (item_of(duty).severity, due(duty), owner(duty)) == ("call_today", "Mon 12:00", "doc")


def test_only_a_clinician_takes_keeps_and_ends_it(duty: Duty) -> None:
    """A coordinator is told to hand it over, and can't be given it."""
    books(duty, "2026-12-01 09:00")
    duty.says(LAPSE)
    services, item_id = duty.world.services, item_of(duty).id
    desk, doc = (actions.actor_by_email(services, each, item_id) for each in (DESK, DOC))
    with pytest.raises(actions.NotAllowedError, match="a clinician has to take it"):
        actions.take(services, item_id, actor=desk)
    with pytest.raises(actions.NotAllowedError, match="Only a clinician"):
        actions.resolve(services, item_id, outcome="handled", actor=desk)
    with pytest.raises(actions.BadActionError, match="Choose a clinician"):
        actions.assign(services, item_id, email=DESK, actor=doc)
    with pytest.raises(actions.BadActionError, match="a dose before that"):
        actions.snooze(services, item_id, until=at("2026-12-01 09:00"), actor=doc)
    actions.take(services, item_id, actor=doc)
    actions.resolve(services, item_id, outcome="reached", actor=doc)
    assert item_of(duty).status == "resolved"


def test_at_night_with_somebody_on_call_the_clinician_is_paged_at_once(duty: Duty) -> None:
    """The clinic opens half an hour before the decision: the night has to do."""
    books(duty, "2026-12-01 09:00")
    goes_to(duty, "2026-11-30 23:00")
    duty.says(LAPSE)
    assert item_of(duty).severity == "page_now"
    assert owner(duty) == "doc"
    assert duty.pages == [(0, "doc", "opened")]
    duty.waits(minutes=15)
    assert duty.rung(SAM) == 1


def test_at_night_the_morning_is_left_where_it_is_long_enough(duty: Duty) -> None:
    """A dose at noon leaves the staff hours to call: nobody is woken for it."""
    books(duty, "2026-12-01 12:00")
    goes_to(duty, "2026-11-30 23:00")
    duty.says(LAPSE)
    assert (item_of(duty).severity, due(duty), owner(duty)) == ("call_today", "Tue 10:00", "doc")


def test_at_night_with_nobody_on_call_it_is_paged_at_the_opening(duty: Duty) -> None:
    """Its owner and the lead have an e-mail at once; the ladder begins at 08:00."""
    duty.nobody_on_call()
    books(duty, "2026-12-01 09:00")
    goes_to(duty, "2026-11-30 23:00")
    duty.says(LAPSE)
    assert due(duty) == "Tue 08:00"
    assert [job.address for job in duty.mailed] == [DOC, "kim@clinic.test"]
    assert duty.rung(KIM) == 0
    goes_to(duty, "2026-12-01 08:00")
    assert paged(duty) == [DOC]


def test_a_visit_before_the_opening_rings_those_who_are_at_it(duty: Duty) -> None:
    """With nobody on call and a dose at 07:00, an hour before it the phones ring, night or not."""
    duty.nobody_on_call()
    books(duty, "2026-12-01 07:00")
    goes_to(duty, "2026-11-30 23:00")
    duty.says(LAPSE)
    assert due(duty) == "Tue 06:00"
    goes_to(duty, "2026-12-01 05:59")
    assert duty.rung(KIM) == 0
    goes_to(duty, "2026-12-01 06:00")
    duty.waits(minutes=15)
    assert duty.rung(KIM) == 1
    assert paged(duty) == [DOC]


def test_what_nobody_has_taken_is_paged_while_somebody_is_there(duty: Duty) -> None:
    """Due yesterday at noon and not taken: with an hour of work left before the dose it pages."""
    duty.nobody_on_call()
    books(duty, "2026-12-01 07:00")
    duty.says(LAPSE)
    assert item_of(duty).severity == "call_today"
    goes_to(duty, "2026-11-30 15:59")
    assert item_of(duty).severity == "call_today"
    goes_to(duty, "2026-11-30 16:01")
    assert item_of(duty).severity == "page_now"


def test_a_dose_that_is_booked_later_makes_the_item_a_clinicians(duty: Duty) -> None:
    """A coordinator had it; the doctor has it from the minute in which the dose is known."""
    duty.says(LAPSE)
    services, item_id = duty.world.services, item_of(duty).id
    desk = actions.actor_by_email(services, DESK, item_id)
    actions.take(services, item_id, actor=desk)
    books(duty, "2026-12-01 09:00")
    duty.rounds()
    item = item_of(duty)
    assert (item.status, owner(duty), item.dose_at) == ("open", "doc", at("2026-12-01 09:00"))
    duty.world.execute("UPDATE appointment SET status = 'cancelled'")
    duty.rounds()
    assert item_of(duty).dose_at is None


def test_a_clinician_who_is_away_is_passed_over(duty: Duty) -> None:
    """Another has it; with none there it is everybody's, and the ladder runs as ever."""
    today = duty.world.now.date()
    staff_step.away(duty.world.services, email=DOC, first=today, last=today, actor="t")
    books(duty, "2026-11-30 14:00")
    duty.says(LAPSE)
    assert item_of(duty).owner_id is None
    second = duty.staff("second@clinic.test", "clinician")
    duty.rounds()
    assert item_of(duty).owner_id == second


def test_a_patient_in_the_waiting_room_counts_as_before_the_dose(duty: Duty) -> None:
    """Ten minutes after the planned start, with no dose recorded, it pages at once."""
    books(duty, "2026-11-30 09:50")
    duty.world.execute("UPDATE appointment SET status = 'arrived'")
    duty.says(LAPSE)
    assert item_of(duty).severity == "page_now"
    duty.world.execute("UPDATE follow_up SET status = 'resolved'")
    duty.world.execute("UPDATE appointment SET dose = 'given'")
    duty.says(LAPSE)
    assert duty.talk.rows(FollowUp)[-1].severity == "call_today"
