"""Texts that do not go, for whatever reason, are told to the clinic and to the operators."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from cli import checks
from messages.gateways.fake import unreachable
from records import outages
from records.outages import Outage
from records.pages import Page
from tests.support.world import World
from tests.worker.desk import NEW_YORK
from tests.worker.duty import KIM, Duty
from worker import dispatch, reasons
from worker.steps import clinics


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """A clinic on a Monday morning, without operators of its own."""
    with Duty(world=world) as made:
        yield made


def down(duty: Duty) -> Outage | None:
    world = duty.world
    with world.database.transaction() as session:
        found = outages.of_clinic(session, world.clinic_id, now=world.now)
    return found.why if found else None


def told(duty: Duty) -> list[str | None]:
    """Return what the operators were paged about, in order."""
    return [row.subject for row in duty.talk.rows(Page) if row.kind == "operators"]


def test_while_texts_go_nothing_is_said(duty: Duty) -> None:
    """Also with a text that waits for its hour, and one that the carrier refuses for good."""
    duty.world.due(1)
    duty.world.due(1, next_at=duty.world.now + timedelta(hours=3))
    duty.world.send()
    duty.rounds()
    assert down(duty) is None
    assert told(duty) == []


def test_an_open_breaker_is_told_once(duty: Duty) -> None:
    """The lead hears of it where the house has no operators."""
    duty.world.execute("UPDATE sender SET breaker_opened_at = :now", now=duty.world.now)
    duty.rounds()
    duty.rounds()
    assert down(duty) is Outage.BREAKER
    assert told(duty) == ["breaker"]
    assert "NOT going out" in duty.texted(KIM)[0]


def test_a_carrier_that_takes_nothing_is_told_after_five_minutes(duty: Duty) -> None:
    """No answer opens no breaker; the first text that goes through ends it."""
    world = duty.world
    [message_id] = world.due(1)
    world.gateway.script(unreachable(), unreachable())
    world.send()
    duty.rounds()
    assert down(duty) is None
    world.advance(minutes=5)
    world.send()
    duty.rounds()
    duty.rounds()
    assert down(duty) is Outage.FAILING
    assert told(duty) == ["failing"]
    world.advance(minutes=5)
    world.send()
    assert world.message(message_id).status == "accepted"
    assert down(duty) is None


def test_one_call_without_an_answer_is_no_outage(duty: Duty) -> None:
    """Nothing waits for the carrier any more, so that nobody can say it does not work."""
    world = duty.world
    [message_id] = world.due(1)
    world.gateway.script(unreachable())
    world.send()
    world.execute("UPDATE message SET status = 'cancelled' WHERE id = :id", id=message_id)
    world.advance(hours=1)
    assert down(duty) is None


def test_texts_that_fail_one_and_all_are_told(duty: Duty) -> None:
    """Five of them within the hour, and none that arrived since: a carrier that filters us."""
    world = duty.world
    world.due(6)
    world.send()
    sql = (
        "UPDATE message SET status = 'undelivered', final_at = :now"
        " WHERE id IN (SELECT id FROM message WHERE status = 'accepted' LIMIT :count)"
    )
    world.execute(sql, now=world.now, count=4)
    assert down(duty) is None
    world.execute(sql, now=world.now, count=1)
    duty.rounds()
    assert down(duty) is Outage.NOT_ARRIVING
    assert told(duty) == ["not_arriving"]
    [arrived] = world.execute("SELECT id FROM message WHERE status = 'accepted'")
    with world.database.transaction() as session:
        outages.arrives(session, arrived.id, now=world.now)
    assert down(duty) is None


def test_texts_that_nobody_takes_up_are_late(duty: Duty) -> None:
    """Older than the budget, though ticks come: it rings no phone, and is told once an hour."""
    world = duty.world
    world.due(1)
    world.advance(minutes=11)
    duty.rounds()
    world.advance(minutes=1)
    duty.rounds()
    assert down(duty) is Outage.LATE
    assert told(duty) == ["late"]
    assert duty.rung(KIM) == 0


def test_a_house_without_a_worker_says_so_and_what_was_missed_afterwards(duty: Duty) -> None:
    """The console runs on: no tick for two minutes. Once ticks come again, the list stays."""
    world = duty.world
    dispatch.find_work(world.services, by_beat=False)
    assert down(duty) is None
    world.execute("UPDATE progress SET at = clock_timestamp() - interval '4 hours'")
    assert down(duty) is Outage.STOPPED
    dispatch.find_work(world.services, by_beat=False)
    assert down(duty) is Outage.RESUMED
    duty.rounds()
    duty.rounds()
    assert told(duty) == ["resumed"]
    assert duty.rung(KIM) == 0
    with world.database.transaction() as session:
        found = outages.of_clinic(session, world.clinic_id, now=world.now)
    assert found is not None
    assert found.until is not None
    assert round((found.until - found.since).total_seconds(), -2) == 4 * 3600
    assert "It was from Nov 30 " in reasons.of_outage(found, NEW_YORK)
    world.execute(
        "UPDATE progress SET at = clock_timestamp() - interval '13 hours' WHERE name = :name",
        name=outages.RESUMED_AT,
    )
    assert down(duty) is None


def test_a_pause_by_staff_is_shown_and_pages_nobody(duty: Duty) -> None:
    """Whoever paused texts knows; the colleague at the next desk may not."""
    world = duty.world
    world.due(1)
    world.execute("UPDATE clinic SET paused_at = :now", now=world.now)
    world.advance(hours=1)
    duty.rounds()
    assert down(duty) is Outage.PAUSED
    assert told(duty) == []


def paused_for_an_hour(duty: Duty) -> None:
    """Have two texts due, and a pause that ends in an hour."""
    world = duty.world
    clinics.pause(
        world.services, world.clinic_id, actor="desk", until=world.now + timedelta(hours=1)
    )
    world.due(2)


def doctor_says_paused(world: World) -> bool:
    return any("paused" in each.message for each in checks.senders(world.database, world.settings))


def test_a_pause_with_an_end_is_over_by_then(duty: Duty) -> None:
    """Texts go again, and neither the console nor doctor says otherwise."""
    world = duty.world
    paused_for_an_hour(duty)
    world.advance(minutes=59)
    assert (down(duty), doctor_says_paused(world)) == (Outage.PAUSED, True)
    world.advance(minutes=1)
    assert (down(duty), doctor_says_paused(world)) == (None, False)
    world.send()
    assert world.statuses() == {"accepted": 2}


def test_texts_that_stay_after_a_pause_has_ended_are_late(duty: Duty) -> None:
    """Ten minutes after its end, from when on they were free to go; the operators are told."""
    world = duty.world
    paused_for_an_hour(duty)
    world.advance(hours=1, minutes=9)
    duty.rounds()
    assert told(duty) == []
    world.advance(minutes=1)
    duty.rounds()
    assert told(duty) == ["late"]
    with world.database.transaction() as session:
        found = outages.of_clinic(session, world.clinic_id, now=world.now)
    assert found is not None
    assert found.since == world.now - timedelta(minutes=10)


def test_every_outage_has_words_for_staff() -> None:
    """A code is no sentence."""
    assert set(reasons.OUTAGES) == set(Outage)
