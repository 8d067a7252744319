"""What publishing keeps: proposals and their approvals, and who does not follow a version yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, ClinicId, Id, within_clinic
from records.clinics import Staff
from records.enrollments import Enrollment, ProtocolVersion
from records.patients import Patient

#: The subject of a proposal that is a clinic's file; that of a protocol is `protocol:ID`.
CLINIC_FILE = "clinic"


class Proposal(Base):
    """A change of safety content that waits for a clinician (care rule 28).

    `source` is the protocol's YAML, or the clinic file's settings as JSON. `base_number` and
    `base_settings` (a checksum) name what it was compared with; `safety` lists what it changes.
    """

    __tablename__ = "proposal"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    subject: Mapped[str]
    source: Mapped[str]
    safety: Mapped[list[str]]
    base_number: Mapped[int | None]
    base_settings: Mapped[str]
    restores: Mapped[int | None]
    end_running: Mapped[bool] = mapped_column(server_default=text("false"))
    proposed_by: Mapped[UUID]
    proposed_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]

    __table_args__ = (
        within_clinic("proposed_by", "staff"),
        Index(
            "uq_proposal_open",
            "clinic_id",
            "subject",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
    )


class ProposalApproval(Base):
    """A clinician's word for one language of a proposal; append-only."""

    __tablename__ = "proposal_approval"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    proposal_id: Mapped[UUID]
    staff_id: Mapped[UUID]
    language: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (
        within_clinic("proposal_id", "proposal"),
        within_clinic("staff_id", "staff"),
        UniqueConstraint("proposal_id", "language"),
    )


def open_proposal(session: Session, clinic_id: UUID, subject: str) -> Proposal | None:
    """Return the proposal of a clinic that waits, locked; there is one a subject at most."""
    mine = select(Proposal).where(
        Proposal.clinic_id == clinic_id,
        Proposal.subject == subject,
        Proposal.closed_at.is_(None),
    )
    return session.scalars(mine.with_for_update()).first()


def proposals(session: Session, clinic_id: UUID) -> list[Proposal]:
    """Return every proposal of a clinic, the oldest first."""
    mine = select(Proposal).where(Proposal.clinic_id == clinic_id)
    return list(session.scalars(mine.order_by(Proposal.proposed_at, Proposal.id)))


def approvals(session: Session, proposal_id: UUID) -> dict[str, UUID]:
    """Return who approved, by language."""
    mine = select(ProposalApproval).where(ProposalApproval.proposal_id == proposal_id)
    return {row.language: row.staff_id for row in session.scalars(mine)}


def has_had_clinician(session: Session, clinic_id: UUID) -> bool:
    """Whether the clinic has, or once had, somebody who could approve."""
    one = select(Staff.id).where(Staff.clinic_id == clinic_id, Staff.role == "clinician")
    return session.scalars(one.limit(1)).first() is not None


def waits_for_clinician(session: Session, clinic_id: UUID) -> bool:
    """Whether a change of the settings' safety content needs a clinician's approval.

    Not while a clinic is being set up: it has no patients yet, and nobody who could approve.
    """
    patients = session.scalars(select(Patient.id).where(Patient.clinic_id == clinic_id).limit(1))
    return patients.first() is not None or has_had_clinician(session, clinic_id)


def emails(session: Session, clinic_id: UUID) -> dict[UUID, str]:
    """Return the addresses of a clinic's staff, also of those who have left."""
    rows = session.execute(select(Staff.id, Staff.email).where(Staff.clinic_id == clinic_id))
    return {row[0]: row[1] for row in rows}


def versions(session: Session, clinic_id: UUID, protocol: str) -> list[ProtocolVersion]:
    """Return every version of a clinic's protocol, the oldest first."""
    mine = select(ProtocolVersion).where(
        ProtocolVersion.clinic_id == clinic_id, ProtocolVersion.protocol == protocol
    )
    return list(session.scalars(mine.order_by(ProtocolVersion.number)))


def _behind(clinic_id: UUID, protocol: str, number: int) -> tuple[Any, ...]:
    return (
        Enrollment.clinic_id == clinic_id,
        Enrollment.protocol == protocol,
        Enrollment.status == "active",
        Enrollment.protocol_number.is_distinct_from(number),
    )


def request_plan_of_those_behind(
    session: Session, clinic_id: UUID, protocol: str, number: int
) -> None:
    """Mark who follows a protocol, and not by this version, so that the plan step looks at them."""
    marked = update(Enrollment).values(plan_requested_at=text("clock_timestamp()"))
    session.execute(marked.where(*_behind(clinic_id, protocol, number)))


def count_behind(session: Session, clinic_id: UUID, protocol: str, number: int) -> int:
    """Count the patients whose texts are not planned by this version yet."""
    mine = select(func.count(Enrollment.patient_id.distinct()))
    return session.scalars(mine.where(*_behind(clinic_id, protocol, number))).one()


def count_waiting(session: Session, clinic_id: UUID) -> int:
    """Count the patients of a clinic who wait to be planned."""
    mine = select(func.count(Enrollment.patient_id.distinct())).where(
        Enrollment.clinic_id == clinic_id, Enrollment.plan_requested_at.is_not(None)
    )
    return session.scalars(mine).one()


_WAITING = text("""
    SELECT template, count(*) FROM message
    WHERE clinic_id = :clinic AND status IN ('planned', 'claimed') AND template = ANY(:templates)
    GROUP BY template
""")


def count_unsent(session: Session, clinic_id: UUID, templates: Sequence[str]) -> dict[str, int]:
    """Count the unsent texts of each of these templates: a change of words reaches them."""
    rows = session.execute(_WAITING, {"clinic": clinic_id, "templates": list(templates)})
    return {row[0]: row[1] for row in rows}


_CONCERNED = text("""
    SELECT DISTINCT patient_id FROM (
        SELECT patient_id FROM enrollment
        WHERE clinic_id = :clinic AND status = 'active'
          AND (CAST(:protocol AS text) IS NULL OR protocol = :protocol)
        UNION ALL
        SELECT patient_id FROM appointment
        WHERE :visits AND clinic_id = :clinic AND status = 'booked' AND ends_at > :now
    ) any_of ORDER BY patient_id
""")


def concerned(
    session: Session, clinic_id: UUID, *, protocol: str | None, visits: bool, now: datetime
) -> list[UUID]:
    """Return whom a change can concern: who follows a protocol (None: any), who has a visit."""
    values = {"clinic": clinic_id, "protocol": protocol, "visits": visits, "now": now}
    return list(session.scalars(_CONCERNED, values))


class Restamped(NamedTuple):
    """What an unsent text becomes when a new version of its protocol wants it."""

    id: UUID
    template: str
    priority: int
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime | None
    revision: int | None
    expects: str | None
    answer_until: datetime | None
    prove_by: datetime | None
    purpose: str
    params: str
    policy: str | None
    nudge_for: str | None
    protocol_number: int
    reason: str | None


_TYPES = {
    **dict.fromkeys(
        ("due_at", "latest_at", "anchor_at", "answer_until", "prove_by"), "timestamptz"
    ),
    **dict.fromkeys(("priority", "revision", "protocol_number"), "int"),
    "id": "uuid",
}
_COLUMNS = Restamped._fields
_ARRAYS = ", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'text')}[])" for name in _COLUMNS)
_AS_THEY_ARE = [name for name in _COLUMNS if name not in ("id", "params", "reason")]
# A claim of the old version is void, so that nothing of it goes after this commit. What keeps its
# minute keeps what it waits for; what is to be proved at another is looked at anew. The condition
# is a CASE, since before the first ANALYZE the planner takes such a status for rare and goes
# through the whole array for every row.
_RESTAMP = text(f"""
    UPDATE message m
    SET {", ".join(f"{name} = v.{name}" for name in _AS_THEY_ARE)},
        params = CAST(v.params AS jsonb),
        next_at = CASE WHEN m.due_at = v.due_at THEN m.next_at ELSE v.due_at END,
        reason = CASE WHEN m.due_at = v.due_at THEN m.reason ELSE v.reason END,
        reviewed_at = CASE WHEN m.prove_by = v.prove_by THEN m.reviewed_at END,
        status = 'planned', claim_token = NULL, lease_until = NULL
    FROM unnest({_ARRAYS}) AS v({", ".join(_COLUMNS)})
    WHERE m.id = v.id
      AND CASE WHEN m.status IN ('planned', 'claimed') THEN m.attempts = 0 ELSE false END
""")


def restamp(session: Session, rows: Sequence[Restamped]) -> None:
    """Let unsent texts follow a new version; one with an attempt keeps what it went with."""
    if rows:
        columns = zip(*rows, strict=True)
        session.execute(_RESTAMP, dict(zip(_COLUMNS, map(list, columns), strict=True)))


class Usual(NamedTuple):
    """What a clinic's last weeks held: questions that were taken, and items that replies opened."""

    questions: int
    items: int


_USUAL = text("""
    SELECT (SELECT count(*) FROM check_in WHERE clinic_id = :clinic AND asked_at > :since),
           (SELECT count(*) FROM follow_up WHERE clinic_id = :clinic AND opened_at > :since
            AND source_kind IN ('inbound', 'check_in'))
""")


def usual(session: Session, clinic_id: UUID, *, since: datetime) -> Usual:
    """Return how many questions went, and how many items answers and silence opened."""
    row = session.execute(_USUAL, {"clinic": clinic_id, "since": since}).one()
    return Usual(questions=row[0], items=row[1])
