"""The visits board: today's and tomorrow's visits, what is ready, and what happened (care rule 27).

One press records what happened, and one more takes it back. A visit that staff moved to another day
stays in view for a day.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from messages.formats import clock
from messages.reading import Topic
from records import board, casework, clinics, patients
from records.appointments import Appointment
from records.base import Session
from records.clinics import Staff
from records.followups import FollowUp
from records.patients import Patient
from schedules.facts import Dose, VisitStatus
from web import readiness
from web.console import back, record, show
from web.sessions import OwnForm, Person, SignedIn, services_of
from worker.intake.table import CellError
from worker.intake.written import PLAIN
from worker.refusal import RefusedError
from worker.services import Services
from worker.steps import events
from worker.steps.followup_actions import ONLY_LOOKS

router = APIRouter(include_in_schema=False)

_DAYS = 2
_MOVED_LATELY = timedelta(days=1)
#: What a button says happened: the event, and the dose that goes with it.
_SAID = MappingProxyType(
    {
        "arrived": (VisitStatus.ARRIVED, None),
        "checked_out": (VisitStatus.CHECKED_OUT, None),
        "given": (VisitStatus.CHECKED_OUT, Dose.GIVEN),
        "partial": (VisitStatus.CHECKED_OUT, Dose.PARTIAL),
        "not_given": (VisitStatus.CHECKED_OUT, Dose.NOT_GIVEN),
        "no_show": (VisitStatus.NO_SHOW, None),
        "cancelled": (VisitStatus.CANCELLED, None),
        "booked": (VisitStatus.BOOKED, None),
    }
)
_NOTED = MappingProxyType(
    {
        "cancelled": "Cancelled. The patient is told at the next allowed minute.",
        "booked": "Noted: the visit stands as planned.",
    }
)


@router.get("/visits", name="visits")
def visits_board(request: Request, person: SignedIn) -> Response:
    """Show today's and tomorrow's visits by the clinic's calendar; that they were is recorded."""
    services = services_of(request)
    today = services.now.astimezone(person.zone).date()
    with services.database.transaction() as session:
        days = [
            (today + timedelta(days=ahead), _day(session, services, person, today, ahead))
            for ahead in range(_DAYS)
        ]
        later = datetime.combine(today + timedelta(days=_DAYS), time(), person.zone)
        moved = _cards(
            session,
            services,
            person,
            board.moved_away(session, person.clinic_id, services.now - _MOVED_LATELY, later),
            ahead=_DAYS,
        )
        count = sum(len(cards) for _, cards in days) + len(moved)
        subject = f"clinic:{person.clinic_id}"
        record(session, services, person, "visits.viewed", subject, count=count)
    values = {"days": days, "today": today, "moved": moved}
    return show(request, person, "visits.html", values)


def _day(
    session: Session, services: Services, person: Person, today: date, ahead: int
) -> list[dict[str, Any]]:
    """Return a day's visits, with all that the board shows of each."""
    starts, ends = (
        datetime.combine(today + timedelta(days=each), time(), person.zone)
        for each in (ahead, ahead + 1)
    )
    found = board.visits(session, person.clinic_id, starts, ends)
    return _cards(session, services, person, found, ahead=ahead)


def _cards(
    session: Session,
    services: Services,
    person: Person,
    found: Sequence[tuple[Appointment, Patient]],
    *,
    ahead: int,
) -> list[dict[str, Any]]:
    terms = clinics.by_id(session, person.clinic_id).file.terms
    people = [who.id for _, who in found]
    texts = board.texts_about(session, [visit.id for visit, _ in found])
    numbers = board.numbers_since_dose(session, people, now=services.now)
    items = board.items_about(session, people)
    owners = casework.staff_with_ids(
        session, {each.owner_id for one in items.values() for each in one if each.owner_id}
    )

    def topic_of(template: str) -> Topic | None:
        written = services.catalog.templates.get(template)
        return written.topic if written is not None else None

    return [
        {
            "visit": visit,
            "patient": who,
            "first_name": patients.opened(services.vault, who, "first_name"),
            "external_id": patients.opened(services.vault, who, "external_id"),
            "route": terms.route_shown(visit.route) if visit.route else None,
            "facts": readiness.facts(
                visit,
                who,
                texts.get(visit.id, ()),
                numbers.get(who.id, ()),
                topic_of=topic_of,
                now=services.now,
            )
            if visit.status == "booked"
            else [],
            **_items(visit, items.get(who.id, []), owners),
            "presses": _presses(visit, ahead),
        }
        for visit, who in found
    ]


def _items(
    visit: Appointment, items: list[FollowUp], owners: dict[UUID, Staff]
) -> dict[str, list[Any]]:
    """Return what is open about a patient, and what a clinician decided about this very dose."""
    decided = [
        (each, owners[each.owner_id].email if each.owner_id in owners else "")
        for each in items
        if each.status == "resolved" and each.dose_at == visit.starts_at
    ]
    return {"open": [each for each in items if each.status != "resolved"], "decided": decided}


def _presses(visit: Appointment, ahead: int) -> list[tuple[str, str]]:
    """Return the buttons that fit what a visit is: what each says, and what it is called."""
    if visit.status == "booked":
        today = [("arrived", "Arrived")] if ahead == 0 else []
        return today + ([("booked", "Stands as planned")] if visit.change_requested_at else [])
    if visit.status == "arrived" and visit.kind == "dosing":
        return [
            ("given", "Left, dose given"),
            ("not_given", "Left, no dose"),
            ("partial", "Left, part of the dose"),
        ]
    return [("checked_out", "Left")] if visit.status == "arrived" else []


@router.post("/visits/{visit_id}/event", dependencies=[OwnForm])
def happened(
    request: Request,
    person: SignedIn,
    visit_id: UUID,
    what: Annotated[str, Form(max_length=20)] = "",
    seen: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Record what happened at a visit, unless it is not what the page showed (`seen`) any more."""
    if what not in _SAID:
        raise HTTPException(404)
    kind, dose = _SAID[what]

    def tell(services: Services) -> str:
        label = person.actor.label
        events.record_event(services, visit_id, kind, actor=label, dose=dose, seen=seen)
        # The card that was pressed says the rest.
        return _NOTED.get(what, "Noted.")

    return _change(request, person, visit_id, tell)


@router.post("/visits/{visit_id}/move", dependencies=[OwnForm])
def moved(
    request: Request,
    person: SignedIn,
    visit_id: UUID,
    to: Annotated[str, Form(max_length=40)] = "",
    seen: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Give a visit another start by the clinic's clock, unless its start is not `seen` any more."""
    read = PLAIN.instant(person.zone)

    def move(services: Services) -> str:
        label = person.actor.label
        visit = events.move_visit(services, visit_id, read(to), actor=label, seen=read(seen))
        at = visit.starts_at.astimezone(person.zone)
        when = f"{at:%A, %B} {at.day}, {clock(at.time(), 'en')}"
        return f"Moved to {when}. The patient is told at the next allowed minute."

    return _change(request, person, visit_id, move)


def _change(
    request: Request, person: Person, visit_id: UUID, change: Callable[[Services], str]
) -> Response:
    """Change one of the clinic's visits, and say at its card what came of it."""
    services = services_of(request)
    if not person.may_act:
        return back(request, ONLY_LOOKS, "/visits")
    with services.database.transaction() as session:
        if not board.is_of(session, visit_id, person.clinic_id):
            raise HTTPException(404)
    try:
        told = change(services)
    except CellError as error:
        told = f"That is no time to move a visit to: {error}."
    except RefusedError as error:
        told = str(error)
    return back(request, told, f"/visits#visit-{visit_id}")
