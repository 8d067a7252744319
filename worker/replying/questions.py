"""A question as its protocol has it: the step that asked, and when its other moments are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from records import clinics, enrollments, patients
from records.base import Session
from records.conversation import Prompt
from records.patients import Patient
from schedules.followup_rules import Resolve
from schedules.moments import frame_of
from schedules.protocol import Moment, Step
from schedules.resolving import resolver
from worker import facts, protocols
from worker.facts import ClinicContext, PatientContext
from worker.replying.case import Case
from worker.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The step of a question and what its moments count from; None where its protocol is gone.

    `starts_at` is the start, as it stands now, of the visit that it is about.
    """

    step: Step | None = None
    resolve: Resolve | None = None
    asked_at: datetime | None = None
    starts_at: datetime | None = None


def _made(prompt: Prompt, step: Step, resolve: Resolve | None) -> Question:
    return Question(
        step=step, resolve=resolve, asked_at=prompt.asked_at, starts_at=prompt.starts_at
    )


def question_of(case: Case, prompt: Prompt) -> Question:
    """Return the step that asked, by the version of its protocol that the text went by."""
    return find(case.session, case.services, case.clinic.id, prompt)


def find(session: Session, services: Services, clinic_id: UUID, prompt: Prompt) -> Question:
    """Return the step of a clinic's question, with what computes its moments."""
    step = _step(session, clinic_id, prompt)
    if step is None:
        return Question()
    return _made(prompt, step, _later(session, services, prompt, step))


def find_all(session: Session, services: Services, prompts: Sequence[Prompt]) -> list[Question]:
    """Return the steps of many questions, with the facts of their patients read at one go.

    Facts are read of those alone whose steps have a rule with a time of its own.
    """
    if not prompts:
        return []
    rows = enrollments.of_patients(session, list({each.patient_id for each in prompts}))
    places = {row.clinic_id for row in rows}
    contexts = {each: facts.clinic_context(session, each) for each in places}
    at_clinic = {row.patient_id: contexts[row.clinic_id] for row in rows}
    steps = [
        _step(session, at_clinic[each.patient_id].id, each)
        if each.patient_id in at_clinic
        else None
        for each in prompts
    ]
    timed = {
        each.patient_id
        for each, step in zip(prompts, steps, strict=True)
        if step is not None and any(rule.at for rule in step.unanswered)
    }
    needed = [row for row in rows if row.patient_id in timed]
    people = facts.patient_contexts(session, services, needed, contexts, now=services.now)
    by_id = {person.row.id: person for person in people}
    return [
        _made(each, step, _resolve(at_clinic, by_id.get(each.patient_id), each, step, services))
        if step is not None
        else Question()
        for each, step in zip(prompts, steps, strict=True)
    ]


def _resolve(
    at_clinic: Mapping[UUID, ClinicContext],
    person: PatientContext | None,
    prompt: Prompt,
    step: Step,
    services: Services,
) -> Resolve | None:
    if person is None:
        return None
    return _moments(at_clinic[prompt.patient_id], person, prompt, step, now=services.now)


def _step(session: Session, clinic_id: UUID, prompt: Prompt) -> Step | None:
    return protocols.step_asked(
        session, clinic_id, prompt.protocol, prompt.protocol_number, prompt.question
    )


def _moments(
    clinic: ClinicContext, person: PatientContext, prompt: Prompt, step: Step, *, now: datetime
) -> Resolve | None:
    """Return what computes a question's moments; None where its enrollment is gone."""
    for row, enrollment in person.enrollments:
        if row.id == prompt.enrollment_id:
            frame = frame_of(enrollment, person.facts, clinic.facts, now, person.appointments)
            return resolver(frame, step, occurrence=prompt.occurrence, due_at=prompt.asked_at)
    return None


def _later(session: Session, services: Services, prompt: Prompt, step: Step) -> Resolve:
    """Return what computes a moment; the facts it needs are read when a rule first asks."""

    @cache
    def made() -> Resolve | None:
        clinic, person = facts.of_patient(session, services, prompt.patient_id, now=services.now)
        return _moments(clinic, person, prompt, step, now=services.now) if person else None

    def resolve(moment: Moment) -> datetime | None:
        computed = made()
        return computed(moment) if computed else None

    return resolve


def is_watched(session: Session, services: Services, person: Patient, *, since: datetime) -> bool:
    """Return whether silence is urgent for a patient who was enrolled in anything after `since`.

    Tolerance falls in the first weeks, and silence or a pause then weighs more (clinical brief, 3).
    """
    terms = clinics.by_id(session, person.clinic_id).file.terms
    if not patients.silence_is_urgent(services.vault, person, terms):
        return False
    return any(row.created_at > since for row in enrollments.of_patient(session, person.id))
