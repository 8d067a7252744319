"""One worker process: its services, its carrier, the steps it runs, and its own timer.

The timer is the second source of ticks. It is started before the broker is connected to, so a
worker whose Redis is away ticks by itself, runs the steps in its own threads, and texts still go.
"""

import os
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from prometheus_client import Counter as Metric
from prometheus_client import Histogram

from records import progress
from records.base import database_now
from worker import matching
from worker.carrier import Carrier
from worker.clock import APART_SECONDS
from worker.dispatch import TICK, TICK_OF_BEAT, Work, find_work
from worker.logs import get_logger
from worker.paging.pager import Pager
from worker.services import Services
from worker.steps import (
    checkins,
    compare,
    deactivations,
    followups,
    pages,
    plan,
    receipts,
    receive,
    reconcile,
    replies,
    rounds,
    send,
    staff,
)

log = get_logger(__name__)

ROWS = Metric("aftercare_rows", "Rows that a step moved, by what became of them", ["step", "what"])
RUNS = Histogram("aftercare_step_seconds", "Seconds that a step took", ["step"])

# Beat is called silent after so many intervals without a tick of its own.
_SILENT_INTERVALS = 3
_HEARTBEAT_SECONDS = 5.0
# Ticks are flowing while the last one is younger than this.
_TICKING_SECONDS = 25.0
# A process whose requests to the carrier stand still for so long ends itself: its supervisor
# starts another, and its rows are found by their leases.
_STALLED_SECONDS = 120.0
_EXIT_STALLED = 70

# These judge patients' days by this machine's clock: while that is wrong they would end what is not
# over, or plan what is not due. Texts received are handled, and receipts applied, at any time.
_BY_THE_CLOCK = frozenset(
    {
        "plan",
        "check_ins",
        "follow_ups",
        "visits",
        "sweep",
        "unknown",
        "absences",
        "match",
        "compare",
        "deactivations",
        "rounds",
    }
)

Step = Callable[..., Counter[str]]


def _call(url: str | None) -> None:
    """Tell whoever watches from outside that ticks succeed; failing to is theirs to notice."""
    try:
        with urllib.request.urlopen(url or "", timeout=5):  # noqa: S310  The operator's address.
            pass
    except OSError as error:
        log.warning("heartbeat_failed", error=type(error).__name__)


class WorkerProcess:
    """Runs steps on request; a step that runs already is run once more afterwards, not beside."""

    def __init__(
        self,
        services: Services,
        carrier: Carrier,
        *,
        pager: Pager | None = None,
        end: Callable[[int], object] = os._exit,
        stalled_seconds: float = _STALLED_SECONDS,
    ) -> None:
        self._end = end
        self._stalled_seconds = stalled_seconds
        self.services = services
        self.carrier = carrier
        self.pager = pager or Pager(services)
        self._steps: dict[str, Step] = {
            "send": lambda sender: send.run(services, carrier, UUID(sender)),
            "safety": lambda sender: send.run_safety(services, carrier, UUID(sender)),
            "receipts": lambda: receipts.run(services),
            "replies": lambda: replies.run(services),
            "plan": lambda: plan.run(services),
            "check_ins": lambda: checkins.run(services),
            "follow_ups": lambda: followups.run(services),
            "visits": lambda: followups.ask_about_visits(services),
            "sweep": lambda: reconcile.sweep(services),
            "unknown": lambda: reconcile.settle_unknown(services, carrier),
            "absences": lambda: staff.return_items_of_absent(services),
            "match": lambda: matching.run(services),
            "compare": lambda: compare.run(services, carrier),
            "deactivations": lambda: deactivations.run(services, carrier),
            "pages": lambda *_: pages.run(services, self.pager),
            "rounds": lambda: rounds.run(services, self.pager.channels.keys()),
            "silent": lambda: reconcile.fetch_silent(services, carrier),
            "pull": lambda: receive.pull(services, carrier.gateway, carrier.call),
        }
        self._lock = threading.Lock()
        self._running: set[Work] = set()
        self._again: set[Work] = set()
        self._queued: set[Work] = set()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="own")
        # Sending waits for the carrier; in threads of its own it keeps no reply waiting.
        self._senders = ThreadPoolExecutor(max_workers=8, thread_name_prefix="send")
        self._timer = threading.Thread(target=self._run_timer, name="timer", daemon=True)

    def start(self) -> None:
        """Start the timer."""
        self._timer.start()

    def close(self) -> None:
        """End in good order: no new work, outcomes written, connections closed."""
        self.take_no_more()
        if self._timer.ident is not None:
            self._timer.join(timeout=5)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._senders.shutdown(wait=True, cancel_futures=True)
        self.pager.close()
        self.carrier.close()
        self.services.database.close()

    def take_no_more(self) -> None:
        """Start nothing new: this process was told to end."""
        self._stop.set()
        self.carrier.take_no_more()

    def ask(self, step: str, *ids: str) -> None:
        """Have a step run: here and now, or in the senders' threads if it waits for the carrier."""
        work: Work = (step, *ids)
        if step != "send":
            self.run(*work)
            return
        with self._lock:
            if work in self._queued or self._stop.is_set():
                return
            self._queued.add(work)
            self._senders.submit(self._send, work)

    def _send(self, work: Work) -> None:
        with self._lock:
            self._queued.discard(work)
        self.run(*work)

    def run(self, step: str, *ids: str) -> None:
        """Run a step here and now; one that runs already goes once more when it ends."""
        work: Work = (step, *ids)
        with self._lock:
            if work in self._running:
                self._again.add(work)
                return
            self._running.add(work)
        while True:
            self._run_once(work)
            with self._lock:
                if work not in self._again or self._stop.is_set():
                    self._again.discard(work)
                    self._running.discard(work)
                    return
                self._again.discard(work)

    def _run_once(self, work: Work) -> None:
        step, *ids = work
        try:
            if step in _BY_THE_CLOCK and self._clocks_differ(step):
                return
            with RUNS.labels(step).time():
                counts = self._steps[step](*ids)
        except Exception:
            # The rows are as they were; the next tick finds them again.
            log.exception("step_failed", step=step)
            ROWS.labels(step, "error").inc()
            return
        for what, count in counts.items():
            ROWS.labels(step, what).inc(count)
        if +counts:
            log.info("step_done", step=step, **counts)

    def _clocks_differ(self, step: str) -> bool:
        """Return whether this machine's clock is too far from the one that all processes share."""
        offset = timedelta(seconds=self.services.settings.clock_offset)
        with self.services.database.transaction() as session:
            apart = (self.services.now - offset - database_now(session)).total_seconds()
        if abs(apart) > APART_SECONDS:
            log.error("clocks_differ_step_holds", step=step, seconds=round(apart))
            return True
        return False

    def tick(self, *, by_beat: bool) -> list[Work]:
        """Return what is to be run now; on any trouble of the database, nothing."""
        try:
            return list(find_work(self.services, by_beat=by_beat))
        except Exception as error:  # noqa: BLE001  The next tick asks again.
            log.warning("tick_failed", error=type(error).__name__)
            return []

    def _run_timer(self) -> None:
        interval = self.services.settings.dispatch_interval
        marked = 0.0
        while not self._stop.wait(interval):
            self._end_if_stalled()
            if self._beat_is_silent(interval):
                for work in self.tick(by_beat=False):
                    self._pool.submit(self.ask, *work)
            if self._turn_of_heartbeat():
                self._pool.submit(_call, self.services.settings.heartbeat_url)
            if time.monotonic() - marked >= _HEARTBEAT_SECONDS:
                marked = self._mark_progress(marked)

    def _end_if_stalled(self) -> None:
        seconds = self.carrier.stalled_for()
        if seconds > self._stalled_seconds:
            log.critical("carrier_stalled_process_ends", seconds=round(seconds))
            # No thread could be joined: the loop would be waited for, and it never answers.
            self._end(_EXIT_STALLED)

    def _beat_is_silent(self, interval: float) -> bool:
        try:
            with self.services.database.transaction() as session:
                age = progress.ages(session).get(TICK_OF_BEAT, float("inf"))
                if age <= _SILENT_INTERVALS * interval:
                    return False
                return progress.take_turn(session, f"turn:{TICK}", every=interval * 0.9)
        except Exception as error:  # noqa: BLE001  Without a database there is nothing to send.
            log.warning("timer_failed", error=type(error).__name__)
            return False

    def _turn_of_heartbeat(self) -> bool:
        """Return whether the address outside is to be called: each minute while ticks succeed."""
        if not self.services.settings.heartbeat_url:
            return False
        try:
            with self.services.database.transaction() as session:
                ticking = progress.ages(session).get(TICK, float("inf")) < _TICKING_SECONDS
                return ticking and progress.take_turn(session, "turn:heartbeat", every=60)
        except Exception:  # noqa: BLE001  No call: whoever watches outside finds out.
            return False

    def _mark_progress(self, before: float) -> float:
        try:
            with self.services.database.transaction() as session:
                # Marked only while ticks are seen: a worker that nobody ticks is not healthy.
                if progress.ages(session).get(TICK, float("inf")) < _TICKING_SECONDS:
                    progress.mark(session, f"worker:{self.services.host}")
        except Exception as error:  # noqa: BLE001  Health goes red by itself.
            log.warning("progress_not_marked", error=type(error).__name__)
            return before
        return time.monotonic()
