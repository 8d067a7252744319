"""Visits on record, imported from a file; and who follows what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from uuid import UUID

from records import audit, clinics, enrollments, intake
from records.base import Session
from records.enrollments import Enrollment
from worker import enrolling, protocols
from worker.endings import refuse_closed
from worker.intake import batches, ids, twins, visits, whole
from worker.intake.bookings import VisitBatch
from worker.intake.mapped import MappingFile
from worker.intake.patients import KnownClinic
from worker.intake.table import Table, near, read_table
from worker.intake.visits import VisitReader, VisitRow
from worker.intake.whole import Days, MissingVisit
from worker.intake.written import PLAIN, Written
from worker.refusal import RefusedError
from worker.services import Services


def import_appointments(
    services: Services,
    content: bytes,
    *,
    actor: str,
    clinic_key: str | None = None,
    mapping: MappingFile | None = None,
    complete: Days | None = None,
    dry_run: bool = False,
    strict: bool = False,
    quiet: bool = False,
    on_start: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> batches.ImportReport:
    """Bring in an `appointments.csv`, or what a mapping makes one; a row unchanged changes nothing.

    A row with another start moves the visit, `cancelled` cancels it, and matching protocols enroll
    it. `clinic_key` says whose patients are meant where several clinics use the same ids. Patients
    are texted what is booked, moved and cancelled, but not by a clinic's first import or a `quiet`
    one. On the days of `complete` the file is whole: the report has the visits that are missing,
    and nothing is cancelled yet. Raises TableError for a file that is no such table.
    """
    now = services.now
    table = _table(content, mapping)
    known, first = _clinics(services, clinic_key)
    batch = VisitBatch(
        services, actor=actor, now=now, quiet={each.id for each in known} if quiet else first
    )
    readers: list[VisitReader] = []
    doubled = twins.groups(table, "appointment_id")

    def reader(written: Written) -> batches.Read[VisitRow]:
        find = partial(ids.visit_patients, services, {each.id: each for each in known})
        fresh = VisitReader(table.columns, find, now=now, written=written)
        readers.append(fresh.look_ahead(doubled))
        return readers[-1].read

    written = batches.written_as(table, mapping.written if mapping else PLAIN, reader)
    report = batches.Import(
        services=services,
        what="appointments",
        actor=actor,
        table=table,
        reader=lambda: reader(written),
        write=batch.write,
    ).run(dry_run=dry_run, strict=strict, on_start=on_start, on_progress=on_progress)
    if report.written:
        _remember_imports(services, first & report.clinics)
    if complete is None:
        return report
    meant = [each for each in known if each.id in report.clinics] or known
    found = whole.of_file(services, meant, complete, readers[-1])
    return replace(report, whole=found)


def _table(content: bytes, mapping: MappingFile | None) -> Table:
    if mapping is not None:
        return mapping.table(content)
    return read_table(content, required=visits.REQUIRED, optional=visits.OPTIONAL)


def _clinics(services: Services, key: str | None) -> tuple[list[KnownClinic], set[UUID]]:
    """Return the clinics meant, and those of them that never imported visits to the end."""
    with services.database.transaction() as session:
        everyone = clinics.all_clinics(session)
        meant = [row for row in everyone if key in {None, row.key} and row.can_be_read]
        if key is not None and not meant:
            keys = [row.key for row in everyone]
            raise RefusedError(f'There is no clinic "{key}"; {near(key, keys)}')
        known = [KnownClinic(id=row.id, key=row.key, file=row.file) for row in meant]
        return known, {row.id for row in meant if row.visits_imported_at is None}


def cancel_missing(
    services: Services, missing: Sequence[MissingVisit], *, actor: str, quiet: bool = False
) -> int:
    """Cancel visits that a whole file did not have; return how many.

    One that was moved, or came or went, since it was listed is left as it is. Patients are told
    unless it is `quiet`.
    """
    count = 0
    for start in range(0, len(missing), batches.BATCH):
        with services.database.transaction() as session:
            intake.take_turn(session, "appointments")
            some = missing[start : start + batches.BATCH]
            found = whole.still_missing(session, some, now=services.now)
            silent = {visit.clinic_id for visit in found} if quiet else set()
            batch = VisitBatch(services, actor=actor, now=services.now, quiet=silent)
            batch.cancel_missing(session, found)
            count += len(found)
            for clinic_id in sorted({visit.clinic_id for visit in found}):
                audit.record(
                    session,
                    services.vault,
                    clinic_id=clinic_id,
                    now=services.now,
                    actor=actor,
                    action="appointments.missing_cancelled",
                    subject=f"clinic:{clinic_id}",
                    details={"visits": len(found)},
                )
    return count


def _remember_imports(services: Services, clinic_ids: set[UUID]) -> None:
    with services.database.transaction() as session:
        for clinic_id in sorted(clinic_ids):
            clinics.by_id(session, clinic_id).visits_imported_at = services.now


def enroll(
    services: Services, patient_id: UUID, protocol: str, *, actor: str, on: date | None = None
) -> Enrollment:
    """Enroll a patient in a protocol that is enrolled by hand, from a local day on.

    `on` is today in the patient's zone unless given. Enrolling again what was withdrawn starts it
    again. Raises RefusedError.
    """
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        refuse_closed(person)
        file = clinics.by_id(session, person.clinic_id).file
        published = protocols.of_clinic(session, person.clinic_id)
        row = enrolling.by_hand(session, person, file, published, protocol, on=on, now=services.now)
        enrollments.request_plan_of_patient(session, person.id)
        details = {"protocol": protocol, "on": row.anchor_day}
        _record_enrollment(session, services, row, actor, "enrolled", details)
        return row


def withdraw(services: Services, patient_id: UUID, protocol: str, *, actor: str) -> int:
    """End a patient's running enrollments in a protocol for good; return how many.

    Raises RefusedError when there is none.
    """
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        running = [
            row
            for row in enrollments.of_patient(session, person.id)
            if row.protocol == protocol and row.status == enrolling.ACTIVE
        ]
        if not running:
            raise RefusedError(f"The patient does not follow {protocol}.")
        for row in running:
            row.status, row.ended_at = enrolling.WITHDRAWN, services.now
            _record_enrollment(session, services, row, actor, "withdrawn", {"protocol": protocol})
        session.flush()
        intake.release_of_patients(session, [person.id])
        enrollments.request_plan_of_patient(session, person.id)
        return len(running)


def _record_enrollment(
    session: Session,
    services: Services,
    row: Enrollment,
    actor: str,
    what: str,
    details: Mapping[str, object],
) -> None:
    audit.record(
        session,
        services.vault,
        clinic_id=row.clinic_id,
        now=services.now,
        actor=actor,
        action=f"enrollment.{what}",
        subject=f"enrollment:{row.id}",
        details=details,
    )
