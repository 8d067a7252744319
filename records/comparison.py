"""What the nightly comparison asks: which of the carrier's texts are ours, and which it lacks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class OurText:
    """A message that has one of these SIDs, and whether its last word is still awaited."""

    id: UUID
    clinic_id: UUID
    number: int
    sid: str
    awaiting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LostAttempt:
    """An attempt of which nobody knew whether it went, given up by now."""

    message_id: UUID
    number: int
    recipient_blind: bytes
    due_at: datetime
    submitted_at: datetime
    body: bytes = field(repr=False)


_OURS = text("""
    SELECT m.id, m.clinic_id, t.number, t.sid,
           m.sid = t.sid AND m.status IN ('accepted', 'sent') AS awaiting
    FROM attempt t JOIN message m ON m.id = t.message_id
    WHERE t.sid = ANY(CAST(:sids AS text[]))
""")

_LOST = text("""
    SELECT t.message_id, t.number, t.recipient_blind, m.due_at, m.submitted_at, m.body
    FROM attempt t JOIN message m ON m.id = t.message_id
    WHERE t.outcome IN ('unknown', 'absent') AND t.sid IS NULL AND m.sid IS NULL
      AND m.status = 'failed' AND m.reason = 'outcome_unknown'
      AND m.submitted_at >= :since AND m.submitted_at < :until AND m.body IS NOT NULL
    ORDER BY t.intent_at
""")

_ACCEPTED = text("""
    SELECT sid FROM message
    WHERE accepted_at >= :since AND accepted_at < :until AND sid IS NOT NULL
    ORDER BY accepted_at LIMIT :limit
""")


def ours(session: Session, sids: Sequence[str]) -> dict[str, OurText]:
    """Return which of these SIDs belong to texts of ours."""
    rows = session.execute(_OURS, {"sids": list(sids)}).mappings()
    return {row["sid"]: OurText(**row) for row in rows}


def lost(session: Session, *, since: datetime, until: datetime) -> list[LostAttempt]:
    """Return attempts between these instants that ended as "may have been sent"."""
    rows = session.execute(_LOST, {"since": since, "until": until})
    return [LostAttempt(**row) for row in rows.mappings()]


def accepted(session: Session, *, since: datetime, until: datetime, limit: int) -> list[str]:
    """Return the SIDs of what the carrier took between these instants, as we have it."""
    values = {"since": since, "until": until, "limit": limit}
    return list(session.scalars(_ACCEPTED, values))
