"""What a protocol would do in one clinic: texts with no minute, answers that nobody would read.

A week of visits and of check-ins is planned as for one patient, and each question is looked at
with its window (care rule 4). A warning, and no fault: a clinic may have reasons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    PatientFacts,
    PlannedText,
    VisitStatus,
)
from schedules.moments import local_instant
from schedules.planner import plan
from schedules.protocol import EXPECTS_NOTHING, Protocol, Purpose, Step
from schedules.reasons import SkipReason

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEK = timedelta(days=7)
#: Visits are tried at the start of the day and after noon, two hours each.
_STARTS = (time(9), time(14))
_LONG = timedelta(hours=2)


def warnings(protocol: Protocol, clinic: ClinicFacts, *, now: datetime) -> list[str]:
    """Name each step that never finds a minute here, or is answered only while nobody is there."""
    if clinic.staffed is None:
        return []
    unread: dict[str, set[int]] = {}
    reasons: dict[str, set[SkipReason | None]] = {}
    for text in _texts(protocol, clinic, now):
        reasons.setdefault(text.step, set()).add(text.skip_reason)
        until = text.answer_until
        if text.skip_reason or text.expects == EXPECTS_NOTHING or until is None:
            continue
        if not clinic.staffed.staffed_between(text.due_at, until):
            day = text.due_at.astimezone(clinic.zone).weekday()
            unread.setdefault(text.step, set()).add(day)
    return [
        warning
        for step in protocol.steps
        for warning in _of_step(step, reasons.get(step.id, set()), unread.get(step.id, set()))
    ]


def _of_step(step: Step, reasons: set[SkipReason | None], unread: set[int]) -> Iterator[str]:
    if SkipReason.NO_ALLOWED_MINUTE in reasons and None not in reasons:
        yield (
            f"step `{step.id}`: for none of the visits tried is there a minute at which it may be "
            "sent and is still true. Move `when` or `latest`, or widen the clinic's `send_window`."
        )
    if unread:
        yield (
            f"step `{step.id}`: asked on {_listed(unread)}, its answer can come only while nobody "
            "is there. Ask earlier, or let `answer_until` reach into staffed hours."
        )


def _listed(days: set[int]) -> str:
    if len(days) == len(_DAYS):
        return "any day"
    return ", ".join(_DAYS[day] for day in sorted(days))


def _texts(protocol: Protocol, clinic: ClinicFacts, now: datetime) -> Iterator[PlannedText]:
    """Plan every text of a fortnight, for visits on each day and hour tried."""
    person = PatientFacts(
        id="any",
        language="en",
        zone=clinic.zone,
        purposes=frozenset(Purpose),
        quit_date=now.astimezone(clinic.zone).date() + _WEEK,
    )
    for enrollment, at in _enrollments(protocol, clinic, now):
        visits = [enrollment.appointment] if enrollment.appointment else []
        yield from plan(enrollment, person, clinic, now=at, horizon=3 * _WEEK, appointments=visits)


def _enrollments(
    protocol: Protocol, clinic: ClinicFacts, now: datetime
) -> Iterator[tuple[EnrollmentFacts, datetime]]:
    """Give enrollments to try, each with the instant at which it is planned."""
    if protocol.visits is None:
        day = now.astimezone(clinic.zone).date()
        yield EnrollmentFacts(id="any", protocol=protocol, enrolled_at=now, anchor_day=day), now
        return
    for visit in _visits(protocol, clinic, now):
        tried = EnrollmentFacts(
            id="any", protocol=protocol, enrolled_at=visit.booked_at, appointment=visit
        )
        yield tried, visit.booked_at
        out = visit.starts_at + _LONG
        done = replace(visit, status=VisitStatus.CHECKED_OUT, checked_out_at=out, dose=Dose.GIVEN)
        yield replace(tried, appointment=done), out


def _visits(protocol: Protocol, clinic: ClinicFacts, now: datetime) -> Sequence[AppointmentFacts]:
    if protocol.visits is None:
        return ()
    first = now.astimezone(clinic.zone).date() + 2 * _WEEK
    return [
        AppointmentFacts(
            id=f"{number}-{clock}",
            kind=min(protocol.visits.kinds),
            route=min(protocol.visits.routes, default=None),
            starts_at=start,
            ends_at=start + _LONG,
            booked_at=now.astimezone(UTC),
        )
        for number in range(7)
        for clock in _STARTS
        for start in (local_instant(first + timedelta(days=number), clock, clinic.zone),)
        if clinic.staffed is not None and clinic.staffed.is_staffed(start)
    ]
