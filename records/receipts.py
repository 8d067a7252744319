"""Delivery receipts: stored raw under a unique key, then applied to their messages in bulk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from records.base import new_id
from records.outbox import Receipt
from records.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReceipt:
    """A stored receipt beside the message it speaks of, both locked.

    `came_back` where it speaks of an attempt that is over: the text did not arrive by it, and is
    planned again or on its way by another.
    """

    id: UUID
    sid: str
    status: str
    error_code: int | None
    attempt: int | None
    message_id: UUID | None
    clinic_id: UUID | None
    sender_id: UUID | None
    patient_id: UUID | None
    message_status: str | None
    message_reason: str | None
    message_sid: str | None
    # How many attempts the carrier took, the one it speaks of among them.
    taken: int
    latest_at: datetime | None
    came_back: bool


_CLINICS = text("SELECT id, clinic_id FROM message WHERE id = ANY(CAST(:ids AS uuid[]))")

# A receipt that beat the answer to our own call names the message; a late one may know the SID
# alone. Messages are locked in the order of their ids, as everywhere, so that nobody deadlocks.
_PENDING = text("""
    WITH pending AS (
        SELECT id, sid, status, error_code, attempt, message_id, received_at FROM receipt
        WHERE applied_at IS NULL
          -- Strangers wait outside, or enough of them would keep our own from being applied.
          AND (message_id IS NOT NULL
               OR EXISTS (SELECT 1 FROM message s WHERE s.sid = receipt.sid
                          -- One by one: else all messages would be read to know their sids.
                          OFFSET 0))
        ORDER BY received_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    SELECT r.id, r.sid, r.status, r.error_code, r.attempt, m.id AS message_id, m.clinic_id,
           m.sender_id, m.patient_id,
           m.status AS message_status, m.reason AS message_reason, m.sid AS message_sid,
           (SELECT count(*) FROM attempt t WHERE t.message_id = m.id
            AND (t.sid IS NOT NULL OR t.number = r.attempt)) AS taken, m.latest_at,
           m.sid IS NULL AND COALESCE(
               (SELECT t.sid = r.sid FROM attempt t
                WHERE t.message_id = m.id AND t.number = r.attempt), false) AS came_back
    FROM pending r
    JOIN message m ON m.id = COALESCE(r.message_id,
                                      (SELECT s.id FROM message s WHERE s.sid = r.sid))
    ORDER BY m.id, r.received_at, r.id
    FOR UPDATE OF m
""")

_APPLIED = text("""
    UPDATE receipt r SET applied_at = :now, message_id = v.message_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:messages AS uuid[])) AS v(id, message_id)
    WHERE r.id = v.id
""")

_ADVANCE = text("""
    UPDATE message m
    SET status = v.status, reason = v.reason, error_code = COALESCE(v.code, m.error_code),
        next_at = COALESCE(v.next_at, m.next_at),
        sid = CASE WHEN v.status = 'planned' THEN NULL ELSE m.sid END,
        final_at = CASE WHEN v.final THEN COALESCE(m.final_at, :now) END,
        reviewed_at = CASE WHEN v.status = 'delivered' THEN :now
                           WHEN NOT v.is_news THEN m.reviewed_at END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]),
                CAST(:codes AS int[]), CAST(:finals AS bool[]), CAST(:nexts AS timestamptz[]),
                CAST(:news AS bool[]))
         AS v(id, status, reason, code, final, next_at, is_news)
    WHERE m.id = v.id
""")


def clinics_of_messages(session: Session, message_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the clinic of each of these messages that exists."""
    rows = session.execute(_CLINICS, {"ids": list(message_ids)})
    return {row.id: row.clinic_id for row in rows}


def row(
    vault: Vault,
    *,
    clinic_id: UUID,
    message_id: UUID | None,
    attempt: int | None,
    sid: str,
    status: str,
    error_code: int | None,
    source: str,
    payload: str,
    received_at: datetime,
) -> dict[str, Any]:
    """Return a receipt as `store` takes it, its payload sealed."""
    receipt_id = new_id()
    return {
        "id": receipt_id,
        "clinic_id": clinic_id,
        "message_id": message_id,
        "attempt": attempt,
        "sid": sid,
        "status": status,
        "error_code": error_code,
        "source": source,
        "payload": vault.seal("receipt", "payload", receipt_id, payload),
        "received_at": received_at,
    }


def store(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Keep receipts as received; one that was seen before is left as it is."""
    if rows:
        session.execute(insert(Receipt).on_conflict_do_nothing(), list(rows))


def take_pending(session: Session, *, limit: int) -> list[PendingReceipt]:
    """Lock and return receipts that wait, with their messages; strangers' receipts wait on."""
    rows = session.execute(_PENDING, {"limit": limit})
    return [PendingReceipt(**row) for row in rows.mappings()]


def applied(session: Session, rows: Sequence[PendingReceipt], *, now: datetime) -> None:
    """Note that these have been applied."""
    values = {"ids": [row.id for row in rows], "messages": [row.message_id for row in rows]}
    session.execute(_APPLIED, {**values, "now": now})


# The carrier speaks of the text that has this SID, whichever of ours its address names.
_HAND_OVER = text("""
    UPDATE receipt r SET message_id = m.id, attempt = NULL
    FROM message m
    WHERE r.id = :id AND m.sid = r.sid AND m.clinic_id = r.clinic_id AND m.id <> r.message_id
""")


def hand_over(session: Session, receipt_id: UUID) -> bool:
    """Give a receipt to another message of the clinic that has its SID; return whether one has."""
    result = session.execute(_HAND_OVER, {"id": receipt_id})
    return int(getattr(result, "rowcount", 0)) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What a message becomes by the carrier's word; `next_at` when it is planned again.

    `is_news`: a person has to learn of it, also where they were called about the text before.
    """

    message_id: UUID
    status: str
    reason: str | None
    error_code: int | None
    final: bool
    next_at: datetime | None = None
    is_news: bool = False


def advance(session: Session, rows: Sequence[Advance], *, now: datetime) -> None:
    """Bring messages, locked by this transaction, to the status the carrier reports."""
    if rows:
        values = {
            "ids": [row.message_id for row in rows],
            "statuses": [row.status for row in rows],
            "reasons": [row.reason for row in rows],
            "codes": [row.error_code for row in rows],
            "finals": [row.final for row in rows],
            "nexts": [row.next_at for row in rows],
            "news": [row.is_news for row in rows],
        }
        session.execute(_ADVANCE, {**values, "now": now})


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentMessage:
    """An accepted message of which the carrier has said nothing for a while."""

    id: UUID
    clinic_id: UUID
    sid: str
    attempts: int
    accepted_at: datetime


_SILENT = text("""
    SELECT id, clinic_id, sid, attempts, accepted_at FROM message
    WHERE status IN ('accepted', 'sent') AND final_at IS NULL AND sid IS NOT NULL
      AND accepted_at <= :before
      AND (CAST(:at AS timestamptz) IS NULL OR (accepted_at, id) > (:at, CAST(:id AS uuid)))
    ORDER BY accepted_at, id LIMIT :limit
""")


def silent(
    session: Session, *, before: datetime, after: tuple[datetime, UUID] | None, limit: int
) -> list[SilentMessage]:
    """Return messages accepted before this instant that are still without a last word.

    `after` is (accepted_at, id) of the one that was asked about last: the next ones follow it.
    """
    at, last_id = after or (None, None)
    values = {"before": before, "at": at, "id": last_id, "limit": limit}
    rows = session.execute(_SILENT, values)
    return [SilentMessage(**row) for row in rows.mappings()]


_STRANGERS = text("""
    UPDATE receipt SET applied_at = :now
    WHERE applied_at IS NULL AND message_id IS NULL AND received_at <= :before
""")


def give_up_strangers(session: Session, *, now: datetime, before: datetime) -> int:
    """Stop looking for the message of receipts that never got one."""
    result = session.execute(_STRANGERS, {"now": now, "before": before})
    return int(getattr(result, "rowcount", 0))
