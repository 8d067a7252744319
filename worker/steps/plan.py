"""Planning: patients whose plan may have changed, and the daily roll of the horizon.

The pure planner says what is wanted; this step compares it with the rows and adds, moves, cancels
or revives. A patient is planned by one process at a time, in batches of one transaction each.
"""

import gc
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from records import enrollments, planning, publishing, sending
from records.base import Session
from records.enrollments import Enrollment
from records.patients import Patient
from records.planning import ChangedRow, NewKind, NewOf, NewText
from records.publishing import Restamped
from schedules.facts import ClinicFacts, EnrollmentFacts, PlannedText
from schedules.moments import frame_of
from schedules.planner import HORIZON, plan_patient
from schedules.protocol import EXPECTS_NOTHING, Step
from schedules.reasons import CancelReason, SkipReason
from schedules.reconcile import Changes, ExistingRow, reconcile
from schedules.resolving import resolver
from worker import duties, enrolling, facts, overtaken, remembered, rolling, unplanned
from worker.facts import ClinicContext, PatientContext
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

BATCH = 200
_COLLECT_AFTER = 100_000
# What goes, or would if the number were proved, has the welcome go before it.
_AFTER_A_WELCOME = frozenset({None, SkipReason.NUMBER_UNPROVED})
_WITHDRAWN = frozenset(reason.value for reason in CancelReason)


@dataclass(slots=True, kw_only=True)
class _Writes:
    """What one batch writes, gathered so that each kind is one statement."""

    new: list[tuple[NewOf, list[NewText]]] = field(default_factory=list)
    moved: list[ChangedRow] = field(default_factory=list)
    revived: list[ChangedRow] = field(default_factory=list)
    ended: list[tuple[UUID, str, str]] = field(default_factory=list)
    # By which version of its protocol an enrollment is planned, and unsent texts of an older one.
    numbers: dict[UUID, int] = field(default_factory=dict)
    restamped: list[Restamped] = field(default_factory=list)
    # Whoever is to be texted and has to be welcomed before, if nobody did.
    greeted_first: list[Patient] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Patients who are locked and planned, and wait to be written in their own transaction."""

    transaction: ExitStack
    session: Session
    now: datetime
    rows: Sequence[Enrollment]
    clinics: Mapping[UUID, ClinicContext]
    contexts: Sequence[PatientContext]
    writes: _Writes
    # Who could not be planned.
    failed: set[UUID]

    @property
    def patients(self) -> set[UUID]:
        return {row.patient_id for row in self.rows}


def run(
    services: Services, *, batch: int = BATCH, on_batch: Callable[[], None] = lambda: None
) -> Counter[str]:
    """Plan until nobody waits to be planned; return what was written.

    While the database takes the rows of one batch, the next is planned; `on_batch` is called with
    each. What the last few cause to be planned anew is left to the next tick.
    """
    counts: Counter[str] = Counter()
    done: set[UUID] = set()
    places: dict[UUID, ClinicFacts] = {}
    with _few_collections(), ThreadPoolExecutor(1, thread_name_prefix="plan") as writer:
        written: Future[None] | None = None
        # Who was marked again meanwhile is left to the next tick, so that this comes to an end.
        while (planned := _planned(services, batch, places)) is not None:
            mine = planned.patients
            if written is not None:
                _wait(written, planned)
            # Fewer are all that wait: nobody is left to be planned beside their writing.
            last = len(mine) < batch and not planned.writes.greeted_first
            if last:
                _finish(services, planned, counts)
            else:
                written = writer.submit(_finish, services, planned, counts)
            on_batch()
            known, done = mine <= done, done | mine
            if last or known:
                break
        if written is not None:
            written.result()
    counts["patients"] = len(done)
    return counts


def _wait(written: Future[None], planned: _Batch) -> None:
    """Wait for the batch before; where that failed, this one is given up and asked for again."""
    try:
        written.result()
    except BaseException:
        planned.transaction.__exit__(*sys.exc_info())
        raise


@contextmanager
def _few_collections() -> Iterator[None]:
    """Collect cycles rarely: a plan makes few, and looking for them took a sixth of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _planned(services: Services, batch: int, places: dict[UUID, ClinicFacts]) -> _Batch | None:
    """Lock the patients who wait longest and plan them; None when nobody waits.

    `places` keeps what the patients of a clinic share from one batch to the next.
    """
    now = services.now
    with ExitStack() as transaction:
        session = transaction.enter_context(services.database.transaction())
        people = enrollments.lock_due(session, now=now, limit=batch)
        if not people:
            return None
        clinics = _readable(session, set(people.values()), places)
        published = {clinic_id: clinic.protocols for clinic_id, clinic in clinics.items()}
        rows = remembered.enrolled(session, people, published, now=now)
        if not rows:
            return None
        failed = {row.patient_id for row in rows if row.clinic_id not in clinics}
        mine = [row for row in rows if row.clinic_id in clinics]
        contexts = facts.patient_contexts(
            session, services, mine, clinics, now=now, on_fault=_aside(failed)
        )
        writes = _Writes()
        for context in contexts:
            if not _plan_for_sure(context, clinics[context.row.clinic_id], writes, now):
                failed.add(context.row.id)
        for clinic_id, clinic in clinics.items():
            unmet = [each for each in writes.greeted_first if each.clinic_id == clinic_id]
            enrolling.greet(session, clinic.file, clinic.protocols, unmet, now=now)
        return _Batch(
            transaction=transaction.pop_all(),
            session=session,
            now=now,
            rows=rows,
            clinics=clinics,
            contexts=contexts,
            writes=writes,
            failed=failed,
        )


def _readable(
    session: Session, clinic_ids: set[UUID], places: dict[UUID, ClinicFacts]
) -> dict[UUID, ClinicContext]:
    """Return these clinics, without one whose file or protocols can't be read: the others go on."""
    found: dict[UUID, ClinicContext] = {}
    for clinic_id in clinic_ids:
        try:
            found[clinic_id] = facts.clinic_context(
                session, clinic_id, before=places.get(clinic_id)
            )
        except Exception:
            log.exception("clinic_not_planned", clinic_id=str(clinic_id))
    places.update({each.id: each.facts for each in found.values()})
    return found


def _aside(failed: set[UUID]) -> Callable[[UUID, Exception], None]:
    """Return what sets a patient aside who can't be planned, so that the others go on."""

    def on_fault(patient_id: UUID, error: Exception) -> None:
        log.error("patient_not_planned", patient_id=str(patient_id), exc_info=error)
        failed.add(patient_id)

    return on_fault


def _finish(services: Services, batch: _Batch, counts: Counter[str]) -> None:
    """Write what was planned, and commit."""
    session, now = batch.session, batch.now
    with batch.transaction:
        _write(session, batch.writes, now=now)
        upcoming = duties.settle(
            session, batch.contexts, batch.clinics, now=now, on_fault=_aside(batch.failed)
        )
        overtaken.settle(session, batch.contexts, now=now)
        _finish_failed(session, batch)
        rows = [row for row in batch.rows if row.patient_id not in batch.failed]
        rolls = rolling.next_rolls(rows, batch.contexts, batch.clinics, upcoming, now=now)
        numbers = batch.writes.numbers
        enrollments.planned(session, rows, rolls, through=now + HORIZON, numbers=numbers)
        services.crashpoint("plan.before_commit")
    services.crashpoint("plan.after_commit")
    writes = batch.writes
    counts.update(
        added=sum(len(texts) for _, texts in writes.new),
        moved=len(writes.moved),
        revived=len(writes.revived),
        ended=len(writes.ended),
    )


def _finish_failed(session: Session, batch: _Batch) -> None:
    """Have those who could not be planned tried again soon, and tell a person of them."""
    rows = [row for row in batch.rows if row.patient_id in batch.failed]
    again = dict.fromkeys((row.id for row in rows), batch.now + unplanned.RETRY_AFTER)
    enrollments.planned(session, rows, again, through=None)
    unplanned.tell(session, rows, batch.clinics, now=batch.now)


def _write(session: Session, writes: _Writes, *, now: datetime) -> None:
    planning.insert_texts(session, writes.new)
    planning.change_rows(session, [*writes.moved, *writes.revived], now=now)
    sending.settle(session, writes.ended, now=now)
    publishing.restamp(session, writes.restamped)


def _plan_for_sure(
    context: PatientContext, clinic: ClinicContext, writes: _Writes, now: datetime
) -> bool:
    """Plan one patient; False for one who can't be planned and must not hold up the others."""
    mine = _Writes()
    try:
        _plan_one(context, clinic, mine, now)
    except Exception:
        log.exception("patient_not_planned", patient_id=str(context.row.id))
        return False
    writes.new += mine.new
    writes.moved += mine.moved
    writes.revived += mine.revived
    writes.ended += mine.ended
    writes.numbers |= mine.numbers
    writes.restamped += mine.restamped
    writes.greeted_first += mine.greeted_first
    return True


def _plan_one(
    context: PatientContext, clinic: ClinicContext, writes: _Writes, now: datetime
) -> None:
    wanted = plan_patient(
        [each for _, each in context.enrollments],
        context.facts,
        clinic.facts,
        now=now,
        appointments=context.appointments,
        events=context.asked,
        sent=context.sent,
    )
    if not context.facts.proved and any(text.skip_reason in _AFTER_A_WELCOME for text in wanted):
        writes.greeted_first.append(context.row)
    by_enrollment: dict[str, list[PlannedText]] = defaultdict(list)
    for text in wanted:
        by_enrollment[text.enrollment_id].append(text)
    for row, enrollment in context.enrollments:
        known, texts = context.known[row.id], by_enrollment[str(row.id)]
        changes = reconcile(texts, known, now)
        number = clinic.protocols[row.protocol][1]
        edited = bool(known) and row.protocol_number != number
        if changes or edited:
            writing = _Writing(context, clinic, row, enrollment, now)
            if edited:
                writes.restamped += writing.restamped(texts, known, changes)
            writes.restamped += writing.revived(changes)
            writing.into(changes, writes)
        writes.numbers[row.id] = number


class _Writing:
    """Turns the changes of one enrollment into rows."""

    def __init__(
        self,
        context: PatientContext,
        clinic: ClinicContext,
        row: Enrollment,
        enrollment: EnrollmentFacts,
        now: datetime,
    ) -> None:
        self._now = now
        self._frame = frame_of(enrollment, context.facts, clinic.facts, now, context.appointments)
        self._steps = {step.id: step for step in enrollment.protocol.steps}
        visit = context.visits.get(row.appointment_id) if row.appointment_id else None
        self._of = NewOf(
            clinic_id=row.clinic_id,
            sender_id=clinic.sender_id,
            patient_id=row.patient_id,
            enrollment_id=row.id,
            appointment_id=row.appointment_id,
            protocol=row.protocol,
            protocol_number=clinic.protocols[row.protocol][1],
            revision=visit[0].revision if visit else None,
        )

    def into(self, changes: Changes, writes: _Writes) -> None:
        """Add what these changes write."""
        if changes.add:
            writes.new.append((self._of, [self._new(text) for text in changes.add]))
        writes.moved += [self._changed(row_id, text) for row_id, text in changes.move]
        writes.revived += [self._changed(row_id, text) for row_id, text in changes.revive]
        for row_id, reason in changes.cancel:
            status = "cancelled" if str(reason) in _WITHDRAWN else "skipped"
            writes.ended.append((row_id, status, str(reason)))

    def _prove_by(self, step: Step, text: PlannedText) -> datetime | None:
        rule = step.if_not_delivered
        if rule is None or text.nudge_for is not None:
            return None
        resolve = resolver(self._frame, step, occurrence=text.occurrence, due_at=text.due_at)
        deadline = resolve(rule.call_by)
        if deadline is None:
            return None
        # What goes only after its deadline is called at once.
        return self._now if text.due_at > deadline else rule.prove_by(deadline, text.due_at)

    def _new(self, text: PlannedText) -> NewText:
        step = self._steps[text.nudge_for or text.step]
        prove_by = self._prove_by(step, text)
        skipped = text.skip_reason
        return NewText(
            kind=_kind(step, text.step, text.template, text.nudge_for),
            occurrence=text.occurrence,
            round=text.round,
            due_at=text.due_at,
            latest_at=text.latest_at,
            anchor_at=text.anchor_at,
            answer_until=text.answer_until,
            prove_by=prove_by,
            status="planned" if skipped is None else "skipped",
            reason=_reason(text),
            final_at=None if skipped is None else self._now,
            # A text that nobody has to make good is not looked at again.
            reviewed_at=self._now if skipped is not None and prove_by is None else None,
        )

    def restamped(
        self, texts: Sequence[PlannedText], known: Sequence[ExistingRow], changes: Changes
    ) -> Iterator[Restamped]:
        """Give every unsent row that stays, with all that a new version says of it.

        What moves is taken out of the changes: it is written with these.
        """
        unsent = {(row.step, row.occurrence): row for row in known if row.may_go and not row.went}
        gone = {row_id for row_id, _ in changes.cancel}
        changes.move = [each for each in changes.move if each[1].skip_reason is not None]
        for text in texts:
            row = unsent.get((text.step, text.occurrence))
            if row is not None and row.id not in gone and text.skip_reason is None:
                yield self._restamped(row.id, text)

    def revived(self, changes: Changes) -> Iterator[Restamped]:
        """Give the rows that come back: they were withdrawn under a version that may be gone."""
        return (self._restamped(row_id, text) for row_id, text in changes.revive)

    def _restamped(self, row_id: UUID, text: PlannedText) -> Restamped:
        new = self._new(text)
        said = {**self._of._asdict(), **new._asdict(), **new.kind._asdict(), "id": row_id}
        return Restamped(**{name: said[name] for name in Restamped._fields})

    def _changed(self, row_id: UUID, text: PlannedText) -> ChangedRow:
        return ChangedRow(
            id=row_id,
            template=text.template,
            priority=text.priority,
            due_at=text.due_at,
            latest_at=text.latest_at,
            anchor_at=text.anchor_at,
            revision=self._of.revision,
            expects=_expects(text.expects),
            answer_until=text.answer_until,
            prove_by=self._prove_by(self._steps[text.nudge_for or text.step], text),
            status="planned" if text.skip_reason is None else "skipped",
            reason=_reason(text),
        )


@lru_cache(maxsize=4096)
def _kind(step: Step, name: str, template: str, nudge_for: str | None) -> NewKind:
    """Return what the texts of a step share, its nudges apart.

    With a row goes the form that its link leads to, and whether it has nudges: the acceptance of
    such a question asks for a new plan, which then holds them.
    """
    params: dict[str, object] = {"form": step.form} if step.form else {}
    if step.nudges and nudge_for is None:
        params["nudge"] = True
    return NewKind(
        step=name,
        purpose=step.purpose.value,
        priority=step.importance.priority,
        template=template,
        params=json.dumps(params),
        policy=step.unknown.value if step.unknown else None,
        expects=_expects(step.expects),
        nudge_for=nudge_for,
    )


def _reason(text: PlannedText) -> str | None:
    reason = text.skip_reason or text.moved_reason
    return reason.value if reason else None


def _expects(asked: str) -> str | None:
    return None if asked == EXPECTS_NOTHING else asked
