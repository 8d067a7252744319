"""A patient as they would stand if a clinic's protocols or settings were others.

Switching protocols on and off, and for whom they are, is decided here as `worker.enrolling` and a
clinic's file decide it on rows; nothing is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from schedules.facts import AppointmentFacts, EnrollmentFacts, EnrollmentStatus, PatientFacts
from schedules.protocol import Protocol
from schedules.windows import SendWindow, narrowed
from worker import enrolling
from worker.facts import ClinicContext, PatientContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whether who follows what changes with it, and which protocols were and will be on."""

    changes: bool
    was_on: frozenset[str]
    is_on: frozenset[str]

    @classmethod
    def of(cls, before: ClinicContext, after: ClinicContext) -> "Scope":
        was_on = frozenset(enrolling.switched_on(before.file))
        is_on = frozenset(enrolling.switched_on(after.file))
        """Compare a clinic as it is with the clinic as it would be."""
        known = before.protocols
        for_others = any(
            name in known and known[name][0].visits != each.visits
            for name, (each, _) in after.protocols.items()
            if name in is_on
        )
        fresh = any(name not in known for name in after.protocols if name in is_on)
        gates = before.file.gates != after.file.gates
        return cls(
            changes=was_on != is_on or for_others or fresh or gates, was_on=was_on, is_on=is_on
        )


def person(context: PatientContext, clinic: ClinicContext) -> PatientFacts:
    """Return the patient's facts at the clinic as it would be: its hours bound theirs."""
    row = context.row
    if row.safe_from is None or row.safe_until is None:
        return context.facts
    safe = SendWindow(opens=row.safe_from, closes=row.safe_until)
    return replace(context.facts, window=narrowed(clinic.facts.window, safe))


def enrolled(
    context: PatientContext, clinic: ClinicContext, scope: Scope, now: datetime
) -> Iterator[EnrollmentFacts]:
    """Give who would follow what: as now by the new versions, and what begins and ends with it."""
    taken: set[tuple[str, str]] = set()
    for row, each in context.enrollments:
        if row.protocol not in clinic.protocols:
            continue
        protocol = clinic.protocols[row.protocol][0]
        status = each.status
        if scope.changes:
            status = _status(row.status, row.protocol, each, clinic, scope, context, now)
        if each.appointment is not None:
            taken.add((row.protocol, each.appointment.id))
        yield replace(each, protocol=protocol, status=status)
    if scope.changes:
        yield from _beginning(context, clinic, taken, now)


def _status(
    status: str,
    name: str,
    each: EnrollmentFacts,
    clinic: ClinicContext,
    scope: Scope,
    context: PatientContext,
    now: datetime,
) -> EnrollmentStatus:
    """Return whether an enrollment runs then, as switching protocols on and off decides it."""
    if status == enrolling.WITHDRAWN:
        return each.status
    if each.appointment is None:
        turned_off = name in scope.was_on and name not in scope.is_on
        turned_on = name in scope.is_on and name not in scope.was_on
        if turned_on or turned_off:
            return EnrollmentStatus.ACTIVE if turned_on else EnrollmentStatus.COMPLETED
        return each.status
    row = context.visits[UUID(each.appointment.id)][0]
    if row.starts_at < now:
        return each.status
    wanted = name in enrolling.matching(clinic.file, clinic.protocols, row)
    if status == enrolling.ACTIVE and not wanted:
        return EnrollmentStatus.COMPLETED
    return EnrollmentStatus.ACTIVE if wanted and enrolling.is_news(row, now) else each.status


def _beginning(
    context: PatientContext, clinic: ClinicContext, taken: set[tuple[str, str]], now: datetime
) -> Iterator[EnrollmentFacts]:
    for row, visit in context.visits.values():
        if row.starts_at < now or not enrolling.is_news(row, now):
            continue
        for name in sorted(enrolling.matching(clinic.file, clinic.protocols, row)):
            if (name, visit.id) not in taken:
                yield _fresh(clinic.protocols[name][0], visit, now)


def _fresh(protocol: Protocol, visit: AppointmentFacts, now: datetime) -> EnrollmentFacts:
    return EnrollmentFacts(
        id=f"{protocol.id}@{visit.id}", protocol=protocol, enrolled_at=now, appointment=visit
    )
