"""Visits on record: imported from a file, and what happened at them; who follows what.

"Fulfilled" does not say that a dose was given (care rule 6): texts after a dose need a check-out
with a dose given, wholly or partly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from records import audit, clinics, enrollments, followups, intake
from records.appointments import Appointment, AppointmentEvent
from records.base import Session
from records.enrollments import Enrollment
from records.patients import Patient
from schedules.facts import Dose, VisitStatus
from schedules.followups import FollowUpReason, wanted
from worker import enrolling, opening, protocols
from worker.intake import batches, ids, twins, visits, whole
from worker.intake.bookings import VisitBatch, book_again, cancel
from worker.intake.mapped import MappingFile
from worker.intake.patients import KnownClinic
from worker.intake.table import Table, near, read_table
from worker.intake.visits import VisitReader, VisitRow
from worker.intake.whole import Days, MissingVisit
from worker.intake.written import PLAIN, Written
from worker.refusal import RefusedError
from worker.services import Services

#: How far ahead of the clock an event may lie: clocks of a front desk are not exact.
_CLOCK_SLACK = timedelta(minutes=10)
_RANK = {"booked": 0, "arrived": 1, "checked_out": 2, "fulfilled": 3}
_SAYS_DOSE = frozenset({VisitStatus.CHECKED_OUT, VisitStatus.FULFILLED})
_FELL_THROUGH = frozenset({VisitStatus.CANCELLED, VisitStatus.NO_SHOW})
#: The outcome of an item that asked for what was now told.
_RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """What a visit is after an event."""

    appointment_id: UUID
    status: str
    dose: str | None
    at: datetime
    starts_at: datetime


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


def enroll_matching(services: Services, appointment_id: UUID) -> int:
    """Enroll a visit's patient in what the clinic has switched on for it; return how many."""
    with services.database.transaction() as session:
        visit = _locked(session, appointment_id)
        return _enroll(session, visit, services.now)


def _enroll(session: Session, visit: Appointment, now: datetime) -> int:
    clinic = clinics.by_id(session, visit.clinic_id)
    published = protocols.of_clinic(session, clinic.id)
    counts = enrolling.sync(session, clinic.id, clinic.file, published, [visit], now=now)
    return counts["began"]


def record_event(
    services: Services,
    appointment_id: UUID,
    kind: VisitStatus,
    *,
    actor: str,
    at: datetime | None = None,
    dose: Dose | None = None,
    seen: str | None = None,
) -> RecordedEvent:
    """Record what happened at the clinic; the plan follows at the next tick.

    `booked` says that a visit stands as planned, also after its patient asked for another time.
    `at` is now unless given. `dose` belongs to a dosing visit's check-out. `seen` is the status on
    the page of whoever records this: over another one nothing is recorded unseen. Raises
    RefusedError for what can't have happened.
    """
    now = services.now
    if at is not None and at > now + _CLOCK_SLACK:
        raise RefusedError("That time lies in the future. An event is told when it has happened.")
    with services.database.transaction() as session:
        visit = _locked(session, appointment_id)
        _check_seen(visit, kind, dose, seen)
        _check_dose(visit, kind, dose)
        _check_end(visit, kind)
        session.add(
            AppointmentEvent(
                clinic_id=visit.clinic_id,
                appointment_id=visit.id,
                kind=kind.value,
                dose=dose.value if dose else None,
                at=at or now,
                actor=actor,
            )
        )
        _apply(visit, kind, at, dose, now)
        visit.updated_at = now
        session.flush()
        _enroll(session, visit, now)
        intake.release_of_visits(session, [visit.id])
        enrollments.request_plan_of_patient(session, visit.patient_id)
        _answer_questions(session, visit, actor, now)
        if kind is VisitStatus.BOOKED:
            _keep(session, visit, actor, now)
        _record(session, services, visit, actor, kind, at or now, dose)
        return RecordedEvent(
            appointment_id=visit.id,
            status=visit.status,
            dose=visit.dose,
            at=at or now,
            starts_at=visit.starts_at,
        )


def _locked(session: Session, appointment_id: UUID) -> Appointment:
    visit = intake.lock_visit(session, appointment_id)
    if visit is None:
        raise RefusedError("There is no such visit.")
    return visit


def _check_seen(visit: Appointment, kind: VisitStatus, dose: Dose | None, seen: str | None) -> None:
    """Refuse what is said of a visit that is not as it was shown; twice the same is no harm."""
    same = visit.status == kind and (dose is None or visit.dose == dose)
    if seen not in {None, visit.status} and not same:
        status = visit.status.replace("_", " ")
        raise RefusedError(f"This visit is {status} by now. Look at it again; nothing was changed.")


def _check_dose(visit: Appointment, kind: VisitStatus, dose: Dose | None) -> None:
    if dose is None:
        return
    if kind not in _SAYS_DOSE:
        raise RefusedError("Whether a dose was given is told with checked_out (or fulfilled).")
    if visit.kind != "dosing":
        raise RefusedError(f"This is a visit of the kind {visit.kind}, at which no dose is given.")


def _check_end(visit: Appointment, kind: VisitStatus) -> None:
    """Refuse that a visit fell through whose patient went home: the checks after it would end."""
    if kind in _FELL_THROUGH and (visit.checked_out_at or visit.status in _SAYS_DOSE):
        raise RefusedError(
            "This visit took place: its check-out is recorded, and its patient is asked how they "
            "are. If that was recorded by mistake, take it back with `booked` first."
        )


def _apply(
    visit: Appointment, kind: VisitStatus, at: datetime | None, dose: Dose | None, now: datetime
) -> None:
    """Bring the visit to what was told; what it had reached before is not lost by a late entry."""
    if kind is VisitStatus.BOOKED:
        if visit.status != VisitStatus.BOOKED:
            # Who was never told of a cancellation needs no news when a wrong entry is taken back.
            news = visit.status == VisitStatus.CANCELLED
            book_again(visit, now=now)
            visit.announced_at = now if news else None
        # Staff have spoken with whoever asked for another time: it stands as planned (care rule 1).
        visit.change_requested_at = None
        return
    if kind is VisitStatus.CANCELLED:
        if visit.status != VisitStatus.CANCELLED:
            cancel(visit, now=now)
            visit.announced_at = now
        return
    if kind is VisitStatus.NO_SHOW and visit.status != VisitStatus.NO_SHOW:
        visit.no_show_at = now
    if kind is VisitStatus.ARRIVED:
        visit.arrived_at = at or visit.arrived_at or now
    if kind is VisitStatus.CHECKED_OUT:
        visit.checked_out_at = at or visit.checked_out_at or now
    if dose is not None:
        visit.dose = dose.value
    if _RANK.get(kind, 9) >= _RANK.get(visit.status, 0):
        visit.status = kind.value


def _answer_questions(session: Session, visit: Appointment, actor: str, now: datetime) -> None:
    """End the items that asked for this event (care rule 6), once nothing is missing any more."""
    asked = FollowUpReason.VISIT_EVENT_MISSING.value
    took_place = visit.status in {"arrived", "checked_out", "fulfilled"}
    if visit.kind == "dosing" and took_place and (not visit.checked_out_at or not visit.dose):
        return
    items = intake.open_items_of_visit(session, visit.id, asked)
    opening.end(session, items, outcome=_RECORDED, actor=actor, now=now)


def _keep(session: Session, visit: Appointment, actor: str, now: datetime) -> None:
    """End the item about another time, now that staff say that the visit stands."""
    staffed = clinics.by_id(session, visit.clinic_id).file.staffed()
    asked = wanted(FollowUpReason.CHANGE_REQUESTED, now=now, staffed=staffed, about=str(visit.id))
    items = followups.open_with_causes(session, visit.clinic_id, [asked.cause])
    opening.end(session, items, outcome=_RECORDED, actor=actor, now=now)


def _record(
    session: Session,
    services: Services,
    visit: Appointment,
    actor: str,
    kind: VisitStatus,
    at: datetime,
    dose: Dose | None,
) -> None:
    audit.record(
        session,
        services.vault,
        clinic_id=visit.clinic_id,
        now=services.now,
        actor=actor,
        action=f"appointment.{kind}",
        subject=f"appointment:{visit.id}",
        details={"at": at, "dose": dose},
    )


def enroll(
    services: Services, patient_id: UUID, protocol: str, *, actor: str, on: date | None = None
) -> Enrollment:
    """Enroll a patient in a protocol that is enrolled by hand, from a local day on.

    `on` is today in the patient's zone unless given. Enrolling again what was withdrawn starts it
    again. Raises RefusedError.
    """
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        if person.status == "closed":
            raise RefusedError("This patient's record is closed, so no texts go there.")
        clinic = clinics.by_id(session, person.clinic_id)
        published = protocols.of_clinic(session, clinic.id)
        if protocol not in clinic.file.protocols or protocol not in published:
            raise RefusedError(
                f'The clinic has no protocol "{protocol}" switched on; '
                f"{near(protocol, clinic.file.protocols)}"
            )
        if not enrolling.is_open(clinic.file, published[protocol][0]):
            raise RefusedError(enrolling.gate_shut(published[protocol][0]))
        if published[protocol][0].visits is not None:
            raise RefusedError(
                f"{protocol} enrolls visits by itself. Import or book the visit, and it follows."
            )
        zone = ZoneInfo(person.timezone) if person.timezone else clinic.file.zone
        day = on or services.now.astimezone(zone).date()
        row = _enroll_by_hand(session, person, protocol, day, services.now)
        enrollments.request_plan_of_patient(session, person.id)
        details = {"protocol": protocol, "on": day}
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


def _enroll_by_hand(
    session: Session, person: Patient, protocol: str, day: date, now: datetime
) -> Enrollment:
    mine = [
        row
        for row in enrollments.of_patient(session, person.id)
        if row.protocol == protocol and row.appointment_id is None
    ]
    if any(row.status == enrolling.ACTIVE for row in mine):
        raise RefusedError(f"The patient follows {protocol} already.")
    for row in mine:
        if row.anchor_day == day:
            row.status, row.ended_at = enrolling.ACTIVE, None
            return row
    row = intake.new_enrollment(
        clinic_id=person.clinic_id,
        patient_id=person.id,
        protocol=protocol,
        anchor_day=day,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


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
