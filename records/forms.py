"""Forms behind a link: which texts asked for one, and that it was filled in."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from records.checkins import CheckIn
from records.outbox import Message


def open_texts(session: Session, patient_id: UUID, form: str, *, since: datetime) -> list[Message]:
    """Return the texts that asked a patient for a form and stand unanswered, the oldest first."""
    mine = select(Message).where(
        Message.patient_id == patient_id,
        Message.params["form"].astext == form,
        Message.attempts > 0,
        Message.answered_at.is_(None),
        Message.due_at > since,
        Message.nudge_for.is_(None),
    )
    return list(session.scalars(mine.order_by(Message.due_at)))


_REPEATS = text("""
    UPDATE message r SET answered_at = :at FROM message q
    WHERE q.id = ANY(CAST(:ids AS uuid[])) AND r.enrollment_id = q.enrollment_id
      AND r.occurrence = q.occurrence AND (r.id = q.id OR r.nudge_for = q.step) AND r.attempts > 0
""")


def mark_filled(session: Session, message_ids: Sequence[UUID], *, at: datetime) -> None:
    """Note in these texts and what repeated them that the form is done; end their check-ins."""
    if not message_ids:
        return
    session.execute(_REPEATS, {"ids": list(message_ids), "at": at})
    asked = update(CheckIn).where(CheckIn.message_id.in_(message_ids))
    session.execute(asked.values(status="answered", value_text="form", answered_at=at))
