"""Whether the process lives, whether it may take traffic, and what Prometheus is told."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from records import migrate
from web.metrics import Metrics
from web.proxies import address_of, is_named
from worker.services import Services
from worker.settings import Networks

T = TypeVar("T")

# Alembic tells at INFO which dialect it found, each time it is asked for the revision.
logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)

READY_SECONDS = 1.0
_SCRAPE_SECONDS = 10.0
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health routes. The checks have two threads of their own: a hung one must not pile up."""

    services: Services
    metrics: Metrics
    threads: anyio.CapacityLimiter
    newest: str

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/healthz", _alive, methods=["GET"], name="healthz"),
            Route("/readyz", self.ready, methods=["GET"], name="readyz"),
            Route("/metrics", self.scrape, methods=["GET"], name="metrics"),
        ]

    async def ready(self, _request: Request) -> Response:
        """Say whether the database answers within a second and has the schema this code needs.

        A later release's schema will do: old and new processes run side by side during a deploy.
        """
        fault = await self._within(READY_SECONDS, self._fault, "the database does not answer")
        if fault:
            return JSONResponse({"ready": False, "fault": fault}, status_code=503)
        return JSONResponse({"ready": True})

    async def scrape(self, request: Request) -> Response:
        """Print the metrics, for whoever knows the token, or is on this machine without one."""
        if not self._may_scrape(request):
            return PlainTextResponse("", status_code=403)
        page = await self._within(_SCRAPE_SECONDS, self.metrics.text, b"")
        if not page:
            return PlainTextResponse("", status_code=503)
        return Response(page, media_type=_PROMETHEUS)

    def _fault(self) -> str:
        try:
            with self.services.database.engine.connect() as connection:
                current = migrate.current(connection)
        except Exception as error:  # noqa: BLE001  Whatever it is, no traffic can be served.
            return f"the database does not answer ({type(error).__name__})"
        if current != self.newest and migrate.is_older(current):
            return f"the schema is at {current}, not at {self.newest}: run `aftercare db upgrade`"
        return ""

    async def _within(self, seconds: float, work: Callable[[], T], otherwise: T) -> T:
        with anyio.move_on_after(seconds):
            return await anyio.to_thread.run_sync(
                work, limiter=self.threads, abandon_on_cancel=True
            )
        return otherwise

    def _may_scrape(self, request: Request) -> bool:
        token = self.services.settings.metrics_token
        if token is not None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            expected = token.get_secret_value()
            return secrets.compare_digest(given.encode(), expected.encode())
        return _is_here(request, self.services.settings.trusted_proxies)


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("ok")


def _is_here(request: Request, proxies: Networks) -> bool:
    """Whether the client is on this machine; one behind a proxy of this machine is not.

    What a named proxy hands on never is, whatever its headers: a client can have some proxies
    leave X-Forwarded-For out, by naming it under Connection.
    """
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    host = request.client.host if request.client else ""
    address = address_of(host)
    return address is not None and address.is_loopback and not is_named(host, proxies)
