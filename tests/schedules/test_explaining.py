"""Why a text goes when it goes: clock changes of any zone, and the protocol's own minute."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.explaining import clock_change_of, clock_changes
from schedules.loader import load
from schedules.moments import frame_of
from schedules.planner import plan
from schedules.windows import US_ZONES
from tests.schedules.planning import clinic, enrolled, patient, visit

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


def _felt(text_id: str, when: str, latest: str, starts: datetime) -> str | None:
    """Give the clock change that a visit's text feels, in words."""
    source = _STEP.format(id=text_id, when=when, latest=latest)
    enrollment = enrolled(load(source, "p.yaml"), visit(starts))
    planned_at = starts - timedelta(days=10)
    [text] = plan(enrollment, patient(), clinic(staffed=False), now=planned_at)
    frame = frame_of(enrollment, patient(), clinic(staffed=False), planned_at)
    changes = list(clock_changes(NEW_YORK, date(2026, 10, 20), 30))
    found = clock_change_of(frame, text, [text], changes)
    return str(found) if found else None


_STEP = """
id: some
title: Some
for: {{visit: dosing}}
purpose: visits
importance: visit
steps:
  - id: {id}
    template: visit_7d
    when: {when}
    latest: {latest}
"""
BACK = "Clocks go back 1 h on Sun 2026-11-01 (America/New_York)."


@pytest.mark.parametrize(
    ("when", "day", "said"),
    [
        # On the day itself, and where hours are counted across it.
        ("1 day before visit start at 10:00", date(2026, 11, 2), BACK),
        ("48 hours before visit start", date(2026, 11, 2), BACK),
        # The days around it feel nothing: the same wall clock, or hours on one side of it.
        ("2 days before visit start at 10:00", date(2026, 11, 2), None),
        ("24 hours before visit start", date(2026, 11, 4), None),
        ("24 hours before visit start", date(2026, 10, 31), None),
    ],
)
def test_a_clock_change_is_told_of_the_texts_that_feel_it(
    when: str, day: date, said: str | None
) -> None:
    """Not of all texts of its week: the sentence was lost among those that it did not concern."""
    starts = datetime.combine(day, time(10), NEW_YORK)
    assert _felt("one", when, "1 hour before visit start", starts) == said
