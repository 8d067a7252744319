"""Clocks that jump or differ: nothing goes twice, nothing early, nothing is ended that is not over.

The database's clock is the one that all share; a worker whose own differs from it by more than a
minute holds until the two agree again.
"""

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from messages.gateways.fake import FakeGateway, lose_answer
from records.base import Database
from tests.support.mortal import Ledger, MortalWorker
from tests.support.processes import wait_until
from tests.support.world import World
from worker.carrier import Carrier
from worker.process import WorkerProcess
from worker.steps import outcomes

_OF_A_TICK = ("plan", "check_ins", "follow_ups", "visits", "sweep", "unknown", "send", "receipts")
_SKEW = timedelta(seconds=5)


def _jump(world: World, hours: float) -> None:
    """Let the machine's clock jump: what is simulated on purpose is in the setting, this is not."""
    world.clock.at += timedelta(hours=hours)


def _tick(world: World, process: WorkerProcess) -> None:
    for step in _OF_A_TICK:
        process.run(step, *((str(world.sender_id),) if step == "send" else ()))
    assert world.carrier.drain(20)


def _looks_are_due(world: World) -> None:
    world.execute("UPDATE attempt SET next_look_at = now() - interval '1 s'")
    world.execute("UPDATE message SET lease_until = now() - interval '1 s'")


@pytest.mark.parametrize("hours", [7, -7])
def test_while_the_clock_is_wrong_nothing_goes_and_nothing_ends(world: World, hours: int) -> None:
    """Every step that judges by it holds; once it is right again all goes on."""
    process = WorkerProcess(world.services, world.carrier)
    world.gateway.script(lose_answer(creates=False))
    [doubtful] = world.due()
    world.send()
    waiting = world.due(3, due_at=world.now - timedelta(minutes=1))
    before = world.statuses()
    _jump(world, hours)
    with capture_logs() as told:
        for _ in range(3):
            _looks_are_due(world)
            _tick(world, process)
    held = Counter(line.get("step") for line in told if line["event"] == "clocks_differ_step_holds")
    assert set(held) == set(_OF_A_TICK) - {"send", "receipts"}
    assert world.statuses() == before
    assert len(world.gateway.calls) == 1

    _jump(world, -hours)
    for _ in range(4):
        _looks_are_due(world)
        _tick(world, process)
        world.advance(seconds=6)
    assert world.statuses() == {"accepted": 4}
    assert len(world.gateway.created()) == len({doubtful, *waiting})


@pytest.mark.parametrize("hours", [7, -7])
@pytest.mark.parametrize("point", ["claim.after_commit", "send.after_intent", "send.after_connect"])
def test_a_clock_that_jumps_amid_sending(world: World, point: str, hours: int) -> None:
    """What was intended goes by the monotonic clock; what was only claimed waits; none is lost."""
    ledger = Ledger(world.gateway)
    worker = MortalWorker(world, ledger, "w0")
    process = WorkerProcess(world.services, world.carrier)
    ids = world.due(3)
    worker.start("send", stop_at=point)
    assert worker.stopped_at == point
    _jump(world, hours)
    worker.resume()
    assert worker.carrier.drain(20)
    for _ in range(2):
        _tick(world, process)
    _jump(world, -hours)
    for _ in range(4):
        _looks_are_due(world)
        _tick(world, process)
        world.advance(seconds=6)
    worker.kill()
    assert world.statuses() == {"accepted": 3}
    assert len(world.gateway.created()) == len(ids)


class _Skewed:
    """A clock that runs, `skew` ahead of the one that the world began with."""

    def __init__(self, world: World, skew: timedelta) -> None:
        self._ahead = timedelta(seconds=world.settings.clock_offset) + skew

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def _host(world: World, gateway: FakeGateway, skew: timedelta, name: str) -> WorkerProcess:
    url = world.settings.database_url.get_secret_value()
    services = replace(
        world.services,
        database=Database.connect(url, application=name),
        clock=_Skewed(world, skew),
        host=name,
    )
    write = partial(outcomes.write, services)
    return WorkerProcess(services, Carrier(lambda: gateway, in_flight=64, write=write))


def test_two_hosts_five_seconds_apart_share_a_sender(world: World) -> None:
    """Each text goes once, and by no more than their difference too early or too late."""
    true = _Skewed(world, timedelta(0))
    gateway = FakeGateway(clock=true.now)
    world.settings.dispatch_interval = 0.05
    for second in range(8):
        world.due(5, due_at=true.now() + timedelta(seconds=second))
    early, late = (_host(world, gateway, skew, f"h{skew}") for skew in (_SKEW / 2, -_SKEW / 2))
    early.start()
    late.start()
    began = time.monotonic()
    wait_until(lambda: world.statuses() == {"accepted": 40}, 40)
    assert time.monotonic() - began > 2, "they did not all go at once"
    early.close()
    late.close()
    assert len(gateway.created()) == 40
    hosts = Counter(row.host for row in world.execute("SELECT host FROM attempt"))
    assert sum(hosts.values()) == 40
    for message_id, created in _created_at(world, gateway).items():
        wanted = world.message(message_id).due_at
        assert -_SKEW / 2 <= created - wanted <= _SKEW, (created, wanted)


def _created_at(world: World, gateway: FakeGateway) -> dict[UUID, datetime]:
    by_sid = {text.sid: text.created_at for text in gateway.created()}
    found: dict[UUID, datetime] = {}
    for row in world.execute("SELECT id, sid FROM message"):
        at = by_sid[row.sid]
        assert at is not None
        found[row.id] = at
    return found
