"""Finds the minute at which a text goes: allowed where the patient is, still true, staffed after.

A step's own minute is where this starts. The nearest allowed minute wins at which the wording is
true (care rule 3); a text whose answer may need staff moves earlier until enough staffed hours
follow (care rule 4); a text that was due before its visit was known follows its late policy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.moments import MIDNIGHT, Frame, day_bounds, days_on, local_instant
from schedules.protocol import LateBooking, Moment, StaysOn, Step
from schedules.reasons import MoveReason, SkipReason
from schedules.staffing import StaffedHours
from schedules.windows import is_open, last_open, next_open

MINUTE = timedelta(minutes=1)

#: How far ahead of its own minute a text may be brought. A long holiday is shorter.
EARLIEST_LEAD = timedelta(days=7)

#: What is brought forward to the end of the span in which it is true needs time to be sent.
TIME_TO_GO = timedelta(minutes=30)

#: "Tonight" is said from here on, and "good morning" until there.
EVENING, NOON = time(16), time(12)
NUDGE_NEXT_DAY = time(10)


@dataclass(slots=True, kw_only=True, eq=False)
class Placement:
    """A minute found for one form of a text."""

    due: datetime
    latest: datetime
    template: str
    moved: MoveReason | None = None
    short_staffed: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class _Form:
    """One wording with its own minute, and the span in which it is true."""

    template: str
    ideal: datetime
    low: datetime
    high: datetime
    moved: MoveReason | None = None


def place(
    frame: Frame,
    step: Step,
    base: datetime | date,
    span: tuple[datetime, datetime],
    day_offset: int | None,
) -> Placement | SkipReason:
    """Find when one occurrence goes, or say why it can't.

    `base` is what the step's anchor stands for, `span` the step's own minute and its latest useful
    one; `day_offset` counts local days on within a repeat, None means that it does not repeat.
    """
    ideal, latest = span
    main = _form(frame, step.when, step.template, step.stays_on, base, ideal, latest, day_offset)
    if step.otherwise is None:
        return _place_form(frame, step, main)
    other = step.otherwise
    ideal = frame.resolve(other.when, base)
    form = _form(frame, other.when, other.template, other.stays_on, base, ideal, latest, None)
    form.moved = MoveReason.OTHER_FORM
    return _first_that_fits(frame, step, main, form)


def _form(
    frame: Frame,
    when: Moment,
    template: str,
    stays_on: StaysOn | None,
    base: datetime | date,
    ideal: datetime,
    latest: datetime,
    day_offset: int | None,
) -> _Form:
    low, high = ideal - EARLIEST_LEAD, latest
    follows = (when.minutes if when.days is None else when.days or -1) or 0
    if isinstance(base, datetime) and (follows >= 0 or ideal >= base):
        # What follows an event never goes before it, even when its span of hours is over.
        low = base
    if when.days is not None and when.days >= 0:
        # What counts days on from an event belongs to that day, and never to the one before it.
        for zone, day in _own_days(frame, base):
            ahead = timedelta(days=when.days + (day_offset or 0))
            low = max(low, local_instant(day + ahead, MIDNIGHT, zone))
    if stays_on is not None:
        low, high = _true_span(frame, stays_on, base, low, high)
    elif day_offset is not None:
        # A repeated question stays on its own day: two on one day would be two for one answer.
        starts, ends = day_bounds(frame.day_of(ideal), frame.zone)
        low, high = max(low, starts), min(high, ends - MINUTE)
    return _Form(template=template, ideal=ideal, low=low, high=high)


def _own_days(frame: Frame, base: datetime | date) -> Iterator[tuple[ZoneInfo, date]]:
    """Give an anchor's day by the calendar that it counts in, and by that of whoever reads it."""
    for zone in {frame.zone, _where_read(frame)}:
        yield zone, base.astimezone(zone).date() if isinstance(base, datetime) else base


def _where_read(frame: Frame) -> ZoneInfo:
    return frame.patient.zone or frame.zone


def _true_span(
    frame: Frame, stays_on: StaysOn, base: datetime | date, low: datetime, high: datetime
) -> tuple[datetime, datetime]:
    """Narrow a span to the day on which "today" or "tomorrow" is true, or to its part.

    It must be true for the clinic, whose clock the text names, and for the patient who reads it.
    It is evening where they were seen, some hours ago, and morning where they woke.
    """
    for zone, anchored in _own_days(frame, base):
        day = anchored + timedelta(days=days_on(stays_on))
        starts, ends = day_bounds(day, zone)
        if stays_on is StaysOn.SAME_EVENING and zone == frame.zone:
            starts = local_instant(day, EVENING, zone)
        if stays_on is StaysOn.MORNING_AFTER and zone == _where_read(frame):
            ends = local_instant(day, NOON, zone)
        low, high = max(low, starts), min(high, ends - MINUTE)
    return low, high


def _first_that_fits(frame: Frame, step: Step, main: _Form, other: _Form) -> Placement | SkipReason:
    """Prefer the main form at or before its own minute, then the other form, then the rest.

    The other form was written for the day before, so it comes before a main form that would have
    to wait for the window to open. Enough staffed hours outweigh the order.
    """
    punctual = _Form(
        template=main.template, ideal=main.ideal, low=main.low, high=min(main.ideal, main.high)
    )
    found = [_place_form(frame, step, form) for form in (punctual, other)]
    for placement in found:
        if isinstance(placement, Placement):
            placement.latest = main.high if placement.template == main.template else other.high
            if not placement.short_staffed:
                return placement
    placed = next((one for one in found if isinstance(one, Placement)), None)
    return placed or _place_form(frame, step, main)


def _place_form(frame: Frame, step: Step, form: _Form) -> Placement | SkipReason:
    found = _nearest(frame, form, form.ideal, form.low)
    if found is not None:
        found = _with_staff(frame, step, found, form.low)
    if found is not None and found.due >= frame.known_at:
        return found
    if form.ideal < frame.known_at and step.late_booking is LateBooking.SKIP:
        return SkipReason.LATE_BOOKING if found is not None else SkipReason.NO_ALLOWED_MINUTE
    return _after_known(frame, step, form, found)


def _after_known(
    frame: Frame, step: Step, form: _Form, before: Placement | None
) -> Placement | SkipReason:
    """Place a text that would have gone before its visit was known."""
    low = max(form.low, frame.known_at)
    found = _nearest(frame, form, max(form.ideal, low), low)
    if found is None:
        return SkipReason.LATE_BOOKING if before is not None else SkipReason.NO_ALLOWED_MINUTE
    if form.ideal < frame.known_at:
        found.moved = MoveReason.SENT_LATE
    return _with_staff(frame, step, found, low)


def _nearest(frame: Frame, form: _Form, wanted: datetime, low: datetime) -> Placement | None:
    """Find the allowed minute nearest to the wanted one at which the wording is true."""
    if low > form.high:
        return None
    target = max(wanted, low)
    if target > form.high:
        target = max(low, form.high - TIME_TO_GO)
    due: datetime | None = target
    moved = form.moved or (None if target == wanted else MoveReason.STILL_TRUE)
    if not is_open(frame.window, frame.zones, target):
        due = _nearest_open(frame, target, low, form.high)
        moved = moved or MoveReason.WINDOW
    if due is None:
        return None
    return Placement(due=due, latest=form.high, template=form.template, moved=moved)


def _nearest_open(frame: Frame, target: datetime, low: datetime, high: datetime) -> datetime | None:
    after = next_open(frame.window, frame.zones, target, until=high)
    before = last_open(frame.window, frame.zones, target, since=low)
    if after is None or before is None:
        return after or before
    return before if target - before < after - target else after


def _with_staff(frame: Frame, step: Step, placed: Placement, low: datetime) -> Placement:
    """Move a text earlier until the staffed hours it needs follow before the visit.

    Where no allowed minute has enough, the first one is taken if more staffed time follows it.
    """
    staffed, visit = frame.clinic.staffed, frame.visit
    if not step.needs_staffed_minutes or staffed is None or visit is None:
        return placed
    limit = frame.clinic.staffed_limit(visit.starts_at, step.needs_staffed_minutes)
    if limit is not None and placed.due <= limit:
        return placed
    earlier = None
    if limit is not None and limit >= low:
        earlier = last_open(frame.window, frame.zones, limit, since=low)
    placed.short_staffed = earlier is None
    if earlier is None:
        earlier = _first_if_better(frame, staffed, low, placed.due)
    if earlier is not None:
        placed.due = earlier
        if placed.moved is not MoveReason.OTHER_FORM:
            # Where it would have gone by its window is of no interest any more.
            placed.moved = MoveReason.STAFFED_HOURS
    return placed


def _first_if_better(
    frame: Frame, staffed: StaffedHours, low: datetime, due: datetime
) -> datetime | None:
    first = next_open(frame.window, frame.zones, low, until=due)
    if first is None or not staffed.staffed_between(first, due):
        return None
    return first


def nudge_due(frame: Frame, wanted: datetime) -> datetime:
    """Give the nudge's minute, or 10:00 next day where that is not allowed (care rule 19)."""
    if is_open(frame.window, frame.zones, wanted):
        return wanted
    day = wanted.astimezone(frame.zone).date()
    morning = local_instant(day, NUDGE_NEXT_DAY, frame.zone)
    if morning <= wanted:
        morning = local_instant(day + timedelta(days=1), NUDGE_NEXT_DAY, frame.zone)
    return next_open(frame.window, frame.zones, morning) or morning
