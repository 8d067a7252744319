"""A carrier in memory, for tests and the simulator: deterministic, without sleeping or network.

What it is told to answer and what it really did are two things, as with a real carrier: a lost
answer may or may not have created a message. `ledger` is the truth a test judges by.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from messages.gateway import (
    Accepted,
    CarrierText,
    CarrierUnavailable,
    Crashpoint,
    InboundText,
    NotProcessed,
    OutboundText,
    OutcomeUnknown,
    Refused,
    SendOutcome,
    StatusReport,
    VoiceCall,
    no_crashpoint,
)

_NO_TIME = timedelta(0)
_HELD = frozenset({"accepted", "scheduled", "queued"})  # What Twilio can still cancel.


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How one send goes: what the carrier does, and what the caller hears of it.

    `answer` None means the message is created and the caller is told so. `appears_after` is added
    to the gateway's list lag for this message.
    """

    answer: SendOutcome | None = None
    creates: bool = True
    appears_after: timedelta = _NO_TIME


ACCEPT = Script()


def refuse(code: int | None, http_status: int = 400) -> Script:
    """Script a definite no."""
    return Script(answer=Refused(code=code, http_status=http_status), creates=False)


def throttle(retry_after: float | None = None) -> Script:
    """Script a 429."""
    answer = NotProcessed(reason="throttled", retry_after=retry_after)
    return Script(answer=answer, creates=False)


def unreachable(reason: str = "refused_connection") -> Script:
    """Script a carrier that could not be reached."""
    return Script(answer=NotProcessed(reason=reason), creates=False)


def lose_answer(
    *,
    creates: bool,
    reason: str = "timeout",
    http_status: int | None = None,
    appears_after: timedelta = _NO_TIME,
) -> Script:
    """Script an answer that never comes, with or without a message created behind it."""
    answer = OutcomeUnknown(reason=reason, http_status=http_status)
    return Script(answer=answer, creates=creates, appears_after=appears_after)


class FakeGateway:
    """The in-memory carrier. `clock` gives aware UTC instants; the test moves it.

    Each send takes its script from the recipient's queue, else from the queue for anybody, else
    from the recipient's standing script, else it is accepted. `list_lag` is how long a message
    stays out of the carrier's list. While `outage` is set, lists and fetches fail.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        list_lag: timedelta = _NO_TIME,
        account_sid: str = "AC" + "0" * 32,
        crashpoint: Crashpoint = no_crashpoint,
    ) -> None:
        self.account_sid = account_sid
        self.list_lag = list_lag
        self.outage = False
        # Numbers and SIDs about which alone every question fails.
        self.untold: set[str] = set()
        self.closed = False
        self.calls: list[OutboundText] = []
        # Phones that were called, and how calls to a number go unless they are accepted.
        self.voiced: list[VoiceCall] = []
        self.lines: dict[str, SendOutcome] = {}
        self.ledger: dict[str, CarrierText] = {}
        # The numbers that mobile carriers gave up, by the day; None: there is no list of it.
        self.given_up: dict[date, list[str] | None] = {}
        self._clock = clock
        self._monotonic = monotonic
        self._crashpoint = crashpoint
        self._anybody: deque[Script] = deque()
        self._queues: defaultdict[str, deque[Script]] = defaultdict(deque)
        self._standing: dict[str, Script] = {}
        self._visible_at: dict[str, datetime] = {}

    def script(self, *scripts: Script, to: str | None = None) -> None:
        """Queue how the next sends go, to one recipient or to anybody."""
        (self._anybody if to is None else self._queues[to]).extend(scripts)

    def always(self, to: str, script: Script | None) -> None:
        """Set how every send to a recipient goes once its queue is empty; None takes it back."""
        if script is None:
            self._standing.pop(to, None)
        else:
            self._standing[to] = script

    def created(self, to: str | None = None) -> list[CarrierText]:
        """Return the outbound messages that exist at the carrier, oldest first."""
        made = (text for text in self.ledger.values() if text.direction != "inbound")
        return [text for text in made if to is None or text.to == to]

    def receive(
        self,
        *,
        from_number: str,
        to: str,
        body: str,
        messaging_service_sid: str | None = None,
        opt_out_type: str | None = None,
    ) -> InboundText:
        """Let a patient write; the text is in the carrier's list and is returned as a webhook."""
        sid = self._record(
            to=to,
            from_number=from_number,
            messaging_service_sid=messaging_service_sid,
            body=body,
            direction="inbound",
            appears_after=_NO_TIME,
        )
        raw = {"MessageSid": sid, "SmsStatus": "received", "NumMedia": "0", "Body": body}
        raw |= {"From": from_number, "To": to, "AccountSid": self.account_sid}
        return InboundText(
            sid=sid,
            to=to,
            from_number=from_number,
            body=body,
            num_media=0,
            messaging_service_sid=messaging_service_sid,
            opt_out_type=opt_out_type,
            account_sid=self.account_sid,
            raw=raw,
        )

    def report(self, sid: str, status: str, error_code: int | None = None) -> StatusReport:
        """Move a message to a carrier status and return the callback that tells of it.

        A callback scripted out of order may name an older status: the ledger takes each as told.
        """
        text = self.ledger[sid]
        sent_at = text.sent_at or (None if status in _HELD else self._clock())
        self.ledger[sid] = replace(text, status=status, error_code=error_code, sent_at=sent_at)
        raw = {"MessageSid": sid, "MessageStatus": status, "AccountSid": self.account_sid}
        if error_code is not None:
            raw["ErrorCode"] = str(error_code)
        return StatusReport(
            sid=sid,
            status=status,
            error_code=error_code,
            account_sid=self.account_sid,
            to=text.to,
            from_number=text.from_number,
            raw=raw,
        )

    async def send(self, text: OutboundText, *, write_before: float) -> SendOutcome:
        """Send as scripted. See `messages.gateway.Gateway.send`."""
        if self.closed:
            return NotProcessed(reason="closed")
        self._crashpoint("send.after_connect")
        if self._monotonic() > write_before:
            return NotProcessed(reason="guard")
        self.calls.append(text)
        script = self._next(text.to)
        sid = self._create(text, script) if script.creates else None
        self._crashpoint("send.after_write")
        self._crashpoint("send.after_response")
        if script.answer is not None:
            return script.answer
        if sid is None:
            return OutcomeUnknown(reason="no_sid", http_status=201)
        return Accepted(sid=sid, status=self.ledger[sid].status)

    async def call(self, call: VoiceCall) -> SendOutcome:
        """Call a phone; accepted unless `lines` says otherwise of its number."""
        self.voiced.append(call)
        return self.lines.get(call.to) or Accepted(
            sid=f"CA{len(self.voiced):032x}", status="queued"
        )

    async def find(self, *, to: str, limit: int = 50) -> list[CarrierText]:
        """List what was sent to `to`, newest first, as far as the list shows it yet."""
        self._ask("list messages", about=to)
        texts = [text for text in self._listed() if text.to == to and text.direction != "inbound"]
        return texts[:limit]

    async def received(self, *, to: str, since: datetime, limit: int = 1000) -> list[CarrierText]:
        """List what came in to `to` at or after `since`, newest first."""
        self._ask("list messages")
        texts = [text for text in self._listed() if text.to == to and text.direction == "inbound"]
        return [text for text in texts if text.created_at is None or text.created_at >= since][
            :limit
        ]

    async def sent_on(self, *, day: date, limit: int = 10_000) -> list[CarrierText]:
        """List what was sent on this UTC day, newest first."""
        self._ask("list messages")
        texts = [text for text in self._listed() if text.direction != "inbound"]
        return [text for text in texts if text.sent_at and text.sent_at.date() == day][:limit]

    async def deactivated(self, *, day: date) -> Iterable[str] | None:
        """Return the numbers given up on this day: nobody's, unless told. None: not over (UTC)."""
        self._ask("list deactivated numbers")
        return self.given_up.get(day, []) if day < self._clock().date() else None

    async def fetch(self, sid: str) -> CarrierText | None:
        """Return one message. A fetch by sid has no lag."""
        self._ask("fetch a message", about=sid)
        return self.ledger.get(sid)

    async def redact(self, sid: str) -> bool:
        """Blank a message's body."""
        self._ask("redact a message")
        if sid not in self.ledger:
            return False
        self.ledger[sid] = replace(self.ledger[sid], body="")
        return True

    async def cancel(self, sid: str) -> bool:
        """Cancel a message that was not sent yet."""
        self._ask("cancel a message")
        text = self.ledger.get(sid)
        if text is None or text.status not in _HELD:
            return False
        self.ledger[sid] = replace(text, status="canceled")
        return True

    async def close(self) -> None:
        """Close; every later send is `NotProcessed("closed")`."""
        self.closed = True

    def _next(self, to: str) -> Script:
        if queue := self._queues.get(to):
            return queue.popleft()
        if self._anybody:
            return self._anybody.popleft()
        return self._standing.get(to, ACCEPT)

    def _create(self, text: OutboundText, script: Script) -> str:
        return self._record(
            to=text.to,
            from_number=text.from_number,
            messaging_service_sid=text.messaging_service_sid,
            body=text.body,
            direction="outbound-api",
            appears_after=script.appears_after,
        )

    def _record(
        self,
        *,
        to: str,
        from_number: str | None,
        messaging_service_sid: str | None,
        body: str,
        direction: str,
        appears_after: timedelta,
    ) -> str:
        now = self._clock()
        sid = f"SM{len(self.ledger) + 1:032x}"
        inbound = direction == "inbound"
        self.ledger[sid] = CarrierText(
            sid=sid,
            to=to,
            from_number=from_number,
            messaging_service_sid=messaging_service_sid,
            body=body,
            status="received" if inbound else "accepted" if messaging_service_sid else "queued",
            error_code=None,
            created_at=now,
            sent_at=now if inbound else None,
            direction=direction,
            segments=None,
        )
        self._visible_at[sid] = now + self.list_lag + appears_after
        return sid

    def _listed(self) -> Iterator[CarrierText]:
        now = self._clock()
        return (text for sid, text in reversed(self.ledger.items()) if self._visible_at[sid] <= now)

    def _ask(self, what: str, *, about: str | None = None) -> None:
        if self.outage or self.closed or about in self.untold:
            raise CarrierUnavailable(what, "closed" if self.closed else "outage")
