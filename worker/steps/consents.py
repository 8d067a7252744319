"""What a patient agreed to, or took back, as they told staff: entries of the ledger of consent.

An entry is in force at once. What it lets go is planned, what it takes back is not sent, also where
a worker has claimed it already.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from records import clinics, enrollments, intake, patients, planning
from records.base import Session
from records.patients import Patient
from worker import enrolling, lifting, protocols, trail
from worker.endings import refuse_closed
from worker.intake.patients import PURPOSES
from worker.refusal import RefusedError
from worker.replying.stopping import StopReason
from worker.services import Services

_GRANT, _REVOKE = "grant", "revoke"
_NO_WARNING = (
    "This clinic texts nobody who was not told that texts are not private. Tell them first, and say"
    " so with the consent if they want texts all the same."
)
_MEANWHILE = (
    "Something was recorded while this page was open, perhaps this very form. Nothing more was: "
    "look below what is on record now."
)


def grant(
    services: Services,
    patient_id: UUID,
    *,
    purposes: Sequence[str],
    method: str,
    actor: str,
    at: datetime | None = None,
    wording_version: str | None = None,
    risk_acknowledged: bool | None = None,
    lift_stop: bool = False,
    number_verified: bool = False,
    seen: int | None = None,
) -> tuple[str, ...]:
    """Write a consent to the ledger; return the purposes now in force.

    `at` is when they agreed, now unless given; `risk_acknowledged` that they know that texts are
    not private. By itself a consent lifts no stop, only the rest of a number that was out of
    service before it. With `lift_stop` it also takes back a stop, after staff have spoken with the
    patient (`worker.lifting`), and whose number was called wrong is welcomed anew. `seen` says how
    many entries the ledger had for whoever decides. RefusedError says what stands where that can't
    be.
    """
    _check_purposes(purposes)
    now = services.now
    said_at = at or now
    if said_at > now:
        raise RefusedError("That time lies in the future. Give the day and hour when they agreed.")
    with services.database.transaction() as session:
        person = _locked(session, patient_id, seen)
        refuse_closed(person)
        _check_warning(session, person, risk_acknowledged)
        _check_newer(session, person, purposes, said_at, lift_stop=lift_stop)
        begins = not person.purposes
        # Staff have looked at a number whose welcome came back; it is tried once more.
        again = bool(planning.without_welcome(session, [person.id], again=True))
        if lift_stop:
            lifted = lifting.lift_stop(session, services, person, number_verified=number_verified)
            again = again or lifted == StopReason.WRONG_NUMBER
            details = {"reason": lifted, "number_verified": number_verified}
            trail.note(session, services, person, actor, "stop.lifted", details)
        entry = {
            "action": _GRANT,
            "purposes": list(purposes),
            "method": method,
            "occurred_at": said_at,
            "wording_version": wording_version,
            "risk_acknowledged": risk_acknowledged,
        }
        _write(session, services, person, actor, entry)
        _end_suspension(session, person, said_at, now)
        if begins or again:
            clinic = clinics.by_id(session, person.clinic_id)
            published = protocols.of_clinic(session, clinic.id)
            enrolling.join(session, clinic.file, published, [person], now=now, again=again)
        enrollments.request_plan_of_patient(session, person.id)
        return tuple(person.purposes)


def revoke(
    services: Services,
    patient_id: UUID,
    *,
    purposes: Sequence[str],
    method: str,
    actor: str,
    seen: int | None = None,
) -> tuple[str, ...]:
    """Write a revocation to the ledger, at once in force; return the purposes that are left.

    `seen` is as in `grant`. Raises RefusedError.
    """
    _check_purposes(purposes)
    with services.database.transaction() as session:
        person = _locked(session, patient_id, seen)
        entry = {
            "action": _REVOKE,
            "purposes": list(purposes),
            "method": method,
            "occurred_at": services.now,
        }
        _write(session, services, person, actor, entry)
        session.flush()
        # Claimed rows are judged anew, and the gate then finds no consent.
        intake.release_of_patients(session, [person.id])
        enrollments.request_plan_of_patient(session, person.id)
        return tuple(person.purposes)


def is_stopped(services: Services, patient_id: UUID) -> bool:
    """Whether the patient's number is one that must not be texted."""
    with services.database.transaction() as session:
        person = patients.by_id(session, patient_id)
        found = patients.opted_out(session, clinic_id=person.clinic_id, blind=person.phone_blind)
        return found is not None


def _locked(session: Session, patient_id: UUID, seen: int | None) -> Patient:
    """Lock a patient whose ledger is as whoever decides saw it."""
    person = intake.lock_patient(session, patient_id)
    if seen is not None and len(patients.consents(session, patient_id)) != seen:
        raise RefusedError(_MEANWHILE)
    return person


def _check_purposes(purposes: Sequence[str]) -> None:
    unknown = [each for each in purposes if each not in PURPOSES]
    if unknown or not purposes:
        known = ", ".join(PURPOSES)
        named = f'"{unknown[0]}" is no purpose' if unknown else "No purpose is named"
        raise RefusedError(f"{named}. Purposes are {known}; part several with semicolons.")


def _check_warning(session: Session, person: Patient, risk_acknowledged: bool | None) -> None:
    """Refuse a consent without the warning where the clinic asks for it and nobody ever gave it."""
    if risk_acknowledged or not clinics.by_id(session, person.clinic_id).file.require_sms_risk_ack:
        return
    if not any(each.risk_acknowledged for each in patients.consents(session, person.id)):
        raise RefusedError(_NO_WARNING)


def _check_newer(
    session: Session, person: Patient, purposes: Sequence[str], at: datetime, *, lift_stop: bool
) -> None:
    """Refuse a consent that is older than what they took back since, also than a stop to lift."""
    taken_back = [
        each.occurred_at
        for each in patients.consents(session, person.id)
        if each.action == _REVOKE and set(each.purposes) & set(purposes)
    ]
    stop = patients.opted_out(session, clinic_id=person.clinic_id, blind=person.phone_blind)
    if stop is not None and lift_stop:
        taken_back.append(stop.occurred_at)
    if any(at < each for each in taken_back):
        raise RefusedError(
            "They took it back after that. Only what they have told you since counts: "
            "give the time when they did."
        )


def _end_suspension(session: Session, person: Patient, said_at: datetime, now: datetime) -> None:
    """Text a number again that was out of service, if they agreed on it after that."""
    clinic_id, blind = person.clinic_id, person.phone_blind
    stop = patients.opted_out(session, clinic_id=clinic_id, blind=blind)
    if stop is not None and said_at >= stop.occurred_at:
        patients.lift_suspension(session, clinic_id=clinic_id, blind=blind, at=now)


def _write(
    session: Session,
    services: Services,
    person: Patient,
    actor: str,
    entry: Mapping[str, Any],
) -> None:
    patients.record_consent(session, person, actor=actor, **entry)
    person.updated_at = services.now
    action = "consent.granted" if entry["action"] == _GRANT else "consent.revoked"
    details = {name: value for name, value in entry.items() if name != "action"}
    trail.note(session, services, person, actor, action, details)
