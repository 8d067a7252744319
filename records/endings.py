"""Texts that ended without arriving, or are not proved to have arrived in time: for a person."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from records.outbox import Message
from schedules.reasons import SkipReason


def take_ended(session: Session, *, limit: int) -> list[Message]:
    """Lock and return texts that ended and were not looked at since."""
    mine = select(Message).where(Message.reviewed_at.is_(None), Message.final_at.is_not(None))
    mine = mine.order_by(Message.final_at).limit(limit)
    return list(session.scalars(mine.with_for_update(skip_locked=True)))


def take_unproved(session: Session, *, now: datetime, limit: int) -> list[Message]:
    """Lock and return texts under way whose delivery had to be proved by now."""
    mine = select(Message).where(
        Message.prove_by <= now, Message.reviewed_at.is_(None), Message.final_at.is_(None)
    )
    mine = mine.order_by(Message.prove_by).limit(limit)
    return list(session.scalars(mine.with_for_update(skip_locked=True)))


def reviewed(session: Session, message_ids: Sequence[UUID], *, now: datetime) -> None:
    """Note that these have been looked at."""
    session.execute(update(Message).where(Message.id.in_(message_ids)).values(reviewed_at=now))


def statuses_of_visits(
    session: Session, appointment_ids: Collection[UUID]
) -> dict[UUID, list[str]]:
    """Return the statuses of all texts started for these visits.

    One whose texts those of an earlier visit that day stand for is left out.
    """
    found: dict[UUID, list[str]] = {each: [] for each in appointment_ids}
    columns = (Message.appointment_id, Message.status, Message.kind, Message.reason)
    mine = select(*columns).where(Message.appointment_id.in_(found))
    spoken_for = set()
    for visit_id, status, kind, reason in session.execute(mine) if found else ():
        if reason == SkipReason.SAME_DAY:
            spoken_for.add(visit_id)
        elif visit_id is not None and kind == "started":
            found[visit_id].append(status)
    return {each: statuses for each, statuses in found.items() if each not in spoken_for}
