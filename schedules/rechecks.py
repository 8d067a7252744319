"""After a dose: who looks again, and how soon.

Feeling detached soon after it: a person looks again within the hour, or is paged (care rule 12).
What is expected for some hours needs no page; alone, frightened or confused it does. How long it
is expected, and how soon somebody looks again, stands in the protocol of the visit (`detached:`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from schedules.followups import FollowUpReason, WantedFollowUp, one_a_cause
from schedules.protocol import Detachment
from schedules.staffing import Severity, StaffedHours


def rechecked(
    wanted: Sequence[WantedFollowUp],
    rule: Detachment | None,
    *,
    alarmed: bool,
    checked_out_at: datetime | None,
    now: datetime,
    staffed: StaffedHours,
    about: str,
) -> tuple[WantedFollowUp, ...]:
    """Give what a text that tells of feeling detached asks for, in the place of `wanted`.

    `checked_out_at` is when the patient left after their last dose, `about` their internal id.
    Without a rule, or longer after a dose than it names, what the reading wanted stays.
    """
    reason = FollowUpReason.SIDE_EFFECT
    cause = f"{reason}:{about}"
    if alarmed:
        page, due = Severity.PAGE_NOW, staffed.due(Severity.PAGE_NOW, now)
        item = WantedFollowUp(reason=reason, severity=page, due_at=due, cause=cause)
        return one_a_cause([item, *_beside(wanted)])
    if rule is None or checked_out_at is None or not _soon(rule, checked_out_at, now):
        return tuple(wanted)
    again = now + timedelta(minutes=rule.recheck_minutes)
    # A call of today rings nobody in closed hours, and the recheck is not for the next morning.
    severity = Severity.CALL_TODAY if staffed.is_staffed(again) else Severity.PAGE_NOW
    item = WantedFollowUp(
        reason=reason, severity=severity, due_at=again, cause=cause, pages_from=again
    )
    return (item, *_beside(wanted))


def the_same_day(
    wanted: Sequence[WantedFollowUp], *, now: datetime, staffed: StaffedHours
) -> tuple[WantedFollowUp, ...]:
    """Have a patient who is unwell after a dose called today, by whoever is on call if need be.

    For an answer at an hour that somebody on call covers: outside staffed hours "call today" would
    be tomorrow's, or Monday's (the clinical brief, section 2: evenings page on-call).
    """
    if staffed.is_staffed(now):
        return tuple(wanted)
    page = Severity.PAGE_NOW
    return tuple(
        replace(one, severity=page, due_at=staffed.due(page, now))
        if one.severity is Severity.CALL_TODAY
        else one
        for one in wanted
    )


#: What a person who looks again, or is paged, has dealt with.
_ANSWERED_BY_IT = frozenset({FollowUpReason.SIDE_EFFECT, FollowUpReason.UNCLEAR_REPLY})


def _beside(wanted: Sequence[WantedFollowUp]) -> list[WantedFollowUp]:
    """Give what else the text asks for."""
    return [one for one in wanted if one.reason not in _ANSWERED_BY_IT]


def _soon(rule: Detachment, checked_out_at: datetime, now: datetime) -> bool:
    return checked_out_at <= now < checked_out_at + timedelta(minutes=rule.within_minutes)
