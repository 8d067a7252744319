"""A worker whose requests to the carrier stand still ends itself, and another takes over."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messages.gateway import OutboundText, SendOutcome
from messages.gateways.fake import FakeGateway
from tests.support.world import World
from worker.carrier import Carrier
from worker.process import WorkerProcess
from worker.steps import outcomes, send


class StuckGateway(FakeGateway):
    """A carrier whose client never gives the loop back, until it is let go."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.let_go = threading.Event()

    async def send(self, text: OutboundText, *, write_before: float) -> SendOutcome:
        """Stand still with the whole event loop, as a defect of a client would."""
        self.let_go.wait(20)
        return await super().send(text, write_before=write_before)


@pytest.fixture
def stuck(world: World) -> Iterator[tuple[World, Carrier, StuckGateway]]:
    """The world with a carrier that gets stuck on its first text."""
    gateway = StuckGateway(clock=world.clock.now)
    carrier = Carrier(
        lambda: gateway, in_flight=8, write=lambda posted: outcomes.write(world.services, posted)
    )
    yield world, carrier, gateway
    gateway.let_go.set()
    carrier.close()


def _process(world: World, carrier: Carrier, end: Callable[[int], object]) -> WorkerProcess:
    return WorkerProcess(world.services, carrier, end=end, stalled_seconds=0.2)


def test_a_process_whose_requests_stand_still_ends(
    stuck: tuple[World, Carrier, StuckGateway],
) -> None:
    """It can't be mended from within: its supervisor starts another."""
    world, carrier, gateway = stuck
    world.due()
    ended = threading.Event()
    process = _process(world, carrier, lambda _code: ended.set())
    send.run(world.services, carrier, world.sender_id)
    process.start()
    assert ended.wait(10)
    gateway.let_go.set()
    process.close()


def test_a_process_without_requests_goes_on(world: World) -> None:
    """An idle night is no standstill."""
    ended = threading.Event()
    process = _process(world, world.carrier, lambda _code: ended.set())
    process.start()
    assert not ended.wait(2.5)
    process.close()


def test_what_came_back_counts_as_movement(world: World) -> None:
    """After an answer nothing is under way any more."""
    world.due(3)
    world.send()
    assert world.carrier.stalled_for() == 0.0
