"""When an enrollment is next planned by itself: once a day, and never when nothing can come."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from records.enrollments import Enrollment
from schedules.facts import VisitStatus
from schedules.unrecorded import next_closing
from worker.facts import ClinicContext, PatientContext

# Each enrollment rolls at a minute of its own.
_ROLL_EVERY = timedelta(hours=24)
_NOTHING_AFTER_VISIT = timedelta(days=3)


def next_rolls(
    rows: Sequence[Enrollment],
    contexts: Sequence[PatientContext],
    clinics: Mapping[UUID, ClinicContext],
    duties: Mapping[UUID, datetime],
    *,
    now: datetime,
) -> dict[UUID, datetime | None]:
    """Return, by enrollment, when it is planned again by itself; None when nothing can come.

    `duties` says when the next duty of an enrollment falls due, at which it is planned as well. So
    it is when the clinic closes on a visit whose end nobody recorded: its evening is asked about.
    """
    ends, closings = _ends(contexts), _closings(contexts, clinics, now)
    upcoming = {
        row.id: [each for each in (duties.get(row.id), closings.get(row.id)) if each is not None]
        for row in rows
    }
    return {
        row.id: _roll(row, ends.get(row.id), min(upcoming[row.id], default=None), now)
        for row in rows
    }


def _closings(
    contexts: Sequence[PatientContext], clinics: Mapping[UUID, ClinicContext], now: datetime
) -> dict[UUID, datetime]:
    """Return, by enrollment, the closing at which it is seen that nothing was recorded."""
    found = {}
    for context in contexts:
        place = clinics[context.row.clinic_id].facts
        for row, enrollment in context.enrollments:
            closing = next_closing(enrollment, place, now=now)
            if closing is not None and row.status == "active":
                found[row.id] = closing
    return found


def _ends(contexts: Sequence[PatientContext]) -> dict[UUID, datetime]:
    """Return, by enrollment for a visit, after when nothing of it can come any more."""
    ends = {}
    for context in contexts:
        for row, enrollment in context.enrollments:
            visit = enrollment.appointment
            if visit is not None and visit.status is VisitStatus.CANCELLED:
                ends[row.id] = visit.cancelled_at or visit.booked_at
            elif visit is not None:
                reach = timedelta(days=enrollment.protocol.reach_days)
                ends[row.id] = visit.starts_at + reach + _NOTHING_AFTER_VISIT
    return ends


def _roll(
    row: Enrollment, end: datetime | None, upcoming: datetime | None, now: datetime
) -> datetime | None:
    """Return when the horizon of an enrollment is drawn forward; None when nothing can come."""
    over = row.status != "active" or (end is not None and end < now)
    roll = None if over else now + _ROLL_EVERY - timedelta(seconds=row.id.int % 3600)
    return roll if upcoming is None else min(roll or upcoming, upcoming)
