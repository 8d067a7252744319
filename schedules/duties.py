"""What a protocol asks of staff at a time of its own, whether or not a text goes.

A follow-up visit that nobody booked by the second day is a case: the texts to the patient are one
thing, the call another. `worker` opens the item when its time has come, and ends it when its
condition holds no more (care rule 7: booking closes the unbooked item), or when what it counted
from is gone: a visit that was moved, cancelled or missed, a no-show that was taken back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    EnrollmentFacts,
    EnrollmentStatus,
    PatientFacts,
    PatientStatus,
    VisitStatus,
)
from schedules.gates import WHATEVER_CAME_OF_IT, condition_unmet
from schedules.moments import Frame, frame_of
from schedules.protocol import Anchor, Duty
from schedules.staffing import Severity

#: What fell due longer ago is a matter of the records.
WANTED_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDuty:
    """A duty with its time. `wanted` False: an item opened for it has no more reason."""

    enrollment_id: str
    duty: str
    due_at: datetime
    reason: str
    severity: Severity
    cause: str
    wanted: bool
    for_lead: bool = False


def duties_of(
    enrollment: EnrollmentFacts,
    patient: PatientFacts,
    clinic: ClinicFacts,
    *,
    now: datetime,
    appointments: Sequence[AppointmentFacts] = (),
) -> list[PlannedDuty]:
    """Give the duties of one enrollment whose anchor exists and that fell due lately or will.

    A stop, a hold or a missing consent changes nothing: a person calls. A closed record and an
    ended enrollment ask for nobody.
    """
    return [
        duty
        for duty in _duties(enrollment, patient, clinic, now, appointments)
        if duty.due_at >= max(now - WANTED_FOR, enrollment.enrolled_at)
    ]


def causes_gone(
    causes: Iterable[str],
    enrollment: EnrollmentFacts,
    patient: PatientFacts,
    clinic: ClinicFacts,
    *,
    now: datetime,
    appointments: Sequence[AppointmentFacts] = (),
) -> list[str]:
    """Give those causes of items that this enrollment's duties opened and that nothing wants now.

    What fell due long ago and is still wanted stays: nobody has called yet.
    """
    mine = tuple(_cause(enrollment, duty, "") for duty in enrollment.protocol.duties)
    opened = [cause for cause in causes if cause.startswith(mine)] if mine else []
    if not opened:
        return []
    found = _duties(enrollment, patient, clinic, now, appointments)
    standing = {duty.cause for duty in found if duty.wanted}
    return [cause for cause in opened if cause not in standing]


def _duties(
    enrollment: EnrollmentFacts,
    patient: PatientFacts,
    clinic: ClinicFacts,
    now: datetime,
    appointments: Sequence[AppointmentFacts],
) -> Iterator[PlannedDuty]:
    if not enrollment.protocol.duties:
        return
    frame = frame_of(enrollment, patient, clinic, now, appointments)
    over = patient.status is PatientStatus.CLOSED
    over = over or enrollment.status is not EnrollmentStatus.ACTIVE
    for duty in enrollment.protocol.duties:
        base = frame.base(duty.when.anchor)
        if base is None:
            continue
        moot = over or _without_visit(frame, duty)
        stamp = base.astimezone(UTC).strftime("%Y%m%dT%H%M") if isinstance(base, datetime) else base
        yield PlannedDuty(
            enrollment_id=enrollment.id,
            duty=duty.id,
            due_at=frame.resolve(duty.when, base),
            reason=duty.reason,
            severity=duty.severity,
            cause=_cause(enrollment, duty, stamp),
            for_lead=duty.for_lead,
            wanted=not moot and not any(condition_unmet(one, frame) for one in duty.only_if),
        )


def _cause(enrollment: EnrollmentFacts, duty: Duty, stamp: object) -> str:
    """Name an item: one for each duty and what it counts from, so that a move asks anew."""
    return f"{duty.reason}:{enrollment.id}:{duty.id}@{stamp}"


def _without_visit(frame: Frame, duty: Duty) -> bool:
    """Whether a duty speaks of a visit that will not take place, or did not."""
    if frame.visit is None or duty.when.anchor is Anchor.ANNOUNCED_CANCELLATION:
        return False
    if frame.visit.status is VisitStatus.CANCELLED:
        return True
    missed = frame.visit.status is VisitStatus.NO_SHOW
    return missed and duty.when.anchor not in WHATEVER_CAME_OF_IT
