"""Forms behind a link: that one was filled in, and the scores that need a person.

The form lives elsewhere, in its own words. Staff, or a script of the form's own system, tell that
it is done; its repeats then end, and the step's rules look at the scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from records import audit, clinics, enrollments, forms, intake
from records.base import Session
from records.outbox import Message
from schedules.form_rules import for_form
from worker import protocols
from worker.intake.table import near
from worker.opening import open_follow_ups
from worker.refusal import RefusedError
from worker.services import Services

#: A form may be told of this long after it was asked for.
_ASKED_SINCE = timedelta(days=45)
_SCORES_AT_MOST, _HIGHEST = 20, 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What telling of a form did: how many texts had asked for it, and the items opened."""

    asked: int
    opened: int


def record(
    services: Services,
    patient_id: UUID,
    form: str,
    *,
    actor: str,
    at: datetime | None = None,
    scores: Mapping[str, int] | None = None,
) -> Filled:
    """Note that a patient filled in a form; `at` is now unless given, `scores` are by name.

    What asked for it is answered, so that no repeat goes. Raises RefusedError for a form that no
    protocol of the clinic has, and for scores that are none.
    """
    now, said = services.now, dict(scores or {})
    if at is not None and at > now:
        raise RefusedError("That time lies in the future. A form is told of when it is done.")
    if len(said) > _SCORES_AT_MOST or any(not 0 <= each <= _HIGHEST for each in said.values()):
        raise RefusedError(f"A score is a whole number from 0 to {_HIGHEST}.")
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        _check_known(session, person.clinic_id, form)
        asked = forms.open_texts(session, person.id, form, since=now - _ASKED_SINCE)
        forms.mark_filled(session, [row.id for row in asked], at=at or now)
        opened = _judge(session, asked[-1], said, now) if asked and said else 0
        enrollments.request_plan_of_patient(session, person.id)
        audit.record(
            session,
            services.vault,
            clinic_id=person.clinic_id,
            now=now,
            actor=actor,
            action="form.filled",
            subject=f"patient:{person.id}",
            details={"form": form, "at": at or now, "scores": said},
        )
    return Filled(asked=len(asked), opened=opened)


def _check_known(session: Session, clinic_id: UUID, form: str) -> None:
    published = protocols.of_clinic(session, clinic_id)
    known = {step.form for name in published for step in published[name][0].steps if step.form}
    if form not in known:
        raise RefusedError(f'No protocol of the clinic has a form "{form}"; {near(form, known)}')


def _judge(session: Session, asked: Message, scores: Mapping[str, int], now: datetime) -> int:
    """Open what the asking step's rules want for these scores."""
    step = protocols.step_of(session, asked)
    if step is None or asked.patient_id is None:
        return 0
    staffed = clinics.by_id(session, asked.clinic_id).file.staffed()
    wanted = for_form(step, scores, now=now, staffed=staffed, about=str(asked.patient_id))
    opened = open_follow_ups(
        session,
        asked.clinic_id,
        asked.patient_id,
        wanted,
        source_kind="message",
        source_id=asked.id,
        now=now,
    )
    return len(opened)
