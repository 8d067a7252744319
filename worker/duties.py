"""What protocols ask of staff at a time: opened when it has come, ended when nothing wants it.

The plan step comes through here with each patient it plans, and comes again when the next duty of
an enrollment falls due.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from records import followups
from records.base import Session
from records.enrollments import Enrollment
from schedules.duties import PlannedDuty, causes_gone, duties_of
from schedules.followups import WantedFollowUp
from worker.facts import ClinicContext, PatientContext
from worker.opening import end_needless, open_follow_ups


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
    opened = _opened(session, contexts)
    for context in contexts:
        clinic = clinics[context.row.clinic_id]
        try:
            planned = _duties(context, clinic, opened.get(context.row.id, ()), now)
        except Exception as error:  # noqa: BLE001  Whatever it is, the others go on.
            on_fault(context.row.id, error)
            continue
        for row, found, gone in planned:
            ahead = [duty.due_at for duty in found if duty.wanted and duty.due_at > now]
            if ahead:
                upcoming[row.id] = min(ahead)
            _open(session, clinic, row, [one for one in found if one.due_at <= now], now)
            _end(session, row.clinic_id, gone, now)
    return upcoming


def _duties(
    context: PatientContext, clinic: ClinicContext, opened: Collection[str], now: datetime
) -> list[tuple[Enrollment, list[PlannedDuty], list[str]]]:
    """Return all that a patient's enrollments ask of staff, and which causes they no longer ask."""
    facts, visits = (context.facts, clinic.facts), context.appointments
    return [
        (
            row,
            duties_of(enrollment, *facts, now=now, appointments=visits),
            causes_gone(opened, enrollment, *facts, now=now, appointments=visits),
        )
        for row, enrollment in context.enrollments
    ]


def _opened(session: Session, contexts: Sequence[PatientContext]) -> dict[UUID, list[str]]:
    """Return the causes of what may have been opened for duties and is not resolved, by patient."""
    reasons: set[str] = set()
    people = set()
    for context in contexts:
        for _, enrollment in context.enrollments:
            if enrollment.protocol.duties:
                people.add(context.row.id)
                reasons.update(duty.reason for duty in enrollment.protocol.duties)
    return followups.open_causes(session, people, reasons) if people else {}


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
    if causes:
        end_needless(session, followups.open_with_causes(session, clinic_id, causes), now=now)
