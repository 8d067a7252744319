"""What a follow-up that should be open looks like: its reason, its severity and its clock.

The rules in `followup_rules` and `visit_events` return these; `worker` opens them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from schedules.staffing import Severity, StaffedHours


class FollowUpReason(StrEnum):
    """Why a person must look, as far as the product itself says so.

    A protocol may name reasons of its own; those come with a severity and are plain strings.
    """

    CRISIS = "crisis"
    OVERDOSE = "overdose"
    MEDICAL_EMERGENCY = "medical_emergency"
    PAGE_SCORE = "page_score"
    READING_FAILED = "reading_failed"
    CHANGE_REQUESTED = "change_requested"
    HEALTH_NEWS = "health_news"
    RIDE_MISSING = "ride_missing"
    HIGH_SCORE = "high_score"
    SIDE_EFFECT = "side_effect"
    USE_DISCLOSED = "use_disclosed"
    CALLBACK = "callback"
    WRONG_NUMBER = "wrong_number"
    RUNNING_LATE = "running_late"
    MAY_HAVE_MEANT_SOMETHING_ELSE = "may_have_meant_something_else"
    INSTRUCTION_NOT_DELIVERED = "instruction_not_delivered"
    CHECK_NOT_DELIVERED = "check_not_delivered"
    NOT_REMINDED = "not_reminded"
    NO_ANSWER = "no_answer"
    CANNOT_REACH = "cannot_reach"
    NUMBER_DEACTIVATED = "number_deactivated"
    VISIT_EVENT_MISSING = "visit_event_missing"
    RISING_SCORE = "rising_score"
    UNCLEAR_REPLY = "unclear_reply"
    QUESTION = "question"
    MISSED_CHECK_INS = "missed_check_ins"
    OUTCOME_UNKNOWN = "outcome_unknown"
    UNKNOWN_NUMBER = "unknown_number"
    OPTED_OUT = "opted_out"
    PAUSED = "paused"
    OFF_PLAN = "off_plan"
    LOW_SCORE = "low_score"
    MEDICINES_MISSED = "medicines_missed"
    VISIT_UNBOOKED = "visit_unbooked"
    VISIT_MISSED = "visit_missed"
    NOT_READY = "not_ready"
    PAGE_TEST_UNANSWERED = "page_test_unanswered"
    OUTAGE_PAGE_UNANSWERED = "outage_page_unanswered"
    NOBODY_THERE = "nobody_there"
    CLOSURE_LIST = "closure_list"
    BREACH_ASSESSMENT = "breach_assessment"
    CONVERSATION = "conversation"
    CANNOT_PLAN = "cannot_plan"
    CRISIS_HOLD_ENDED = "crisis_hold_ended"
    NUMBER_UNPROVED = "number_unproved"

    @classmethod
    def _missing_(cls, value: object) -> "FollowUpReason | None":
        """Read a name of before: protocols and playbooks that have it are still in force."""
        return cls.CANNOT_PLAN if value == "not_planned" else None


_PAGE, _CALL, _NEXT_DAY, _DIGEST = Severity
_R = FollowUpReason

#: How soon each reason needs a person where no rule of a protocol says otherwise (the clinical
#: brief, sections 3 and 4). A reading that failed may be a cry for help, so it is paged.
DEFAULT_SEVERITY = {
    **dict.fromkeys((_R.CRISIS, _R.OVERDOSE, _R.MEDICAL_EMERGENCY), _PAGE),
    **dict.fromkeys((_R.PAGE_SCORE, _R.READING_FAILED), _PAGE),
    **dict.fromkeys((_R.CHANGE_REQUESTED, _R.HEALTH_NEWS, _R.RIDE_MISSING, _R.HIGH_SCORE), _CALL),
    **dict.fromkeys((_R.SIDE_EFFECT, _R.USE_DISCLOSED, _R.CALLBACK, _R.WRONG_NUMBER), _CALL),
    **dict.fromkeys((_R.RUNNING_LATE, _R.MAY_HAVE_MEANT_SOMETHING_ELSE, _R.NO_ANSWER), _CALL),
    **dict.fromkeys((_R.INSTRUCTION_NOT_DELIVERED, _R.NOT_REMINDED, _R.CANNOT_REACH), _CALL),
    **dict.fromkeys((_R.VISIT_EVENT_MISSING, _R.CHECK_NOT_DELIVERED, _R.CANNOT_PLAN), _CALL),
    _R.NUMBER_DEACTIVATED: _CALL,
    **dict.fromkeys((_R.CRISIS_HOLD_ENDED, _R.OUTAGE_PAGE_UNANSWERED, _R.NOBODY_THERE), _CALL),
    **dict.fromkeys(
        (_R.RISING_SCORE, _R.UNCLEAR_REPLY, _R.QUESTION, _R.MISSED_CHECK_INS), _NEXT_DAY
    ),
    **dict.fromkeys((_R.VISIT_UNBOOKED, _R.VISIT_MISSED, _R.NOT_READY), _CALL),
    **dict.fromkeys((_R.PAGE_TEST_UNANSWERED, _R.CLOSURE_LIST, _R.BREACH_ASSESSMENT), _CALL),
    **dict.fromkeys((_R.OFF_PLAN, _R.LOW_SCORE, _R.MEDICINES_MISSED), _NEXT_DAY),
    **dict.fromkeys((_R.CONVERSATION, _R.NUMBER_UNPROVED), _NEXT_DAY),
    **dict.fromkeys((_R.OUTCOME_UNKNOWN, _R.UNKNOWN_NUMBER), _NEXT_DAY),
    **dict.fromkeys((_R.OPTED_OUT, _R.PAUSED), _DIGEST),
}

#: What takes daily check-ins up again (the clinical brief, section 3).
LAPSES = frozenset({_R.USE_DISCLOSED, _R.HIGH_SCORE, _R.PAGE_SCORE, _R.OFF_PLAN})

#: What else bears on the plan: silence that lets a question rest, a number that is not reached.
CHANGES_PLANS = LAPSES | {_R.MISSED_CHECK_INS, _R.CANNOT_REACH}

#: A safety text joins whatever safety item is open, and pages again (care rule 10).
SAFETY: frozenset[str] = frozenset({_R.CRISIS, _R.OVERDOSE, _R.MEDICAL_EMERGENCY})
SAFETY_CAUSE = "safety"


#: Items about somebody who says nothing. One that is a page is so on a closed day (care rule 19).
SILENCE: frozenset[str] = frozenset({_R.MISSED_CHECK_INS, _R.NO_ANSWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFollowUp:
    """One follow-up that should be open.

    `cause` is unique within the clinic: one open item a cause. `also` are further reasons that
    the same answer gave. `for_lead` items go to the clinic's lead and not to the queue. Of what is
    known ahead nobody is paged before `pages_from`; None: its severity says when.
    """

    reason: str
    severity: Severity
    due_at: datetime
    cause: str
    also: tuple[str, ...] = ()
    for_lead: bool = False
    pages_from: datetime | None = None


def wanted(
    reason: str,
    *,
    now: datetime,
    staffed: StaffedHours,
    about: str,
    severity: Severity | None = None,
    before: datetime | None = None,
    pages_from: datetime | None = None,
) -> WantedFollowUp:
    """Want one follow-up, opened `now`.

    `about` is the internal id of what it is about: the patient, or a visit, message or question
    where each deserves an item of its own. `before` is a deadline: where the severity's own time is
    later, the item falls due then, or at the closing before it if nobody is at work at the deadline
    and that closing lies ahead; and at once if the deadline has passed. Without `severity` the
    reason must be a FollowUpReason, which has a default. What can't wait is paged from `pages_from`
    on.
    """
    severity = severity or DEFAULT_SEVERITY[FollowUpReason(reason)]
    return WantedFollowUp(
        reason=reason,
        severity=severity,
        due_at=due_by(severity, now=now, staffed=staffed, before=before),
        cause=_cause(reason, about),
        pages_from=pages_from if severity is Severity.PAGE_NOW else None,
    )


def due_by(
    severity: Severity, *, now: datetime, staffed: StaffedHours, before: datetime | None = None
) -> datetime:
    """Give when an item of this severity falls due (UTC) that has a deadline `before`, if any."""
    due_at = staffed.due(severity, now)
    if before is None or before >= due_at:
        return due_at
    return max(now, _in_hours(before, severity, staffed, now=now)).astimezone(UTC)


def _in_hours(
    before: datetime, severity: Severity, staffed: StaffedHours, *, now: datetime
) -> datetime:
    """Give when a call must be made that has a deadline: in hours in which somebody calls."""
    # A call at the very minute of closing is one of that day.
    if severity is Severity.PAGE_NOW or staffed.is_staffed(before - _MINUTE):
        return before
    closing = staffed.last_closing(before)
    return closing if closing > now else before


def _cause(reason: str, about: str) -> str:
    # Without an id two patients would share one item, and the second one's crisis join the first's.
    if not about:
        raise ValueError(f"a follow-up {reason} must say by an id what it is about")
    return f"{SAFETY_CAUSE if reason in SAFETY else reason}:{about}"


def joined(items: Sequence[WantedFollowUp]) -> WantedFollowUp:
    """Keep the most severe, due as early as any, and name the other reasons under it."""
    first = min(items, key=lambda item: _URGENCY[item.severity])
    others = tuple(dict.fromkeys(i.reason for i in items if i.reason != first.reason))
    starts = [item.pages_from for item in items]
    return WantedFollowUp(
        reason=first.reason,
        severity=first.severity,
        due_at=min(item.due_at for item in items),
        cause=first.cause,
        also=others,
        for_lead=first.for_lead,
        # One that can't wait takes the wait from all of them.
        pages_from=None if None in starts else min(start for start in starts if start),
    )


def one_a_cause(items: Sequence[WantedFollowUp]) -> tuple[WantedFollowUp, ...]:
    """Join what has the same cause, the most urgent first."""
    causes: dict[str, list[WantedFollowUp]] = {}
    for item in items:
        causes.setdefault(item.cause, []).append(item)
    items = [joined(group) for group in causes.values()]
    return tuple(sorted(items, key=lambda item: _URGENCY[item.severity]))


def more_worrying(*judged: tuple[WantedFollowUp, ...]) -> tuple[WantedFollowUp, ...]:
    """Of what an answer wants if read this way or that, give what needs a person soonest."""
    return min(
        judged,
        key=lambda items: min((_URGENCY[each.severity] for each in items), default=len(_URGENCY)),
    )


def more_urgent(one: Severity, other: Severity) -> Severity:
    """Give the severity that needs a person sooner."""
    return min(one, other, key=lambda severity: _URGENCY[severity])


_MINUTE = timedelta(minutes=1)
_URGENCY = {severity: at for at, severity in enumerate(Severity)}
