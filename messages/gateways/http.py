"""The Twilio SDK's HTTP extension point, over aiohttp.

The SDK hands its lists, fetches and updates to `CarrierHttp.request`; the gateway hands each
create to `CarrierHttp.post`, which also knows whether a byte of the request was written when it
went wrong. That one fact decides whether a text may be tried again, so it is observed where the
write happens, not guessed from the class of an exception.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from yarl import URL

from messages.gateway import Crashpoint, no_crashpoint

SDK_ORIGIN = "https://api.twilio.com"
# Messaging services are asked for at a host of their own; a sandbox has one host for both.
SDK_MESSAGING = "https://messaging.twilio.com"
_API, _MESSAGING, _TWILIO = "https://api.", "https://messaging.", ".twilio.com"
FORM = "application/x-www-form-urlencoded"

# Unacknowledged bytes are given up by the kernel after this long, which bounds how late a request
# that we stopped waiting for can still arrive. The reconciler's grace (180 s) counts on a bound.
TCP_USER_TIMEOUT_MS = 30_000

# A file of some megabytes takes longer than an answer may.
_FILE = aiohttp.ClientTimeout(total=60.0, connect=3.0, sock_connect=3.0, sock_read=10.0)
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one request may take, in seconds.

    `connect` covers waiting for a free connection, the name lookup, TCP and TLS; `read` is the
    longest silence while an answer is awaited; `total` ends everything, a dripping answer too.
    """

    connect: float = 3.0
    read: float = 10.0
    total: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """A request without a complete answer; `written` says whether a byte of it may have left."""

    written: bool
    reason: str
    http_status: int | None = None


class GuardPassed(Exception):  # noqa: N818  (It stops a write; it is not an error of anybody's.)
    """The write was stopped before its first byte."""


class GuardedBody(BytesPayload):
    """A request body that decides, at the last moment, whether the request may be written.

    aiohttp keeps the request's head in memory until the body's first chunk and writes both in
    one call, so what `write_with_length` does before `writer.write` comes after the connection
    was acquired and before any byte of the request, head included.
    """

    def __init__(self, body: bytes, write_before: float, client: CarrierHttp) -> None:
        super().__init__(body, content_type=FORM)
        self.written = False
        self.stopped: str | None = None
        self._write_before = write_before
        self._client = client

    def seal(self) -> None:
        """Make sure that a writer which was only scheduled writes nothing from now on."""
        if self.stopped is None:
            self.stopped = "sealed"

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write head and body, unless it is too late or the connection is gone."""
        del content_length  # The whole body is always written; its length was taken from it.
        client = self._client
        client.crashpoint("send.after_connect")
        transport = writer.transport
        if self.stopped is None and (transport is None or transport.is_closing()):
            self.stopped = "connection_lost"
        if self.stopped is None and client.monotonic() > self._write_before:
            self.stopped = "guard"
        if self.stopped is not None:
            raise GuardPassed(self.stopped)
        # Nothing may be awaited between the check and the write.
        self.written = True
        await writer.write(self._value)
        client.crashpoint("send.after_write")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sessions:
    """The sessions of one event loop: for creates, for urgent ones, and for what the SDK asks.

    Each has connections of its own: in one pool a carrier that is slow to create would have an
    answer to danger wait behind all other texts, and the look for texts received too.
    """

    creates: aiohttp.ClientSession
    urgent: aiohttp.ClientSession
    others: aiohttp.ClientSession


class CarrierHttp(AsyncHttpClient):  # type: ignore[misc]  # The SDK ships no types.
    """The connections to the carrier, for one event loop.

    It retries no create, follows no redirect, reads no proxy or netrc from the environment, keeps
    no cookie and keeps nothing of the last request in memory. `create_headers` go with every
    create; set them before the first one.
    """

    def __init__(
        self,
        *,
        api_url: str,
        in_flight: int = 256,
        timeouts: Timeouts | None = None,
        crashpoint: Crashpoint = no_crashpoint,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = timeouts or Timeouts()
        super().__init__(logging.getLogger("twilio.http_client"), True, limits.total)
        self.api_url = api_url.rstrip("/")
        self.crashpoint = crashpoint
        self.monotonic = monotonic
        self.create_headers: Mapping[str, str] = {}
        self._in_flight = in_flight
        self._limits = aiohttp.ClientTimeout(
            total=limits.total,
            connect=limits.connect,
            sock_connect=limits.connect,
            sock_read=limits.read,
        )
        self._closed = False
        self._sessions: _Sessions | None = None

    async def post(
        self, url: URL, body: bytes, write_before: float, *, urgent: bool = False
    ) -> Answer | NoAnswer:
        """Post a form once; written only before `write_before` (a `time.monotonic()` instant).

        An `urgent` one waits for no connection but those of other urgent ones.
        """
        if self.monotonic() > write_before:
            # The check that counts is in `GuardedBody`; this one spares the pool a connection.
            return NoAnswer(written=False, reason="guard")
        if self._closed:
            return NoAnswer(written=False, reason="closed")
        guarded = GuardedBody(body, write_before, self)
        status: int | None = None
        try:
            sessions = self._sessions or self._open()
            session = sessions.urgent if urgent else sessions.creates
            response = await session.post(url, data=guarded, allow_redirects=False)
            status = response.status
            content = await response.read()
        except Exception as error:  # noqa: BLE001  Whatever went wrong, the text needs an outcome.
            return _no_answer(guarded, error, status)
        finally:
            guarded.seal()
        self.crashpoint("send.after_response")
        return Answer(status=status, body=content, headers=response.headers)

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (The SDK's signature.)
        allow_redirects: bool = False,
    ) -> Response:
        """Make a request for the SDK: lists, fetches and updates, never a create.

        Nothing is logged: the SDK's own client logs addresses that hold phone numbers. The SDK's
        `timeout` and `allow_redirects` are never set by our calls and not heeded.
        """
        del timeout, allow_redirects
        if self._closed:
            raise RuntimeError("The gateway is closed.")
        session = (self._sessions or self._open()).others
        sent: dict[str, str] = dict(headers or {})
        if auth is not None:
            sent[hdrs.AUTHORIZATION] = aiohttp.encode_basic_auth(*auth)
        form = urlencode(data, doseq=True).encode("ascii") if data else None
        async with session.request(
            method,
            self._rewritten(url, params),
            data=form,
            headers=sent,
            allow_redirects=False,
        ) as response:
            return Response(response.status, await response.text(), response.headers)

    async def download(self, url: str, most: int) -> Answer:
        """Get a file that the carrier keeps elsewhere, without our credentials.

        Raises ValueError for an address that is neither by TLS nor the carrier's own, and for a
        file of more than `most` bytes.
        """
        address = URL(url, encoded=True)
        if address.scheme != "https" and address.origin() != URL(self.api_url).origin():
            raise ValueError("The carrier's file is at an address that is not safe to ask.")
        if self._closed:
            raise RuntimeError("The gateway is closed.")
        session = (self._sessions or self._open()).others
        async with session.get(address, allow_redirects=False, timeout=_FILE) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > most:
                    raise ValueError("The carrier's file is longer than any of its kind.")
            return Answer(status=response.status, body=bytes(body), headers=response.headers)

    async def close(self) -> None:
        """Close every connection. Safe to call twice, and before anything was sent."""
        self._closed = True
        opened, self._sessions = self._sessions, None
        if opened is not None:
            for session in (opened.creates, opened.urgent, opened.others):
                await session.close()

    def _rewritten(self, url: str, params: Mapping[str, object] | None) -> URL:
        """Put our base address in place of the SDK's, which is written into the SDK."""
        bases = {SDK_ORIGIN: self.api_url, SDK_MESSAGING: _messaging(self.api_url)}
        origin = next((origin for origin in bases if url.startswith(origin + "/")), None)
        if origin is None:
            raise ValueError("The SDK asked for an address outside Twilio's REST API.")
        query = "" if not params else ("&" if "?" in url else "?") + urlencode(params, doseq=True)
        return URL(bases[origin] + url[len(origin) :] + query, encoded=True)

    def _open(self) -> _Sessions:
        """Open the sessions inside the running loop, which they then belong to."""
        # A session's own headers cost less than headers per request; and asking for compression
        # would cost more time than the short answer is worth.
        create: dict[str, Any] = {
            "headers": self.create_headers,
            "skip_auto_headers": [hdrs.ACCEPT_ENCODING],
        }
        self._sessions = _Sessions(
            creates=self._session(**create), urgent=self._session(**create), others=self._session()
        )
        return self._sessions

    def _session(self, **more: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._in_flight, socket_factory=_socket),
            timeout=self._limits,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            **more,
        )


def _messaging(api_url: str) -> str:
    """Return where messaging services are asked for, beside the REST API at this address."""
    if api_url.startswith(_API) and api_url.endswith(_TWILIO):
        return _MESSAGING + api_url.removeprefix(_API)
    return api_url


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket on which the kernel gives up on an unreachable peer."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
    return made


def _no_answer(body: GuardedBody, error: Exception, status: int | None) -> NoAnswer:
    if body.written:
        return NoAnswer(written=True, reason=lost(error), http_status=status)
    return NoAnswer(written=False, reason=body.stopped or unreachable(error))


def lost(error: Exception) -> str:
    """Return a word for why no answer came after the request was written."""
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientPayloadError():
            return "truncated"
        case aiohttp.ClientResponseError():
            return "garbled"
        case aiohttp.ClientConnectionError() | OSError():
            return "disconnected"
    return f"failed:{type(error).__name__}"


def unreachable(error: Exception) -> str:
    """Return a word for why the carrier was not reached, by the inner cause."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "tls"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "refused_connection"
        case TimeoutError():
            return "connect_timeout"
        case aiohttp.ClientConnectionError() | OSError():
            return "connect"
    return f"internal:{type(error).__name__}"
