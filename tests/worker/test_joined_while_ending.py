"""A text joins an item that ends by itself, at that very instant or unread before it: it is read.

Two real sessions of PostgreSQL, in either order of their commits.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text

from records.followups import FollowUp
from records.inbox import Inbound
from schedules.facts import VisitStatus
from tests.support.databases import OwnDatabase
from tests.support.processes import wait_until
from tests.support.services import Services as Servers
from tests.support.world import World
from tests.worker.desk import HEADER, Desk
from worker.steps import events, replies, staff, visits
from worker.steps import followup_actions as actions
from worker.steps.staff import Role

SAM = "sam@clinic.test"


@pytest.fixture
def desk(world: World) -> Desk:
    """A patient who asked for another time of their visit in a week, which staff were told."""
    made = Desk(world)
    made.admits()
    made.imports("2026-12-10T10:00")
    made.waits_until("2026-12-03 10:00")
    made.says("R")
    assert made.calls() == ["change_requested"]
    return made


@pytest.fixture
def waiting(servers: Servers, database: OwnDatabase) -> Iterator[Callable[[int], None]]:
    """What waits until so many sessions wait for a lock."""
    asked = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    with psycopg.connect(servers.dsn(), autocommit=True) as watcher:

        def wait(most: int) -> None:
            def fact() -> bool:
                return len(watcher.execute(asked, (database.name,)).fetchall()) == most

            wait_until(fact, 10)

        yield wait


@contextmanager
def _beside(run: Callable[[], object]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=run)
    try:
        yield thread
    finally:
        thread.join(20)
        assert not thread.is_alive()


def _stands(desk: Desk) -> None:
    """Record that the visit stands, which ends the item about another time."""
    visit_id = desk.visit().id
    events.record_event(desk.world.services, visit_id, VisitStatus.BOOKED, actor="desk")


def _last_text(desk: Desk) -> tuple[str, FollowUp]:
    """Return the status of the item that holds the last text, and the item."""
    found: Inbound = desk.rows(Inbound)[-1]
    assert found.handled_at is not None
    [item] = [row for row in desk.rows(FollowUp) if row.id == found.follow_up_id]
    return item.status, item


def test_a_text_that_joined_just_before_its_item_would_end_keeps_it_open(
    desk: Desk, waiting: Callable[[int], None]
) -> None:
    """Whoever would end it waits for the text to be in it, and then leaves the item."""
    reached, on = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if name == "replies.before_commit":
            reached.set()
            assert on.wait(10)

    desk.receive("C")
    joining = replace(desk.world.services, crashpoint=hold)
    with _beside(lambda: replies.run(joining)) as join, _beside(lambda: _stands(desk)) as end:
        join.start()
        assert reached.wait(10)
        end.start()
        waiting(1)
        on.set()
    status, item = _last_text(desk)
    assert (status, item.times_joined) == ("open", 1)


def test_a_text_that_comes_just_after_its_item_ended_opens_another(
    desk: Desk, waiting: Callable[[int], None]
) -> None:
    """It waits for whoever ends the item, and finds none open."""
    desk.receive("C")
    services = desk.world.services
    with (
        _beside(lambda: _stands(desk)) as end,
        _beside(lambda: replies.run(services)) as join,
        services.database.transaction() as session,
    ):
        # What the ending does last is to write into the clinic's trail.
        turn = "SELECT pg_advisory_xact_lock(hashtext('aftercare.audit'), hashtext(:clinic))"
        session.execute(text(turn), {"clinic": str(desk.world.clinic_id)})
        end.start()
        waiting(1)
        join.start()
        waiting(2)
    assert [row.status for row in desk.rows(FollowUp)] == ["resolved", "open"]
    assert _last_text(desk)[0] == "open"


def _sam_takes(desk: Desk) -> None:
    services = desk.world.services
    [item] = [row for row in desk.rows(FollowUp) if row.reason == "change_requested"]
    actions.take(services, item.id, actor=actions.actor_by_email(services, SAM, item.id))


@pytest.mark.parametrize("read", [True, False])
def test_a_text_that_joined_before_its_item_was_taken_was_read(desk: Desk, read: bool) -> None:
    """So that staff who record what they agreed end it; what joined later, they have not seen."""
    services = desk.world.services
    staff.add(
        services,
        desk.world.clinic_id,
        email=SAM,
        role=Role.COORDINATOR,
        password="a long enough one",
        actor="test",
    )
    if not read:
        _sam_takes(desk)
    desk.goes_on(minutes=1)
    desk.says("C")
    desk.goes_on(minutes=1)
    if read:
        _sam_takes(desk)
    desk.records(VisitStatus.BOOKED)
    assert _last_text(desk)[0] == ("resolved" if read else "acknowledged")


@pytest.mark.parametrize("answers", [True, False])
def test_a_text_that_joined_an_undelivered_text_outlasts_its_visit(
    world: World, answers: bool
) -> None:
    """The call for an instruction ends with the visit, unless the patient wrote into it."""
    desk = Desk(world)
    desk.admits()
    desk.switches_on("dosing-at-home")
    gates = '{"home-dosing": "Dr. Lee, 2026-11-02"}'
    world.execute(
        "UPDATE clinic SET settings = jsonb_set(settings, '{gates}', CAST(:gates AS jsonb))",
        gates=gates,
    )
    visit = "A1,P0,dosing,lozenge,2026-12-02T11:00,2026-12-02T13:00,booked,,,home"
    table = f"{HEADER},setting\n{visit}"
    visits.import_appointments(world.services, table.encode(), actor="desk")
    desk.goes_on()
    desk.waits_until("2026-12-02 09:50")
    desk.arrives = False
    desk.waits_until("2026-12-02 10:48")
    assert "not_ready" in desk.calls()
    if answers:
        desk.says("N")
    desk.records(VisitStatus.CANCELLED)
    assert ("not_ready" in desk.calls()) is answers
    if answers:
        assert _last_text(desk)[1].times_joined == 1
