"""What a patient will be texted in the next two weeks, and the word of staff who saw a text arrive.

The page is the preview that the command line has: the same planner and words, nothing written.
"""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from schedules.reasons import SkipReason
from web.consent import patient_of, standing
from web.console import record, show
from web.sessions import OwnForm, Person, SignedIn, keep_notice, services_of
from worker.calendars import where_unknown
from worker.preview import preview
from worker.refusal import RefusedError
from worker.services import Services
from worker.steps import people
from worker.steps.followup_actions import ONLY_LOOKS

router = APIRouter(include_in_schema=False)

_DAYS = 14


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


def _seen(services: Services, person: Person, patient_id: UUID) -> str:
    if not person.may_act:
        return ONLY_LOOKS
    try:
        people.text_seen(services, patient_id, actor=person.actor.label)
    except RefusedError as error:
        return str(error)
    return "Noted: the number is proved, and what waited for that goes."
