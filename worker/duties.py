"""What protocols ask of staff at a time: opened when it has come, ended when nothing wants it.

The plan step comes through here with each patient it plans, and comes again when the next duty of
an enrollment falls due.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from records import followups
from records.base import Session
from records.enrollments import Enrollment
from records.followups import FollowUpEvent
from schedules.duties import PlannedDuty, duties_of
from schedules.followups import WantedFollowUp
from worker.facts import ClinicContext, PatientContext
from worker.opening import SYSTEM, open_follow_ups

#: The outcome of an item whose reason is gone: the visit was booked, the patient came after all.
NO_LONGER_NEEDED = "no_longer_needed"


def settle(
    session: Session,
    contexts: Sequence[PatientContext],
    clinics: Mapping[UUID, ClinicContext],
    *,
    now: datetime,
    on_fault: Callable[[UUID, Exception], None],
) -> dict[UUID, datetime]:
    """Open the duties that are due, once each, and end those not wanted any more.

    A patient whose duties can't be told is given to `on_fault`, and the others go on. Returns, by
    enrollment, when its next duty falls due.
    """
    upcoming: dict[UUID, datetime] = {}
    for context in contexts:
        clinic = clinics[context.row.clinic_id]
        try:
            planned = _duties(context, clinic, now)
        except Exception as error:  # noqa: BLE001  Whatever it is, the others go on.
            on_fault(context.row.id, error)
            continue
        for row, found in planned:
            ahead = [duty.due_at for duty in found if duty.wanted and duty.due_at > now]
            if ahead:
                upcoming[row.id] = min(ahead)
            _open(session, clinic, row, [one for one in found if one.due_at <= now], now)
            _end(session, row.clinic_id, [one.cause for one in found if not one.wanted], now)
    return upcoming


def _duties(
    context: PatientContext, clinic: ClinicContext, now: datetime
) -> list[tuple[Enrollment, list[PlannedDuty]]]:
    """Return all that a patient's enrollments ask of staff."""
    return [
        (
            row,
            duties_of(
                enrollment, context.facts, clinic.facts, now=now, appointments=context.appointments
            ),
        )
        for row, enrollment in context.enrollments
    ]


def _open(
    session: Session,
    clinic: ClinicContext,
    row: Enrollment,
    due: Sequence[PlannedDuty],
    now: datetime,
) -> None:
    wanted = [duty for duty in due if duty.wanted]
    if not wanted:
        return
    seen = followups.causes_seen(session, row.clinic_id, [duty.cause for duty in wanted])
    staffed = clinic.file.staffed()
    items = [
        WantedFollowUp(
            reason=duty.reason,
            severity=duty.severity,
            due_at=staffed.due(duty.severity, now),
            cause=duty.cause,
            for_lead=duty.for_lead,
        )
        for duty in wanted
        if duty.cause not in seen
    ]
    kind = "appointment" if row.appointment_id else "enrollment"
    open_follow_ups(
        session,
        row.clinic_id,
        row.patient_id,
        items,
        source_kind=kind,
        source_id=row.appointment_id or row.id,
        now=now,
    )


def _end(session: Session, clinic_id: UUID, causes: list[str], now: datetime) -> None:
    if not causes:
        return
    for item in followups.open_with_causes(session, clinic_id, causes):
        item.status, item.outcome, item.resolved_at = "resolved", NO_LONGER_NEEDED, now
        item.climbs_at = None
        session.add(
            FollowUpEvent(
                clinic_id=clinic_id,
                follow_up_id=item.id,
                at=now,
                actor=SYSTEM,
                action="resolved",
            )
        )
