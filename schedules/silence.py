"""When silence about a visit counts, and by when a person has called: ahead of the visit.

A rule's own time may lie where nobody is at work, such as the night before a visit. The call would
then wait for the next opening, and that may be the visit itself (care rule 4).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from schedules.protocol import Moment
from schedules.staffing import Severity, StaffedHours

#: How long before a closing silence counts, so that the call is made before it; and how long a
#: patient has at least to answer (judgement).
BEFORE_CLOSING = ANSWER_TIME = timedelta(hours=1)
#: A call as the visit begins helps nobody (judgement).
CALL_AHEAD = timedelta(minutes=30)


def silence_counts_at(
    at: Moment,
    *,
    resolve: Callable[[Moment], datetime | None] | None,
    staffed: StaffedHours,
    asked_at: datetime | None = None,
    starts_at: datetime | None = None,
) -> datetime | None:
    """Give the instant (UTC) at which a rule with a time of its own calls silence what it is.

    Where nobody works at that time and a visit at `starts_at` follows it, this is an hour before
    the closing ahead of it, though never within an hour of `asked_at`. None without its anchor.
    """
    instant = resolve(at) if resolve is not None else None
    if instant is None or asked_at is None or starts_at is None or instant > starts_at:
        return instant
    if staffed.is_staffed(instant):
        return instant
    closing = staffed.last_closing(instant)
    return min(instant, max(closing - BEFORE_CLOSING, asked_at + ANSWER_TIME))


def call_before(
    severity: Severity, *, now: datetime, starts_at: datetime | None
) -> datetime | None:
    """Give the latest instant for a call about a visit that lies ahead, None after its start.

    A page has minutes of its own, up to the start.
    """
    if starts_at is None or now >= starts_at:
        return None
    return starts_at if severity is Severity.PAGE_NOW else starts_at - CALL_AHEAD
