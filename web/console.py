"""The console: open follow-ups, one follow-up, and a patient's conversation.

A page shows rows of the signed-in person's clinic only; another clinic's id is not found. Opening
what a patient wrote is recorded. Forms answer with a redirect, so that reloading repeats nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from records import (
    accounting,
    audit,
    casework,
    clinics,
    disclosures,
    firststeps,
    inbox,
    outages,
    pages,
    patients,
    worklist,
)
from records.base import Session, new_id
from records.casework import Place, Said
from records.inbox import Inbound
from records.outbox import Message
from records.patients import Patient
from records.worklist import ListedFollowUp, ListedReply
from schedules.followups import FollowUpReason
from web import cards, wording
from web.firststeps import Step, steps
from web.pages import page
from web.sessions import OwnForm, Person, SignedIn, keep_notice, services_of, take_notice
from worker import reasons
from worker.services import Services
from worker.steps import followup_actions as actions
from worker.steps.followup_actions import (
    FollowUpActionError,
    FollowUpMissingError,
)

router = APIRouter(include_in_schema=False)

LISTED = 200
SHOWN = 100
# No text has it, and it comes before every other: an instant alone is the place right before it.
_FIRST_ID = UUID(int=0)


@router.get("/", name="work_list")
def work_list(request: Request, person: SignedIn) -> Response:
    """Show the clinic's open follow-ups, the most urgent first."""
    services = services_of(request)
    with services.database.transaction() as session:
        items = worklist.work_list(
            session, services.vault, clinic_id=person.clinic_id, limit=LISTED
        )
        facts = casework.sources(session, items)
        counts = casework.open_follow_ups_by_severity(session, person.clinic_id)
        down = outage_of(session, person.clinic_id, services)
        first_steps = _first_steps(session, person)
    values = {"items": items, "facts": facts, "counts": counts, "total": sum(counts.values())}
    values |= {"outage": down, "colleagues": _colleagues(services, person)}
    values |= {"first_steps": first_steps}
    return show(request, person, "worklist.html", values)


def _first_steps(session: Session, person: Person) -> list[Step]:
    """Return what a new clinic has to do yet, for whoever may do it."""
    file = clinics.by_id(session, person.clinic_id).file
    done = firststeps.progress(session, person.clinic_id)
    return steps(file, done) if person.may_act else []


def outage_of(session: Session, clinic_id: UUID, services: Services) -> str | None:
    """Return in words that the clinic's texts do not go; None while they do (care rule 16)."""
    down = outages.of_clinic(session, clinic_id, now=services.now)
    if down is None:
        return None
    return reasons.of_outage(down, clinics.by_id(session, clinic_id).file.zone)


@router.get("/patients/{patient_id}", name="patient")
def patient(
    request: Request,
    person: SignedIn,
    patient_id: UUID,
    before: datetime | None = None,
    before_id: UUID = _FIRST_ID,
) -> Response:
    """Show a patient's conversation, with what is planned ahead; the opening is recorded.

    `before` and `before_id` are the place before which the texts shown stand.
    """
    services = services_of(request)
    if before is not None and before.tzinfo is None:
        raise HTTPException(404)
    with services.database.transaction() as session:
        who = casework.patient_of(session, person.clinic_id, patient_id)
        if who is None:
            raise HTTPException(404)
        talk = casework.conversation(
            session,
            services.vault,
            clinic_id=person.clinic_id,
            patient_id=patient_id,
            now=services.now,
            before=Place(before, before_id) if before else None,
            limit=SHOWN,
        )
        bodies = {row.id: row.body(services.vault) for row in (*talk.past, *talk.ahead)}
        facts = casework.sources(session, talk.follow_ups)
        values = {
            "colleagues": [],
            "talk": talk,
            "bodies": bodies,
            "facts": facts,
            **_identity(services, session, who),
            **_rests(who, services.now),
        }
        subject = f"patient:{patient_id}"
        record(session, services, person, "conversation.viewed", subject, texts=len(bodies))
    oldest = casework.place_of(talk.past[0]) if talk.past and talk.more_before else None
    return show(request, person, "patient.html", {**values, "older": oldest, "is_reply": _is_reply})


def _identity(services: Services, session: Session, who: Patient) -> dict[str, Any]:
    stopped = patients.opted_out(session, clinic_id=who.clinic_id, blind=who.phone_blind)
    return {
        "patient": who,
        "first_name": patients.opened(services.vault, who, "first_name"),
        "external_id": patients.opened(services.vault, who, "external_id"),
        "phone": patients.opened(services.vault, who, "phone"),
        "stopped": stopped,
    }


def _rests(who: Patient, now: datetime) -> dict[str, Any]:
    """Return what lets the patient's check-ins rest; a crisis has no end but a clinician's."""
    return {
        "in_crisis": patients.in_crisis(who.paused_until, now),
        "own_pause": patients.own_pause(who, now),
    }


def _is_reply(row: Said) -> bool:
    return isinstance(row, ListedReply)


@router.get("/follow-ups/{follow_up_id}", name="follow_up")
def follow_up(request: Request, person: SignedIn, follow_up_id: UUID) -> Response:
    """Show one follow-up with the text it is about, also of an unknown number."""
    return _item_page(request, person, follow_up_id)


def _item_page(
    request: Request, person: Person, follow_up_id: UUID, *, status: int = 200, **more: str
) -> Response:
    services = services_of(request)
    with services.database.transaction() as session:
        item = worklist.follow_up(session, services.vault, follow_up_id)
        if item is None or item.clinic_uuid != person.clinic_id:
            raise HTTPException(404)
        facts = casework.sources(session, [item])
        said = _source_text(session, services, item)
        history = casework.events_of(session, services.vault, follow_up_id)
        disclosed = _disclosed(session, item)
        later = _later_texts(session, services, item)
        answered = pages.answers_about(session, follow_up_id)
        to_do = wording.to_do(clinics.by_id(session, item.clinic_uuid).file, item.reason)
        told = accounting.listed(session, services.vault, follow_up_id=follow_up_id)
        shown = cards.of(session, services, item) if item.severity == "page_now" else {}
        subject = f"follow_up:{follow_up_id}"
        record(session, services, person, "follow_up.viewed", subject, texts=len(said))
    values = {"item": item, "facts": facts, "said": said, "history": history, "card": shown}
    values |= {"colleagues": _colleagues(services, person), "disclosed": disclosed}
    values |= {"later": later, "answered": answered, "told": told, "to_do": to_do}
    values |= {"form": new_id(), **more}
    return show(request, person, "follow_up.html", values, status=status)


def _later_texts(
    session: Session, services: Services, item: ListedFollowUp
) -> list[tuple[Inbound, str]]:
    """Open the texts that joined an item after the one that opened it, the oldest first."""
    found = inbox.about(session, item.id, limit=SHOWN)
    vault = services.vault
    return [
        (row, vault.open("inbound", "body", row.id, row.body))
        for row in found
        if row.id != item.source_id
    ]


def _disclosed(session: Session, item: ListedFollowUp) -> Sequence[Message]:
    """Return what may have reached a stranger, for the assessment of a wrong number."""
    if item.reason != FollowUpReason.BREACH_ASSESSMENT or item.patient_uuid is None:
        return ()
    return disclosures.since_proof(session, item.patient_uuid)


def _colleagues(services: Services, person: Person) -> list[str]:
    """Return to whom an item can be handed."""
    with services.database.transaction() as session:
        staff = casework.staff_of(session, person.clinic_id)
    return [each.email for each in staff if each.role in actions.MAY_ACT and each.id != person.id]


def _source_text(session: Session, services: Services, item: ListedFollowUp) -> Mapping[str, Any]:
    """Open the text that a follow-up is about; empty when it is about none."""
    if item.source_kind != "inbound":
        return {}
    row = casework.reply(session, services.vault, item.source_id)
    if row is None or row.clinic_uuid != item.clinic_uuid:
        return {}
    return {"row": row, "body": row.body(services.vault), "number": row.from_number(services.vault)}


@router.post("/follow-ups/{follow_up_id}/take", dependencies=[OwnForm])
def take(
    request: Request,
    person: SignedIn,
    follow_up_id: UUID,
    to: Annotated[str, Form(max_length=100)] = "/",
) -> Response:
    """Make a follow-up the person's own."""
    try:
        actions.take(services_of(request), follow_up_id, actor=person.actor)
    except FollowUpActionError as error:
        return refused(request, error, to)
    return back(request, "It is yours now.", to)


@router.post("/follow-ups/{follow_up_id}/resolve", dependencies=[OwnForm])
def resolve(
    request: Request,
    person: SignedIn,
    follow_up_id: UUID,
    outcome: Annotated[str, Form(max_length=100)] = "",
    seen: Annotated[int, Form()] = 0,
    note: Annotated[str, Form()] = "",
    to: Annotated[str, Form(max_length=100)] = "/",
) -> Response:
    """End a follow-up with its outcome; `seen` is how much had joined it on the page shown."""
    try:
        actions.resolve(
            services_of(request),
            follow_up_id,
            outcome=outcome,
            note=note,
            actor=person.actor,
            seen=seen,
        )
    except FollowUpActionError as error:
        return form_again(request, person, follow_up_id, "resolve", error)
    return back(request, "Ended and noted.", to)


def refused(request: Request, error: FollowUpActionError, to: str) -> Response:
    """Say why it was not done, on the page that the form came from."""
    if isinstance(error, FollowUpMissingError):
        raise HTTPException(404)
    return back(request, str(error), to)


def form_again(
    request: Request, person: Person, follow_up_id: UUID, form: str, error: Exception | str
) -> Response:
    """Say why it was not done, on the item's page as it is now, with the form as it was filled in.

    A redirect would lose what was typed: a note is too long for a cookie.
    """
    if isinstance(error, FollowUpMissingError):
        raise HTTPException(404)
    values = {"refused": form, "notice": str(error)}
    return _item_page(request, person, follow_up_id, status=409, **values)


def back(request: Request, notice: str, to: str) -> Response:
    """Go back to the list or the patient, where the notice is shown once."""
    keep_notice(request, notice)
    return RedirectResponse(_known_page(to), status_code=303)


def _known_page(to: str) -> str:
    if to.partition("#")[0] == "/visits":
        return to
    prefix, _, row = to.rpartition("/")
    if prefix in {"/patients", "/follow-ups"}:
        try:
            return f"{prefix}/{UUID(row)}"
        except ValueError:
            return "/"
    return "/"


def show(
    request: Request, person: Person, template: str, values: Mapping[str, Any], *, status: int = 200
) -> Response:
    notice = take_notice(request)
    shown = {"person": person, "zone": person.zone, "notice": notice, "actions": actions, **values}
    return page(request, template, shown, status=status)


def record(
    session: Session, services: Services, person: Person, action: str, subject: str, **details: Any
) -> None:
    """Note in the clinic's trail that somebody looked at something."""
    audit.record(
        session,
        services.vault,
        clinic_id=person.clinic_id,
        now=services.now,
        actor=person.actor.label,
        action=action,
        subject=subject,
        details=details,
    )
