"""Why a text goes when it goes, for people: its own minute, the cap's takers, the clock changes.

Reads what `plan` answered beside the protocol; decides nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.facts import PlannedText
from schedules.moments import Frame, local_instant
from schedules.planner import DAY
from schedules.protocol import Anchor, Importance, Step
from schedules.windows import MIDNIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """The day on which the clocks of a zone go forward or back, and by how much."""

    day: date
    zone: ZoneInfo
    by: timedelta

    @property
    def forward(self) -> bool:
        """Whether an hour is missing that day; else one comes twice."""
        return self.by > timedelta()

    def __str__(self) -> str:
        """Say it in words."""
        minutes = int(abs(self.by).total_seconds() // 60)
        much = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
        way = "forward" if self.forward else "back"
        return f"Clocks go {way} {much} on {self.day:%a %Y-%m-%d} ({self.zone.key})."


def clock_changes(zone: ZoneInfo, first: date, days: int) -> Iterator[ClockChange]:
    """Give the clock changes of a zone from a day on, over so many days."""
    for number in range(days + 1):
        day = first + timedelta(days=number)
        starts, ends = (
            local_instant(each, MIDNIGHT, zone).astimezone(zone).utcoffset() or timedelta()
            for each in (day, day + timedelta(days=1))
        )
        if starts != ends:
            yield ClockChange(day=day, zone=zone, by=ends - starts)


def own_minute(frame: Frame, text: PlannedText, texts: Sequence[PlannedText]) -> datetime | None:
    """Give the minute (UTC) that the protocol asks for, before window, truth and staff move it.

    None for a repeat of a question, and where what it counts from is not known.
    """
    step, base = _counted_from(frame, text, texts)
    if step is None or base is None:
        return None
    named = text.occurrence
    day_number = int(named.removeprefix(DAY)) if named.startswith(DAY) else 1
    return frame.resolve(step.when, base, day_number - 1).astimezone(UTC)


def clock_change_of(
    frame: Frame, text: PlannedText, texts: Sequence[PlannedText], changes: Sequence[ClockChange]
) -> ClockChange | None:
    """Give the clock change that a text feels, None for most.

    On the day of a change it comes 23 or 25 hours after the same minute of the day before; and one
    that is counted in hours across a change goes at another time of day than usual.
    """
    for change in changes:
        if text.due_at.astimezone(change.zone).date() == change.day:
            return change
    step, base = _counted_from(frame, text, texts)
    if step is None or step.when.minutes is None or not isinstance(base, datetime):
        return None
    first, last = sorted(at.astimezone(frame.zone).date() for at in (base, text.due_at))
    across = (one for one in changes if one.zone == frame.zone and first <= one.day <= last)
    return next(across, None)


def _counted_from(
    frame: Frame, text: PlannedText, texts: Sequence[PlannedText]
) -> tuple[Step | None, datetime | date | None]:
    """Give a text's step, and what its minute counts from; Nones for a repeat of a question."""
    step = frame.enrollment.protocol.step(text.step)
    if step is None or text.nudge_for is not None:
        return None, None
    if step.when.anchor is not Anchor.STEP:
        return step, frame.base(step.when.anchor)
    sources = (
        one.due_at
        for one in texts
        if one.enrollment_id == text.enrollment_id and one.step == step.when.step
    )
    return step, next(sources, None)


def takes_its_place(
    text: PlannedText, texts: Sequence[PlannedText], zone: ZoneInfo
) -> tuple[str, ...]:
    """Name the steps that use up the cap of the day on which a text finds no room.

    The text itself may be among `texts`, as it goes while nothing has happened yet.
    """
    day = text.due_at.astimezone(zone).date()
    itself = (text.enrollment_id, text.step, text.occurrence)
    going = (
        one
        for one in texts
        if one.skip_reason is None
        and (one.enrollment_id, one.step, one.occurrence) != itself
        and one.importance is not Importance.NOTICE
        and one.due_at.astimezone(zone).date() == day
    )
    return tuple(one.step for one in sorted(going, key=lambda one: (one.priority, one.due_at)))
