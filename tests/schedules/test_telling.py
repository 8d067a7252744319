"""When a patient is told again how to stop (care rule 30)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.telling import AGAIN_AFTER_DAYS, ROOM_FROM_DAYS, Telling, telling

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (0, Telling.NOT_YET),
        (22, Telling.NOT_YET),
        (23, Telling.WHERE_IT_FITS),
        (29, Telling.WHERE_IT_FITS),
        (30, Telling.NOW),
        (400, Telling.NOW),
    ],
)
@pytest.mark.parametrize("told", ["2026-10-20", "2027-01-31", "2027-02-20", "2028-02-29"])
@pytest.mark.parametrize("jitter", [-60, 0, 60])
def test_days_are_counted_on_the_clinics_calendar(
    told: str, days: int, jitter: int, says: Telling
) -> None:
    """So many days later at about the same hour, over clock changes, month ends and leap days."""
    at = datetime.fromisoformat(f"{told}T17:00").replace(tzinfo=NEW_YORK)
    later = (at + timedelta(days=days, seconds=jitter)).astimezone(UTC)

    assert telling(at.astimezone(UTC), later, NEW_YORK) is says


def test_whoever_was_never_told_is_told_now() -> None:
    """Nobody told them on this number yet."""
    assert telling(None, datetime(2027, 1, 1, tzinfo=UTC), NEW_YORK) is Telling.NOW


@given(
    told=st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    hours=st.lists(st.integers(1, 24 * 12), max_size=60),
    zone=st.sampled_from(["America/New_York", "America/Phoenix", "Pacific/Honolulu"]),
)
def test_nobody_goes_thirty_days_of_texts_without_it(
    told: timedelta, hours: list[int], zone: str
) -> None:
    """Whatever the gaps between texts: each says it by the 30th day, and none within 23."""
    here = ZoneInfo(zone)
    last = now = datetime(2026, 1, 1, tzinfo=UTC) + told
    for gap in hours:
        now += timedelta(hours=gap)
        days = (now.astimezone(here).date() - last.astimezone(here).date()).days
        if telling(last, now, here) is Telling.NOW:
            assert days >= AGAIN_AFTER_DAYS
            last = now
        else:
            assert days < AGAIN_AFTER_DAYS
        assert ROOM_FROM_DAYS < AGAIN_AFTER_DAYS
