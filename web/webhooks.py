"""The carrier's webhooks: patients' texts and the carrier's words on ours.

Each is verified, stored, and answered after the commit; understanding and answering are steps of
the worker. An unsigned call is refused with 403 and leaves nothing behind. A commit that fails is
answered with 503, so that the carrier sends it again (and the pull brings inbound texts anyway).
"""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from messages.gateway import BadWebhook
from messages.gateways.twilio import (
    parse_inbound,
    parse_status,
    verify_signature,
)
from records import callbacks
from records.callbacks import Callback
from web import paging, voice
from web.groupcommit import GroupCommit
from web.metrics import Metrics
from worker.logs import get_logger
from worker.paging.transports import SIGNATURE_HEADER
from worker.services import Services
from worker.steps.receive import Arrived, Received

log = get_logger(__name__)

LARGEST_BODY = 64 * 1024
MOST_FIELDS = 1000
# Calls, and webhooks without a SID, are few: each takes one of this many threads.
OTHER_THREADS = 4

Form = dict[str, str | list[str]]
EMPTY_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


class RefusedError(Exception):
    """A webhook that is not the carrier's: `status` is what it is answered with."""

    def __init__(self, result: str, status: int = 403) -> None:
        super().__init__(result)
        self.result = result
        self.status = status


def parse_form(body: bytes) -> Form:
    """Read a form exactly as it was signed: nothing stripped, empty values kept."""
    form: Form = {}
    pairs = parse_qsl(
        body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
    )
    for name, value in pairs:
        before = form.get(name)
        if before is None:
            form[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            form[name] = [before, value]
    return form


def signed_address(public_url: str, scope: Mapping[str, Any]) -> str:
    """Return the address as the carrier was given it: ours as set, with the raw path and query.

    The Host header and what a proxy adds are never trusted.
    """
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{public_url}{path}?{query}" if query else f"{public_url}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """The handlers of one web process, with what they share."""

    services: Services
    metrics: Metrics
    commits: GroupCommit[Callback, None]
    texts: GroupCommit[Arrived, Received]
    threads: anyio.CapacityLimiter

    def routes(self) -> list[Route]:
        """Return the routes; plain ones, since nothing here needs FastAPI's parsing."""
        handlers: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/twilio/inbound": partial(self._answer, "inbound", self._inbound),
            "/twilio/status": partial(self._answer, "status", self._status),
            "/twilio/voice/patient": partial(self._answer, "voice", self._voice),
            "/twilio/voice/page": partial(self._answer, "voice", self._page),
            "/twilio/voice/page/key": partial(self._answer, "voice", self._key),
            "/twilio/paging/status": partial(self._answer, "paging", self._paging),
            "/paging/acknowledge": self._acknowledge,
        }
        return [
            Route(path, _endpoint(handler), methods=["POST"], name=path.strip("/"))
            for path, handler in handlers.items()
        ]

    async def _answer(
        self,
        kind: str,
        handle: Callable[[Request, Form], Awaitable[tuple[str, Response]]],
        request: Request,
    ) -> Response:
        started = time.perf_counter()
        try:
            form = self._verified(request, await _body(request))
            result, response = await handle(request, form)
        except RefusedError as refused:
            log.warning("webhook_refused", kind=kind, result=refused.result)
            self.metrics.webhooks.labels(kind, refused.result).inc()
            return Response(status_code=refused.status)
        except Exception:
            # Whatever failed, the carrier has to come again.
            log.exception("webhook_failed", kind=kind)
            self.metrics.webhooks.labels(kind, "failed").inc()
            return Response(status_code=503, headers={"Retry-After": "1"})
        self.metrics.webhooks.labels(kind, result).inc()
        self.metrics.seconds.labels(kind).observe(time.perf_counter() - started)
        return response

    def _verified(self, request: Request, body: bytes) -> Form:
        """Return the form, if the carrier signed it for our account. Raises RefusedError."""
        signature = request.headers.get("x-twilio-signature")
        if not signature:
            raise RefusedError("unsigned")
        try:
            form = parse_form(body)
        except ValueError:
            raise RefusedError("too_many_fields") from None
        settings = self.services.settings
        address = signed_address(settings.public_url, request.scope)
        account, tokens = settings.twilio_account_sid, settings.auth_tokens
        second = settings.page_account_sid
        if second and form.get("AccountSid") == second and _is_of_paging(request):
            # Calls to staff may go by an account of their own, which signs with its own token.
            account, tokens = second, settings.page_auth_tokens
        if not verify_signature(tokens, address, form, signature):
            raise RefusedError("bad_signature")
        if form.get("AccountSid") != account:
            raise RefusedError("other_account")
        return form

    async def _inbound(self, _request: Request, form: Form) -> tuple[str, Response]:
        try:
            text = parse_inbound(form)
        except BadWebhook:
            await self._keep_stray("inbound", form)
            return "stray", _twiml()
        arrived = Arrived(text=text, received_at=self.services.now)
        received = await self.texts.store(arrived)
        if received.duplicate:
            return "duplicate", _twiml()
        return "stray" if received.stray else "stored", _twiml()

    async def _status(self, request: Request, form: Form) -> tuple[str, Response]:
        try:
            report = parse_status(form)
        except BadWebhook:
            await self._keep_stray("status", form)
            return "stray", Response(status_code=204)
        callback = Callback(
            message_id=_uuid(request.query_params.get("message")),
            attempt=_small(request.query_params.get("attempt")),
            sid=_storable(report.sid),
            status=_storable(report.status),
            error_code=report.error_code,
            from_number=report.from_number,
            messaging_service_sid=report.raw.get("MessagingServiceSid") or None,
            payload=json.dumps(dict(report.raw), ensure_ascii=False),
            received_at=self.services.now,
        )
        await self.commits.store(callback)
        return "stored", Response(status_code=204)

    async def _voice(self, _request: Request, form: Form) -> tuple[str, Response]:
        called = str(form.get("To") or form.get("Called") or "")
        work = partial(voice.answer, self.services, called)
        spoken = await anyio.to_thread.run_sync(work, limiter=self.threads)
        return "answered", Response(spoken, media_type="text/xml")

    async def _page(self, request: Request, _form: Form) -> tuple[str, Response]:
        work = partial(paging.ask, self.services, _uuid(request.query_params.get("page")))
        spoken = await anyio.to_thread.run_sync(work, limiter=self.threads)
        return "answered", Response(spoken, media_type="text/xml")

    async def _key(self, request: Request, form: Form) -> tuple[str, Response]:
        page_id = _uuid(request.query_params.get("page"))
        digits = str(form.get("Digits") or "")
        work = partial(paging.key_pressed, self.services, page_id, digits)
        spoken = await anyio.to_thread.run_sync(work, limiter=self.threads)
        return "answered", Response(spoken, media_type="text/xml")

    async def _paging(self, request: Request, form: Form) -> tuple[str, Response]:
        delivery_id = _uuid(request.query_params.get("delivery"))
        status = str(form.get("CallStatus") or form.get("MessageStatus") or "")
        work = partial(paging.note_status, self.services, delivery_id, status)
        known = await anyio.to_thread.run_sync(work, limiter=self.threads)
        return "stored" if known else "stray", Response(status_code=204)

    async def _acknowledge(self, request: Request) -> Response:
        """Take a page on a paging service's word, signed as we sign ours."""
        try:
            body = await _body(request)
        except RefusedError as refused:
            return Response(status_code=refused.status)
        signed = request.headers.get(SIGNATURE_HEADER, "")
        work = partial(paging.acknowledged, self.services, body, signed)
        status, fault = await anyio.to_thread.run_sync(work, limiter=self.threads)
        self.metrics.webhooks.labels("acknowledge", str(status)).inc()
        return JSONResponse({"error": fault} if fault else {}, status_code=status)

    async def _keep_stray(self, kind: str, form: Form) -> None:
        """Keep a signed webhook that lacks what a row needs; nothing signed is thrown away."""
        payload = json.dumps(form, ensure_ascii=False, sort_keys=True)
        work = partial(self._store_stray, kind, payload)
        await anyio.to_thread.run_sync(work, limiter=self.threads)

    def _store_stray(self, kind: str, payload: str) -> None:
        name = f"{kind}/{hashlib.sha256(payload.encode()).hexdigest()}"
        with self.services.database.transaction() as session:
            callbacks.store_stray(
                session,
                self.services.vault,
                kind=kind,
                name=name,
                payload=payload,
                reason="a field is missing",
                received_at=self.services.now,
            )


def store_callbacks(services: Services, group: Sequence[Callback]) -> list[None]:
    """Commit status callbacks together and ask the workers to apply them."""
    with services.database.transaction() as session:
        callbacks.store(session, services.vault, group)
        services.crashpoint("callback.before_commit")
    services.crashpoint("callback.after_commit")
    try:
        services.nudge("receipts")
    except Exception as error:  # noqa: BLE001  A nudge that fails is no error: the tick looks.
        log.warning("nudge_failed", step="receipts", error=type(error).__name__)
    return [None] * len(group)


def _endpoint(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    # Starlette takes a partial for an ASGI application; a function it calls with a request.
    async def endpoint(request: Request) -> Response:
        return await handler(request)

    return endpoint


async def _body(request: Request) -> bytes:
    """Read the body, up to the limit. Raises RefusedError beyond it."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise RefusedError("too_large", status=413)
    except ClientDisconnect:
        raise RefusedError("gone", status=400) from None
    return bytes(body)


def _is_of_paging(request: Request) -> bool:
    return request.url.path.startswith(("/twilio/voice/page", "/twilio/paging/"))


def _twiml() -> Response:
    return Response(EMPTY_TWIML, media_type="text/xml")


def _uuid(value: str | None) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


def _small(value: str | None) -> int | None:
    """Read an attempt's number; None for anything that is none."""
    if value and value.isascii() and value.isdigit() and len(value) < 5:
        return int(value)
    return None


def _storable(word: str) -> str:
    """Leave out what a text column can't hold and cut what no carrier would write."""
    return word.replace("\0", "")[:100]
