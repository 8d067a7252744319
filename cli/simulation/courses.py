"""The visits that each patient will have, and what becomes of them: drawn from the seed as well.

An assessment, a series of dosing visits with an integration visit after some, then one a month.
Pure, apart from `Booking`, which is what the desk knows of a visit today.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from cli.simulation.clinic import ZONE
from cli.simulation.people import Person, dice
from schedules import terms
from schedules.staffing import StaffedHours

_SERIES = 6
#: The desk of a large clinic sends a file an hour, so that nothing later is known before it begins.
_KNOWN_BEFORE = timedelta(hours=1)


class Fate(StrEnum):
    """What becomes of a visit that stands."""

    KEPT = "kept"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    MOVED = "moved"


@dataclass(slots=True, kw_only=True)
class Booking:
    """A visit at the desk. `told` is when it is entered, `turns_at` when its fate is known."""

    person: Person
    visit_id: str
    kind: str
    route: str
    starts_at: datetime
    minutes: int
    told_at: datetime
    fate: Fate
    turns_at: datetime
    moves_to: datetime
    dose: str
    forgotten: bool
    virtual: bool
    status: str = "booked"
    entered: bool = False
    left_at: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When it is planned to end."""
        return self.starts_at + timedelta(minutes=self.minutes)


def course(seed: int, person: Person, staffed: StaffedHours, end: datetime) -> Iterator[Booking]:
    """Give a patient's visits in order, as far as they begin before the end.

    One that begins before the desk could tell of it, as a holiday put the assessment off to its
    day, is not booked.
    """
    rng = dice(seed, "course", person.number)
    day = person.joins_at.astimezone(ZONE).date() + timedelta(days=rng.randint(2, 9))
    made = [_visit(rng, person, staffed, "assessment", day, 1)]
    told = made[0].ends_at
    for number in range(2, 100):
        gap = rng.randint(3, 4) if number <= _SERIES + 1 else rng.randint(26, 34)
        day += timedelta(days=gap)
        dosing = _visit(rng, person, staffed, "dosing", day, 2 * number)
        dosing.told_at = max(told, dosing.told_at)
        made.append(dosing)
        if rng.random() < 0.5:
            made.append(
                _visit(rng, person, staffed, "integration", day + timedelta(days=2), 2 * number + 1)
            )
            made[-1].told_at = max(told, made[-1].told_at)
        if dosing.starts_at > end:
            break
    yield from (visit for visit in made if visit.told_at + _KNOWN_BEFORE < visit.starts_at < end)


def _visit(
    rng: random.Random, person: Person, staffed: StaffedHours, kind: str, day: date, number: int
) -> Booking:
    starts_at = a_slot(rng, staffed, day)
    ahead = timedelta(days=rng.randint(3, 24)) if rng.random() > 0.08 else timedelta(hours=20)
    fate = rng.choices(list(Fate), (80, 5, 6, 9))[0]
    before = timedelta(hours=rng.uniform(2, 110))
    return Booking(
        person=person,
        visit_id=f"V-{person.number:04}-{number:02}",
        kind=kind,
        route=rng.choice(terms.shipped().route_names) if kind == "dosing" else "",
        starts_at=starts_at,
        minutes=120 if kind == "dosing" else 50,
        told_at=max(person.joins_at + timedelta(minutes=30), starts_at - ahead),
        fate=fate,
        turns_at=starts_at - before,
        moves_to=a_slot(rng, staffed, day + timedelta(days=rng.randint(1, 6))),
        dose=rng.choices(("given", "partial", "not_given"), (93, 4, 3))[0]
        if kind == "dosing"
        else "",
        forgotten=rng.random() < 0.04,
        virtual=kind == "integration" and rng.random() < 0.5,
    )


def a_slot(rng: random.Random, staffed: StaffedHours, day: date) -> datetime:
    """Return a quarter of an hour on the first staffed weekday from this day on."""
    while not staffed.is_staffed_day(day) or day.weekday() > 4:
        day += timedelta(days=1)
    at = time(rng.randint(8, 14), rng.choice((0, 15, 30, 45)))
    return datetime.combine(day, at, ZONE)
