"""What rests, and what goes on: PAUSE, staff who write, and a crisis, around a dose."""

import pytest

from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.desk import Desk, at
from tests.worker.duty import CRISIS
from worker.steps import staff_texts


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
