"""Automatic answers: each is an outbox row that hangs on the text it answers.

The send step takes it from there. A row carries the number the text came from, sealed, so that a
number nobody knows, or one that stopped, can still be answered once about its safety.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from records import clinics, conversation
from records.base import Session, new_id
from records.clinics import Clinic
from records.inbox import Inbound
from worker.services import Services

SAFETY_PRIORITY, ANSWER_PRIORITY = 0, 1
_LATEST = {"safety": timedelta(minutes=30)}
_LATEST_ANSWER = timedelta(hours=2)

#: A stop is confirmed within this time of it; later the confirmation is one text too many.
AFTER_STOP = timedelta(minutes=5)
#: Automatic answers to one number within an hour, safety apart: two robots must not talk on.
MOST_AN_HOUR = 3
#: A safety text after this long is answered again (care rule 10).
SAFETY_AGAIN = timedelta(minutes=15)
_HOUR = timedelta(hours=1)


def queue_answer(
    session: Session,
    services: Services,
    *,
    clinic: Clinic,
    patient_id: UUID | None,
    inbound: Inbound,
    template: str,
    kind: str = "answer",
    priority: int = ANSWER_PRIORITY,
    params: Mapping[str, str] | None = None,
    language: str | None = None,
    sender_id: UUID | None = None,
    latest_at: datetime | None = None,
) -> UUID | None:
    """Add an answer to a received text; None if the text was answered with this template before.

    `kind` is `safety` (past every gate and without a deadline) or `answer` (2 h, unless
    `latest_at` says till when it goes).
    `language` is the one of the text received unless given, `sender_id` the clinic's present one.
    """
    now, row_id = services.now, new_id()
    number = services.vault.open("inbound", "from_number", inbound.id, inbound.from_number)
    values = {
        "id": row_id,
        "clinic_id": clinic.id,
        "sender_id": sender_id or clinics.active_sender(session, clinic.id).id,
        "patient_id": patient_id,
        "inbound_id": inbound.id,
        "step": template,
        "kind": kind,
        "priority": priority,
        "template": template,
        "params": dict(params or {}),
        "language": language or inbound.language,
        "due_at": now,
        "next_at": now,
        "latest_at": latest_at or now + _LATEST.get(kind, _LATEST_ANSWER),
        "recipient": services.vault.seal("message", "recipient", row_id, number),
        "recipient_blind": inbound.from_blind,
    }
    return conversation.add_answer(session, values)


def may_answer(session: Session, services: Services, inbound: Inbound) -> bool:
    """Return whether one more automatic answer may go to this number within the hour."""
    lately = _lately(session, services, inbound, within=_HOUR)
    return lately.answers < MOST_AN_HOUR


def answered_with(
    session: Session,
    services: Services,
    inbound: Inbound,
    template: str,
    *,
    within: timedelta,
    safety: bool = False,
) -> bool:
    """Return whether this number was answered with this template within that time.

    With `safety` only an answer to danger counts.
    """
    lately = _lately(session, services, inbound, within=within, template=template, safety=safety)
    return lately.same_at is not None and lately.same_at > services.now - within


def _lately(
    session: Session,
    services: Services,
    inbound: Inbound,
    *,
    within: timedelta,
    template: str = "",
    safety: bool = False,
) -> conversation.Answered:
    return conversation.answered_lately(
        session,
        inbound.clinic_id,
        inbound.from_blind,
        template=template,
        since=services.now - within,
        safety=safety,
    )
