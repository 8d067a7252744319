"""Celery's side of the worker: thin tasks that run a step, and the process's start and end."""

import gc
import time
from typing import Any

from celery.signals import (
    after_task_publish,
    beat_init,
    setup_logging,
    worker_init,
    worker_shutdown,
    worker_shutting_down,
)
from prometheus_client import Counter, start_http_server

from messages import replies
from records import progress
from records.base import Database
from worker import logs, wiring
from worker.app import TICK, app, publish
from worker.collecting import never_looked_through
from worker.process import WorkerProcess
from worker.settings import Settings, load

log = logs.get_logger(__name__)

STEPS = (
    "send",
    "safety",
    "receipts",
    "replies",
    "pages",
    "rounds",
    "plan",
    "check_ins",
    "follow_ups",
    "visits",
    "sweep",
    "unknown",
    "silent",
    "absences",
    "match",
    "compare",
    "deactivations",
    "pull",
)
_BEAT_MARK_SECONDS = 5.0
# Objects made before the collector looks at the youngest; Python's own 700 is for small programs.
_GARBAGE_EVERY = 10_000

TICKS = Counter("aftercare_ticks_published", "Ticks that beat handed to the broker")

_process: WorkerProcess | None = None


def _run_step(name: str) -> Any:
    def run(*ids: str) -> None:
        if _process is not None:
            _process.ask(name, *ids)

    return run


for _name in STEPS:
    app.task(name=f"aftercare.{_name}", ignore_result=True)(_run_step(_name))


@app.task(name=TICK, ignore_result=True)
def tick() -> None:
    """Ask what waits and nudge the workers, this one among them."""
    if _process is None:
        return
    for step, *ids in _process.tick(by_beat=True):
        publish(step, *ids)


@setup_logging.connect
def _logging(**_: Any) -> None:
    logs.configure(load().log_format)


@worker_init.connect
def _start(**_: Any) -> None:
    global _process  # noqa: PLW0603  One a process, as Celery's signals have it.
    settings = load()
    _process = wiring.worker_process(settings)
    _process.start()
    # Loaded now, and not inside the transaction that stores the first text from the list.
    with never_looked_through():
        replies.read("hello")
    gc.set_threshold(_GARBAGE_EVERY)
    _serve_metrics(settings)


@worker_shutting_down.connect
def _told_to_end(**_: Any) -> None:
    if _process is not None:
        _process.take_no_more()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    if _process is not None:
        _process.close()


def _serve_metrics(settings: Settings) -> None:
    if settings.worker_metrics_port:
        try:
            start_http_server(settings.worker_metrics_port, addr=settings.host)
        except OSError:
            # A second worker on this host: the texts matter more than its figures.
            log.warning("metrics_port_taken", port=settings.worker_metrics_port)


@beat_init.connect
def _beat(**_: Any) -> None:
    settings = load()
    url = settings.database_url.get_secret_value()
    database = Database.connect(url, application="beat", pool_size=1)
    marked = [0.0]
    _serve_metrics(settings)

    def published(**_: Any) -> None:
        # Beat's health is that its ticks reach the broker, not that it is alive.
        TICKS.inc()
        if time.monotonic() - marked[0] < _BEAT_MARK_SECONDS:
            return
        marked[0] = time.monotonic()
        try:
            with database.transaction() as session:
                progress.mark(session, "beat")
        except Exception as error:  # noqa: BLE001  Health goes red by itself.
            log.warning("progress_not_marked", error=type(error).__name__)

    after_task_publish.connect(published, weak=False)
