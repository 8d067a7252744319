"""What a hold asks of staff: a call about each coming visit, since no text speaks of it any more.

Instructions that a hold cancels become calls of their own where their steps say so; a visit without
such steps, or whose texts had all gone, would be heard of by nobody (care rule 24).
"""

from datetime import datetime, timedelta

from records import clinics, intake
from records.base import Session
from records.patients import Patient
from schedules.followups import FollowUpReason, wanted
from schedules.staffing import Severity
from worker.opening import open_follow_ups

# What is further off is called about on the next business day.
_SOON = timedelta(days=7)


def call_about_visits(
    session: Session, person: Patient, *, until: datetime | None, now: datetime
) -> int:
    """Open a call for each booked visit ahead that the hold covers; return how many there are."""
    clinic = clinics.by_id(session, person.clinic_id)
    if not clinic.can_be_read:
        # Its clocks are not known; doctor and the log tell of the file.
        return 0
    staffed = clinic.file.staffed()
    ahead = [
        visit
        for visit in intake.visits_from(session, since=now, patient_id=person.id)
        if visit.status == "booked" and (until is None or visit.starts_at < until)
    ]
    for visit in ahead:
        soon = visit.starts_at < now + _SOON
        item = wanted(
            FollowUpReason.NOT_REMINDED,
            now=now,
            staffed=staffed,
            about=str(visit.id),
            severity=Severity.CALL_TODAY if soon else Severity.NEXT_BUSINESS_DAY,
            before=visit.starts_at,
        )
        open_follow_ups(
            session,
            person.clinic_id,
            person.id,
            [item],
            source_kind="appointment",
            source_id=visit.id,
            now=now,
        )
    return len(ahead)
