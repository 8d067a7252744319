"""The port to the carrier: what a gateway takes, and the values it hands back.

A text leaves the house through `Gateway.send`, and comes back as a status report or an inbound
text. Two implementations exist: `messages.gateways.twilio` and the shipped in-memory
`messages.gateways.fake`. No value here shows a phone number, a body or a raw webhook in its
`repr`, and no error carries one in its text, because both end up in logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from messages.errors import MessageError

# Called with the name of a point in a send: `send.after_connect` (a connection was acquired,
# nothing is written), `send.after_write`, `send.after_response`. Armed in crash tests only.
Crashpoint = Callable[[str], None]


def no_crashpoint(_name: str) -> None:
    """Do nothing, as everywhere outside of a crash test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundText:
    """One text as it is handed to the carrier.

    `messaging_service_sid` or `from_number` (or both) names the sender. `status_callback` is the
    full address, with our message id and attempt in its query. `validity_seconds` is how long the
    carrier may keep the text queued (Twilio takes 1 to 36,000). One that is `urgent` waits for no
    connection that others hold.
    """

    to: str = field(repr=False)
    body: str = field(repr=False)
    messaging_service_sid: str | None = None
    from_number: str | None = field(default=None, repr=False)
    status_callback: str | None = None
    validity_seconds: int
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceCall:
    """One call to a member of staff. `url` answers what is said, `status_callback` how it went."""

    to: str = field(repr=False)
    from_number: str = field(repr=False)
    url: str
    status_callback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The carrier created the message, or the call.

    `segments` is None while the carrier has not counted them: a text sent through a messaging
    service reports 0 until a sender is chosen.
    """

    sid: str
    status: str
    segments: int | None = None
    error_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotProcessed:
    """The carrier provably created nothing, so the text may be tried again.

    `retry_after` is the carrier's wish in seconds, where it gave one. Reasons: `guard` (too late
    to write), `throttled` (429), `dns`, `refused_connection`, `connect_timeout`, `tls`,
    `connect`, `connection_lost` (before a byte was written), `closed`, `internal:<type>`.
    """

    reason: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The carrier's definite no (4xx). `code` is None where it gave no error envelope.

    `http_status` is 0 when our side refused a body that cannot be written as UTF-8.
    """

    code: int | None
    http_status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown:
    """Bytes were written and no definite word came back: maybe created, never blindly repeated.

    Reasons: `timeout`, `disconnected`, `truncated`, `garbled`, `no_sid`, `server_error`,
    `unexpected_status`, `failed:<type>`.
    """

    reason: str
    http_status: int | None = None


SendOutcome = Accepted | NotProcessed | Refused | OutcomeUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierText:
    """One message as the carrier's own list shows it; times are UTC.

    `sent_at` is empty while an outbound message is queued. `direction` is the carrier's word:
    `inbound`, or one that begins with `outbound`.
    """

    sid: str
    to: str = field(repr=False)
    from_number: str | None = field(repr=False)
    messaging_service_sid: str | None
    body: str = field(repr=False)
    status: str
    error_code: int | None
    created_at: datetime | None
    sent_at: datetime | None
    direction: str
    segments: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundText:
    """A text a patient sent us, as the carrier's webhook told it. `body` may be empty."""

    sid: str
    to: str = field(repr=False)
    from_number: str = field(repr=False)
    body: str = field(repr=False)
    num_media: int
    messaging_service_sid: str | None
    opt_out_type: str | None
    account_sid: str
    raw: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRoute:
    """Where the carrier takes what comes in to a messaging service, or to one number of ours.

    `owner` is the service's SID or the number. `known` is False where the account has none by that
    name. `elsewhere`: something else of the carrier's decides, whose addresses we can't see.
    """

    owner: str
    known: bool = True
    elsewhere: bool = False
    inbound_url: str | None = None
    fallback_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The carrier's later word on a message of ours. `status` is the carrier's own word."""

    sid: str
    status: str
    error_code: int | None
    account_sid: str
    to: str | None = field(repr=False)
    from_number: str | None = field(repr=False)
    raw: Mapping[str, str] = field(repr=False)


class GatewayError(MessageError):
    """Base of what a gateway raises."""


class CarrierUnavailable(GatewayError):  # noqa: N818  (The name says what happened; callers say `except CarrierUnavailable`.)
    """The carrier could not be asked, so nothing may be concluded from the silence."""

    def __init__(self, what: str, reason: str, http_status: int | None = None) -> None:
        """Keep the operation, a word for the cause and the HTTP status; never what was asked."""
        shown = f"HTTP {http_status}, {reason}" if http_status is not None else reason
        super().__init__(f"The carrier could not {what} ({shown}). Ask again later.")
        self.reason = reason
        self.http_status = http_status


class BadWebhook(GatewayError):  # noqa: N818
    """A webhook lacks what we need to store it."""

    def __init__(self, field_name: str, reason: str) -> None:
        """Keep the form field's name and what is wrong with it; never its value."""
        super().__init__(f"The webhook's {field_name} {reason}. Check what posts to this address.")
        self.field = field_name
        self.reason = reason


class Gateway(Protocol):
    """What the steps need of a carrier. All times are aware and UTC."""

    async def send(self, text: OutboundText, *, write_before: float) -> SendOutcome:
        """Hand one text over; every result is a value.

        `write_before` is a `time.monotonic()` instant: it is checked right before the request is
        written, and past it nothing is sent (`NotProcessed("guard")`). Only a cancellation is
        raised, and then the outcome is not known.
        """
        ...

    async def call(self, call: VoiceCall) -> SendOutcome:
        """Have a phone called; every result is a value."""
        ...

    async def find(self, *, to: str, limit: int = 50) -> list[CarrierText]:
        """Return what was sent to this recipient, newest first.

        No date filter is used: a queued message has no sent date yet and would be missed.
        Raises `CarrierUnavailable`.
        """
        ...

    async def received(self, *, to: str, since: datetime, limit: int = 1000) -> list[CarrierText]:
        """Return what came in to a number of ours at or after `since`, newest first.

        As many as `limit` back means there may be more. Raises `CarrierUnavailable`.
        """
        ...

    async def sent_on(self, *, day: date, limit: int = 10_000) -> list[CarrierText]:
        """Return what the account sent on this UTC day, whatever the sender, newest first.

        As many as `limit` back means there may be more. Raises `CarrierUnavailable`.
        """
        ...

    async def deactivated(self, *, day: date) -> Iterable[str] | None:
        """Return the numbers (E.164) that mobile carriers gave up, or lost to another, on a day.

        None where the carrier has no list of that day, or none yet. Raises `CarrierUnavailable`.
        """
        ...

    async def fetch(self, sid: str) -> CarrierText | None:
        """Return one message, or None if the carrier has none. Raises `CarrierUnavailable`."""
        ...

    async def redact(self, sid: str) -> bool:
        """Blank the body the carrier keeps; False if it declined. Raises `CarrierUnavailable`."""
        ...

    async def cancel(self, sid: str) -> bool:
        """Cancel a message the carrier still holds; False if too late. Raises the same."""
        ...

    async def close(self) -> None:
        """Close connections; the gateway sends nothing afterwards."""
        ...
