"""What a patient's text means, where it was misread: whoever reads it says so on its own page.

The reading stays beside the correction. The record follows it; a stop is never lifted by it.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from messages.replies import Intent
from records import casework, inbox
from records.base import Session
from records.inbox import Inbound
from records.vault import Vault
from records.worklist import ListedReply
from web.consent import only_looks
from web.console import back, record, show
from web.sessions import OwnForm, Person, SignedIn, services_of
from worker.refusal import RefusedError
from worker.services import Services
from worker.steps import corrections

router = APIRouter(include_in_schema=False)

_NO_MEANING = "Say what they meant."
_NO_NUMBER = "Give the number that they meant."
_NUMBER_ALONE = "A number goes with “a number” alone. Clear it, or choose that."
_ALREADY = "It is read so already: nothing was changed."
_STAYS = " The stop stays in force: see their consent for what ends it."


@router.get("/replies/{reply_id}", name="reply")
def reply(request: Request, person: SignedIn, reply_id: UUID) -> Response:
    """Show one text, how it was read and what staff said of that; the opening is recorded."""
    services = services_of(request)
    with services.database.transaction() as session:
        _of_clinic(session, services.vault, person, reply_id)
        record(session, services, person, "reply.viewed", f"inbound:{reply_id}")
    return _page(request, person, reply_id)


@router.post("/replies/{reply_id}/correct", dependencies=[OwnForm])
def correct(
    request: Request,
    person: SignedIn,
    reply_id: UUID,
    meant: Annotated[str, Form(max_length=40)] = "",
    number: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Write down what the text means, and go back to whose it is."""
    services = services_of(request)
    with services.database.transaction() as session:
        row = _of_clinic(session, services.vault, person, reply_id)
    if not person.may_act:
        return only_looks(request, person)
    try:
        notice = _correct(services, person, row, meant, number.strip())
    except RefusedError as error:
        return _page(request, person, reply_id, why=str(error))
    return back(request, notice, f"/patients/{row.patient_uuid}" if row.patient_uuid else "/")


def _correct(services: Services, person: Person, row: ListedReply, meant: str, number: str) -> str:
    """Correct the reading and return what that did. Raises RefusedError."""
    if meant not in list(Intent):
        raise RefusedError(_NO_MEANING)
    intent = Intent(meant)
    if intent is Intent.score and not number:
        raise RefusedError(_NO_NUMBER)
    if intent is not Intent.score and number:
        raise RefusedError(_NUMBER_ALONE)
    if row.intent == intent and (row.value or "") == number:
        return _ALREADY
    done = corrections.correct(
        services, row.id, intent=intent, value=number or None, actor=person.actor.label
    )
    return f"Noted. {corrections.IN_WORDS[done.changed]}{_STAYS if done.stop_stays else ''}"


def _of_clinic(session: Session, vault: Vault, person: Person, reply_id: UUID) -> ListedReply:
    """Return a text of the person's clinic, as it is read now; any other is not found."""
    row = casework.reply(session, vault, reply_id)
    if row is None or row.clinic_uuid != person.clinic_id:
        raise HTTPException(404)
    return row


def _page(request: Request, person: Person, reply_id: UUID, *, why: str = "") -> Response:
    """Show the text with its reading. `why` says what a form was refused for."""
    services = services_of(request)
    with services.database.transaction() as session:
        row = _of_clinic(session, services.vault, person, reply_id)
        shown = {
            "row": row,
            "body": row.body(services.vault),
            "read_as": _as_read(session, reply_id),
            "corrections": casework.corrections(session, reply_id),
            "meanings": list(Intent),
            "why": why,
            "refused": "correct" if why else "",
        }
    return show(request, person, "reply.html", shown, status=409 if why else 200)


def _as_read(session: Session, reply_id: UUID) -> Inbound:
    """Return the text as it came, with its first reading."""
    found = inbox.find(session, reply_id)
    if found is None:
        raise HTTPException(404)
    return found
