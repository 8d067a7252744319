"""Many webhooks in one transaction: each handler waits for the commit that holds its own.

A commit costs a disk flush whether it holds one row or two hundred. Handlers put what they got on
a queue; a thread takes all that waits, commits it, and tells the handlers. What the database
refuses is refused alone: the rest of its group is committed without it.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from records.base import refuses
from worker.logs import get_logger

log = get_logger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

# Groups are taken no closer than this: at 600 callbacks/s one is then about six.
SPACING_SECONDS = 0.010
LARGEST_GROUP = 500
# More waiting than this is minutes of work: better to answer 503 and have it sent again.
MOST_WAITING = 10_000


class OverloadedError(Exception):
    """More webhooks wait than can be committed soon: the carrier has to try again."""


@dataclass(slots=True, kw_only=True)
class _Waiting(Generic[Item, Result]):
    """An item with the handler that waits for its commit."""

    item: Item = field(repr=False)
    done: asyncio.Future[Result]
    loop: asyncio.AbstractEventLoop


class GroupCommit(Generic[Item, Result]):
    """Commits items in groups, in threads of its own, from `start` to `stop`.

    `store` commits a group in one transaction, or raises and leaves nothing of it behind; it
    returns for each item, in their order, a result, or what kept that one from being stored.

    With more than one thread a group need not wait for one that waits for a lock.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        name: str,
        threads: int = 1,
        spacing: float = SPACING_SECONDS,
    ) -> None:
        self._store = store
        self._names = [f"{name}-{number}" for number in range(threads)]
        self._spacing = spacing
        self._waiting: queue.SimpleQueue[_Waiting[Item, Result] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        # Only who holds the turn takes from the queue, so that a group stays in one piece.
        self._turn = threading.Lock()
        self._taken = 0.0

    def start(self) -> None:
        """Begin to commit."""
        for name in self._names:
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Commit what waits, then end the threads."""
        for _ in self._threads:
            self._waiting.put(None)
        while self._threads:
            self._threads.pop().join(timeout=20)

    async def store(self, item: Item) -> Result:
        """Return the item's result once it is committed. Raises what kept it from that."""
        if self._waiting.qsize() >= MOST_WAITING:
            raise OverloadedError(OverloadedError.__doc__)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        self._waiting.put(_Waiting(item=item, done=done, loop=loop))
        return await done

    def _run(self) -> None:
        going = True
        while going:
            with self._turn:
                group, going = self._next_group()
            if group:
                self._commit(group)

    def _next_group(self) -> tuple[list[_Waiting[Item, Result]], bool]:
        """Wait for one item and take what else is there; False after the last one."""
        group: list[_Waiting[Item, Result]] = []
        first = self._waiting.get()
        if first is None:
            return group, False
        time.sleep(max(0.0, self._taken + self._spacing - time.monotonic()))
        self._taken = time.monotonic()
        group.append(first)
        while len(group) < LARGEST_GROUP:
            try:
                more = self._waiting.get_nowait()
            except queue.Empty:
                break
            if more is None:
                return group, False
            group.append(more)
        return group, True

    def _commit(self, group: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = self._store([each.item for each in group])
        except Exception as error:  # noqa: BLE001  Whatever it is, each handler has to hear of it.
            log.warning("webhooks_not_stored", count=len(group), error=type(error).__name__)
            # A lost database would refuse each one too.
            if len(group) > 1 and refuses(error):
                for each in group:
                    self._commit([each])
                return
            _tell(group, [error] * len(group))
        else:
            _tell(group, results)


def _tell(group: Sequence[_Waiting[Item, Result]], outcomes: Sequence[Result | Exception]) -> None:
    """Wake the handlers, with one call a loop."""
    for loop in {each.loop for each in group}:
        pairs = zip(group, outcomes, strict=True)
        theirs = [(each.done, outcome) for each, outcome in pairs if each.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle, theirs)
        except RuntimeError:
            # The loop has ended and its handlers with it; what is committed stays.
            log.info("webhooks_answered_nobody", count=len(theirs))


def _settle(waiting: Sequence[tuple[asyncio.Future[Result], Result | Exception]]) -> None:
    for done, outcome in waiting:
        if done.done():
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
