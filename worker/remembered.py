"""What a plan remembers: enrollments, the rows it is compared with, questions that were missed.

After a year most of a patient's enrollments and texts are about visits long past, and are not read
again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from records import planning
from records.appointments import Appointment
from records.base import Session
from records.enrollments import Enrollment, OverBefore, to_plan
from records.planning import Resting
from schedules.over import is_over, over_before
from schedules.protocol import Anchor, Protocol
from schedules.reconcile import ExistingRow
from worker.enrolling import WITHDRAWN
from worker.protocols import find

# Rows of enrollments without a visit that are older say nothing about what is planned now.
_REMEMBERED = timedelta(days=30)

#: Statuses of a text that arrived, or may have.
MAY_HAVE_ARRIVED = frozenset({"submitting", "unknown", "accepted", "sent", "delivered"})
# News by which a patient is to ignore what they were told of a visit before.
_TAKES_BACK = frozenset({Anchor.ANNOUNCED_MOVE, Anchor.ANNOUNCED_CANCELLATION})

Protocols = Mapping[UUID, Mapping[str, tuple[Protocol, int]]]


def enrolled(
    session: Session, patient_ids: Collection[UUID], protocols: Protocols, *, now: datetime
) -> list[Enrollment]:
    """Return what locked patients are enrolled in and is to be planned, not what is long over."""
    return to_plan(session, patient_ids, list(_over(protocols, now)), now=now)


def _over(protocols: Protocols, now: datetime) -> Iterator[OverBefore]:
    for clinic_id, published in protocols.items():
        for name in published:
            # Whoever follows one that can't be read is told of when their plan fails.
            found = find(published, name)
            if found is not None and (before := over_before(found[0], now)) is not None:
                yield OverBefore(clinic_id, name, before)


def rows_of(
    session: Session,
    enrollments: Sequence[Enrollment],
    visits: Mapping[UUID, Appointment],
    protocols: Protocols,
    *,
    now: datetime,
) -> dict[UUID, list[ExistingRow]]:
    """Return the rows of these enrollments, by enrollment; of those that are over none."""
    known: dict[UUID, list[ExistingRow]] = defaultdict(list)
    ids = [row.id for row in _still_planned(enrollments, visits, protocols, now)]
    for row in planning.known_rows(session, ids, since=now - _REMEMBERED):
        known[row.enrollment_id].append(row)
    return known


def told_off(
    enrolled: Sequence[Enrollment],
    known: Mapping[UUID, Sequence[ExistingRow]],
    published: Mapping[str, tuple[Protocol, int]],
) -> dict[UUID, datetime]:
    """Return, by visit, when the last news of a move or a cancellation that went was due.

    By the minute it was due: a text about the new start that overtook it is not taken back.
    """
    found: dict[UUID, datetime] = {}
    for row in enrolled:
        visit_id, rows = row.appointment_id, known[row.id]
        if visit_id is None or not rows or row.protocol not in published:
            continue
        steps = published[row.protocol][0].steps
        news = {step.id for step in steps if step.when.anchor in _TAKES_BACK}
        due = [one.due_at for one in rows if one.step in news and one.status in MAY_HAVE_ARRIVED]
        if due:
            found[visit_id] = max(*due, found.get(visit_id, due[0]))
    return found


def _still_planned(
    enrollments: Sequence[Enrollment],
    visits: Mapping[UUID, Appointment],
    protocols: Protocols,
    now: datetime,
) -> Iterator[Enrollment]:
    for row in enrollments:
        visit = visits.get(row.appointment_id) if row.appointment_id else None
        found = find(protocols[row.clinic_id], row.protocol)
        over = (
            visit is not None
            and found is not None
            and is_over(visit, found[0], enrolled_at=row.created_at, now=now)
        )
        if not over:
            yield row


def misses(
    session: Session, enrollments: Sequence[Enrollment], protocols: Protocols
) -> dict[UUID, dict[str, int]]:
    """Count, by enrollment and step, the misses of questions that rest after some."""
    asked = [
        Resting(row.id, row.patient_id, step.id, step.pause_after)
        for row in enrollments
        if row.status != WITHDRAWN and (found := find(protocols[row.clinic_id], row.protocol))
        for step in found[0].steps
        if step.pause_after is not None
    ]
    return planning.misses_running(session, asked) if asked else {}
