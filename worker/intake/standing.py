"""What imports left for staff to settle, as long as it stands (care rules 25 and 26). Reads only.

A conflict stands until the file and the record say the same; a consent is pending since a number
changed; a number is unproved until a reply came from it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from records import intake, patients
from records.appointments import Appointment
from records.base import Session
from records.patients import PHONE_CHANGED, Patient
from records.vault import Vault
from worker.intake import merging
from worker.intake.bookings import on_record as visit_on_record
from worker.intake.onrecord import on_record
from worker.services import Services


class Left(StrEnum):
    """What is left to settle."""

    CONFLICT = "conflict"
    CONSENT_PENDING = "consent_pending"
    NUMBER_UNPROVED = "number_unproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One thing about one patient. `visit` and `column` are given for conflicts, with our names."""

    is_: Left
    patient: str
    visit: str | None = None
    column: str | None = None


def standing(services: Services, clinic_id: UUID) -> list[Standing]:
    """Return what stands of patients whose record is open, and of their visits to come."""
    with services.database.transaction() as session:
        people = intake.open_patients(session, clinic_id)
        names = {each.id: patients.opened(services.vault, each, "external_id") for each in people}
        found = list(_of_people(session, services.vault, people, names))
        for visit in intake.visits_from(session, since=services.now, clinic_id=clinic_id):
            if visit.patient_id in names and visit.status == "booked":
                found += _of_visit(services.vault, visit, names[visit.patient_id])
    return sorted(found, key=lambda each: (each.is_, each.patient))


def _of_people(
    session: Session, vault: Vault, people: list[Patient], names: dict[UUID, str]
) -> Iterator[Standing]:
    last = intake.newest_consents(session, list(names))
    for person in people:
        imported = merging.opened(vault, "patient", person.id, person.imported)
        for column in merging.standing(imported, on_record(vault, person)):
            yield Standing(is_=Left.CONFLICT, patient=names[person.id], column=column)
        consent = last.get(person.id)
        if consent is not None and consent.method == PHONE_CHANGED:
            yield Standing(is_=Left.CONSENT_PENDING, patient=names[person.id])
        if person.purposes and person.proved_at is None:
            yield Standing(is_=Left.NUMBER_UNPROVED, patient=names[person.id])


def _of_visit(vault: Vault, visit: Appointment, patient: str) -> Iterator[Standing]:
    details = json.loads(vault.open("appointment", "details", visit.id, visit.details))
    imported = merging.opened(vault, "appointment", visit.id, visit.imported)
    for column in merging.standing(imported, {**details, **visit_on_record(visit)}):
        yield Standing(is_=Left.CONFLICT, patient=patient, visit=visit.external_id, column=column)
