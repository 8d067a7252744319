"""What the tick asks: one index probe for each kind of work, none of them growing with the past."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Which kinds of work wait now, senders apart."""

    replies: bool
    receipts: bool
    plans: bool
    check_ins: bool
    endings: bool
    unknown: bool
    pages: bool


_WAITING = text("""
    SELECT
        EXISTS (SELECT 1 FROM inbound WHERE handled_at IS NULL
                AND (retry_at IS NULL OR retry_at <= :now)) AS replies,
        EXISTS (SELECT 1 FROM receipt WHERE applied_at IS NULL) AS receipts,
        EXISTS (SELECT 1 FROM enrollment WHERE plan_requested_at IS NOT NULL)
            OR EXISTS (SELECT 1 FROM enrollment WHERE next_roll_at <= :now) AS plans,
        EXISTS (SELECT 1 FROM check_in WHERE status = 'open' AND ends_at <= :now) AS check_ins,
        EXISTS (SELECT 1 FROM message WHERE reviewed_at IS NULL AND final_at IS NOT NULL)
            OR EXISTS (SELECT 1 FROM message WHERE prove_by <= :now AND reviewed_at IS NULL)
            AS endings,
        EXISTS (SELECT 1 FROM attempt WHERE closed_at IS NULL AND outcome = 'unknown'
                AND next_look_at <= clock_timestamp()) AS unknown,
        EXISTS (SELECT 1 FROM follow_up WHERE status <> 'resolved' AND climbs_at <= :now)
            OR EXISTS (SELECT 1 FROM follow_up WHERE status <> 'resolved' AND climbs_at IS NULL)
            OR EXISTS (SELECT 1 FROM page_delivery WHERE next_at <= :now) AS pages
""")


def waiting(session: Session, *, now: datetime) -> Waiting:
    """Return which kinds of work wait now."""
    return Waiting(**session.execute(_WAITING, {"now": now}).mappings().one())
