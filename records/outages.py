"""Whether a clinic's texts go out now, and if not, why: for the call list (care rule 16).

Asked on each look at the console's first page and four times a minute by the rounds, so that each
question reads a few rows by an index, whatever the number of texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from records import progress
from records.clinics import is_paused

#: The last tick of any worker, and the first one after ticks had been missing for ten minutes.
TICK, RESUMED_AT = "tick", "silent:until"
#: No tick for so long: no worker runs, or none reaches the database (seconds).
SILENT_SECONDS = 120.0
#: A text that could go, and that nobody has taken up for so long, is late.
LATE = timedelta(minutes=10)
#: The carrier takes no text for so long: it can't be reached, or has trouble of its own.
FAILING = timedelta(minutes=5)
#: So many texts ended undelivered within the hour, and none arrived since the first of them.
NOT_ARRIVED, NOT_ARRIVED_WITHIN = 5, timedelta(hours=1)
#: After an outage is over, for so long the call list is still offered.
REMEMBERED_SECONDS = 12 * 3600.0


class Outage(StrEnum):
    """Why texts do not go, the surest first."""

    BREAKER = "breaker"
    STOPPED = "stopped"
    FAILING = "failing"
    NOT_ARRIVING = "not_arriving"
    PAUSED = "paused"
    LATE = "late"
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """Texts do not go since an instant; for `resumed`, they did not go until `until`.

    `key` is the same as long as it is the same outage, so that nobody is told of it twice.
    """

    why: Outage
    since: datetime
    key: str
    until: datetime | None = None


_SENDER = text("""
    SELECT s.breaker_opened_at, s.failing_since, s.arrived_at, c.paused_at, c.paused_until,
        (SELECT min(m.next_at) FROM message m
         WHERE m.sender_id = s.id AND m.status = 'planned' AND m.next_at <= :late) AS late_since,
        (SELECT count(*) FROM message m WHERE m.clinic_id = s.clinic_id AND m.sender_id = s.id
         AND m.status IN ('failed', 'undelivered') AND m.sid IS NOT NULL
         AND m.final_at > GREATEST(:failed_since, s.arrived_at)) AS not_arrived,
        s.failing_since IS NOT NULL AND (
            EXISTS (SELECT 1 FROM message m WHERE m.sender_id = s.id AND m.status = 'planned'
                    AND m.next_at <= :soon AND m.attempts > 0)
            OR EXISTS (SELECT 1 FROM attempt t JOIN message m ON m.id = t.message_id
                       WHERE t.closed_at IS NULL AND t.outcome = 'unknown'
                         AND m.clinic_id = s.clinic_id AND m.sender_id = s.id)) AS some_wait
    FROM sender s JOIN clinic c ON c.id = s.clinic_id
    WHERE s.clinic_id = :clinic AND s.retired_at IS NULL
""")


def of_clinic(session: Session, clinic_id: UUID, *, now: datetime) -> Down | None:
    """Return why and since when a clinic's texts do not go; None while they do."""
    found = [*_of_senders(session, clinic_id, now), *_of_workers(session, now)]
    order = list(Outage)
    return min(found, key=lambda down: order.index(down.why), default=None)


def _of_workers(session: Session, now: datetime) -> Iterator[Down]:
    """What the marks of ticks say; they are kept by the database's clock."""
    ages = progress.ages(session)
    if (silent := ages.get(TICK, 0.0)) > SILENT_SECONDS:
        yield Down(why=Outage.STOPPED, since=now - timedelta(seconds=silent), key="")
    if (over := ages.get(RESUMED_AT, REMEMBERED_SECONDS)) < REMEMBERED_SECONDS:
        until = now - timedelta(seconds=over)
        lasted = timedelta(seconds=progress.details(session, RESUMED_AT).get("silent", 0))
        key = str(progress.last(session, RESUMED_AT))
        yield Down(why=Outage.RESUMED, since=until - lasted, until=until, key=key)


def _of_senders(session: Session, clinic_id: UUID, now: datetime) -> Iterator[Down]:
    hour, ago = f"{now:%Y-%m-%dT%H}", now - NOT_ARRIVED_WITHIN
    values = {"clinic": clinic_id, "late": now - LATE, "soon": now + LATE, "failed_since": ago}
    for row in session.execute(_SENDER, values):
        if (opened := row.breaker_opened_at) is not None:
            yield Down(why=Outage.BREAKER, since=opened, key=str(opened))
        if row.some_wait and row.failing_since <= now - FAILING:
            failing = row.failing_since
            yield Down(why=Outage.FAILING, since=failing, key=str(failing))
        if row.not_arrived >= NOT_ARRIVED:
            since = max(ago, row.arrived_at) if row.arrived_at else ago
            yield Down(why=Outage.NOT_ARRIVING, since=since, key=hour)
        if is_paused(row.paused_at, row.paused_until, now):
            yield Down(why=Outage.PAUSED, since=row.paused_at, key="")
        # What was due while a pause ran could go only when it had ended.
        late = row.late_since and max(row.late_since, row.paused_until or row.late_since)
        if late is not None and late <= now - LATE:
            yield Down(why=Outage.LATE, since=late, key=hour)


_TAKES = text(
    "UPDATE sender SET failing_since = NULL WHERE id = :sender AND failing_since IS NOT NULL"
)
_FAILS = text("UPDATE sender SET failing_since = :now WHERE id = :sender AND failing_since IS NULL")
# One text stands for all of a batch, and the row is written once a minute at most.
_ARRIVES = text("""
    UPDATE sender s SET arrived_at = :now FROM message m
    WHERE m.id = :message AND s.id = m.sender_id AND s.clinic_id = m.clinic_id
      AND (s.arrived_at IS NULL OR s.arrived_at < CAST(:now AS timestamptz) - interval '1 minute')
""")


def takes(session: Session, sender_id: UUID, *, through: bool, now: datetime) -> None:
    """Note that the carrier took a text of a sender's, or could take none of this batch."""
    session.execute(_TAKES if through else _FAILS, {"sender": sender_id, "now": now})


def arrives(session: Session, message_id: UUID, *, now: datetime) -> None:
    """Note that a text of this one's sender reached a phone."""
    session.execute(_ARRIVES, {"message": message_id, "now": now})
