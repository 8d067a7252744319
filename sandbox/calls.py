"""Voice calls, as far as paging a member of staff needs them.

A call rings a virtual phone, which answers, is busy or does not; the TwiML at `Url` (or given as
`Twiml`) is run: what is said becomes a transcript, and a Gather waits for digits that somebody
presses through the control API.
"""

import asyncio
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

from sandbox import clock
from sandbox.carrier import Carrier
from sandbox.webhooks import Job, Result

_GATHER_SECONDS = 5.0
_MOST_DOCUMENTS = 20


class CallStatus(StrEnum):
    """Twilio's call statuses."""

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"


ENDED = frozenset(
    {
        CallStatus.COMPLETED,
        CallStatus.BUSY,
        CallStatus.NO_ANSWER,
        CallStatus.FAILED,
        CallStatus.CANCELED,
    }
)
_EVENTS: Mapping[CallStatus, str] = {
    CallStatus.INITIATED: "initiated",
    CallStatus.RINGING: "ringing",
    CallStatus.IN_PROGRESS: "answered",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What a virtual phone does when it rings, and the keys it presses by itself."""

    does: str = "answer"
    digits: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One call in either direction, with its transcript."""

    sid: str
    seq: int
    account: str
    to: str
    caller: str
    direction: str
    created: float
    url: str | None = None
    twiml: str | None = None
    status_callback: str | None = None
    events: frozenset[str] = frozenset({"completed"})
    status: CallStatus = CallStatus.QUEUED
    started: float | None = None
    ended: float | None = None
    said: list[str] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    keys: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    told: int = 0

    @property
    def phone(self) -> str:
        return self.caller if self.direction == "inbound" else self.to

    @property
    def seconds(self) -> int:
        if self.started is None or self.ended is None:
            return 0
        return max(round(self.ended - self.started), 0)


class Switchboard:
    """Runs calls. One task a call; it ends with the call or with the sandbox."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self.calls: dict[str, Call] = {}
        self.habits: dict[str, Habit] = {}
        self._seq = 0

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def start(self, call: Call) -> None:
        """Keeps the call, logs it and lets it ring."""
        self.calls[call.sid] = call
        if len(self.calls) > self._carrier.config.keep:
            del self.calls[next(iter(self.calls))]
        self._carrier.log.write(
            "call",
            sid=call.sid,
            to=call.to,
            **{"from": call.caller},
            direction=call.direction,
            url=call.url,
            status_callback=call.status_callback,
        )
        self._carrier.courier.spawn(self._run(call))

    def press(self, call: Call, digits: str) -> None:
        """A virtual phone presses keys; a Gather that comes later takes them too."""
        call.pressed.append(digits)
        self._carrier.log.write("digits", sid=call.sid, to=call.to, digits=digits)
        call.keys.put_nowait(digits)

    def hang_up(self, call: Call, status: CallStatus = CallStatus.COMPLETED) -> None:
        """Ends the call once; its status callback goes out."""
        if call.status in ENDED:
            return
        call.ended = self._carrier.now()
        self._enter(call, status)
        call.over.set()

    def reset(self) -> None:
        """Forgets calls and habits; calls under way end."""
        for call in list(self.calls.values()):
            self.hang_up(call)
        self.calls.clear()
        self.habits.clear()

    async def _run(self, call: Call) -> None:
        habit = self.habits.get(call.phone, Habit())
        delays = self._carrier.config.delays
        if call.direction != "inbound":
            self._enter(call, CallStatus.INITIATED)
            await asyncio.sleep(delays.ringing)
            self._enter(call, CallStatus.RINGING)
            await asyncio.sleep(delays.answered)
            if habit.does != "answer":
                self.hang_up(call, CallStatus(habit.does))
                return
        if call.status in ENDED:
            return
        call.started = self._carrier.now()
        self._enter(call, CallStatus.IN_PROGRESS)
        if habit.digits:
            self.press(call, habit.digits)
        await self._converse(call)
        self.hang_up(call)

    def _enter(self, call: Call, status: CallStatus) -> None:
        if call.status in ENDED:
            return
        call.status = status
        event = _EVENTS.get(status, "completed")
        if call.status_callback is not None and event in call.events:
            params = call_params(call) | self._progress(call)
            self._carrier.courier.spawn(self._post(call, call.status_callback, params))

    def _progress(self, call: Call) -> dict[str, str]:
        call.told += 1
        extra = {
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(call.told - 1),
            "Timestamp": clock.rfc2822(self._carrier.now()) or "",
        }
        if call.status in ENDED:
            extra |= {"CallDuration": str(call.seconds), "Duration": str(-(-call.seconds // 60))}
        return extra

    async def _post(self, call: Call, url: str, params: dict[str, str]) -> Result:
        note = {"sid": call.sid, "to": call.to, "from": call.caller}
        return await self._carrier.courier.deliver(
            Job(
                kind="call-webhook",
                url=url,
                params=params,
                token=self._carrier.token(call.account),
                note=note | {"call_status": params["CallStatus"], "digits": params.get("Digits")},
            )
        )

    async def _converse(self, call: Call) -> None:
        """Runs TwiML documents one after the other until one says nothing more is to come."""
        document, base = call.twiml, call.url or ""
        following: tuple[str, dict[str, str]] | None = None
        if document is None:
            following = (base, {})
        for _ in range(_MOST_DOCUMENTS):
            if following is not None:
                base = urljoin(base, following[0])
                result = await self._post(call, base, call_params(call) | following[1])
                document = result.body if result.ok else None
            if document is None or call.status in ENDED:
                return
            following = await self._perform(call, document)
            if following is None:
                return

    async def _perform(self, call: Call, document: str) -> tuple[str, dict[str, str]] | None:
        """Runs one document; returns the address and parameters of the next, if there is one."""
        try:
            # The document comes from the product under test; expat bounds entity expansion.
            root = ET.fromstring(document)  # noqa: S314
        except ET.ParseError:
            call.said.append("An application error has occurred.")
            return None
        for verb in root:
            if verb.tag == "Redirect":
                return (verb.text or "").strip(), {}
            if verb.tag in {"Hangup", "Reject"}:
                return None
            if verb.tag == "Gather":
                digits = await self._gather(call, verb)
                if digits:
                    return verb.get("action", ""), {"Digits": digits, "msg": "Gather End"}
                if call.status in ENDED:
                    return None
            else:
                self._say(call, verb)
        return None

    @staticmethod
    def _say(call: Call, verb: ET.Element) -> None:
        text = html.unescape("".join(verb.itertext())).strip()
        if text:
            call.said.append(text if verb.tag == "Say" else f"[{verb.tag}: {text}]")

    async def _gather(self, call: Call, verb: ET.Element) -> str:
        for inner in verb:
            self._say(call, inner)
        timeout = _float(verb.get("timeout"), _GATHER_SECONDS)
        wanted = verb.get("numDigits")
        end = self._carrier.ticks() + max(timeout, self._carrier.config.patience)
        digits = ""
        while not wanted or len(digits) < int(wanted):
            pressed = await self._next_keys(call, end - self._carrier.ticks())
            if pressed is None:
                break
            digits += pressed
            finish = verb.get("finishOnKey", "#")
            if not wanted or (finish and finish in digits):
                digits = digits.partition(finish)[0] if finish else digits
                break
        return digits[: int(wanted)] if wanted else digits

    @staticmethod
    async def _next_keys(call: Call, seconds: float) -> str | None:
        """What is pressed next; None when nothing is, or when the call ends meanwhile."""
        key = asyncio.ensure_future(call.keys.get())
        over = asyncio.ensure_future(call.over.wait())
        try:
            await asyncio.wait(
                (key, over), timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED
            )
            return key.result() if key.done() else None
        finally:
            key.cancel()
            over.cancel()


def _float(raw: str | None, default: float) -> float:
    return float(raw) if raw is not None and raw.replace(".", "", 1).isdigit() else default


def call_params(call: Call) -> dict[str, str]:
    """The form that goes with every voice webhook."""
    return {
        "CallSid": call.sid,
        "AccountSid": call.account,
        "From": call.caller,
        "To": call.to,
        "Caller": call.caller,
        "Called": call.to,
        "CallStatus": call.status.value,
        "ApiVersion": "2010-04-01",
        "Direction": call.direction,
    }


def render(call: Call) -> dict[str, Any]:
    """The Call document of the 2010 API."""
    uri = f"/2010-04-01/Accounts/{call.account}/Calls/{call.sid}"
    return {
        "sid": call.sid,
        "account_sid": call.account,
        "api_version": "2010-04-01",
        "to": call.to,
        "to_formatted": call.to,
        "from": call.caller,
        "from_formatted": call.caller,
        "status": call.status.value,
        "direction": call.direction,
        "date_created": clock.rfc2822(call.created),
        "date_updated": clock.rfc2822(call.ended or call.started or call.created),
        "start_time": clock.rfc2822(call.started),
        "end_time": clock.rfc2822(call.ended),
        "duration": str(call.seconds) if call.ended is not None else None,
        "answered_by": None,
        "parent_call_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "uri": f"{uri}.json",
        "subresource_uris": {},
    }
