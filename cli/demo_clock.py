"""Which morning the demo pretends it is: mid-morning on a weekday when the sample clinic works.

Pure: the real instant comes in, the pretended one goes out. Their difference is given to every
process as AFTERCARE_CLOCK_OFFSET.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.errors import ScheduleError
from schedules.staffing import StaffedHours
from schedules.windows import first_instant

# Reminders go at 10:00; half a minute before is time to load the examples and to read the screen.
MORNING = time(9, 59, 30)
# A clinic that takes a fortnight off is no sample.
_LONGEST_SEARCH_DAYS = 21
_SATURDAY = 5


def pretended_morning(
    real: datetime, zone: ZoneInfo, staffed: StaffedHours, *, after: datetime | None = None
) -> datetime:
    """Return 09:59:30 in `zone` on the first staffed weekday from the real day on, in UTC.

    With `after`, the instant at which the last demo ended, it is later than that: for the sample
    clinic time goes on, and never back. Raises ScheduleError when no such day comes.
    """
    day = real.astimezone(zone).date()
    if after is not None:
        day = max(day, after.astimezone(zone).date())
    for ahead in range(_LONGEST_SEARCH_DAYS):
        candidate = first_instant(day + timedelta(days=ahead), MORNING, zone)
        is_weekday = candidate.astimezone(zone).weekday() < _SATURDAY
        if is_weekday and staffed.is_staffed(candidate) and (after is None or candidate > after):
            return candidate.astimezone(UTC)
    raise ScheduleError("the sample clinic is closed for three weeks: check its staffed_hours")


def offset(real: datetime, pretended: datetime) -> float:
    """Return the seconds to add to the real clock."""
    return (pretended - real).total_seconds()
