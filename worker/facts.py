"""From rows to the values the planner is told: patients, visits, enrollments, what went out."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from uuid import UUID
from zoneinfo import ZoneInfo

from records import appointments, clinics, enrollments, patients, planning
from records.appointments import Appointment
from records.base import Session
from records.enrollments import Enrollment
from records.patients import Patient
from records.planning import Standing
from schedules.clinic import AfterHours, ClinicFile
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
from schedules.gates import NOT_NUMBERS
from schedules.protocol import Importance, Phase, Protocol
from schedules.reconcile import ExistingRow
from schedules.terms import Terms
from schedules.windows import SendWindow, candidate_zones, narrowed
from worker import enrolling, protocols, remembered
from worker.intake import tailored
from worker.remembered import MAY_HAVE_ARRIVED
from worker.services import Services

# The longest that a repeat comes after its question (schedules.phrases), and some days.
_ASKED_LATELY = timedelta(days=17)
_TO_GO = frozenset({"planned", "claimed"})
_CAME_BACK = frozenset({"undelivered", "failed"})
# Care rule 4: with nobody there after hours, check-ins leave this much time for an answer.
_BEFORE_CLOSING = timedelta(hours=3)
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
    protocols: Mapping[str, tuple[Protocol, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientContext:
    """All that is known about one patient's plan."""

    row: Patient
    facts: PatientFacts
    enrollments: Sequence[tuple[Enrollment, EnrollmentFacts]]
    visits: dict[UUID, tuple[Appointment, AppointmentFacts]]
    known: dict[UUID, list[ExistingRow]]
    asked: Sequence[AskedFacts]
    sent: Sequence[SentText]

    @property
    def appointments(self) -> list[AppointmentFacts]:
        """All visits of the patient, as the planner sees them."""
        return [each for _, each in self.visits.values()]


def clinic_facts(file: ClinicFile) -> ClinicFacts:
    """Return what of a clinic's settings bears on planning."""
    return ClinicFacts(
        zone=ZoneInfo(file.timezone),
        window=file.window(),
        staffed=file.staffed(),
        solids_hours=file.fasting.solids_hours,
        fluids_hours=file.fasting.fluids_hours,
        fasting_by_route=file.fasting.by_route(),
        caps=Caps(per_day=file.caps.per_day, per_week=file.caps.per_week),
        before_closing=_BEFORE_CLOSING if file.after_hours is AfterHours.NONE else None,
        candidate_zones=candidate_zones("US"),
    )


def clinic_context(
    session: Session, clinic_id: UUID, *, before: ClinicFacts | None = None
) -> ClinicContext:
    """Return a clinic's settings and protocols.

    `before` are its facts as they were read last: unchanged, they stay, with what they remember.
    """
    file = clinics.by_id(session, clinic_id).file
    found = clinic_facts(file)
    return ClinicContext(
        id=clinic_id,
        file=file,
        facts=before if before is not None and before == found else found,
        sender_id=clinics.active_sender(session, clinic_id).id,
        protocols=protocols.of_clinic(session, clinic_id),
    )


def visit_facts(
    row: Appointment, *, told_start: datetime | None = None, told_off_at: datetime | None = None
) -> AppointmentFacts:
    """Return a visit as the planner sees it; `told_start`: what texts named, no longer true.

    `told_off_at`: when the last news was due by which what was told before does not hold.
    """
    return AppointmentFacts(
        id=str(row.id),
        kind=row.kind,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        booked_at=row.booked_at,
        moved_at=row.moved_at,
        cancelled_at=row.cancelled_at,
        announced_at=row.announced_at,
        told_start=told_start,
        told_off_at=told_off_at,
        route=row.route,
        setting=row.setting,
        modality=row.modality,
        status=VisitStatus(row.status),
        confirmed_start=row.confirmed_start,
        change_requested=row.change_requested_at is not None,
        arrived_at=row.arrived_at,
        checked_out_at=row.checked_out_at,
        no_show_at=row.no_show_at,
        dose=Dose(row.dose) if row.dose else None,
        dose_number=row.dose_number,
    )


def patient_facts(
    services: Services,
    row: Patient,
    *,
    clinic: ClinicFacts,
    terms: Terms,
    standing: Standing,
    welcome_failed: bool = False,
) -> PatientFacts:
    """Return a patient as the planner sees them; `terms` are their clinic's."""
    details = patients.profile(services.vault, row)
    quit_date = details.get("quit_date")
    return PatientFacts(
        id=str(row.id),
        language=row.language,
        zone=ZoneInfo(row.timezone) if row.timezone else None,
        purposes=frozenset(row.purposes),
        status=PatientStatus(row.status),
        window=_window(row, clinic),
        check_in_time=row.check_in_time,
        quit_date=date.fromisoformat(quit_date) if quit_date else None,
        paused_until=row.paused_until,
        conversation_since=row.conversation_since,
        in_crisis=patients.in_crisis(row.paused_until, services.now),
        opted_out=standing.opted_out,
        proved=row.proved_at is not None,
        steps_off=frozenset(details.get("steps_off") or ()),
        number_taken=standing.number_taken,
        calls_only=row.calls_only,
        welcome_failed=welcome_failed,
        cadences=_cadences(details.get("cadence")),
        phone_shared=row.phone_shared and not details.get("shared_opt_in"),
        substances=terms.meant_by(details.get("substances")),
        lapsed_at=standing.lapsed_at,
    )


def _cadences(rules: Sequence[str] | None) -> Mapping[str, int | tuple[Phase, ...]]:
    """Return a patient's own rhythms, as they were checked when they came in."""
    return tailored.read(rules) if rules else {}


def _window(row: Patient, clinic: ClinicFacts) -> SendWindow | None:
    """Return the clinic's hours within which the patient wants texts, where they named any."""
    if row.safe_from is None or row.safe_until is None:
        return None
    return narrowed(clinic.window, SendWindow(opens=row.safe_from, closes=row.safe_until))


def _enrollment_facts(
    row: Enrollment,
    protocol: Protocol,
    visit: AppointmentFacts | None,
    misses: Mapping[str, int],
) -> EnrollmentFacts:
    return EnrollmentFacts(
        id=str(row.id),
        protocol=protocol,
        enrolled_at=row.created_at,
        status=EnrollmentStatus(row.status),
        appointment=visit,
        anchor_day=row.anchor_day,
        misses=misses,
    )


def _asked(rows: Sequence[ExistingRow], now: datetime) -> list[AskedFacts]:
    return [
        AskedFacts(
            enrollment_id=str(row.enrollment_id),
            step=row.step,
            occurrence=row.occurrence,
            round=row.round,
            asked_at=row.submitted_at or row.due_at,
            until=row.answer_until,
            answered=row.answered_at is not None,
            reached=row.status not in {"undelivered", "failed"},
        )
        for row in rows
        if row.expects
        and not row.nudge_for
        and row.accepted_at
        and row.due_at > now - _ASKED_LATELY
    ]


def _sent(rows: Sequence[ExistingRow], now: datetime) -> list[SentText]:
    return [
        SentText(
            enrollment_id=str(row.enrollment_id),
            step=row.step,
            occurrence=row.occurrence,
            anchor_at=row.anchor_at,
            at=row.submitted_at or row.due_at,
            open_until=_open_until(row, now),
            question=row.nudge_for,
            priority=row.priority,
        )
        for row in rows
        if row.attempts
        and row.status not in _NEVER_WENT
        and row.due_at > now - _CAPS_LOOK_BACK
        and row.priority != Importance.NOTICE.priority
    ]


def _open_until(row: ExistingRow, now: datetime) -> datetime | None:
    """Return until when a text that went waits for a number; None where it does not."""
    asks = row.expects is not None and row.expects not in NOT_NUMBERS
    if not asks or row.answered_at is not None or row.status not in MAY_HAVE_ARRIVED:
        return None
    until = row.answer_until
    return until if until is not None and until > now else None


def _told_start(visit: Appointment, rows: Sequence[ExistingRow]) -> datetime | None:
    """Return the start that a text about the visit named last, if it is not the present one.

    Of a cancelled visit no start holds, so that the last one named is old whatever it was.
    """
    gone = visit.status == VisitStatus.CANCELLED
    named = [
        (row.submitted_at or row.due_at, row.anchor_at)
        for row in rows
        if row.status in MAY_HAVE_ARRIVED
        and row.anchor_at is not None
        and (gone or row.anchor_at != visit.starts_at)
    ]
    return max(named)[1] if named else None


def patient_contexts(
    session: Session,
    services: Services,
    rows: Sequence[Enrollment],
    clinic_contexts: dict[UUID, ClinicContext],
    *,
    now: datetime,
    on_fault: Callable[[UUID, Exception], None] | None = None,
) -> list[PatientContext]:
    """Return the planner's facts of all patients whose enrollments these are.

    One whose record can't be read is told to `on_fault` and left out, so that the others are
    planned; without it the error is raised.
    """
    if not rows:
        return []
    by_patient: dict[UUID, list[Enrollment]] = defaultdict(list)
    for row in rows:
        by_patient[row.patient_id].append(row)
    people = planning.patients(session, list(by_patient))
    standings = planning.standings(session, list(by_patient))
    visits: dict[UUID, list[Appointment]] = defaultdict(list)
    for visit in appointments.of_patients(session, list(by_patient)):
        visits[visit.patient_id].append(visit)
    published = {place: clinic.protocols for place, clinic in clinic_contexts.items()}
    misses = remembered.misses(session, rows, published)
    seen = {visit.id: visit for mine in visits.values() for visit in mine}
    known = remembered.rows_of(session, rows, seen, published, now=now)
    contexts = []
    for person in people:
        clinic, mine = clinic_contexts[person.clinic_id], by_patient[person.id]
        try:
            person_facts = patient_facts(
                services,
                person,
                clinic=clinic.facts,
                terms=clinic.file.terms,
                standing=standings[person.id],
                welcome_failed=_welcome_failed(person, mine, known, clinic),
            )
            contexts.append(
                _patient_context(
                    person, person_facts, mine, visits[person.id], known, misses, clinic, now
                )
            )
        except Exception as error:
            if on_fault is None:
                raise
            on_fault(person.id, error)
    return contexts


def _welcome_failed(
    person: Patient,
    enrolled: Sequence[Enrollment],
    known: Mapping[UUID, Sequence[ExistingRow]],
    clinic: ClinicContext,
) -> bool:
    """Whether the last welcome came back, and nothing has proved the number since.

    One that is to go counts as the last: what follows it waits for it at the claim.
    """
    begun = [
        each
        for each in enrolled
        if each.protocol in enrolling.ALWAYS_ON
        and each.appointment_id is None
        and clinic.protocols[each.protocol][0].with_consent
    ]
    welcomes = [
        row
        for each in begun
        for row in known.get(each.id, ())
        if row.attempts or row.status in _TO_GO
    ]
    if not welcomes:
        return False
    last = max(welcomes, key=lambda row: row.due_at)
    proved = person.proved_at is not None and person.proved_at > last.due_at
    again = any(each.created_at > last.due_at and not known.get(each.id) for each in begun)
    return last.status in _CAME_BACK and not proved and not again


def _patient_context(
    person: Patient,
    person_facts: PatientFacts,
    enrolled: Sequence[Enrollment],
    visits: Sequence[Appointment],
    known: dict[UUID, list[ExistingRow]],
    misses: Mapping[UUID, Mapping[str, int]],
    clinic: ClinicContext,
    now: datetime,
) -> PatientContext:
    mine = {row.id: known.get(row.id, []) for row in enrolled}
    about: dict[UUID, list[ExistingRow]] = defaultdict(list)
    for row in enrolled:
        if row.appointment_id is not None:
            about[row.appointment_id] += mine[row.id]
    told_off = remembered.told_off(enrolled, mine, clinic.protocols)
    seen = {
        visit.id: (
            visit,
            visit_facts(
                visit,
                told_start=_told_start(visit, about[visit.id]),
                told_off_at=told_off.get(visit.id),
            ),
        )
        for visit in visits
    }
    all_known = [one for rows in mine.values() for one in rows]
    return PatientContext(
        row=person,
        facts=person_facts,
        enrollments=[
            (
                row,
                _enrollment_facts(
                    row,
                    clinic.protocols[row.protocol][0],
                    seen[row.appointment_id][1] if row.appointment_id else None,
                    misses.get(row.id, _NO_MISSES),
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


_NO_MISSES: Mapping[str, int] = MappingProxyType({})


def of_patients(
    session: Session,
    services: Services,
    patient_ids: Collection[UUID],
    *,
    now: datetime,
    on_fault: Callable[[UUID, Exception], None] | None = None,
) -> dict[UUID, tuple[ClinicContext, PatientContext]]:
    """Return clinics and facts of those patients who follow a protocol, as `patient_contexts`."""
    if not patient_ids:
        return {}
    rows = enrollments.of_patients(session, list(patient_ids))
    places = {each: clinic_context(session, each) for each in {row.clinic_id for row in rows}}
    contexts = patient_contexts(session, services, rows, places, now=now, on_fault=on_fault)
    return {each.row.id: (places[each.row.clinic_id], each) for each in contexts}


def of_patient(
    session: Session, services: Services, patient_id: UUID, *, now: datetime
) -> tuple[ClinicContext, PatientContext | None]:
    """Return one patient's clinic and facts; None for the patient if they follow no protocol."""
    person = patients.by_id(session, patient_id)
    clinic = clinic_context(session, person.clinic_id)
    rows = enrollments.of_patient(session, patient_id)
    contexts = patient_contexts(session, services, rows, {person.clinic_id: clinic}, now=now)
    return clinic, contexts[0] if contexts else None
