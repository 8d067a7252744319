"""Forms behind a link: that one was filled in, and the scores that need a person.

The form lives elsewhere, in its own words. Staff, or a script of the form's own system, tell that
it is done; its repeats then end, and the step's rules look at the scores.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from records import clinics, enrollments, forms, intake
from records.base import Session, new_id
from records.forms import FilledForm
from records.outbox import Message
from schedules.form_rules import for_form
from schedules.protocol import Step
from worker import protocols, trail
from worker.intake import batches, completed, ids
from worker.intake.batches import BatchResult
from worker.intake.completed import CLOCK_SLACK, HIGHEST, MOST_SCORES, FormReader, FormRow
from worker.intake.table import near
from worker.intake.whom import clinics_meant
from worker.opening import open_follow_ups
from worker.refusal import RefusedError
from worker.services import Services

#: A form answers what asked for it within this time before.
_ASKED_SINCE = timedelta(days=45)
#: Scores of forms filled in longer ago are history, and open nothing.
_JUDGED_SINCE = timedelta(days=45)
_SCORES_KIND = "form.scores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What telling of a form did: how many texts had asked for it, and the items opened.

    `known`: the same was told before, and nothing was done.
    """

    asked: int
    opened: int
    known: bool = False


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
    if len(said) > MOST_SCORES or any(not 0 <= each <= HIGHEST for each in said.values()):
        raise RefusedError(f"A score is a whole number from 0 to {HIGHEST}.")
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        known = forms_of(session, person.clinic_id)
        if form not in known:
            raise RefusedError(
                f'No protocol of the clinic has a form "{form}"; {near(form, known)}'
            )
        told = _Told(person.id, person.clinic_id, form, at or now, said)
        filled = _fill(session, services, told, actor=actor)
        if not filled.known:
            details = {"form": form, "at": at or now, "scores": said}
            trail.note(session, services, person, actor, "form.filled", details)
    return filled


def import_forms(
    services: Services,
    content: bytes,
    *,
    actor: str,
    clinic_key: str | None = None,
    dry_run: bool = False,
    strict: bool = False,
    on_start: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> batches.ImportReport:
    """Bring in a CSV file of completed forms; a row that was brought in before changes nothing.

    Each row does what `record` does. One that was told before with other scores is told anew, and
    these are looked at. Raises TableError for a file that is no such table.
    """
    now = services.now
    table = completed.read_forms(content)
    known = {each.id: each for each in clinics_meant(services, clinic_key)}
    with services.database.transaction() as session:
        asked = {clinic_id: forms_of(session, clinic_id) for clinic_id in known}

    def reader() -> batches.Read[FormRow]:
        find = partial(ids.visit_patients, services, known)
        return FormReader(find, asked.__getitem__, now=now).read

    return batches.Import(
        services=services,
        what="forms",
        actor=actor,
        table=table,
        reader=reader,
        write=partial(_write, services, actor),
    ).run(dry_run=dry_run, strict=strict, on_start=on_start, on_progress=on_progress)


def forms_of(session: Session, clinic_id: UUID) -> frozenset[str]:
    """Return the forms that a clinic's protocols ask for."""
    published = protocols.of_clinic(session, clinic_id)
    return frozenset(
        step.form for name in published for step in published[name][0].steps if step.form
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """That a patient filled in a form, with its scores."""

    patient_id: UUID
    clinic_id: UUID
    form: str
    at: datetime
    scores: Mapping[str, int]

    @property
    def canonical(self) -> str:
        return json.dumps(dict(self.scores), sort_keys=True)


def _write(
    services: Services, actor: str, session: Session, rows: Sequence[FormRow]
) -> BatchResult:
    """Tell of each form, the earliest first; return what became of the rows."""
    intake.take_turn(session, "forms")
    result = BatchResult(clinics={row.patient.clinic.id for row in rows})
    for row in sorted(rows, key=lambda row: (row.at, row.line)):
        person = intake.lock_patient(session, row.patient.id)
        told = _Told(person.id, person.clinic_id, row.form, row.at, row.scores)
        before = forms.told(session, person.id, row.form, at=row.at)
        filled = _fill(session, services, told, actor=actor)
        became = "unchanged" if filled.known else "created" if before is None else "changed"
        result.counts[became] += 1
    return result


def _fill(session: Session, services: Services, told: _Told, *, actor: str) -> Filled:
    """Keep what was told, end the asking, and have the scores looked at; once."""
    vault, now = services.vault, services.now
    blind = vault.blind(_SCORES_KIND, told.canonical)
    before = forms.told(session, told.patient_id, told.form, at=told.at)
    if before is not None and before.scores_blind == blind:
        return Filled(asked=0, opened=0, known=True)
    kept = FilledForm(
        id=new_id(),
        clinic_id=told.clinic_id,
        patient_id=told.patient_id,
        form=told.form,
        filled_at=told.at,
        scores_blind=blind,
        actor=actor,
    )
    kept.scores = vault.seal("filled_form", "scores", kept.id, told.canonical)
    session.add(kept)
    session.flush()
    texts = forms.texts_about(
        session,
        told.patient_id,
        told.form,
        since=told.at - _ASKED_SINCE,
        until=told.at + CLOCK_SLACK,
    )
    asked = [row for row in texts if row.answered_at is None]
    forms.mark_filled(session, [row.id for row in asked], at=told.at)
    opened = 0
    if told.scores and told.at > now - _JUDGED_SINCE:
        opened = _judge(session, texts[-1] if texts else None, told, kept.id, now)
    enrollments.request_plan_of_patient(session, told.patient_id)
    return Filled(asked=len(asked), opened=opened)


def _judge(
    session: Session, asked: Message | None, told: _Told, filled_id: UUID, now: datetime
) -> int:
    """Open what the asking step's rules want for these scores.

    Scores of a form that no text asked for, or that was told of already, count as much.
    """
    step = _step_of(session, told) if asked is None else protocols.step_of(session, asked)
    if step is None:
        return 0
    staffed = clinics.by_id(session, told.clinic_id).file.staffed()
    about = str(told.patient_id)
    wanted = for_form(step, told.scores, now=now, staffed=staffed, about=about)
    opened = open_follow_ups(
        session,
        told.clinic_id,
        told.patient_id,
        wanted,
        source_kind="form" if asked is None else "message",
        source_id=filled_id if asked is None else asked.id,
        now=now,
    )
    return len(opened)


def _step_of(session: Session, told: _Told) -> Step | None:
    """Return a step of the clinic's protocols that asks for the form, one with rules if any."""
    published = protocols.of_clinic(session, told.clinic_id)
    steps = [
        step for name in published for step in published[name][0].steps if step.form == told.form
    ]
    return max(steps, key=lambda step: len(step.on_answer), default=None)
