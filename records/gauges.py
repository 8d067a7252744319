"""A few figures about the whole house, read when Prometheus asks. Counts only, never an id."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from records import inbox, progress
from records.worklist import SEVERITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """The state of the flow at one instant. Ages are seconds; None where nothing is known."""

    due: int
    oldest_due_age: float
    unknown: int
    unread: int
    oldest_unread_age: float
    pending_receipts: int
    open_follow_ups: dict[str, int]
    overdue_follow_ups: int
    strays: int
    tick_age: float | None


# Each count is one range of a partial index, so that millions of future rows cost nothing.
_FIGURES = text("""
    SELECT
      (SELECT count(*) FROM message WHERE status = 'planned' AND next_at <= :now) AS due,
      (SELECT extract(epoch FROM :now - min(due_at)) FROM message
       WHERE status = 'planned' AND next_at <= :now) AS oldest_due,
      (SELECT count(*) FROM attempt WHERE closed_at IS NULL AND outcome = 'unknown') AS unknown,
      (SELECT count(*) FROM inbound WHERE handled_at IS NULL) AS unread,
      (SELECT extract(epoch FROM :now - min(received_at)) FROM inbound
       WHERE handled_at IS NULL) AS oldest_unread,
      (SELECT count(*) FROM receipt WHERE applied_at IS NULL) AS pending,
      (SELECT count(*) FROM follow_up WHERE status <> 'resolved' AND due_at <= :now) AS overdue
""")
_FOLLOW_UPS = text(
    "SELECT severity, count(*) FROM follow_up WHERE status <> 'resolved' GROUP BY severity"
)


def read(session: Session, *, now: datetime) -> Gauges:
    """Return the figures at `now` (the patients' clock; the tick's age is the database's)."""
    row: Any = session.execute(_FIGURES, {"now": now}).one()
    counted = {row[0]: row[1] for row in session.execute(_FOLLOW_UPS)}
    return Gauges(
        due=row.due,
        oldest_due_age=max(0.0, float(row.oldest_due or 0)),
        unknown=row.unknown,
        unread=row.unread,
        oldest_unread_age=max(0.0, float(row.oldest_unread or 0)),
        pending_receipts=row.pending,
        open_follow_ups={name: counted.get(name, 0) for name in SEVERITIES},
        overdue_follow_ups=row.overdue,
        strays=inbox.strays(session),
        tick_age=progress.ages(session).get("tick"),
    )
