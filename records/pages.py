"""Pages: who was called to an item, why, by which ways, and what became of each.

A page is one person called once. It goes by several channels at a time, each a delivery with its
own record and its one open clock, `next_at`: when it is tried next, or looked at again. Who is
paged when is the follow-up's clock (`climbs_at`); see `schedules.ladder`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    SmallInteger,
    and_,
    func,
    not_,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, ClinicId, CreatedAt, Id, Sealed, as_array, within_clinic
from records.clinics import Staff, StaffAbsence
from records.followups import FollowUp
from records.inbox import Inbound
from records.outbox import Message


class PageKind(StrEnum):
    """What a page is about."""

    ITEM = "item"
    TEST = "test"
    OPERATORS = "operators"
    DIGEST = "digest"
    # What a member of staff is texted who answered a page by text.
    ANSWER = "answer"


class DeliveryStatus(StrEnum):
    """How far one channel's delivery has come."""

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    NOT_NEEDED = "not_needed"


class Page(Base):
    """One person called once. `person` is their key on the ladder, never a number."""

    __tablename__ = "page"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    follow_up_id: Mapped[UUID | None]
    kind: Mapped[str]
    why: Mapped[str]
    severity: Mapped[str]
    person: Mapped[str]
    # For pages about no item: which words they bear.
    subject: Mapped[str | None]
    # What there is one page of: this week's test for somebody, one breaker's opening.
    cause: Mapped[str | None]
    # The number that takes it when its text is answered; none where no text goes.
    reply_code: Mapped[int | None] = mapped_column(SmallInteger)
    at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    # When nothing more is waited for: acknowledged, or its item has ended.
    closed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("follow_up_id", "follow_up"),
        Index("ix_page_follow_up", "follow_up_id", "at"),
        Index("ix_page_kind", "clinic_id", "kind", "at"),
        Index("ix_page_person", "clinic_id", "person", "at"),
        Index(
            "uq_page_cause",
            "clinic_id",
            "cause",
            unique=True,
            postgresql_where=text("cause IS NOT NULL"),
        ),
    )


class PageDelivery(Base):
    """One page by one channel. The address is sealed: staff have private numbers too."""

    __tablename__ = "page_delivery"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    page_id: Mapped[UUID]
    channel: Mapped[str]
    address: Mapped[Sealed | None]
    status: Mapped[str] = mapped_column(server_default=text("'planned'"))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    next_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    reference: Mapped[str | None]
    error: Mapped[str | None]
    accepted_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("page_id", "page"),
        Index("ix_page_delivery_page", "page_id"),
        Index("ix_page_delivery_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )


_OPEN = (DeliveryStatus.PLANNED, DeliveryStatus.SENDING)


def add(session: Session, page: Page, deliveries: Sequence[PageDelivery]) -> bool:
    """Insert a page with its deliveries; False if there is one of its cause already."""
    if page.cause is not None:
        values = {
            column.name: getattr(page, column.name)
            for column in Page.__table__.columns
            if column.name != "created_at"
        }
        statement = (
            insert(Page)
            .values(**values)
            .on_conflict_do_nothing(
                index_elements=["clinic_id", "cause"], index_where=text("cause IS NOT NULL")
            )
        )
        if session.scalars(statement.returning(Page.id)).first() is None:
            return False
        session.add_all(deliveries)
        session.flush()
    else:
        add_all(session, [(page, deliveries)])
    return True


def add_all(session: Session, made: Sequence[tuple[Page, Sequence[PageDelivery]]]) -> None:
    """Insert pages of which none has a cause, with their deliveries."""
    session.add_all([page for page, _ in made])
    session.flush()
    session.add_all([each for _, deliveries in made for each in deliveries])
    session.flush()


def due_items(session: Session, *, now: datetime, limit: int) -> list[FollowUp]:
    """Lock and return the unresolved items whose clock has come, or that have none yet."""
    mine = select(FollowUp).where(
        FollowUp.status != "resolved",
        or_(FollowUp.climbs_at.is_(None), FollowUp.climbs_at <= now),
    )
    # What may be a life comes first, whatever else waits.
    urgent = FollowUp.severity != "page_now"
    mine = mine.order_by(urgent, FollowUp.climbs_at.nulls_first()).limit(limit)
    return list(session.scalars(mine.with_for_update(skip_locked=True)))


def due_deliveries(
    session: Session, *, now: datetime, room: Mapping[str, int], most_tries: int, limit: int
) -> list[PageDelivery]:
    """Lock and return what is to be tried now, by each channel as many as it has room for.

    What may be a life goes first. Up to `limit` that are over come too: they need no room.
    """
    over = or_(
        PageDelivery.expires_at <= now,
        PageDelivery.tries >= most_tries,
        PageDelivery.channel.not_in(room),
    )
    found = _due(session, over, now=now, limit=limit)
    for channel, free in room.items():
        if free > 0:
            theirs = and_(PageDelivery.channel == channel, not_(over))
            found += _due(session, theirs, now=now, limit=free)
    return found


def _due(
    session: Session, which: ColumnElement[bool], *, now: datetime, limit: int
) -> list[PageDelivery]:
    mine = select(PageDelivery).join(Page, Page.id == PageDelivery.page_id)
    mine = mine.where(PageDelivery.next_at <= now, which)
    mine = mine.order_by(Page.severity != "page_now", PageDelivery.next_at, PageDelivery.id)
    locked = mine.limit(limit).with_for_update(of=PageDelivery, skip_locked=True)
    return list(session.scalars(locked))


def by_id(session: Session, page_id: UUID, *, lock: bool = False) -> Page | None:
    """Return a page."""
    mine = select(Page).where(Page.id == page_id)
    if lock:
        mine = mine.with_for_update().execution_options(populate_existing=True)
    return session.scalars(mine).first()


def with_ids(session: Session, page_ids: Collection[UUID]) -> list[Page]:
    """Return these pages."""
    return list(session.scalars(select(Page).where(Page.id.in_(page_ids))))


def lock_deliveries(
    session: Session, delivery_ids: Sequence[UUID]
) -> dict[UUID, tuple[Page, PageDelivery]]:
    """Lock deliveries with their pages and items, and return each with its page.

    Items first, as whoever takes one does, and each kind in the order of ids.
    """
    ids = {"ids": as_array(delivery_ids)}
    session.execute(_LOCK_ITEMS, ids)
    mine = select(Page).from_statement(_LOCK_PAGES)
    fresh = {"populate_existing": True}
    of = {page.id: page for page in session.scalars(mine, ids, execution_options=fresh)}
    theirs = select(PageDelivery).from_statement(_LOCK_DELIVERIES)
    rows = session.scalars(theirs, ids, execution_options=fresh)
    return {row.id: (of[row.page_id], row) for row in rows if row.page_id in of}


_THEIR_PAGES = "SELECT page_id FROM page_delivery WHERE id = ANY(CAST(:ids AS uuid[]))"
_LOCK_ITEMS = text(f"""
    SELECT id FROM follow_up WHERE id = ANY(ARRAY(
        SELECT follow_up_id FROM page WHERE id = ANY(ARRAY({_THEIR_PAGES}))))
    ORDER BY id FOR UPDATE
""")
_LOCK_PAGES = text(
    f"SELECT * FROM page WHERE id = ANY(ARRAY({_THEIR_PAGES})) ORDER BY id FOR UPDATE"
)
_LOCK_DELIVERIES = text("""
    SELECT * FROM page_delivery WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
""")


def deliveries_of(session: Session, page_id: UUID) -> list[PageDelivery]:
    """Return a page's deliveries."""
    mine = select(PageDelivery).where(PageDelivery.page_id == page_id)
    return list(session.scalars(mine.order_by(PageDelivery.id)))


def of_item(session: Session, follow_up_id: UUID) -> list[Page]:
    """Return the pages about an item, the oldest first."""
    mine = select(Page).where(Page.follow_up_id == follow_up_id)
    return list(session.scalars(mine.order_by(Page.at, Page.id)))


def last_about(session: Session, follow_up_id: UUID, severity: str) -> datetime | None:
    """Return when anybody was last paged about an item while it was of this severity."""
    mine = (Page.follow_up_id == follow_up_id) & (Page.severity == severity)
    return session.scalar(select(func.max(Page.at)).where(mine))


def of_kind(session: Session, clinic_id: UUID, kind: PageKind, *, since: datetime) -> list[Page]:
    """Return a clinic's pages of one kind, the oldest first."""
    mine = select(Page).where(Page.clinic_id == clinic_id, Page.kind == kind, Page.at >= since)
    return list(session.scalars(mine.order_by(Page.at, Page.id)))


def untaken(session: Session, clinic_id: UUID, *, before: datetime) -> list[Page]:
    """Lock and return the pages about no item that are open since before an instant."""
    mine = select(Page).where(
        Page.clinic_id == clinic_id,
        Page.kind.in_([PageKind.TEST, PageKind.OPERATORS]),
        Page.closed_at.is_(None),
        Page.at <= before,
    )
    return list(session.scalars(mine.order_by(Page.at, Page.id).with_for_update()))


def was_taken(session: Session, clinic_id: UUID, cause: str) -> bool:
    """Return whether anybody who was paged for the same cause took that page."""
    mine = select(Page.id).where(
        Page.clinic_id == clinic_id,
        Page.cause.startswith(f"{cause}:", autoescape=True),
        Page.acknowledged_at.is_not(None),
    )
    return session.scalars(mine.limit(1)).first() is not None


def answers_lately(
    session: Session, clinic_id: UUID, people: Collection[str], *, since: datetime
) -> int:
    """Return how many answers by text these people were given."""
    mine = select(func.count()).where(
        Page.clinic_id == clinic_id,
        Page.person.in_(people),
        Page.kind == PageKind.ANSWER,
        Page.at > since,
    )
    return session.scalar(mine) or 0


def close_of_item(
    session: Session, follow_up_id: UUID, *, now: datetime, by: str | None = None
) -> None:
    """End what is still on its way about an item; `by` says who has acknowledged it."""
    mine = (Page.follow_up_id == follow_up_id, Page.closed_at.is_(None))
    values: dict[str, object] = {"closed_at": now}
    if by is not None:
        values |= {"acknowledged_at": now, "acknowledged_by": by}
    closed = list(session.scalars(update(Page).where(*mine).values(**values).returning(Page.id)))
    end_deliveries(session, closed, now=now)


def end_deliveries(session: Session, page_ids: Sequence[UUID], *, now: datetime) -> None:
    """Have nothing more tried for these pages."""
    if not page_ids:
        return
    waiting = (PageDelivery.page_id.in_(page_ids), PageDelivery.status.in_(_OPEN))
    session.execute(
        update(PageDelivery)
        .where(*waiting)
        .values(status=DeliveryStatus.NOT_NEEDED, next_at=None, final_at=now)
    )


def all_failed(session: Session, page_id: UUID) -> bool:
    """Return whether a page reached nobody and nothing is tried any more.

    So too where no channel reaches the person, and nothing was tried at all.
    """
    mine = select(PageDelivery.status).where(PageDelivery.page_id == page_id)
    return set(session.scalars(mine)) <= {DeliveryStatus.FAILED, DeliveryStatus.EXPIRED}


def last_voice(session: Session, follow_up_id: UUID, person: str) -> datetime | None:
    """Return when this person was last called about this item."""
    mine = (
        select(Page.at)
        .join(PageDelivery, PageDelivery.page_id == Page.id)
        .where(
            Page.follow_up_id == follow_up_id,
            Page.person == person,
            PageDelivery.channel == "voice",
        )
    )
    return session.scalars(mine.order_by(Page.at.desc()).limit(1)).first()


def absences(
    session: Session, clinic_id: UUID, *, since: datetime, until: datetime
) -> list[tuple[str, datetime, datetime]]:
    """Return (address, from, until) of a clinic's staff who are away within that time."""
    mine = (
        select(Staff.email, StaffAbsence.starts_at, StaffAbsence.ends_at)
        .join(Staff, Staff.id == StaffAbsence.staff_id)
        .where(
            StaffAbsence.clinic_id == clinic_id,
            StaffAbsence.starts_at < until,
            StaffAbsence.ends_at > since,
        )
    )
    return [(row[0].lower(), row[1], row[2]) for row in session.execute(mine)]


def staff_gone(session: Session, clinic_id: UUID) -> frozenset[str]:
    """Return the addresses of those whose access to this clinic has ended."""
    mine = select(Staff.email).where(Staff.clinic_id == clinic_id, Staff.disabled_at.is_not(None))
    return frozenset(email.lower() for email in session.scalars(mine))


def await_page(session: Session, inbound_id: UUID, template: str, *, until: datetime) -> None:
    """Have the answer to a text wait until then for a page to go out (care rule 11)."""
    values = {"inbound": inbound_id, "template": template, "until": until}
    session.execute(_AWAIT_PAGE, values)


_AWAIT_PAGE = text("""
    UPDATE message SET next_at = :until, params = params || '{"awaits_page": true}'
    WHERE inbound_id = :inbound AND template = :template AND status = 'planned'
""")


def safety_texts(session: Session, follow_up_id: UUID) -> list[Inbound]:
    """Return the received texts that an item is about, the newest first."""
    return safety_texts_of(session, [follow_up_id]).get(follow_up_id, [])


def safety_texts_of(session: Session, follow_up_ids: Collection[UUID]) -> dict[UUID, list[Inbound]]:
    """Return the received texts that these items are about, by item, the newest first."""
    mine = select(Inbound).where(Inbound.is_about(follow_up_ids), Inbound.urgent)
    found: dict[UUID, list[Inbound]] = {}
    for text_ in session.scalars(mine.order_by(Inbound.received_at.desc(), Inbound.id.desc())):
        its = {text_.follow_up_id, *text_.other_follow_ups}
        for each in filter(its.__contains__, follow_up_ids):
            found.setdefault(each, []).append(text_)
    return found


_TEAM_TOLD = text("""
    UPDATE message SET template = replace(template, '_noalert', ''), next_at = :now
    WHERE kind = 'safety' AND status = 'planned' AND template LIKE '%_noalert'
      AND params ? 'awaits_page'
      AND inbound_id IN (SELECT i.id FROM inbound i
                         WHERE i.follow_up_id = ANY(CAST(:items AS uuid[]))
                            OR i.other_follow_ups <> '{}'
                           AND i.other_follow_ups && CAST(:items AS uuid[]))
    RETURNING sender_id
""")


def tell_of_team(session: Session, follow_up_ids: Collection[UUID], *, now: datetime) -> set[UUID]:
    """Let the waiting replies say that the team was alerted, and go now; return their senders."""
    values = {"items": as_array(follow_up_ids), "now": now}
    return set(session.scalars(_TEAM_TOLD, values))


def answers_about(session: Session, follow_up_id: UUID) -> list[Message]:
    """Return the safety replies to the texts of an item, so that it shows whether they arrived."""
    mine = (
        select(Message)
        .join(Inbound, Inbound.id == Message.inbound_id)
        .where(Inbound.is_about([follow_up_id]), Message.kind == "safety")
    )
    return list(session.scalars(mine.order_by(Message.due_at, Message.id)))


def of_ours(session: Session, references: Sequence[str]) -> set[str]:
    """Return which of these ids of the carrier's are pages to staff."""
    mine = select(PageDelivery.reference).where(PageDelivery.reference.in_(references))
    return {each for each in session.scalars(mine) if each is not None}


#: A delivery that is being made and says nothing for so long is made again.
LEASE = timedelta(seconds=60)
