"""Booked visits and what happened at them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Index,
    Select,
    UniqueConstraint,
    false,
    func,
    not_,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from records.base import Base, ClinicId, CreatedAt, Id, Sealed, within_clinic


class Appointment(Base):
    """A booked visit. Status: booked arrived checked_out fulfilled cancelled no_show."""

    __tablename__ = "appointment"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    patient_id: Mapped[UUID]
    external_id: Mapped[str]
    kind: Mapped[str]
    route: Mapped[str | None]
    setting: Mapped[str] = mapped_column(server_default=text("'clinic'"))
    modality: Mapped[str] = mapped_column(server_default=text("'in_person'"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    status: Mapped[str]
    details: Mapped[Sealed]
    dose_number: Mapped[int | None]
    # Raised whenever the visit moves: a claimed text of an older revision is not sent.
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    booked_at: Mapped[datetime]
    # When we learned of its present start, if it ever moved.
    moved_at: Mapped[datetime | None]
    # When we learned that it is cancelled, or that the patient did not come.
    cancelled_at: Mapped[datetime | None]
    no_show_at: Mapped[datetime | None]
    # Which of booked_at, moved_at and cancelled_at is to be texted; none after a quiet import.
    announced_at: Mapped[datetime | None]
    # The start time that the patient confirmed; another start time is not confirmed.
    confirmed_start: Mapped[datetime | None]
    change_requested_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    checked_out_at: Mapped[datetime | None]
    dose: Mapped[str | None]
    import_digest: Mapped[str | None]
    # What the last file said, by column; none for a row that was imported before this was kept.
    imported: Mapped[Sealed | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        UniqueConstraint("clinic_id", "external_id"),
        Index("ix_appointment_patient", "patient_id", "starts_at"),
        Index("ix_appointment_starts_at", "clinic_id", "starts_at"),
    )


class AppointmentEvent(Base):
    """What happened at the clinic, as it was told: append-only."""

    __tablename__ = "appointment_event"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    appointment_id: Mapped[UUID]
    kind: Mapped[str]
    dose: Mapped[str | None]
    at: Mapped[datetime]
    actor: Mapped[str]
    recorded_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("appointment_id", "appointment"),
        Index("ix_appointment_event_appointment", "appointment_id", "at"),
    )


def find(session: Session, external_id: str, clinic_id: UUID | None = None) -> list[Appointment]:
    """Return the visits with this id of their clinic's own."""
    mine = select(Appointment).where(Appointment.external_id == external_id)
    if clinic_id is not None:
        mine = mine.where(Appointment.clinic_id == clinic_id)
    return list(session.scalars(mine))


def by_id(session: Session, appointment_id: UUID) -> Appointment:
    """Return the visit; it must exist."""
    return session.scalars(select(Appointment).where(Appointment.id == appointment_id)).one()


def with_ids(session: Session, appointment_ids: Collection[UUID]) -> dict[UUID, Appointment]:
    """Return these visits, by id."""
    mine = select(Appointment).where(Appointment.id.in_(appointment_ids))
    return {visit.id: visit for visit in session.scalars(mine)} if appointment_ids else {}


def of_patients(session: Session, patient_ids: list[UUID]) -> list[Appointment]:
    """Return all visits of these patients, by start."""
    mine = select(Appointment).where(Appointment.patient_id.in_(patient_ids))
    return list(session.scalars(mine.order_by(Appointment.starts_at)))


#: A patient may sit in the waiting room after the start: so long the dose is taken as still ahead.
_MAY_STILL_COME = timedelta(hours=2)


def next_dose(session: Session, patient_id: UUID, *, now: datetime) -> datetime | None:
    """Return when a patient's next dosing visit starts, or started, if its dose is still ahead."""
    return session.scalars(next_dose_of(patient_id, now=now)).first()


def next_dose_of(
    patient: UUID | InstrumentedAttribute[UUID | None], *, now: datetime
) -> Select[datetime]:
    """Return the query of `next_dose`, of one patient or of the one in an outer query's row."""
    of_them: ColumnElement[bool] = Appointment.patient_id == patient
    mine = select(Appointment.starts_at).where(
        of_them,
        Appointment.kind == "dosing",
        Appointment.status.in_(["booked", "arrived"]),
        Appointment.dose.is_(None),
        Appointment.starts_at > now - _MAY_STILL_COME,
    )
    return mine.order_by(Appointment.starts_at).limit(1)


def around(
    session: Session, clinic_id: UUID, since: datetime, until: datetime
) -> list[Appointment]:
    """Return a clinic's visits that start in [since, until)."""
    mine = select(Appointment).where(
        Appointment.clinic_id == clinic_id,
        Appointment.starts_at >= since,
        Appointment.starts_at < until,
    )
    return list(session.scalars(mine.order_by(Appointment.starts_at)))


def unrecorded(
    session: Session, clinic_id: UUID, since: datetime, until: datetime
) -> list[Appointment]:
    """Return a clinic's visits that start in [since, until) and of which an event may be missing.

    Those that end as they should, by far the most, are not read: ended with what is known of them.
    """
    came = Appointment.arrived_at.is_not(None) | Appointment.checked_out_at.is_not(None)
    told = (Appointment.dose == "not_given") | (
        Appointment.dose.is_not(None) & Appointment.checked_out_at.is_not(None)
    )
    mine = select(Appointment).where(
        Appointment.clinic_id == clinic_id,
        Appointment.starts_at >= since,
        Appointment.starts_at < until,
        Appointment.status.not_in(["cancelled", "no_show"]),
        ((Appointment.status == "booked") & not_(came))
        | ((Appointment.kind == "dosing") & not_(func.coalesce(told, false()))),
    )
    return list(session.scalars(mine.order_by(Appointment.starts_at)))
