"""Twilio: texts out, lists and fetches, and the webhooks it sends us.

How a text is created, and why not by `client.messages.create_async`: the SDK's create has no
place for the write guard, hides `Retry-After`, raises where we need values, and spends about a
third of the time of the call (parameter tables, headers built anew, dates parsed that nobody
reads). So `send` posts the same form, with the SDK's own headers, through the SDK's HTTP
extension point (`messages.gateways.http`). Lists, fetches, updates and signatures are the SDK's.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from yarl import URL

from messages.gateway import (
    Accepted,
    BadWebhook,
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
from messages.gateways.asking import asked, integer
from messages.gateways.calls import CALL_SID, form_of
from messages.gateways.deactivations import deactivated
from messages.gateways.http import (
    FORM,
    SDK_ORIGIN,
    Answer,
    CarrierHttp,
    NoAnswer,
    Timeouts,
)

LARGEST_PAGE = 1000  # Twilio's own limit for PageSize.
CALL_SECONDS = 5.0  # A call to staff is not begun later than this after it was asked for.

_NO_ADDRESS = URL()
_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")

WebhookForm = Mapping[str, str | list[str]]


class TwilioGateway:
    """The gateway to Twilio, or to whatever speaks its protocol at `api_url`.

    One gateway belongs to one event loop, and opens its connections on first use inside it.
    `in_flight` is how many texts may be under way at once; a caller that starts more has them
    wait for a connection, and they end as `connect_timeout` after `timeouts.connect` seconds.
    Urgent texts, and lists and fetches, have as many connections of their own beside these.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_url: str = SDK_ORIGIN,
        in_flight: int = 256,
        timeouts: Timeouts | None = None,
        crashpoint: Crashpoint = no_crashpoint,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        # At INFO this logger prints addresses that hold phone numbers.
        logging.getLogger("twilio.http_client").setLevel(logging.WARNING)
        self.account_sid = account_sid
        self.in_flight = in_flight
        self._http = CarrierHttp(
            api_url=api_url,
            in_flight=in_flight,
            timeouts=timeouts,
            crashpoint=crashpoint,
            monotonic=monotonic,
        )
        client = Client(account_sid, auth_token, http_client=self._http)
        # The SDK reads these two from the environment, where they would change the host.
        client.edge = client.region = None
        self._http.create_headers = {
            **client.get_headers("POST", None),
            "Content-Type": FORM,
            "Authorization": aiohttp.encode_basic_auth(account_sid, auth_token),
        }
        self._client = client
        # Touching the list loads the SDK's API package now (about 50 ms) and not in the loop.
        self._messages = client.api.v2010.account.messages
        account = f"{api_url.rstrip('/')}/2010-04-01/Accounts/{account_sid}"
        self._create_url = URL(f"{account}/Messages.json", encoded=True)
        self._calls_url = URL(f"{account}/Calls.json", encoded=True)

    async def send(self, text: OutboundText, *, write_before: float) -> SendOutcome:
        """Create one message. See `messages.gateway.Gateway.send`."""
        try:
            form = _create_form(text)
        except UnicodeEncodeError:
            # Half a surrogate pair cannot be sent by anybody: 21618 is Twilio's code for that.
            return Refused(code=21618, http_status=0)
        posted = self._http.post(self._create_url, form, write_before, urgent=text.urgent)
        return _outcome(await posted)

    async def call(self, call: VoiceCall) -> SendOutcome:
        """Create one call, at once or not at all."""
        write_before = self._http.monotonic() + CALL_SECONDS
        answer = await self._http.post(self._calls_url, form_of(call), write_before)
        return _outcome(answer, CALL_SID)

    async def find(self, *, to: str, limit: int = 50) -> list[CarrierText]:
        """List what was sent to `to`, newest first, without a date filter."""
        listed = await self._list(limit, to=to)
        return [text for text in listed if text.direction != "inbound"]

    async def received(self, *, to: str, since: datetime, limit: int = 1000) -> list[CarrierText]:
        """List what came in to our number `to` at or after `since`, newest first.

        Twilio's filter knows whole days in GMT only, so the rest of the filter is ours.
        """
        start = since.astimezone(UTC)
        listed = await self._list(limit, to=to, date_sent_after=start.date().isoformat())
        return [text for text in listed if text.direction == "inbound" and _since(text, start)]

    async def sent_on(self, *, day: date, limit: int = 10_000) -> list[CarrierText]:
        """List what the account sent on this UTC day, newest first."""
        listed = await self._list(limit, date_sent=day.isoformat())
        return [text for text in listed if text.direction != "inbound"]

    async def deactivated(self, *, day: date) -> Iterable[str] | None:
        """Read the list of US numbers that were given up on this day."""
        return await deactivated(self._client, self._http, day)

    async def fetch(self, sid: str) -> CarrierText | None:
        """Fetch one message; None if Twilio has none by that sid."""
        if _SID.fullmatch(sid) is None:
            return None
        try:
            found = await asked("fetch a message", self._messages(sid).fetch_async())
        except CarrierUnavailable as error:
            if error.http_status == 404:
                return None
            raise
        return _carrier_text("fetch a message", found)

    async def redact(self, sid: str) -> bool:
        """Blank the body Twilio keeps. False if Twilio declined, as it does before the end."""
        return await self._update("redact a message", sid, body="")

    async def cancel(self, sid: str) -> bool:
        """Cancel a scheduled message. False if it was too late (30409)."""
        return await self._update("cancel a message", sid, status="canceled")

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def _list(self, limit: int, **filters: str) -> list[CarrierText]:
        listed = await asked(
            "list messages",
            self._messages.list_async(limit=limit, page_size=min(limit, LARGEST_PAGE), **filters),
        )
        texts = [_carrier_text("list messages", instance) for instance in listed]
        texts.sort(key=_age_key, reverse=True)
        return texts

    async def _update(self, what: str, sid: str, **change: str) -> bool:
        if _SID.fullmatch(sid) is None:
            return False
        try:
            await asked(what, self._messages(sid).update_async(**change))
        except CarrierUnavailable as error:
            if error.http_status in (400, 404, 409):
                return False
            raise
        return True


def verify_signature(tokens: Sequence[str], url: str, params: WebhookForm, signature: str) -> bool:
    """Return whether Twilio signed this form with one of our tokens.

    `url` is the address as Twilio was given it (our `PUBLIC_URL`, path and query, no fragment).
    Only HMAC-SHA1 under an auth token is accepted: Twilio's header that names another algorithm
    is never read, so a caller cannot choose one. Like the SDK, the address is tried with and
    without its port, because Twilio is not consistent about it.
    """
    form = _Form(params)
    given = signature.encode("utf-8", "replace")
    # An empty token is a setting left blank, with which anybody could sign.
    secrets = [token for token in tokens if token]
    try:
        return any(
            hmac.compare_digest(_signed(secret, address, form), given)
            for address in _with_and_without_port(url)
            for secret in secrets
        )
    except UnicodeEncodeError:
        # Half a surrogate pair was never signed by anybody.
        return False


def parse_inbound(form: WebhookForm) -> InboundText:
    """Read Twilio's webhook for a text that came in.

    The body is kept as it came, and may be empty. Parameters we do not know stay in `raw`.
    Raises `BadWebhook` when a field is missing without which the text cannot be stored.
    """
    raw = _flat(form)
    return InboundText(
        sid=_required(raw, "MessageSid", "SmsMessageSid", "SmsSid"),
        to=_required(raw, "To"),
        from_number=_required(raw, "From"),
        body=raw.get("Body", ""),
        num_media=integer(raw.get("NumMedia")) or 0,
        messaging_service_sid=raw.get("MessagingServiceSid") or None,
        opt_out_type=raw.get("OptOutType") or None,
        account_sid=_required(raw, "AccountSid"),
        raw=raw,
    )


def parse_status(form: WebhookForm) -> StatusReport:
    """Read Twilio's status callback. Raises `BadWebhook` when a field we need is missing."""
    raw = _flat(form)
    return StatusReport(
        sid=_required(raw, "MessageSid", "SmsSid"),
        status=_required(raw, "MessageStatus", "SmsStatus"),
        error_code=integer(raw.get("ErrorCode")),
        account_sid=_required(raw, "AccountSid"),
        to=raw.get("To") or None,
        from_number=raw.get("From") or None,
        raw=raw,
    )


def _create_form(text: OutboundText) -> bytes:
    """Return the form of a create. Raises UnicodeEncodeError for half a surrogate pair."""
    # yarl would leave such a character out without a word.
    text.body.encode()
    form = [("To", text.to), ("Body", text.body), ("ValidityPeriod", str(text.validity_seconds))]
    if text.messaging_service_sid:
        form.append(("MessagingServiceSid", text.messaging_service_sid))
    if text.from_number:
        form.append(("From", text.from_number))
    if text.status_callback:
        form.append(("StatusCallback", text.status_callback))
    # yarl quotes in C: 3 us, where urllib's `urlencode` takes 19 us of the 200 a text costs us.
    return _NO_ADDRESS.with_query(form).raw_query_string.encode("ascii")


def _outcome(answer: Answer | NoAnswer, sid: re.Pattern[str] = _SID) -> SendOutcome:
    """Read the answer to a create. Only a 2xx with a sid says yes; only a 4xx says no."""
    if isinstance(answer, NoAnswer):
        if answer.written:
            return OutcomeUnknown(reason=answer.reason, http_status=answer.http_status)
        return NotProcessed(reason=answer.reason)
    status = answer.status
    if 200 <= status < 300:
        return _created(answer, sid)
    if status == 429:
        return NotProcessed(reason="throttled", retry_after=_retry_after(answer.headers))
    # A 408 comes from a front end that may have lost the request, or its answer.
    if 400 <= status < 500 and status != 408:
        return Refused(code=_error_code(answer.body), http_status=status)
    reason = "server_error" if status >= 500 else "unexpected_status"
    return OutcomeUnknown(reason=reason, http_status=status)


def _created(answer: Answer, pattern: re.Pattern[str]) -> SendOutcome:
    message = _json_object(answer.body)
    if message is None:
        return OutcomeUnknown(reason="garbled", http_status=answer.status)
    sid = message.get("sid")
    if not isinstance(sid, str) or pattern.fullmatch(sid) is None:
        return OutcomeUnknown(reason="no_sid", http_status=answer.status)
    return Accepted(
        sid=sid,
        status=str(message.get("status") or "accepted"),
        segments=integer(message.get("num_segments")) or None,
        error_code=integer(message.get("error_code")),
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _error_code(body: bytes) -> int | None:
    """Return the code of Twilio's envelope, the old one or RFC 9457's."""
    envelope = _json_object(body)
    return integer(envelope.get("code")) if envelope is not None else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After in seconds. A date is measured from the carrier's own clock."""
    wish = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(wish):
        return float(wish)
    try:
        wait = parsedate_to_datetime(wish) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _carrier_text(what: str, instance: Any) -> CarrierText:
    """Copy what we need out of the SDK's instance, which may be of any odd object."""
    if not isinstance(instance.sid, str):
        raise CarrierUnavailable(what, "the answer could not be read")
    return CarrierText(
        sid=instance.sid,
        to=instance.to or "",
        from_number=instance.from_,
        messaging_service_sid=instance.messaging_service_sid,
        body=instance.body or "",
        status=instance.status or "",
        error_code=integer(instance.error_code),
        created_at=instance.date_created,
        sent_at=instance.date_sent,
        direction=instance.direction or "",
        segments=integer(instance.num_segments) or None,
    )


def _age_key(text: CarrierText) -> datetime:
    return text.created_at or text.sent_at or datetime.min.replace(tzinfo=UTC)


def _since(text: CarrierText, start: datetime) -> bool:
    at = text.sent_at or text.created_at
    return at is None or at >= start


def _flat(form: WebhookForm) -> dict[str, str]:
    """Return the first value of each parameter; Twilio sends none twice."""
    return {
        name: value if isinstance(value, str) else (value[0] if value else "")
        for name, value in form.items()
    }


def _required(raw: Mapping[str, str], *names: str) -> str:
    for name in names:
        if value := raw.get(name, "").strip():
            return value
    raise BadWebhook(names[0], "is missing")


class _Form:
    """A form as the SDK's validator wants it: every value of a name, in one cheap call."""

    def __init__(self, params: WebhookForm) -> None:
        self._values = {
            name: [value] if isinstance(value, str) else value for name, value in params.items()
        }

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def getall(self, name: str) -> list[str]:
        return self._values[name]


def _signed(token: str, address: str, form: _Form) -> bytes:
    signature: str = RequestValidator(token).compute_signature(address, form)
    return signature.encode("ascii")


def _with_and_without_port(url: str) -> tuple[str, ...]:
    """Return the address as given, and with its port left out or its default port put in.

    The SDK's own `remove_port` mangles an address that has a user name and a port.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return (url,)
    if port is not None:
        host = parts.netloc.removesuffix(f":{port}")
    else:
        host = f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"
    return (url, url.replace(parts.netloc, host, 1))
