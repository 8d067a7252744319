"""When a patient may be texted: the send window, exact in every zone and at every clock change.

The planner places texts with these functions and the send step checks again with `is_open`.
A window is judged by the wall clock where the patient is: open while opens <= local time < closes.
Nothing here loops over minutes. Between two clock changes a zone's offset is constant, so the
next boundary is one subtraction away; only a day that holds a change costs a search for it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import ceil, floor
from zoneinfo import ZoneInfo

from babel.core import get_global

from schedules.errors import UnknownZoneError

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MIDNIGHT = time(0)

# Zones whose windows never meet (a two-hour window in Guam and in Honolulu) would be searched for
# ever. After eight days every weekday and any one clock change has been seen.
SEARCH_LIMIT = timedelta(days=8)

# Where people of the fifty states live. The zones left out lie between two of these at every time
# of the year (Adak between Anchorage and Honolulu), so that they never narrow the common window.
US_ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendWindow:
    """Wall-clock hours in which texts may start, in the patient's own zone.

    `opens` is the first allowed minute and `closes` the first that is not. `closes` at 00:00 means
    the midnight that ends the day. The default is the hours that every state allows
    (09:00-20:00, compliance D3). Raises ValueError for hours that are no such span.
    """

    opens: time = time(9)
    closes: time = time(20)

    def __post_init__(self) -> None:
        for wall in (self.opens, self.closes):
            if wall.tzinfo is not None or wall.second or wall.microsecond:
                raise ValueError(f"a send window takes whole minutes without a zone, not {wall}")
        if self.closes != MIDNIGHT and self.opens >= self.closes:
            raise ValueError(
                f"a send window must open before it closes, not {self.opens}-{self.closes}"
            )

    def holds(self, wall: time) -> bool:
        """Whether this wall-clock time lies inside."""
        return self.opens <= wall and (wall < self.closes or self.closes == MIDNIGHT)


def narrowed(window: SendWindow, safe: SendWindow | None) -> SendWindow:
    """Give the hours of both; a patient's safe hours alone where the two never meet.

    They named those hours themselves, and outside them somebody else may read along.
    """
    if safe is None:
        return window
    opens = max(window.opens, safe.opens)
    closes = min(window.closes, safe.closes, key=lambda wall: (wall == MIDNIGHT, wall))
    if closes != MIDNIGHT and closes <= opens:
        return safe
    return SendWindow(opens=opens, closes=closes)


def first_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Give the instant (UTC) at which the clocks of `zone` first show `at` on `day`.

    A time that the clocks skip means the first instant after the gap; one that comes twice means
    the first.
    """
    local = datetime.combine(day, at, tzinfo=zone)
    early = local.astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return early
    # In a gap the offset before the change leads past it, and the offset after leads before it.
    return _change(zone, local.replace(fold=1).astimezone(UTC), early)


def is_open(window: SendWindow, zones: Sequence[ZoneInfo], at: datetime) -> bool:
    """Whether `at` lies in the window in every candidate zone."""
    opens, closes = window.opens, window.closes
    for zone in zones:
        wall = at.astimezone(zone).time()
        if wall < opens or (wall >= closes and closes != MIDNIGHT):
            return False
    return True


def next_open(
    window: SendWindow, zones: Sequence[ZoneInfo], at: datetime, *, until: datetime | None = None
) -> datetime | None:
    """Give the nearest allowed instant (UTC) at or after `at` and before `until`.

    `at` itself, seconds kept, when it is allowed; else the minute at which the window opens.
    None when there is none, or when the zones have no common hour within eight days.
    """
    start = at.astimezone(UTC)
    end = start + SEARCH_LIMIT if until is None else min(until, start + SEARCH_LIMIT)
    found = _settle(window, zones, start, _hop_on, lambda instant: instant < end)
    return found if found is not None and found < end else None


def last_open(
    window: SendWindow, zones: Sequence[ZoneInfo], at: datetime, *, since: datetime | None = None
) -> datetime | None:
    """Give the nearest allowed instant (UTC) at or before `at` and not before `since`.

    `at` itself, seconds kept, when it is allowed; else the last whole minute before the window
    closed. None when there is none, or when the zones have no common hour in the eight days before.
    """
    start = at.astimezone(UTC)
    end = start - SEARCH_LIMIT if since is None else max(since, start - SEARCH_LIMIT)
    return _settle(window, zones, start, _hop_back, lambda instant: instant >= end)


def next_close(window: SendWindow, zones: Iterable[ZoneInfo], at: datetime) -> datetime | None:
    """Give the instant (UTC) at which a window that is open at `at` closes in the first zone.

    None for one that is open the whole day.
    """
    if window.opens == window.closes:
        return None
    return min(_closing(window, zone, at.astimezone(UTC)) for zone in zones)


def candidate_zones(country: str) -> tuple[ZoneInfo, ...]:
    """Give the zones in which a patient of this country (ISO code) with no known zone may be.

    A text goes only when all of them allow it. Raises UnknownZoneError for a country that
    nobody lists.
    """
    return _candidate_zones(country.strip().upper())


@lru_cache(maxsize=64)
def _candidate_zones(country: str) -> tuple[ZoneInfo, ...]:
    names = US_ZONES if country == "US" else get_global("territory_zones").get(country, ())
    if not names:
        raise UnknownZoneError(
            f'no time zone is known for the country "{country}". Use its ISO code'
        )
    return tuple(ZoneInfo(name) for name in sorted(names))


def _settle(
    window: SendWindow,
    zones: Iterable[ZoneInfo],
    instant: datetime,
    hop: Callable[[SendWindow, ZoneInfo, datetime], datetime],
    goes_on: Callable[[datetime], bool],
) -> datetime | None:
    """Hop from zone to zone until one whole round leaves the instant where it is.

    A hop never jumps over an instant that its zone allows, so the first standstill is the nearest.
    """
    before = None
    while before != instant:
        before = instant
        for zone in zones:
            instant = hop(window, zone, instant)
            if not goes_on(instant):
                return None
    return instant


def _hop_on(window: SendWindow, zone: ZoneInfo, instant: datetime) -> datetime:
    """Give `instant` when the zone allows it, else an instant no later than the next opening."""
    local = instant.astimezone(zone)
    wall = local.time()
    if window.holds(wall):
        return instant
    day = local.date() if wall < window.opens else local.date() + DAY
    opening = instant + (datetime.combine(day, window.opens) - local.replace(tzinfo=None))
    if opening.astimezone(zone).utcoffset() == local.utcoffset():
        return opening
    # The clocks change before the opening comes: nothing opens until then, and from there we look
    # again with the new offset.
    return _change(zone, instant, opening)


def _hop_back(window: SendWindow, zone: ZoneInfo, instant: datetime) -> datetime:
    """Give `instant` when the zone allows it, else an instant no earlier than the last closing."""
    local = instant.astimezone(zone)
    wall = local.time()
    if window.holds(wall):
        return instant
    day = local.date() if MIDNIGHT < window.closes <= wall else local.date() - DAY
    closed = datetime.combine(day + DAY if window.closes == MIDNIGHT else day, window.closes)
    last = instant - (local.replace(tzinfo=None) - closed) - MINUTE
    if last.astimezone(zone).utcoffset() == local.utcoffset():
        return last
    return _change(zone, last, instant) - MINUTE


def _closing(window: SendWindow, zone: ZoneInfo, instant: datetime) -> datetime:
    local = instant.astimezone(zone)
    day = local.date() + DAY if window.closes == MIDNIGHT else local.date()
    closing = instant + (datetime.combine(day, window.closes) - local.replace(tzinfo=None))
    if closing.astimezone(zone).utcoffset() == local.utcoffset():
        return closing
    # The clocks change before: that closes the window, or we look again with the new offset.
    change = _change(zone, instant, closing)
    held = window.holds(change.astimezone(zone).time())
    return _closing(window, zone, change) if held else change


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Find the clock change between two instants (UTC) whose offsets differ, to the second.

    It is the first instant at which the offset of `after` holds.
    """
    low, high = floor(before.timestamp()), ceil(after.timestamp())
    target = after.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == target:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
