"""Check-ins: a question asked and its outcome: open, answered, unclear, missed, void."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index, Numeric, SmallInteger, UniqueConstraint, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, ClinicId, CreatedAt, Id, within_clinic


class CheckIn(Base):
    """One question that was sent and expects an answer. `item` is the step that asked."""

    __tablename__ = "check_in"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    patient_id: Mapped[UUID]
    message_id: Mapped[UUID]
    item: Mapped[str]
    context: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    value: Mapped[Decimal | None] = mapped_column(Numeric)
    value_text: Mapped[str | None]
    times_reasked: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    asked_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    inbound_id: Mapped[UUID | None]
    # When silence on an open question about a visit is looked at next; NULL: at once.
    next_look_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        within_clinic("message_id", "message"),
        within_clinic("inbound_id", "inbound"),
        UniqueConstraint("message_id"),
        Index("ix_check_in_open", "ends_at", postgresql_where=text("status = 'open'")),
        Index("ix_check_in_patient", "patient_id", "asked_at"),
    )


def open_for(session: Session, rows: list[dict[str, object]]) -> None:
    """Open a check-in for each question sent; one a message."""
    if rows:
        session.execute(insert(CheckIn).on_conflict_do_nothing(index_elements=["message_id"]), rows)


def look_again(session: Session, rows: Mapping[UUID, datetime]) -> None:
    """Note when these check-ins are to be looked at next; one that is being changed waits."""
    if rows:
        values = {"ids": list(rows), "ats": list(rows.values())}
        session.execute(_LOOK_AGAIN, values)


_LOOK_AGAIN = text("""
    UPDATE check_in SET next_look_at = w.at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[])) AS w(id, at)
    WHERE check_in.id = w.id AND check_in.id IN (
        SELECT id FROM check_in WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'open'
        FOR UPDATE SKIP LOCKED)
""")


def by_message(session: Session, message_id: UUID) -> CheckIn | None:
    """Return the check-in that this message asked."""
    return session.scalars(select(CheckIn).where(CheckIn.message_id == message_id)).first()


def over(session: Session, *, now: datetime, limit: int) -> list[CheckIn]:
    """Lock and return open check-ins whose time to answer has ended."""
    mine = select(CheckIn).where(CheckIn.status == "open", CheckIn.ends_at <= now)
    mine = mine.order_by(CheckIn.ends_at).limit(limit).with_for_update(skip_locked=True)
    return list(session.scalars(mine))


def of_patient(session: Session, patient_id: UUID, *, item: str, limit: int = 30) -> list[CheckIn]:
    """Return the latest check-ins of a patient for one item, the newest first."""
    mine = select(CheckIn).where(CheckIn.patient_id == patient_id, CheckIn.item == item)
    return list(session.scalars(mine.order_by(CheckIn.asked_at.desc()).limit(limit)))
