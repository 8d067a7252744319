"""Starting the two Celery processes: `aftercare worker` and `aftercare beat`."""

import importlib
from collections.abc import Sequence

from worker import app
from worker.collecting import never_looked_through
from worker.settings import Settings


def worker_main(settings: Settings, argv: Sequence[str] = ()) -> None:
    """Run a worker until it is told to stop; extra arguments go to Celery."""
    app.configure(settings.redis_url.get_secret_value(), settings.dispatch_interval)
    _load_tasks()
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    app.app.worker_main(["worker", *quiet, *argv])


def beat_main(settings: Settings, argv: Sequence[str] = ()) -> None:
    """Run beat until it is told to stop; two beats are as good as one."""
    app.configure(settings.redis_url.get_secret_value(), settings.dispatch_interval)
    _load_tasks()
    app.app.start(["beat", "--loglevel=WARNING", *argv])


def _load_tasks() -> None:
    """Import at one go what Celery would by and by."""
    with never_looked_through():
        importlib.import_module("worker.tasks")
