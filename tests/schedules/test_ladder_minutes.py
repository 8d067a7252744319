"""The ladder's minutes, held against a walk over the clinic's wall clock, minute by minute.

Everywhere the planner is drawn for, mostly within a day of a clock change, with holidays around it.
The walk knows nothing of the product's staffed hours: a minute is staffed when the clock on the
wall stands within a span of a day that is no holiday.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import ladder
from schedules.clinic import ClinicFile, read_clinic
from schedules.ladder import Clock, Person, Turn, Why
from schedules.staffing import Severity
from tests.schedules.drawing import DAY, ZONES, changes, days

MINUTE = timedelta(minutes=1)
#: Weekdays, spans: with a break, every day, at night where clocks jump, and one short day a week.
#: Their edges are in no hour that the clocks show twice.
HOURS = (
    (range(5), ("08:00-12:00", "13:00-17:00")),
    (range(7), ("08:00-17:00",)),
    (range(7), ("00:30-04:30",)),
    (range(1), ("09:00-10:30",)),
)
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OWNER = Person(key="owner@clinic.test", name="Owner", email="owner@clinic.test")


@cache
def clinic(zone: ZoneInfo, hours: int, people: int, closed: tuple[date, ...]) -> ClinicFile:
    weekdays, spans = HOURS[hours]
    on_call = ", ".join(
        f'{{name: P{number}, phone: "+1212555019{number}", email: p{number}@clinic.test,'
        " hours: always}"
        for number in range(people)
    )
    staffed = ", ".join(f"{WEEK[day]}: [{', '.join(map(repr, spans))}]" for day in weekdays)
    extra = ", ".join(day.isoformat() for day in closed)
    text = f"""
id: riverside
name: Riverside
sms_name: Riverside Care
phone: "+12125550100"
timezone: {zone.key}
staffed_hours: {{{staffed}}}
holidays: {{extra: [{extra}]}}
sender: {{from: "+12125550110", segments_per_second: 10}}
on_call: [{on_call}]
lead: {{name: Lead, phone: "+12125550199", email: lead@clinic.test}}
after_hours: on_call
"""
    return read_clinic(text, "clinic.yaml")


@st.composite
def moments(draw, people: int = 1) -> tuple[ClinicFile, int, tuple[date, ...], datetime]:
    """A clinic, its hours and closed days, and an instant near them."""
    zone = draw(st.sampled_from(ZONES))
    hours = draw(st.integers(0, len(HOURS) - 1))
    near = [day + n * DAY for day in changes(zone) for n in (-1, 0, 1)]
    day = draw(st.sampled_from(near) if near and draw(st.integers(0, 4)) else days(zone))
    closed = tuple(sorted(day + DAY * n for n in draw(st.sets(st.integers(0, 5), max_size=4))))
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    at = midnight + draw(st.integers(-2 * 60, 28 * 60)) * MINUTE
    return clinic(zone, hours, people, closed), hours, closed, at


def staffed(file: ClinicFile, hours: int, closed: tuple[date, ...], at: datetime) -> bool:
    """Whether the wall clock stands within a span at an instant."""
    wall = at.astimezone(file.zone)
    weekdays, spans = HOURS[hours]
    if wall.weekday() not in weekdays or wall.date() in closed:
        return False
    return any(start <= f"{wall:%H:%M}" < end for start, end in (s.split("-") for s in spans))


def turns(clock: Clock, file: ClinicFile, now: datetime) -> Iterator[tuple[datetime, Turn]]:
    """Take one turn after the other, each at the time that the one before named."""
    while True:
        turn = ladder.turn(clock, file, now=now)
        yield now, turn
        clock = replace(
            clock, run_at=turn.run_at, rung=turn.rung, acknowledged_at=turn.acknowledged_at
        )
        now = turn.next_at


def paged(clock: Clock, file: ClinicFile, now: datetime, count: int) -> list[tuple[float, str]]:
    """Return the first pages: after how many minutes of `now`, and who."""
    found = [
        ((at - now) / MINUTE, one.key.partition("@")[0])
        for at, turn in islice(turns(clock, file, now), 40)
        for one in turn.whom
    ]
    return found[:count]


def ladder_from(first: int, people: int, *, start: int = 0) -> list[tuple[float, str]]:
    """Return when each person and then the lead is to be paged, and after them everybody."""
    names = [*(f"p{number}" for number in range(people)), "lead"]
    due = [start, *(start + first + 10 * number for number in range(len(names)))]
    return [*zip(due, names, strict=False), *((due[-1], name) for name in names)]


@settings(max_examples=150)
@given(data=st.data(), people=st.integers(1, 4))
def test_the_nth_person_is_paged_to_the_minute(data: st.DataObject, people: int) -> None:
    """The second after 10 minutes, 15 outside staffed hours, each next one 10 minutes later."""
    file, hours, closed, opened = data.draw(moments(people))
    first = 10 if staffed(file, hours, closed, opened) else 15
    clock = Clock(severity=Severity.PAGE_NOW, due_at=opened, run_at=opened)
    expected = ladder_from(first, people)
    assert paged(clock, file, opened, len(expected)) == expected


@settings(max_examples=150)
@given(data=st.data(), taken=st.integers(0, 300))
def test_without_an_outcome_the_owner_is_paged_on_the_half_hour(
    data: st.DataObject, taken: int
) -> None:
    """Care rule 10: the next half hour of the run after the taking; then it climbs as before."""
    file, hours, closed, opened = data.draw(moments(2))
    at = opened + taken * MINUTE
    clock = Clock(
        severity=Severity.PAGE_NOW,
        due_at=opened,
        run_at=opened,
        rung=1,
        acknowledged_at=at,
        owner=OWNER,
    )
    again = taken - taken % 30 + 30
    first = 10 if staffed(file, hours, closed, opened + again * MINUTE) else 15
    wanted = [(again, "owner"), (again + first, "p0"), (again + first + 10, "p1")]
    assert paged(clock, file, at, 3) == [(due - taken, who) for due, who in wanted]
    [reason] = {turn.why for _, turn in islice(turns(clock, file, at), 2) if turn.whom}
    assert reason is Why.NO_OUTCOME


@settings(max_examples=200)
@given(data=st.data())
def test_a_call_of_today_is_due_after_two_staffed_hours(data: st.DataObject) -> None:
    """Or at the day's closing. The owner is paged then, the next half an hour on, in no break."""
    file, hours, closed, opened = data.draw(moments())
    minute, passed, last = opened, 0, opened
    while not staffed(file, hours, closed, minute):
        minute += MINUTE
    day = minute.astimezone(file.zone).date()
    while minute.astimezone(file.zone).date() == day and passed < 120:
        if staffed(file, hours, closed, minute):
            passed, last = passed + 1, minute + MINUTE
        minute += MINUTE
    due = file.staffed().due(Severity.CALL_TODAY, opened)
    assert due == last
    clock = Clock(severity=Severity.CALL_TODAY, due_at=due, run_at=due, owner=OWNER)
    (at, who), *others = paged(clock, file, due, 2)
    assert (at, who) == (0, "owner")
    [(later, _)] = others
    ahead = range(15 * 60)
    worked = [n for n in ahead if _works(file, hours, closed, due + n * MINUTE, day)]
    closes = max(worked, default=-1) + 1
    assert later == min((n for n in worked if n >= 30), default=closes)


def _works(file: ClinicFile, hours: int, closed: tuple[date, ...], at: datetime, day: date) -> bool:
    """Whether somebody works at this minute of this day."""
    return at.astimezone(file.zone).date() == day and staffed(file, hours, closed, at)
