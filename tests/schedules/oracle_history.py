"""The oracle's view of what lies around one visit: other visits, doses, lapses, closed days.

Written from the documentation alone, like the rest of it; no line is the planner's.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import holidays

from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    PatientFacts,
    VisitStatus,
)
from schedules.protocol import Anchor, Condition, HistoryKind, Phase, Step
from schedules.staffing import StaffedHours

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
#: What is told anew each time it happens.
NEWS = {
    Anchor.ANNOUNCED_BOOKING: VisitStatus.BOOKED,
    Anchor.ANNOUNCED_MOVE: VisitStatus.BOOKED,
    Anchor.ANNOUNCED_CANCELLATION: VisitStatus.CANCELLED,
}
NAMED_BY_INSTANT = frozenset({*NEWS, Anchor.LAST_DOSE, Anchor.LAPSE})
#: Conditions whose failing is told as "booked".
ABOUT_BOOKINGS = frozenset(
    {
        HistoryKind.NO_INTEGRATION_BOOKED,
        HistoryKind.NO_DOSE_BOOKED,
        HistoryKind.NOT_BOOKED_AGAIN,
    }
)


def doses(visits: Sequence[AppointmentFacts]) -> list[datetime]:
    """Give the recorded check-outs at which a dose was given, wholly or partly."""
    given = [
        visit.checked_out_at
        for visit in visits
        if visit.dose in (Dose.GIVEN, Dose.PARTIAL) and visit.checked_out_at is not None
    ]
    return sorted(given)


def news(visit: AppointmentFacts, anchor: Anchor) -> datetime | None:
    """Give when the patient is told of a booking, move or cancellation; None for a quiet one."""
    told = visit.announced_at
    if told is None:
        return None
    happened = {
        Anchor.ANNOUNCED_BOOKING: visit.booked_at,
        Anchor.ANNOUNCED_MOVE: None if visit.moved_at == visit.booked_at else visit.moved_at,
        Anchor.ANNOUNCED_CANCELLATION: (
            visit.cancelled_at if visit.status is VisitStatus.CANCELLED else None
        ),
    }[anchor]
    return told if happened == told else None


@lru_cache(maxsize=64)
def _public(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))


def at_work(staffed: StaffedHours, minute: datetime) -> bool:
    """Whether somebody is there in this minute of the clinic's clock."""
    wall = minute.astimezone(staffed.zone).replace(tzinfo=None)
    day, clock = wall.date(), wall.time()
    public = staffed.country is not None and day in _public(staffed.country, day.year)
    if (public or day in staffed.extra) and day not in staffed.open_on:
        return False
    return any(
        span.opens <= clock and (clock < span.closes or span.closes == time())
        for span in staffed.hours.get(day.weekday(), ())
    )


@lru_cache(maxsize=512)
def _closing(key: tuple[int, date], staffed_of: "Closings") -> datetime | None:
    staffed, day = staffed_of.staffed, key[1]
    minute = datetime.combine(day - DAY, time(), UTC)
    found = None
    while minute < datetime.combine(day + 2 * DAY, time(), UTC):
        on_day = minute.astimezone(staffed.zone).date() == day
        if on_day and at_work(staffed, minute):
            found = minute + MINUTE
        minute += MINUTE
    return found


class Closings:
    """When a clinic closes on a day, found minute by minute."""

    def __init__(self, staffed: StaffedHours) -> None:
        self.staffed = staffed

    def of(self, day: date) -> datetime | None:
        """Give the end of the last staffed minute of a local day; None for a closed one."""
        return _closing((id(self.staffed), day), self)


class Around:
    """What a step can depend on beside its own visit. The oracle inherits it."""

    enrollment: EnrollmentFacts
    patient: PatientFacts
    clinic: ClinicFacts
    now: datetime
    appointments: Sequence[AppointmentFacts]

    @property
    def visit(self) -> AppointmentFacts | None:
        return self.enrollment.appointment

    def happened(self, anchor: Anchor) -> datetime | None:
        """Give when a dose, a lapse, a no-show or news was; None where there is none."""
        given = doses(self.appointments)
        if anchor in (Anchor.FIRST_DOSE, Anchor.LAST_DOSE):
            return (given[0] if anchor is Anchor.FIRST_DOSE else given[-1]) if given else None
        if anchor is Anchor.LAPSE:
            return self.patient.lapsed_at
        if self.visit is None:
            return None
        if anchor is Anchor.NO_SHOW:
            missed = self.visit.status is VisitStatus.NO_SHOW
            return self.visit.no_show_at if missed else None
        told = news(self.visit, anchor)
        old = told is not None and told < self.enrollment.enrolled_at
        return None if old else told

    def meets_history(self, condition: Condition) -> bool:
        """Whether a condition on the patient's own history holds."""
        visits, visit = self.appointments, self.visit
        stands = [
            one for one in visits if one.status not in (VisitStatus.CANCELLED, VisitStatus.NO_SHOW)
        ]
        kind = condition.kind
        if kind is HistoryKind.NUMBER_UNPROVED:
            person = self.patient
            return not (person.proved or person.welcome_failed) and len(person.purposes) > 0
        if kind is HistoryKind.OPTED_IN:
            return "health_questions" in self.patient.purposes
        if kind is HistoryKind.SUBSTANCE:
            return not condition.substances.isdisjoint(self.patient.substances)
        if kind is HistoryKind.MISSED_BEFORE:
            before = visit.starts_at if visit else self.now
            missed = [one for one in visits if one.status is VisitStatus.NO_SHOW]
            return any(one.starts_at < before for one in missed)
        if kind is HistoryKind.NO_OTHER_NUMBER:
            return True  # Known only when every text has its minute.
        return not any(self._is_booked(kind, one) for one in stands)

    def _is_booked(self, kind: HistoryKind, one: AppointmentFacts) -> bool:
        """Whether this visit, which stands, is the one that a step would ask for."""
        visit = self.visit
        if kind is HistoryKind.NO_DOSE_BOOKED:
            booked = one.status is VisitStatus.BOOKED and one.dose is not Dose.NOT_GIVEN
            return booked and one.kind == "dosing" and one.starts_at > self.now
        if kind is HistoryKind.NOT_BOOKED_AGAIN:
            assert visit is not None
            same = one.id != visit.id and one.kind == visit.kind
            return same and one.starts_at > visit.starts_at
        since = self.now if visit is None else visit.checked_out_at or visit.starts_at
        return one.kind in ("integration", "followup") and one.starts_at >= since

    def day_numbers(self, step: Step, first: date, local_day) -> Iterator[int]:
        """Give the numbers of the days on which a repeat asks; the first day is 1.

        By its phases or the patient's own, and for some days after each event that takes it up.
        """
        steps, phases = self.enrollment.protocol.steps, self._phases(step)
        ends = [phase.last_day for each in steps for phase in (*each.repeat, *phases)]
        for number in range(1, max(ends) + 1):
            day = first + (number - 1) * DAY
            if any(_asks(phase, number, day) for phase in phases) or self._again(
                step, day, local_day
            ):
                yield number

    def _phases(self, step: Step) -> tuple[Phase, ...]:
        own = self.patient.cadences
        name = f"{self.enrollment.protocol.id}/{step.id}"
        agreed = own[name] if name in own else own.get(step.id)
        if agreed is None:
            return step.repeat
        if isinstance(agreed, int):
            days = [day for phase in step.repeat for day in (phase.first_day, phase.last_day)]
            return (Phase(first_day=min(days), last_day=max(days), every_days=agreed),)
        return agreed

    def _again(self, step: Step, day: date, local_day) -> bool:
        if step.again is None:
            return False
        events = [self.happened(anchor) for anchor in step.again.anchors]
        since = [(day - local_day(each)).days for each in events if each is not None]
        return any(1 <= days <= step.again.days for days in since)


def _asks(phase: Phase, number: int, day: date) -> bool:
    """Whether a phase asks on the day with this number."""
    if not phase.first_day <= number <= phase.last_day:
        return False
    if phase.weekdays and day.weekday() not in phase.weekdays:
        return False
    return (number - phase.first_day) % phase.every_days == 0
