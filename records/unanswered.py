"""Questions that nobody answered yet: those that are over, and those whose silence may count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from records.checkins import CheckIn
from records.outbox import Message
from records.patients import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A check-in with the text that asked it and the patient it waits for."""

    check_in: CheckIn
    message: Message
    patient: Patient


def check_ins_over(
    session: Session,
    *,
    now: datetime,
    skip: Sequence[UUID],
    waiting_clinics: Sequence[UUID],
    waited_enough: datetime,
    limit: int,
) -> list[Asked]:
    """Lock and return the open check-ins that ended longest ago and that nobody else has.

    Those of `waiting_clinics` are left alone until they ended before `waited_enough`.
    """
    ready = CheckIn.clinic_id.not_in(waiting_clinics) | (CheckIn.ends_at <= waited_enough)
    mine = _ASKED.where(CheckIn.ends_at <= now, CheckIn.id.not_in(skip), ready)
    return _asked(session, mine.order_by(CheckIn.ends_at, CheckIn.id).limit(limit))


def check_in_before(session: Session, check_in_id: UUID, *, ended: datetime) -> CheckIn | None:
    """Lock and return this check-in if it is open although it ended before that."""
    mine = select(CheckIn).where(
        CheckIn.id == check_in_id, CheckIn.status == "open", CheckIn.ends_at <= ended
    )
    return session.scalars(mine.with_for_update()).first()


def check_ins_about_visits(
    session: Session, *, now: datetime, until: datetime, limit: int
) -> list[Asked]:
    """Return delivered questions about visits, open to `until` at most, to look at now."""
    mine = _ASKED.where(
        CheckIn.ends_at <= until,
        CheckIn.next_look_at.is_(None) | (CheckIn.next_look_at <= now),
        Message.appointment_id.is_not(None),
        Message.status == "delivered",
        Message.nudge_for.is_(None),
    )
    rows = session.execute(mine.order_by(CheckIn.id).limit(limit))
    return [Asked(check_in=row[0], message=row[1], patient=row[2]) for row in rows]


def open_check_ins(session: Session, check_in_ids: Sequence[UUID]) -> list[Asked]:
    """Lock and return those of these check-ins that are open and that nobody else has."""
    mine = _ASKED.where(CheckIn.id.in_(check_in_ids))
    return _asked(session, mine.order_by(CheckIn.ends_at, CheckIn.id))


_ASKED = (
    select(CheckIn, Message, Patient)
    .join(Message, Message.id == CheckIn.message_id)
    .join(Patient, Patient.id == CheckIn.patient_id)
    .where(CheckIn.status == "open")
)


def _asked(session: Session, mine: Select[CheckIn, Message, Patient]) -> list[Asked]:
    rows = session.execute(mine.with_for_update(of=CheckIn, skip_locked=True))
    return [Asked(check_in=row[0], message=row[1], patient=row[2]) for row in rows]
