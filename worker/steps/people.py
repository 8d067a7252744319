"""People on record: imported from a file, held, resumed and closed; a text seen on their phone.

A hold or a close cancels every unsent text at once, also one that a worker has claimed. Neither is
the patient's stop, and no import lifts it (care rules 24 and 25).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from records import (
    clinics,
    enrollments,
    intake,
    patients,
    sending,
    stopping,
)
from records.base import Session
from records.patients import Patient
from schedules.reasons import SkipReason
from worker import enrolling, held, protocols, resting, trail
from worker.endings import end_record, refuse_closed, reopen_number
from worker.intake import batches, twins
from worker.intake.mapped import MappingFile
from worker.intake.patients import (
    OPTIONAL,
    REQUIRED,
    KnownClinic,
    PatientReader,
    PatientRow,
)
from worker.intake.people import PatientBatch
from worker.intake.table import read_table
from worker.intake.written import PLAIN, Written
from worker.refusal import RefusedError
from worker.services import Services

_HELD, _CLOSED, _ACTIVE = "held", "closed", "active"


class Reason(StrEnum):
    """Why texts to a patient are held or their record is closed."""

    HOSPITAL = "hospital"
    CRISIS = "crisis"
    DECEASED = patients.DECEASED
    DISCHARGED = "discharged"
    TRANSFERRED = "transferred"
    OTHER = "other"


#: What a patient may be held for that no time ends.
_ENDED_BY_A_PERSON = frozenset({Reason.CRISIS.value, resting.UNCLEAR_STOP})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """What holding, resuming or closing did."""

    patient_id: UUID
    status: str
    cancelled: int
    enrollments: int


def known_clinics(session: Session) -> list[KnownClinic]:
    """Return the clinics that rows may name."""
    return [
        KnownClinic(id=row.id, key=row.key, file=row.file)
        for row in clinics.all_clinics(session)
        if row.can_be_read
    ]


def import_patients(
    services: Services,
    content: bytes,
    *,
    actor: str,
    mapping: MappingFile | None = None,
    dry_run: bool = False,
    strict: bool = False,
    quiet: bool = False,
    on_start: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> batches.ImportReport:
    """Bring in a `patients.csv`, or what a mapping makes one; an unchanged row changes nothing.

    Whoever is new to texts gets the welcome; after a `quiet` import only once something else is to
    go to them, and before it. Raises TableError for a file that is no such table. `on_start` is
    told how many rows there are, `on_progress` how many are done.
    """
    now = services.now
    table = (
        mapping.table(content)
        if mapping
        else read_table(content, required=REQUIRED, optional=OPTIONAL)
    )
    with services.database.transaction() as session:
        known = known_clinics(session)
    doubled = twins.groups(table, "patient_id")

    def reader(written: Written) -> batches.Read[PatientRow]:
        fresh = PatientReader(table.columns, known, now=now, written=written)
        return fresh.look_ahead(doubled).read

    written = batches.written_as(table, mapping.written if mapping else PLAIN, reader)
    batch = PatientBatch(services, actor=actor, now=now, quiet=quiet)
    return batches.Import(
        services=services,
        what="patients",
        actor=actor,
        table=table,
        reader=lambda: reader(written),
        write=batch.write,
    ).run(dry_run=dry_run, strict=strict, on_start=on_start, on_progress=on_progress)


def hold(
    services: Services,
    patient_id: UUID,
    *,
    reason: Reason,
    actor: str,
    until: datetime | None = None,
) -> StatusChange:
    """Start no texts to a patient until they are resumed, or until an instant.

    Staff are to call about each coming visit (care rule 24).

    Raises RefusedError for a closed record, and for an end of a crisis hold, a standing one too:
    only a person ends that (care rule 10). So it is where a text may have been a stop (rule 17).
    """
    now = services.now
    if until is not None and reason is Reason.CRISIS:
        raise RefusedError("A crisis hold is ended by a person, never by time. Leave out --until.")
    if until is not None and until <= now:
        raise RefusedError("That end has passed already. Give one in the future.")
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        refuse_closed(person)
        held_for = person.status_reason if person.status == _HELD else None
        if until is not None and held_for in _ENDED_BY_A_PERSON:
            raise RefusedError(
                f"This patient is held already, and only a person ends that ({held_for}): a hold "
                "with an end would. Leave out --until, or run `aftercare patient resume` first."
            )
        # What else keeps them from texts now does not turn the crisis into a hold like others.
        reason = Reason.CRISIS if held_for == Reason.CRISIS else reason
        person.held_until = until
        cancelled = _stand_still(session, person, _HELD, reason, SkipReason.PATIENT_HELD, now)
        calls = held.call_about_visits(session, person, until=until, now=now)
        details = {"reason": reason, "until": until, "calls": calls}
        trail.note(session, services, person, actor, "patient.held", details)
        return _change_of(person, cancelled, 0)


def close(services: Services, patient_id: UUID, *, reason: Reason, actor: str) -> StatusChange:
    """End all texts and enrollments of a patient; it is never recorded as their stop.

    Unowned follow-ups go to the clinic's lead, if the lead signs in. A dead patient's number is
    texted nothing more, whoever else has it.
    """
    now = services.now
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        person.held_until = None
        cancelled = _stand_still(session, person, _CLOSED, reason, SkipReason.PATIENT_CLOSED, now)
        ended = end_record(session, person, now=now)
        details = {"reason": reason, "ended": ended}
        trail.note(session, services, person, actor, "patient.closed", details)
        return _change_of(person, cancelled, ended)


def resume(
    services: Services, patient_id: UUID, *, actor: str, reason: Reason | None = None
) -> StatusChange:
    """Lift a hold, or reopen a record that was closed; what it ended is planned again."""
    now = services.now
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        before = person.status
        person.status, person.status_reason, person.held_until = _ACTIVE, None, None
        person.updated_at = now
        session.flush()
        reopen_number(session, person, now=now)
        began = _enroll_again(session, person, now) if before == _CLOSED else 0
        enrollments.request_plan_of_patient(session, person.id)
        trail.note(
            session, services, person, actor, "patient.resumed", {"from": before, "reason": reason}
        )
        return _change_of(person, 0, began)


def _enroll_again(session: Session, person: Patient, now: datetime) -> int:
    clinic = clinics.by_id(session, person.clinic_id)
    published = protocols.of_clinic(session, clinic.id)
    return enrolling.reopen(session, person, clinic.file, published, now=now)


def _stand_still(
    session: Session,
    person: Patient,
    status: str,
    reason: Reason,
    why: SkipReason,
    now: datetime,
) -> int:
    person.status, person.status_reason, person.updated_at = status, reason.value, now
    session.flush()
    enrollments.request_plan_of_patient(session, person.id)
    return stopping.cancel_unsent_of_patient(session, person.id, reason=why.value, now=now)


def _change_of(person: Patient, cancelled: int, moved: int) -> StatusChange:
    return StatusChange(
        patient_id=person.id, status=person.status, cancelled=cancelled, enrollments=moved
    )


def text_seen(services: Services, patient_id: UUID, *, actor: str) -> None:
    """Take staff's word that a text of ours arrived at the patient's own phone (care rule 26).

    It proves the number like a reply from it. Raises RefusedError for a closed record, and where
    no welcome has gone to the number that the patient has now.
    """
    now = services.now
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        refuse_closed(person)
        if person.id in sending.unwelcomed(session, [person.id], now=now):
            raise RefusedError(
                "No welcome has gone to this number yet, so nobody can have seen it. "
                "See `aftercare messages --patient`."
            )
        person.proved_at = person.updated_at = now
        session.flush()
        enrollments.request_plan_of_patient(session, person.id)
        trail.note(session, services, person, actor, "patient.text_seen", {})
