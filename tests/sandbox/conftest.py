"""A sandbox and a stand-in for the product, both on real sockets in a thread of their own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from aiohttp import web
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from cli.server import free_port
from sandbox.config import DEFAULT_ACCOUNT, DEFAULT_TOKEN, Config, Delays
from sandbox.server import Server, start

FAST = Delays(
    queued=0.005,
    sending=0.005,
    sent=0.005,
    delivered=0.01,
    failed=0.01,
    ringing=0.01,
    answered=0.01,
)
SERVICE = "MG" + "0" * 32
NUMBER = "+12125550110"
PHONE = "+12125550123"


class Loop:
    """An event loop in a thread, so that blocking clients can talk to servers in it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Awaitable[Any]) -> Any:
        async def wrapped() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(wrapped(), self.loop).result(20)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request that reached the stand-in."""

    url: str
    pairs: list[tuple[str, str]]
    headers: dict[str, str]

    @property
    def form(self) -> dict[str, str]:
        return dict(self.pairs)


Answer = Callable[[Received], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass(slots=True)
class Product:
    """Records what is posted to it and answers as told: by path, in turn, else 204."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: dict[str, list[int | str | Answer]] = field(default_factory=dict)
    default: Answer | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        got = Received(
            url=f"http://127.0.0.1:{self.port}{request.raw_path}",
            pairs=parse_qsl(body, keep_blank_values=True),
            headers=dict(request.headers),
        )
        self.received.append(got)
        planned = self.answers.get(request.path)
        answer = planned.pop(0) if planned else self.default
        if isinstance(answer, int):
            return web.Response(status=answer)
        if isinstance(answer, str):
            return web.Response(text=answer, content_type="text/xml")
        if answer is None:
            return web.Response(status=204)
        result = answer(got)
        return result if isinstance(result, web.StreamResponse) else await result

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def forms(self, path: str = "") -> list[dict[str, str]]:
        return [got.form for got in self.received if path in got.url]

    def statuses(self) -> list[str]:
        return [form["MessageStatus"] for form in self.forms() if "MessageStatus" in form]


class Redirected(TwilioHttpClient):
    """The SDK's own client with another host in front."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=10)
        self._base = base

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(
            method, url.replace("https://api.twilio.com", self._base, 1), *args, **kwargs
        )


class Lab:
    """A running sandbox, seen from outside."""

    def __init__(self, server: Server, product: Product, loop: Loop) -> None:
        self.server, self.product, self.loop = server, product, loop
        self.url = server.url
        self.http = requests.Session()
        self.http.auth = (DEFAULT_ACCOUNT, DEFAULT_TOKEN)
        self.messages_url = f"{self.url}/2010-04-01/Accounts/{DEFAULT_ACCOUNT}/Messages.json"
        self.calls_url = self.messages_url.replace("Messages", "Calls")
        self.client = Client(DEFAULT_ACCOUNT, DEFAULT_TOKEN, http_client=Redirected(self.url))

    def send(self, to: str = PHONE, body: str = "Hello", **form: str) -> requests.Response:
        form = {"To": to, "Body": body} | form
        if "From" not in form:
            form.setdefault("MessagingServiceSid", SERVICE)
        return self.http.post(self.messages_url, data=form, timeout=10)

    def told(self, path: str, **form: str) -> requests.Response:
        return self.send(StatusCallback=self.product.url(path), **form)

    def api(self, method: str, path: str, document: Any = None, status: int = 200) -> Any:
        answer = requests.request(method, self.url + "/sandbox" + path, json=document, timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def fault(self, kind: str, **options: Any) -> Any:
        return self.api("POST", "/faults", {"kind": kind} | options, 201)

    def text(self, body: str, phone: str = PHONE, **options: Any) -> Any:
        document = {"body": body, "wait": True} | options
        return self.api("POST", f"/phones/{phone}/texts", document, 201)

    def idle(self) -> None:
        self.api("GET", "/idle?timeout=10")

    def log(self, kind: str, **match: str) -> list[dict[str, Any]]:
        query = "".join(f"&{name}={value}" for name, value in match.items())
        return self.api("GET", f"/log?kind={kind}{query}")["entries"]


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    held = Loop()
    yield held
    held.close()


@pytest.fixture
def product(loop: Loop) -> Iterator[Product]:
    stand_in = Product()

    async def begin() -> web.ServerRunner:
        server = web.Server(stand_in.handle, access_log=None)
        started = web.ServerRunner(server, shutdown_timeout=0.1)
        await started.setup()
        await web.TCPSite(started, "127.0.0.1", 0).start()
        stand_in.port = started.addresses[0][1]
        return started

    runner = loop.run(begin())
    yield stand_in
    loop.run(runner.cleanup())


@contextmanager
def opened_lab(loop: Loop, product: Product, **settings: Any) -> Iterator[Lab]:
    """Run a sandbox with these settings for the block."""
    lab = Lab(loop.run(start(Config(**settings))), product, loop)
    try:
        yield lab
    finally:
        lab.http.close()
        lab.client.http_client.session.close()
        loop.run(lab.server.stop())


@pytest.fixture
def open_lab(loop: Loop, product: Product) -> Iterator[Callable[..., Lab]]:
    """Opens sandboxes with settings of the test's choice; closes them all."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Lab:
            settings.setdefault("delays", FAST)
            settings.setdefault("services", {SERVICE: (NUMBER,)})
            settings.setdefault("inbound_url", product.url("/inbound"))
            return stack.enter_context(opened_lab(loop, product, **settings))

        yield make


@pytest.fixture
def lab(open_lab: Callable[..., Lab]) -> Lab:
    return open_lab()


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    return free_port()
