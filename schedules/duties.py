"""What a protocol asks of staff at a time of its own, whether or not a text goes.

A follow-up visit that nobody booked by the second day is a case: the texts to the patient are one
thing, the call another. `worker` opens the item when its time has come, and ends it when its
condition holds no more (care rule 7: booking closes the unbooked item).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    EnrollmentFacts,
    EnrollmentStatus,
    PatientFacts,
    PatientStatus,
)
from schedules.gates import condition_unmet
from schedules.moments import Frame, frame_of
from schedules.protocol import Duty
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
    if not enrollment.protocol.duties:
        return []
    frame = frame_of(enrollment, patient, clinic, now, appointments)
    over = patient.status is PatientStatus.CLOSED
    over = over or enrollment.status is not EnrollmentStatus.ACTIVE
    found = (_planned(frame, duty, over=over) for duty in enrollment.protocol.duties)
    return [duty for duty in found if duty is not None]


def _planned(frame: Frame, duty: Duty, *, over: bool) -> PlannedDuty | None:
    base = frame.base(duty.when.anchor)
    if base is None:
        return None
    due_at = frame.resolve(duty.when, base)
    if due_at < frame.now - WANTED_FOR or due_at < frame.enrollment.enrolled_at:
        return None
    stamp = base.astimezone(UTC).strftime("%Y%m%dT%H%M") if isinstance(base, datetime) else base
    return PlannedDuty(
        enrollment_id=frame.enrollment.id,
        duty=duty.id,
        due_at=due_at,
        reason=duty.reason,
        severity=duty.severity,
        cause=f"{duty.reason}:{frame.enrollment.id}:{duty.id}@{stamp}",
        for_lead=duty.for_lead,
        wanted=not over and not any(condition_unmet(one, frame) for one in duty.only_if),
    )
