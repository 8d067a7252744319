"""The real plan step: nothing depends on the order in which news arrived, and twice is once."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records import patients
from tests.support.world import World, make_visits
from tests.worker.desk import Desk
from worker.steps import events, people, tailoring
from worker.steps.people import Reason

Happening = Callable[[Desk, str], None]


def _patient(desk: Desk, name: str) -> UUID:
    with desk.world.database.transaction() as session:
        [person] = patients.find(session, desk.world.vault, name)
        return person.id


def _moved(desk: Desk, name: str) -> None:
    desk.world.execute(
        "UPDATE appointment SET starts_at = :start, ends_at = :start + interval '2 hours',"
        " moved_at = :now, revision = revision + 1 WHERE patient_id = :who",
        start=desk.world.now + timedelta(days=9),
        now=desk.world.now,
        who=_patient(desk, name),
    )
    _marked(desk)


def _held(desk: Desk, name: str) -> None:
    people.hold(desk.world.services, _patient(desk, name), reason=Reason.HOSPITAL, actor="test")


def _elsewhere(desk: Desk, name: str) -> None:
    said = {"timezone": "Pacific/Honolulu"}
    tailoring.tailor(desk.world.services, _patient(desk, name), said, actor="test")


def _own_hour(desk: Desk, name: str) -> None:
    said = {"check_in_time": "11:15", "cadence": "daily_0_10: every 3 days"}
    tailoring.tailor(desk.world.services, _patient(desk, name), said, actor="test")


def _confirmed(desk: Desk, name: str) -> None:
    # Of the time to which it moves: a confirmation of another counts for nothing.
    desk.world.execute(
        "UPDATE appointment SET confirmed_start = :start WHERE patient_id = :who",
        start=desk.world.now + timedelta(days=9),
        who=_patient(desk, name),
    )
    _marked(desk)


def _marked(desk: Desk) -> None:
    desk.world.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")


HAPPENINGS: tuple[Happening, ...] = (_moved, _held, _elsewhere, _own_hour, _confirmed)


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with its protocols."""
    return Desk(world)


def _rows(desk: Desk, who: UUID) -> set[tuple[object, ...]]:
    return {
        (text.step, text.occurrence, text.round, text.status, text.due_at, text.template)
        for text in desk.world.texts()
        if text.patient_id == who and text.status in {"planned", "delivered"}
    }


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_two_patients_told_of_the_same_in_another_order_get_the_same_texts(
    desk: Desk, data: st.DataObject
) -> None:
    """A move, a hold, another zone, another hour, a confirmation; planned after each or at the end.

    And a second look at the same minute changes no row.
    """
    happen = data.draw(st.lists(st.sampled_from(HAPPENINGS), unique=True, max_size=4))
    other = data.draw(st.permutations(happen))
    pair = [desk.world.enroll_by_hand() for _ in range(2)]
    for who, order in zip(pair, (happen, other), strict=True):
        name = _named(desk, who)
        _book(desk, who)
        desk.world.plan()
        for happening in order:
            happening(desk, name)
            if data.draw(st.booleans()):
                desk.world.plan()
        desk.world.plan()
    assert _rows(desk, pair[0]) == _rows(desk, pair[1])
    before = desk.world.execute("SELECT count(*) FROM message_history")
    _marked(desk)
    desk.world.plan()
    assert desk.world.execute("SELECT count(*) FROM message_history") == before


def _named(desk: Desk, who: UUID) -> str:
    [row] = desk.world.execute("SELECT count(*) AS number FROM patient WHERE id < :who", who=who)
    return f"P{row.number}"


def _book(desk: Desk, who: UUID) -> None:
    """Give a patient a dosing visit in eight days, enrolled for it."""
    with desk.world.database.transaction() as session:
        [visit_id] = make_visits(
            session,
            desk.world.vault,
            desk.world.clinic_id,
            [who],
            desk.world.now + timedelta(days=8),
            label=f"D{who}-",
        )
    events.enroll_matching(desk.world.services, visit_id)
