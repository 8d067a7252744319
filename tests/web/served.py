"""The application as uvicorn serves it, in a thread, and a client that follows no redirect."""

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


@contextmanager
def served(services: Services) -> Iterator[Client]:
    """Serve the application on a free port for the block."""
    config = uvicorn.Config(
        create_app(services), host="127.0.0.1", port=0, log_config=None, timeout_keep_alive=5
    )
    server = uvicorn.Server(config)
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
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()
