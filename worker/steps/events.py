"""What happened at a visit, and another time for it, as staff tell it.

"Fulfilled" does not say that a dose was given (care rule 6): texts after a dose need a check-out
with a dose given, wholly or partly.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from records import audit, clinics, enrollments, followups, intake
from records.appointments import Appointment, AppointmentEvent
from records.base import Session
from schedules.facts import Dose, VisitStatus
from schedules.followups import FollowUpReason, wanted
from worker import enrolling, opening, protocols
from worker.intake.bookings import book_again, cancel, move
from worker.refusal import RefusedError
from worker.services import Services

#: How far ahead of the clock an event may lie: clocks of a front desk are not exact.
_CLOCK_SLACK = timedelta(minutes=10)
#: No visit is booked farther ahead: the year was mistyped.
_FARTHEST = timedelta(days=366)
_RANK = {"booked": 0, "arrived": 1, "checked_out": 2, "fulfilled": 3}
_SAYS_DOSE = frozenset({VisitStatus.CHECKED_OUT, VisitStatus.FULFILLED})
_FELL_THROUGH = frozenset({VisitStatus.CANCELLED, VisitStatus.NO_SHOW})
#: The outcome of an item that asked for what was now told.
_RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """What a visit is after an event."""

    appointment_id: UUID
    status: str
    dose: str | None
    at: datetime
    starts_at: datetime


def record_event(
    services: Services,
    appointment_id: UUID,
    kind: VisitStatus,
    *,
    actor: str,
    at: datetime | None = None,
    dose: Dose | None = None,
    seen: str | None = None,
) -> RecordedEvent:
    """Record what happened at the clinic; the plan follows at the next tick.

    `booked` says that a visit stands as planned, also after its patient asked for another time.
    `at` is now unless given. `dose` belongs to a dosing visit's check-out. `seen` is the status on
    the page of whoever records this: over another one nothing is recorded unseen. Raises
    RefusedError for what can't have happened.
    """
    now = services.now
    if at is not None and at > now + _CLOCK_SLACK:
        raise RefusedError("That time lies in the future. An event is told when it has happened.")
    with services.database.transaction() as session:
        visit = _locked(session, appointment_id)
        _check_seen(visit, kind, dose, seen)
        _check_dose(visit, kind, dose)
        _check_end(visit, kind)
        session.add(_event(visit, kind, actor, at=at or now, dose=dose))
        _apply(visit, kind, at, dose, now)
        visit.updated_at = now
        session.flush()
        _follow(session, visit, now)
        _answer_questions(session, visit, actor, now)
        if kind is VisitStatus.BOOKED:
            _keep(session, visit, actor, now)
        _record(session, services, visit, actor, kind, at or now, dose)
        return RecordedEvent(
            appointment_id=visit.id,
            status=visit.status,
            dose=visit.dose,
            at=at or now,
            starts_at=visit.starts_at,
        )


def move_visit(
    services: Services, appointment_id: UUID, starts_at: datetime, *, actor: str, seen: datetime
) -> Appointment:
    """Give a visit ahead another start, as long as before; its patient is told (care rule 5).

    `seen` is the start on the page of whoever moves it (both aware): over another one nothing is
    moved unseen. What a record system's file repeats does not move it back (care rule 25). Raises
    RefusedError.
    """
    now = services.now
    with services.database.transaction() as session:
        visit = _locked(session, appointment_id)
        _check_move(visit, starts_at, seen, now)
        was, length = visit.starts_at, visit.ends_at - visit.starts_at
        move(visit, starts_at, now=now)
        visit.ends_at = starts_at + length
        visit.announced_at = visit.updated_at = now
        session.add(_event(visit, VisitStatus.BOOKED, actor, at=now))
        session.flush()
        _follow(session, visit, now)
        # Whoever asked for another time has one.
        _keep(session, visit, actor, now)
        audit.record(
            session,
            services.vault,
            clinic_id=visit.clinic_id,
            now=now,
            actor=actor,
            action="appointment.moved",
            subject=f"appointment:{visit.id}",
            details={"from": was, "to": starts_at},
        )
        return visit


def _check_move(visit: Appointment, starts_at: datetime, seen: datetime, now: datetime) -> None:
    if visit.status != VisitStatus.BOOKED or visit.starts_at != seen:
        raise RefusedError("This visit changed meanwhile. Look at it again; nothing was moved.")
    if starts_at <= now:
        raise RefusedError("That time is over. Choose one that lies ahead.")
    if starts_at > now + _FARTHEST:
        raise RefusedError("That is more than a year ahead. Check the date.")
    if starts_at == visit.starts_at:
        raise RefusedError("The visit is at that time already.")


def _follow(session: Session, visit: Appointment, now: datetime) -> None:
    """Have the plan follow a visit that changed: no text of what it was goes out."""
    _enroll(session, visit, now)
    intake.release_of_visits(session, [visit.id])
    enrollments.request_plan_of_patient(session, visit.patient_id)


def enroll_matching(services: Services, appointment_id: UUID) -> int:
    """Enroll a visit's patient in what the clinic has switched on for it; return how many."""
    with services.database.transaction() as session:
        visit = _locked(session, appointment_id)
        return _enroll(session, visit, services.now)


def _event(
    visit: Appointment, kind: VisitStatus, actor: str, *, at: datetime, dose: Dose | None = None
) -> AppointmentEvent:
    return AppointmentEvent(
        clinic_id=visit.clinic_id,
        appointment_id=visit.id,
        kind=kind.value,
        dose=dose.value if dose else None,
        at=at,
        actor=actor,
    )


def _locked(session: Session, appointment_id: UUID) -> Appointment:
    visit = intake.lock_visit(session, appointment_id)
    if visit is None:
        raise RefusedError("There is no such visit.")
    return visit


def _enroll(session: Session, visit: Appointment, now: datetime) -> int:
    clinic = clinics.by_id(session, visit.clinic_id)
    published = protocols.of_clinic(session, clinic.id)
    counts = enrolling.sync(session, clinic.id, clinic.file, published, [visit], now=now)
    return counts["began"]


def _check_seen(visit: Appointment, kind: VisitStatus, dose: Dose | None, seen: str | None) -> None:
    """Refuse what is said of a visit that is not as it was shown; twice the same is no harm."""
    same = visit.status == kind and (dose is None or visit.dose == dose)
    if seen not in {None, visit.status} and not same:
        status = visit.status.replace("_", " ")
        raise RefusedError(f"This visit is {status} by now. Look at it again; nothing was changed.")


def _check_dose(visit: Appointment, kind: VisitStatus, dose: Dose | None) -> None:
    if dose is None:
        return
    if kind not in _SAYS_DOSE:
        raise RefusedError("Whether a dose was given is told with checked_out (or fulfilled).")
    if visit.kind != "dosing":
        raise RefusedError(f"This is a visit of the kind {visit.kind}, at which no dose is given.")


def _check_end(visit: Appointment, kind: VisitStatus) -> None:
    """Refuse that a visit fell through whose patient went home: the checks after it would end."""
    if kind in _FELL_THROUGH and (visit.checked_out_at or visit.status in _SAYS_DOSE):
        raise RefusedError(
            "This visit took place: its check-out is recorded, and its patient is asked how they "
            "are. If that was recorded by mistake, take it back with `booked` first."
        )


def _apply(
    visit: Appointment, kind: VisitStatus, at: datetime | None, dose: Dose | None, now: datetime
) -> None:
    """Bring the visit to what was told; what it had reached before is not lost by a late entry."""
    if kind is VisitStatus.BOOKED:
        if visit.status != VisitStatus.BOOKED:
            # Who was never told of a cancellation needs no news when a wrong entry is taken back.
            news = visit.status == VisitStatus.CANCELLED
            book_again(visit, now=now)
            visit.announced_at = now if news else None
        # Staff have spoken with whoever asked for another time: it stands as planned (care rule 1).
        visit.change_requested_at = None
        return
    if kind is VisitStatus.CANCELLED:
        if visit.status != VisitStatus.CANCELLED:
            cancel(visit, now=now)
            visit.announced_at = now
        return
    if kind is VisitStatus.NO_SHOW and visit.status != VisitStatus.NO_SHOW:
        visit.no_show_at = now
    if kind is VisitStatus.ARRIVED:
        visit.arrived_at = at or visit.arrived_at or now
    if kind is VisitStatus.CHECKED_OUT:
        visit.checked_out_at = at or visit.checked_out_at or now
    if dose is not None:
        visit.dose = dose.value
    if _RANK.get(kind, 9) >= _RANK.get(visit.status, 0):
        visit.status = kind.value


def _answer_questions(session: Session, visit: Appointment, actor: str, now: datetime) -> None:
    """End the items that asked for this event (care rule 6), once nothing is missing any more."""
    asked = FollowUpReason.VISIT_EVENT_MISSING.value
    took_place = visit.status in {"arrived", "checked_out", "fulfilled"}
    if visit.kind == "dosing" and took_place and (not visit.checked_out_at or not visit.dose):
        return
    items = intake.open_items_of_visit(session, visit.id, asked)
    opening.end(session, items, outcome=_RECORDED, actor=actor, now=now)


def _keep(session: Session, visit: Appointment, actor: str, now: datetime) -> None:
    """End the item about another time, now that staff say that the visit stands."""
    staffed = clinics.by_id(session, visit.clinic_id).file.staffed()
    asked = wanted(FollowUpReason.CHANGE_REQUESTED, now=now, staffed=staffed, about=str(visit.id))
    items = followups.open_with_causes(session, visit.clinic_id, [asked.cause])
    opening.end(session, items, outcome=_RECORDED, actor=actor, now=now)


def _record(
    session: Session,
    services: Services,
    visit: Appointment,
    actor: str,
    kind: VisitStatus,
    at: datetime,
    dose: Dose | None,
) -> None:
    audit.record(
        session,
        services.vault,
        clinic_id=visit.clinic_id,
        now=services.now,
        actor=actor,
        action=f"appointment.{kind}",
        subject=f"appointment:{visit.id}",
        details={"at": at, "dose": dose},
    )
