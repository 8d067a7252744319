"""The append-only record of who did what: a chain of hashes a clinic, so that a gap shows."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, Id, PutOff, Sealed, new_id, put_off
from records.vault import Vault

_START = b"\0" * 32


class AuditEvent(Base):
    __tablename__ = "audit_event"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[Sealed]
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]


def _digest(event: AuditEvent) -> bytes:
    head = [event.clinic_id.hex, event.at.isoformat(), event.actor, event.action, event.subject]
    return hashlib.sha256(event.previous_hash + json.dumps(head).encode() + event.details).digest()


def _last_hash(session: Session, clinic_id: UUID) -> bytes:
    last = select(AuditEvent.hash).where(AuditEvent.clinic_id == clinic_id)
    found = session.scalars(last.order_by(AuditEvent.sequence.desc()).limit(1)).first()
    return found or _START


def record(
    session: Session,
    vault: Vault,
    *,
    clinic_id: UUID,
    now: datetime,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add one event to the clinic's chain, as the transaction ends.

    `subject` holds internal ids only, never names.
    """
    event = AuditEvent(
        id=new_id(), clinic_id=clinic_id, at=now, actor=actor, action=action, subject=subject
    )
    plain = json.dumps(dict(details or {}), ensure_ascii=False, default=str)
    event.details = vault.seal("audit_event", "details", event.id, plain)
    put_off(session, PutOff.TRAILS, _append, event)


# The chain has one end a clinic, so its writers take turns: after all else, so that whoever waits
# for this turn is waited for by nobody, and in one order where an event is of several clinics.
_TURN = text("SELECT pg_advisory_xact_lock(hashtext('aftercare.audit'), hashtext(:clinic))")


def _append(session: Session, events: Sequence[AuditEvent]) -> None:
    for clinic_id in sorted({event.clinic_id for event in events}):
        session.execute(_TURN, {"clinic": str(clinic_id)})
    for event in events:
        event.previous_hash = _last_hash(session, event.clinic_id)
        event.hash = _digest(event)
        session.add(event)
        session.flush()


def first_break(session: Session, clinic_id: UUID) -> UUID | None:
    """Return the first event whose hash does not follow from the one before, or None."""
    before = _START
    chain = select(AuditEvent).where(AuditEvent.clinic_id == clinic_id)
    for event in session.scalars(chain.order_by(AuditEvent.sequence)):
        if event.previous_hash != before or event.hash != _digest(event):
            return event.id
        before = event.hash
    return None
