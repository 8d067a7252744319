"""What a plan remembers: enrollments, the rows it is compared with, questions that were missed.

After a year most of a patient's enrollments and texts are about visits long past, and are not read
again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from records import planning
from records.appointments import Appointment
from records.base import Session
from records.enrollments import Enrollment, OverBefore, to_plan
from schedules.errors import ProtocolError
from schedules.over import is_over, over_before
from schedules.protocol import Protocol
from schedules.reconcile import ExistingRow

# Rows of enrollments without a visit that are older say nothing about what is planned now.
_REMEMBERED = timedelta(days=30)
_SILENT_SINCE = timedelta(days=60)

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
            with suppress(ProtocolError):
                protocol, _ = published[name]
                if (before := over_before(protocol, now)) is not None:
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


def _still_planned(
    enrollments: Sequence[Enrollment],
    visits: Mapping[UUID, Appointment],
    protocols: Protocols,
    now: datetime,
) -> Iterator[Enrollment]:
    for row in enrollments:
        visit = visits.get(row.appointment_id) if row.appointment_id else None
        found = protocols[row.clinic_id].get(row.protocol)
        over = (
            visit is not None
            and found is not None
            and is_over(visit, found[0], enrolled_at=row.created_at, now=now)
        )
        if not over:
            yield row


def misses(
    session: Session, enrollments: Sequence[Enrollment], protocols: Protocols, *, now: datetime
) -> dict[UUID, dict[str, int]]:
    """Count, by enrollment and step, the misses of those whose protocol rests after some."""
    asked = [row for row in enrollments if _rests(protocols[row.clinic_id].get(row.protocol))]
    if not asked:
        return {}
    people = list({row.patient_id for row in asked})
    ids = [row.id for row in asked]
    return planning.misses_running(session, people, ids, since=now - _SILENT_SINCE)


def _rests(found: tuple[Protocol, int] | None) -> bool:
    return found is not None and any(step.pause_after for step in found[0].steps)
