"""One case on a person's desk: where a follow-up comes from, and the patient's conversation.

The console reads through here what `records.worklist` lists only in outline.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from records.appointments import Appointment
from records.checkins import CheckIn
from records.clinics import Staff
from records.followups import FollowUp, FollowUpEvent
from records.inbox import Inbound, corrections_of
from records.outbox import Message
from records.patients import Patient
from records.vault import Vault
from records.worklist import (
    REPLIES,
    SEVERITIES,
    ListedFollowUp,
    ListedMessage,
    ListedReply,
    follow_ups,
    listed_reply,
    messages,
    replies,
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
    before: datetime | None = None,
    limit: int = 100,
) -> Conversation:
    """Return the newest `limit` texts of a patient before an instant, and those ahead of `now`.

    A reply stands where it was received, a text where it was submitted, or was due. What will not
    go although it was to be due stands ahead too, with its reason.
    """
    sent = partial(messages, session, vault, clinic_id=clinic_id, patient_id=patient_id)
    received = partial(replies, session, vault, clinic_id=clinic_id, patient_id=patient_id)
    until = before or now
    both: list[Said] = [*sent(status=_WENT, until=until, limit=limit + 1)]
    both += as_corrected(session, received(until=before, limit=limit + 1))
    both.sort(key=said_at)
    later = sent(status=_WENT, since=now, limit=limit)
    ahead = [*sent(status=_AHEAD, limit=limit), *later]
    items = follow_ups(session, vault, clinic_id=clinic_id, patient_id=patient_id, limit=limit)
    return Conversation(
        past=tuple(both[-limit:]),
        ahead=tuple(sorted(ahead, key=said_at)),
        follow_ups=tuple(items),
        more_before=len(both) > limit,
    )


def said_at(row: Said) -> datetime:
    """Return where a text stands in its conversation."""
    if isinstance(row, ListedReply):
        return row.received_at
    return row.submitted_at or row.due_at


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
