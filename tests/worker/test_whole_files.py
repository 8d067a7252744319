"""Files that are whole for some days: what they leave out is cancelled (care rule 25)."""

from datetime import date, timedelta
from typing import Any

import pytest

from records import appointments
from records.appointments import Appointment
from schedules.facts import VisitStatus
from tests.support.world import World
from worker.intake.batches import ImportReport
from worker.intake.whole import Days, Whole
from worker.steps import events, visits

HEADER = "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location"
WEEK = Days(first=date(2026, 12, 7), last=date(2026, 12, 11))


@pytest.fixture
def house(world: World) -> World:
    """A clinic past its first import, with one patient and a visit on each day of a week."""
    world.publish_protocols()
    world.enroll_by_hand()
    world.execute("UPDATE clinic SET visits_imported_at = :now", now=world.now)
    _import(world, *range(7, 12), complete=None)
    world.plan()
    return world


def _row(day: int, status: str = "booked") -> str:
    starts = f"2026-12-{day:02}T09:00,2026-12-{day:02}T11:00"
    return f"A{day},P0,dosing,iv,{starts},{status},Suite 4"


def _import(
    world: World, *days: int, complete: Days | None = WEEK, more: str = "", **options: Any
) -> ImportReport:
    content = "\n".join([HEADER, *map(_row, days)]) + "\n" + more
    return visits.import_appointments(
        world.services, content.encode(), actor="test", complete=complete, **options
    )


def _whole(report: ImportReport) -> Whole:
    assert report.whole is not None
    return report.whole


def _missing(report: ImportReport) -> list[str]:
    return [visit.external_id for visit in _whole(report).missing]


def _cancel(world: World, report: ImportReport, **options: Any) -> int:
    return visits.cancel_missing(world.services, _whole(report).missing, actor="test", **options)


def _visit(world: World, name: str) -> Appointment:
    with world.database.transaction() as session:
        [found] = appointments.find(session, name)
        return found


def _news(world: World) -> list[str]:
    world.plan()
    return [one.template for one in world.texts() if one.template == "visit_cancelled"]


def test_what_a_whole_file_leaves_out_is_listed_and_not_yet_cancelled(house: World) -> None:
    """Staff say yes first."""
    report = _import(house, 7, 8, 9, 10)
    assert (_missing(report), _whole(report).known) == (["A11"], 5)
    assert _visit(house, "A11").status == "booked"
    assert not _whole(report).is_large


def test_a_missing_visit_is_cancelled_by_the_usual_way(house: World) -> None:
    """Its reminders end, its patient is told, and the event and the audit trail have it."""
    assert _cancel(house, _import(house, 7, 8, 9, 10)) == 1
    visit = _visit(house, "A11")
    assert (visit.status, visit.cancelled_at) == ("cancelled", house.now)
    assert _news(house) == ["visit_cancelled"]
    reminders = [
        one
        for one in house.texts()
        if one.appointment_id == visit.id and one.protocol == "dosing-visit"
    ]
    assert "planned" not in {one.status for one in reminders}
    assert house.execute("SELECT kind FROM appointment_event") == [("cancelled",)]
    actions = [row[0] for row in house.execute("SELECT action FROM audit_event")]
    assert "appointments.missing_cancelled" in actions


def test_a_quiet_cancellation_texts_nobody(house: World) -> None:
    """As with every other quiet import."""
    _cancel(house, _import(house, 7, 8, 9, 10), quiet=True)
    assert _visit(house, "A11").status == "cancelled"
    assert _news(house) == []


def test_a_visit_that_comes_back_is_booked_again(house: World) -> None:
    """The very row that was imported before is news once the file had left it out."""
    _cancel(house, _import(house, 7, 8, 9, 10))
    report = _import(house, 7, 8, 9, 10, 11)
    assert (report.changed, _missing(report)) == (1, [])
    assert _visit(house, "A11").status == "booked"


def test_only_those_days_are_whole(house: World) -> None:
    """Both ends included, by the clinic's calendar."""
    days = Days(first=date(2026, 12, 8), last=date(2026, 12, 9))
    assert _missing(_import(house, complete=days)) == ["A8", "A9"]


def test_what_has_begun_or_ended_is_not_missing(house: World) -> None:
    """Neither a visit of this morning, nor one that staff have recorded or cancelled."""
    events.record_event(house.services, _visit(house, "A9").id, VisitStatus.CANCELLED, actor="t")
    events.record_event(house.services, _visit(house, "A10").id, VisitStatus.ARRIVED, actor="t")
    house.advance(days=7)
    assert house.now > _visit(house, "A7").starts_at
    assert _missing(_import(house)) == ["A8", "A11"]


def test_a_visit_that_staff_moved_into_the_days_is_not_missing(house: World) -> None:
    """The record system still has it on another day, and said nothing about these."""
    _import(house, 21, complete=None)
    house.execute(
        "UPDATE appointment SET starts_at = starts_at - interval '12 days',"
        " ends_at = ends_at - interval '12 days' WHERE external_id = 'A21'"
    )
    assert _missing(_import(house, 7, 8, 9, 10, 11)) == []


def test_a_bad_row_is_not_a_missing_visit(house: World) -> None:
    """Its id can be read, whatever else is wrong with it."""
    bad = _row(11).replace("booked", "tentative")
    report = _import(house, 7, 8, 9, 10, more=bad)
    assert (report.bad, _missing(report), _whole(report).unread) == (1, [], ())


@pytest.mark.parametrize("bad", [_row(11)[3:], "A11,P0,dosing"])
def test_a_row_without_an_id_is_told(house: World, bad: str) -> None:
    """It may be any of the missing ones, so that nothing can be called missing for sure."""
    report = _import(house, 7, 8, 9, 10, more=bad)
    assert (_missing(report), _whole(report).unread) == (["A11"], (6,))


def test_a_dry_run_lists_and_cancels_nothing(house: World) -> None:
    """What would be asked is seen before."""
    report = _import(house, 7, 8, dry_run=True)
    assert (report.written, _missing(report)) == (False, ["A9", "A10", "A11"])


def test_a_large_drop_is_called_large(house: World) -> None:
    """More than a fifth: rather a file that was cut short than a clinic that closes."""
    assert not _whole(_import(house, 7, 8, 9, 10)).is_large
    assert _whole(_import(house, 7, 8, 9)).is_large


def test_what_changed_since_the_list_was_made_stays(house: World) -> None:
    """Somebody thinks for an hour before they say yes."""
    report = _import(house, 7, 8)
    events.record_event(house.services, _visit(house, "A9").id, VisitStatus.ARRIVED, actor="t")
    house.execute(
        "UPDATE appointment SET starts_at = :at WHERE external_id = 'A10'",
        at=_visit(house, "A10").starts_at + timedelta(hours=1),
    )
    assert _cancel(house, report) == 1
    assert {_visit(house, name).status for name in ("A9", "A10")} == {"arrived", "booked"}


def test_a_file_that_is_imported_twice_cancels_once(house: World) -> None:
    """The second time nothing is missing."""
    _cancel(house, _import(house, 7, 8, 9, 10))
    assert _missing(_import(house, 7, 8, 9, 10)) == []
