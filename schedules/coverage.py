"""What a protocol would do in one clinic: texts with no minute, answers that nobody would read.

Visits of every kind and route are planned on each weekday, at the opening and later, and next to
every closed day of the coming year; people enrolled by hand begin on each weekday. Each text is
looked at with the staffed hours that follow it (care rule 4). A warning, and no fault: a clinic may
have reasons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from schedules import terms
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
from schedules.staffing import StaffedHours

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY, _WEEK, _YEAR = timedelta(days=1), timedelta(days=7), timedelta(days=365)
#: Visits are tried at the opening, and at these times where somebody is there; two hours each.
_STARTS = (time(9), time(14))
_LONG = timedelta(hours=2)
#: A closed day so near to a visit may be the reason for what is missing.
_NEAR = timedelta(days=4)


@dataclass(slots=True, kw_only=True)
class _Days:
    """Days on which something is missing: of an ordinary week, and next to a closed day."""

    usual: set[int] = field(default_factory=set)
    closed: set[date] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.usual or self.closed)

    def add(self, day: date, closed: date | None) -> None:
        if closed is None:
            self.usual.add(day.weekday())
        else:
            self.closed.add(closed)

    def __str__(self) -> str:
        if len(self.usual) == len(_DAYS):
            return "on any day"
        if self.usual:
            return f"on {', '.join(_DAYS[day] for day in sorted(self.usual))}"
        return f"on or next to a closed day, such as {min(self.closed):%a %Y-%m-%d}"


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What was seen of one step."""

    #: Whether a minute was found, by whom it was tried for.
    placed: dict[str, bool] = field(default_factory=dict)
    short: _Days = field(default_factory=_Days)
    unread: _Days = field(default_factory=_Days)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """Somebody to plan for. `who` is said where there is no minute for them."""

    enrollment: EnrollmentFacts
    at: datetime
    appointments: tuple[AppointmentFacts, ...]
    who: str = ""
    horizon: timedelta = 3 * _WEEK


def warnings(
    protocol: Protocol,
    clinic: ClinicFacts,
    *,
    now: datetime,
    routes: Sequence[str] | None = None,
) -> list[str]:
    """Name each step that finds no minute here, or is answered while too few people are there.

    `routes` are those that the clinic's doses are given by; the shipped ones unless given.
    """
    if clinic.staffed is None:
        return []
    known = terms.shipped().route_names if routes is None else tuple(routes)
    seen = {step.id: _Seen() for step in protocol.steps}
    for tried in _tries(protocol, clinic, clinic.staffed, now, known):
        for text in _texts(tried, clinic, now):
            _look(seen[text.step], tried, text, clinic, clinic.staffed)
    return [warning for step in protocol.steps for warning in _of_step(step, seen[step.id])]


def _of_step(step: Step, seen: _Seen) -> Iterator[str]:
    without = [who for who, placed in seen.placed.items() if not placed]
    if without:
        whom = "the visits tried" if len(without) == len(seen.placed) else " or ".join(without)
        yield (
            f"step `{step.id}`: for none of {whom} is there a minute at which it may be sent and "
            "is still true. Move `when` or `latest`, or widen the clinic's `send_window`."
        )
    if seen.short:
        hours = step.needs_staffed_minutes / 60
        yield (
            f"step `{step.id}`: for visits {seen.short}, fewer than the {hours:g} staffed hours "
            "that it needs follow it. Ask earlier, or staff those hours."
        )
    if seen.unread:
        yield (
            f"step `{step.id}`: asked {seen.unread}, its answer can come only while nobody "
            "is there. Ask earlier, or let `answer_until` reach into staffed hours."
        )


def _look(
    seen: _Seen, tried: _Try, text: PlannedText, clinic: ClinicFacts, staffed: StaffedHours
) -> None:
    if text.skip_reason in (None, SkipReason.NO_ALLOWED_MINUTE):
        placed = text.skip_reason is None
        seen.placed[tried.who] = seen.placed.get(tried.who, False) or placed
    if text.skip_reason is not None:
        return
    asked = text.due_at.astimezone(clinic.zone).date()
    visit = tried.enrollment.appointment
    if text.short_staffed and visit is not None:
        day = visit.starts_at.astimezone(clinic.zone).date()
        seen.short.add(day, _closed_day(staffed, min(asked, day - _DAY), day))
    until = text.answer_until
    if until is None or text.expects == EXPECTS_NOTHING:
        return
    if not staffed.staffed_between(text.due_at, until):
        last = until.astimezone(clinic.zone).date()
        seen.unread.add(asked, _closed_day(staffed, asked, last))


def _closed_day(staffed: StaffedHours, first: date, last: date) -> date | None:
    """Give the first day that only the calendar closes, among days that may be the reason."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return next((day for day in days if _is_closed(staffed, day)), None)


def _is_closed(staffed: StaffedHours, day: date) -> bool:
    return bool(staffed.hours.get(day.weekday())) and not staffed.is_staffed_day(day)


def _texts(tried: _Try, clinic: ClinicFacts, now: datetime) -> Iterator[PlannedText]:
    """Plan for somebody who agreed to everything and has no wishes of their own."""
    person = PatientFacts(
        id="any",
        language="en",
        zone=clinic.zone,
        purposes=frozenset(Purpose),
        quit_date=now.astimezone(clinic.zone).date() + _WEEK,
        lapsed_at=now,
    )
    yield from plan(
        tried.enrollment,
        person,
        clinic,
        now=tried.at,
        horizon=tried.horizon,
        appointments=tried.appointments,
    )


def _tries(
    protocol: Protocol,
    clinic: ClinicFacts,
    staffed: StaffedHours,
    now: datetime,
    routes: Sequence[str],
) -> Iterator[_Try]:
    if protocol.visits is None:
        yield from _by_hand(protocol, clinic, now)
        return
    for visit in _visits(protocol, clinic, staffed, now, routes):
        enrolled = EnrollmentFacts(
            id="any", protocol=protocol, enrolled_at=visit.booked_at, appointment=visit
        )
        by = f" by {visit.route}" if visit.route else ""
        who = f"{visit.kind} visits{by}"
        yield _Try(enrollment=enrolled, at=visit.booked_at, appointments=(visit,), who=who)
        out = visit.starts_at + _LONG
        dose = Dose.GIVEN if visit.kind == "dosing" else None
        done = replace(visit, status=VisitStatus.CHECKED_OUT, checked_out_at=out, dose=dose)
        after = replace(enrolled, appointment=done)
        yield _Try(enrollment=after, at=out, appointments=(done,), who=who)


def _by_hand(protocol: Protocol, clinic: ClinicFacts, now: datetime) -> Iterator[_Try]:
    """Enroll somebody on each day of a week, to the end of what repeats."""
    last = max((phase.last_day for step in protocol.steps for phase in step.repeat), default=0)
    for number in range(len(_DAYS)):
        at = now + number * _DAY
        dose = AppointmentFacts(
            id="dose",
            kind="dosing",
            starts_at=at - _DAY,
            booked_at=at - _WEEK,
            status=VisitStatus.CHECKED_OUT,
            checked_out_at=at - _DAY + _LONG,
            dose=Dose.GIVEN,
        )
        day = at.astimezone(clinic.zone).date()
        enrolled = EnrollmentFacts(id="any", protocol=protocol, enrolled_at=at, anchor_day=day)
        horizon = timedelta(days=max(last, protocol.reach_days)) + 3 * _WEEK
        yield _Try(enrollment=enrolled, at=at, appointments=(dose,), horizon=horizon)


def _visits(
    protocol: Protocol,
    clinic: ClinicFacts,
    staffed: StaffedHours,
    now: datetime,
    routes: Sequence[str],
) -> Iterator[AppointmentFacts]:
    if protocol.visits is None:
        return
    days = _days(staffed, now.astimezone(clinic.zone).date() + 2 * _WEEK)
    starts = sorted({start for day in days for start in _starts(staffed, day)})
    for kind in sorted(protocol.visits.kinds):
        given_by = sorted(protocol.visits.routes or routes) if kind == "dosing" else (None,)
        for route in given_by:
            for start in starts:
                yield AppointmentFacts(
                    id=f"{start}",
                    kind=kind,
                    route=route,
                    starts_at=start,
                    ends_at=start + _LONG,
                    booked_at=(start - 2 * _WEEK).astimezone(UTC),
                )


def _days(staffed: StaffedHours, first: date) -> set[date]:
    """Give the days of a week that no closed day is near to, and those next to a closed one."""
    ahead = [first + timedelta(days=number) for number in range(_YEAR.days)]
    closed = [day for day in ahead if _is_closed(staffed, day)]
    usual: dict[int, date] = {}
    for day in ahead:
        if not any(abs(day - other) <= _NEAR + _NEAR for other in closed):
            usual.setdefault(day.weekday(), day)
    near = (
        other + step * number
        for other in closed
        for step in (_DAY, -_DAY)
        for number in range(1, 5)
    )
    return {day for day in (*usual.values(), *near) if staffed.is_staffed_day(day)}


def _starts(staffed: StaffedHours, day: date) -> Iterator[datetime]:
    yield staffed.opening(day)
    for clock in _STARTS:
        start = local_instant(day, clock, staffed.zone)
        if staffed.is_staffed(start):
            yield start
