"""Follow-ups from what did not happen: texts that did not arrive, events that nobody recorded.

An instruction that did not arrive becomes a call before its deadline (care rule 2); a visit whose
texts all ended unsent opens "not reminded"; a visit without its events asks staff (care rule 6).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messages.errorcodes import classify
from records import appointments, clinics, endings, followups, patients
from records.appointments import Appointment
from records.base import Session
from records.clinics import Clinic
from records.outbox import Message
from schedules.clinic import ClinicFile
from schedules.facts import EnrollmentFacts
from schedules.followup_rules import (
    FollowUpReason,
    WantedFollowUp,
    for_undelivered,
    for_visit_texts,
    missing_events,
    wanted,
)
from schedules.moments import frame_of
from schedules.resolving import resolver
from worker import facts, protocols
from worker.opening import open_follow_ups
from worker.services import Services
from worker.unreachable import says_something

BATCH = 200
_OUTCOME_UNKNOWN = "outcome_unknown"
# Care rule 6 asks at the planned end and at closing; a week later nobody remembers.
_EVENTS_SINCE = timedelta(days=7)


def run(services: Services, *, limit: int = BATCH) -> Counter[str]:
    """Look at texts that ended unsent or are not proved in time; open what a person must do."""
    counts: Counter[str] = Counter()
    now = services.now
    with services.database.transaction() as session:
        ended = endings.take_ended(session, limit=limit)
        unproved = endings.take_unproved(session, now=now, limit=limit)
        for message in (*ended, *unproved):
            counts["opened"] += _review(session, services, message, now=now)
        ids = [message.id for message in (*ended, *unproved)]
        endings.reviewed(session, ids, now=now)
        counts["reviewed"] = len(ids)
    return +counts


def _review(session: Session, services: Services, message: Message, *, now: datetime) -> int:
    if message.patient_id is None or message.status == "delivered":
        return 0
    if patients.by_id(session, message.patient_id).status == "closed":
        return 0
    items = _wanted(session, services, message, message.patient_id, now=now)
    opened = open_follow_ups(
        session,
        message.clinic_id,
        message.patient_id,
        items,
        source_kind="message",
        source_id=message.id,
        now=now,
    )
    return len(opened)


def _wanted(
    session: Session, services: Services, message: Message, patient_id: UUID, *, now: datetime
) -> list[WantedFollowUp]:
    file = clinics.by_id(session, message.clinic_id).file
    items: list[WantedFollowUp] = []
    if message.status == "failed" and message.reason == _OUTCOME_UNKNOWN:
        unknown = FollowUpReason.OUTCOME_UNKNOWN
        items.append(wanted(unknown, now=now, staffed=file.staffed(), about=str(message.id)))
    if message.kind == "started" and says_something(classify(message.error_code)):
        # The number may be somebody else's by now, or the patient has blocked us at the carrier.
        unreachable = FollowUpReason.CANNOT_REACH
        items.append(wanted(unreachable, now=now, staffed=file.staffed(), about=str(patient_id)))
    items += _not_arrived(session, services, message, patient_id, file, now=now)
    return [*items, *_not_reminded(session, message, file, now=now)]


def _not_arrived(
    session: Session,
    services: Services,
    message: Message,
    patient_id: UUID,
    file: ClinicFile,
    *,
    now: datetime,
) -> Sequence[WantedFollowUp]:
    if message.prove_by is None or message.enrollment_id is None:
        return ()
    clinic, context = facts.of_patient(session, services, patient_id, now=now)
    # A text that went is made good as its own version says, whatever a later one leaves out.
    step = protocols.step_of(session, message)
    if context is None or step is None:
        return ()
    for row, enrollment in context.enrollments:
        if row.id != message.enrollment_id:
            continue
        frame = frame_of(enrollment, context.facts, clinic.facts, now, context.appointments)
        return for_undelivered(
            step,
            message.status,
            message.reason,
            now=now,
            staffed=file.staffed(),
            resolve=resolver(frame, step, occurrence=message.occurrence, due_at=message.due_at),
            text_due_at=message.due_at,
            starts_at=_start_of(enrollment),
            answered=message.answered_at is not None,
            about=str(message.appointment_id or message.enrollment_id),
        )
    return ()


def _start_of(enrollment: EnrollmentFacts) -> datetime | None:
    return enrollment.appointment.starts_at if enrollment.appointment else None


def _not_reminded(
    session: Session, message: Message, file: ClinicFile, *, now: datetime
) -> Sequence[WantedFollowUp]:
    if message.appointment_id is None:
        return ()
    visit = appointments.by_id(session, message.appointment_id)
    if visit.status != "booked":
        return ()
    return for_visit_texts(
        endings.statuses_of_visit(session, visit.id),
        starts_at=visit.starts_at,
        now=now,
        staffed=file.staffed(),
        about=str(visit.id),
    )


def ask_about_visits(services: Services) -> Counter[str]:
    """Ask staff for the events that nobody recorded of lately ended visits (care rule 6)."""
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        for clinic in clinics.all_clinics(session):
            for visit, items in _missing(session, clinic, now=services.now):
                counts["asked"] += len(
                    open_follow_ups(
                        session,
                        clinic.id,
                        visit.patient_id,
                        items,
                        source_kind="appointment",
                        source_id=visit.id,
                        now=services.now,
                    )
                )
    return +counts


def _missing(
    session: Session, clinic: Clinic, *, now: datetime
) -> list[tuple[Appointment, list[WantedFollowUp]]]:
    """Return the visits of which something is missing that nobody was asked for yet."""
    staffed = clinic.file.staffed()
    found = [
        (visit, missing_events(facts.visit_facts(visit), now, staffed))
        for visit in appointments.unrecorded(session, clinic.id, now - _EVENTS_SINCE, now)
    ]
    causes = [item.cause for _, items in found for item in items]
    seen = followups.causes_seen(session, clinic.id, causes) if causes else set()
    fresh = [(visit, [item for item in items if item.cause not in seen]) for visit, items in found]
    return [(visit, items) for visit, items in fresh if items]
