"""Another time that staff give a visit on the board: who is told, and what no file undoes."""

import pytest

from tests.support.world import World
from tests.worker.desk import Desk, at
from worker.refusal import RefusedError
from worker.steps import events


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, on Monday, November 30, at 10:00, and a dose on Monday."""
    made = Desk(world)
    made.admits()
    made.has_imported_before()
    made.imports("2026-12-07T08:00")
    return made


def _move(desk: Desk, to: str) -> None:
    visit = desk.visit()
    events.move_visit(
        desk.world.services, visit.id, at(to), actor="staff:kim", seen=visit.starts_at
    )
    desk.goes_on()


def test_a_visit_that_staff_move_is_told_and_instructed_anew(desk: Desk) -> None:
    """As one that a file moves: nothing of the old time goes any more."""
    _move(desk, "2026-12-09T08:00")
    assert "visit_moved" in desk.read()
    [moved] = [words for words in desk.words() if "moved to" in words]
    assert "Wed Dec 9 at 8 AM" in moved
    desk.says("C")
    assert desk.visit().confirmed_start == at("2026-12-09T08:00")
    desk.waits_until("2026-12-08 09:00")
    assert "tomorrow 8 AM. No food after 2 AM" in desk.words()[-1]
    assert "Monday" not in " ".join(desk.words()[-2:])


def test_the_wish_for_another_time_ends_with_the_move(desk: Desk) -> None:
    """Nobody has to call about it."""
    desk.says("R")
    desk.goes_on()
    assert "change_requested" in desk.calls()
    _move(desk, "2026-12-09T08:00")
    assert "change_requested" not in desk.calls()
    assert desk.visit().change_requested_at is None


def test_no_file_moves_back_what_staff_moved(desk: Desk) -> None:
    """Care rule 25: one that says something else again is a conflict, and staff's time stays."""
    _move(desk, "2026-12-09T08:00")
    desk.imports("2026-12-07T08:00")
    desk.imports("2026-12-07T08:00", dose_number=2)
    assert desk.visit().starts_at == at("2026-12-09T08:00")
    desk.imports("2026-12-10T08:00")
    assert desk.visit().starts_at == at("2026-12-09T08:00")
    # Once the file has staff's time, it may move the visit as ever.
    desk.imports("2026-12-09T08:00")
    desk.imports("2026-12-11T08:00")
    assert desk.visit().starts_at == at("2026-12-11T08:00")


def test_who_was_told_of_the_old_food_time_is_called_if_no_text_can_tell(desk: Desk) -> None:
    """Care rule 5, at nine in the evening before."""
    desk.waits_until("2026-12-06 21:00")
    assert "visit_24h_prep" in desk.read()
    _move(desk, "2026-12-09T08:00")
    assert desk.call_by("instruction_not_delivered") == "Mon 07 00:00"


def test_only_a_visit_ahead_is_moved(desk: Desk) -> None:
    """What took place, or fell through, is booked again first."""
    desk.imports("2026-12-07T08:00", status="cancelled")
    with pytest.raises(RefusedError, match="changed meanwhile"):
        _move(desk, "2026-12-09T08:00")
