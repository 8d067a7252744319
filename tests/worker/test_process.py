"""The worker process: its own timer, steps that don't overlap, outcomes that are not dropped."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from messages.gateway import Accepted, OutboundText
from messages.gateways.asking import LIST_SECONDS
from records import progress
from records.base import new_id
from tests.support.processes import wait_until
from tests.support.world import World
from worker import catchup, dispatch
from worker.carrier import CALL_SECONDS, Carrier, Posted, Posting
from worker.process import WorkerProcess
from worker.wiring import Nudger


@pytest.fixture
def process(world: World) -> Iterator[WorkerProcess]:
    """A worker process without Celery: its timer alone."""
    world.settings.dispatch_interval = 0.1
    made = WorkerProcess(world.services, world.carrier)
    yield made
    made.close()


def test_without_beat_and_redis_the_workers_own_timer_sends(
    world: World, process: WorkerProcess
) -> None:
    """After three silent intervals the worker ticks and sends by itself."""
    world.due(5)
    process.start()
    wait_until(lambda: world.statuses().get("accepted") == 5, 20)


def test_the_timer_leaves_the_work_to_beat_while_beat_ticks(
    world: World, process: WorkerProcess
) -> None:
    """Beat's tick was just seen, so the timer rests."""
    world.due()
    with world.database.transaction() as session:
        progress.mark(session, dispatch.TICK_OF_BEAT)
    assert process._beat_is_silent(5.0) is False


@pytest.mark.parametrize("ticking", [True, False])
def test_whoever_watches_outside_is_called_while_ticks_succeed(world: World, ticking: bool) -> None:
    """Once a minute (care rule 13); without ticks the silence is what raises the alarm."""
    calls: list[str] = []

    class Watcher(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Watcher) as watcher:
        threading.Thread(target=watcher.serve_forever, daemon=True).start()
        world.settings.heartbeat_url = f"http://127.0.0.1:{watcher.server_port}/alive"
        world.settings.dispatch_interval = 0.05
        made = WorkerProcess(world.services, world.carrier)
        if ticking:
            with world.database.transaction() as session:
                # Beat has just ticked, and goes on to for as long as this test takes.
                progress.mark(session, catchup.TICK)
                progress.mark(session, dispatch.TICK_OF_BEAT)
        else:
            made.tick = lambda *, by_beat: []  # type: ignore[method-assign]
        made.start()
        if ticking:
            wait_until(lambda: calls == ["/alive"], 10)
        time.sleep(0.5)
        made.close()
        watcher.shutdown()
    assert calls == (["/alive"] if ticking else [])


def test_a_step_asked_for_while_it_runs_goes_once_more(process: WorkerProcess) -> None:
    """Not beside itself, and not never: what came meanwhile is seen."""
    going, proceed, runs = threading.Event(), threading.Event(), []

    def step() -> Counter[str]:
        runs.append(threading.current_thread().name)
        going.set()
        proceed.wait(5)
        return Counter()

    process._steps["slow"] = step
    first = threading.Thread(target=process.run, args=("slow",))
    first.start()
    going.wait(5)
    for _ in range(5):
        process.run("slow")
    proceed.set()
    first.join(5)
    assert len(runs) == 2


def test_a_step_that_fails_does_not_end_the_process(process: WorkerProcess) -> None:
    """The rows are as they were; the next tick finds them again."""

    tried = []

    def broken() -> Counter[str]:
        tried.append("broken")
        raise RuntimeError("broken")

    process._steps["broken"] = broken
    process.run("broken")
    process.run("broken")
    assert len(tried) == 2


def test_the_tick_names_exactly_what_waits(world: World) -> None:
    """A due text names its sender; nothing else is asked for but the turns."""
    world.due()
    work = dispatch.find_work(world.services, by_beat=True)
    assert ("send", str(world.sender_id)) in work
    assert {each[0] for each in work} == {
        "send",
        "sweep",
        "visits",
        "check_ins",
        "pull",
        "silent",
        "compare",
        "deactivations",
        "absences",
        "match",
        "rounds",
    }
    again = dispatch.find_work(world.services, by_beat=True)
    assert {each[0] for each in again} == {"send"}


def test_outcomes_are_kept_while_the_database_is_away() -> None:
    """A write that fails is tried again with the same outcomes; nothing is dropped."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from messages.gateways.fake import FakeGateway  # noqa: PLC0415

    written: list[Posted] = []
    failures = iter([True, True, False])

    def write(posted: list[Posted]) -> None:
        if next(failures, False):
            raise ConnectionError
        written.extend(posted)

    carrier = Carrier(
        lambda: FakeGateway(clock=lambda: datetime.now(UTC)),
        in_flight=4,
        write=write,  # type: ignore[arg-type]
    )
    text = OutboundText(
        to="+12125550123", body="x", from_number="+12125550110", validity_seconds=60
    )
    posting = Posting(
        message_id=new_id(), clinic_id=new_id(), sender_id=new_id(), number=1, text=text
    )
    carrier.reserve(1)
    carrier.post([posting], intended_at=time.monotonic())
    assert carrier.drain(10)
    carrier.close()
    assert isinstance(written[0].outcome, Accepted)


def test_equal_nudges_that_wait_are_published_once() -> None:
    """And one that can't be published is no error."""
    nudge = Nudger()
    for _ in range(50):
        nudge("replies")
    nudge.close()


def test_a_process_told_to_end_gives_its_claims_back(world: World, process: WorkerProcess) -> None:
    """A warm shutdown leaves nothing claimed and sends nothing new."""
    world.due(5)
    process.take_no_more()
    process.ask("send", str(world.sender_id))
    process.run("send", str(world.sender_id))
    assert world.statuses() == {"planned": 5}
    assert world.gateway.calls == []


def test_a_carrier_that_hangs_keeps_no_reply_waiting(world: World, process: WorkerProcess) -> None:
    """Sending waits in threads of its own; the caller of `ask` is free at once."""
    held = threading.Event()
    process._steps["send"] = lambda _sender: Counter(waited=held.wait(20))
    started = time.monotonic()
    for number in range(20):
        process.ask("send", str(number))
    assert time.monotonic() - started < 5
    held.set()


def test_a_call_that_is_waited_for_in_vain_is_cancelled(world: World) -> None:
    """The carrier's list ends itself before that, and says why."""
    ended = threading.Event()

    async def without_end() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        world.carrier.call(without_end(), timeout=0.05)
    assert ended.wait(5)
    assert CALL_SECONDS > LIST_SECONDS
