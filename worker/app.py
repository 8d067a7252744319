"""The Celery application: a nudge is a message, the promise is a row.

Nothing here holds work: no ETA, no retries, no results. Redis may be flushed at any instant; the
next tick finds in PostgreSQL whatever a lost nudge was about.
"""

from typing import Any

from celery import Celery
from kombu.entity import Queue

from worker.settings import SettingsError, load

TICK = "aftercare.tick"
# Replies have a queue of their own, so that no burst of reminders stands before them.
QUEUES = {"replies": "replies", "receipts": "replies", "safety": "replies", "pages": "replies"}
DEFAULT_QUEUE = "reminders"
_NUDGE_SECONDS = 300

app = Celery("aftercare", include=["worker.tasks"])
app.conf.update(
    broker_transport_options={
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A Redis that answers with an error (a replica by now, out of memory) must not end the worker.
    broker_channel_error_retry=True,
    broker_pool_acquire_timeout=10,
    task_publish_retry_policy={
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.2,
    },
    task_ignore_result=True,
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    task_default_queue=DEFAULT_QUEUE,
    # No exchange is named: a flushed Redis then forgets no binding.
    task_queues=(Queue("replies"), Queue(DEFAULT_QUEUE)),
    task_serializer="json",
    accept_content=["json"],
    enable_utc=True,
    timezone="UTC",
    worker_pool="threads",
    worker_concurrency=8,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=25,
    worker_enable_soft_shutdown_on_idle=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    beat_scheduler="celery.beat:Scheduler",
)


def configure(redis_url: str, dispatch_interval: float) -> None:
    """Point the application at the broker and set the tick."""
    app.conf.broker_url = redis_url
    app.conf.beat_schedule = {
        "tick": {
            "task": TICK,
            "schedule": dispatch_interval,
            # A tick that nobody took in time is worthless: the next one is there.
            "options": {"expires": max(dispatch_interval, 1.0), "queue": DEFAULT_QUEUE},
        }
    }


def publish(step: str, *ids: str) -> Any:
    """Put a nudge on its queue; raises what the broker raises."""
    queue = QUEUES.get(step, DEFAULT_QUEUE)
    return app.send_task(
        f"aftercare.{step}",
        args=list(ids),
        queue=queue,
        ignore_result=True,
        # One that outlived a long silence must not get before the first tick's own look.
        expires=_NUDGE_SECONDS,
    )


def _configure_for_celerys_own_commands() -> None:
    # `celery -A worker.app worker` imports this module and nothing else of ours before it asks
    # for the broker. A missing setting is reported when the process starts.
    try:
        settings = load()
    except SettingsError:
        return
    configure(settings.redis_url.get_secret_value(), settings.dispatch_interval)


_configure_for_celerys_own_commands()
