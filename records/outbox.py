"""Outbound messages: one row for every text that is planned, sent, skipped or answered with.

A row's identity is (enrollment, step, occurrence, round), never a due time. Its state history is
written by a trigger of the database, so that no code path can forget it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Identity, Index, SmallInteger, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, Blind, ClinicId, CreatedAt, Id, Sealed, within_clinic


class Message(Base):
    """One text to one patient. Kinds: started (by us), answer (to their text), safety."""

    __tablename__ = "message"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    sender_id: Mapped[UUID]
    patient_id: Mapped[UUID | None]
    enrollment_id: Mapped[UUID | None]
    appointment_id: Mapped[UUID | None]
    inbound_id: Mapped[UUID | None]
    protocol: Mapped[str | None]
    protocol_number: Mapped[int | None]
    step: Mapped[str]
    occurrence: Mapped[str] = mapped_column(server_default=text("''"))
    round: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    kind: Mapped[str] = mapped_column(server_default=text("'started'"))
    purpose: Mapped[str | None]
    priority: Mapped[int] = mapped_column(SmallInteger)
    template: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    language: Mapped[str | None]
    due_at: Mapped[datetime]
    latest_at: Mapped[datetime]
    # When it is next looked at: due_at, moved on by back-off or a busy recipient.
    next_at: Mapped[datetime]
    anchor_at: Mapped[datetime | None]
    revision: Mapped[int | None]
    policy: Mapped[str | None]
    expects: Mapped[str | None]
    answer_until: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    # The step whose question this text repeats; once that is answered, this is not sent.
    nudge_for: Mapped[str | None]
    # When a person must call if delivery is not proved by then (care rule 2).
    prove_by: Mapped[datetime | None]
    # When the follow-ups step has seen how this text ended.
    reviewed_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default=text("'planned'"))
    reason: Mapped[str | None]
    claim_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    recipient: Mapped[Sealed | None]
    recipient_blind: Mapped[Blind | None]
    body: Mapped[Sealed | None]
    segments: Mapped[int | None] = mapped_column(SmallInteger)
    # Set at the claim where the words say STOP and the clinic's phone (care rule 30); else null.
    tells_stop: Mapped[bool | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    sid: Mapped[str | None]
    error_code: Mapped[int | None]
    submitted_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("sender_id", "sender"),
        within_clinic("patient_id", "patient"),
        within_clinic("enrollment_id", "enrollment"),
        within_clinic("appointment_id", "appointment"),
        within_clinic("inbound_id", "inbound", use_alter=True),
        Index(
            "uq_message_identity",
            "enrollment_id",
            "step",
            "occurrence",
            "round",
            unique=True,
            postgresql_where=text("enrollment_id IS NOT NULL"),
        ),
        Index(
            "uq_message_answer",
            "inbound_id",
            "template",
            unique=True,
            postgresql_where=text("inbound_id IS NOT NULL"),
        ),
        Index(
            "ix_message_answers",
            "clinic_id",
            "recipient_blind",
            "due_at",
            postgresql_where=text("inbound_id IS NOT NULL"),
        ),
        # PostgreSQL 18 skip-scans the priorities, so a future row costs a tick nothing.
        Index(
            "ix_message_due",
            "sender_id",
            "priority",
            "next_at",
            postgresql_where=text("status = 'planned'"),
        ),
        Index(
            "ix_message_leased",
            "lease_until",
            postgresql_where=text("status IN ('claimed', 'submitting')"),
        ),
        Index(
            "ix_message_awaiting",
            "accepted_at",
            postgresql_where=text("status IN ('accepted', 'sent') AND final_at IS NULL"),
        ),
        Index(
            "ix_message_unreviewed",
            "final_at",
            postgresql_where=text("reviewed_at IS NULL AND final_at IS NOT NULL"),
        ),
        Index(
            "ix_message_to_prove",
            "prove_by",
            postgresql_where=text("prove_by IS NOT NULL AND reviewed_at IS NULL"),
        ),
        Index(
            "ix_message_not_arrived",
            "clinic_id",
            "final_at",
            postgresql_where=text("status IN ('failed', 'undelivered')"),
        ),
        # For the nightly comparison, which asks for a day's texts however they ended.
        Index("ix_message_accepted", "accepted_at", postgresql_where=text("sid IS NOT NULL")),
        Index("uq_message_sid", "sid", unique=True, postgresql_where=text("sid IS NOT NULL")),
        Index("ix_message_patient", "patient_id", "due_at"),
        Index(
            "ix_message_appointment",
            "appointment_id",
            postgresql_where=text("appointment_id IS NOT NULL"),
        ),
        Index("ix_message_tells_stop", "patient_id", "due_at", postgresql_where=text("tells_stop")),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class Attempt(Base):
    """One call to the carrier for a message: the intent is committed before the call.

    Open while `closed_at` is null; an outcome `unknown` stays open until it is settled.
    """

    __tablename__ = "attempt"

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    clinic_id: Mapped[ClinicId]
    recipient_blind: Mapped[Blind]
    # Answers to a text just received don't wait for another text's outcome.
    exclusive: Mapped[bool]
    intent_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    host: Mapped[str]
    outcome: Mapped[str | None]
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    error_code: Mapped[int | None]
    sid: Mapped[str | None]
    looks: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    next_look_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        within_clinic("message_id", "message"),
        Index(
            "uq_attempt_open",
            "recipient_blind",
            "clinic_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL AND exclusive"),
        ),
        Index("ix_attempt_sid", "sid", postgresql_where=text("sid IS NOT NULL")),
        Index(
            "ix_attempt_unknown",
            "next_look_at",
            postgresql_where=text("closed_at IS NULL AND outcome = 'unknown'"),
        ),
    )


class MessageHistory(Base):
    """Every change of a message's status or due time, written by a trigger."""

    __tablename__ = "message_history"

    sequence: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    clinic_id: Mapped[UUID]
    message_id: Mapped[UUID]
    at: Mapped[datetime]
    status: Mapped[str]
    reason: Mapped[str | None]
    due_at: Mapped[datetime]
    attempt: Mapped[int] = mapped_column(SmallInteger)

    # No foreign key: the trigger runs inside the statement that changes the message itself.
    __table_args__ = (Index("ix_message_history_message", "message_id", "sequence"),)


class Receipt(Base):
    """The carrier's later word on a message, stored as received."""

    __tablename__ = "receipt"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    message_id: Mapped[UUID | None]
    attempt: Mapped[int | None] = mapped_column(SmallInteger)
    sid: Mapped[str]
    status: Mapped[str]
    error_code: Mapped[int | None]
    source: Mapped[str]
    payload: Mapped[Sealed]
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]

    __table_args__ = (
        within_clinic("message_id", "message"),
        Index(
            "uq_receipt_seen",
            "sid",
            "status",
            "error_code",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_receipt_pending", "received_at", postgresql_where=text("applied_at IS NULL")),
    )


def by_id(session: Session, message_id: UUID) -> Message | None:
    """Return the message with this id."""
    return session.scalars(select(Message).where(Message.id == message_id)).first()


def was_told(session: Session, patient_id: UUID, visit_id: UUID, *, start: datetime) -> bool:
    """Return whether a text that went, or may have gone, named this start of the visit."""
    mine = select(Message.id).where(
        Message.patient_id == patient_id,
        Message.appointment_id == visit_id,
        Message.anchor_at == start,
        Message.status.in_(("submitting", "unknown", "accepted", "sent", "delivered")),
    )
    return session.scalars(mine.limit(1)).first() is not None


def history(session: Session, message_id: UUID) -> list[MessageHistory]:
    """Return every change of the message, the oldest first."""
    mine = select(MessageHistory).where(MessageHistory.message_id == message_id)
    return list(session.scalars(mine.order_by(MessageHistory.sequence)))


def attempts(session: Session, message_id: UUID) -> list[Attempt]:
    """Return the calls made to the carrier for this message."""
    mine = select(Attempt).where(Attempt.message_id == message_id)
    return list(session.scalars(mine.order_by(Attempt.number)))


def receipts(session: Session, message_id: UUID) -> list[Receipt]:
    """Return the carrier's words on this message, in the order received."""
    mine = select(Receipt).where(Receipt.message_id == message_id)
    return list(session.scalars(mine.order_by(Receipt.received_at, Receipt.id)))
