"""The carrier of the simulation: the shipped one in memory, with faults, and quick to ask."""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from cli.simulation.faults import Faults
from messages.gateway import CarrierText, OutboundText, SendOutcome
from messages.gateways.fake import FakeGateway
from worker.carrier import SEND_GUARD_SECONDS, Carrier, Posted, Posting
from worker.paging.pager import Pager
from worker.paging.transports import Job

T = TypeVar("T")

_A_DAY = timedelta(days=1)
# Pages by one channel that are tried and written down together.
_TOGETHER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A text that the carrier made, the attempt that asked for it, and its place in the ledger."""

    sid: str
    to: str = field(repr=False)
    body: str = field(repr=False)
    at: datetime
    message_id: UUID
    attempt: int
    place: int


class Network(FakeGateway):
    """Makes texts as the drawn faults have it; `fresh` are those that nobody has looked at yet.

    A year's ledger is long, so that lists are read by number, and from their end.
    """

    def __init__(self, *, clock: Callable[[], datetime], faults: Faults) -> None:
        # The guard's seconds are real ones, which say nothing here.
        super().__init__(clock=clock, monotonic=lambda: 0.0)
        self.fresh: list[Made] = []
        self._faults, self._now = faults, clock
        self._of_number: defaultdict[str, list[str]] = defaultdict(list)

    async def send(self, text: OutboundText, *, write_before: float) -> SendOutcome:
        """Send as drawn, and note what was made."""
        self.script(self._faults.script(text.to, self._now()), to=text.to)
        before = len(self.ledger)
        outcome = await super().send(text, write_before=write_before)
        if len(self.ledger) > before:
            self._note(text, before)
        return outcome

    def _note(self, text: OutboundText, place: int) -> None:
        query = parse_qs(urlsplit(text.status_callback or "").query)
        sid = f"SM{place + 1:032x}"
        self._of_number[text.to].append(sid)
        made = Made(
            sid=sid,
            to=text.to,
            body=text.body,
            at=self._now(),
            message_id=UUID(query["message"][0]),
            attempt=int(query["attempt"][0]),
            place=place,
        )
        self.fresh.append(made)

    async def find(self, *, to: str, limit: int = 50) -> list[CarrierText]:
        """List what was sent to a number, newest first."""
        self.outage = self._faults.is_out(self._now())
        self._ask("list messages")
        return [self.ledger[sid] for sid in reversed(self._of_number[to][-limit:])]

    async def received(self, *, to: str, since: datetime, limit: int = 1000) -> list[CarrierText]:
        """List what came in, newest first."""
        self.outage = self._faults.is_out(self._now())
        self._ask("list messages")
        found = takewhile(lambda text: (text.created_at or since) >= since, self._listed())
        return [text for text in found if text.direction == "inbound" and text.to == to][:limit]

    async def sent_on(self, *, day: date, limit: int = 10_000) -> list[CarrierText]:
        """List what was sent on a UTC day, newest first."""
        self.outage = self._faults.is_out(self._now())
        self._ask("list messages")
        found = takewhile(lambda text: _day(text) >= day - _A_DAY, self._listed())
        texts = (text for text in found if text.direction != "inbound")
        return [text for text in texts if text.sent_at and text.sent_at.date() == day][:limit]


class QuickCarrier(Carrier):
    """The worker's carrier without hand-overs: what is posted is made and written down at once.

    A network in memory never waits, so that sending needs neither the loop nor the threads.
    """

    def post(self, postings: Sequence[Posting], *, intended_at: float) -> None:
        """Send these now, and write what came of them."""
        before = intended_at + SEND_GUARD_SECONDS
        made = [
            Posted(
                posting=posting,
                outcome=at_once(self.gateway.send(posting.text, write_before=before)),
            )
            for posting in postings
        ]
        self.release(sum(not posting.text.urgent for posting in postings))
        if made:
            self._write_for_sure(made)


class QuickPager(Pager):
    """The worker's pager without its threads: pages are tried, and their end written, at once."""

    @contextmanager
    def room(self) -> Iterator[dict[str, int]]:
        """Give room for as much as anybody claims."""
        yield dict.fromkeys(self.channels, _TOGETHER)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Try these now."""
        if jobs:
            self.carry(jobs)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of something that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        found: T = ended.value
        return found
    coroutine.close()
    raise RuntimeError("a network in memory waited for something")


def _day(text: CarrierText) -> date:
    return text.created_at.date() if text.created_at else date.max
