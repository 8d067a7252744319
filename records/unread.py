"""Which received texts are handled next: danger first, and no number in everybody's way.

A number's texts are handled in the order received (a later R reverses a C). Each number's first
text goes before any number's second, so that somebody's ten thousand are one place in the queue.
One pass over what waits counts each number's texts and yields the next few to handle. A look-up
per number was slower: PostgreSQL expects few texts to wait, and went over all of them for each.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.orm import Session

from records.inbox import Inbound

#: Whoever wrote of danger, was put before a person, and writes so again within this time waits for
#: those that nobody has heard yet.
HEARD_FOR = timedelta(minutes=5)
_RECEIVED_WITHIN = timedelta(hours=1)

# `nth` counts within its kind and number.
_COUNTED = """
    SELECT id, received_at, urgent, row_number() OVER (
        PARTITION BY clinic_id, from_blind, urgent ORDER BY received_at, id) AS nth
"""
_WAITS = "handled_at IS NULL AND (retry_at IS NULL OR retry_at <= :now)"
_URGENT = f"{_COUNTED} FROM inbound WHERE {_WAITS} AND urgent"
# One that is not urgent waits for an earlier text of its number that is.
_OTHERS = f"""
    SELECT id, received_at, nth FROM (
        {_COUNTED}, bool_or(urgent) OVER (
            PARTITION BY clinic_id, from_blind ORDER BY received_at, id) AS behind_urgent
        FROM inbound WHERE {_WAITS}) a
    WHERE NOT behind_urgent
"""
_PRESSING = text(f"""
    SELECT i.* FROM inbound i JOIN ({_URGENT}) w ON w.id = i.id AND w.nth = 1
    WHERE i.handled_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM inbound h
        WHERE h.clinic_id = i.clinic_id AND h.from_blind = i.from_blind
          AND h.received_at > :received_since AND h.urgent AND h.handled_at > :heard_since)
    ORDER BY i.received_at, i.id LIMIT 1 FOR UPDATE OF i SKIP LOCKED
""")


def _next(waiting: str) -> TextClause:
    # More are looked at than taken, as others may be taking the first of them.
    return text(f"""
        SELECT i.id, w.nth FROM inbound i JOIN (
            SELECT id, nth FROM ({waiting}) a
            ORDER BY nth, received_at, id LIMIT 8 * :limit) w ON w.id = i.id
        WHERE i.handled_at IS NULL
        ORDER BY w.nth, i.received_at, i.id LIMIT :limit FOR UPDATE OF i SKIP LOCKED
    """)


_NEXT_URGENT, _NEXT_OTHERS = _next(_URGENT), _next(_OTHERS)


def pressing(session: Session, *, now: datetime) -> list[Inbound]:
    """Lock and return the first urgent text, if any, of a number that nobody has heard yet."""
    values = {
        "now": now,
        "heard_since": now - HEARD_FOR,
        "received_since": now - _RECEIVED_WITHIN,
    }
    return list(session.scalars(select(Inbound).from_statement(_PRESSING), values))


def following(session: Session, *, now: datetime, limit: int, urgent: bool) -> list[Inbound]:
    """Lock and return the texts to handle next, in the order received.

    What is left of `limit` once each number's first text is taken goes to their second, and so on.
    """
    statement = _NEXT_URGENT if urgent else _NEXT_OTHERS
    found = session.execute(statement, {"now": now, "limit": limit})
    taken: dict[UUID, int] = {row.id: row.nth for row in found}
    if not taken:
        return []
    rows = session.scalars(select(Inbound).where(Inbound.id.in_(taken)))
    unbroken = _unbroken({row: taken[row.id] for row in rows})
    return sorted(unbroken, key=lambda row: (row.received_at, row.id))


def _unbroken(taken: dict[Inbound, int]) -> list[Inbound]:
    """Leave out what follows a text of its number that somebody else is handling.

    So too what is to be handled with what the text before it changes: that is read first.
    """
    kept: list[Inbound] = []
    last: dict[tuple[UUID, bytes], int] = {}
    for row, nth in sorted(taken.items(), key=lambda each: each[1]):
        number = row.clinic_id, row.from_blind
        if nth == last.get(number, 0) + 1:
            kept.append(row)
            if not row.bears_on_next:
                last[number] = nth
    return kept
