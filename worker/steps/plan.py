"""Planning: patients whose plan may have changed, and the daily roll of the horizon.

The pure planner says what is wanted; this step compares it with the rows and adds, moves, cancels
or revives. A patient is planned by one process at a time, in batches of one transaction each.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from records import enrollments, planning, sending
from records.base import Session, database_now
from records.enrollments import Enrollment
from records.planning import ChangedRow, NewRow
from schedules.facts import EnrollmentFacts, PlannedText, VisitStatus
from schedules.moments import frame_of
from schedules.planner import HORIZON, plan_patient
from schedules.protocol import Protocol, Step
from schedules.reasons import CancelReason
from schedules.reconcile import Changes, ExistingRow, reconcile
from schedules.resolving import resolver
from worker import duties, facts
from worker.facts import ClinicContext, PatientContext
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

BATCH = 100
# The horizon is drawn forward once a day, each enrollment at an hour of its own.
_ROLL_EVERY = timedelta(hours=24)
_NOTHING_AFTER_VISIT = timedelta(days=3)
_WITHDRAWN = frozenset(reason.value for reason in CancelReason)


@dataclass(slots=True, kw_only=True)
class _Writes:
    """What one batch writes, gathered so that each kind is one statement."""

    new: list[NewRow] = field(default_factory=list)
    moved: list[ChangedRow] = field(default_factory=list)
    revived: list[ChangedRow] = field(default_factory=list)
    ended: list[tuple[UUID, str, str]] = field(default_factory=list)


def run(services: Services, *, batch: int = BATCH) -> Counter[str]:
    """Plan until nobody waits to be planned; return what was written."""
    counts: Counter[str] = Counter()
    done: set[UUID] = set()
    # Who was marked again meanwhile is left to the next tick, so that this comes to an end.
    while (planned := _plan_batch(services, batch, counts)) - done:
        done |= planned
    counts["patients"] = len(done)
    return counts


def _plan_batch(services: Services, batch: int, counts: Counter[str]) -> set[UUID]:
    now = services.now
    with services.database.transaction() as session:
        waiting = enrollments.patients_to_plan(session, now=now, limit=batch)
        if not waiting:
            return set()
        seen_at = database_now(session)
        rows = enrollments.lock_of_patients(session, waiting)
        clinics = {
            clinic_id: facts.clinic_context(session, clinic_id)
            for clinic_id in {row.clinic_id for row in rows}
        }
        contexts = facts.patient_contexts(session, services, rows, clinics, now=now)
        writes = _Writes()
        for context in contexts:
            _plan_for_sure(context, clinics[context.row.clinic_id], writes, now)
        _write(session, writes, now=now)
        upcoming = duties.settle(session, contexts, clinics, now=now)
        ends = _ends(contexts)
        done = [_done(row, ends.get(row.id), upcoming.get(row.id), seen_at, now) for row in rows]
        enrollments.planned(session, done)
        services.crashpoint("plan.before_commit")
    services.crashpoint("plan.after_commit")
    counts.update(
        added=len(writes.new),
        moved=len(writes.moved),
        revived=len(writes.revived),
        ended=len(writes.ended),
    )
    return {row.patient_id for row in rows}


def _write(session: Session, writes: _Writes, *, now: datetime) -> None:
    planning.insert_rows(session, writes.new)
    planning.change_rows(session, [*writes.moved, *writes.revived], now=now)
    sending.settle(session, writes.ended, now=now)


def _plan_for_sure(
    context: PatientContext, clinic: ClinicContext, writes: _Writes, now: datetime
) -> None:
    """Plan one patient; one who can't be planned is told of and does not hold up the others."""
    mine = _Writes()
    try:
        _plan_one(context, clinic, mine, now)
    except Exception:
        log.exception("patient_not_planned", patient_id=str(context.row.id))
        return
    writes.new += mine.new
    writes.moved += mine.moved
    writes.revived += mine.revived
    writes.ended += mine.ended


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
    by_enrollment: dict[str, list[PlannedText]] = defaultdict(list)
    for text in wanted:
        by_enrollment[text.enrollment_id].append(text)
    for row, enrollment in context.enrollments:
        existing = [_existing(one) for one in context.known[row.id]]
        changes = reconcile(by_enrollment[str(row.id)], existing, now)
        if changes:
            _Writing(context, clinic, row, enrollment, now).into(changes, writes)


def _existing(row: planning.KnownRow) -> ExistingRow:
    return ExistingRow(
        id=str(row.id),
        step=row.step,
        occurrence=row.occurrence,
        round=row.round,
        status=row.status,
        attempts=row.attempts,
        due_at=row.due_at,
        latest_at=row.latest_at,
        anchor_at=row.anchor_at,
        template=row.template,
        reason=row.reason,
    )


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
        self._context, self._clinic, self._row, self._now = context, clinic, row, now
        self._protocol: Protocol = enrollment.protocol
        self._frame = frame_of(enrollment, context.facts, clinic.facts, now, context.appointments)
        visit = context.visits.get(row.appointment_id) if row.appointment_id else None
        self._revision = visit[0].revision if visit else None

    def into(self, changes: Changes, writes: _Writes) -> None:
        """Add what these changes write."""
        writes.new += [self._new(text) for text in changes.add]
        writes.moved += [self._changed(row_id, text) for row_id, text in changes.move]
        writes.revived += [self._changed(row_id, text) for row_id, text in changes.revive]
        for row_id, reason in changes.cancel:
            status = "cancelled" if str(reason) in _WITHDRAWN else "skipped"
            writes.ended.append((UUID(row_id), status, str(reason)))

    def _step(self, text: PlannedText) -> Step | None:
        return self._protocol.step(text.nudge_for or text.step)

    def _prove_by(self, text: PlannedText) -> datetime | None:
        step = self._step(text)
        rule = step.if_not_delivered if step is not None else None
        if step is None or rule is None or text.nudge_for is not None:
            return None
        resolve = resolver(self._frame, step, occurrence=text.occurrence, due_at=text.due_at)
        deadline = resolve(rule.call_by)
        if deadline is None:
            return None
        # What goes only after its deadline is called at once.
        unproved = timedelta(minutes=rule.unproved_minutes)
        return self._now if text.due_at > deadline else deadline - unproved

    def _new(self, text: PlannedText) -> NewRow:
        step = self._step(text)
        prove_by = self._prove_by(text)
        skipped = text.skip_reason
        nudges = step is not None and step.nudge is not None and text.nudge_for is None
        return NewRow(
            clinic_id=self._row.clinic_id,
            sender_id=self._clinic.sender_id,
            patient_id=self._row.patient_id,
            enrollment_id=self._row.id,
            appointment_id=self._row.appointment_id,
            protocol=self._row.protocol,
            protocol_number=self._clinic.protocols[self._row.protocol][1],
            step=text.step,
            occurrence=text.occurrence,
            round=text.round,
            purpose=text.purpose.value,
            priority=text.priority,
            template=text.template,
            params=_NUDGED if nudges else "{}",
            due_at=text.due_at,
            latest_at=text.latest_at,
            anchor_at=text.anchor_at,
            revision=self._revision,
            policy=text.unknown_policy.value if text.unknown_policy else None,
            expects=_expects(text),
            answer_until=text.answer_until,
            nudge_for=text.nudge_for,
            prove_by=prove_by,
            status="planned" if skipped is None else "skipped",
            reason=_reason(text),
            final_at=None if skipped is None else self._now,
            # A text that nobody has to make good is not looked at again.
            reviewed_at=self._now if skipped is not None and prove_by is None else None,
        )

    def _changed(self, row_id: str, text: PlannedText) -> ChangedRow:
        return ChangedRow(
            id=UUID(row_id),
            template=text.template,
            priority=text.priority,
            due_at=text.due_at,
            latest_at=text.latest_at,
            anchor_at=text.anchor_at,
            revision=self._revision,
            expects=_expects(text),
            answer_until=text.answer_until,
            prove_by=self._prove_by(text),
            status="planned" if text.skip_reason is None else "skipped",
            reason=_reason(text),
        )


# The acceptance of such a question asks for a new plan, which then holds its nudge.
_NUDGED = json.dumps({"nudge": True})


def _reason(text: PlannedText) -> str | None:
    reason = text.skip_reason or text.moved_reason
    return reason.value if reason else None


def _expects(text: PlannedText) -> str | None:
    return None if text.expects == "none" else text.expects


def _ends(contexts: Sequence[PatientContext]) -> dict[UUID, datetime]:
    """Return, by enrollment for a visit, after when nothing of it can come any more."""
    ends = {}
    for context in contexts:
        for row, enrollment in context.enrollments:
            visit = enrollment.appointment
            if visit is not None and visit.status is VisitStatus.CANCELLED:
                ends[row.id] = visit.cancelled_at or visit.booked_at
            elif visit is not None:
                reach = timedelta(days=enrollment.protocol.reach_days)
                ends[row.id] = visit.starts_at + reach + _NOTHING_AFTER_VISIT
    return ends


def _done(
    row: Enrollment,
    end: datetime | None,
    next_duty: datetime | None,
    seen_at: datetime,
    now: datetime,
) -> dict[str, object]:
    over = row.status != "active" or (end is not None and end < now)
    roll = None if over else now + _ROLL_EVERY - timedelta(seconds=row.id.int % 3600)
    if next_duty is not None:
        roll = min(roll or next_duty, next_duty)
    return {
        "b_id": row.id,
        "b_seen": seen_at,
        "b_roll": roll,
        "b_through": now + HORIZON,
    }
