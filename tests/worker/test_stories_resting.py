"""What rests, and what goes on: PAUSE, staff who write, and a crisis, around a dose."""

import pytest

from records import patients
from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.desk import Desk, at
from tests.worker.duty import CRISIS
from worker import resting
from worker.steps import staff_texts, tailoring, visits


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic and one patient with a dose on Thursday at ten; it is Monday."""
    made = Desk(world)
    made.admits()
    made.imports("2026-12-03T10:00")
    return made


def _doses(desk: Desk) -> None:
    desk.waits_until("2026-12-03 12:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)


def test_a_pause_leaves_the_checks_after_a_dose(desk: Desk) -> None:
    """PAUSE is about check-ins; whoever had a dose is asked that evening (care rule 20)."""
    desk.says("PAUSE")
    _doses(desk)
    desk.waits_until("2026-12-03 20:00")
    assert desk.read()[-1] == "after_evening"
    desk.says("0")
    desk.waits_until("2026-12-04 10:00")
    assert desk.read()[-1] == "after_morning"


def test_a_text_of_staff_leaves_the_checks_after_a_dose(desk: Desk) -> None:
    """ "See you at 9" must not cost anybody the question of the evening."""
    desk.waits_until("2026-12-03 09:00")
    patient = desk.patient().id
    staff_texts.write(desk.world.services, patient, "See you at 9", actor="desk")
    _doses(desk)
    desk.waits_until("2026-12-03 20:00")
    assert desk.read()[-1] == "after_evening"


def test_a_dose_in_an_open_crisis_is_a_call_for_staff(desk: Desk) -> None:
    """The questions rest until a clinician ends it, so a person asks, today, while staff are in."""
    desk.waits_until("2026-12-03 09:00")
    desk.says(CRISIS)
    _doses(desk)
    assert desk.why("after_evening") == [("skipped", "paused")]
    assert "check_not_delivered" in desk.calls()
    assert desk.call_by("check_not_delivered") == "Thu 03 14:00"
    desk.waits_until("2026-12-04 12:00")
    assert not {"after_evening", "after_morning"} & set(desk.read())


def test_a_crisis_that_the_planner_has_not_seen_holds_the_check_at_the_claim(desk: Desk) -> None:
    """Planner and claim agree: the text rests, and is a call in the next staffed hours."""
    _doses(desk)
    desk.waits_until("2026-12-03 16:30")
    desk.world.execute("UPDATE patient SET paused_until = now() + interval '36500 days'")
    desk.waits_until("2026-12-03 20:00")
    assert desk.why("after_evening") == [("skipped", "paused")]
    due = desk.item("check_not_delivered").due_at
    assert at("2026-12-03 16:30") < due <= at("2026-12-04 12:00")


def test_a_check_that_did_not_arrive_is_a_call(desk: Desk) -> None:
    """The carrier took the evening's question and nobody can say that it arrived."""
    _doses(desk)
    desk.arrives = False
    desk.waits_until("2026-12-03 20:00")
    assert "after_evening" in desk.read()
    assert "check_not_delivered" in desk.calls()


def test_in_an_open_crisis_nobody_is_told_that_they_were_missed(desk: Desk) -> None:
    """It would speak as if nothing had happened; a person phones about the visit all the same."""
    desk.switches_on("no-show-dosing")
    desk.imports("2026-12-03T10:00", status="cancelled", quiet=True)
    desk.imports("2026-12-01T10:00", first=2)
    desk.jumps_to("2026-12-01 10:00")
    desk.says(CRISIS)
    desk.records(VisitStatus.NO_SHOW, visit="A2")
    desk.waits_until("2026-12-01 11:00")
    assert desk.why("no_show") == [("skipped", "paused")]
    assert "visit_missed" in desk.calls()


def test_a_no_show_text_that_was_planned_before_the_crisis_is_held_at_the_claim(desk: Desk) -> None:
    """Planner and claim agree."""
    desk.switches_on("no-show-dosing")
    desk.imports("2026-12-01T10:00", first=2)
    desk.jumps_to("2026-12-01 10:00")
    desk.records(VisitStatus.NO_SHOW, visit="A2")
    desk.world.execute("UPDATE patient SET paused_until = now() + interval '36500 days'")
    desk.waits_until("2026-12-01 11:00")
    assert desk.why("no_show") == [("skipped", "paused")]


def test_in_an_open_crisis_nobody_is_invited_to_book_until_it_has_ended(desk: Desk) -> None:
    """After a dose and four weeks on; ended by a clinician, what is still useful goes."""
    desk.switches_on("integration-unbooked", "booster")
    desk.imports("2026-12-03T10:00")
    _doses(desk)
    visits.enroll(desk.world.services, desk.patient().id, "booster", actor="desk")
    desk.says(CRISIS)
    desk.waits_until("2026-12-04 10:00")
    assert desk.why("unbooked_20h") == [("skipped", "paused")]
    with desk.world.database.transaction() as session:
        resting.end_for_crisis(session, desk.patient().id, now=desk.world.now)
    desk.goes_on()
    assert desk.read()[-1] == "followup_unbooked"
    desk.jumps_to("2026-12-20 10:00")
    assert desk.due("plan_next") == ["Thu 31 11:00"]
    desk.says(CRISIS)
    desk.goes_on()
    assert desk.due("plan_next") == []
    desk.jumps_to("2026-12-31 11:00")
    assert "plan_next" not in desk.read()


def test_in_an_open_crisis_a_booked_dose_keeps_its_food_and_its_ride(desk: Desk) -> None:
    """Whether the dose is given is decided by people; until then fasting and driving matter."""
    desk.waits_until("2026-12-01 12:00")
    desk.says(CRISIS)
    desk.waits_until("2026-12-02 16:00")
    assert {"visit_24h_prep", "visit_eve_ride"} <= set(desk.read())


def test_staff_who_take_a_pause_back_do_not_end_a_crisis(desk: Desk) -> None:
    """Only a clinician does (care rule 10)."""
    desk.says(CRISIS)
    services, who = desk.world.services, desk.patient().id
    tailoring.tailor(services, who, {"pause_until": "2026-12-10"}, actor="desk")
    tailoring.tailor(services, who, {"pause_until": ""}, actor="desk")
    assert patients.in_crisis(desk.patient().paused_until, desk.world.now)
    assert patients.own_pause(desk.patient(), desk.world.now) is None
