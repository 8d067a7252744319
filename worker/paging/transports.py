"""The four ways a page leaves: the texts' account, a voice call, SMTP, and a signed webhook.

Each is one function with its own time limit, which says what came of it and never raises what it
was asked with. A page may arrive twice; it must not get lost.
"""

import asyncio
import hashlib
import hmac
import json
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from enum import StrEnum
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from messages.gateway import (
    Accepted,
    Gateway,
    OutboundText,
    Refused,
    SendOutcome,
    VoiceCall,
)
from messages.gateways.twilio import TwilioGateway
from schedules.ladder import Channel
from worker.settings import Settings

_WRITE_SECONDS, _SMTP_SECONDS, _WEBHOOK_SECONDS = 5.0, 10.0, 5.0
_TEXT_VALID_SECONDS = 900
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SIGNATURE_HEADER = "Aftercare-Signature"


class Result(StrEnum):
    """What came of one try."""

    ACCEPTED = "accepted"
    AGAIN = "again"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One try's end. `reference` is the other side's own id, `error` a word without any address."""

    result: Result
    reference: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One delivery with all that a transport needs, read in the transaction that claimed it."""

    delivery_id: UUID
    page_id: UUID
    clinic_id: UUID
    channel: Channel
    address: str | None = field(repr=False)
    text: str = field(repr=False)
    subject: str = field(repr=False)
    letter: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    from_number: str | None = field(repr=False)
    messaging_service_sid: str | None


Transport = Callable[[Job], Sent]
MakeGateway = Callable[[bool], AbstractAsyncContextManager[Gateway]]


def transports(settings: Settings, make_gateway: MakeGateway | None = None) -> dict[str, Transport]:
    """Return a transport for each channel that the settings provide for.

    `make_gateway` opens a gateway, to the second account if asked with True.
    """
    make = make_gateway or partial(opened, settings)
    found: dict[str, Transport] = {
        Channel.SMS: partial(_text, settings, make),
        Channel.VOICE: partial(_call, settings, make),
    }
    if settings.smtp_url:
        found[Channel.EMAIL] = partial(_mail, settings.smtp_url.get_secret_value())
    if settings.page_webhook_url and settings.page_webhook_secret:
        secret = settings.page_webhook_secret.get_secret_value()
        found[Channel.WEBHOOK] = partial(_post, settings.page_webhook_url, secret)
    return found


@asynccontextmanager
async def opened(settings: Settings, second: bool) -> AsyncIterator[Gateway]:
    """Open a gateway of its own for one page: nothing that texts wait for can hold it up."""
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token
    if second and settings.page_account_sid and settings.page_auth_token:
        sid, token = settings.page_account_sid, settings.page_auth_token
    gateway = TwilioGateway(
        account_sid=sid,
        auth_token=token.get_secret_value(),
        api_url=settings.carrier_url,
        in_flight=2,
    )
    try:
        yield gateway
    finally:
        await gateway.close()


def _text(settings: Settings, make: MakeGateway, job: Job) -> Sent:
    text = OutboundText(
        to=job.address or "",
        body=job.text,
        messaging_service_sid=job.messaging_service_sid,
        from_number=job.from_number,
        status_callback=f"{settings.public_url}/twilio/paging/status?delivery={job.delivery_id}",
        validity_seconds=_TEXT_VALID_SECONDS,
    )

    async def send() -> SendOutcome:
        async with make(False) as gateway:
            return await gateway.send(text, write_before=time.monotonic() + _WRITE_SECONDS)

    return _read(asyncio.run(send()))


def _call(settings: Settings, make: MakeGateway, job: Job) -> Sent:
    second = settings.page_account_sid is not None
    caller = settings.page_from if second else job.from_number
    if caller is None:
        return Sent(result=Result.REFUSED, error="no_number_to_call_from")
    call = VoiceCall(
        to=job.address or "",
        from_number=caller,
        url=f"{settings.public_url}/twilio/voice/page?page={job.page_id}",
        status_callback=f"{settings.public_url}/twilio/paging/status?delivery={job.delivery_id}",
    )

    async def send() -> SendOutcome:
        async with make(second) as gateway:
            return await gateway.call(call)

    return _read(asyncio.run(send()))


def _read(outcome: SendOutcome) -> Sent:
    if isinstance(outcome, Accepted):
        return Sent(result=Result.ACCEPTED, reference=outcome.sid)
    if isinstance(outcome, Refused):
        return Sent(result=Result.REFUSED, error=f"code_{outcome.code or outcome.http_status}")
    return Sent(result=Result.AGAIN, error=outcome.reason)


def _mail(url: str, job: Job) -> Sent:
    """Hand an e-mail to the server of SMTP_URL, encrypted unless it is on this machine."""
    parts = urlsplit(url)
    letter = EmailMessage()
    letter["From"], letter["To"] = _from(url), job.address or ""
    letter["Subject"], letter["Date"] = job.subject, formatdate()
    letter["Message-ID"] = f"<{job.delivery_id}@{parts.hostname}>"
    letter["Auto-Submitted"], letter["X-Priority"] = "auto-generated", "1"
    letter.set_content(job.letter)
    try:
        with _server(url) as server:
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(letter)
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=550)
        return _mail_refused(code)
    except smtplib.SMTPResponseException as error:
        return _mail_refused(error.smtp_code)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return Sent(result=Result.AGAIN, error=type(error).__name__)
    return Sent(result=Result.ACCEPTED, reference=str(job.delivery_id))


def _mail_refused(code: int) -> Sent:
    final = 500 <= code < 600
    return Sent(result=Result.REFUSED if final else Result.AGAIN, error=f"smtp_{code}")


def _from(url: str) -> str:
    parts = urlsplit(url)
    asked = parse_qs(parts.query).get("from")
    user = unquote(parts.username or "")
    return asked[0] if asked else user if "@" in user else f"aftercare@{parts.hostname}"


def _server(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "smtps":
        port, context = parts.port or smtplib.SMTP_SSL_PORT, ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=_SMTP_SECONDS, context=context)
    server = smtplib.SMTP(host, parts.port or 587, timeout=_SMTP_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
    elif host not in _LOOPBACK:
        server.close()
        raise smtplib.SMTPNotSupportedError("the server offers no encryption")
    return server


def signature(secret: str, at: int, body: bytes) -> str:
    """Return the value of SIGNATURE_HEADER: `t=SECONDS,v1=HEX` over "SECONDS.BODY"."""
    digest = hmac.digest(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={digest.hex()}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none: what is signed for one address is not for another."""


def _post(url: str, secret: str, job: Job) -> Sent:
    body = json.dumps(job.document, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": str(job.delivery_id),
        SIGNATURE_HEADER: signature(secret, int(time.time()), body),
    }
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=_WEBHOOK_SECONDS):
            return Sent(result=Result.ACCEPTED, reference=str(job.delivery_id))
    except urllib.error.HTTPError as error:
        error.close()
        final = 400 <= error.code < 500 and error.code not in {408, 429}
        return Sent(result=Result.REFUSED if final else Result.AGAIN, error=f"status_{error.code}")
    except (OSError, ValueError) as error:
        return Sent(result=Result.AGAIN, error=type(error).__name__)
