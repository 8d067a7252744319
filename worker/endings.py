"""What ends with a patient's record (care rule 24): by staff, or by a file that says so."""

from datetime import datetime

from records import conversation, enrollments, patients, stopping
from records.base import Session
from records.patients import Patient
from schedules.reasons import SkipReason
from worker import enrolling
from worker.leads import give_open_items
from worker.refusal import RefusedError


def refuse_closed(person: Patient) -> None:
    """Raise RefusedError, with the mend, for a patient whose record is closed."""
    if person.status == "closed":
        raise RefusedError(
            "This patient's record is closed, so no texts go there. "
            "To open it again run `aftercare patient resume`."
        )


def end_record(session: Session, person: Patient, *, now: datetime) -> int:
    """End what a closed record followed, and give what is open to the lead; return how many ended.

    Where its patient died, nobody is texted on the number any more: whoever else it belongs to
    reads it where the dead person's texts came.
    """
    running = [
        row for row in enrollments.of_patient(session, person.id) if row.status == enrolling.ACTIVE
    ]
    for row in running:
        row.status, row.ended_at = enrolling.ENDED, now
    give_open_items(session, person.clinic_id, person.id, now=now)
    if person.status_reason == patients.DECEASED:
        _leave_the_number(session, person, now)
    return len(running)


def _leave_the_number(session: Session, person: Patient, now: datetime) -> None:
    clinic_id, blind = person.clinic_id, person.phone_blind
    patients.opt_out(
        session, clinic_id=clinic_id, blind=blind, reason=patients.DECEASED, occurred_at=now
    )
    stopping.cancel_unsent_of_number(
        session, clinic_id=clinic_id, blind=blind, reason=SkipReason.OPTED_OUT.value, now=now
    )
    conversation.cancel_answers_to_stranger(session, clinic_id, blind, now=now)
    others = patients.on_number(session, clinic_id, blind)
    enrollments.request_plan_of_patients(session, [each.id for each in others])


def reopen_number(session: Session, person: Patient, *, now: datetime) -> None:
    """Text a number again whose patient was closed as dead by mistake, unless another died."""
    clinic_id, blind = person.clinic_id, person.phone_blind
    people = patients.on_number(session, clinic_id, blind)
    if any(each.is_deceased for each in people):
        return
    reasons = [patients.DECEASED]
    if patients.lift_said_opt_out(
        session, clinic_id=clinic_id, blind=blind, reasons=reasons, at=now
    ):
        enrollments.request_plan_of_patients(session, [each.id for each in people])
