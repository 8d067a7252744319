"""Signing in to the console and out of it."""

import math
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from records import clinics
from records.clinics import Staff
from web import sessions
from web.metrics import Metrics
from web.pages import page
from web.sessions import OwnForm, SignedIn
from web.throttle import Throttle
from worker import passwords
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)
router = APIRouter(include_in_schema=False)

LONGEST_FIELD = 256
_WRONG = "That address and password do not fit. Check both and try again."


def local_path(wish: str) -> str:
    """Return where to go after signing in: a path of ours, whatever the address asked for."""
    parts = urlsplit(wish)
    ours = wish.startswith("/") and not wish.startswith(("//", "/\\"))
    return wish if ours and not parts.scheme and not parts.netloc else "/"


@router.get("/sign-in", name="sign_in")
def form(request: Request, to: str = "/") -> Response:
    """Show the form."""
    return _form(request, to=to)


def _form(
    request: Request, *, to: str, email: str = "", fault: str = "", status: int = 200
) -> Response:
    csrf = sessions.csrf_token(request.session)
    values = {"csrf": csrf, "to": local_path(to), "email": email, "fault": fault}
    return page(request, "sign_in.html", values, status=status)


@router.post("/sign-in", dependencies=[OwnForm])
def sign_in(
    request: Request,
    email: Annotated[str, Form(max_length=LONGEST_FIELD)],
    password: Annotated[str, Form()],
    to: Annotated[str, Form(max_length=LONGEST_FIELD)] = "/",
) -> Response:
    """Check the password and begin a session, or say no in as much time."""
    throttle: Throttle = request.app.state.throttle
    metrics: Metrics = request.app.state.metrics
    address = request.client.host if request.client else ""
    email = email.strip().lower()
    wait = throttle.wait(address, email)
    if wait:
        metrics.sign_ins.labels("throttled").inc()
        fault = f"Too many wrong passwords. Try again in {math.ceil(wait / 60)} min."
        return _form(request, to=to, email=email, fault=fault, status=429)
    accounts = _accounts(sessions.services_of(request), email, password)
    if not accounts:
        throttle.failed(address, email)
        metrics.sign_ins.labels("refused").inc()
        log.info("sign_in_refused")
        return _form(request, to=to, email=email, fault=_WRONG, status=401)
    throttle.succeeded(address, email)
    metrics.sign_ins.labels("ok").inc()
    sessions.begin(request.session, accounts)
    log.info("signed_in", staff=str(accounts[0].id))
    return RedirectResponse(local_path(to), status_code=303)


def _accounts(services: Services, email: str, password: str) -> list[Staff]:
    """Return the accounts that this address and password open, one a clinic."""
    with services.database.transaction() as session:
        found = [
            staff for staff in clinics.staff_by_email(session, email) if staff.disabled_at is None
        ]
    if not found:
        passwords.matches(None, password)
    return [staff for staff in found if passwords.matches(staff.password_hash, password)]


@router.post("/sign-out", dependencies=[OwnForm])
def sign_out(request: Request, _person: SignedIn) -> Response:
    """End the person's sessions, here and in every other browser."""
    sessions.end(sessions.services_of(request), request.session)
    return RedirectResponse("/sign-in", status_code=303)


@router.post("/clinic", dependencies=[OwnForm])
def change_clinic(request: Request, person: SignedIn, seat: Annotated[int, Form()]) -> Response:
    """Go on at another clinic where the same person works."""
    sessions.switch(request.session, person, seat)
    return RedirectResponse("/", status_code=303)
