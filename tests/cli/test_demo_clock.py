"""Whatever the hour, the demo's clinic is at mid-morning on a day when it works."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.demo_clock import offset, pretended_morning
from cli.demo_data import sample_clinic
from schedules.errors import ScheduleError
from schedules.staffing import Span, StaffedHours

CLINIC = sample_clinic()
STAFFED = CLINIC.staffed()

# A plain week, both weeks in which the clocks change in New York, Thanksgiving, and the new year.
WEEKS = ("2026-06-01", "2026-10-29", "2027-03-11", "2026-11-23", "2026-12-28")


def _hours(monday: str) -> Iterator[datetime]:
    start = datetime.fromisoformat(monday).replace(tzinfo=UTC)
    return (start + timedelta(hours=hour) for hour in range(168))


@pytest.mark.parametrize("monday", WEEKS)
def test_every_hour_of_a_week_becomes_a_staffed_weekday_morning(monday: str) -> None:
    """168 hours: weekday, 09:59:30, staffed, and not further away than a long weekend."""
    for real in _hours(monday):
        morning = pretended_morning(real, CLINIC.zone, STAFFED)
        local = morning.astimezone(CLINIC.zone)
        assert (local.hour, local.minute, local.second) == (9, 59, 30)
        assert local.weekday() < 5
        assert STAFFED.is_staffed(morning)
        assert not STAFFED.is_holiday(local.date())
        assert timedelta(hours=-14) < morning - real < timedelta(days=5)
        assert real + timedelta(seconds=offset(real, morning)) == morning


@given(hours=st.integers(0, 17_520), ahead=st.floats(-9e5, 9e5))
def test_time_never_goes_back_from_one_demo_to_the_next(hours: int, ahead: float) -> None:
    """The next run is a later morning, also when the last one went on past the real day."""
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    ended = now + timedelta(seconds=ahead)
    assert pretended_morning(now, CLINIC.zone, STAFFED, after=ended) > ended


def test_a_second_run_the_same_morning_is_the_next_working_day() -> None:
    """On a Friday that is Monday."""
    real = datetime(2026, 11, 20, 18, tzinfo=UTC)
    first = pretended_morning(real, CLINIC.zone, STAFFED)
    again = pretended_morning(real, CLINIC.zone, STAFFED, after=first + timedelta(minutes=3))
    assert [f"{at.astimezone(CLINIC.zone):%a}" for at in (first, again)] == ["Fri", "Mon"]


def test_a_clinic_that_works_on_no_weekday_morning_is_named_as_the_fault() -> None:
    """Instead of a search that never ends."""
    hours = {5: (Span.parse("09:00-15:00"),)}
    with pytest.raises(ScheduleError, match="staffed_hours"):
        pretended_morning(
            datetime(2026, 6, 1, tzinfo=UTC),
            CLINIC.zone,
            StaffedHours(hours=hours, zone=CLINIC.zone),
        )
