"""Complaints of other systems' users that only the whole plan step can answer."""

from datetime import timedelta

import pytest

from records.patients import Patient
from tests.support.world import World
from tests.worker.desk import Desk
from worker import preview


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, P0, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    return made


def test_one_patient_without_a_usable_record_costs_nobody_else_a_reminder(desk: Desk) -> None:
    """Elsewhere a patient without a phone ended the loop, and all after them got nothing."""
    world = desk.world
    broken, whole = (world.enroll_by_hand() for _ in range(2))
    world.execute("UPDATE enrollment SET anchor_day = '0001-01-01' WHERE patient_id = :who",
                  who=broken)  # fmt: skip
    world.plan()
    assert {text.patient_id for text in world.texts()} >= {whole}


def test_nothing_lies_at_the_carrier_before_it_is_due(desk: Desk) -> None:
    """What a carrier was given ahead could not be called back reliably."""
    desk.imports("2026-12-10T10:00")
    assert desk.world.statuses()["planned"] >= 3
    assert desk.world.gateway.calls == []


def test_a_pause_that_ends_replays_nothing(desk: Desk) -> None:
    """Elsewhere the missed ones came at once when a schedule was resumed."""
    who = desk.world.enroll_by_hand()
    desk.world.execute(
        "UPDATE patient SET paused_until = :until WHERE id = :who",
        until=desk.world.now + timedelta(days=3),
        who=who,
    )
    desk.goes_on(days=3, hours=1)
    assert desk.read() == []
    desk.goes_on(hours=7)
    assert desk.read() == ["daily_0_10"]


def test_all_texts_of_a_visit_are_seen_beforehand_with_the_reason_of_each_skip(desk: Desk) -> None:
    """Nobody could say which messages were planned for a booking, or why one was not."""
    desk.imports("2026-12-03T10:00")
    with desk.world.database.transaction() as session:
        [person] = session.query(Patient).all()
    shown = preview.preview(desk.world.services, person.id, at=desk.world.now, days=7).texts
    steps = {text.step: text.why for text in shown}
    assert {"visit_48h", "visit_24h_prep", "visit_2h_ride"} <= steps.keys()
    assert all(text.body or text.problem for text in shown if text.status == "planned")


def test_a_switched_on_protocol_reaches_visits_that_were_booked_before(desk: Desk) -> None:
    """Elsewhere only bookings made after the switch were reminded."""
    desk.imports("2026-12-10T10:00", kind="assessment", route="")
    assert desk.why("assess_48h") == [("planned", None)]
