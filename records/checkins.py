"""Check-ins: a question asked and its outcome: open, answered, unclear, missed, void."""

from collections.abc import Collection, Mapping
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


_LATEST = text("""
    SELECT c.* FROM unnest(CAST(:patients AS uuid[]), CAST(:items AS text[])) AS w(patient_id, item)
    CROSS JOIN LATERAL (
        SELECT * FROM check_in
        WHERE patient_id = w.patient_id AND item = w.item ORDER BY asked_at DESC LIMIT :limit
    ) AS c
    ORDER BY c.asked_at DESC
""")


def latest(
    session: Session, asked: Collection[tuple[UUID, str]], *, limit: int
) -> dict[tuple[UUID, str], list[CheckIn]]:
    """Return the latest check-ins of patients for one item each, the newest first."""
    found: dict[tuple[UUID, str], list[CheckIn]] = {each: [] for each in asked}
    values = {"patients": [each for each, _ in found], "items": [each for _, each in found]}
    mine = select(CheckIn).from_statement(_LATEST)
    for row in session.scalars(mine, {**values, "limit": limit}) if found else ():
        found[row.patient_id, row.item].append(row)
    return found
