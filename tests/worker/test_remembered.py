"""What a plan reads of a patient's past, on a real database: not what is long over."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from records import appointments, enrollments
from records.base import new_id
from records.enrollments import Enrollment
from schedules.over import is_over
from tests.support.world import World
from worker import facts, remembered

LONG_AGO = timedelta(days=300)
INSTANTS = (
    *("starts_at", "booked_at", "ends_at", "moved_at", "cancelled_at", "announced_at"),
    *("arrived_at", "checked_out_at", "no_show_at"),
)


@pytest.fixture
def past(world: World) -> tuple[World, UUID]:
    """A patient with a visit of 300 days ago, whose other protocol waits to be planned."""
    world.publish_protocols()
    visit_id, patient_id = world.book(starts_in=timedelta(days=1))
    world.execute(
        "UPDATE appointment SET (booked_at, starts_at, ends_at, announced_at) ="
        " (booked_at - :ago, starts_at - :ago, ends_at - :ago, announced_at - :ago)",
        ago=LONG_AGO,
    )
    world.execute(
        "UPDATE enrollment SET created_at = created_at - :ago, plan_requested_at = NULL,"
        " next_roll_at = NULL",
        ago=LONG_AGO,
    )
    with world.database.transaction() as session:
        asked = {"clinic_id": world.clinic_id, "patient_id": patient_id}
        enrollments.begin(session, [{**asked, "protocol": "daily-check-in"}])
    return world, visit_id


def _read(world: World) -> list[Enrollment]:
    with world.database.transaction() as session:
        people = enrollments.lock_due(session, now=world.now, limit=10)
        place = facts.clinic_context(session, world.clinic_id)
        published = {world.clinic_id: place.protocols}
        return remembered.enrolled(session, people, published, now=world.now)


def _names(world: World) -> set[str]:
    return {row.protocol for row in _read(world)}


def test_a_visit_long_over_is_not_read_again(past: tuple[World, UUID]) -> None:
    """After a year there are a hundred of them, and nothing of them is planned."""
    world, _ = past
    assert _names(world) == {"daily-check-in"}


@pytest.mark.parametrize("instant", INSTANTS)
def test_whatever_becomes_known_of_a_visit_brings_it_back(
    past: tuple[World, UUID], instant: str
) -> None:
    """Late news of an old visit is planned by as if it were a new one."""
    world, _ = past
    world.execute(f"UPDATE appointment SET {instant} = :now", now=world.now)
    assert _names(world) == {"daily-check-in", "dosing-visit"}


def test_what_is_read_is_what_the_planner_does_not_call_over(past: tuple[World, UUID]) -> None:
    """One rule in two places: the planner's own, and the statement's."""
    world, visit_id = past
    with world.database.transaction() as session:
        protocol, _ = facts.clinic_context(session, world.clinic_id).protocols["dosing-visit"]
    told: dict[int, tuple[bool, bool]] = {}
    for ago in range(0, 90, 3):
        starts_at = world.now - timedelta(days=ago)
        _begin(world, visit_id, starts_at)
        with world.database.transaction() as session:
            visit = appointments.by_id(session, visit_id)
        over = is_over(visit, protocol, enrolled_at=starts_at - timedelta(days=5), now=world.now)
        told[ago] = ("dosing-visit" in _names(world), not over)
    assert all(read is stands for read, stands in told.values()), told
    assert {read for read, _ in told.values()} == {True, False}


def _begin(world: World, visit_id: UUID, starts_at: datetime) -> None:
    world.execute(
        "UPDATE appointment SET starts_at = :at, ends_at = :at WHERE id = :id",
        at=starts_at,
        id=visit_id,
    )


@pytest.mark.parametrize("column", ["plan_requested_at", "next_roll_at"])
def test_what_is_asked_for_by_name_is_read(past: tuple[World, UUID], column: str) -> None:
    """A mark, or a time to roll, is cleared by planning what bears it."""
    world, _ = past
    world.execute(f"UPDATE enrollment SET {column} = :now", now=world.now)
    assert _names(world) == {"daily-check-in", "dosing-visit"}


def test_what_staff_have_an_open_item_of_is_read(past: tuple[World, UUID]) -> None:
    """The plan ends an item that nothing wants any more."""
    world, visit_id = past
    world.execute(
        "INSERT INTO follow_up (id, clinic_id, patient_id, reason, severity, status, cause,"
        " source_kind, source_id, opened_at, due_at)"
        " SELECT :id, clinic_id, patient_id, 'no_dose', 'call_today', 'open', 'a', 'appointment',"
        " id, :now, :now FROM appointment WHERE id = :visit",
        id=new_id(),
        visit=visit_id,
        now=world.now,
    )
    assert _names(world) == {"daily-check-in", "dosing-visit"}
    world.execute("UPDATE follow_up SET status = 'resolved'")
    assert _names(world) == {"daily-check-in"}


def test_a_protocol_that_cannot_be_read_hides_nobody(past: tuple[World, UUID]) -> None:
    """Who follows it is told of when their plan fails; what is over by others is left out."""
    world, _ = past
    world.execute(
        "UPDATE protocol_version SET source = 'no: protocol', checksum = 'x'"
        " WHERE protocol = 'dosing-visit'"
    )
    assert _names(world) == {"daily-check-in", "dosing-visit"}
