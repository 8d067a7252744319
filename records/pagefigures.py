"""Figures about paging, read when Prometheus asks: counts and seconds, never an id or a person.

They are counted from the rows, so that a page taken by a command or in another process is among
them; pages are few, some thousands a year and clinic. `last_ends` alone names people, for `doctor`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from records.pages import DeliveryStatus, Page, PageDelivery
from records.worklist import SEVERITIES

#: Seconds from an item's first page to its being taken: the ladder's rungs, and beyond.
TAKEN_WITHIN = (60, 180, 300, 600, 900, 1200, 1800, 3600, 14_400)
#: A clock that came longer ago than this was overlooked: ticks come each second.
_OVERLOOKED = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigures:
    """The figures at one instant.

    `opened` is by kind and why, `deliveries` by channel and status. `taken` are cumulative counts
    of `page_now` items by `TAKEN_WITHIN`; `taken_seconds` is the sum. `untaken` are such items that
    were paged and nobody has taken. `past_clock` are items whose next look is overdue, by severity.
    """

    opened: Mapping[tuple[str, str], int]
    deliveries: Mapping[tuple[str, str], int]
    taken: tuple[int, ...]
    taken_count: int
    taken_seconds: float
    untaken: int
    past_clock: Mapping[str, int]


_OPENED = text("SELECT kind, why, count(*) FROM page GROUP BY kind, why")
_DELIVERIES = text("SELECT channel, status, count(*) FROM page_delivery GROUP BY channel, status")
_TAKEN = text(f"""
    WITH item AS (
      SELECT extract(epoch FROM min(acknowledged_at) - min(at)) AS seconds
      FROM page WHERE kind = 'item' AND severity = 'page_now' GROUP BY follow_up_id)
    SELECT count(seconds) AS taken, coalesce(sum(seconds), 0) AS total
      {"".join(f", count(*) FILTER (WHERE seconds <= {limit})" for limit in TAKEN_WITHIN)}
    FROM item
""")
_UNTAKEN = text("""
    SELECT count(*) FROM follow_up f
    WHERE f.status <> 'resolved' AND f.severity = 'page_now' AND f.run_acknowledged_at IS NULL
      AND EXISTS (SELECT 1 FROM page p WHERE p.follow_up_id = f.id)
""")
_PAST_CLOCK = text("""
    SELECT severity, count(*) FROM follow_up
    WHERE status <> 'resolved' AND (climbs_at IS NULL OR climbs_at <= :overlooked)
    GROUP BY severity
""")


def read(session: Session, *, now: datetime) -> PageFigures:
    """Return the figures at `now`, the patients' clock."""
    taken: Any = session.execute(_TAKEN).one()
    overdue = session.execute(_PAST_CLOCK, {"overlooked": now - _OVERLOOKED})
    past: dict[str, int] = {row[0]: row[1] for row in overdue}
    return PageFigures(
        opened={(row[0], row[1]): row[2] for row in session.execute(_OPENED)},
        deliveries={(row[0], row[1]): row[2] for row in session.execute(_DELIVERIES)},
        taken=tuple(taken[2:]),
        taken_count=taken.taken,
        taken_seconds=float(taken.total),
        untaken=session.scalar(_UNTAKEN) or 0,
        past_clock={name: past.get(name, 0) for name in SEVERITIES},
    )


#: What tells whether an address works.
_TOLD_OF = (DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED)


def last_ends(
    session: Session, clinic_id: UUID, *, since: datetime
) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Return how the last page to each person by each channel ended: its status and fault."""
    mine = (
        select(Page.person, PageDelivery.channel, PageDelivery.status, PageDelivery.error)
        .join(Page, Page.id == PageDelivery.page_id)
        .where(
            Page.clinic_id == clinic_id,
            Page.at >= since,
            PageDelivery.status.in_(_TOLD_OF),
        )
        .order_by(Page.at, PageDelivery.id)
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in session.execute(mine)}
