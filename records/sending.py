"""The send path's statements: claim, intent, outcome. Each is one round trip for a whole chunk.

Every write is a compare-and-set on the state (and token or attempt) that the writer believes in.
Instants that guard against double sending (lease, bucket) are the database's clock; `now`, which
patients' deadlines are measured by, is the application's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from schedules.gates import NOT_NUMBERS, WELCOME

LEASE_SECONDS = 60
# Longer than the send guard (5 s) and the request's total time (15 s) together.
SUBMIT_LEASE_SECONDS = 30
BUSY_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMessage:
    """A due row with all that the recheck and the rendering need to know, read under the lock."""

    id: UUID
    clinic_id: UUID
    sender_id: UUID
    kind: str
    priority: int
    template: str
    params: dict[str, Any]
    language: str | None
    purpose: str | None
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime | None
    revision: int | None
    attempts: int
    expects: str | None
    protocol: str | None
    enrollment_id: UUID | None
    # The step whose question it asks; of a nudge that which it repeats.
    question: str | None
    occurrence: str | None
    recipient: bytes | None = field(repr=False)
    patient_id: UUID | None
    patient_phone: bytes | None = field(repr=False)
    patient_phone_blind: bytes | None = field(repr=False)
    patient_language: str | None
    patient_tag: bytes | None = field(default=None, repr=False)
    patient_zone: str | None
    patient_status: str | None
    paused_until: datetime | None
    conversation_since: datetime | None
    safe_from: time | None
    safe_until: time | None
    purposes: list[str] | None
    opt_out: str | None
    appointment_id: UUID | None
    starts_at: datetime | None
    modality: str | None
    route: str | None
    appointment_status: str | None
    appointment_revision: int | None
    appointment_details: bytes | None = field(repr=False)
    question_answered: bool
    # It went once, came back, and the plan has not looked since whether it is wanted still.
    plan_asked: bool
    busy: bool


_DUE = """
    SELECT m.id, m.clinic_id, m.sender_id, m.kind, m.priority, m.template, m.params, m.language,
           m.purpose,
           m.due_at, m.latest_at, m.anchor_at, m.revision, m.attempts, m.expects,
           m.protocol, m.enrollment_id, COALESCE(m.nudge_for, m.step) AS question, m.occurrence,
           m.recipient, m.patient_id,
           p.phone AS patient_phone, p.phone_blind AS patient_phone_blind,
           p.language AS patient_language, p.tag AS patient_tag, p.timezone AS patient_zone,
           p.status AS patient_status, p.paused_until, p.conversation_since,
           p.safe_from, p.safe_until, p.purposes, o.reason AS opt_out,
           m.appointment_id, a.starts_at, a.modality, a.route, a.status AS appointment_status,
           a.revision AS appointment_revision, a.details AS appointment_details,
           m.answered_at IS NOT NULL OR COALESCE(m.nudge_for IS NOT NULL AND (
               SELECT bool_or(q.answered_at IS NOT NULL) FROM message q
               WHERE q.enrollment_id = m.enrollment_id AND q.step = m.nudge_for
                 AND q.occurrence = m.occurrence), false) AS question_answered,
           m.attempts > 0 AND EXISTS (
               SELECT 1 FROM enrollment e WHERE e.patient_id = m.patient_id
               AND e.plan_requested_at IS NOT NULL) AS plan_asked,
           EXISTS (SELECT 1 FROM attempt t WHERE t.recipient_blind = p.phone_blind
                   AND t.clinic_id = m.clinic_id AND t.closed_at IS NULL AND t.exclusive) AS busy
    FROM message m
    LEFT JOIN patient p ON p.id = m.patient_id AND p.clinic_id = m.clinic_id
    LEFT JOIN opt_out o ON o.clinic_id = m.clinic_id AND o.phone_blind = p.phone_blind
         AND o.lifted_at IS NULL
    LEFT JOIN appointment a ON a.id = m.appointment_id AND a.clinic_id = m.clinic_id
    WHERE m.status = 'planned' AND m.next_at <= :now AND {condition}
    ORDER BY m.priority, m.next_at LIMIT :limit FOR UPDATE OF m SKIP LOCKED
"""
# Safety replies are left to the step that waits for nothing: claimed among the others they would
# share their wait for a look at the carrier's list and for slots.
_DUE_OF_SENDER = text(_DUE.format(condition="m.sender_id = :sender AND m.priority > 0"))
_DUE_SAFETY = text(_DUE.format(condition="m.sender_id = :sender AND m.priority = 0"))

_RECENT = text("""
    SELECT m.id, m.patient_id, COALESCE(m.submitted_at, m.due_at) AS at, m.priority,
           m.enrollment_id, COALESCE(m.nudge_for, m.step) AS question, m.occurrence,
           CASE WHEN m.expects <> ALL(CAST(:no_numbers AS text[])) AND m.answered_at IS NULL
                AND m.status <> 'undelivered' THEN m.answer_until END AS open_until
    FROM message m
    WHERE m.patient_id = ANY(CAST(:patients AS uuid[])) AND m.due_at > :since AND m.due_at <= :now
      AND m.kind = 'started' AND m.priority >= :counted
      AND m.status IN ('claimed', 'submitting', 'unknown', 'accepted', 'sent', 'delivered',
                       'undelivered')
""")

_CLAIM = text("""
    UPDATE message m
    SET status = 'claimed', reason = NULL, claim_token = :token, sender_id = :sender,
        lease_until = clock_timestamp() + make_interval(secs => :lease),
        recipient = v.recipient, recipient_blind = v.blind, body = v.body,
        segments = v.segments, language = v.language, tells_stop = NULLIF(v.tells_stop, false)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:recipients AS bytea[]), CAST(:blinds AS bytea[]),
                CAST(:bodies AS bytea[]), CAST(:segments AS int[]), CAST(:languages AS text[]),
                CAST(:tells AS bool[]))
         AS v(id, recipient, blind, body, segments, language, tells_stop)
    WHERE m.id = v.id AND m.status = 'planned'
""")

_INTEND = text("""
    WITH locked AS MATERIALIZED (
        -- By id alone: with the status beside it the planner reads all that is leased.
        SELECT id, clinic_id, attempts + 1 AS number, recipient_blind, kind, latest_at,
               status, claim_token
        FROM message WHERE id = ANY(CAST(:ids AS uuid[]))
        ORDER BY id FOR UPDATE
    ), mine AS (
        SELECT * FROM locked
        WHERE status = 'claimed' AND claim_token = :token
          AND (latest_at > :now OR kind = 'safety')
    ), opened AS (
        INSERT INTO attempt (message_id, number, clinic_id, recipient_blind, exclusive, host)
        SELECT id, number, clinic_id, recipient_blind, kind = 'started', :host FROM mine
        ON CONFLICT DO NOTHING
        RETURNING message_id
    )
    UPDATE message m
    SET status = CASE WHEN o.message_id IS NULL THEN 'planned' ELSE 'submitting' END,
        reason = CASE WHEN o.message_id IS NULL THEN 'recipient_busy' END,
        attempts = CASE WHEN o.message_id IS NULL THEN m.attempts ELSE mine.number END,
        submitted_at = CASE WHEN o.message_id IS NULL THEN m.submitted_at ELSE :now END,
        next_at = CASE WHEN o.message_id IS NULL
                  THEN :now + make_interval(secs => :busy) ELSE m.next_at END,
        claim_token = CASE WHEN o.message_id IS NULL THEN NULL ELSE m.claim_token END,
        lease_until = CASE WHEN o.message_id IS NULL THEN NULL
                      ELSE clock_timestamp() + make_interval(secs => :lease) END
    FROM mine LEFT JOIN opened o ON o.message_id = mine.id
    WHERE m.id = mine.id
    RETURNING m.id, m.attempts, m.status = 'submitting' AS opened
""")

_UNCLAIM = text("""
    UPDATE message SET status = 'planned', claim_token = NULL, lease_until = NULL
    WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'claimed' AND claim_token = :token
""")

_SETTLE = text("""
    UPDATE message m
    SET status = v.status, reason = v.reason, final_at = :now, claim_token = NULL,
        lease_until = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]))
         AS v(id, status, reason)
    WHERE m.id = v.id AND m.status IN ('planned', 'claimed')
""")

_POSTPONE = text("""
    UPDATE message m SET next_at = v.next_at, reason = v.reason
    FROM unnest(CAST(:ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:reasons AS text[]))
         AS v(id, next_at, reason)
    WHERE m.id = v.id AND m.status = 'planned'
""")


_DUE_COLUMNS = [column.name for column in fields(DueMessage)]


def due(
    session: Session, sender_id: UUID, *, now: datetime, limit: int, safety: bool = False
) -> list[DueMessage]:
    """Lock and return what is due now, the most urgent first: safety replies, or all else."""
    statement: TextClause = _DUE_SAFETY if safety else _DUE_OF_SENDER
    rows = session.execute(statement, {"sender": sender_id, "now": now, "limit": limit})
    return [DueMessage(**row) for row in rows.mappings()]


class RecentText(NamedTuple):
    """A started text that went, or is about to go.

    `open_until` is set while it waits for a number.
    """

    id: UUID
    patient_id: UUID
    at: datetime
    priority: int
    enrollment_id: UUID | None
    question: str
    occurrence: str
    open_until: datetime | None


def recent_texts(
    session: Session,
    patient_ids: Sequence[UUID],
    *,
    since: datetime,
    now: datetime,
    counted_from: int,
) -> list[RecentText]:
    """Return the patients' started texts since then that count towards the caps."""
    values = {"patients": list(patient_ids), "since": since, "now": now}
    more = {"counted": counted_from, "no_numbers": sorted(NOT_NUMBERS)}
    return list(map(RecentText._make, session.execute(_RECENT, values | more)))


# A text that said it counts while it may have reached the number that the patient has now, from its
# claim on: one that goes after it says it no more. What came back or ended unsent told nobody.
_TOLD_TO_STOP = text("""
    SELECT m.patient_id,
           max(CASE WHEN m.status = 'claimed' THEN :now ELSE m.submitted_at END) AS at
    FROM message m JOIN patient p ON p.id = m.patient_id AND p.clinic_id = m.clinic_id
    WHERE m.patient_id = ANY(CAST(:patients AS uuid[])) AND m.tells_stop AND m.due_at > :since
      AND m.recipient_blind = p.phone_blind
      AND m.status IN ('claimed', 'submitting', 'unknown', 'accepted', 'sent', 'delivered')
    GROUP BY m.patient_id
""")
# A text may go a day after it was due, and is looked for 30 days on.
_TOLD_WITHIN = timedelta(days=40)


def told_to_stop(
    session: Session, patient_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, datetime]:
    """Return when each of these was last told how to stop and whom to call (care rule 30).

    Whoever was not, or not for longer than the rule looks back, is left out.
    """
    values = {"patients": list(patient_ids), "now": now, "since": now - _TOLD_WITHIN}
    return {row.patient_id: row.at for row in session.execute(_TOLD_TO_STOP, values) if row.at}


# Whoever proved their number before their welcome went is told first all the same. Without a proof,
# one that came back or ended unsent told nobody. A welcome is useful for three days.
_UNWELCOMED = text("""
    SELECT p.id FROM patient p
    WHERE p.id = ANY(CAST(:patients AS uuid[])) AND (
        EXISTS (
            SELECT 1 FROM message w
            WHERE w.patient_id = p.id AND w.due_at > :since AND w.due_at <= :now
              AND w.protocol = :welcome
              AND w.status IN ('planned', 'claimed', 'submitting', 'unknown'))
        OR p.proved_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM message w
            WHERE w.patient_id = p.id AND w.tells_stop AND w.protocol = :welcome
              AND w.recipient_blind = p.phone_blind
              AND w.status IN ('accepted', 'sent', 'delivered')))
""")
_WELCOME_WITHIN = timedelta(days=4)


def unwelcomed(session: Session, patient_ids: Sequence[UUID], *, now: datetime) -> set[UUID]:
    """Return those whose welcome has yet to go to the number that they have now."""
    values = {"patients": list(patient_ids), "now": now, "since": now - _WELCOME_WITHIN}
    return set(session.scalars(_UNWELCOMED, {**values, "welcome": WELCOME}))


_END_QUESTIONS = text("""
    WITH ended AS (
        UPDATE message SET answer_until = :now
        WHERE id = ANY(CAST(:ids AS uuid[])) AND answer_until > :now
        RETURNING id
    )
    UPDATE check_in c SET ends_at = :now FROM ended
    WHERE c.message_id = ended.id AND c.status = 'open'
""")


def end_questions(session: Session, message_ids: Sequence[UUID], *, now: datetime) -> None:
    """Let the answers to these questions end now: another number is asked."""
    if message_ids:
        session.execute(_END_QUESTIONS, {"ids": list(message_ids), "now": now})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim writes into a row: the rendered text, sealed."""

    id: UUID
    recipient: bytes = field(repr=False)
    recipient_blind: bytes = field(repr=False)
    body: bytes = field(repr=False)
    segments: int
    language: str
    tells_stop: bool


def claim(session: Session, rows: Sequence[Claimed], *, sender_id: UUID, token: UUID) -> None:
    """Claim rows that this transaction holds, to go from this sender."""
    if not rows:
        return
    values = {
        "token": token,
        "sender": sender_id,
        "lease": LEASE_SECONDS,
        "ids": [row.id for row in rows],
        "recipients": [row.recipient for row in rows],
        "blinds": [row.recipient_blind for row in rows],
        "bodies": [row.body for row in rows],
        "segments": [row.segments for row in rows],
        "languages": [row.language for row in rows],
        "tells": [row.tells_stop for row in rows],
    }
    session.execute(_CLAIM, values)


def intend(
    session: Session, ids: Sequence[UUID], *, token: UUID, now: datetime, host: str
) -> dict[UUID, int]:
    """Open an attempt for each claimed row still ours; return the attempts' numbers by message.

    A row that was stopped, cancelled or whose deadline passed meanwhile is left out; one whose
    recipient has another attempt open goes back to planned for five seconds.
    """
    values = {
        "ids": list(ids),
        "token": token,
        "now": now,
        "host": host,
        "busy": BUSY_RETRY_SECONDS,
        "lease": SUBMIT_LEASE_SECONDS,
    }
    rows = session.execute(_INTEND, values)
    return {row.id: row.attempts for row in rows if row.opened}


def unclaim(session: Session, ids: Sequence[UUID], *, token: UUID) -> None:
    """Give claimed rows back: nothing was sent for them."""
    session.execute(_UNCLAIM, {"ids": list(ids), "token": token})


def settle(session: Session, endings: Sequence[tuple[UUID, str, str]], *, now: datetime) -> None:
    """End rows that were not sent: (id, status, reason) each."""
    if endings:
        ids, statuses, reasons = zip(*endings, strict=True)
        values = {"ids": list(ids), "statuses": list(statuses), "reasons": list(reasons)}
        session.execute(_SETTLE, {**values, "now": now})


def postpone(session: Session, waits: Sequence[tuple[UUID, datetime, str]]) -> None:
    """Move on when rows are looked at next: (id, instant, reason) each."""
    if waits:
        ids, instants, reasons = zip(*waits, strict=True)
        values = {"ids": list(ids), "instants": list(instants), "reasons": list(reasons)}
        session.execute(_POSTPONE, values)
