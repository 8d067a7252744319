"""On which days a repeating step asks: its phases, their weekdays, and what takes it up again."""

from collections.abc import Iterator
from datetime import date, timedelta

from schedules.moments import Frame
from schedules.protocol import Phase, Protocol, Step


def days(frame: Frame, step: Step, first_day: date, low: int, high: int) -> Iterator[int]:
    """Give the day numbers from `low` to `high` (`first_day` is 1) on which a step asks, each once.

    Phases first, in their order; then the days after the latest dose or lapse. A patient's own
    cadence takes the place of the phases, and what takes the question up again stays.
    """
    asked: set[int] = set()
    for phase in phases_of(frame, step):
        for number in _within(phase, low, high):
            if not phase.weekdays or _weekday(first_day, number) in phase.weekdays:
                asked.add(number)
                yield number
    for number in _again(frame, step, first_day):
        if low <= number <= high and number not in asked:
            asked.add(number)
            yield number


def phases_of(frame: Frame, step: Step) -> tuple[Phase, ...]:
    """Give a step's phases, or those that were agreed with this patient."""
    cadences = frame.patient.cadences
    if not cadences:
        return step.repeat
    own = cadences.get(f"{frame.enrollment.protocol.id}/{step.id}", cadences.get(step.id))
    if own is None or isinstance(own, tuple):
        return own or step.repeat
    first = min(phase.first_day for phase in step.repeat)
    last = max(phase.last_day for phase in step.repeat)
    return (Phase(first_day=first, last_day=last, every_days=own),)


def _again(frame: Frame, step: Step, first_day: date) -> Iterator[int]:
    if step.again is None:
        return
    over = _last_day(frame.enrollment.protocol)
    for anchor in step.again.anchors:
        base = frame.base(anchor)
        if base is not None:
            # The day after is the first: on the day itself the patient was asked, or seen.
            after = (frame.day_of(base) - first_day).days + 2
            yield from range(max(after, 1), min(after + step.again.days, over + 1))


def _last_day(protocol: Protocol) -> int:
    """Give the day on which a protocol's repeats end: nothing is taken up again after it."""
    return max(phase.last_day for step in protocol.steps for phase in step.repeat)


def _weekday(first_day: date, number: int) -> int:
    return (first_day + timedelta(days=number - 1)).weekday()


def _within(phase: Phase, low: int, high: int) -> range:
    """Give a phase's days from `low` to `high` without counting through the earlier ones."""
    missed = max(0, -((phase.first_day - low) // phase.every_days)) if low > phase.first_day else 0
    first = phase.first_day + missed * phase.every_days
    return range(first, min(phase.last_day, high) + 1, phase.every_days)
