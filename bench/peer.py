"""What people write first: one Celery task for each text, tuned as Celery's documents advise.

`python -m bench.peer` is its poller; the worker is Celery's own (prefork, two processes). It keeps
neither consents nor attempts, and seals nothing.
"""

import base64
import logging
import os
import time
from typing import Any
from urllib.parse import urlencode

from celery import Celery
from celery.signals import worker_process_init
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    func,
    select,
    update,
)
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from bench.phones import phone
from bench.rig import ACCOUNT, TOKEN

SENDER = "+12125550110"
BODY = (
    "Riverside Care: you have a visit on Mon Nov 30 at 9 AM. Reply C to confirm or R to change it, "
    "or call 212-555-0100. Reply STOP to end."
)
_CHUNK, _POLL_SECONDS = 1000, 0.1

metadata = MetaData()
texts = Table(
    "peer_text",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("sid", Text),
    Column("stored_at", DateTime(timezone=True)),
)

app = Celery("peer", broker=os.environ.get("PEER_REDIS"))
app.conf.update(
    task_ignore_result=True,
    task_acks_late=False,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    task_send_sent_event=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_default_delivery_mode="transient",
    broker_pool_limit=4,
)


class _Redirected(TwilioHttpClient):  # type: ignore[misc]  # The SDK ships no types.
    def __init__(self, base: str) -> None:
        super().__init__(pool_connections=True)
        self._base = base

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        here = url.replace("https://api.twilio.com", self._base)
        return super().request(method, here, *args, **kwargs)


_own: dict[str, Any] = {}


def _engine() -> Engine:
    return create_engine(os.environ["PEER_DATABASE"], pool_size=1, max_overflow=0)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _connect(**_: Any) -> None:
    logging.disable(logging.INFO)
    _own["engine"] = _engine()
    _own["client"] = Client(ACCOUNT, TOKEN, http_client=_Redirected(os.environ["PEER_CARRIER"]))


@app.task(name="peer.send", ignore_result=True)  # type: ignore[untyped-decorator]
def send(text_id: int) -> None:
    """Read a text, post it, store its SID."""
    engine, client = _own["engine"], _own["client"]
    with engine.connect() as connection:
        row = connection.execute(
            select(texts.c.recipient, texts.c.body, texts.c.status).where(texts.c.id == text_id)
        ).one()
    if row.status != "queued":
        return
    callback = "http://127.0.0.1:9/twilio/status"
    made = client.messages.create(
        to=row.recipient, from_=SENDER, body=row.body, status_callback=callback
    )
    stored = {"status": "sent", "sid": made.sid, "stored_at": func.clock_timestamp()}
    with engine.begin() as connection:
        connection.execute(update(texts).where(texts.c.id == text_id).values(stored))


def form(number: int) -> str:
    """Return the form of a text as the SDK posts it."""
    callback = "http://127.0.0.1:9/twilio/status"
    parts = {"To": phone(number), "From": SENDER, "Body": BODY, "StatusCallback": callback}
    return urlencode(parts)


def authorization() -> str:
    """Return the header that the carrier's account signs in with."""
    return "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()


def poll() -> None:
    """Enqueue what is due, a thousand at a time, until the process is ended."""
    engine = _engine()
    due = (
        select(texts.c.id)
        .where(texts.c.status == "planned", texts.c.due_at <= func.now())
        .order_by(texts.c.due_at)
        .limit(_CHUNK)
        .with_for_update(skip_locked=True)
    )
    taken = update(texts).where(texts.c.id.in_(due.scalar_subquery())).returning(texts.c.id)
    while True:
        with engine.begin() as connection:
            ids = list(connection.execute(taken.values(status="queued")).scalars())
        with app.producer_pool.acquire(block=True) as producer:
            for text_id in ids:
                send.apply_async((text_id,), producer=producer)
        if len(ids) < _CHUNK:
            time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    poll()
