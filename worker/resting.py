"""Automatic questions that rest: while a crisis is open, and while staff and patient write.

Texts about visits go on, since food and rides can't wait; `aftercare patient hold` stops those too.
A crisis rests until a clinician ends its item, never until a time (care rule 10). Whoever may have
written STOP is started nothing at all until it is clear (care rule 17).
"""

from datetime import datetime
from uuid import UUID

from records import enrollments, patients
from records.base import Session
from records.patients import Patient

#: `status_reason` of a hold that ends by an answer, a stop, or staff (care rule 17).
UNCLEAR_STOP = "unclear_stop"


def hold_until_clear(session: Session, person: Patient) -> None:
    """Start nothing to a patient whose text may be a stop; a hold of staff stays as it is.

    One that would end by itself has no end any more: texts would go though nobody knows yet.
    """
    person.held_until = None
    if person.status == "active":
        person.status, person.status_reason = "held", UNCLEAR_STOP
        session.flush()
        enrollments.request_plan_of_patient(session, person.id)


def end_for_clear(session: Session, person: Patient) -> None:
    """Let texts go on once it is clear that the patient did not stop, or did."""
    if (person.status, person.status_reason) == ("held", UNCLEAR_STOP):
        person.status, person.status_reason = "active", None
        session.flush()
        enrollments.request_plan_of_patient(session, person.id)


def pause(session: Session, person: Patient, *, until: datetime) -> None:
    """Rest check-ins as the patient asked; a crisis that is open rests them for longer."""
    person.own_pause_until = until
    person.paused_until = max(person.paused_until or until, until)
    enrollments.request_plan_of_patient(session, person.id)


def end_pause(person: Patient, *, now: datetime) -> None:
    """End a pause before its time; the rest of an open crisis is not a pause."""
    person.own_pause_until = None
    if not patients.in_crisis(person.paused_until, now):
        person.paused_until = None


def rest_for_crisis(session: Session, patient_id: UUID, *, now: datetime) -> None:
    """Let no automatic question go to a patient whose crisis is open."""
    person = patients.by_id(session, patient_id)
    if not patients.in_crisis(person.paused_until, now):
        # A pause that runs already goes on after the crisis.
        person.own_pause_until = person.paused_until
        person.paused_until = now + patients.CRISIS_REST
        enrollments.request_plan_of_patient(session, patient_id)


def end_for_crisis(session: Session, patient_id: UUID, *, now: datetime) -> None:
    """Let questions go on after a clinician ended the crisis; a pause runs its own time."""
    person = patients.by_id(session, patient_id)
    if patients.in_crisis(person.paused_until, now):
        person.paused_until = max(person.own_pause_until or now, now)
        enrollments.request_plan_of_patient(session, patient_id)


def rest_for_conversation(session: Session, patient_id: UUID, *, since: datetime) -> None:
    """Let no check-in go from the text of staff at `since` on, until their item is resolved."""
    person = patients.by_id(session, patient_id)
    if person.conversation_since is None or since < person.conversation_since:
        person.conversation_since = since
        enrollments.request_plan_of_patient(session, patient_id)


def end_for_conversation(session: Session, patient_id: UUID) -> None:
    """Let check-ins go on; a pause and a crisis stay."""
    person = patients.by_id(session, patient_id)
    if person.conversation_since is not None:
        person.conversation_since = None
        enrollments.request_plan_of_patient(session, patient_id)
