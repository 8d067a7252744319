"""The application as uvicorn serves it, in a thread, and a client that follows no redirect."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import uvicorn

from web.app import create_app
from worker.services import Services


class Client:
    """One browser's worth of cookies towards one server."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = requests.Session()
        # A proxy of the machine must not be asked for an address on it.
        self._session.trust_env = False

    def get(self, path: str, **options: Any) -> requests.Response:
        return self._call("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self._call("POST", path, **options)

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._session.request(
            method, self.base + path, allow_redirects=False, timeout=30, **options
        )

    @property
    def cookies(self) -> Any:
        return self._session.cookies

    def csrf(self, path: str = "/") -> str:
        """Return the token that the forms of a page bear."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def sign_in(self, email: str, password: str, **more: str) -> requests.Response:
        """Fill in the sign-in form."""
        form = {"email": email, "password": password, "csrf": self.csrf("/sign-in"), **more}
        return self.post("/sign-in", data=form)

    def close(self) -> None:
        self._session.close()


class Server(uvicorn.Server):
    """uvicorn that ends as soon as it may: its own end takes 0.2 s, for each test anew."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: Any = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Wait for the end instead of asking ten times a second whether it has come."""
        await self.on_tick(0)
        await self._over.wait()

    async def shutdown(self, sockets: Any = None) -> None:
        """Let what is under way come to its end, then end the application."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - It tells nobody.
            await asyncio.sleep(0.001)
        await self.lifespan.shutdown()

    def end(self) -> None:
        """Have it end; called by another thread than its own."""
        self._loop.call_soon_threadsafe(self._over.set)


@contextmanager
def served(services: Services) -> Iterator[Client]:
    """Serve the application on a free port for the block."""
    config = uvicorn.Config(
        create_app(services),
        host="127.0.0.1",
        port=0,
        log_config=None,
        proxy_headers=False,
        timeout_keep_alive=5,
    )
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.005)
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}")
    try:
        yield client
    finally:
        client.close()
        server.end()
        thread.join(timeout=20)
        assert not thread.is_alive()
