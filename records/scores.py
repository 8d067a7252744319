"""A patient's answers over time, with the doses among them: what is looked at before the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.appointments import Appointment
from records.checkins import CheckIn
from records.outbox import Message

_GIVEN = ("given", "partial")
_NO_SCALE = frozenset({"yes_no", "appointment_reminder", "none"})
#: Which end worries, by protocol, version and step; None where nobody can say.
Direction = Callable[[str | None, int | None, str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One point of the series: a question with its answer, or a dose.

    `item` is the step that asked, `scale` how its answer was read, `direction` which end worries,
    `version` the protocol's. `days_since_dose` counts from the last dose before it.
    """

    at: datetime
    kind: str
    item: str | None = None
    scale: str | None = None
    direction: str | None = None
    value: Decimal | None = None
    answer: str | None = None
    status: str | None = None
    protocol: str | None = None
    version: int | None = None
    route: str | None = None
    days_since_dose: float | None = None


def series(session: Session, patient_id: UUID, *, worse: Direction) -> list[Mark]:
    """Return the answers and doses of a patient in order of time.

    `worse` says of a step which end of its scale worries: a protocol says so, and no row does.
    """
    doses = list(_doses(session, patient_id))
    marks = [*doses, *_answers(session, patient_id, [dose.at for dose in doses], worse)]
    return sorted(marks, key=lambda mark: (mark.at, mark.kind))


def _doses(session: Session, patient_id: UUID) -> Iterator[Mark]:
    mine = select(Appointment).where(
        Appointment.patient_id == patient_id, Appointment.dose.in_(_GIVEN)
    )
    for visit in session.scalars(mine.order_by(Appointment.starts_at)):
        at = visit.checked_out_at or visit.ends_at
        yield Mark(at=at, kind="dose", route=visit.route, status=visit.dose)


def _answers(
    session: Session, patient_id: UUID, doses: list[datetime], worse: Direction
) -> Iterator[Mark]:
    mine = (
        select(CheckIn, Message.protocol, Message.protocol_number)
        .join(Message, Message.id == CheckIn.message_id)
        .where(CheckIn.patient_id == patient_id, CheckIn.status != "open")
    )
    for row, protocol, number in session.execute(mine.order_by(CheckIn.asked_at)):
        at = row.answered_at or row.asked_at
        before = [dose for dose in doses if dose <= at]
        since = (at - before[-1]).total_seconds() / 86_400 if before else None
        yield Mark(
            at=at,
            kind="answer",
            item=row.item,
            scale=row.context,
            direction=None if row.context in _NO_SCALE else worse(protocol, number, row.item),
            value=row.value,
            answer=row.value_text,
            status=row.status,
            protocol=protocol,
            version=number,
            days_since_dose=None if since is None else round(since, 2),
        )
