"""When somebody at the clinic can read, call and decide: staffed hours, holidays and due times.

Follow-ups take their clocks from here, and texts take from here what they may promise ("we will
call you by ..."). All hours are the clinic's own wall clock; every instant is UTC. A staffed hour
is counted as it passes, so that a day on which the clocks change is an hour longer or shorter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from schedules.errors import ScheduleError
from schedules.windows import DAY, MIDNIGHT, first_instant

NOON = time(12)

# Acknowledgement times (clinical brief, section 4; judgement, no standard was found).
PAGE_MINUTES_STAFFED = 10
PAGE_MINUTES_AFTER_HOURS = 15
CALL_TODAY_MINUTES = 120

# The longest closure anybody can mean. Beyond it the file is wrong, and a search must end.
LONGEST_CLOSURE_DAYS = 400


class Severity(StrEnum):
    """How soon a person must act on a follow-up, the most urgent first."""

    PAGE_NOW = "page_now"
    CALL_TODAY = "call_today"
    NEXT_BUSINESS_DAY = "next_business_day"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """Staffed hours within one day; `closes` at 00:00 is the midnight that ends the day."""

    opens: time
    closes: time

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Read "08:00-12:00" ("24:00" may close). Raises ValueError in the user's words."""
        parts = [part.strip() for part in text.replace("\N{EN DASH}", "-").split("-")]
        if len(parts) != 2:
            raise ValueError(f'"{text}" is not a span of hours such as "08:00-12:00"')
        opens, closes = read_clock(parts[0]), read_clock(parts[1], may_end_day=True)
        if closes != MIDNIGHT and opens >= closes:
            raise ValueError(f'"{text}" ends before it starts')
        return cls(opens=opens, closes=closes)

    @property
    def ends(self) -> int:
        """Minutes from the day's midnight to the closing."""
        return (self.closes.hour * 60 + self.closes.minute) or 24 * 60

    def meets(self, later: "Span") -> bool:
        """Whether a span that opens no earlier overlaps this one."""
        return later.opens.hour * 60 + later.opens.minute < self.ends

    def __str__(self) -> str:
        """Write it as the file has it."""
        return (
            f"{self.opens:%H:%M}-{'24:00' if self.closes == MIDNIGHT else f'{self.closes:%H:%M}'}"
        )


def read_clock(text: str, *, may_end_day: bool = False) -> time:
    """Read "08:00" on the 24-hour clock; "24:00" gives 00:00 where a day may end.

    Raises ValueError in the user's words.
    """
    if may_end_day and text == "24:00":
        return MIDNIGHT
    hours, colon, minutes = text.partition(":")
    digits = hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()
    if not (colon and digits and len(hours) <= 2 and len(minutes) == 2):
        raise ValueError(f'"{text}" is not a time of day such as "08:00" or "17:30"')
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f'"{text}" is not a time of day; the clock goes from 00:00 to 23:59')
    return time(int(hours), int(minutes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWindow:
    """What a text may promise about a person: the instants behind {until} and {window}."""

    staffed: bool
    reads_from: datetime  # {until}: when a person reads next; the asked instant when one is there.
    calls_by: datetime  # {window}: the latest a call is due.


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffedHours:
    """The clinic's week, its holidays and its zone.

    `hours` maps a weekday (0 is Monday) to spans in order; a day without spans is closed.
    `extra` are more closed dates, `open_on` are public holidays on which the clinic works.
    `on_call` says whether pages reach somebody outside these hours. In `nobody`, spans of time,
    everybody is away, so that nothing of them is staffed.
    Raises ScheduleError when no day of the week is staffed, since then nothing could fall due.
    """

    hours: Mapping[int, tuple[Span, ...]]
    zone: ZoneInfo
    country: str | None = None
    subdivision: str | None = None
    extra: frozenset[date] = frozenset()
    open_on: frozenset[date] = frozenset()
    on_call: bool = True
    nobody: tuple[tuple[datetime, datetime], ...] = ()
    _days: dict[date, tuple[tuple[datetime, datetime], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not any(self.hours.values()):
            raise ScheduleError("no hour of the week is staffed. Give at least one span of hours")

    def is_staffed(self, at: datetime) -> bool:
        """Whether somebody is at work at this instant; a break between two spans is not staffed."""
        return any(opens <= at < closes for opens, closes in self._spans(self._day(at)))

    def is_staffed_day(self, day: date) -> bool:
        """Whether anybody works at all on this local date."""
        return bool(self._spans(day))

    def is_holiday(self, day: date) -> bool:
        """Whether the date is closed by the calendar, whatever the weekday's hours say."""
        if day in self.open_on:
            return False
        return day in self.extra or day in _public_holidays(
            self.country, self.subdivision, day.year
        )

    def next_staffed(self, at: datetime) -> datetime:
        """Give `at` when it is staffed, else the instant at which work starts again."""
        for opens, closes in self._from(at):
            if at < closes:
                return max(opens, at.astimezone(UTC))
        raise self._never(at)

    def next_opening(self, at: datetime) -> datetime:
        """Give the next instant after `at` at which a staffed day begins; breaks do not count."""
        for day in self._days_from(self._day(at)):
            if (spans := self._spans(day)) and spans[0][0] > at:
                return spans[0][0]
        raise self._never(at)

    def opening(self, day: date) -> datetime:
        """Give when a staffed local date begins to be staffed; it must be one."""
        return self._spans(day)[0][0]

    def closing(self, at: datetime) -> datetime:
        """Give the end of the staffed day that `at` lies in or before."""
        for day in self._days_from(self._day(at)):
            if (spans := self._spans(day)) and spans[-1][1] > at:
                return spans[-1][1]
        raise self._never(at)

    def last_closing(self, at: datetime) -> datetime:
        """Give when work last ended, for the day or for a break, at or before `at`."""
        for number in range(LONGEST_CLOSURE_DAYS):
            spans = self._spans(self._day(at) - timedelta(days=number))
            ended = [closes for _, closes in spans if closes <= at]
            if ended:
                return ended[-1]
        raise self._never(at)

    def add_staffed(self, at: datetime, minutes: float) -> datetime:
        """Give the instant by which this many staffed minutes have passed since `at`."""
        left = timedelta(minutes=minutes)
        for opens, closes in self._from(at):
            start = max(opens, at.astimezone(UTC))
            if start + left <= closes:
                return start + left
            left -= max(closes - start, timedelta())
        raise self._never(at)

    def staffed_between(self, start: datetime, end: datetime) -> float:
        """Count the staffed minutes from `start` to `end`; 0 when `end` is not later."""
        total = timedelta()
        for day in _days_between(self._day(start), self._day(end)):
            for opens, closes in self._spans(day):
                total += max(min(closes, end) - max(opens, start), timedelta())
        return total / timedelta(minutes=1)

    def closed_days_after(self, day: date) -> int:
        """Count the whole closed days in a row that follow this local date."""
        following = enumerate(self._days_from(day + DAY))
        staffed = (number for number, date_ in following if self.is_staffed_day(date_))
        return next(staffed, LONGEST_CLOSURE_DAYS)

    def last_staffed_day(self, day: date) -> date:
        """Give the date on which anybody worked last, the day itself included."""
        for number in range(LONGEST_CLOSURE_DAYS):
            if self.is_staffed_day(day - timedelta(days=number)):
                return day - timedelta(days=number)
        raise self._never(first_instant(day, NOON, self.zone))

    def closure_list_at(self, day: date) -> datetime | None:
        """Give noon (or an earlier closing) of a staffed day before two or more closed days.

        Care rule 19: at that instant a list names whom silence over the closure would hide.
        """
        if not self.is_staffed_day(day) or self.closed_days_after(day) < 2:
            return None
        return min(first_instant(day, NOON, self.zone), self._spans(day)[-1][1])

    def contact_window(self, at: datetime) -> ContactWindow:
        """Say when staff read a text received at `at`, and by when they call."""
        reads_from = self.next_staffed(at)
        return ContactWindow(
            staffed=self.is_staffed(at),
            reads_from=reads_from,
            calls_by=self.due(Severity.CALL_TODAY, at),
        )

    def due(self, severity: str, opened_at: datetime) -> datetime:
        """Give the instant (UTC) by which a person must have taken an item up.

        page_now: 10 min, after hours 15 min, or the next staffed instant when nobody is on call.
        call_today: 2 staffed hours, at the latest that day's closing. next_business_day: noon of
        the next staffed day. digest: the next opening (the clinical brief, section 4).
        """
        match Severity(severity):
            case Severity.PAGE_NOW:
                return self._page_due(opened_at.astimezone(UTC))
            case Severity.CALL_TODAY:
                return self._call_due(self.next_staffed(opened_at))
            case Severity.NEXT_BUSINESS_DAY:
                return self._noon(self._day(self.next_opening(opened_at)))
            case Severity.DIGEST:
                return self.next_opening(opened_at)

    def _page_due(self, opened_at: datetime) -> datetime:
        if self.is_staffed(opened_at):
            return opened_at + timedelta(minutes=PAGE_MINUTES_STAFFED)
        after_hours = opened_at + timedelta(minutes=PAGE_MINUTES_AFTER_HOURS)
        return after_hours if self.on_call else max(after_hours, self.next_staffed(opened_at))

    def _call_due(self, start: datetime) -> datetime:
        two_hours, closing = self.add_staffed(start, CALL_TODAY_MINUTES), self.closing(start)
        # Where work goes on past midnight, the end of the date is nobody's end of work.
        return two_hours if self.is_staffed(closing) else min(two_hours, closing)

    def _noon(self, day: date) -> datetime:
        """Noon of a staffed day, or its closing when noon is not within the day's hours."""
        noon, spans = first_instant(day, NOON, self.zone), self._spans(day)
        return noon if spans[0][0] < noon <= spans[-1][1] else spans[-1][1]

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _spans(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """Give the staffed instants of a local date, from the clinic's cache."""
        found = self._days.get(day)
        if found is None:
            closed = self.is_holiday(day)
            spans = () if closed else self.hours.get(day.weekday(), ())
            found = tuple(filter(_not_skipped, (self._instants(day, span) for span in spans)))
            found = _without(found, self.nobody)
            self._days[day] = found
        return found

    def _instants(self, day: date, span: Span) -> tuple[datetime, datetime]:
        last = day + DAY if span.closes == MIDNIGHT else day
        return (
            first_instant(day, span.opens, self.zone),
            first_instant(last, span.closes, self.zone),
        )

    def _from(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every staffed span that ends after `at`, in order."""
        for day in self._days_from(self._day(at)):
            for opens, closes in self._spans(day):
                if closes > at:
                    yield opens, closes

    def _days_from(self, day: date) -> Iterator[date]:
        """Days in order, up to the longest closure that can be meant."""
        for number in range(LONGEST_CLOSURE_DAYS):
            yield day + timedelta(days=number)

    def _never(self, at: datetime) -> ScheduleError:
        return ScheduleError(
            f"the clinic has no staffed hour within {LONGEST_CLOSURE_DAYS} days of {at:%Y-%m-%d}"
            ". Look at staffed_hours and holidays in the clinic file"
        )


def _without(
    spans: tuple[tuple[datetime, datetime], ...], gaps: tuple[tuple[datetime, datetime], ...]
) -> tuple[tuple[datetime, datetime], ...]:
    """Take times out of spans; what is left of a span may be two."""
    for starts, ends in gaps:
        parts = ((opens, min(closes, starts)) for opens, closes in spans)
        rests = ((max(opens, ends), closes) for opens, closes in spans)
        spans = tuple(sorted({part for part in (*parts, *rests) if part[0] < part[1]}))
    return spans


def _not_skipped(span: tuple[datetime, datetime]) -> bool:
    """Whether the span exists at all: the clocks may skip all of it."""
    return span[0] < span[1]


def _days_between(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


@lru_cache(maxsize=256)
def _public_holidays(country: str | None, subdivision: str | None, year: int) -> frozenset[date]:
    """Give one year's holidays, observed days included.

    A frozen set of one year, since the library's own object fills itself while it is asked, which
    another thread would see half done.
    """
    if country is None:
        return frozenset()
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
