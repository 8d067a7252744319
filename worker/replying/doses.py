"""A patient's last dose: when they left, and what its protocol says of the hours after it."""

from datetime import datetime

from records import appointments, enrollments
from records.base import Session
from records.patients import Patient
from schedules.facts import Dose
from schedules.protocol import Detachment
from worker import protocols

_GIVEN = frozenset({Dose.GIVEN.value, Dose.PARTIAL.value})


def after_last_dose(session: Session, person: Patient) -> tuple[Detachment | None, datetime | None]:
    """Return the rule for feeling detached after the last dose, and when the patient left."""
    dosed = {
        visit.id: visit.checked_out_at
        for visit in appointments.of_patients(session, [person.id])
        if visit.checked_out_at is not None and visit.dose in _GIVEN
    }
    if not dosed:
        return None, None
    last = max(dosed, key=lambda visit_id: dosed[visit_id])
    published = protocols.of_clinic(session, person.clinic_id)
    followed = (
        row.protocol
        for row in enrollments.of_patient(session, person.id)
        if row.appointment_id == last and row.protocol in published
    )
    rules = (published[name][0].detached for name in followed)
    return next((rule for rule in rules if rule is not None), None), dosed[last]
