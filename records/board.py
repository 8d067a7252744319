"""The visits board: a clinic's visits of some days, and what is known of each before it begins."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, select, text
from sqlalchemy.orm import Session

from records.appointments import Appointment, AppointmentEvent
from records.base import as_array
from records.checkins import CheckIn
from records.followups import FollowUp
from records.outbox import Message
from records.patients import Patient

_LEFT_OUT = ("same_day", "other_form", "confirmed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutVisit:
    """A text about a visit's present start, with what was answered to it, if it asked."""

    template: str
    priority: int
    status: str
    reason: str | None
    error_code: int | None
    due_at: datetime
    expects: str | None
    answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number that a patient answered since their last dose."""

    item: str
    value: str


def visits(
    session: Session, clinic_id: UUID, since: datetime, until: datetime
) -> list[tuple[Appointment, Patient]]:
    """Return a clinic's visits that start in [since, until), each with its patient, by start."""
    mine = (
        select(Appointment, Patient)
        .join(Patient, Patient.id == Appointment.patient_id)
        .where(
            Appointment.clinic_id == clinic_id,
            Appointment.starts_at >= since,
            Appointment.starts_at < until,
        )
    )
    found = session.execute(mine.order_by(Appointment.starts_at, Appointment.id))
    return [(row[0], row[1]) for row in found]


def moved_away(
    session: Session, clinic_id: UUID, since: datetime, later: datetime
) -> list[tuple[Appointment, Patient]]:
    """Return the visits ahead that staff moved since then, and that start at `later` or after.

    Files move visits too: those are nobody's slip on the board.
    """
    by_staff = exists().where(
        AppointmentEvent.appointment_id == Appointment.id,
        AppointmentEvent.at == Appointment.moved_at,
        AppointmentEvent.actor.startswith("staff:"),
    )
    mine = (
        select(Appointment, Patient)
        .join(Patient, Patient.id == Appointment.patient_id)
        .where(
            Appointment.clinic_id == clinic_id,
            Appointment.status == "booked",
            Appointment.moved_at >= since,
            Appointment.starts_at >= later,
            by_staff,
        )
    )
    found = session.execute(mine.order_by(Appointment.starts_at, Appointment.id))
    return [(row[0], row[1]) for row in found]


def texts_about(session: Session, visit_ids: Collection[UUID]) -> dict[UUID, list[AboutVisit]]:
    """Return what was texted, or will be, of each visit's present start, by when it is due.

    Left out is what another text stands for, and what nobody needs any more.
    """
    mine = (
        select(Message, CheckIn.value_text)
        .join(
            Appointment,
            and_(
                Appointment.id == Message.appointment_id,
                Appointment.starts_at == Message.anchor_at,
            ),
        )
        .outerjoin(CheckIn, CheckIn.message_id == Message.id)
        .where(
            Message.appointment_id.in_(visit_ids),
            Message.kind == "started",
            Message.reason.is_(None) | Message.reason.not_in(_LEFT_OUT),
        )
    )
    found = defaultdict[UUID, list[AboutVisit]](list)
    for row, answer in session.execute(mine.order_by(Message.due_at, Message.id)):
        if row.appointment_id is not None:
            found[row.appointment_id].append(_about(row, answer))
    return found


def _about(row: Message, answer: str | None) -> AboutVisit:
    return AboutVisit(
        template=row.template,
        priority=row.priority,
        status=row.status,
        reason=row.reason,
        error_code=row.error_code,
        due_at=row.due_at,
        expects=row.expects,
        answer=answer,
    )


def items_about(session: Session, patient_ids: Collection[UUID]) -> dict[UUID, list[FollowUp]]:
    """Return patients' open items, and those that a clinician ended before a dose, by patient."""
    mine = select(FollowUp).where(
        FollowUp.patient_id.in_(patient_ids),
        (FollowUp.status != "resolved") | FollowUp.dose_at.is_not(None),
    )
    found = defaultdict[UUID, list[FollowUp]](list)
    for item in session.scalars(mine.order_by(FollowUp.due_at, FollowUp.id)):
        if item.patient_id is not None:
            found[item.patient_id].append(item)
    return found


# The last answer to each question since a patient's last dose, or within a month where none was.
_NUMBERS = text("""
    SELECT DISTINCT ON (c.patient_id, c.item) c.patient_id, c.item, c.value
    FROM check_in c
    WHERE c.patient_id = ANY(CAST(:patients AS uuid[])) AND c.status = 'answered'
      AND c.value IS NOT NULL
      AND c.asked_at > COALESCE(
          (SELECT max(COALESCE(a.checked_out_at, a.ends_at)) FROM appointment a
           WHERE a.patient_id = c.patient_id AND a.dose IN ('given', 'partial')
             AND a.starts_at < :now),
          CAST(:now AS timestamptz) - interval '30 days')
    ORDER BY c.patient_id, c.item, c.asked_at DESC
""")


def numbers_since_dose(
    session: Session, patient_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Number]]:
    """Return the last number that each patient gave to each question since their last dose."""
    found = defaultdict[UUID, list[Number]](list)
    values = {"patients": as_array(patient_ids), "now": now}
    for patient_id, item, value in session.execute(_NUMBERS, values):
        found[patient_id].append(Number(item=item, value=f"{value.normalize():f}"))
    return found


def is_of(session: Session, visit_id: UUID, clinic_id: UUID) -> bool:
    """Whether a visit is one of this clinic's."""
    mine = select(Appointment.id).where(
        Appointment.id == visit_id, Appointment.clinic_id == clinic_id
    )
    return session.scalars(mine).first() is not None
