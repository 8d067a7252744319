"""The one event loop that talks to the carrier: slots, the send guard, and outcomes in bulk.

It lives as long as the worker process. Steps hand over texts whose intent is committed and go on;
outcomes come back to a writer that commits together what comes within 100 ms, and at once where
nothing else is on its way.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import uvloop

from messages.gateway import Gateway, OutboundText, OutcomeUnknown, SendOutcome
from messages.gateways.asking import LIST_SECONDS
from records.base import refuses
from worker.logs import get_logger

log = get_logger(__name__)

# From the commit of the intent to the socket write: an older intent goes back unsent.
SEND_GUARD_SECONDS = 5.0
# Intents are committed in groups just before slots come free: a crash then leaves few in doubt.
GROUP = 64
# A call ends itself after LIST_SECONDS and says why: this is for a loop that stands still.
CALL_SECONDS = LIST_SECONDS + 10
_COMMIT_EVERY_SECONDS = 0.1
_COMMIT_AT_MOST = 128
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A text whose intent is committed, and the attempt it belongs to."""

    message_id: UUID
    clinic_id: UUID
    sender_id: UUID
    number: int
    text: OutboundText


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What the carrier said to a posting, or that it said nothing."""

    posting: Posting
    outcome: SendOutcome


class Carrier:
    """Posts texts with a bounded number of requests in flight, and has their outcomes written."""

    def __init__(
        self,
        make_gateway: Callable[[], Gateway],
        *,
        in_flight: int,
        write: Callable[[Sequence[Posted]], None],
    ) -> None:
        self.group = min(GROUP, in_flight)
        self._slots = threading.BoundedSemaphore(in_flight)
        self._turn = threading.Lock()
        self._closing = threading.Event()
        self._write = write
        self._done: queue.SimpleQueue[Posted | None] = queue.SimpleQueue()
        self._pending = 0
        self._posting = 0
        self._moved_at = time.monotonic()
        self._settled = threading.Condition()
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="carrier", daemon=True)
        self._writer = threading.Thread(target=self._run_writer, name="outcomes", daemon=True)
        self._thread.start()
        self._writer.start()
        self.gateway: Gateway = self.call(_made(make_gateway))

    @property
    def closing(self) -> bool:
        """Whether this process is about to end: nothing new is claimed for it."""
        return self._closing.is_set()

    def take_no_more(self) -> None:
        """Let what is on its way come home, and have nothing new claimed."""
        self._closing.set()

    def reserve(self, count: int) -> None:
        """Wait until `count` requests may be made; each posting gives its slot back.

        `count` is at most `group`. Callers take turns: two that each held half of what they want
        would wait for each other for good.
        """
        with self._turn:
            for _ in range(count):
                self._slots.acquire()

    def release(self, count: int) -> None:
        """Give back slots that turned out not to be needed."""
        for _ in range(count):
            self._slots.release()

    def post(self, postings: Sequence[Posting], *, intended_at: float) -> None:
        """Send these now. `intended_at` is the monotonic instant before the intent's commit.

        For each a slot was reserved, but for the urgent ones: they have none to wait for.
        """
        with self._settled:
            self._pending += len(postings)
            if not self._posting:
                self._moved_at = time.monotonic()
            self._posting += len(postings)
        self._loop.call_soon_threadsafe(self._start, list(postings), intended_at)

    def stalled_for(self) -> float:
        """Return for how many seconds nothing has come back although requests are under way.

        A request is given up after 15 s, so minutes mean that the loop itself stands still.
        """
        return time.monotonic() - self._moved_at if self._posting else 0.0

    def call(self, coroutine: Coroutine[Any, Any, T], *, timeout: float = CALL_SECONDS) -> T:
        """Run something on the loop and return its result.

        Raises TimeoutError after `timeout` seconds; what ran is then cancelled.
        """
        asked = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return asked.result(timeout)
        finally:
            # Nobody waits for it any more; one that has ended stays as it is.
            asked.cancel()

    def drain(self, timeout: float = 40) -> bool:
        """Wait until every posting has its outcome written; return whether that came true."""
        with self._settled:
            return self._settled.wait_for(lambda: self._pending == 0, timeout)

    def close(self) -> None:
        """End in good order: outcomes written, connections closed, threads gone."""
        if self._loop.is_closed():
            return
        self.take_no_more()
        self.drain()
        self.call(self.gateway.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._done.put(None)
        self._thread.join(timeout=5)
        self._writer.join(timeout=5)
        self._loop.close()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _start(self, postings: list[Posting], intended_at: float) -> None:
        # Tasks are kept by the loop's own set until done: the reference below is that set.
        for posting in postings:
            task = self._loop.create_task(self._post(posting, intended_at))
            _running.add(task)
            task.add_done_callback(_running.discard)

    async def _post(self, posting: Posting, intended_at: float) -> None:
        write_before = intended_at + SEND_GUARD_SECONDS
        try:
            outcome = await self.gateway.send(posting.text, write_before=write_before)
        except BaseException as error:  # noqa: BLE001  Maybe sent: it must not vanish.
            outcome = OutcomeUnknown(reason=f"failed:{type(error).__name__}")
        finally:
            if not posting.text.urgent:
                self._slots.release()
        with self._settled:
            self._posting -= 1
            self._moved_at = time.monotonic()
        self._done.put(Posted(posting=posting, outcome=outcome))

    def _run_writer(self) -> None:
        while True:
            first = self._done.get()
            if first is None:
                return
            batch = self._gather(first)
            self._write_for_sure(batch)
            with self._settled:
                self._pending -= len(batch)
                self._settled.notify_all()

    def _gather(self, first: Posted) -> list[Posted]:
        batch = [first]
        until = time.monotonic() + _COMMIT_EVERY_SECONDS
        while len(batch) < _COMMIT_AT_MOST and (left := until - time.monotonic()) > 0:
            try:
                # With nothing else on its way there is nothing to wait for: until it is written,
                # a text is in doubt should this process die.
                posted = self._done.get(timeout=left if self._posting else 0)
            except queue.Empty:
                break
            if posted is None:
                self._done.put(None)
                break
            batch.append(posted)
        return batch

    def _write_for_sure(self, batch: list[Posted]) -> None:
        # Outcomes are only in memory here. While the database is away they are kept and tried
        # again; if this process dies first, the lease sweep calls them unknown and looks.
        for attempt in range(1_000_000):
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001  Any failure of the database is retried.
                if refuses(error):
                    self._write_each(batch, error)
                    return
                log.warning("outcomes_not_written", error=type(error).__name__, rows=len(batch))
                time.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
            else:
                return

    def _write_each(self, batch: list[Posted], error: Exception) -> None:
        # One that the database refuses would be refused for ever, and all after it with it.
        if len(batch) > 1:
            log.warning("outcomes_tried_alone", error=type(error).__name__, rows=len(batch))
            for one in batch:
                self._write_for_sure([one])
            return
        # Its row stays as it is: the lease sweep calls it unknown and looks at the carrier.
        posting, name = batch[0].posting, type(error).__name__
        log.error("outcome_put_aside", message_id=str(posting.message_id), error=name)


_running: set[asyncio.Task[None]] = set()


async def _made(make_gateway: Callable[[], Gateway]) -> Gateway:
    return make_gateway()
