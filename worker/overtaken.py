"""Calls for an instruction that did not arrive, whose visit was moved, cancelled or missed since.

    open follow-ups of texts + the visit as it stands now -> resolved

What is planned for a new start, and the news of the change itself, open calls of their own.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from records import followups
from records.base import Session
from schedules.facts import AppointmentFacts, VisitStatus
from schedules.gates import WHATEVER_CAME_OF_IT
from schedules.protocol import Anchor, Protocol
from worker.facts import PatientContext
from worker.opening import end_needless

_GONE = frozenset({VisitStatus.CANCELLED, VisitStatus.NO_SHOW})


def settle(session: Session, contexts: Sequence[PatientContext], *, now: datetime) -> None:
    """End what was opened, for a text that leads up to a visit, before that visit changed."""
    visits: dict[UUID, AppointmentFacts] = {}
    reasons: set[str] = set()
    for context in contexts:
        for row, enrollment in context.enrollments:
            visit, called = enrollment.appointment, set(_called(enrollment.protocol))
            if visit is not None and called and _may_have_changed(visit):
                visits[row.id] = visit
                reasons |= called
    if not visits:
        return
    patients = {context.row.id for context in contexts}
    opened = followups.of_undelivered(session, patients, reasons)
    needless = [
        each.item_id
        for each in opened
        if (visit := visits.get(each.enrollment_id)) and _is_over(visit, each.opened_at)
    ]
    end_needless(session, followups.still_open(session, needless), now=now)


def _called(protocol: Protocol) -> Iterator[str]:
    """Give the reasons under which this protocol's texts ahead of a visit become calls."""
    for step in protocol.steps:
        first = (step, *protocol.sources(step))[-1].when.anchor
        rule = step.if_not_delivered
        if rule is None or first in WHATEVER_CAME_OF_IT or rule.call_by.anchor is Anchor.TOLD_TIME:
            continue
        yield rule.reason


def _may_have_changed(visit: AppointmentFacts) -> bool:
    return visit.status in _GONE or visit.moved_at is not None


def _is_over(visit: AppointmentFacts, opened_at: datetime) -> bool:
    """Whether an item of then speaks of a visit that is not, or not any more at that time."""
    moved = visit.moved_at is not None and opened_at < visit.moved_at
    return moved or visit.status in _GONE
