"""What a patient agreed to: the ledger, and the forms by which staff write to it.

Somebody who calls and wants no more texts is heard at once, and whoever agrees later, or wants
texts again after a stop, needs no command line. A form that is refused comes back as it was.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from babel import Locale
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from messages import consent
from messages.phone import display
from records import casework, clinics, patients, planning, sending
from records.base import Session
from records.patients import Consent, OptOut, Patient
from schedules.clinic import ClinicFile
from web.console import record, show
from web.sessions import OwnForm, Person, SignedIn, keep_notice, services_of
from web.typed import local_time, named, typed, unsaved
from worker.intake import values
from worker.intake.form import METHODS
from worker.intake.patients import PURPOSES
from worker.intake.table import CellError
from worker.refusal import RefusedError
from worker.services import Services
from worker.steps import consents
from worker.steps.followup_actions import ONLY_LOOKS

router = APIRouter(include_in_schema=False)

#: Begins the names of the fields that say what a patient agrees to.
PURPOSE = "purpose-"
_NO_TIME = "That is no time. Leave it empty if they agreed just now."
_NO_METHOD = "Say how they said so."
_NO_PURPOSE = "Tick what it is about."


@router.get("/patients/{patient_id}/consent", name="patient_consent")
def patient_consent(request: Request, person: SignedIn, patient_id: UUID) -> Response:
    """Show what a patient agreed to and took back; that it was shown is recorded."""
    services = services_of(request)
    with services.database.transaction() as session:
        who = patient_of(session, person, patient_id)
        record(session, services, person, "consent.viewed", f"patient:{who.id}")
    return _page(request, person, patient_id)


@router.post("/patients/{patient_id}/consent/grant", dependencies=[OwnForm])
def grant(request: Request, person: SignedIn, patient_id: UUID) -> Response:
    """Write down what a patient agrees to, and show what they will be texted."""
    fields, services = typed(request), services_of(request)

    def write() -> None:
        consents.grant(
            services,
            patient_id,
            purposes=_purposes(request),
            method=_method(request),
            actor=person.actor.label,
            at=_at(fields["at"], person),
            wording_version=_wording(request, person, patient_id),
            risk_acknowledged=bool(fields["sms_risk_ack"]) or None,
            lift_stop=bool(fields["lift_stop"]),
            # Of a number that was called wrong, and of no other, the field says that it is theirs.
            number_verified=fields["lift_stop"] == patients.WRONG_NUMBER,
            seen=_seen(request),
        )

    done = f"/patients/{patient_id}/texts", "Noted. This is what they are texted now."
    return _written(request, person, patient_id, write, "grant", done)


@router.post("/patients/{patient_id}/consent/revoke", dependencies=[OwnForm])
def revoke(request: Request, person: SignedIn, patient_id: UUID) -> Response:
    """Write down what a patient takes back; nothing of it is sent any more."""

    def write() -> None:
        consents.revoke(
            services_of(request),
            patient_id,
            purposes=_purposes(request),
            method=_method(request),
            actor=person.actor.label,
            seen=_seen(request),
        )

    done = f"/patients/{patient_id}/consent", "Noted. Nothing of that is sent any more."
    return _written(request, person, patient_id, write, "revoke", done)


def patient_of(session: Session, person: Person, patient_id: UUID) -> Patient:
    """Return a patient of the person's clinic; anybody else is not found."""
    who = casework.patient_of(session, person.clinic_id, patient_id)
    if who is None:
        raise HTTPException(404)
    return who


def standing(session: Session, services: Services, who: Patient) -> dict[str, Any]:
    """Return what decides whether texts go to a patient: consent, stop, number, who shares it."""
    return {
        "patient": who,
        "first_name": patients.opened(services.vault, who, "first_name"),
        "external_id": patients.opened(services.vault, who, "external_id"),
        "consent": _agreed(patients.consents(session, who.id)),
        "stopped": patients.opted_out(session, clinic_id=who.clinic_id, blind=who.phone_blind),
        "taken": planning.standings(session, [who.id])[who.id].number_taken,
        "welcomed": who.id not in sending.unwelcomed(session, [who.id], now=services.now),
        "shared": _is_shared(session, who),
        "tag": patients.opened(services.vault, who, "tag") if who.tag else "",
    }


def _is_shared(session: Session, who: Patient) -> bool:
    """Say whether another patient has the number too."""
    there = patients.on_number(session, who.clinic_id, who.phone_blind)
    return any(each.id != who.id and each.status != "closed" for each in there)


def _agreed(entries: list[Consent]) -> Consent | None:
    """Return the latest grant."""
    return next((each for each in reversed(entries) if each.action == "grant"), None)


def languages(file: ClinicFile) -> dict[str, str]:
    """Return the languages by their names, the clinic's first."""
    ordered = dict.fromkeys((*file.languages, *consent.languages()))
    return {each: Locale(each).get_display_name("en") or each for each in ordered}


def wordings(file: ClinicFile) -> list[consent.ConsentWording]:
    """Return the consent in every language, in the clinic's name."""
    return [
        consent.wording(
            each,
            sms_name=file.sms_name,
            phone=display(file.phone),
            per_day=file.caps.per_day,
        )
        for each in languages(file)
    ]


def only_looks(request: Request, person: Person) -> Response:
    """Say to whoever may only look that they can't do this, and show what they typed."""
    shown = {"title": "Not for viewers", "advice": ONLY_LOOKS, "unsaved": unsaved(request)}
    return show(request, person, "error.html", shown, status=403)


def _page(request: Request, person: Person, patient_id: UUID, **more: Any) -> Response:
    """Show the ledger as it is now. `more` says what a form was refused for, with which status."""
    services = services_of(request)
    with services.database.transaction() as session:
        who = patient_of(session, person, patient_id)
        file = clinics.by_id(session, person.clinic_id).file
        shown = {
            "entries": casework.ledger(session, who.id),
            "methods": METHODS,
            "purposes": PURPOSES,
            "wordings": wordings(file),
            "warned": file.require_sms_risk_ack,
            **standing(session, services, who),
        }
    shown["lifts"] = _can_be_lifted(shown["stopped"])
    status = more.pop("status", 200)
    return show(request, person, "consent.html", {"refused": "", **shown, **more}, status=status)


def _can_be_lifted(stop: OptOut | None) -> bool:
    """Say whether a patient's word to staff can take back what keeps the number from texts."""
    nobodys = (patients.SUSPENDED, patients.DECEASED)
    return stop is not None and not stop.reason.startswith(nobodys)


def _written(
    request: Request,
    person: Person,
    patient_id: UUID,
    write: Callable[[], None],
    form: str,
    done: tuple[str, str],
) -> Response:
    """Carry a form out and go on to where its effect shows, or show it again with what to mend."""
    with services_of(request).database.transaction() as session:
        patient_of(session, person, patient_id)
    if not person.may_act:
        return only_looks(request, person)
    try:
        write()
    except RefusedError as error:
        again = {"refused": form, "why": str(error), "status": 409}
        return _page(request, person, patient_id, **again)
    address, notice = done
    keep_notice(request, notice)
    return RedirectResponse(address, status_code=303)


def _purposes(request: Request) -> list[str]:
    found = named(typed(request), PURPOSE)
    if not found:
        raise RefusedError(_NO_PURPOSE)
    return found


def _method(request: Request) -> str:
    method = typed(request)["method"]
    if method not in METHODS:
        raise RefusedError(_NO_METHOD)
    return method


def _at(text: str, person: Person) -> datetime | None:
    try:
        return local_time(text, person.zone) if text else None
    except ValueError as error:
        raise RefusedError(_NO_TIME) from error


def _wording(request: Request, person: Person, patient_id: UUID) -> str:
    """Return what their own form is called, or the wording that ships in the patient's language."""
    try:
        named_here = values.short(typed(request)["consent_version"].strip())
    except CellError as error:
        raise RefusedError(f"Form of your own: {error}.") from error
    with services_of(request).database.transaction() as session:
        language = patient_of(session, person, patient_id).language
    return named_here or consent.version_in(language)


def _seen(request: Request) -> int:
    """Return how many entries the page showed; a form without that showed none that is known."""
    seen = typed(request)["seen"]
    return int(seen) if seen.isdecimal() else -1
