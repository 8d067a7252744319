"""Protocols as they were published, and the patients enrolled in them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import (
    Base,
    ClinicId,
    CreatedAt,
    Id,
    PutOff,
    as_array,
    new_id,
    put_off,
    within_clinic,
)


class ProtocolVersion(Base):
    """One published version of a protocol of a clinic; versions are never changed."""

    __tablename__ = "protocol_version"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    protocol: Mapped[str]
    number: Mapped[int]
    source: Mapped[str]
    checksum: Mapped[str]
    published_by: Mapped[str]
    published_at: Mapped[CreatedAt]
    # The earlier version whose text this one brings back.
    restores: Mapped[int | None]

    __table_args__ = (UniqueConstraint("clinic_id", "protocol", "number"),)


class Enrollment(Base):
    """A patient on a protocol for one anchor: a visit, or a day."""

    __tablename__ = "enrollment"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    patient_id: Mapped[UUID]
    protocol: Mapped[str]
    appointment_id: Mapped[UUID | None]
    anchor_day: Mapped[date | None]
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    # Set by whatever may change the plan; cleared by the plan step if nothing came since.
    plan_requested_at: Mapped[datetime | None]
    # When the rolling horizon next has to be drawn forward (spread over the day).
    next_roll_at: Mapped[datetime | None]
    planned_through: Mapped[datetime | None]
    # The version of the protocol by which its texts are planned.
    protocol_number: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        within_clinic("appointment_id", "appointment"),
        UniqueConstraint(
            "patient_id",
            "protocol",
            "appointment_id",
            "anchor_day",
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_enrollment_appointment", "appointment_id"),
        Index(
            "ix_enrollment_plan",
            "plan_requested_at",
            postgresql_where=text("plan_requested_at IS NOT NULL"),
        ),
        Index(
            "ix_enrollment_roll", "next_roll_at", postgresql_where=text("next_roll_at IS NOT NULL")
        ),
    )


def current_protocols(session: Session, clinic_id: UUID) -> dict[str, ProtocolVersion]:
    """Return the newest version of each protocol of the clinic, by protocol id."""
    newest = (
        select(ProtocolVersion.protocol, ProtocolVersion.id, ProtocolVersion.checksum)
        .where(ProtocolVersion.clinic_id == clinic_id)
        .order_by(ProtocolVersion.protocol, ProtocolVersion.number.desc())
        .ext(distinct_on(ProtocolVersion.protocol))
    )
    keys = {row.protocol: (row.id, row.checksum) for row in session.execute(newest)}
    if unread := [key[0] for key in keys.values() if key not in _read_versions]:
        _read_versions.update(_versions(session, unread))
    return {protocol: _read_versions[key] for protocol, key in keys.items()}


#: Versions never change, and their sources are long: a process reads each of them once.
_read_versions: dict[tuple[UUID, str], ProtocolVersion] = {}


def _versions(session: Session, ids: Sequence[UUID]) -> dict[tuple[UUID, str], ProtocolVersion]:
    rows = list(session.scalars(select(ProtocolVersion).where(ProtocolVersion.id.in_(ids))))
    for row in rows:
        session.expunge(row)
    return {(row.id, row.checksum): row for row in rows}


def version(
    session: Session, clinic_id: UUID, protocol: str, number: int
) -> ProtocolVersion | None:
    """Return one version of a clinic's protocol, read once a process."""
    wanted = (clinic_id, protocol, number)
    if wanted not in _numbered:
        mine = select(ProtocolVersion).where(
            ProtocolVersion.clinic_id == clinic_id,
            ProtocolVersion.protocol == protocol,
            ProtocolVersion.number == number,
        )
        row = session.scalars(mine).first()
        if row is None:
            return None
        session.expunge(row)
        _numbered[wanted] = row
    return _numbered[wanted]


_numbered: dict[tuple[UUID, str, int], ProtocolVersion] = {}


def request_plan_of_patient(session: Session, patient_id: UUID) -> None:
    """Have the plan step look at a patient, as the transaction ends."""
    put_off(session, PutOff.PLANS_ASKED, _mark, patient_id)


def request_plan_of_patients(session: Session, patient_ids: Iterable[UUID]) -> None:
    """Have the plan step look at these patients, as the transaction ends."""
    for patient_id in patient_ids:
        put_off(session, PutOff.PLANS_ASKED, _mark, patient_id)


# A patient is planned as a whole, so that one mark says it: the first enrollment bears it, as after
# a year there are a hundred. Locked in one order, so that two who mark the same patients never wait
# for each other crosswise.
_MARK = text("""
    UPDATE enrollment SET plan_requested_at = clock_timestamp()
    WHERE id = ANY(ARRAY(
        SELECT e.id FROM unnest(CAST(:patients AS uuid[])) AS p(id)
        CROSS JOIN LATERAL (
            SELECT id FROM enrollment WHERE patient_id = p.id ORDER BY id LIMIT 1
            FOR NO KEY UPDATE
        ) AS e
    ))
""")


def _mark(session: Session, patient_ids: Sequence[UUID]) -> None:
    session.execute(_MARK, {"patients": as_array(sorted(set(patient_ids)))})


_MARK_CLINICS = text("""
    UPDATE enrollment SET plan_requested_at = clock_timestamp()
    WHERE id = ANY(ARRAY(
        SELECT id FROM enrollment
        WHERE clinic_id = ANY(CAST(:clinics AS uuid[])) AND status = 'active'
        ORDER BY patient_id, id FOR NO KEY UPDATE
    ))
""")


def request_plan_of_clinic(session: Session, clinic_id: UUID) -> None:
    """Have the plan step look at everybody of a clinic, as the transaction ends."""
    put_off(session, PutOff.PLANS_ASKED, _mark_clinics, clinic_id)


def _mark_clinics(session: Session, clinic_ids: Sequence[UUID]) -> None:
    session.execute(_MARK_CLINICS, {"clinics": as_array(sorted(set(clinic_ids)))})


def of_patient(session: Session, patient_id: UUID) -> list[Enrollment]:
    """Return all enrollments of a patient."""
    return of_patients(session, [patient_id])


def of_patients(session: Session, patient_ids: Sequence[UUID]) -> list[Enrollment]:
    """Return all enrollments of these patients, the oldest first, without locking anybody."""
    mine = select(Enrollment).where(Enrollment.patient_id.in_(patient_ids))
    return list(session.scalars(mine.order_by(Enrollment.created_at)))


_FOLLOWERS = text("""
    SELECT e.protocol, count(DISTINCT e.patient_id) FROM enrollment e
    LEFT JOIN appointment a ON a.id = e.appointment_id AND a.clinic_id = e.clinic_id
    WHERE e.clinic_id = :clinic AND e.protocol = ANY(:protocols) AND e.status = 'active'
      AND (e.appointment_id IS NULL OR (a.status = 'booked' AND a.ends_at > :now))
    GROUP BY e.protocol
""")


def followers(
    session: Session, clinic_id: UUID, protocols: Collection[str], *, now: datetime
) -> dict[str, int]:
    """Count, by protocol, the patients who follow it and for whom something may still come."""
    if not protocols:
        return {}
    values = {"clinic": clinic_id, "protocols": list(protocols), "now": now}
    return {row[0]: row[1] for row in session.execute(_FOLLOWERS, values)}


def begin(session: Session, rows: Sequence[dict[str, object]]) -> None:
    """Insert running enrollments that wait to be planned; one that exists is left alone."""
    if rows:
        asked = {"plan_requested_at": func.clock_timestamp()}
        values = [{"id": new_id(), **row, **asked} for row in rows]
        session.execute(insert(Enrollment).values(values).on_conflict_do_nothing())


# A wider look than is taken: other processes hold some of those who wait longest.
_LOOKED_AT = 8
_DUE = text("""
    SELECT id, clinic_id FROM patient WHERE id IN (
        (SELECT patient_id FROM enrollment WHERE plan_requested_at IS NOT NULL
         ORDER BY plan_requested_at LIMIT :looked_at)
        UNION
        (SELECT patient_id FROM enrollment WHERE next_roll_at <= :now
         ORDER BY next_roll_at LIMIT :looked_at)
    ) LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")


def lock_due(session: Session, *, now: datetime, limit: int) -> dict[UUID, UUID]:
    """Lock patients with an enrollment that was marked or whose horizon is to roll.

    Returns the clinic of each. Patients who are locked elsewhere are passed over: a patient is
    planned by one process at a time, and others take those who are free.
    """
    values = {"now": now, "limit": limit, "looked_at": _LOOKED_AT * limit}
    return {row.id: row.clinic_id for row in session.execute(_DUE, values)}


class OverBefore(NamedTuple):
    """Before when all instants of a visit lie of which a clinic's protocol plans nothing more."""

    clinic_id: UUID
    protocol: str
    before: datetime


# After a year most enrollments of a patient are for visits long past. What is asked for by name is
# read all the same, and so is what staff have an open item of: the plan may end that.
_TO_PLAN = text("""
    SELECT e.* FROM enrollment e
    LEFT JOIN appointment a ON a.id = e.appointment_id AND a.clinic_id = e.clinic_id
    LEFT JOIN unnest(CAST(:clinics AS uuid[]), CAST(:protocols AS text[]),
                     CAST(:before AS timestamptz[])) AS v(clinic_id, protocol, before)
        ON v.clinic_id = e.clinic_id AND v.protocol = e.protocol
    WHERE e.patient_id = ANY(CAST(:patients AS uuid[])) AND (
        a.id IS NULL OR v.before IS NULL
        OR GREATEST(e.created_at, a.starts_at, a.booked_at, a.ends_at, a.moved_at, a.cancelled_at,
                    a.announced_at, a.arrived_at, a.checked_out_at, a.no_show_at) >= v.before
        OR e.plan_requested_at IS NOT NULL OR e.next_roll_at <= :now
        OR EXISTS (SELECT 1 FROM follow_up f
                   WHERE f.patient_id = e.patient_id AND f.status <> 'resolved'
                     AND f.source_id IN (e.id, e.appointment_id)))
    ORDER BY e.patient_id, e.id
""")


def to_plan(
    session: Session, patient_ids: Collection[UUID], over: Sequence[OverBefore], *, now: datetime
) -> list[Enrollment]:
    """Return what locked patients are enrolled in, without most of what is over.

    Patients whom another process planned while this one locked them are left out.
    """
    values = {
        "patients": as_array(patient_ids),
        "clinics": as_array(each.clinic_id for each in over),
        "protocols": [each.protocol for each in over],
        "before": as_array(each.before for each in over),
        "now": now,
    }
    rows = list(session.scalars(select(Enrollment).from_statement(_TO_PLAN), values))
    due = {row.patient_id for row in rows if _is_due(row, now)}
    return [row for row in rows if row.patient_id in due]


def _is_due(row: Enrollment, now: datetime) -> bool:
    rolls = row.next_roll_at is not None and row.next_roll_at <= now
    return rolls or row.plan_requested_at is not None


# Another mark than the one that was read belongs to facts that may not have been read: it stays,
# whenever it was made and committed.
_PLANNED = text("""
    UPDATE enrollment e
    SET plan_requested_at = CASE WHEN e.plan_requested_at IS DISTINCT FROM v.seen
            THEN e.plan_requested_at END,
        next_roll_at = v.roll,
        planned_through = COALESCE(CAST(:through AS timestamptz), e.planned_through),
        protocol_number = COALESCE(v.number, e.protocol_number)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:seen AS timestamptz[]), CAST(:rolls AS timestamptz[]),
                CAST(:numbers AS int[])) AS v(id, seen, roll, number)
    WHERE e.id = v.id
""")


def planned(
    session: Session,
    rows: Sequence[Enrollment],
    rolls: Mapping[UUID, datetime | None],
    *,
    through: datetime | None,
    numbers: Mapping[UUID, int] | None = None,
) -> None:
    """Clear the marks that these rows were read with, set the next rolls; None: never again.

    Without `through` nothing was planned, and how far the plan reaches stays.
    `numbers` says which version of its protocol an enrollment is now planned by.
    """
    found = numbers or {}
    changed = [row for row in rows if _is_new(row, rolls[row.id], found.get(row.id))]
    if changed:
        values = {
            "ids": as_array(row.id for row in changed),
            "seen": as_array(row.plan_requested_at for row in changed),
            "rolls": as_array(rolls[row.id] for row in changed),
            "numbers": [found.get(row.id) for row in changed],
        }
        session.execute(_PLANNED, {**values, "through": through})


def _is_new(row: Enrollment, roll: datetime | None, number: int | None) -> bool:
    """Say whether there is anything to write: of most visits all has been over for long."""
    rolled = (row.next_roll_at, roll) != (None, None)
    return rolled or row.plan_requested_at is not None or number not in {None, row.protocol_number}
