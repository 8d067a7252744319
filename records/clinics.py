"""Clinics, the senders they text from, and their staff."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, select, text, update
from sqlalchemy.orm import Mapped, Session, column_property, mapped_column

from records.base import Base, ClinicId, CreatedAt, Id, new_id, within_clinic
from schedules.absences import Absences
from schedules.clinic import ClinicFile


class Clinic(Base):
    """One clinic, as its file describes it. `key` is the file's id, e.g. `riverside`."""

    __tablename__ = "clinic"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    settings: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    paused_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    # Set by the first import of visits: it announces nothing, later ones do (care rule 5).
    visits_imported_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    # The settings of the newest version that can be read, where the present ones can't; no column.
    __allow_unmapped__ = True
    stand_in: dict[str, Any] | None = None

    @property
    def file(self) -> ClinicFile:
        """The clinic's settings as values, judged with who of its staff is away.

        Where they can't be read, those that held last: its patients are answered and its staff are
        paged by them until the file is mended. Raises what reading them raises where none can be.
        """
        # A clinic that was only just made has no staff yet, and its row was not read back.
        staff = self.__dict__.get("staff")
        return _read(json.dumps(self.stand_in or self.settings), json.dumps(staff) if staff else "")

    @property
    def can_be_read(self) -> bool:
        """Whether there is a file to go by: the present one, or one that held before."""
        return self.stand_in is not None or not self.is_broken

    @property
    def is_broken(self) -> bool:
        """Whether its present settings can't be read, whatever stands in for them."""
        return read(self.settings) is None

    @property
    def file_if_any(self) -> ClinicFile | None:
        """The file that the clinic goes by; None where neither present nor earlier can be read."""
        return self.file if self.can_be_read else None


def is_paused(since: datetime | None, until: datetime | None, now: datetime) -> bool:
    """Whether a clinic's texts rest: from `since` on, for now or `until` an instant."""
    return since is not None and (until is None or until > now)


class ClinicVersion(Base):
    """A clinic's settings as they once came into force; append-only.

    `restores` is the version that it brought back, `applied_by` who applied it.
    """

    __tablename__ = "clinic_version"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    number: Mapped[int]
    settings: Mapped[dict[str, Any]]
    restores: Mapped[int | None]
    applied_by: Mapped[str]
    applied_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("clinic_id", "number"),)


@lru_cache(maxsize=128)
def _read(settings: str, staff: str) -> ClinicFile:
    """Read a clinic's settings once: each step asks for them many times, and few ever change."""
    file = ClinicFile.from_json(json.loads(settings))
    return file.with_absences(_absences(json.loads(staff))) if staff else file


def read(settings: dict[str, Any]) -> ClinicFile | None:
    """Return kept settings as values; None where this release can't read them."""
    try:
        return _read(json.dumps(settings), "")
    except Exception:  # noqa: BLE001  Whatever is wrong with it, it is no file.
        return None


def with_stand_in(session: Session, clinic: Clinic) -> Clinic:
    """Give a clinic whose file can't be read the newest of its earlier ones that can."""
    clinic.stand_in = None
    if clinic.is_broken:
        earlier = (each.settings for each in reversed(versions(session, clinic.id)))
        clinic.stand_in = next(filter(read, earlier), None)
    return clinic


def _absences(staff: list[dict[str, Any]]) -> Absences:
    """Read who signs in, who is away when, and who has left."""
    away = tuple(
        (member["email"], datetime.fromisoformat(since), datetime.fromisoformat(until))
        for member in staff
        for since, until in member["away"] or ()
    )
    return Absences(
        people=frozenset(each["email"] for each in staff if each["acts"] and not each["gone"]),
        away=away,
        gone=frozenset(each["email"] for each in staff if each["gone"]),
    )


class Sender(Base):
    """What a clinic texts from, with its token bucket (segments) and its circuit breaker."""

    __tablename__ = "sender"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    messaging_service_sid: Mapped[str | None]
    from_number: Mapped[str | None]
    segments_per_second: Mapped[float]
    tokens: Mapped[float] = mapped_column(server_default=text("0"))
    refilled_at: Mapped[CreatedAt]
    retired_at: Mapped[datetime | None]
    breaker_opened_at: Mapped[datetime | None]
    breaker_until: Mapped[datetime | None]
    breaker_reason: Mapped[str | None]
    # Since when the carrier takes no text of ours, and when one last reached a phone.
    failing_since: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]


class SenderNumber(Base):
    """A number that patients may text; a previous one still receives (care rule 28)."""

    __tablename__ = "sender_number"

    number: Mapped[str] = mapped_column(primary_key=True)
    clinic_id: Mapped[UUID]
    sender_id: Mapped[UUID]
    previous: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (within_clinic("sender_id", "sender"),)


class Staff(Base):
    """Somebody who signs in: coordinator, clinician, admin or viewer."""

    __tablename__ = "staff"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    email: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    # Raised by a password change or a disabling, so that cookies given before stop working.
    session_epoch: Mapped[int] = mapped_column(server_default=text("1"))
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("clinic_id", "email"),
        Index("ix_staff_email", "email"),
    )


class StaffAbsence(Base):
    """Days on which a staff member is away; open items return to the queue on the first."""

    __tablename__ = "staff_absence"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    staff_id: Mapped[UUID]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]

    __table_args__ = (within_clinic("staff_id", "staff"),)


_AWAY = (
    select(func.jsonb_agg(func.jsonb_build_array(StaffAbsence.starts_at, StaffAbsence.ends_at)))
    .where(StaffAbsence.staff_id == Staff.id, StaffAbsence.clinic_id == Staff.clinic_id)
    .scalar_subquery()
)
_MEMBER = func.jsonb_build_object(
    "email",
    func.lower(Staff.email),
    "acts",
    Staff.role != "viewer",
    "gone",
    Staff.disabled_at.is_not(None),
    "away",
    _AWAY,
)
# Read with each clinic, so that whatever asks its file who is there hears of today's absences.
Clinic.staff = column_property(
    select(func.jsonb_agg(_MEMBER)).where(Staff.clinic_id == Clinic.id).scalar_subquery()
)


def is_away(session: Session, staff_id: UUID, *, at: datetime) -> bool:
    """Return whether a staff member is away at this instant."""
    mine = select(StaffAbsence.id).where(
        StaffAbsence.staff_id == staff_id,
        StaffAbsence.starts_at <= at,
        StaffAbsence.ends_at > at,
    )
    return session.scalars(mine.limit(1)).first() is not None


def by_key(session: Session, key: str) -> Clinic | None:
    """Return the clinic whose file bears the id `key`."""
    found = session.scalars(select(Clinic).where(Clinic.key == key)).first()
    return with_stand_in(session, found) if found is not None else None


def by_id(session: Session, clinic_id: UUID) -> Clinic:
    """Return the clinic; it must exist. A session asks for it once, and keeps it to its end."""
    kept: dict[UUID, Clinic] = session.info.setdefault("clinics", {})
    if clinic_id not in kept:
        found = session.scalars(select(Clinic).where(Clinic.id == clinic_id)).one()
        kept[clinic_id] = with_stand_in(session, found)
    return kept[clinic_id]


def all_clinics(session: Session) -> list[Clinic]:
    """Return every clinic, by key."""
    found = session.scalars(select(Clinic).order_by(Clinic.key))
    return [with_stand_in(session, clinic) for clinic in found]


def active_sender(session: Session, clinic_id: UUID) -> Sender:
    """Return the sender the clinic texts from now."""
    mine = select(Sender).where(Sender.clinic_id == clinic_id, Sender.retired_at.is_(None))
    return session.scalars(mine.order_by(Sender.id.desc())).first() or _no_sender(clinic_id)


def _no_sender(clinic_id: UUID) -> Sender:
    raise LookupError(f"clinic {clinic_id} has no sender: run `aftercare clinic apply` again")


def clinic_of_number(session: Session, number: str) -> SenderNumber | None:
    """Return whose texting number this is."""
    return session.get(SenderNumber, number)


def end_sessions(session: Session, seats: Mapping[UUID, int]) -> None:
    """End every session of these staff members that bears this epoch, in whichever browser."""
    # In one order, so that two who sign out at once never wait for each other crosswise.
    for staff_id in sorted(seats):
        session.execute(
            update(Staff)
            .where(Staff.id == staff_id, Staff.session_epoch == seats[staff_id])
            .values(session_epoch=Staff.session_epoch + 1)
        )


def staff_by_email(session: Session, email: str) -> list[Staff]:
    """Return the staff members with this address, one a clinic at most."""
    mine = select(Staff).where(Staff.email == email.strip().lower())
    return list(session.scalars(mine.order_by(Staff.created_at)))


def heard_numbers(session: Session) -> list[tuple[UUID, str]]:
    """Return every number that patients may text, previous ones too, with its clinic."""
    numbers = select(SenderNumber.clinic_id, SenderNumber.number).order_by(SenderNumber.number)
    return [(row.clinic_id, row.number) for row in session.execute(numbers)]


def versions(session: Session, clinic_id: UUID) -> list[ClinicVersion]:
    """Return every version of a clinic's settings that is kept, the oldest first."""
    mine = select(ClinicVersion).where(ClinicVersion.clinic_id == clinic_id)
    return list(session.scalars(mine.order_by(ClinicVersion.number)))


def keep_version(
    session: Session, clinic: Clinic, *, by: str, at: datetime, restores: int | None = None
) -> None:
    """Keep a clinic's settings as the version that they are in force as from now on."""
    session.add(
        ClinicVersion(
            id=new_id(),
            clinic_id=clinic.id,
            number=clinic.version,
            settings=clinic.settings,
            restores=restores,
            applied_by=by,
            applied_at=at,
        )
    )
