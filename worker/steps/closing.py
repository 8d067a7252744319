"""Closing a clinic for a day: the calendar, the clocks of what falls due on it, and who is called.

The day becomes a holiday of the clinic's own, so that {until} and every due time move with it. The
visits of the day that lie ahead are the caller's to cancel; each leaves a call, since somebody has
to find another time (care rule 16). One that has begun took place, or its patient did not come:
what became of it is still to be recorded, since the texts after a dose hang on it (care rule 6).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from records import appointments, audit, clinics, enrollments, followups, intake
from records.appointments import Appointment
from records.base import Session
from records.clinics import Clinic
from records.followups import AboutVisit, FollowUp
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, WantedFollowUp, due_by
from schedules.silence import call_before
from schedules.staffing import Severity, StaffedHours
from worker.clinicfiles import closed_on
from worker.opening import open_follow_ups
from worker.refusal import RefusedError
from worker.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedDay:
    """What closing a day did: its visits ahead, and how many items fall due later.

    `begun` are visits of the day that have begun and of which something is still to be recorded.
    """

    visits: tuple[UUID, ...]
    begun: tuple[UUID, ...]
    moved_items: int
    was_closed: bool


def close_day(services: Services, clinic_id: UUID, *, day: date, actor: str) -> ClosedDay:
    """Close a clinic on one of its days; closing one twice is no error. Raises RefusedError."""
    with services.database.transaction() as session:
        clinic = clinics.by_id(session, clinic_id)
        intake.take_turn(session, f"clinic:{clinic.key}")
        session.refresh(clinic)
        if clinics.with_stand_in(session, clinic).is_broken:
            raise RefusedError(
                f"The settings of {clinic.key} can't be read, so that no day can be closed in them."
                " Apply the clinic's file again first."
            )
        before = clinic.file
        if day < services.now.astimezone(before.zone).date():
            raise RefusedError("That day has passed.")
        was_closed = not before.staffed().is_staffed_day(day)
        if not was_closed:
            _close(session, services, clinic, day, actor)
        span = _span(before, day)
        visits = _visits(session, clinic.id, span, services.now)
        begun = _begun(session, clinic.id, span, services.now)
        moved = _move_clocks(session, clinic, span, begun, services.now)
        standing = intake.statuses_of(session, {visit.patient_id for visit in visits})
        for visit in visits:
            if standing[visit.patient_id] != "closed":
                _call(session, clinic, visit.id, visit.patient_id, services.now)
    return ClosedDay(
        visits=tuple(visit.id for visit in visits),
        begun=begun,
        moved_items=moved,
        was_closed=was_closed,
    )


def _close(session: Session, services: Services, clinic: Clinic, day: date, actor: str) -> None:
    clinic.settings = closed_on(clinic.settings, [day])
    clinic.version, clinic.updated_at = clinic.version + 1, services.now
    clinics.keep_version(session, clinic, by=actor, at=services.now)
    audit.record(
        session,
        services.vault,
        clinic_id=clinic.id,
        now=services.now,
        actor=actor,
        action="clinic.closed_for_a_day",
        subject=f"clinic:{clinic.id}",
        details={"day": day.isoformat()},
    )
    session.flush()
    enrollments.request_plan_of_clinic(session, clinic.id)


_Span = tuple[datetime, datetime]


def _span(file: ClinicFile, day: date) -> _Span:
    start = datetime.combine(day, time(), file.zone)
    return start, datetime.combine(day + timedelta(days=1), time(), file.zone)


def _visits(session: Session, clinic_id: UUID, span: _Span, now: datetime) -> list[Appointment]:
    """Return the booked visits of the day that have not begun."""
    found = appointments.around(session, clinic_id, max(span[0], now), span[1])
    return [visit for visit in found if visit.status == "booked"]


def _begun(session: Session, clinic_id: UUID, span: _Span, now: datetime) -> tuple[UUID, ...]:
    """Return the visits of the day that have begun, and of which an event is missing."""
    found = appointments.unrecorded(session, clinic_id, span[0], min(span[1], now))
    return tuple(visit.id for visit in found)


def _move_clocks(
    session: Session, clinic: Clinic, span: _Span, begun: Collection[UUID], now: datetime
) -> int:
    """Have what falls due on the day fall due when work goes on; a page stays a page.

    What cannot wait so long stays as it is: where nobody is at work before the visit it is about,
    or where that has begun, and its evening hangs on what is recorded of it today.
    """
    start, end = span
    items = followups.due_within(session, clinic.id, start, end)
    about = followups.about_visits(session, [item.id for item in items])
    moved = 0
    for item in items:
        if item.severity == Severity.PAGE_NOW:
            continue
        visit = about.get(item.id)
        if visit and visit.visit_id in begun:
            continue
        # The visits of the day itself are cancelled with it.
        deadline = None if visit and start <= visit.starts_at < end else _deadline(item, visit, now)
        since = max(item.opened_at, now, start)
        due_at = _later(item, clinic.file.staffed(), since, deadline)
        if due_at is None:
            continue
        item.due_at = due_at
        # What was put off beyond the day stays put off.
        followups.page_anew(item, max(due_at, item.snoozed_until or due_at))
        moved += 1
    return moved


def _deadline(item: FollowUp, visit: AboutVisit | None, now: datetime) -> datetime | None:
    """Give the latest instant for an item: ahead of its visit or dose, and while its text holds.

    A text about food says nothing any more when the last meal is over: the call comes before.
    """
    severity = Severity(item.severity)
    starts = (visit.starts_at if visit else None, item.dose_at)
    ahead = [call_before(severity, now=now, starts_at=each) for each in starts]
    if visit and visit.latest_at and now < visit.latest_at:
        ahead.append(visit.latest_at)
    return min(filter(None, ahead), default=None)


def _later(
    item: FollowUp, staffed: StaffedHours, since: datetime, deadline: datetime | None
) -> datetime | None:
    """Give when an item falls due once work goes on; None where its deadline comes before that."""
    if deadline is not None and not staffed.staffed_between(since, deadline):
        return None
    return due_by(Severity(item.severity), now=since, staffed=staffed, before=deadline)


def _call(
    session: Session, clinic: Clinic, visit_id: UUID, patient_id: UUID, now: datetime
) -> None:
    reason = FollowUpReason.VISIT_UNBOOKED
    cause = f"{reason}:closed:{visit_id}"
    if cause in followups.causes_seen(session, clinic.id, [cause]):
        return
    due = clinic.file.staffed().due(Severity.CALL_TODAY, now)
    wanted = WantedFollowUp(reason=reason, severity=Severity.CALL_TODAY, due_at=due, cause=cause)
    open_follow_ups(
        session,
        clinic.id,
        patient_id,
        [wanted],
        source_kind="appointment",
        source_id=visit_id,
        now=now,
    )
