"""The web process: webhooks, health and the console, in one application for `aftercare web`."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from urllib.parse import quote

import anyio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from messages import replies
from records import migrate
from records.callbacks import Callback
from web import ahead, board, consent, console, correcting, duty, finding, intake, signin
from web.groupcommit import GroupCommit
from web.headers import SecurityHeaders
from web.health import Health
from web.metrics import Metrics
from web.pages import STATIC, page
from web.proxies import ForwardedClient
from web.sessions import COOKIE, LONGEST_SECONDS, ForgedFormError, NotSignedInError
from web.throttle import Throttle
from web.typed import unsaved
from web.webhooks import OTHER_THREADS, Webhooks, store_callbacks
from worker.collecting import never_looked_through
from worker.logs import get_logger
from worker.services import Services
from worker.steps import receive
from worker.steps.receive import Arrived, Received

log = get_logger(__name__)

# Pages are made in threads; as many as there are connections left beside the webhooks'.
_PAGE_THREADS = 8
_HEALTH_THREADS = 2
# A group of texts may wait for whoever holds a patient that stops; the next goes beside it.
_TEXT_THREADS = 2
# Storing a group costs what ten texts cost, so at 400 texts/s it shall hold about eight. A text
# that comes alone is stored at once.
_TEXT_SPACING_SECONDS = 0.020


def create_app(services: Services) -> FastAPI:
    """Return the application. Its lifespan starts and ends the threads that commit webhooks."""
    commits = GroupCommit(partial(store_callbacks, services), name="callbacks")
    texts = GroupCommit(
        partial(receive.store_many, services, source="push"),
        name="texts",
        threads=_TEXT_THREADS,
        spacing=_TEXT_SPACING_SECONDS,
    )
    app = FastAPI(
        title="Aftercare",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan(commits, texts),
    )
    metrics = Metrics(services)
    app.state.services = services
    app.state.metrics = metrics
    app.state.throttle = Throttle()
    _add_routes(app, services, metrics, commits, texts)
    _add_error_pages(app)
    https = services.settings.public_url.startswith("https://")
    app.add_middleware(
        SessionMiddleware,
        secret_key=services.settings.secret_key.get_secret_value(),
        session_cookie=COOKIE,
        max_age=LONGEST_SECONDS,
        same_site="lax",
        https_only=https,
    )
    app.add_middleware(ForwardedClient, proxies=services.settings.trusted_proxies)
    # Added last, so that it stands outermost and an error page has the headers too.
    app.add_middleware(SecurityHeaders, https=https)
    return app


def settle() -> None:
    """Make a process that is about to serve ready to answer within milliseconds.

    For the whole process, so `aftercare web` calls it and tests don't. The words that texts are
    read by are loaded now, not while the first patient waits. What is loaded by now stays to the
    end: if the garbage collector looked through it, every handler would stand still for 0.2 s
    every few seconds.
    """
    with never_looked_through():
        replies.read("hello")


def _lifespan(
    commits: GroupCommit[Callback, None], texts: GroupCommit[Arrived, Received]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _PAGE_THREADS
        commits.start()
        texts.start()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(texts.stop)
            await anyio.to_thread.run_sync(commits.stop)

    return lifespan


def _add_routes(
    app: FastAPI,
    services: Services,
    metrics: Metrics,
    commits: GroupCommit[Callback, None],
    texts: GroupCommit[Arrived, Received],
) -> None:
    webhooks = Webhooks(
        services=services,
        metrics=metrics,
        commits=commits,
        texts=texts,
        threads=anyio.CapacityLimiter(OTHER_THREADS),
    )
    health = Health(
        services=services,
        metrics=metrics,
        threads=anyio.CapacityLimiter(_HEALTH_THREADS),
        newest=migrate.newest(),
    )
    app.router.routes.extend([*webhooks.routes(), *health.routes()])
    app.mount("/static", _Static(directory=STATIC), name="static")
    app.include_router(signin.router)
    # Before the console, which would take "new" for a patient's id.
    app.include_router(intake.router)
    app.include_router(ahead.router)
    app.include_router(consent.router)
    app.include_router(console.router)
    app.include_router(board.router)
    app.include_router(correcting.router)
    app.include_router(duty.router)
    app.include_router(finding.router)


class _Static(StaticFiles):
    """The style sheet; its address changes with its content, so that it may be kept."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


def _add_error_pages(app: FastAPI) -> None:
    app.add_exception_handler(NotSignedInError, _to_sign_in)
    app.add_exception_handler(ForgedFormError, _forged)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _broken)


def _to_sign_in(request: Request, _error: Exception) -> Response:
    path = request.url.path
    if unsaved(request):
        item = quote(path if path == intake.ADDRESS else path.rpartition("/")[0])
        return page(
            request, "signed_out.html", {"unsaved": unsaved(request), "to": item}, status=403
        )
    wish = f"?to={quote(path)}" if request.method == "GET" and path != "/" else ""
    return RedirectResponse(f"/sign-in{wish}", status_code=303)


def _forged(request: Request, _error: Exception) -> Response:
    return _error_page(
        request,
        403,
        "This form is too old",
        "Nothing was changed. Open the page again and fill in its form there.",
    )


def _unreadable(request: Request, error: Exception) -> Response:
    in_path = isinstance(error, RequestValidationError) and any(
        fault["loc"][0] in {"path", "query"} for fault in error.errors()
    )
    if in_path:
        return _http_error(request, HTTPException(404))
    return _error_page(
        request, 422, "Something is missing", "Nothing was changed. Go back and fill in the form."
    )


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return _error_page(
            request, 404, "Not found", "There is no such page, or it belongs to another clinic."
        )
    return _error_page(request, status, "That did not work", "Go back to the work list.")


def _broken(request: Request, error: Exception) -> Response:
    log.error("page_failed", exc_info=error)
    return _error_page(request, 500, "Something went wrong", "It was noted. Try again in a moment.")


def _error_page(request: Request, status: int, title: str, advice: str) -> Response:
    values = {"title": title, "advice": advice, "unsaved": unsaved(request)}
    return page(request, "error.html", values, status=status)
