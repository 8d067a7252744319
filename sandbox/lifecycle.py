"""A text's way from accepted to delivered.

Statuses are worked out when somebody looks: a message carries its remaining steps and the instant
of the next. Only messages with a status callback are put on the timer, so that a text nobody
asked to hear about costs nothing after its creation.
"""

import asyncio
import heapq

from sandbox.callbacks import Callbacks
from sandbox.carrier import Carrier
from sandbox.config import Delays, Outcome
from sandbox.state import Message, Status

_EARLY_WAIT_SECONDS = 10.0
_NEVER = float("inf")
_VALIDITY_EXPIRED = 30036
_UNKNOWN_ERROR = 30008
Steps = tuple[tuple[Status, float], ...]


def plan(initial: Status, ending: str, delays: Delays) -> Steps:
    """The statuses after the initial one, with the seconds each takes to be reached."""
    queued = () if initial is Status.QUEUED else ((Status.QUEUED, delays.queued),)
    if ending == Status.FAILED:
        return (*queued, (Status.FAILED, delays.failed))
    way: Steps = (*queued, (Status.SENDING, delays.sending), (Status.SENT, delays.sent))
    if ending == Status.SENT:
        return way
    return (*way, (Status(ending), delays.delivered))


class Lifecycle:
    """Moves messages through their steps and has the callbacks posted."""

    def __init__(self, carrier: Carrier, callbacks: Callbacks) -> None:
        self._carrier = carrier
        self._callbacks = callbacks
        self._due: list[tuple[float, int, Message]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._plans: dict[tuple[Status, str, Delays], Steps] = {}

    @property
    def waiting(self) -> int:
        """Messages with steps ahead that somebody will be told about."""
        return sum(1 for _, _, message in self._due if message.steps)

    @property
    def moving(self) -> bool:
        """Whether there is such a message; cheaper than to count them."""
        return any(message.steps for _, _, message in self._due)

    def begin(self, message: Message, *, outcome: Outcome | None = None, hold: float = 0.0) -> None:
        """Plans a new message's steps; `hold` seconds pass before the first (a scheduled text)."""
        store, config = self._carrier.store, self._carrier.config
        ending = outcome or store.outcomes.get(message.to, config.outcome)
        key = (message.status, ending.status, config.delays)
        steps = self._plans.get(key)
        if steps is None:
            steps = self._plans[key] = plan(*key)
        message.steps = steps
        message.fate = ending.error_code
        # A scheduled text's validity counts from the instant it was scheduled for.
        message.validity += int(hold)
        message.next_at = message.born + hold + steps[0][1]
        if self._callbacks.wanted(message):
            self._push(message)

    def settle(self, message: Message) -> Message:
        """Takes every step that is due by now, so that whoever looks sees the truth."""
        if message.steps:
            now = self._carrier.ticks()
            while message.next_at <= now:
                self._step(message)
        return message

    def _step(self, message: Message) -> None:
        (status, _), *rest = message.steps
        at = message.next_at
        if status is Status.SENDING and at - message.born > message.validity:
            # The carrier looks at the validity period when it takes the text off its queue.
            status, rest, message.fate = Status.FAILED, [], _VALIDITY_EXPIRED
        message.status = status
        message.steps = tuple(rest)
        message.next_at = at + rest[0][1] if rest else _NEVER
        message.updated = message.created + (at - message.born)
        if status is Status.SENT:
            message.sent = message.updated
        if status in {Status.FAILED, Status.UNDELIVERED}:
            message.error_code = message.fate or _UNKNOWN_ERROR
            message.error_message = f"Error {message.error_code}"
        if self._callbacks.wanted(message):
            self._callbacks.tell(message)

    def cancel(self, message: Message) -> None:
        """Ends a message before the carrier sends it; its callback goes out."""
        message.status, message.steps, message.next_at = Status.CANCELED, (), _NEVER
        message.updated = self._carrier.now()
        if self._callbacks.wanted(message):
            self._callbacks.tell(message)

    async def hurry(self, message: Message) -> None:
        """Goes the whole way now and waits for the callbacks: they arrive before the 201 does."""
        while message.steps:
            message.next_at = min(message.next_at, self._carrier.ticks())
            self._step(message)
        await self._callbacks.drained(message, _EARLY_WAIT_SECONDS)

    def _push(self, message: Message) -> None:
        heapq.heappush(self._due, (message.next_at, message.seq, message))
        if self._timer is None or self._timer.when() > message.next_at:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._due[0][0], self._ring)

    def _ring(self) -> None:
        now = self._carrier.ticks()
        while self._due and self._due[0][0] <= now:
            message = heapq.heappop(self._due)[2]
            self.settle(message)
            if message.next_at != _NEVER:
                heapq.heappush(self._due, (message.next_at, message.seq, message))
        self._arm()

    def stop(self) -> None:
        self._due.clear()
        self._arm()
