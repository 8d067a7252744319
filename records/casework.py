"""One case on a person's desk: where a follow-up comes from, and the patient's conversation.

The console reads through here what `records.worklist` lists only in outline.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from records.appointments import Appointment
from records.checkins import CheckIn
from records.clinics import Staff
from records.followups import FollowUp, FollowUpEvent
from records.inbox import Inbound, ReadingCorrection, corrections_of
from records.outbox import Message
from records.patients import Consent, Patient
from records.vault import Vault
from records.worklist import (
    MESSAGES,
    REPLIES,
    SEVERITIES,
    ListedFollowUp,
    ListedMessage,
    ListedReply,
    follow_ups,
    listed_message,
    listed_reply,
    messages,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFact:
    """Where a follow-up comes from, in short: enough to say what happened without a body."""

    at: datetime
    item: str | None = None
    value: str | None = None
    status: str | None = None
    kind: str | None = None


def sources(session: Session, items: Sequence[ListedFollowUp]) -> dict[UUID, SourceFact]:
    """Return, by follow-up, the facts of what it comes from; one query a kind of source."""
    found: dict[UUID, SourceFact] = {}
    for kind, read in _SOURCES.items():
        wanted = {item.source_id for item in items if item.source_kind == kind}
        facts = read(session, wanted) if wanted else {}
        found |= {item.id: facts[item.source_id] for item in items if item.source_id in facts}
    return found


def _inbound_facts(session: Session, ids: set[UUID]) -> dict[UUID, SourceFact]:
    query = (
        select(Inbound.id, Inbound.received_at, Inbound.intent, Inbound.value, Message.template)
        .outerjoin(Message, Message.id == Inbound.prompt_message_id)
        .where(Inbound.id.in_(ids))
    )
    return {
        row.id: SourceFact(
            at=row.received_at, item=row.template, value=row.value, status=row.intent
        )
        for row in session.execute(query)
    }


def _message_facts(session: Session, ids: set[UUID]) -> dict[UUID, SourceFact]:
    query = select(Message.id, Message.due_at, Message.template, Message.status, Message.reason)
    return {
        row.id: SourceFact(at=row.due_at, item=row.template, status=row.status, value=row.reason)
        for row in session.execute(query.where(Message.id.in_(ids)))
    }


def _visit_facts(session: Session, ids: set[UUID]) -> dict[UUID, SourceFact]:
    query = select(Appointment.id, Appointment.starts_at, Appointment.kind, Appointment.status)
    return {
        row.id: SourceFact(at=row.starts_at, kind=row.kind, status=row.status)
        for row in session.execute(query.where(Appointment.id.in_(ids)))
    }


def _check_in_facts(session: Session, ids: set[UUID]) -> dict[UUID, SourceFact]:
    query = select(CheckIn.id, CheckIn.asked_at, CheckIn.item, CheckIn.status, CheckIn.value)
    return {
        row.id: SourceFact(
            at=row.asked_at, item=row.item, status=row.status, value=_plain(row.value)
        )
        for row in session.execute(query.where(CheckIn.id.in_(ids)))
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


_SOURCES = {
    "inbound": _inbound_facts,
    "message": _message_facts,
    "appointment": _visit_facts,
    "check_in": _check_in_facts,
}


def open_follow_ups_by_severity(session: Session, clinic_id: UUID | None = None) -> dict[str, int]:
    """Return how many follow-ups are not resolved, by severity (every severity is named)."""
    query = select(FollowUp.severity, func.count()).where(FollowUp.status != "resolved")
    if clinic_id is not None:
        query = query.where(FollowUp.clinic_id == clinic_id)
    counted = dict.fromkeys(SEVERITIES, 0)
    for severity, count in session.execute(query.group_by(FollowUp.severity)):
        counted[severity] = count
    return counted


def staff_of(session: Session, clinic_id: UUID) -> list[Staff]:
    """Return a clinic's staff who may sign in, by address."""
    mine = select(Staff).where(Staff.clinic_id == clinic_id, Staff.disabled_at.is_(None))
    return list(session.scalars(mine.order_by(Staff.email)))


def staff_by_id(session: Session, staff_id: UUID) -> Staff | None:
    """Return the staff member with this id."""
    return session.scalars(select(Staff).where(Staff.id == staff_id)).first()


def staff_with_ids(session: Session, staff_ids: Collection[UUID]) -> dict[UUID, Staff]:
    """Return the staff members with these ids, by id."""
    if not staff_ids:
        return {}
    return {one.id: one for one in session.scalars(select(Staff).where(Staff.id.in_(staff_ids)))}


def patient_of(session: Session, clinic_id: UUID, patient_id: UUID) -> Patient | None:
    """Return the patient if they are this clinic's."""
    mine = select(Patient).where(Patient.id == patient_id, Patient.clinic_id == clinic_id)
    return session.scalars(mine).first()


# What is still ahead, as against what went out or ended.
_AHEAD = ("planned", "claimed")
_WENT = (
    "submitting",
    "unknown",
    "accepted",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "expired",
    "cancelled",
    "skipped",
)

Said = ListedMessage | ListedReply


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a text stands in its conversation: texts of one instant stand by their ids."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A patient's texts both ways up to now, and those planned ahead, each by time."""

    past: tuple[Said, ...]
    ahead: tuple[ListedMessage, ...]
    follow_ups: tuple[ListedFollowUp, ...]
    more_before: bool


def conversation(
    session: Session,
    vault: Vault,
    *,
    clinic_id: UUID,
    patient_id: UUID,
    now: datetime,
    before: Place | None = None,
    limit: int = 100,
) -> Conversation:
    """Return the newest `limit` texts of a patient before a place, and those ahead of `now`.

    A reply stands where it was received, a text where it was submitted, or was due. What will not
    go although it was to be due stands ahead too, with its reason.
    """
    # Before the texts, so that whatever these say has joined them is among those.
    items = follow_ups(session, vault, clinic_id=clinic_id, patient_id=patient_id, limit=limit)
    # Placed and cut off by the same instant: else what went late would be on two pages, or on none.
    sent_at = func.coalesce(Message.submitted_at, Message.due_at)
    went = MESSAGES.where(Message.clinic_id == clinic_id, Message.patient_id == patient_id)
    went = went.where(
        Message.status.in_(_WENT), or_(Message.submitted_at.is_not(None), Message.due_at < now)
    )
    came = REPLIES.where(Inbound.clinic_id == clinic_id, Inbound.patient_id == patient_id)
    received = _newest(session, came, Inbound.received_at, Inbound.id, before, limit + 1)
    sent = _newest(session, went, sent_at, Message.id, before, limit + 1)
    both: list[Said] = [listed_message(vault, *row) for row in sent]
    both += as_corrected(session, [listed_reply(vault, *row) for row in received])
    both.sort(key=place_of)
    return Conversation(
        past=tuple(both[-limit:]),
        ahead=_ahead(session, vault, clinic_id, patient_id, now=now, limit=limit),
        follow_ups=tuple(items),
        more_before=len(both) > limit,
    )


def _newest(
    session: Session, query: Any, at: Any, row_id: Any, before: Place | None, limit: int
) -> list[Any]:
    """Return the newest rows before a place."""
    if before is not None:
        query = query.where(or_(at < before.at, and_(at == before.at, row_id < before.id)))
    return list(session.execute(query.order_by(at.desc(), row_id.desc()).limit(limit)))


def _ahead(
    session: Session, vault: Vault, clinic_id: UUID, patient_id: UUID, *, now: datetime, limit: int
) -> tuple[ListedMessage, ...]:
    mine = partial(messages, session, vault, clinic_id=clinic_id, patient_id=patient_id)
    ended = (row for row in mine(status=_WENT, since=now, limit=limit) if row.submitted_at is None)
    return tuple(sorted([*mine(status=_AHEAD, limit=limit), *ended], key=place_of))


def place_of(row: Said) -> Place:
    """Return where a text stands in its conversation."""
    if isinstance(row, ListedReply):
        return Place(row.received_at, row.id)
    return Place(row.submitted_at or row.due_at, row.id)


def reply(session: Session, vault: Vault, inbound_id: UUID) -> ListedReply | None:
    """Return one inbound text."""
    row = session.execute(REPLIES.where(Inbound.id == inbound_id)).first()
    return None if row is None else as_corrected(session, [listed_reply(vault, *row)])[0]


def as_corrected(session: Session, rows: Sequence[ListedReply]) -> list[ListedReply]:
    """Return replies with what staff say they mean, where staff corrected the reading."""
    found = corrections_of(session, [row.id for row in rows])
    return [
        replace(row, intent=mine.intent, value=mine.value, understood_by="staff")
        if (mine := found.get(row.id))
        else row
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What somebody did with a follow-up; `who` is an address, or the label of a machine."""

    at: datetime
    who: str
    action: str
    note: str | None = field(repr=False)


def events_of(session: Session, vault: Vault, follow_up_id: UUID) -> list[Done]:
    """Return the history of a follow-up, the oldest first, with its notes opened."""
    mine = (
        select(FollowUpEvent, Staff.email)
        .outerjoin(Staff, func.concat("staff:", Staff.id) == FollowUpEvent.actor)
        .where(FollowUpEvent.follow_up_id == follow_up_id)
        .order_by(FollowUpEvent.at, FollowUpEvent.id)
    )
    return [
        Done(
            at=event.at,
            who=email or event.actor,
            action=event.action,
            note=vault.open("follow_up_event", "note", event.id, event.note)
            if event.note
            else None,
        )
        for event, email in session.execute(mine)
    ]


def ledger(session: Session, patient_id: UUID) -> list[tuple[Consent, str]]:
    """Return a patient's ledger of consent, the latest entry first, with who wrote each.

    That is an address, or the label of a machine.
    """
    mine = (
        select(Consent, Staff.email)
        .outerjoin(Staff, func.concat("staff:", Staff.id) == Consent.actor)
        .where(Consent.patient_id == patient_id)
        .order_by(Consent.recorded_at.desc(), Consent.id.desc())
    )
    return [(entry, email or entry.actor) for entry, email in session.execute(mine)]


def corrections(session: Session, inbound_id: UUID) -> list[tuple[ReadingCorrection, str]]:
    """Return each correction of a text, the last first, with who made it.

    That is an address, or the label of a machine.
    """
    mine = (
        select(ReadingCorrection, Staff.email)
        .outerjoin(Staff, func.concat("staff:", Staff.id) == ReadingCorrection.actor)
        .where(ReadingCorrection.inbound_id == inbound_id)
        .order_by(ReadingCorrection.id.desc())
    )
    return [(row, email or row.actor) for row, email in session.execute(mine)]
