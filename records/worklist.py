"""What people read: lists of texts, replies and follow-ups, and one patient's conversation.

The console and the `aftercare` command read through here. Rows come back as values whose fields
bear the names that `--json` prints; what names a patient is opened with the vault, and bodies and
numbers stay sealed until somebody asks for them by name (and is recorded for it).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session

from records.appointments import Appointment
from records.clinics import Clinic, Staff
from records.followups import FollowUp, is_held
from records.inbox import Inbound
from records.outbox import Message
from records.patients import Patient
from records.vault import Vault

# The most urgent first; an unknown word would stand behind all others.
SEVERITIES = ("page_now", "call_today", "next_business_day", "digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMessage:
    """An outbound text. `patient_id` and `appointment_id` are the clinic's own ids."""

    id: UUID
    clinic: str
    patient_id: str | None = field(repr=False)
    protocol: str | None
    step: str
    occurrence: str
    appointment_id: str | None = field(repr=False)
    template: str
    language: str | None
    due_at: datetime
    latest_at: datetime
    priority: int
    status: str
    reason: str | None
    sid: str | None
    segments: int | None
    attempts: int
    submitted_at: datetime | None
    accepted_at: datetime | None
    final_at: datetime | None
    # Not printed by default; kept for --reveal, the console and the history.
    kind: str
    error_code: int | None
    answered_at: datetime | None
    clinic_uuid: UUID
    patient_uuid: UUID | None
    sealed_body: bytes | None = field(repr=False)
    sealed_recipient: bytes | None = field(repr=False)

    def body(self, vault: Vault) -> str | None:
        """Open what the text says; None before it was claimed. The caller records that."""
        return _open(vault, "message", "body", self.id, self.sealed_body)

    def recipient(self, vault: Vault) -> str | None:
        """Open the number it went to (E.164); None before it was claimed."""
        return _open(vault, "message", "recipient", self.id, self.sealed_recipient)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedReply:
    """An inbound text with its reading. `patient_id` is empty for an unknown number."""

    id: UUID
    sid: str
    clinic: str
    patient_id: str | None = field(repr=False)
    received_at: datetime
    prompt_message_id: UUID | None
    intent: str | None
    value: str | None
    also: tuple[str, ...]
    understood_by: str
    followup_id: UUID | None
    severity: str | None
    urgent: bool
    language: str | None
    opt_change: str | None
    handled_at: datetime | None
    clinic_uuid: UUID
    patient_uuid: UUID | None
    sealed_body: bytes = field(repr=False)
    sealed_from: bytes = field(repr=False)

    def body(self, vault: Vault) -> str:
        """Open what the patient wrote. The caller records that."""
        return vault.open("inbound", "body", self.id, self.sealed_body)

    def from_number(self, vault: Vault) -> str:
        """Open the number it came from."""
        return vault.open("inbound", "from_number", self.id, self.sealed_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFollowUp:
    """An item of the work list. `owner` is the e-mail address of who has it."""

    id: UUID
    clinic: str
    patient_id: str | None = field(repr=False)
    first_name: str | None = field(repr=False)
    reason: str
    severity: str
    status: str
    owner: str | None
    opened_at: datetime
    due_at: datetime
    escalation_level: int
    outcome: str | None
    source: str
    snoozed_until: datetime | None
    acknowledged_at: datetime | None
    # Somebody has taken it and has answered the last page about it.
    held: bool
    resolved_at: datetime | None
    times_joined: int
    # The start of the dose that a clinician has to decide on with this.
    dose_at: datetime | None
    clinic_uuid: UUID
    patient_uuid: UUID | None
    owner_id: UUID | None
    source_kind: str
    source_id: UUID


def _open(
    vault: Vault, table: str, column: str, row: UUID | None, sealed: bytes | None
) -> str | None:
    return None if row is None or sealed is None else vault.open(table, column, row, sealed)


def _newest_first(
    query: Any,
    order: ColumnElement[Any] | Any,
    *,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
) -> Any:
    """Keep [since, until) and the newest `limit` of it."""
    if since is not None:
        query = query.where(order >= since)
    if until is not None:
        query = query.where(order < until)
    return query.order_by(order.desc()).limit(limit)


def _oldest_first(session: Session, query: Any) -> list[Any]:
    rows: list[Any] = list(session.execute(query))
    return rows[::-1]


def _among(column: Any, status: str | Sequence[str]) -> ColumnElement[bool]:
    wanted: ColumnElement[bool] = column.in_([status] if isinstance(status, str) else list(status))
    return wanted


MESSAGES = (
    select(Message, Clinic.key, Patient.external_id, Appointment.external_id)
    .join(Clinic, Clinic.id == Message.clinic_id)
    .outerjoin(Patient, Patient.id == Message.patient_id)
    .outerjoin(Appointment, Appointment.id == Message.appointment_id)
)
REPLIES = (
    select(Inbound, Clinic.key, Patient.external_id)
    .join(Clinic, Clinic.id == Inbound.clinic_id)
    .outerjoin(Patient, Patient.id == Inbound.patient_id)
)


def messages(
    session: Session,
    vault: Vault,
    *,
    clinic_id: UUID | None = None,
    patient_id: UUID | None = None,
    status: str | Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[ListedMessage]:
    """Return outbound texts by due time, the oldest first; of too many, the last `limit`.

    `since` and `until` bound `due_at`. `patient_id` is ours, not the clinic's.
    """
    query: Any = MESSAGES
    if clinic_id is not None:
        query = query.where(Message.clinic_id == clinic_id)
    if patient_id is not None:
        query = query.where(Message.patient_id == patient_id)
    if status is not None:
        query = query.where(_among(Message.status, status))
    query = _newest_first(query, Message.due_at, since=since, until=until, limit=limit)
    return [listed_message(vault, *row) for row in _oldest_first(session, query)]


def message(session: Session, vault: Vault, message_id: UUID) -> ListedMessage | None:
    """Return one outbound text."""
    row = session.execute(MESSAGES.where(Message.id == message_id)).first()
    return None if row is None else listed_message(vault, *row)


def listed_message(
    vault: Vault, row: Message, clinic: str, patient: bytes | None, appointment: str | None
) -> ListedMessage:
    external = _open(vault, "patient", "external_id", row.patient_id, patient)
    return ListedMessage(
        id=row.id,
        clinic=clinic,
        patient_id=external,
        protocol=row.protocol,
        step=row.step,
        occurrence=row.occurrence,
        appointment_id=appointment,
        template=row.template,
        language=row.language,
        due_at=row.due_at,
        latest_at=row.latest_at,
        priority=row.priority,
        status=row.status,
        reason=row.reason,
        sid=row.sid,
        segments=row.segments,
        attempts=row.attempts,
        submitted_at=row.submitted_at,
        accepted_at=row.accepted_at,
        final_at=row.final_at,
        kind=row.kind,
        error_code=row.error_code,
        answered_at=row.answered_at,
        clinic_uuid=row.clinic_id,
        patient_uuid=row.patient_id,
        sealed_body=row.body,
        sealed_recipient=row.recipient,
    )


def replies(
    session: Session,
    vault: Vault,
    *,
    clinic_id: UUID | None = None,
    patient_id: UUID | None = None,
    status: str | Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[ListedReply]:
    """Return inbound texts by arrival, the oldest first; of too many, the last `limit`.

    `since` and `until` bound `received_at`. `status` is `unread` or `handled`.
    """
    query: Any = REPLIES
    if clinic_id is not None:
        query = query.where(Inbound.clinic_id == clinic_id)
    if patient_id is not None:
        query = query.where(Inbound.patient_id == patient_id)
    if status is not None:
        word = case((Inbound.handled_at.is_(None), "unread"), else_="handled")
        query = query.where(_among(word, status))
    query = _newest_first(query, Inbound.received_at, since=since, until=until, limit=limit)
    return [listed_reply(vault, *row) for row in _oldest_first(session, query)]


def listed_reply(vault: Vault, row: Inbound, clinic: str, patient: bytes | None) -> ListedReply:
    external = _open(vault, "patient", "external_id", row.patient_id, patient)
    return ListedReply(
        id=row.id,
        sid=row.sid,
        clinic=clinic,
        patient_id=external,
        received_at=row.received_at,
        prompt_message_id=row.prompt_message_id,
        intent=row.intent,
        value=row.value,
        also=tuple(row.also or ()),
        understood_by=row.understood_by,
        followup_id=row.follow_up_id,
        severity=row.severity,
        urgent=row.urgent,
        language=row.language,
        opt_change=row.opt_change,
        handled_at=row.handled_at,
        clinic_uuid=row.clinic_id,
        patient_uuid=row.patient_id,
        sealed_body=row.body,
        sealed_from=row.from_number,
    )


_FOLLOW_UPS = (
    select(FollowUp, Clinic.key, Patient.external_id, Patient.first_name, Staff.email)
    .join(Clinic, Clinic.id == FollowUp.clinic_id)
    .outerjoin(Patient, Patient.id == FollowUp.patient_id)
    .outerjoin(Staff, Staff.id == FollowUp.owner_id)
)


def follow_ups(
    session: Session,
    vault: Vault,
    *,
    clinic_id: UUID | None = None,
    patient_id: UUID | None = None,
    status: str | Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[ListedFollowUp]:
    """Return follow-ups by opening, the oldest first; of too many, the last `limit`.

    `since` and `until` bound `opened_at`.
    """
    query: Any = _FOLLOW_UPS
    if clinic_id is not None:
        query = query.where(FollowUp.clinic_id == clinic_id)
    if patient_id is not None:
        query = query.where(FollowUp.patient_id == patient_id)
    if status is not None:
        query = query.where(_among(FollowUp.status, status))
    query = _newest_first(query, FollowUp.opened_at, since=since, until=until, limit=limit)
    return [_listed_follow_up(vault, *row) for row in _oldest_first(session, query)]


def work_list(
    session: Session, vault: Vault, *, clinic_id: UUID, limit: int = 200
) -> list[ListedFollowUp]:
    """Return a clinic's unresolved follow-ups: the most urgent first, then by due time."""
    rank = case(
        {severity: number for number, severity in enumerate(SEVERITIES)},
        value=FollowUp.severity,
        else_=len(SEVERITIES),
    )
    query: Any = _FOLLOW_UPS.where(FollowUp.clinic_id == clinic_id, FollowUp.status != "resolved")
    query = query.order_by(rank, FollowUp.due_at, FollowUp.id).limit(limit)
    return [_listed_follow_up(vault, *row) for row in session.execute(query)]


def follow_up(session: Session, vault: Vault, follow_up_id: UUID) -> ListedFollowUp | None:
    """Return one follow-up."""
    row = session.execute(_FOLLOW_UPS.where(FollowUp.id == follow_up_id)).first()
    return None if row is None else _listed_follow_up(vault, *row)


def _listed_follow_up(
    vault: Vault,
    row: FollowUp,
    clinic: str,
    external: bytes | None,
    first_name: bytes | None,
    owner: str | None,
) -> ListedFollowUp:
    who = row.patient_id
    return ListedFollowUp(
        id=row.id,
        clinic=clinic,
        patient_id=_open(vault, "patient", "external_id", who, external),
        first_name=_open(vault, "patient", "first_name", who, first_name),
        reason=row.reason,
        severity=row.severity,
        status=row.status,
        # Somebody on call who has no sign-in is named by their key on the ladder.
        owner=owner or row.taken_by,
        opened_at=row.opened_at,
        due_at=row.due_at,
        escalation_level=row.escalation_level,
        outcome=row.outcome,
        source=f"{row.source_kind}:{row.source_id}",
        snoozed_until=row.snoozed_until,
        acknowledged_at=row.acknowledged_at,
        held=is_held(row),
        resolved_at=row.resolved_at,
        times_joined=row.times_joined,
        dose_at=row.dose_at,
        clinic_uuid=row.clinic_id,
        patient_uuid=row.patient_id,
        owner_id=row.owner_id,
        source_kind=row.source_kind,
        source_id=row.source_id,
    )
