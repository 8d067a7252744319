"""Posting to the product as Twilio does: signed, with connection overrides and retries.

`https://host/path?query#rc=3&rp=all` is signed and called without its fragment; the fragment says
how long to wait and what to try again
(twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import aiohttp
from yarl import URL

from sandbox.log import Log

Params = Mapping[str, str] | Sequence[tuple[str, str]]
_RETRYABLE = frozenset({"ct", "rt", "4xx", "5xx"})
_BODY_LIMIT = 65_536


def sign(token: str, url: str, params: Params) -> str:
    """X-Twilio-Signature: base64 of HMAC-SHA1 over the URL and the sorted names and values."""
    pairs = params.items() if isinstance(params, Mapping) else params
    # Twilio de-duplicates and sorts the values of a name that comes more than once.
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    digest = hmac.digest(token.encode(), text.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Connection overrides, seconds. The defaults are Twilio's."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})

    def again(self, failure: str) -> bool:
        """Whether this kind of failure is one to try again."""
        return failure in self.policy


_PLAIN = Overrides()


def _bounded(raw: str | None, low: int, high: int, default: int) -> int:
    if raw is None or not raw.isdigit() or not low <= int(raw) <= high:
        return default
    return int(raw)


def overrides(url: str) -> tuple[str, Overrides]:
    """The address without its fragment, and what the fragment asks for; bad values are ignored."""
    address, mark, fragment = url.partition("#")
    if not mark:
        return address, _PLAIN
    asked = dict(parse_qsl(fragment))
    named = frozenset(asked.get("rp", "ct").split(","))
    policy = _RETRYABLE if "all" in named else named & _RETRYABLE
    return address, Overrides(
        connect=_bounded(asked.get("ct"), 100, 10_000, 5_000) / 1000,
        read=_bounded(asked.get("rt"), 100, 15_000, 15_000) / 1000,
        total=_bounded(asked.get("tt"), 100, 15_000, 15_000) / 1000,
        retries=_bounded(asked.get("rc"), 0, 5, 1),
        policy=policy or frozenset({"ct"}),
    )


def is_web_address(url: str) -> bool:
    """http(s), a host, and no underscore in it (Twilio takes none)."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    spaced = any(letter.isspace() for letter in url)
    return parts.scheme in {"http", "https"} and bool(host) and "_" not in str(host) and not spaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One logical delivery. `note` is what the log says about it beside the outcome."""

    kind: str
    url: str
    params: Params
    token: str
    note: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a delivery ended: `failure` is None, ct, rt, 3xx, 4xx, 5xx or lost."""

    failure: str | None
    status: int | None = None
    attempts: int = 1
    body: str = ""
    content_type: str = ""

    @property
    def ok(self) -> bool:
        return self.failure is None

    def as_json(self) -> dict[str, Any]:
        return {"failure": self.failure, "status": self.status, "attempts": self.attempts}


def _failure_of(status: int) -> str | None:
    return None if 200 <= status < 300 else f"{status // 100}xx"


class Courier:
    """Delivers jobs with bounded concurrency over kept-alive connections."""

    def __init__(self, *, log: Log, concurrency: int, retry_pause: float) -> None:
        self._log = log
        self._gate = asyncio.Semaphore(concurrency)
        self._limit = concurrency
        self._pause = retry_pause
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def busy(self) -> int:
        """Deliveries that are under way or wait for their turn."""
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs work in the background; it is cancelled when the sandbox stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Servers such as uvicorn close idle connections after 5 s. Letting go of them sooner
            # keeps a POST from meeting a connection that is just being closed.
            connector = aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=2.0)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
            )
        return self._session

    async def deliver(self, job: Job) -> Result:
        """Posts until it is taken, the policy says no, or the time or the retries are spent."""
        url, rules = overrides(job.url)
        token = str(uuid4())
        pairs = job.params.items() if isinstance(job.params, Mapping) else job.params
        body = urlencode(list(pairs)).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": sign(job.token, url, job.params),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": "TwilioProxy/1.1 (sandbox)",
            "Accept": "*/*",
        }
        loop = asyncio.get_running_loop()
        async with self._gate:
            end = loop.time() + rules.total
            result = Result(failure="ct")
            for attempt in range(1, rules.retries + 2):
                result = await self._attempt(url, body, headers, rules, end - loop.time(), attempt)
                self._log.write(
                    job.kind, **job.note, url=job.url, idempotency=token, **result.as_json()
                )
                if result.failure is None or not rules.again(result.failure):
                    break
                await asyncio.sleep(self._pause)
                if loop.time() >= end:
                    break
            return result

    async def _attempt(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        rules: Overrides,
        left: float,
        attempt: int,
    ) -> Result:
        timeout = aiohttp.ClientTimeout(
            total=max(left, 0.001), sock_connect=rules.connect, sock_read=rules.read
        )
        try:
            # `encoded=True`: the address goes out byte for byte as it was signed.
            async with self._client().post(
                URL(url, encoded=True),
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                content = await response.content.read(_BODY_LIMIT)
                return Result(
                    failure=_failure_of(response.status),
                    status=response.status,
                    attempts=attempt,
                    body=content.decode(errors="replace"),
                    content_type=response.content_type,
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL):
            return Result(failure="ct", attempts=attempt)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Result(failure="rt", attempts=attempt)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
