"""Forms behind a link: which texts asked for one, and that it was filled in, with its scores."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, Blind, ClinicId, CreatedAt, Id, Sealed, within_clinic
from records.checkins import CheckIn
from records.outbox import Message


class FilledForm(Base):
    """One form that a patient filled in, as it was told: append-only.

    Told once more with other scores it is a row of its own, and the last one holds.
    """

    __tablename__ = "filled_form"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    patient_id: Mapped[UUID]
    form: Mapped[str]
    filled_at: Mapped[datetime]
    scores: Mapped[Sealed]
    # A keyed hash of the scores: a file that is brought in again is known by it.
    scores_blind: Mapped[Blind]
    actor: Mapped[str]
    recorded_at: Mapped[CreatedAt] = mapped_column(server_default=text("clock_timestamp()"))

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        Index("ix_filled_form_patient", "patient_id", "form", "filled_at"),
    )


def told(session: Session, patient_id: UUID, form: str, *, at: datetime) -> FilledForm | None:
    """Return what was told last of the form that a patient filled in at that time."""
    mine = select(FilledForm).where(
        FilledForm.patient_id == patient_id,
        FilledForm.form == form,
        FilledForm.filled_at == at,
    )
    return session.scalars(mine.order_by(FilledForm.recorded_at.desc()).limit(1)).first()


def texts_about(
    session: Session, patient_id: UUID, form: str, *, since: datetime, until: datetime
) -> list[Message]:
    """Return the texts within that time that asked a patient for a form, the oldest first."""
    mine = select(Message).where(
        Message.patient_id == patient_id,
        Message.params["form"].astext == form,
        Message.attempts > 0,
        Message.due_at > since,
        func.coalesce(Message.submitted_at, Message.due_at) <= until,
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
