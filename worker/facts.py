"""From rows to the values the planner is told: patients, visits, enrollments, what went out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from records import appointments, clinics, enrollments, patients, planning
from records.appointments import Appointment
from records.base import Session
from records.enrollments import Enrollment
from records.patients import Patient
from records.planning import KnownRow
from schedules.clinic import ClinicFile
from schedules.facts import (
    AppointmentFacts,
    AskedFacts,
    Caps,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    EnrollmentStatus,
    PatientFacts,
    PatientStatus,
    SentText,
    VisitStatus,
)
from schedules.protocol import Protocol
from schedules.windows import candidate_zones
from worker import protocols
from worker.services import Services

# Rows of enrollments without a visit that are older say nothing about what is planned now.
_REMEMBERED = timedelta(days=30)
_ASKED_LATELY = timedelta(days=3)
_CAPS_LOOK_BACK = timedelta(days=8)
# Whatever the carrier said, an attempt was made: the row uses up a place of the day.
_NEVER_WENT = frozenset({"planned", "claimed", "expired", "cancelled", "skipped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicContext:
    """A clinic's settings and protocols, read once for a batch."""

    id: UUID
    file: ClinicFile
    facts: ClinicFacts
    sender_id: UUID
    protocols: dict[str, tuple[Protocol, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientContext:
    """All that is known about one patient's plan."""

    row: Patient
    facts: PatientFacts
    enrollments: Sequence[tuple[Enrollment, EnrollmentFacts]]
    visits: dict[UUID, tuple[Appointment, AppointmentFacts]]
    known: dict[UUID, list[KnownRow]]
    asked: Sequence[AskedFacts]
    sent: Sequence[SentText]


def clinic_facts(file: ClinicFile) -> ClinicFacts:
    """Return what of a clinic's settings bears on planning."""
    return ClinicFacts(
        zone=ZoneInfo(file.timezone),
        window=file.window(),
        staffed=file.staffed(),
        solids_hours=file.fasting.solids_hours,
        fluids_hours=file.fasting.fluids_hours,
        caps=Caps(per_day=file.caps.per_day, per_week=file.caps.per_week),
        candidate_zones=candidate_zones("US"),
    )


def clinic_context(session: Session, clinic_id: UUID) -> ClinicContext:
    """Return a clinic's settings and protocols."""
    file = clinics.by_id(session, clinic_id).file
    return ClinicContext(
        id=clinic_id,
        file=file,
        facts=clinic_facts(file),
        sender_id=clinics.active_sender(session, clinic_id).id,
        protocols=protocols.of_clinic(session, clinic_id),
    )


def visit_facts(row: Appointment) -> AppointmentFacts:
    """Return a visit as the planner sees it."""
    return AppointmentFacts(
        id=str(row.id),
        kind=row.kind,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        booked_at=row.booked_at,
        moved_at=row.moved_at,
        route=row.route,
        setting=row.setting,
        modality=row.modality,
        status=VisitStatus(row.status),
        confirmed_start=row.confirmed_start,
        change_requested=row.change_requested_at is not None,
        arrived_at=row.arrived_at,
        checked_out_at=row.checked_out_at,
        dose=Dose(row.dose) if row.dose else None,
        dose_number=row.dose_number,
    )


def patient_facts(services: Services, row: Patient, *, opted_out: bool) -> PatientFacts:
    """Return a patient as the planner sees them."""
    details = patients.profile(services.vault, row)
    quit_date = details.get("quit_date")
    return PatientFacts(
        id=str(row.id),
        language=row.language,
        zone=ZoneInfo(row.timezone) if row.timezone else None,
        purposes=frozenset(row.purposes),
        status=PatientStatus(row.status),
        check_in_time=row.check_in_time,
        quit_date=date.fromisoformat(quit_date) if quit_date else None,
        paused_until=row.paused_until,
        opted_out=opted_out,
        proved=row.proved_at is not None,
    )


def _enrollment_facts(
    row: Enrollment, protocol: Protocol, visit: AppointmentFacts | None
) -> EnrollmentFacts:
    return EnrollmentFacts(
        id=str(row.id),
        protocol=protocol,
        enrolled_at=row.created_at,
        status=EnrollmentStatus(row.status),
        appointment=visit,
        anchor_day=row.anchor_day,
    )


def _asked(rows: Sequence[KnownRow], now: datetime) -> list[AskedFacts]:
    return [
        AskedFacts(
            enrollment_id=str(row.enrollment_id),
            step=row.step,
            occurrence=row.occurrence,
            round=row.round,
            asked_at=row.submitted_at or row.due_at,
            answered=row.answered_at is not None,
            reached=row.status not in {"undelivered", "failed"},
        )
        for row in rows
        if row.expects and row.accepted_at and row.due_at > now - _ASKED_LATELY
    ]


def _sent(rows: Sequence[KnownRow], now: datetime) -> list[SentText]:
    return [
        SentText(
            enrollment_id=str(row.enrollment_id),
            step=row.step,
            occurrence=row.occurrence,
            anchor_at=row.anchor_at,
            at=row.submitted_at or row.due_at,
        )
        for row in rows
        if row.attempts and row.status not in _NEVER_WENT and row.due_at > now - _CAPS_LOOK_BACK
    ]


def patient_contexts(
    session: Session,
    services: Services,
    rows: Sequence[Enrollment],
    clinic_contexts: dict[UUID, ClinicContext],
    *,
    now: datetime,
) -> list[PatientContext]:
    """Return the planner's facts of all patients whose enrollments these are."""
    by_patient: dict[UUID, list[Enrollment]] = defaultdict(list)
    for row in rows:
        by_patient[row.patient_id].append(row)
    people = planning.patients(session, list(by_patient))
    stopped = planning.opted_out(session, people)
    visits: dict[UUID, list[Appointment]] = defaultdict(list)
    for visit in appointments.of_patients(session, list(by_patient)):
        visits[visit.patient_id].append(visit)
    known: dict[UUID, list[KnownRow]] = defaultdict(list)
    ids = [row.id for row in rows]
    for known_row in planning.known_rows(session, ids, since=now - _REMEMBERED):
        known[known_row.enrollment_id].append(known_row)
    return [
        _patient_context(
            services,
            person,
            (person.clinic_id, person.phone_blind) in stopped,
            by_patient[person.id],
            visits[person.id],
            known,
            clinic_contexts[person.clinic_id],
            now,
        )
        for person in people
    ]


def _patient_context(
    services: Services,
    person: Patient,
    opted_out: bool,
    enrolled: Sequence[Enrollment],
    visits: Sequence[Appointment],
    known: dict[UUID, list[KnownRow]],
    clinic: ClinicContext,
    now: datetime,
) -> PatientContext:
    seen = {visit.id: (visit, visit_facts(visit)) for visit in visits}
    mine = {row.id: known.get(row.id, []) for row in enrolled}
    all_known = [one for rows in mine.values() for one in rows]
    return PatientContext(
        row=person,
        facts=patient_facts(services, person, opted_out=opted_out),
        enrollments=[
            (
                row,
                _enrollment_facts(
                    row,
                    clinic.protocols[row.protocol][0],
                    seen[row.appointment_id][1] if row.appointment_id else None,
                ),
            )
            for row in enrolled
            if row.protocol in clinic.protocols
        ],
        visits=seen,
        known=mine,
        asked=_asked(all_known, now),
        sent=_sent(all_known, now),
    )


def of_patient(
    session: Session, services: Services, patient_id: UUID, *, now: datetime
) -> tuple[ClinicContext, PatientContext | None]:
    """Return one patient's clinic and facts; None for the patient if they follow no protocol."""
    person = patients.by_id(session, patient_id)
    clinic = clinic_context(session, person.clinic_id)
    rows = enrollments.of_patient(session, patient_id)
    contexts = patient_contexts(session, services, rows, {person.clinic_id: clinic}, now=now)
    return clinic, contexts[0] if contexts else None
