"""What a patient will be texted: the planner's answer in words, with nothing written or sent.

The same facts, the same planner and the same rendering as the plan and send steps use, so that
whoever configures a schedule sees exactly what will go, and why something will not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from messages.errors import MessageError
from records import appointments, enrollments, planning
from records import patients as people
from records.appointments import Appointment
from records.base import Session
from records.patients import Patient
from schedules.facts import AppointmentFacts, EnrollmentFacts, PatientFacts, PlannedText
from schedules.planner import plan_patient
from schedules.protocol import Protocol
from worker import facts
from worker.facts import ClinicContext, PatientContext
from worker.reasons import in_plain_words
from worker.rendering import Rendered, Subject, details_of, render
from worker.services import Services

_IMAGINED = "preview"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedText:
    """One text as it would go, or the reason why it would not.

    `local_time` is `due_at` by the patient's clock. `status` is that of the row if an attempt was
    made. `body` is None where the text can't be written yet; `problem` then says why.
    """

    protocol: str
    step: str
    occurrence: str
    appointment_id: str | None
    due_at: datetime
    local_time: datetime
    template: str
    language: str | None
    status: str
    reason: str | None
    why: str | None
    segments: int | None
    body: str | None = field(repr=False)
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What the texts of one patient are written from."""

    services: Services
    clinic: ClinicContext
    person: Patient
    zone: ZoneInfo
    enrolled: Mapping[str, EnrollmentFacts]
    visits: Mapping[str, Appointment]
    went: Mapping[tuple[str, str, str], str]


def preview(
    services: Services,
    patient_id: UUID,
    *,
    at: datetime,
    days: int,
    protocol: Protocol | None = None,
) -> list[PreviewedText]:
    """Return a patient's texts from `at` on for so many days, as if it were `at` now.

    With `protocol` only that one is looked at, as if the patient (or each matching visit) followed
    it: an unpublished file can be tried on real people.
    """
    with services.database.transaction() as session:
        clinic, context = facts.of_patient(session, services, patient_id, now=at)
        person = people.by_id(session, patient_id)
        visits = {
            row.id: (row, facts.visit_facts(row))
            for row in appointments.of_patients(session, [patient_id])
        }
        enrolled = [each for _, each in context.enrollments] if context else []
        if protocol is not None:
            known = [each for _, each in visits.values()]
            enrolled = _imagined(protocol, known, person, clinic, at)
        texts = plan_patient(
            enrolled,
            _patient_facts(session, services, person, clinic, context),
            clinic.facts,
            now=at,
            horizon=timedelta(days=days),
            appointments=[each for _, each in visits.values()],
            events=context.asked if context else (),
            sent=context.sent if context else (),
        )
        scene = _Scene(
            services=services,
            clinic=clinic,
            person=person,
            zone=ZoneInfo(person.timezone or clinic.file.timezone),
            enrolled={each.id: each for each in enrolled},
            visits={str(key): row for key, (row, _) in visits.items()},
            went=_went(session, patient_id, at),
        )
    shown = [_previewed(scene, text) for text in sorted(texts, key=lambda text: text.due_at)]
    return [text for text in shown if text.due_at >= at or text.status == "planned"]


def _patient_facts(
    session: Session,
    services: Services,
    person: Patient,
    clinic: ClinicContext,
    context: PatientContext | None,
) -> PatientFacts:
    if context is not None:
        return context.facts
    stopped = planning.opted_out(session, [person])
    opted_out = (person.clinic_id, person.phone_blind) in stopped
    return facts.patient_facts(
        services,
        person,
        clinic=clinic.facts,
        opted_out=opted_out,
        number_taken=person.id in planning.number_taken(session, [person.id]),
        lapsed_at=planning.last_lapses(session, [person.id]).get(person.id),
    )


def _went(session: Session, patient_id: UUID, at: datetime) -> dict[tuple[str, str, str], str]:
    """Return the status of each occurrence that an attempt was made for."""
    ids = [row.id for row in enrollments.of_patient(session, patient_id)]
    rows = planning.known_rows(session, ids, since=at - timedelta(days=1))
    return {
        (str(row.enrollment_id), row.step, row.occurrence): row.status
        for row in sorted(rows, key=lambda row: row.round)
        if row.attempts
    }


def _imagined(
    protocol: Protocol,
    visits: Sequence[AppointmentFacts],
    person: Patient,
    clinic: ClinicContext,
    at: datetime,
) -> list[EnrollmentFacts]:
    if protocol.visits is None:
        zone = ZoneInfo(person.timezone or clinic.file.timezone)
        day = at.astimezone(zone).date()
        one = EnrollmentFacts(id=_IMAGINED, protocol=protocol, enrolled_at=at, anchor_day=day)
        return [one]
    return [
        EnrollmentFacts(
            id=f"{_IMAGINED}:{visit.id}",
            protocol=protocol,
            enrolled_at=min(at, visit.booked_at),
            appointment=visit,
        )
        for visit in visits
        if protocol.visits.matches(visit.kind, visit.route, visit.setting)
    ]


def _previewed(scene: _Scene, text: PlannedText) -> PreviewedText:
    enrollment = scene.enrolled[text.enrollment_id]
    visit = scene.visits.get(enrollment.appointment.id) if enrollment.appointment else None
    skipped = text.skip_reason.value if text.skip_reason else None
    reason = skipped or (text.moved_reason.value if text.moved_reason else None)
    status = scene.went.get((text.enrollment_id, text.step, text.occurrence))
    rendered, problem = _written(scene, text, visit)
    return PreviewedText(
        protocol=enrollment.protocol.id,
        step=text.step,
        occurrence=text.occurrence,
        appointment_id=visit.external_id if visit else None,
        due_at=text.due_at,
        local_time=text.due_at.astimezone(scene.zone),
        template=text.template,
        language=rendered.language if rendered else None,
        status=status or ("skipped" if skipped else "planned"),
        reason=reason,
        why=in_plain_words(reason) if reason else None,
        segments=rendered.segments if rendered else None,
        body=rendered.body if rendered else None,
        problem=problem,
    )


def _written(
    scene: _Scene, text: PlannedText, visit: Appointment | None
) -> tuple[Rendered | None, str | None]:
    """Return the words, or why there are none."""
    try:
        return _rendered(scene, text, visit), None
    except MessageError as error:
        return None, str(error)


def _rendered(scene: _Scene, text: PlannedText, visit: Appointment | None) -> Rendered:
    vault = scene.services.vault
    step = scene.enrolled[text.enrollment_id].protocol.step(text.nudge_for or text.step)
    sealed = vault.open("appointment", "details", visit.id, visit.details) if visit else None
    subject = Subject(
        clinic=scene.clinic.file,
        now=text.due_at,
        patient_zone=scene.person.timezone,
        starts_at=visit.starts_at if visit else text.anchor_at,
        virtual=visit is not None and visit.modality == "virtual",
        details=details_of(sealed),
        params={"form": step.form} if step is not None and step.form else {},
    )
    return render(scene.services.catalog, text.template, scene.person.language, subject)
