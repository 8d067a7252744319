"""Answers to danger: they go by a step of their own, and wait for no other text."""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from messages.gateway import CarrierText
from messages.gateways.fake import FakeGateway, unreachable
from records import senders
from records.base import new_id
from tests.support.processes import wait_until
from tests.support.world import World
from worker import dispatch
from worker.carrier import Carrier
from worker.steps import outcomes, send


class SlowList(FakeGateway):
    """A carrier that takes texts at once, and whose list is not there until it is let go."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock=clock)
        self.asked, self.let_go = threading.Event(), asyncio.Event()

    async def find(self, *, to: str, limit: int = 50) -> list[CarrierText]:
        """Keep whoever asks waiting."""
        self.asked.set()
        await self.let_go.wait()
        return await super().find(to=to, limit=limit)


def test_a_safety_reply_waits_for_no_look_at_the_carriers_list(world: World) -> None:
    """Overdue texts are looked for before they go; an answer to danger is not claimed with them.

    The ordinary step, which a tick may start first, leaves it to the step of its own.
    """
    gateway = SlowList(world.clock.now)
    carrier = Carrier(
        lambda: gateway, in_flight=8, write=lambda posted: outcomes.write(world.services, posted)
    )
    [overdue] = world.due(due_at=world.now - timedelta(minutes=11))
    reply = world.safety_reply("+12125550133")
    sending_all = threading.Thread(target=send.run, args=(world.services, carrier, world.sender_id))
    sending_all.start()
    assert gateway.asked.wait(10)
    send.run_safety(world.services, carrier, world.sender_id)
    wait_until(lambda: world.message(reply).status == "accepted")
    assert world.message(overdue).status == "claimed"
    carrier.call(_let_go(gateway.let_go))
    sending_all.join(20)
    carrier.close()
    assert world.message(overdue).status == "accepted"


async def _let_go(held: asyncio.Event) -> None:
    held.set()


def test_a_safety_reply_waits_for_nobody_who_holds_the_sender(world: World) -> None:
    """A claim of other texts locks the sender's row; a worker that froze amid it keeps the lock."""
    reply = world.safety_reply("+12125550133")
    with world.database.transaction() as session:
        assert senders.lock(session, world.sender_id, now=world.now) is not None
        send.run_safety(world.services, world.carrier, world.sender_id)
        assert world.carrier.drain(10)
        assert world.message(reply).status == "accepted"


def test_a_safety_reply_waits_for_no_slot_and_is_posted_as_urgent(world: World) -> None:
    """All requests are under way at a slow carrier: it takes none of theirs, nor a connection."""
    world.carrier.reserve(64)
    world.safety_reply("+12125550133")
    send.run_safety(world.services, world.carrier, world.sender_id)
    assert world.carrier.drain(10)
    world.carrier.release(64)
    world.due()
    world.send()
    assert [text.urgent for text in world.gateway.calls] == [True, False]


def test_a_safety_reply_that_did_not_get_through_is_tried_within_seconds(world: World) -> None:
    """Nothing was created, and somebody in danger waits: other texts have more patience."""
    reply = world.safety_reply("+12125550133")
    world.gateway.script(*[unreachable("connect_timeout")] * 7)
    waits = []
    for _ in range(7):
        world.send()
        waits.append((world.message(reply).next_at - world.now).total_seconds())
        world.advance(seconds=waits[-1])
    assert waits == [1, 2, 5, 15, 60, 60, 60]
    world.send()
    assert world.message(reply).status == "accepted"


def test_a_safety_reply_for_a_retired_sender_goes_at_once_from_the_present_one(
    world: World,
) -> None:
    """The number changed while the text was read: nobody may answer from the old one any more."""
    reply, present = world.safety_reply("+12125550133"), new_id()
    world.execute("UPDATE sender SET retired_at = :now", now=world.now)
    world.execute(
        "INSERT INTO sender (id, clinic_id, from_number, segments_per_second)"
        " VALUES (:id, :clinic, '+12125550111', 1)",
        id=present,
        clinic=world.clinic_id,
    )
    work = dispatch.find_work(world.services, by_beat=True)
    assert ("safety", str(world.sender_id)) in work
    send.run_safety(world.services, world.carrier, world.sender_id)
    assert world.carrier.drain(10)
    message = world.message(reply)
    assert (message.status, message.sender_id) == ("accepted", present)
    assert [text.from_number for text in world.gateway.calls] == ["+12125550111"]


def test_a_process_told_to_end_leaves_safety_replies_to_others(world: World) -> None:
    """It claims none anew, and so does not go round and round with one that it may not post."""
    reply = world.safety_reply("+12125550133")
    world.carrier.take_no_more()
    step = threading.Thread(
        target=send.run_safety, args=(world.services, world.carrier, world.sender_id), daemon=True
    )
    step.start()
    step.join(10)
    assert not step.is_alive()
    assert world.message(reply).status == "planned"
