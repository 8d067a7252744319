"""Starts a sandbox on loopback and stops it again: the way in for tests, the demo and the CLI."""

from collections.abc import Iterable

from aiohttp import web

from sandbox.account import Accounts
from sandbox.callbacks import Callbacks
from sandbox.calls import Switchboard
from sandbox.carrier import Carrier
from sandbox.config import Config
from sandbox.control import Control
from sandbox.deactivations import Deactivations
from sandbox.errors import refusal
from sandbox.front import api_response
from sandbox.inbound import Inbound
from sandbox.lifecycle import Lifecycle
from sandbox.rest import Messages
from sandbox.voice import Calls

_HOST = "127.0.0.1"
_SHUTDOWN_SECONDS = 0.5


class Server:
    """A running sandbox. `carrier` is for embedding tests that want to look inside."""

    def __init__(self, carrier: Carrier, lifecycle: Lifecycle, runner: web.AppRunner) -> None:
        self.carrier = carrier
        self._lifecycle = lifecycle
        self._runner = runner
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"

    async def listen(self, port: int) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, port, backlog=1024).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Closes connections, abandons what is on its way, and writes the log out."""
        self._lifecycle.stop()
        await self.carrier.courier.stop()
        await self._runner.cleanup()
        self.carrier.log.close()


def _application(carrier: Carrier, routes: Iterable[web.RouteDef]) -> web.Application:
    application = web.Application()
    application.router.add_routes(routes)

    async def unknown(request: web.Request) -> web.Response:
        no = refusal(20404, value=request.path)
        return api_response(carrier, no.envelope(), no.http)

    for api in ("2010-04-01", "v1"):
        application.router.add_route("*", f"/{api}/{{tail:.*}}", unknown)
    return application


async def start(config: Config | None = None) -> Server:
    """A sandbox that answers; OSError when the port is taken."""
    carrier = Carrier(config or Config())
    callbacks = Callbacks(carrier)
    lifecycle = Lifecycle(carrier, callbacks)
    inbound = Inbound(carrier, lifecycle)
    switchboard = Switchboard(carrier)
    routes = [
        *Messages(carrier, lifecycle).routes(),
        *Calls(carrier, switchboard).routes(),
        *Accounts(carrier).routes(),
        *Deactivations(carrier).routes(),
        *Control(carrier, lifecycle, inbound, switchboard).routes(),
    ]
    runner = web.AppRunner(
        _application(carrier, routes), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    server = Server(carrier, lifecycle, runner)
    try:
        await server.listen(carrier.config.port)
    except BaseException:
        await runner.cleanup()
        carrier.log.close()
        raise
    return server
