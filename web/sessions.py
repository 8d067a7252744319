"""Who is signed in: a signed cookie names the staff member, the database says if that still holds.

The cookie holds internal ids, and sealed what the next page says once. A raised `session_epoch` or
a disabled account ends every cookie given before, at the next request; signing out raises it.
"""

import base64
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Form, Request

from records import clinics
from records.base import Session
from records.casework import staff_by_id
from records.clinics import Staff
from records.vault import VaultError
from web.typed import keep
from worker.services import Services
from worker.steps.followup_actions import MAY_ACT, Actor

COOKIE = "aftercare_session"
LONGEST_SECONDS = 12 * 3600
IDLE_SECONDS = 2 * 3600
_SEEN_EVERY_SECONDS = 60
_NOTICE = "notice"


class NotSignedInError(Exception):
    """Nobody is signed in, or not any more: the sign-in page comes first."""


class ForgedFormError(Exception):
    """A form that did not come from a page of ours, or from one that is too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The staff member who asks, and their clinic."""

    id: UUID
    clinic_id: UUID
    clinic_name: str
    email: str = field(repr=False)
    role: str
    zone: ZoneInfo
    csrf: str = field(repr=False)
    # Other clinics where the same person works: the seat's place in the session and the name.
    seats: tuple[tuple[int, str], ...] = ()

    @property
    def may_act(self) -> bool:
        """Whether the role includes doing something, and not only looking."""
        return self.role in MAY_ACT

    @property
    def actor(self) -> Actor:
        """The same person, as steps know them."""
        label = f"staff:{self.id}"
        return Actor(label=label, staff_id=self.id, clinic_id=self.clinic_id, role=self.role)


def services_of(request: Request) -> Services:
    """Return the services of this application."""
    return cast("Services", request.app.state.services)


def csrf_token(session: dict[str, Any]) -> str:
    """Return the session's token for forms, made on first use."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def begin(session: dict[str, Any], staff: list[Staff]) -> None:
    """Sign in; `staff` are the person's accounts, one a clinic, the first of which is used."""
    session.clear()
    session["seats"] = [[str(each.id), each.session_epoch] for each in staff]
    session["seat"] = 0
    session["since"] = session["seen"] = int(time.time())
    csrf_token(session)


def end(services: Services, session: dict[str, Any]) -> None:
    """Sign out, here and wherever else the person is signed in: a copy of the cookie ends too."""
    with services.database.transaction() as opened:
        clinics.end_sessions(opened, {UUID(one): epoch for one, epoch in session["seats"]})
    session.clear()


def keep_notice(request: Request, notice: str) -> None:
    """Have the person's next page say this once; it may name people, and the cookie is readable."""
    sealed = services_of(request).vault.seal("session", _NOTICE, _staff_id(request), notice)
    request.session[_NOTICE] = base64.b64encode(sealed).decode()


def take_notice(request: Request) -> str:
    """Return what the last form had to say, once; nothing where it was said to another account."""
    kept = request.session.pop(_NOTICE, "")
    if not kept:
        return ""
    try:
        sealed = base64.b64decode(kept)
        return services_of(request).vault.open("session", _NOTICE, _staff_id(request), sealed)
    except (ValueError, VaultError):
        return ""


def _staff_id(request: Request) -> UUID:
    return UUID(request.session["seats"][request.session["seat"]][0])


def switch(session: dict[str, Any], person: Person, seat: int) -> None:
    """Go on at another of the person's clinics; where they can't any more, they stay."""
    if seat in dict(person.seats):
        session["seat"] = seat


def _seat(session: dict[str, Any], now: float) -> tuple[UUID, int] | None:
    """Return whose session this is, unless it is too old."""
    try:
        staff_id, epoch = session["seats"][session["seat"]]
        fresh = now - session["since"] < LONGEST_SECONDS and now - session["seen"] < IDLE_SECONDS
        return (UUID(staff_id), int(epoch)) if fresh else None
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def signed_in(request: Request) -> Person:
    """Return who asks. Raises NotSignedInError."""
    now = time.time()
    session = request.session
    seat = _seat(session, now)
    person = seat and _person(services_of(request), session, *seat)
    if not person:
        session.clear()
        raise NotSignedInError
    if now - session["seen"] > _SEEN_EVERY_SECONDS:
        session["seen"] = int(now)
    return person


def _person(
    services: Services, session: dict[str, Any], staff_id: UUID, epoch: int
) -> Person | None:
    with services.database.transaction() as opened:
        staff = _valid(opened, staff_id, epoch)
        if staff is None:
            return None
        file = clinics.by_id(opened, staff.clinic_id).file
        others = []
        for number, (other, given) in enumerate(session["seats"]):
            found = _valid(opened, UUID(other), given) if number != session["seat"] else None
            if found is not None:
                others.append((number, clinics.by_id(opened, found.clinic_id).file.name))
    return Person(
        id=staff.id,
        clinic_id=staff.clinic_id,
        clinic_name=file.name,
        email=staff.email,
        role=staff.role,
        zone=file.zone,
        csrf=csrf_token(session),
        seats=tuple(others),
    )


def _valid(opened: Session, staff_id: UUID, epoch: int) -> Staff | None:
    """Return the account of a seat, unless its sessions were ended or its owner has left."""
    staff = staff_by_id(opened, staff_id)
    fits = staff is not None and staff.disabled_at is None and staff.session_epoch == epoch
    return staff if fits else None


SignedIn = Annotated[Person, Depends(signed_in)]


async def own_form(request: Request, csrf: Annotated[str, Form()] = "") -> None:
    """Let a form pass that bears the session's token; keep what it says. Raises ForgedFormError."""
    await keep(request)
    expected = str(request.session.get("csrf", ""))
    if not expected or not secrets.compare_digest(expected.encode(), csrf.encode()):
        raise ForgedFormError


OwnForm = Depends(own_form)
