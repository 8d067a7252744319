"""Follow-ups: what a person has to do, with an owner, a clock and an ending."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, ClinicId, CreatedAt, Id, Sealed, within_clinic


class FollowUp(Base):
    """One item of the work list. One is open at a time for each `cause`."""

    __tablename__ = "follow_up"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    patient_id: Mapped[UUID | None]
    reason: Mapped[str]
    severity: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    cause: Mapped[str]
    # Where it comes from: message, inbound, appointment or check_in, and which.
    source_kind: Mapped[str]
    source_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    snoozed_until: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    escalation_level: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    times_joined: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        within_clinic("owner_id", "staff"),
        Index(
            "uq_follow_up_open_cause",
            "clinic_id",
            "cause",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("ix_follow_up_due", "due_at", postgresql_where=text("status <> 'resolved'")),
        Index("ix_follow_up_patient", "patient_id", "opened_at"),
    )


class FollowUpEvent(Base):
    """What was done with a follow-up, by whom: append-only. Notes are sealed."""

    __tablename__ = "follow_up_event"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    follow_up_id: Mapped[UUID]
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    note: Mapped[Sealed | None]

    __table_args__ = (
        within_clinic("follow_up_id", "follow_up"),
        Index("ix_follow_up_event_follow_up", "follow_up_id", "at"),
    )


def open_item(session: Session, values: dict[str, object]) -> UUID:
    """Open a follow-up, or join the open one of the same cause and make it as urgent as this."""
    statement = insert(FollowUp).values(**values)
    open_one = FollowUp.__table__.c
    rank = "array_position(ARRAY['digest','next_business_day','call_today','page_now'], {})"
    theirs, ours = rank.format("excluded.severity"), rank.format("follow_up.severity")
    raised = text(f"CASE WHEN {theirs} > {ours} THEN excluded.severity ELSE follow_up.severity END")
    statement = statement.on_conflict_do_update(
        index_elements=["clinic_id", "cause"],
        index_where=text("status <> 'resolved'"),
        set_={
            "severity": raised,
            "due_at": text("LEAST(follow_up.due_at, excluded.due_at)"),
            "times_joined": open_one.times_joined + 1,
        },
    )
    found: UUID = session.scalars(statement.returning(FollowUp.id)).one()
    return found


def by_id(session: Session, follow_up_id: UUID) -> FollowUp | None:
    """Return and lock the follow-up with this id."""
    mine = select(FollowUp).where(FollowUp.id == follow_up_id).with_for_update()
    return session.scalars(mine).first()


def overdue(session: Session, *, now: datetime, limit: int) -> list[FollowUp]:
    """Lock and return items that are due, not resolved and not snoozed."""
    mine = select(FollowUp).where(
        FollowUp.status != "resolved",
        FollowUp.due_at <= now,
        (FollowUp.snoozed_until.is_(None)) | (FollowUp.snoozed_until <= now),
    )
    mine = mine.order_by(FollowUp.due_at).limit(limit).with_for_update(skip_locked=True)
    return list(session.scalars(mine))


def return_to_queue(session: Session, owner_id: UUID) -> list[FollowUp]:
    """Take a staff member's open items from them; return the items, now without an owner."""
    mine = select(FollowUp).where(FollowUp.owner_id == owner_id, FollowUp.status != "resolved")
    items = list(session.scalars(mine.with_for_update()))
    for item in items:
        item.owner_id = None
        item.status = "open"
    return items


def causes_seen(session: Session, clinic_id: UUID, causes: list[str]) -> set[str]:
    """Return which of these causes ever had an item, also one that is resolved by now."""
    mine = select(FollowUp.cause).where(FollowUp.clinic_id == clinic_id, FollowUp.cause.in_(causes))
    return set(session.scalars(mine))


def open_with_causes(session: Session, clinic_id: UUID, causes: list[str]) -> list[FollowUp]:
    """Lock and return the unresolved items of these causes."""
    mine = select(FollowUp).where(
        FollowUp.clinic_id == clinic_id, FollowUp.cause.in_(causes), FollowUp.status != "resolved"
    )
    return list(session.scalars(mine.order_by(FollowUp.id).with_for_update()))
