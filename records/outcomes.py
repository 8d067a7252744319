"""What became of attempts: outcomes in bulk, receipts, and the sweeps that settle the rest.

A late truth always wins: an acceptance found after the row was given up still corrects it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRow:
    """The carrier took attempt `number` of a message under `sid`."""

    message_id: UUID
    number: int
    sid: str
    segments: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRow:
    """An attempt ended without a text: what the attempt says and what becomes of the message.

    `status` is the message's new status; `next_at` says when a planned one is tried again.
    `is_news`: a person has to learn of it, also where they were called about the text before.
    """

    message_id: UUID
    number: int
    outcome: str
    status: str
    reason: str
    next_at: datetime | None = None
    error_code: int | None = None
    http_status: int | None = None
    is_news: bool = False


# Of a clinic `c`. A file that holds no number there may not stop the texts of others.
_GRACE = """
    CASE WHEN jsonb_typeof(c.settings #> '{unknown,grace_seconds}') = 'number'
         THEN (c.settings #>> '{unknown,grace_seconds}')::float8 ELSE 180 END
"""

# The statuses from which an acceptance still moves a message: all that don't know of one yet.
_BEFORE_ACCEPTANCE = """
    (m.status IN ('submitting', 'unknown', 'planned', 'claimed')
     OR (m.status IN ('failed', 'expired', 'cancelled') AND m.sid IS NULL AND m.attempts > 0))
"""

_ACCEPT = text(f"""
    WITH v AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[]),
                             CAST(:sids AS text[]), CAST(:segments AS int[]))
        AS v(id, number, sid, segments)
    ), closed AS (
        UPDATE attempt t SET outcome = 'accepted', sid = v.sid, closed_at = clock_timestamp()
        FROM v WHERE t.message_id = v.id AND t.number = v.number AND t.sid IS NULL
    ), beside AS (
        -- A later attempt is still on its way: no sweep would look for it once this row has moved,
        -- and while it is open its recipient gets nothing else.
        UPDATE attempt t SET outcome = 'unknown', next_look_at = t.intent_at + make_interval(
            secs => {_GRACE})
        FROM v, clinic c
        WHERE c.id = t.clinic_id AND t.message_id = v.id AND t.number > v.number
          AND t.outcome IS NULL
          AND NOT EXISTS (SELECT 1 FROM v own WHERE own.id = t.message_id AND own.number = t.number)
    ), moved AS (
        UPDATE message m
        SET status = CASE WHEN {_BEFORE_ACCEPTANCE} THEN 'accepted' ELSE m.status END,
            reason = CASE WHEN {_BEFORE_ACCEPTANCE} THEN NULL ELSE m.reason END,
            final_at = CASE WHEN {_BEFORE_ACCEPTANCE} THEN NULL ELSE m.final_at END,
            sid = COALESCE(m.sid, v.sid),
            accepted_at = COALESCE(m.accepted_at, :now),
            segments = COALESCE(NULLIF(v.segments, 0), m.segments),
            claim_token = NULL, lease_until = NULL
        FROM v WHERE m.id = v.id
        RETURNING m.id, m.clinic_id, m.patient_id, m.enrollment_id, m.params, m.step, m.expects,
                  m.answer_until
    ), nudging AS (
        -- A question that is repeated when it stands unanswered: its repeat is planned now.
        UPDATE enrollment e SET plan_requested_at = clock_timestamp()
        FROM moved WHERE e.id = moved.enrollment_id AND moved.params ? 'nudge'
    )
    INSERT INTO check_in (id, clinic_id, patient_id, message_id, item, context, asked_at, ends_at)
    SELECT uuidv7(), clinic_id, patient_id, id, step, expects, :now, answer_until FROM moved
    WHERE expects IS NOT NULL AND patient_id IS NOT NULL AND answer_until > :now
    ON CONFLICT (message_id) DO NOTHING
""")

_END = text(f"""
    WITH v AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[]),
            CAST(:outcomes AS text[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]),
            CAST(:nexts AS timestamptz[]), CAST(:codes AS int[]), CAST(:https AS int[]),
            CAST(:news AS bool[]))
        AS v(id, number, outcome, status, reason, next_at, code, http, is_news)
    ), ended AS (
        UPDATE attempt t
        SET outcome = v.outcome, error_code = v.code, http_status = v.http,
            closed_at = CASE WHEN v.outcome = 'unknown' THEN NULL ELSE clock_timestamp() END,
            next_look_at = CASE WHEN v.outcome = 'unknown' THEN t.intent_at + make_interval(
                secs => {_GRACE}
                        * (1 + random() * 0.1)) END
        FROM v, clinic c
        WHERE c.id = t.clinic_id AND t.message_id = v.id AND t.number = v.number
          AND t.closed_at IS NULL AND t.outcome IS NULL
        RETURNING t.message_id, t.number
    )
    UPDATE message m
    SET status = v.status, reason = v.reason, error_code = v.code,
        -- However long the carrier asks to wait, it ends once it is too late.
        next_at = LEAST(COALESCE(v.next_at, m.next_at),
                        CASE WHEN m.kind <> 'safety' THEN m.latest_at END),
        final_at = CASE WHEN v.status IN ('failed', 'expired', 'cancelled') THEN :now END,
        reviewed_at = CASE WHEN NOT v.is_news THEN m.reviewed_at END,
        claim_token = NULL, lease_until = NULL
    FROM v JOIN ended e ON e.message_id = v.id AND e.number = v.number
    WHERE m.id = v.id AND m.attempts = v.number AND m.status = 'submitting'
    RETURNING m.id
""")


def accept(session: Session, rows: Sequence[AcceptedRow], *, now: datetime) -> None:
    """Record that the carrier took these; questions among them open their check-ins."""
    if rows:
        values = {
            "ids": [row.message_id for row in rows],
            "numbers": [row.number for row in rows],
            "sids": [row.sid for row in rows],
            "segments": [row.segments for row in rows],
        }
        session.execute(_ACCEPT, {**values, "now": now})


def end(session: Session, rows: Sequence[EndedRow], *, now: datetime) -> None:
    """Record attempts that ended without a text, or without a word from the carrier.

    An unknown one is looked for after the clinic's grace from its intent (the database's clock).
    """
    if rows:
        values = {
            "ids": [row.message_id for row in rows],
            "numbers": [row.number for row in rows],
            "outcomes": [row.outcome for row in rows],
            "statuses": [row.status for row in rows],
            "reasons": [row.reason for row in rows],
            "nexts": [row.next_at for row in rows],
            "codes": [row.error_code for row in rows],
            "https": [row.http_status for row in rows],
            "news": [row.is_news for row in rows],
        }
        session.execute(_END, {**values, "now": now})


_REFUSALS = text("""
    SELECT v.id, count(*) FROM unnest(CAST(:ids AS uuid[]), CAST(:codes AS int[])) AS v(id, code)
    JOIN attempt t ON t.message_id = v.id AND t.outcome = 'refused'
        AND t.error_code IS NOT DISTINCT FROM v.code
    GROUP BY v.id
""")


def refusals(session: Session, codes: Mapping[UUID, int | None]) -> dict[UUID, int]:
    """Return how many attempts of these messages were refused with each one's code."""
    values = {"ids": list(codes.keys()), "codes": list(codes.values())}
    return {row[0]: row[1] for row in session.execute(_REFUSALS, values)}


_OPEN_BREAKER = text("""
    UPDATE sender SET breaker_opened_at = COALESCE(breaker_opened_at, :now),
        breaker_until = :until, breaker_reason = :reason
    WHERE id = :sender AND (breaker_until IS NULL OR breaker_until < :until)
""")
_CLOSE_BREAKER = text("""
    UPDATE sender SET breaker_opened_at = NULL, breaker_until = NULL, breaker_reason = NULL
    WHERE id = :sender AND breaker_until <= :now
""")


def open_breaker(
    session: Session, sender_id: UUID, *, reason: str, now: datetime, until: datetime
) -> None:
    """Hold back a sender until then; safety replies still go.

    No other of its clinic's: what the carrier says of a number given up is no fault of the new one.
    """
    values = {"sender": sender_id, "reason": reason, "now": now, "until": until}
    session.execute(_OPEN_BREAKER, values)


def close_breaker(session: Session, sender_id: UUID, *, now: datetime) -> None:
    """Forget a breaker whose time is over, after a text went through."""
    session.execute(_CLOSE_BREAKER, {"sender": sender_id, "now": now})


# --- sweeps: each is a compare-and-set and returns how many rows it moved -------------------------

_RETURN_CLAIMS = text("""
    UPDATE message SET status = 'planned', claim_token = NULL, lease_until = NULL,
        reason = 'claim_ran_out'
    WHERE id IN (SELECT id FROM message WHERE status = 'claimed'
                 AND lease_until < clock_timestamp() ORDER BY lease_until LIMIT :limit
                 FOR UPDATE SKIP LOCKED)
      AND status = 'claimed'
""")

_LOSE_TRACK = text(f"""
    WITH lost AS (
        SELECT id, attempts FROM message WHERE status = 'submitting'
          AND lease_until < clock_timestamp() ORDER BY lease_until LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ), marked AS (
        UPDATE attempt t SET outcome = 'unknown', next_look_at = t.intent_at + make_interval(
            secs => {_GRACE})
        FROM lost, clinic c
        WHERE c.id = t.clinic_id AND t.message_id = lost.id AND t.number = lost.attempts
          AND t.outcome IS NULL
    )
    UPDATE message m SET status = 'unknown', reason = 'worker_lost', claim_token = NULL,
        lease_until = NULL
    FROM lost WHERE m.id = lost.id AND m.status = 'submitting' AND m.attempts = lost.attempts
""")

_EXPIRE = text("""
    UPDATE message SET status = 'expired', reason = 'too_late', final_at = :now
    WHERE id IN (SELECT m.id FROM sender s JOIN message m ON m.sender_id = s.id
                 WHERE m.status = 'planned' AND m.next_at <= :now AND m.latest_at <= :now
                   AND m.priority > 0
                 ORDER BY m.next_at LIMIT :limit FOR UPDATE OF m SKIP LOCKED)
      AND status = 'planned'
""")

_NO_RECEIPT = text("""
    UPDATE message SET final_at = :now, reason = 'no_receipt'
    WHERE id IN (SELECT id FROM message WHERE status IN ('accepted', 'sent')
                 AND final_at IS NULL AND accepted_at <= :before ORDER BY accepted_at
                 LIMIT :limit FOR UPDATE SKIP LOCKED)
      AND status IN ('accepted', 'sent')
""")


def return_claims(session: Session, *, limit: int) -> int:
    """Plan again what was claimed by a process that is gone: nothing was sent for it."""
    return _count(session.execute(_RETURN_CLAIMS, {"limit": limit}))


def lose_track(session: Session, *, limit: int) -> int:
    """Call unknown what a process that is gone was sending: maybe it was sent."""
    return _count(session.execute(_LOSE_TRACK, {"limit": limit}))


def expire_overdue(session: Session, *, now: datetime, limit: int) -> int:
    """Expire due rows past their latest instant, also those of a paused or broken sender."""
    return _count(session.execute(_EXPIRE, {"now": now, "limit": limit}))


def give_up_receipts(session: Session, *, now: datetime, before: datetime, limit: int) -> int:
    """Close rows of which the carrier has said nothing more since `before`."""
    values = {"now": now, "before": before, "limit": limit}
    return _count(session.execute(_NO_RECEIPT, values))


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownAttempt:
    """An attempt whose outcome nobody knows, with what is needed to look for it."""

    message_id: UUID
    clinic_id: UUID
    number: int
    looks: int
    # How many of the message's attempts may have sent it, this one among them.
    maybe_sent: int
    intent_at: datetime
    submitted_at: datetime
    latest_at: datetime
    policy: str | None
    sender_id: UUID
    patient_id: UUID | None
    recipient: bytes = field(repr=False)
    body: bytes = field(repr=False)


_TAKE_UNKNOWN = text("""
    WITH taken AS (
        UPDATE attempt t
        SET next_look_at = clock_timestamp() + make_interval(secs => :recheck)
        WHERE (t.message_id, t.number) IN (
            SELECT message_id, number FROM attempt
            WHERE closed_at IS NULL AND outcome = 'unknown'
              AND next_look_at <= clock_timestamp()
              AND (CAST(:clinic AS uuid) IS NULL OR clinic_id = :clinic)
            ORDER BY next_look_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING t.message_id, t.clinic_id, t.number, t.looks, t.intent_at
    )
    SELECT taken.*, m.submitted_at, m.latest_at, m.policy, m.sender_id, m.patient_id,
           m.recipient, m.body,
           (SELECT count(*) FROM attempt o WHERE o.message_id = taken.message_id
            AND o.outcome IN ('unknown', 'absent')) AS maybe_sent
    FROM taken JOIN message m ON m.id = taken.message_id AND m.clinic_id = taken.clinic_id
""")


def take_unknown(
    session: Session, *, clinic_id: UUID | None, recheck_seconds: float, limit: int
) -> list[UnknownAttempt]:
    """Return unknown attempts to look for now; each comes up again after `recheck_seconds`."""
    values = {"clinic": clinic_id, "recheck": recheck_seconds, "limit": limit}
    rows = session.execute(_TAKE_UNKNOWN, values)
    return [UnknownAttempt(**row) for row in rows.mappings()]


# A look at many numbers may take longer than it is to be apart from the next one.
_ABSENT_ONCE = text("""
    UPDATE attempt SET looks = looks + 1,
        next_look_at = clock_timestamp() + make_interval(secs => :recheck)
    WHERE message_id = :id AND number = :number AND looks = :looks AND closed_at IS NULL
""")

_CLOSE_UNKNOWN = text("""
    WITH closed AS (
        UPDATE attempt SET outcome = :outcome, closed_at = clock_timestamp(), looks = looks + 1
        WHERE message_id = :id AND number = :number AND looks = :looks AND closed_at IS NULL
        RETURNING message_id
    )
    UPDATE message m
    SET status = :status, reason = :reason, next_at = COALESCE(:next_at, m.next_at),
        final_at = CASE WHEN :status = 'planned' THEN NULL
                        ELSE CAST(:now AS timestamptz) END
    FROM closed WHERE m.id = closed.message_id AND m.status = 'unknown' AND m.attempts = :number
""")

_SIDS_TAKEN = text("SELECT sid FROM attempt WHERE sid = ANY(CAST(:sids AS text[]))")


def absent(session: Session, unknown: UnknownAttempt, *, recheck_seconds: float) -> None:
    """Note one look that did not find the text; the next one is that much later."""
    values = {"id": unknown.message_id, "number": unknown.number, "looks": unknown.looks}
    session.execute(_ABSENT_ONCE, {**values, "recheck": recheck_seconds})


def close_unknown(
    session: Session,
    unknown: UnknownAttempt,
    *,
    outcome: str,
    status: str,
    reason: str,
    now: datetime,
    next_at: datetime | None = None,
) -> bool:
    """Settle an unknown that was not found: planned again, or failed in front of a person."""
    values = {"id": unknown.message_id, "number": unknown.number, "looks": unknown.looks}
    values |= {"outcome": outcome, "status": status, "reason": reason}
    result = session.execute(_CLOSE_UNKNOWN, {**values, "now": now, "next_at": next_at})
    return _count(result) == 1


def sids_attached(session: Session, sids: Sequence[str]) -> set[str]:
    """Return which of these SIDs belong to attempts already."""
    return set(session.scalars(_SIDS_TAKEN, {"sids": list(sids)}))
