"""A question as its protocol has it: the step that asked, and when its other moments are."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from records import enrollments, patients
from records.base import Session
from records.conversation import Prompt
from records.patients import Patient
from schedules.followup_rules import Resolve
from schedules.moments import frame_of
from schedules.protocol import Moment, Step
from schedules.resolving import resolver
from worker import facts, protocols
from worker.replying.case import Case
from worker.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The step of a question; both are None where its protocol is gone."""

    step: Step | None = None
    resolve: Resolve | None = None


def question_of(case: Case, prompt: Prompt) -> Question:
    """Return the step that asked, as its protocol stands now."""
    return find(case.session, case.services, prompt.patient_id, prompt)


def find(session: Session, services: Services, patient_id: UUID, prompt: Prompt) -> Question:
    """Return the step of a patient's question, with what computes its moments."""
    person = patients.by_id(session, patient_id)
    found = protocols.of_clinic(session, person.clinic_id).get(prompt.protocol or "")
    step = found[0].step(prompt.question) if found else None
    if step is None:
        return Question()
    return Question(step=step, resolve=_later(session, services, prompt, step))


def _later(session: Session, services: Services, prompt: Prompt, step: Step) -> Resolve:
    """Return what computes a moment; the facts it needs are read when a rule first asks."""

    @cache
    def made() -> Resolve | None:
        clinic, person = facts.of_patient(session, services, prompt.patient_id, now=services.now)
        for row, enrollment in person.enrollments if person else ():
            if person is not None and row.id == prompt.enrollment_id:
                frame = frame_of(
                    enrollment, person.facts, clinic.facts, services.now, person.appointments
                )
                return resolver(frame, step, occurrence=prompt.occurrence, due_at=prompt.asked_at)
        return None

    def resolve(moment: Moment) -> datetime | None:
        computed = made()
        return computed(moment) if computed else None

    return resolve


def is_watched(session: Session, services: Services, person: Patient, *, since: datetime) -> bool:
    """Return whether this is an opioid patient who was enrolled in anything after `since`.

    Tolerance falls in the first weeks, and silence or a pause then weighs more (clinical.md 3).
    """
    substances = patients.profile(services.vault, person).get("substances")
    if "opioid" not in str(substances or "").casefold():
        return False
    return any(row.created_at > since for row in enrollments.of_patient(session, person.id))
