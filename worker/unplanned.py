"""Patients who can't be planned: each is put before a person once a day, and tried again soon.

Nothing new is planned for such a patient and nothing moves with a visit, so that silence would be
taken for a plan without texts. The cause stands in the log as `patient_not_planned`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from records import followups
from records.base import Session
from records.enrollments import Enrollment
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, WantedFollowUp, wanted
from schedules.staffing import Severity
from worker.facts import ClinicContext
from worker.opening import open_follow_ups

#: A fault of the moment is over by then, and one of ours is mended by the next version.
RETRY_AFTER = timedelta(minutes=10)


def tell(
    session: Session,
    rows: Sequence[Enrollment],
    clinics: Mapping[UUID, ClinicContext],
    *,
    now: datetime,
) -> None:
    """Open one item a patient and day for these enrollments, whose patients follow something."""
    patients = {row.patient_id: row for row in rows if row.status == "active"}
    for row in patients.values():
        place = clinics.get(row.clinic_id)
        wanted_now = item(place.file if place else None, row.patient_id, now=now)
        if followups.causes_seen(session, row.clinic_id, [wanted_now.cause]):
            continue
        open_follow_ups(
            session,
            row.clinic_id,
            row.patient_id,
            [wanted_now],
            source_kind="enrollment",
            source_id=row.id,
            now=now,
        )


def item(file: ClinicFile | None, patient_id: UUID, *, now: datetime) -> WantedFollowUp:
    """Return the item about a patient whose record can't be read; one a day by its cause.

    `file` None: that of the clinic can't be read either.
    """
    reason = FollowUpReason.CANNOT_PLAN
    if file is None:
        return at_once(reason, now=now, about=f"{patient_id}:{now.date()}")
    day = now.astimezone(file.zone).date()
    return wanted(reason, now=now, staffed=file.staffed(), about=f"{patient_id}:{day}")


def at_once(
    reason: FollowUpReason,
    *,
    now: datetime,
    about: str,
    severity: Severity = Severity.CALL_TODAY,
) -> WantedFollowUp:
    """Return an item of a clinic whose file can't be read: due now, for its hours are unknown."""
    return WantedFollowUp(reason=reason, severity=severity, due_at=now, cause=f"{reason}:{about}")
