"""What the texts of one patient do to each other, once each has its minute.

Late texts never come in a burst, and the news of a visit takes the place of a reminder that would
say the same at the same time. The caps are shared out after this (`caps`).
"""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from schedules.facts import EnrollmentFacts, PlannedText
from schedules.protocol import (
    EXPECTS_NOTHING,
    Anchor,
    HistoryKind,
    Importance,
    Protocol,
    Step,
)
from schedules.reasons import MoveReason, SkipReason

_TOLD_OF_A_START = frozenset({Anchor.ANNOUNCED_BOOKING, Anchor.ANNOUNCED_MOVE})
_CONFIRMS = "appointment_reminder"
_NO_NUMBER = frozenset({EXPECTS_NOTHING, _CONFIRMS, "yes_no"})


def one_late_text(texts: list[PlannedText]) -> list[PlannedText]:
    """Let only the most important of several late texts go: a late booking is never a burst.

    One whose time is over has had its turn, so that none of the others comes after it.
    """
    late = [
        text
        for text in texts
        if text.moved_reason is MoveReason.SENT_LATE
        and text.skip_reason in (None, SkipReason.TOO_LATE)
    ]
    if len(late) < 2:
        return texts
    kept = min(late, key=lambda text: (text.importance.priority, text.latest_at))
    return [
        text._replace(skip_reason=SkipReason.LATE_BOOKING)
        if _is_late(text) and text is not kept
        else text
        for text in texts
    ]


def news_instead(
    texts: list[PlannedText], enrollments: Sequence[EnrollmentFacts]
) -> list[PlannedText]:
    """Drop late requests to confirm a visit of which the patient is just being told.

    Care rule 5: a visit booked too late for its reminders gets the booked text instead, which asks
    the same. Health news, food and ride go beside it.
    """
    visits = {each.id: each.appointment.id for each in enrollments if each.appointment is not None}
    told = set(_told(texts, enrollments, visits))
    if not told:
        return texts
    return [
        text._replace(skip_reason=SkipReason.LATE_BOOKING)
        if _is_late(text)
        and text.importance is Importance.VISIT
        and text.expects == _CONFIRMS
        and visits.get(text.enrollment_id) in told
        else text
        for text in texts
    ]


def one_number(texts: list[PlannedText], protocol: Protocol, zone: ZoneInfo) -> list[PlannedText]:
    """Let steps that say so give way to the other numbers their protocol asks for that day."""
    giving_way = {step.id for step in protocol.steps if _gives_way(step)}
    if not giving_way:
        return texts
    taken = {
        text.due_at.astimezone(zone).date()
        for text in texts
        if text.step not in giving_way
        and text.skip_reason is None
        and text.expects not in _NO_NUMBER
    }
    return [
        text._replace(skip_reason=SkipReason.OTHER_NUMBER)
        if text.step in giving_way
        and text.skip_reason is None
        and text.due_at.astimezone(zone).date() in taken
        else text
        for text in texts
    ]


def _gives_way(step: Step) -> bool:
    return any(one.kind is HistoryKind.NO_OTHER_NUMBER for one in step.only_if)


def _told(
    texts: Sequence[PlannedText],
    enrollments: Sequence[EnrollmentFacts],
    visits: Mapping[str, str],
) -> list[str]:
    """Give the visits of which a text tells the start."""
    steps = {
        (each.id, step.id)
        for each in enrollments
        for step in each.protocol.steps
        if step.when.anchor in _TOLD_OF_A_START
    }
    return [
        visits[text.enrollment_id]
        for text in texts
        if text.skip_reason is None and (text.enrollment_id, text.step) in steps
    ]


def _is_late(text: PlannedText) -> bool:
    return text.moved_reason is MoveReason.SENT_LATE and text.skip_reason is None
