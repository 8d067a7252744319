"""Senders: which of them have something due, and whose turn it is to send for one.

Whoever sends for a sender holds its row, and with it the token bucket; nobody does for a safety
reply. A retired sender sends nothing: what is still planned for it goes to the clinic's present
one, whoever wrote it there and whenever.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSender:
    """A sender whose row this transaction holds, with its bucket as refilled by now."""

    id: UUID
    clinic_id: UUID
    messaging_service_sid: str | None
    from_number: str | None
    tokens: float
    clinic_version: int
    # Its breaker was open and its time is over: one text goes first, to see.
    probing: bool
    # Something of it is on its way: while probing, that one's outcome is awaited.
    busy: bool
    database_now: datetime


_TAKE_SENDER = text("SELECT 1 FROM sender WHERE id = :sender FOR UPDATE SKIP LOCKED")
# Read once the row is ours: in one statement, a pause just committed could be overlooked.
_LOCK_SENDER = text("""
    UPDATE sender s
    SET tokens = LEAST(
            GREATEST(s.segments_per_second, 1),
            s.tokens + s.segments_per_second
                * GREATEST(0, extract(epoch FROM clock_timestamp() - s.refilled_at))),
        refilled_at = clock_timestamp()
    FROM clinic c
    WHERE s.id = :sender AND c.id = s.clinic_id AND s.retired_at IS NULL
      AND (s.breaker_until IS NULL OR s.breaker_until <= :now)
      AND (c.paused_at IS NULL OR c.paused_until <= :now)
    RETURNING s.id, s.clinic_id, s.messaging_service_sid, s.from_number, s.tokens,
              c.version AS clinic_version, s.breaker_until IS NOT NULL AS probing,
              s.breaker_until IS NOT NULL AND EXISTS (
                  SELECT 1 FROM message m WHERE m.sender_id = s.id AND m.priority > 0
                  AND m.status IN ('claimed', 'submitting')) AS busy,
              clock_timestamp() AS database_now
""")

_SENDERS_DUE = text("""
    SELECT * FROM (
        SELECT s.id,
            EXISTS (SELECT 1 FROM message m WHERE m.sender_id = s.id AND m.status = 'planned'
                    AND m.priority = 0 AND m.next_at <= :now) AS safety,
            s.retired_at IS NULL AND (s.breaker_until IS NULL OR s.breaker_until <= :now)
            AND (c.paused_at IS NULL OR c.paused_until <= :now)
            AND EXISTS (SELECT 1 FROM message m WHERE m.sender_id = s.id AND m.status = 'planned'
                        AND m.priority > 0 AND m.next_at <= :now) AS others
        FROM sender s JOIN clinic c ON c.id = s.clinic_id
    ) AS due WHERE safety OR others
""")

_SPEND = text("UPDATE sender SET tokens = tokens - :spent WHERE id = :sender")


# A plan made for any `now` takes a third of all rows to be due, and reads the whole table.
_PLAN_FOR_NOW = text("SET LOCAL plan_cache_mode = force_custom_plan")


class SenderDue(NamedTuple):
    """A sender with something due: safety replies, other texts that may go now, or both."""

    id: UUID
    safety: bool
    others: bool


def due(session: Session, *, now: datetime) -> list[SenderDue]:
    """Return the senders with something due, and of which kind."""
    session.execute(_PLAN_FOR_NOW)
    return list(map(SenderDue._make, session.execute(_SENDERS_DUE, {"now": now})))


def lock(session: Session, sender_id: UUID, *, now: datetime) -> LockedSender | None:
    """Lock a sender and refill its bucket; None while another holds it, or it is held back."""
    if session.execute(_TAKE_SENDER, {"sender": sender_id}).first() is None:
        return None
    found = session.execute(_LOCK_SENDER, {"sender": sender_id, "now": now})
    row = found.mappings().first()
    return LockedSender(**row) if row else None


_PEEK_SENDER = text("""
    SELECT s.id, s.clinic_id, s.messaging_service_sid, s.from_number, s.tokens,
           c.version AS clinic_version, false AS probing, false AS busy,
           clock_timestamp() AS database_now
    FROM sender named
    JOIN sender s ON s.clinic_id = named.clinic_id AND s.retired_at IS NULL
         AND (s.id = named.id OR named.retired_at IS NOT NULL)
    JOIN clinic c ON c.id = s.clinic_id
    WHERE named.id = :sender ORDER BY s.id DESC LIMIT 1
""")


def peek(session: Session, sender_id: UUID) -> LockedSender:
    """Return a sender without its lock: a safety reply waits for nobody.

    In a retired one's place stands the clinic's present one.
    """
    row = session.execute(_PEEK_SENDER, {"sender": sender_id}).mappings().one()
    return LockedSender(**row)


def spend(session: Session, sender_id: UUID, segments: int) -> None:
    """Take the segments of what was claimed out of the bucket of a sender that is locked."""
    session.execute(_SPEND, {"sender": sender_id, "spent": segments})


# Whoever read the sender before it was retired may commit a text for it long afterwards, and one
# that was on its way comes back to it. Locked rows are left to the next turn: nobody is waited for.
_HAND_OVER = text("""
    WITH left_behind AS (
        SELECT m.id, s.clinic_id FROM sender s JOIN message m ON m.sender_id = s.id
        WHERE s.retired_at IS NOT NULL AND m.status = 'planned'
        ORDER BY m.next_at LIMIT :limit FOR UPDATE OF m SKIP LOCKED
    ), present AS (
        SELECT DISTINCT ON (clinic_id) clinic_id, id FROM sender WHERE retired_at IS NULL
        ORDER BY clinic_id, id DESC
    )
    UPDATE message m SET sender_id = present.id
    FROM left_behind JOIN present ON present.clinic_id = left_behind.clinic_id
    WHERE m.id = left_behind.id AND m.status = 'planned'
""")


def hand_over(session: Session, *, limit: int) -> int:
    """Give planned texts of retired senders, the first due first, to the clinics' present ones."""
    return int(getattr(session.execute(_HAND_OVER, {"limit": limit}), "rowcount", 0))
