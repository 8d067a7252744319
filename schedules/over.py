"""Visits of which nothing is planned any more: known without planning them.

After a year most of a patient's enrollments are for visits long past. Planning them gives nothing,
and their texts of then change nothing.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol as Shape

from schedules.protocol import VISIT_ANCHORS, Anchor, Protocol, Step

#: Beyond what a protocol's own moments reach: a question is repeated up to 17 days after it was
#: asked, and a cap counts the texts of eight days. What is left is for news that comes late
#: (judgement).
SLACK = timedelta(days=21)
_OF_ENROLLMENT = frozenset({Anchor.STEP, Anchor.CONSENT})


class Visit(Shape):
    """What is asked of a visit: its instants, as `AppointmentFacts` and its row have them."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def booked_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def moved_at(self) -> datetime | None: ...
    @property
    def cancelled_at(self) -> datetime | None: ...
    @property
    def announced_at(self) -> datetime | None: ...
    @property
    def arrived_at(self) -> datetime | None: ...
    @property
    def checked_out_at(self) -> datetime | None: ...
    @property
    def no_show_at(self) -> datetime | None: ...


def is_over(visit: Visit, protocol: Protocol, *, enrolled_at: datetime, now: datetime) -> bool:
    """Whether all that a protocol says about a visit fell due long ago.

    Never where a text counts from anything but the visit, such as a lapse, or comes again.
    """
    instants = (
        enrolled_at,
        visit.starts_at,
        visit.booked_at,
        visit.ends_at,
        visit.moved_at,
        visit.cancelled_at,
        visit.announced_at,
        visit.arrived_at,
        visit.checked_out_at,
        visit.no_show_at,
    )
    last = max(each for each in instants if each is not None)
    if last >= now - SLACK:
        return False
    before = over_before(protocol, now)
    return before is not None and last < before


def over_before(protocol: Protocol, now: datetime) -> datetime | None:
    """Return before when all instants of a visit lie that is over by now; None where none is."""
    reach = _reach(protocol.steps, protocol.reach_days)
    return None if reach is None else now - reach - SLACK


@lru_cache(maxsize=1024)
def _reach(steps: tuple[Step, ...], days: int) -> timedelta | None:
    """Return how far the texts of a visit reach beyond it; None where nothing bounds them."""
    bounded = all(
        not step.repeat and step.when.anchor in VISIT_ANCHORS | _OF_ENROLLMENT for step in steps
    )
    return timedelta(days=days) if bounded else None


@lru_cache(maxsize=1024)
def sources(steps: tuple[Step, ...]) -> frozenset[str | None]:
    """Return the ids of the steps that others count from, which have to be placed for these."""
    return frozenset(step.when.step for step in steps if step.when.anchor is Anchor.STEP)
