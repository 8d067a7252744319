"""One patient taken in by a form (care rule 26): what a file of one line would do, and no more.

Nobody who is on record is changed by it: an id that is taken is refused, and a form that is sent
twice makes one patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from records import clinics, enrollments, intake, patients
from records.base import Session
from records.clinics import Clinic
from records.patients import Patient
from records.vault import Vault
from worker import enrolling, protocols, trail
from worker.intake import form
from worker.intake.patients import KnownClinic, PatientRow
from worker.intake.people import PatientBatch
from worker.intake.table import RowFault
from worker.refusal import RefusedError
from worker.services import Services

_ID_TAKEN = "a patient of the clinic has this id already, and nothing of theirs was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What became of a form. With `faults` nothing was written, and each names a field.

    `patient_id` is whom the form made, just now or when it was sent before; beside a fault it is
    who has the id already.
    """

    patient_id: UUID | None = None
    again: bool = False
    faults: tuple[RowFault, ...] = ()


def take_in(
    services: Services,
    clinic_id: UUID,
    typed: Mapping[str, str],
    *,
    follows: Sequence[str] = (),
    actor: str,
) -> TakenIn:
    """Create a patient from what was typed, by the columns of `patients.csv` (`form.read`).

    `follows` are protocols to enroll them in from today on. Their consent, the stop of their
    number and the welcome are those of an import.
    """
    now = services.now
    try:
        with services.database.transaction() as session:
            clinic = clinics.by_id(session, clinic_id)
            known = KnownClinic(id=clinic.id, key=clinic.key, file=clinic.file)
            row, faults = form.read(typed, known, now=now)
            if row is None:
                return TakenIn(faults=tuple(faults))
            intake.take_turn(session, "patients")
            there = _with_id(session, services.vault, row)
            if there is not None:
                return _known(there, same=there.import_digest == row.digest(services.vault))
            batch = PatientBatch(services, actor=actor, now=now, typed=True)
            result = batch.write(session, [row])
            if result.faults:
                return TakenIn(faults=tuple(map(form.in_its_words, result.faults)))
            person = _with_id(session, services.vault, row)
            if person is None:
                raise RuntimeError("a row that was written is not there")
            _enroll(session, clinic, person, follows, now)
            _record(session, services, person, row, follows, actor)
            return TakenIn(patient_id=person.id)
    except RefusedError as error:
        return TakenIn(faults=(form.fault("protocols", str(error)),))


def _with_id(session: Session, vault: Vault, row: PatientRow) -> Patient | None:
    found = patients.find(session, vault, row.external_id, row.clinic.id)
    return found[0] if found else None


def _known(there: Patient, *, same: bool) -> TakenIn:
    """Tell a form that was sent twice from one about somebody who is on record."""
    if same:
        return TakenIn(patient_id=there.id, again=True)
    return TakenIn(patient_id=there.id, faults=(form.fault("patient_id", _ID_TAKEN),))


def _enroll(
    session: Session, clinic: Clinic, person: Patient, follows: Sequence[str], now: datetime
) -> None:
    published = protocols.of_clinic(session, clinic.id)
    for name in dict.fromkeys(follows):
        enrolling.by_hand(session, person, clinic.file, published, name, now=now)
    if follows:
        enrollments.request_plan_of_patient(session, person.id)


def _record(
    session: Session,
    services: Services,
    person: Patient,
    row: PatientRow,
    follows: Sequence[str],
    actor: str,
) -> None:
    details = {
        "purposes": list(person.purposes),
        "method": row.consent_method,
        "wording": row.consent_version,
        "risk_acknowledged": row.details.get("sms_risk_ack"),
        "protocols": list(follows),
    }
    trail.note(session, services, person, actor, "patient.taken_in", details)
