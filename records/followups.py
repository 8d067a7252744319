"""Follow-ups: what a person has to do, with an owner, a clock and an ending."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    SmallInteger,
    TextClause,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.appointments import next_dose_of
from records.base import (
    Base,
    ClinicId,
    CreatedAt,
    Id,
    PutOff,
    Sealed,
    as_array,
    new_id,
    put_off,
    within_clinic,
)
from records.outbox import Message


class FollowUp(Base):
    """One item of the work list. One is open at a time for each `cause`."""

    __tablename__ = "follow_up"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    patient_id: Mapped[UUID | None]
    reason: Mapped[str]
    severity: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    cause: Mapped[str]
    # Where it comes from: message, inbound, appointment, check_in, enrollment or form, and which.
    source_kind: Mapped[str]
    source_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    snoozed_until: Mapped[datetime | None]
    # When whoever has it last said so; none while nobody has, or it was given to them.
    acknowledged_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    escalation_level: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    times_joined: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    # The ladder's clock: when somebody is to be paged, or looked for, next. See schedules.ladder.
    climbs_at: Mapped[datetime | None]
    # When the present run of pages began, how many of its rungs were paged, who acknowledged when.
    run_at: Mapped[datetime | None]
    rung: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    run_acknowledged_at: Mapped[datetime | None]
    # Who took it, by their key on the ladder: also somebody on call who has no sign-in.
    taken_by: Mapped[str | None]
    # A new safety text came that nobody was paged about yet.
    joined_at: Mapped[datetime | None]
    # When it was decided whether the patient is told that nobody was reached (care rule 11).
    noack_at: Mapped[datetime | None]
    # The start of the dose that a clinician has to decide on with this; none for all other items.
    dose_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        within_clinic("owner_id", "staff"),
        Index(
            "uq_follow_up_open_cause",
            "clinic_id",
            "cause",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("ix_follow_up_cause", "clinic_id", "cause"),
        Index("ix_follow_up_due", "due_at", postgresql_where=text("status <> 'resolved'")),
        Index("ix_follow_up_climbs", "climbs_at", postgresql_where=text("status <> 'resolved'")),
        Index("ix_follow_up_patient", "patient_id", "opened_at"),
    )


class FollowUpEvent(Base):
    """What was done with a follow-up, by whom: append-only. Notes are sealed."""

    __tablename__ = "follow_up_event"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    follow_up_id: Mapped[UUID]
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    note: Mapped[Sealed | None]

    __table_args__ = (
        within_clinic("follow_up_id", "follow_up"),
        Index("ix_follow_up_event_follow_up", "follow_up_id", "at"),
    )


def tell(
    session: Session,
    clinic_id: UUID,
    follow_up_id: UUID,
    *,
    at: datetime,
    actor: str,
    action: str,
    event_id: UUID | None = None,
    note: bytes | None = None,
) -> None:
    """Write a line into an item's story, as the transaction ends; `note` is sealed for its id."""
    line = {
        "id": event_id or new_id(),
        "clinic_id": clinic_id,
        "follow_up_id": follow_up_id,
        "at": at,
        "actor": actor,
        "action": action,
        "note": note,
    }
    put_off(session, PutOff.STORIES, _tell, line)


def _tell(session: Session, lines: list[dict[str, object]]) -> None:
    session.execute(insert(FollowUpEvent), lines)


def open_item(session: Session, values: dict[str, object]) -> UUID:
    """Open a follow-up, or join the open one of the same cause and make it as urgent as this."""
    values = {**_clocks(values), **values}
    statement = insert(FollowUp).values(**values)
    rank = "array_position(ARRAY['digest','next_business_day','call_today','page_now'], {})"
    theirs, ours = rank.format("excluded.severity"), rank.format("follow_up.severity")
    raised = text(f"CASE WHEN {theirs} > {ours} THEN excluded.severity ELSE follow_up.severity END")
    statement = statement.on_conflict_do_update(
        index_elements=["clinic_id", "cause"],
        index_where=text("status <> 'resolved'"),
        set_={
            "severity": raised,
            "due_at": text("LEAST(follow_up.due_at, excluded.due_at)"),
            # One that only now can't wait starts to be paged; a clock that runs is never put back.
            "run_at": _if_raised("excluded.run_at", "LEAST(follow_up.run_at, excluded.run_at)"),
            "rung": _if_raised("0", "follow_up.rung"),
            "run_acknowledged_at": _if_raised("NULL", "follow_up.run_acknowledged_at"),
            "climbs_at": text("LEAST(follow_up.climbs_at, excluded.climbs_at)"),
            # A number that never stops writing must not run out of what the column holds.
            "times_joined": text("LEAST(follow_up.times_joined + 1, 32767)"),
        },
    )
    found: UUID = session.scalars(statement.returning(FollowUp.id)).one()
    return found


def _if_raised(then: str, otherwise: str) -> TextClause:
    raised = "excluded.severity = 'page_now' AND follow_up.severity <> 'page_now'"
    return text(f"CASE WHEN {raised} THEN {then} ELSE {otherwise} END")


def _clocks(values: dict[str, object]) -> dict[str, object]:
    """Return the ladder's clocks of a new item: what can't wait is paged now, all else when due."""
    start = values["opened_at" if values["severity"] == "page_now" else "due_at"]
    return {"climbs_at": start, "run_at": start}


def by_id(session: Session, follow_up_id: UUID) -> FollowUp | None:
    """Return and lock the follow-up with this id."""
    mine = select(FollowUp).where(FollowUp.id == follow_up_id).with_for_update()
    return session.scalars(mine).first()


def patient_of(session: Session, follow_up_id: UUID) -> UUID | None:
    """Return whom a follow-up is about, without locking it; that never changes."""
    return session.scalars(select(FollowUp.patient_id).where(FollowUp.id == follow_up_id)).first()


def read(session: Session, follow_up_id: UUID) -> FollowUp | None:
    """Return the follow-up with this id, without locking it."""
    return session.scalars(select(FollowUp).where(FollowUp.id == follow_up_id)).first()


def read_all(session: Session, follow_up_ids: Collection[UUID]) -> list[FollowUp]:
    """Return the follow-ups with these ids, without locking them."""
    return list(session.scalars(select(FollowUp).where(FollowUp.id.in_(follow_up_ids))))


def last_joined(session: Session, follow_up_id: UUID) -> datetime | None:
    """Return when something last joined an item that was open already; None if nothing did."""
    mine = select(func.max(FollowUpEvent.at)).where(
        FollowUpEvent.follow_up_id == follow_up_id, FollowUpEvent.action.startswith("joined:")
    )
    return session.scalars(mine).one()


def overdue(session: Session, *, now: datetime, limit: int) -> list[FollowUp]:
    """Lock and return items that are due, not resolved and not snoozed."""
    mine = select(FollowUp).where(
        FollowUp.status != "resolved",
        FollowUp.due_at <= now,
        (FollowUp.snoozed_until.is_(None)) | (FollowUp.snoozed_until <= now),
    )
    mine = mine.order_by(FollowUp.due_at).limit(limit).with_for_update(skip_locked=True)
    return list(session.scalars(mine))


def due_within(session: Session, clinic_id: UUID, start: datetime, end: datetime) -> list[FollowUp]:
    """Lock and return a clinic's unresolved items that fall due within [start, end)."""
    mine = select(FollowUp).where(
        FollowUp.clinic_id == clinic_id,
        FollowUp.status != "resolved",
        FollowUp.due_at >= start,
        FollowUp.due_at < end,
    )
    return list(session.scalars(mine.order_by(FollowUp.id).with_for_update()))


class AboutVisit(NamedTuple):
    """The visit that an item is about, and the latest minute of the text it makes good, if any."""

    visit_id: UUID
    starts_at: datetime
    latest_at: datetime | None


# A text that a person makes good when it does not arrive is one that has to be proved in time.
_ABOUT_VISITS = text("""
    SELECT f.id, a.id, a.starts_at, CASE WHEN f.source_kind = 'message' AND m.prove_by IS NOT NULL
                                         THEN m.latest_at END
    FROM follow_up f
    LEFT JOIN check_in c ON f.source_kind = 'check_in' AND c.id = f.source_id
         AND c.clinic_id = f.clinic_id
    LEFT JOIN inbound i ON f.source_kind = 'inbound' AND i.id = f.source_id
         AND i.clinic_id = f.clinic_id
    LEFT JOIN message m ON m.clinic_id = f.clinic_id
         AND m.id = CASE f.source_kind WHEN 'message' THEN f.source_id
                    WHEN 'check_in' THEN c.message_id WHEN 'inbound' THEN i.prompt_message_id END
    LEFT JOIN enrollment e ON f.source_kind = 'enrollment' AND e.id = f.source_id
         AND e.clinic_id = f.clinic_id
    JOIN appointment a ON a.clinic_id = f.clinic_id
         AND a.id = CASE f.source_kind WHEN 'appointment' THEN f.source_id
                    ELSE COALESCE(m.appointment_id, e.appointment_id) END
    WHERE f.id = ANY(CAST(:ids AS uuid[]))
""")


def about_visits(session: Session, item_ids: Collection[UUID]) -> dict[UUID, AboutVisit]:
    """Return which visit each of these items is about, by its text, question, answer or visit."""
    found = session.execute(_ABOUT_VISITS, {"ids": as_array(item_ids)})
    return {row[0]: AboutVisit(*row[1:]) for row in found}


def lapses_before_doses(
    session: Session, clinic_id: UUID, reasons: Collection[str], *, now: datetime
) -> list[tuple[UUID, datetime | None]]:
    """Return a clinic's open items about a lapse, with the start of the patient's next dose.

    Those without a dose ahead are left out, unless one was ahead when they were last looked at.
    """
    next_dose = next_dose_of(FollowUp.patient_id, now=now).scalar_subquery()
    mine = select(FollowUp.id, next_dose).where(
        FollowUp.clinic_id == clinic_id,
        FollowUp.status != "resolved",
        FollowUp.severity != "digest",
        FollowUp.reason.in_(reasons) | FollowUp.dose_at.is_not(None),
        next_dose.is_not(None) | FollowUp.dose_at.is_not(None),
    )
    return [(row[0], row[1]) for row in session.execute(mine.order_by(FollowUp.id))]


def had_since() -> ColumnElement[datetime]:
    """Return since when an item is its owner's: nobody who is away is given one, they take it."""
    return func.coalesce(FollowUp.acknowledged_at, FollowUp.opened_at)


def return_to_queue(
    session: Session,
    owner_id: UUID,
    *,
    now: datetime,
    before: datetime | None = None,
    lapses_alone: bool = False,
) -> list[FollowUp]:
    """Take a staff member's open items from them; return the items, now without an owner.

    With `before` only those that were theirs before that instant, with `lapses_alone` those that a
    dose follows. What was put off is paged when that time comes; a page at once, as nobody has it
    any more.
    """
    mine = open_items_of(owner_id)
    if before is not None:
        mine = mine.where(had_since() < before)
    if lapses_alone:
        mine = mine.where(FollowUp.dose_at.is_not(None))
    items = list(session.scalars(mine.order_by(FollowUp.id).with_for_update()))
    for item in items:
        item.owner_id, item.taken_by = None, None
        item.status, item.acknowledged_at = "open", None
        if item.severity == "page_now":
            item.snoozed_until = None
        page_anew(item, max(now, item.snoozed_until or now))
    return items


def open_items_of(owner_id: UUID) -> Select[FollowUp]:
    """Ask for what a staff member has and has not ended."""
    return select(FollowUp).where(FollowUp.owner_id == owner_id, FollowUp.status != "resolved")


def left_with(session: Session, owner_id: UUID, reasons: Collection[str]) -> list[UUID]:
    """Return a staff member's open items that are for one of these reasons, the oldest first."""
    mine = open_items_of(owner_id).where(FollowUp.reason.in_(reasons))
    return [item.id for item in session.scalars(mine.order_by(FollowUp.id))]


def page_anew(item: FollowUp, at: datetime) -> None:
    """Start a run of pages at `at`: the item is nobody's, has a new owner, or was put off."""
    item.run_at, item.rung, item.run_acknowledged_at = at, 0, None
    if item.severity != "page_now" and item.snoozed_until is None:
        item.run_at = max(at, item.due_at)
    item.climbs_at = item.run_at


def is_held(item: FollowUp) -> bool:
    """Whether whoever has it has answered the last page, or was never paged about it."""
    answered = item.run_acknowledged_at is not None or item.run_at is None
    return item.status == "acknowledged" and answered


def causes_seen(session: Session, clinic_id: UUID, causes: list[str]) -> set[str]:
    """Return which of these causes ever had an item, also one that is resolved by now."""
    mine = select(FollowUp.cause).where(FollowUp.clinic_id == clinic_id, FollowUp.cause.in_(causes))
    return set(session.scalars(mine))


def open_with_causes(session: Session, clinic_id: UUID, causes: list[str]) -> list[FollowUp]:
    """Lock and return the unresolved items of these causes."""
    mine = select(FollowUp).where(
        FollowUp.clinic_id == clinic_id, FollowUp.cause.in_(causes), FollowUp.status != "resolved"
    )
    return list(session.scalars(mine.order_by(FollowUp.id).with_for_update()))


def open_causes(
    session: Session, patient_ids: Collection[UUID], reasons: Collection[str]
) -> dict[UUID, list[str]]:
    """Return the causes of the patients' unresolved items with these reasons."""
    mine = select(FollowUp.patient_id, FollowUp.cause).where(
        FollowUp.patient_id.in_(patient_ids),
        FollowUp.reason.in_(reasons),
        FollowUp.status != "resolved",
    )
    found: dict[UUID, list[str]] = {}
    for patient_id, cause in session.execute(mine):
        if patient_id is not None:
            found.setdefault(patient_id, []).append(cause)
    return found


class OfUndelivered(NamedTuple):
    """An unresolved item of a text that did not arrive, and the enrollment that text was of."""

    item_id: UUID
    enrollment_id: UUID
    opened_at: datetime


def of_undelivered(
    session: Session, patient_ids: Collection[UUID], reasons: Collection[str]
) -> list[OfUndelivered]:
    """Return the patients' unresolved items with these reasons that were opened for a text."""
    mine = (
        select(FollowUp.id, Message.enrollment_id, FollowUp.opened_at)
        .join(Message, Message.id == FollowUp.source_id)
        .where(
            FollowUp.patient_id.in_(patient_ids),
            FollowUp.source_kind == "message",
            FollowUp.reason.in_(reasons),
            FollowUp.status != "resolved",
            Message.enrollment_id.is_not(None),
        )
    )
    return [OfUndelivered(item, found, at) for item, found, at in session.execute(mine) if found]


def still_open(
    session: Session, item_ids: Collection[UUID], *, skip_locked: bool = False
) -> list[FollowUp]:
    """Lock and return those of these items that are not resolved; or that nobody else holds."""
    if not item_ids:
        return []
    mine = select(FollowUp).where(FollowUp.id.in_(item_ids), FollowUp.status != "resolved")
    locked = mine.order_by(FollowUp.id).with_for_update(skip_locked=skip_locked)
    return list(session.scalars(locked))
