"""Why a text goes when it goes: clock changes of any zone, and the protocol's own minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.explaining import ClockChange, clock_changes
from schedules.windows import US_ZONES

NEW_YORK = ZoneInfo("America/New_York")


def test_the_changes_of_a_year_are_named() -> None:
    """Forward in March, back in November, by an hour."""
    found = list(clock_changes(NEW_YORK, date(2026, 1, 1), 365))
    assert [str(one) for one in found] == [
        "Clocks go forward 1 h on Sun 2026-03-08 (America/New_York).",
        "Clocks go back 1 h on Sun 2026-11-01 (America/New_York).",
    ]
    assert list(clock_changes(ZoneInfo("America/Phoenix"), date(2026, 1, 1), 365)) == []


def test_a_change_of_half_an_hour_is_said_as_one() -> None:
    """Lord Howe Island changes by 30 minutes."""
    found = clock_changes(ZoneInfo("Australia/Lord_Howe"), date(2026, 1, 1), 365)
    assert [one.by for one in found] == [timedelta(minutes=-30), timedelta(minutes=30)]


@given(
    zone=st.sampled_from([*US_ZONES, "Europe/Berlin", "Asia/Kolkata"]),
    first=st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    days=st.integers(1, 366),
)
def test_the_changes_add_up_to_the_difference_of_the_offsets(
    zone: str, first: date, days: int
) -> None:
    """None is missed and none is invented."""
    where = ZoneInfo(zone)
    ends = first + timedelta(days=days + 1)
    offsets = [datetime(d.year, d.month, d.day, tzinfo=where).utcoffset() for d in (first, ends)]
    assert offsets[0] is not None
    total = sum((one.by for one in clock_changes(where, first, days)), timedelta())
    assert offsets[0] + total == offsets[1]


@pytest.mark.parametrize(("day", "inside"), [(23, False), (26, True), (1, True), (2, False)])
def test_the_week_of_a_change_is_monday_to_sunday(day: int, inside: bool) -> None:
    """The change is on a Sunday, so the days before it belong to it."""
    change = ClockChange(day=date(2026, 11, 1), zone=NEW_YORK, by=timedelta(hours=-1))
    month = 10 if day > 2 else 11
    assert change.in_its_week(datetime(2026, month, day, tzinfo=UTC).date()) is inside
