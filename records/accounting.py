"""What was told to somebody outside the clinic: to whom, when, what, and on which ground.

The accounting of disclosures (42 CFR 2.25), and the documentation that a disclosure in a medical
emergency needs (42 CFR 2.51): append-only, to whom and what sealed. Texts to the patient
themselves are no disclosures and stand in no row here.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, Id, Sealed, within_clinic
from records.clinics import Clinic, Staff
from records.followups import FollowUp
from records.patients import Patient
from records.vault import Vault

#: 42 CFR 2.51: to medical personnel, as far as a medical emergency needs it.
EMERGENCY = "medical_emergency_2.51"
#: The short form of the notice that 42 CFR 2.32 wants with what is handed on.
NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."


class Disclosure(Base):
    """One telling. `at` is when it was told, `recorded_at` when that was written down."""

    __tablename__ = "disclosure"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    patient_id: Mapped[UUID | None]
    follow_up_id: Mapped[UUID | None]
    at: Mapped[datetime]
    basis: Mapped[str]
    recipient: Mapped[Sealed]
    told: Mapped[Sealed]
    actor: Mapped[str]
    recorded_at: Mapped[datetime]

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        within_clinic("follow_up_id", "follow_up"),
        Index("ix_disclosure_patient", "patient_id", "at"),
        Index("ix_disclosure_follow_up", "follow_up_id"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDisclosure:
    """A telling as people read it. `by` is the address of whoever told it, or a machine's label.

    `nature` is the item's reason: what the emergency was.
    """

    id: UUID
    clinic: str
    patient_id: str | None = field(repr=False)
    at: datetime
    recipient: str = field(repr=False)
    told: str = field(repr=False)
    nature: str | None
    basis: str
    by: str
    recorded_at: datetime
    follow_up_id: UUID | None
    notice: str = NOTICE


def add(
    session: Session,
    vault: Vault,
    item: FollowUp,
    row_id: UUID,
    *,
    recipient: str,
    told: str,
    at: datetime,
    actor: str,
    now: datetime,
) -> bool:
    """Write down what was told in an emergency that an item is about; False: it was, under its id.

    An entry can't be taken back, so whoever may ask twice for one gives both the same id.
    """
    entry = insert(Disclosure).values(
        id=row_id,
        clinic_id=item.clinic_id,
        patient_id=item.patient_id,
        follow_up_id=item.id,
        at=at,
        basis=EMERGENCY,
        recipient=vault.seal("disclosure", "recipient", row_id, recipient),
        told=vault.seal("disclosure", "told", row_id, told),
        actor=actor,
        recorded_at=now,
    )
    added = session.execute(entry.on_conflict_do_nothing().returning(Disclosure.id))
    return added.scalar() is not None


def listed(
    session: Session,
    vault: Vault,
    *,
    clinic_id: UUID | None = None,
    patient_id: UUID | None = None,
    follow_up_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[ListedDisclosure]:
    """Return what was told, the oldest first; of too many the last. `since`, `until` bound `at`."""
    bounds = (
        (clinic_id, Disclosure.clinic_id == clinic_id),
        (patient_id, Disclosure.patient_id == patient_id),
        (follow_up_id, Disclosure.follow_up_id == follow_up_id),
    )
    query: Any = (
        select(Disclosure, Clinic.key, Patient.external_id, FollowUp.reason, Staff.email)
        .join(Clinic, Clinic.id == Disclosure.clinic_id)
        .outerjoin(Patient, Patient.id == Disclosure.patient_id)
        .outerjoin(FollowUp, FollowUp.id == Disclosure.follow_up_id)
        .outerjoin(Staff, func.concat("staff:", Staff.id) == Disclosure.actor)
        .where(*(bound for value, bound in bounds if value is not None))
    )
    if since is not None:
        query = query.where(Disclosure.at >= since)
    if until is not None:
        query = query.where(Disclosure.at < until)
    newest = query.order_by(Disclosure.at.desc(), Disclosure.id.desc()).limit(limit)
    return [_opened(vault, *row) for row in session.execute(newest)][::-1]


def _opened(
    vault: Vault,
    row: Disclosure,
    clinic: str,
    external: bytes | None,
    nature: str | None,
    email: str | None,
) -> ListedDisclosure:
    patient = None
    if external is not None and row.patient_id is not None:
        patient = vault.open("patient", "external_id", row.patient_id, external)
    return ListedDisclosure(
        id=row.id,
        clinic=clinic,
        patient_id=patient,
        at=row.at,
        recipient=vault.open("disclosure", "recipient", row.id, row.recipient),
        told=vault.open("disclosure", "told", row.id, row.told),
        nature=nature,
        basis=row.basis,
        by=email or row.actor,
        recorded_at=row.recorded_at,
        follow_up_id=row.follow_up_id,
    )
