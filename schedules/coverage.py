"""When nobody reads an answer: steps whose answer windows lie outside a clinic's staffed hours.

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
from schedules.protocol import EXPECTS_NOTHING, Protocol, Purpose

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEK = timedelta(days=7)
#: Visits are tried at the start of the day and after noon, two hours each.
_STARTS = (time(9), time(14))
_LONG = timedelta(hours=2)


def warnings(protocol: Protocol, clinic: ClinicFacts, *, now: datetime) -> list[str]:
    """Name each step whose question can be answered only while nobody is there, with its days."""
    if clinic.staffed is None:
        return []
    unread: dict[str, set[int]] = {}
    for text in _questions(protocol, clinic, now):
        until = text.answer_until
        if until is not None and not clinic.staffed.staffed_between(text.due_at, until):
            day = text.due_at.astimezone(clinic.zone).weekday()
            unread.setdefault(text.step, set()).add(day)
    return [
        f"step `{step.id}`: asked on {_listed(unread[step.id])}, its answer can come only while "
        "nobody is there. Ask earlier, or let `answer_until` reach into staffed hours."
        for step in protocol.steps
        if step.id in unread
    ]


def _listed(days: set[int]) -> str:
    return ", ".join(_DAYS[day] for day in sorted(days))


def _questions(protocol: Protocol, clinic: ClinicFacts, now: datetime) -> Iterator[PlannedText]:
    """Plan every question of a fortnight, for visits on each day and hour tried."""
    person = PatientFacts(
        id="any",
        language="en",
        zone=clinic.zone,
        purposes=frozenset(Purpose),
        quit_date=now.astimezone(clinic.zone).date() + _WEEK,
    )
    for enrollment, at in _enrollments(protocol, clinic, now):
        visits = [enrollment.appointment] if enrollment.appointment else []
        texts = plan(enrollment, person, clinic, now=at, horizon=3 * _WEEK, appointments=visits)
        asked = (text for text in texts if text.skip_reason is None)
        yield from (text for text in asked if text.expects != EXPECTS_NOTHING)


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
            route=min(protocol.visits.routes, default="iv"),
            starts_at=start,
            ends_at=start + _LONG,
            booked_at=now.astimezone(UTC),
        )
        for number in range(7)
        for clock in _STARTS
        for start in (local_instant(first + timedelta(days=number), clock, clinic.zone),)
        if clinic.staffed is not None and clinic.staffed.is_staffed(start)
    ]
