"""Around the ladder: hours without anybody on call, the weekly test, and whose phone is whose.

Pure, like the ladder itself; absences and people's keys come from the records.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from schedules.clinic import AfterHours, ClinicFile, Contact
from schedules.ladder import Absent, on_duty
from schedules.staffing import NOON
from schedules.windows import first_instant

#: The weekly test goes out at this time of the week's first staffed day, and counts for so long.
TEST_AT, TEST_LASTS = time(11), timedelta(hours=24)


def contacts(file: ClinicFile) -> tuple[Contact, ...]:
    """Name everybody whom a page can go to, in the file's order, those on call first."""
    others = (file.lead, file.closed_day_caller)
    return (*file.on_call, *(one for one in others if one is not None))


def keys_on_phone(file: ClinicFile, phone: str) -> frozenset[str]:
    """Give the keys of the people on the ladder who have this phone (E.164); a duty phone has more.

    Empty for everybody else's number.
    """
    mine = (one for one in contacts(file) if one.phone == phone)
    return frozenset(one.key for one in mine)


def keys_beside(file: ClinicFile, key: str) -> frozenset[str]:
    """Give the keys of everybody who shares a phone with this person, theirs among them."""
    phones = {one.phone for one in contacts(file) if one.key == key}
    return frozenset({key}).union(*(keys_on_phone(file, phone) for phone in phones))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Hours in which a page would reach nobody on call."""

    starts: datetime
    ends: datetime


def uncovered(
    file: ClinicFile,
    absences: Sequence[tuple[str, datetime, datetime]],
    *,
    now: datetime,
    days: int = 14,
    gone: frozenset[str] = frozenset(),
) -> tuple[Gap, ...]:
    """Give the hours ahead that are neither staffed nor covered by somebody on call.

    `absences` are (person's key, from, until). Empty for a clinic that has nobody after hours:
    it says so in its settings, and its texts promise nothing.
    """
    if file.after_hours is AfterHours.NONE:
        return ()
    start = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    gaps: list[Gap] = []
    for number in range(days * 24 * 2):
        at = start + timedelta(minutes=30) * number
        away = frozenset(key for key, since, until in absences if since <= at < until)
        if file.staffed().is_staffed(at) or on_duty(file, at, Absent(away=away, gone=gone)):
            continue
        ends = at + timedelta(minutes=30)
        if gaps and gaps[-1].ends == at:
            gaps[-1] = replace(gaps[-1], ends=ends)
        else:
            gaps.append(Gap(starts=at, ends=ends))
    return tuple(gaps)


def closed_days_of(
    file: ClinicFile,
    absences: Sequence[tuple[str, datetime, datetime]],
    *,
    now: datetime,
    days: int = 14,
) -> tuple[date, ...]:
    """Give the closed local dates ahead on which these absences lie, at noon."""
    hours = file.staffed()
    today = now.astimezone(hours.zone).date()
    ahead = (today + timedelta(days=number) for number in range(days))
    closed = [day for day in ahead if not hours.is_staffed_day(day)]
    noons = [(day, first_instant(day, NOON, hours.zone)) for day in closed]
    return tuple(
        day for day, noon in noons if any(since <= noon < until for _, since, until in absences)
    )


def staffed_days_without(
    file: ClinicFile,
    keys: Collection[str],
    absences: Sequence[tuple[str, datetime, datetime]],
    *,
    now: datetime,
    days: int = 14,
) -> tuple[date, ...]:
    """Give the staffed local dates ahead at whose opening all of these people are away."""
    hours = file.staffed()
    today = now.astimezone(hours.zone).date()
    ahead = (today + timedelta(days=number) for number in range(days))
    opened = [(day, hours.opening(day)) for day in ahead if hours.is_staffed_day(day)]
    return tuple(
        day
        for day, at in opened
        if set(keys) <= {key for key, since, until in absences if since <= at < until}
    )


def unattended(file: ClinicFile, *, now: datetime, days: int = 14) -> tuple[date, ...]:
    """Give the local dates ahead on which everybody is away for some of the staffed hours."""
    hours, there = file.staffed(), file.attended()
    today = now.astimezone(hours.zone).date()
    ends = [
        first_instant(today + timedelta(days=number), time(), hours.zone)
        for number in range(days + 1)
    ]
    return tuple(
        start.astimezone(hours.zone).date()
        for start, end in pairwise(ends)
        if there.staffed_between(start, end) < hours.staffed_between(start, end)
    )


def weekly_test_at(file: ClinicFile, now: datetime) -> datetime | None:
    """Give when this week's test page goes: at 11:00 of its first staffed day, within its hours.

    None in a week without a staffed day (weeks begin on Monday, by the clinic's calendar).
    """
    hours = file.staffed()
    today = now.astimezone(hours.zone).date()
    monday = today - timedelta(days=today.weekday())
    for day in (monday + timedelta(days=number) for number in range(7)):
        if hours.is_staffed_day(day):
            return hours.next_staffed(first_instant(day, TEST_AT, hours.zone))
    return None


def week_of(file: ClinicFile, now: datetime) -> str:
    """Name the clinic's calendar week, e.g. 2026-W49."""
    local: date = now.astimezone(file.zone).date()
    year, week, _ = local.isocalendar()
    return f"{year}-W{week:02}"
