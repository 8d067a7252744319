"""Texts of many webhooks in one transaction: each handler is told what became of its own."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from messages.gateways.twilio import parse_inbound
from records.base import DBAPIError
from records.clinics import Clinic
from tests.web.house import NOW, House, inbound_form
from web.groupcommit import GroupCommit
from worker.steps import receive
from worker.steps.receive import Arrived


def _arrived(number: int, **more: str) -> Arrived:
    form = inbound_form(sid=f"SM{number:032}", From=f"+1212555{100 + number % 100:04}", **more)
    return Arrived(text=parse_inbound(form), received_at=NOW)


def test_many_texts_share_one_transaction(house: House, clinic: Clinic) -> None:
    """What waits together is committed together, and each handler is told of its own."""
    store = partial(receive.store_many, house.services, source="push")
    commits = GroupCommit(store, name="texts", threads=2)
    texts = [*map(_arrived, range(60)), _arrived(5)]

    async def run() -> list[Any]:
        waiting = [asyncio.create_task(commits.store(each)) for each in texts]
        await asyncio.sleep(0)
        commits.start()
        return await asyncio.gather(*waiting)

    found = asyncio.run(run())
    commits.stop()

    assert house.rows("SELECT count(*), count(DISTINCT xmin::text) FROM inbound") == [(60, 1)]
    sids = dict(house.rows("SELECT id, sid FROM inbound"))
    assert [sids.get(each.id) for each in found] == [*[each.sid for each in texts[:60]], None]
    assert house.nudged == ["replies"]


def test_bad_text_does_not_take_its_group_along(house: House, clinic: Clinic) -> None:
    """The handler of what can't be stored hears of it; the others' texts are there."""
    commits = GroupCommit(partial(receive.store_many, house.services, source="push"), name="texts")
    good = [_arrived(number) for number in range(5)]
    bad = Arrived(text=replace(_arrived(9).text, sid="SM\0"), received_at=NOW)

    async def run() -> list[Any]:
        waiting = [asyncio.create_task(commits.store(each)) for each in (*good, bad)]
        await asyncio.sleep(0)
        commits.start()
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(run())
    commits.stop()

    assert [each.duplicate for each in outcomes[:5]] == [False] * 5
    assert isinstance(outcomes[5], DBAPIError)
    assert house.count("inbound", "reading_error IS NULL") == 5


def test_group_that_waits_does_not_hold_up_the_next() -> None:
    """With two threads, one group may wait for a lock while the others are committed."""
    on, told = threading.Event(), list[str]()

    def store(group: Sequence[str]) -> list[str]:
        if "slow" in group:
            assert on.wait(10)
        return [each.upper() for each in group]

    async def run() -> None:
        slow = asyncio.create_task(commits.store("slow"))
        await asyncio.sleep(0.05)
        told.extend([await commits.store("one"), await commits.store("two")])
        assert not slow.done()
        on.set()
        told.append(await slow)

    commits = GroupCommit(store, name="texts", threads=2)
    commits.start()
    asyncio.run(run())
    commits.stop()

    assert told == ["ONE", "TWO", "SLOW"]


def test_what_waits_at_the_end_is_committed(house: House, clinic: Clinic) -> None:
    """A process that is told to go first stores what it took."""
    store = partial(receive.store_many, house.services, source="push")
    commits = GroupCommit(store, name="texts", threads=2)

    async def run() -> None:
        waiting = [asyncio.create_task(commits.store(_arrived(each))) for each in range(20)]
        await asyncio.sleep(0)
        commits.start()
        await asyncio.to_thread(commits.stop)
        await asyncio.gather(*waiting)

    asyncio.run(run())

    assert house.count("inbound") == 20
