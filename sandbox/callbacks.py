"""Status callbacks: a chain a message, in order unless a fault loses, doubles or mixes them."""

import asyncio
import random
from collections import deque
from typing import Any

from sandbox import clock
from sandbox.carrier import Carrier
from sandbox.faults import Kind
from sandbox.state import Message, Status
from sandbox.webhooks import Job

Params = dict[str, str]


class Callbacks:
    """Posts a message's statuses. Those of one message wait for each other, others do not."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._chains: dict[str, deque[Params]] = {}
        self._running: dict[str, asyncio.Task[Any]] = {}

    def wanted(self, message: Message) -> bool:
        return message.status_callback is not None and self._carrier.config.callbacks

    def tell(self, message: Message) -> None:
        """Queues a callback for the message's present status, as the active faults have it."""
        params = status_params(message)
        faults = self._carrier.faults
        if not faults.active and message.held is None:
            self._enqueue(message, [params])
            return
        if faults.fire((Kind.LOSE_CALLBACKS,), phone=message.to):
            note = _note(message, params)
            self._carrier.log.write("callback", **note, url=message.status_callback, failure="lost")
        else:
            twice = faults.fire((Kind.DUPLICATE_CALLBACKS,), phone=message.to) is not None
            self._hold_or_enqueue(message, [params, params] if twice else [params])
        if message.held and not message.steps:
            batch, message.held = shuffled(message.held, message.held_order), None
            self._enqueue(message, batch)

    def _hold_or_enqueue(self, message: Message, batch: list[Params]) -> None:
        """Callbacks that are to come out of order are kept until the last one is there."""
        if message.held is None:
            shuffle = self._carrier.faults.fire((Kind.SHUFFLE_CALLBACKS,), phone=message.to)
            if shuffle is None:
                self._enqueue(message, batch)
                return
            message.held, message.held_order = [], str(shuffle.options.get("order", "random"))
        message.held.extend(batch)

    def _enqueue(self, message: Message, batch: list[Params]) -> None:
        chain = self._chains.get(message.sid)
        if chain is not None:
            chain.extend(batch)
            return
        self._chains[message.sid] = deque(batch)
        self._running[message.sid] = self._carrier.courier.spawn(self._run(message))

    async def _run(self, message: Message) -> None:
        chain = self._chains[message.sid]
        try:
            while chain:
                await self._post(message, chain.popleft())
        finally:
            del self._chains[message.sid], self._running[message.sid]

    async def _post(self, message: Message, params: Params) -> None:
        delay = self._carrier.faults.fire((Kind.DELAY_CALLBACKS,), phone=message.to)
        if delay is not None:
            await asyncio.sleep(delay.number("ms", 1000.0) / 1000)
        await self._carrier.courier.deliver(
            Job(
                kind="callback",
                url=message.status_callback or "",
                params=params,
                token=self._carrier.token(message.account),
                note=_note(message, params),
            )
        )

    async def drained(self, message: Message, seconds: float) -> None:
        """Waits until nothing of this message is on its way, at most so many seconds."""
        task = self._running.get(message.sid)
        if task is not None:
            await asyncio.wait([task], timeout=seconds)


def _note(message: Message, params: Params) -> dict[str, Any]:
    return {
        "sid": message.sid,
        "to": message.to,
        "from": message.sender,
        "message_status": params["MessageStatus"],
        "error_code": message.error_code if "ErrorCode" in params else None,
    }


def status_params(message: Message) -> Params:
    """The form of a status callback for the message's present status."""
    params = {
        "SmsSid": message.sid,
        "SmsStatus": message.status.value,
        "MessageStatus": message.status.value,
        "To": message.to,
        "MessageSid": message.sid,
        "AccountSid": message.account,
        "From": message.sender,
        "ApiVersion": "2010-04-01",
    }
    if message.service is not None:
        params["MessagingServiceSid"] = message.service
    if message.status in {Status.FAILED, Status.UNDELIVERED}:
        params["ErrorCode"] = str(message.error_code)
    if message.status in {Status.DELIVERED, Status.UNDELIVERED}:
        params["RawDlrDoneDate"] = clock.dlr(message.updated)
    return params


def shuffled(batch: list[Params], order: str) -> list[Params]:
    """The same callbacks in another order: never the one they happened in, if there are two."""
    if order == "reverse":
        return batch[::-1]
    mixed = list(batch)
    distinct = len({entry["MessageStatus"] for entry in batch})
    while distinct > 1 and mixed == batch:
        random.shuffle(mixed)
    return mixed
