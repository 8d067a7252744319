"""The console for whoever is on duty: hand over, put off, take a test page, the call list."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from records import harm, pages, patients
from web.console import back, form_again, outage_of, record, refused, show
from web.sessions import OwnForm, SignedIn, services_of
from web.typed import local_time
from worker.steps import followup_actions as actions
from worker.steps.followup_actions import FollowUpActionError

router = APIRouter(include_in_schema=False)

_TO = Annotated[str, Form(max_length=100)]


@router.post("/follow-ups/{follow_up_id}/assign", dependencies=[OwnForm])
def assign(
    request: Request,
    person: SignedIn,
    follow_up_id: UUID,
    email: Annotated[str, Form(max_length=200)] = "",
    to: _TO = "/",
) -> Response:
    """Hand a follow-up to a colleague, who is told of it."""
    try:
        actions.assign(services_of(request), follow_up_id, email=email, actor=person.actor)
    except FollowUpActionError as error:
        return refused(request, error, to)
    return back(request, "Handed over.", to)


@router.post("/follow-ups/{follow_up_id}/snooze", dependencies=[OwnForm])
def snooze(
    request: Request,
    person: SignedIn,
    follow_up_id: UUID,
    until: Annotated[str, Form(max_length=40)] = "",
    seen: Annotated[int, Form()] = 0,
    to: _TO = "/",
) -> Response:
    """Put a follow-up off until a time by the clinic's clock; `seen` is as in `resolve`."""
    try:
        at = local_time(until, person.zone)
    except ValueError:
        return form_again(request, person, follow_up_id, "snooze", "Choose until when.")
    try:
        actions.snooze(services_of(request), follow_up_id, until=at, actor=person.actor, seen=seen)
    except FollowUpActionError as error:
        return form_again(request, person, follow_up_id, "snooze", error)
    return back(request, "Put off.", to)


@router.post("/follow-ups/{follow_up_id}/told", dependencies=[OwnForm])
def note_told(
    request: Request,
    person: SignedIn,
    follow_up_id: UUID,
    recipient: Annotated[str, Form()] = "",
    told: Annotated[str, Form()] = "",
    at: Annotated[str, Form(max_length=40)] = "",
    form: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Note what was told to 911 or somebody else outside; without a time it was told now.

    `form` names the form as it was shown, so that a second press of its button notes nothing more.
    """
    try:
        when = local_time(at, person.zone) if at else None
        actions.note_disclosure(
            services_of(request),
            follow_up_id,
            recipient=recipient,
            told=told,
            at=when,
            actor=person.actor,
            form=form,
        )
    except ValueError:
        why = "That is no time. Leave it empty if it was told now."
        return form_again(request, person, follow_up_id, "told", why)
    except FollowUpActionError as error:
        return form_again(request, person, follow_up_id, "told", error)
    noted = "Noted. It can't be changed; add another note to correct it."
    return back(request, noted, f"/follow-ups/{follow_up_id}")


@router.get("/pages/{page_id}", name="page")
def page(request: Request, person: SignedIn, page_id: UUID) -> Response:
    """Show a page that is about no item, with the button that takes it."""
    services = services_of(request)
    with services.database.transaction() as session:
        found = pages.by_id(session, page_id)
        if found is None or found.clinic_id != person.clinic_id:
            raise HTTPException(404)
        ways = pages.deliveries_of(session, page_id)
    takes = person.may_act and (found.follow_up_id or actions.calls(found, person.email))
    return show(request, person, "page.html", {"page": found, "ways": ways, "takes": takes})


@router.post("/pages/{page_id}/take", dependencies=[OwnForm])
def take_page(request: Request, person: SignedIn, page_id: UUID) -> Response:
    """Acknowledge a page; the item that it is about becomes the person's own."""
    try:
        follow_up_id = actions.take_paged(services_of(request), page_id, actor=person.actor)
    except FollowUpActionError as error:
        return refused(request, error, "/")
    if follow_up_id is None:
        return back(request, "Thank you: it reached you.", "/")
    return back(request, "It is yours now.", f"/follow-ups/{follow_up_id}")


@router.get("/call-list", name="call_list")
def call_list(request: Request, person: SignedIn, closure: bool = False) -> Response:
    """Show whom to call while texts are down, or before closed days; for printing."""
    services = services_of(request)
    with services.database.transaction() as session:
        calls = (
            harm.closure_list(session, person.clinic_id, now=services.now)
            if closure
            else harm.call_list(session, services.vault, person.clinic_id, now=services.now)
        )
        people = {
            key: {
                name: patients.opened(services.vault, row, name)
                for name in ("first_name", "phone", "external_id")
            }
            for key, row in harm.people(session, calls).items()
        }
        subject = f"clinic:{person.clinic_id}"
        record(session, services, person, "call_list.viewed", subject, count=len(calls))
        outage = None if closure else outage_of(session, person.clinic_id, services)
    values = {"calls": calls, "people": people, "closure": closure, "outage": outage}
    return show(request, person, "call_list.html", values)
