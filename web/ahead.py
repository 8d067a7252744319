"""What a patient will be texted in the next two weeks, and what staff can say so that it goes.

That is: they saw a text of ours arrive, or how one of two on a number is reached.

The page is the preview that the command line has: the same planner and words, nothing written.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from schedules.reasons import SkipReason
from web.consent import patient_of, standing
from web.console import record, show
from web.sessions import OwnForm, Person, SignedIn, keep_notice, services_of
from worker.calendars import where_unknown
from worker.preview import preview
from worker.refusal import RefusedError
from worker.services import Services
from worker.steps import people, tailoring
from worker.steps.followup_actions import ONLY_LOOKS
from worker.steps.tailoring import Reach

router = APIRouter(include_in_schema=False)

_DAYS = 14
#: How one of two on a number is reached, in the words of the form.
_WAYS = {
    Reach.CALLS_ONLY.value: "By calls only: no text goes to this one",
    Reach.TAG.value: "By texts that begin with a tag that they picked",
    Reach.TEXTS.value: "Neither: nobody has chosen yet, or the number is theirs alone",
}


@router.get("/patients/{patient_id}/texts", name="patient_texts")
def patient_texts(request: Request, person: SignedIn, patient_id: UUID) -> Response:
    """Show the texts of the next two weeks with their reasons; that they were shown is recorded."""
    services = services_of(request)
    with services.database.transaction() as session:
        who = patient_of(session, person, patient_id)
        values = standing(session, services, who)
        record(session, services, person, "preview.shown", f"patient:{who.id}", days=_DAYS)
    calendar = preview(services, patient_id, at=services.now, days=_DAYS)
    values |= {
        "calendar": calendar,
        "days": _DAYS,
        "unknown_zone": where_unknown(calendar),
        "ways": _WAYS,
        "waits": SkipReason.NUMBER_UNPROVED.value,
    }
    return show(request, person, "texts.html", values)


@router.post("/patients/{patient_id}/text-seen", dependencies=[OwnForm])
def text_seen(request: Request, person: SignedIn, patient_id: UUID) -> Response:
    """Take the person's word that a text of ours arrived at the patient's phone."""
    services = services_of(request)
    with services.database.transaction() as session:
        patient_of(session, person, patient_id)
    keep_notice(request, _seen(services, person, patient_id))
    return RedirectResponse(f"/patients/{patient_id}/texts", status_code=303)


@router.post("/patients/{patient_id}/reach", dependencies=[OwnForm])
def reach(
    request: Request,
    person: SignedIn,
    patient_id: UUID,
    how: Annotated[str, Form(max_length=20)] = "",
    tag: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Say how a patient is reached whose number another patient has too (care rule 22)."""
    services = services_of(request)
    with services.database.transaction() as session:
        patient_of(session, person, patient_id)
    keep_notice(request, _reached(services, person, patient_id, how, tag))
    return RedirectResponse(f"/patients/{patient_id}/texts", status_code=303)


def _reached(services: Services, person: Person, patient_id: UUID, how: str, tag: str) -> str:
    if not person.may_act:
        return ONLY_LOOKS
    if how not in list(Reach):
        return "Choose how they are reached."
    try:
        label = person.actor.label
        done = tailoring.reach(services, patient_id, Reach(how), actor=label, tag=tag)
    except RefusedError as error:
        return f"Nothing is saved. {error}"
    if done.calls_only:
        return "Noted: no text goes to this patient, and instructions become calls."
    if done.waits:
        return "Noted. No text goes until everybody on the number has a tag of their own."
    return "Noted: texts are planned again."


def _seen(services: Services, person: Person, patient_id: UUID) -> str:
    if not person.may_act:
        return ONLY_LOOKS
    try:
        people.text_seen(services, patient_id, actor=person.actor.label)
    except RefusedError as error:
        return str(error)
    return "Noted: the number is proved, and what waited for that goes."
