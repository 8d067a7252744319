"""Who carries pages out: threads of their own for each channel, and the outcome of each try.

A mail server that hangs holds up no call. The rows are the promise: a process that dies leaves a
delivery `sending`, and its lease brings it back. No more is claimed than there are threads free to
carry it: what waits is a row that keeps its tries, and that ends when somebody takes its item.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from records import clinics, followups, pages
from records.base import Session
from records.pages import DeliveryStatus, Page, PageDelivery
from schedules import ladder
from worker.logs import get_logger
from worker.paging.transports import Job, Result, Sent, Transport, transports
from worker.services import Services

log = get_logger(__name__)

_THREADS = 4
_FIRST_RETRY, _LONGEST_RETRY = timedelta(seconds=15), timedelta(seconds=120)
MOST_TRIES = 5


class Pager:
    """Runs transports beside whoever asks, and writes down what came of each."""

    def __init__(self, services: Services, channels: Mapping[str, Transport] | None = None) -> None:
        self.channels = dict(transports(services.settings) if channels is None else channels)
        self._services = services
        self._pools = {
            name: ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix=f"page-{name}")
            for name in self.channels
        }
        self._busy: Counter[str] = Counter()
        self._settled = threading.Condition()
        self._claiming = threading.Lock()

    @contextmanager
    def room(self) -> Iterator[dict[str, int]]:
        """Give how many more each channel can carry at once, to one who claims at a time."""
        with self._claiming:
            with self._settled:
                free = {name: _THREADS - self._busy[name] for name in self.channels}
            yield free

    def submit(self, jobs: Sequence[Job]) -> None:
        """Have these go now, for which there was room; returns at once."""
        for job in jobs:
            with self._settled:
                self._busy[job.channel] += 1
            self._pools[job.channel].submit(self._carry, job)

    def drain(self, timeout: float = 30) -> bool:
        """Wait until everything submitted is written down; return whether that came true."""
        with self._settled:
            return self._settled.wait_for(lambda: self._busy.total() == 0, timeout)

    def close(self) -> None:
        """Let what is on its way come to its end."""
        for pool in self._pools.values():
            pool.shutdown(wait=True)

    def _carry(self, job: Job) -> None:
        try:
            self.carry([job])
        finally:
            with self._settled:
                was_full = self._busy[job.channel] == _THREADS
                self._busy[job.channel] -= 1
                self._settled.notify_all()
            if was_full:
                # Something may wait for this thread, and need not wait for the tick.
                self._services.nudge("pages")

    def carry(self, jobs: Sequence[Job]) -> None:
        """Try pages here and now, and write down together what came of them; never raises.

        What can't be written with the others is written by itself.
        """
        tried = [(job, self._try(job)) for job in jobs]
        if not self._written(tried) and len(tried) > 1:
            for each in tried:
                self._written([each])

    def _try(self, job: Job) -> Sent:
        try:
            return self.channels[job.channel](job)
        except Exception as error:
            log.exception("page_transport_failed", channel=job.channel)
            return Sent(result=Result.AGAIN, error=type(error).__name__)

    def _written(self, tried: Sequence[tuple[Job, Sent]]) -> bool:
        """Write what came of these; where that fails, their leases bring the deliveries back."""
        try:
            self._write(tried)
        except Exception:
            ids = [str(job.delivery_id) for job, _ in tried]
            log.exception("page_outcomes_not_written", delivery_ids=ids)
            return False
        return True

    def _write(self, tried: Sequence[tuple[Job, Sent]]) -> None:
        services = self._services
        with services.database.transaction() as session:
            found = pages.lock_deliveries(session, [job.delivery_id for job, _ in tried])
            now = services.now
            ended = [
                (*found[job.delivery_id], sent) for job, sent in tried if job.delivery_id in found
            ]
            taken = [
                Taken(page, row, sent.reference)
                for page, row, sent in ended
                if sent.result is Result.ACCEPTED
            ]
            senders = accepted(session, taken, now=now)
            for page, row, sent in ended:
                if sent.result is not Result.ACCEPTED:
                    failed(session, page, row, sent, now=now)
        for job, sent in tried:
            log.info(
                "page_tried",
                page_id=str(job.page_id),
                channel=str(job.channel),
                result=str(sent.result),
                error=sent.error,
            )
        for sender_id in senders:
            services.nudge("safety", str(sender_id))


class Taken(NamedTuple):
    """A delivery that a channel took, and what the channel calls it."""

    page: Page
    row: PageDelivery
    reference: str | None


def accepted(session: Session, taken: Sequence[Taken], *, now: datetime) -> set[UUID]:
    """Note that channels took these; return the senders of replies that may now say so."""
    called: set[UUID] = set()
    for page, row, reference in taken:
        row.status, row.reference, row.error = DeliveryStatus.ACCEPTED, reference, None
        row.next_at, row.accepted_at = None, row.accepted_at or now
        first, page.sent_at = page.sent_at is None, page.sent_at or now
        if first and page.follow_up_id is not None and page.why != ladder.Why.CLOSED:
            called.add(page.follow_up_id)
    session.flush()
    # Care rule 11: the patient is told of the team only when somebody was really called.
    return pages.tell_of_team(session, called, now=now) if called else set()


def failed(session: Session, page: Page, row: PageDelivery, sent: Sent, *, now: datetime) -> None:
    """Try again later while that is of use; else have the next rung called now."""
    row.error = sent.error
    wait = min(_FIRST_RETRY * 2 ** max(row.tries - 1, 0), _LONGEST_RETRY)
    useful = row.tries < MOST_TRIES and now + wait < row.expires_at and page.closed_at is None
    if sent.result is Result.AGAIN and useful:
        row.status, row.next_at = DeliveryStatus.PLANNED, now + wait
        return
    row.status, row.next_at, row.final_at = DeliveryStatus.FAILED, None, now
    session.flush()
    log.warning("page_not_delivered", page_id=str(page.id), channel=row.channel, error=row.error)
    climb_if_nobody_was_reached(session, page, now=now)


def climb_if_nobody_was_reached(session: Session, page: Page, *, now: datetime) -> None:
    """Wait for nobody whom no channel reached: the item's next rung is due at once."""
    # With nobody on call there is no next rung before the opening.
    alone = page.why == ladder.Why.CLOSED
    if page.follow_up_id is None or page.closed_at is not None or alone:
        return
    together = [one for one in pages.of_item(session, page.follow_up_id) if one.at == page.at]
    if not all(pages.all_failed(session, one.id) for one in together):
        return
    item = followups.by_id(session, page.follow_up_id)
    if item is None or item.status == "resolved" or item.run_acknowledged_at is not None:
        return
    # Above the last rung everybody is called again and again: not faster than by the clock.
    file = clinics.by_id(session, item.clinic_id).file
    last = len(file.on_call) + 2
    if item.severity != "page_now" or item.rung > last:
        return
    if item.climbs_at is not None and item.climbs_at > now:
        # The run is moved back as a whole, so that the rungs above keep their distances.
        run_at = item.run_at or now
        due = ladder.fires_at(run_at, item.rung, staffed=file.staffed().is_staffed(run_at))
        item.run_at = run_at - max(due - now, timedelta())
        item.climbs_at = now
