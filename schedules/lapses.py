"""A lapse that was told before a dose: how soon a clinician has to know of it.

Whether the dose is given all the same is a clinician's decision, so that it can't wait for the
usual clock of such an item (the clinical brief, section 1). Pure: an item's severity and due time
go in with the visit's times; what they have to be comes out. It is asked when the item opens and
again each minute, since a visit may be booked, or come nearer, while the item stands.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schedules.silence import CALL_AHEAD
from schedules.staffing import Severity, StaffedHours

#: A call and a decision take so many staffed minutes; with fewer left it can't wait (judgement).
NEEDED_MINUTES = 60
#: With nobody on call and no opening before, those at the visit are rung so long before it starts.
RINGS_AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseAhead:
    """The patient's next dose: its start, and from when they are to eat nothing."""

    starts_at: datetime
    food_at: datetime

    @property
    def decided_by(self) -> datetime:
        """By when a clinician has decided: a call as the visit begins helps nobody."""
        return self.starts_at - CALL_AHEAD


def before_dose(
    severity: Severity,
    due_at: datetime,
    *,
    dose: DoseAhead,
    now: datetime,
    staffed: StaffedHours,
) -> tuple[Severity, datetime]:
    """Give the severity and the due time (UTC) with which a lapse reaches a clinician in time.

    Nobody is to fast for a dose that will not be given: where staffed hours allow it, the item is
    due before the food cut-off. That by itself wakes nobody. With less than an hour of staffed time
    left before the decision it is a page at once, while somebody is there.
    """
    decided_by = dose.decided_by
    if staffed.staffed_between(now, decided_by) < NEEDED_MINUTES:
        return Severity.PAGE_NOW, _page_due(due_at, dose, now, staffed)
    fasting_counts = staffed.staffed_between(now, dose.food_at) >= NEEDED_MINUTES
    by = dose.food_at if fasting_counts else decided_by
    if due_at <= by:
        return severity, due_at
    sooner = min(staffed.due(Severity.CALL_TODAY, now), by).astimezone(UTC)
    called = severity in {Severity.PAGE_NOW, Severity.CALL_TODAY}
    return severity if called else Severity.CALL_TODAY, min(due_at, sooner)


def _page_due(due_at: datetime, dose: DoseAhead, now: datetime, staffed: StaffedHours) -> datetime:
    """Give when a page is due: by its own rule, yet not so late that the visit has begun."""
    own = min(due_at, staffed.due(Severity.PAGE_NOW, now))
    return min(own, max(now, rung_at(dose.starts_at))).astimezone(UTC)


def rung_at(starts_at: datetime) -> datetime:
    """Give when those at the visit are rung, though nobody is on call."""
    return starts_at - RINGS_AHEAD


def rings(starts_at: datetime | None, now: datetime) -> bool:
    """Whether a page about this dose rings now, though nobody is on call: the visit is staffed."""
    return starts_at is not None and rung_at(starts_at) <= now < starts_at
