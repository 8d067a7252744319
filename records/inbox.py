"""Inbound messages: any text received, stored raw first, then with what it was read as."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, func, select, text, update
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from records.base import Base, Blind, CreatedAt, Id, Sealed, new_id, within_clinic


class Inbound(Base):
    """One text received. `handled_at` is set when it ended in an answer or before a person."""

    __tablename__ = "inbound"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    sid: Mapped[str] = mapped_column(unique=True)
    patient_id: Mapped[UUID | None]
    to_number: Mapped[str]
    from_number: Mapped[Sealed]
    from_blind: Mapped[Blind]
    body: Mapped[Sealed]
    payload: Mapped[Sealed]
    # push: the webhook; pull: found on the carrier's list.
    source: Mapped[str]
    received_at: Mapped[datetime]
    intent: Mapped[str | None]
    value: Mapped[str | None]
    also: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    severity: Mapped[str | None]
    language: Mapped[str | None]
    understood_by: Mapped[str] = mapped_column(server_default=text("'rule'"))
    prompt_message_id: Mapped[UUID | None]
    ambiguous: Mapped[bool] = mapped_column(server_default=text("false"))
    reading_error: Mapped[str | None]
    # What the webhook already did in the storing transaction: stop, start.
    opt_change: Mapped[str | None]
    urgent: Mapped[bool] = mapped_column(server_default=text("false"))
    # It tells of abuse, first or besides: whoever hurts the patient may be reading.
    abuse: Mapped[bool] = mapped_column(server_default=text("false"))
    handled_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    retry_at: Mapped[datetime | None]
    follow_up_id: Mapped[UUID | None]
    # The items of others on the number that it opened or joined as well (care rule 22).
    other_follow_ups: Mapped[list[UUID]] = mapped_column(
        ARRAY(SqlUuid), server_default=text("'{}'")
    )
    created_at: Mapped[CreatedAt]

    @classmethod
    def is_about(cls, follow_up_ids: Collection[UUID]) -> ColumnElement[bool]:
        """Match the texts that opened or joined one of these items."""
        others = cls.other_follow_ups
        # The index on these leaves out what has none.
        shared: ColumnElement[bool] = (others != []) & others.overlap(list(follow_up_ids))
        return cls.follow_up_id.in_(follow_up_ids) | shared

    @property
    def bears_on_next(self) -> bool:
        """Whether its number's next text is to be handled with what this one changes.

        So with an answer, a change of consent, and what may be either or could not be read.
        """
        changes = self.prompt_message_id is not None or self.opt_change is not None
        return changes or self.ambiguous or self.intent is None

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        within_clinic("prompt_message_id", "message"),
        within_clinic("follow_up_id", "follow_up", use_alter=True),
        Index(
            "ix_inbound_unread",
            text("urgent DESC"),
            "received_at",
            "id",
            postgresql_where=text("handled_at IS NULL"),
        ),
        Index("ix_inbound_patient", "patient_id", "received_at"),
        Index(
            "ix_inbound_follow_up",
            "follow_up_id",
            postgresql_where=text("follow_up_id IS NOT NULL"),
        ),
        Index(
            "ix_inbound_other_follow_ups",
            "other_follow_ups",
            postgresql_using="gin",
            postgresql_where=text("other_follow_ups <> '{}'"),
        ),
        Index("ix_inbound_from", "clinic_id", "from_blind", "received_at"),
    )


class ReadingCorrection(Base):
    """What staff say a text means. The reading on the text itself stays; the last one holds."""

    __tablename__ = "reading_correction"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    inbound_id: Mapped[UUID]
    intent: Mapped[str]
    value: Mapped[str | None]
    actor: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (
        within_clinic("inbound_id", "inbound"),
        Index("ix_reading_correction_inbound", "inbound_id", "id"),
    )


class StrayWebhook(Base):
    """A signed webhook that fits no clinic: kept so that nothing is lost, shown by doctor."""

    __tablename__ = "stray_webhook"

    id: Mapped[Id]
    kind: Mapped[str]
    sid: Mapped[str] = mapped_column(unique=True)
    payload: Mapped[Sealed]
    reason: Mapped[str]
    received_at: Mapped[datetime]


# What a text is stored with, and how each column travels as an array.
_STORED = {
    "id": "uuid",
    "clinic_id": "uuid",
    "sid": "text",
    "patient_id": "uuid",
    "to_number": "text",
    "from_number": "bytea",
    "from_blind": "bytea",
    "body": "bytea",
    "payload": "bytea",
    "source": "text",
    "received_at": "timestamptz",
    "intent": "text",
    "value": "text",
    "also": "text",
    "severity": "text",
    "language": "text",
    "prompt_message_id": "uuid",
    "ambiguous": "bool",
    "reading_error": "text",
    "urgent": "bool",
    "abuse": "bool",
}
# One statement, whatever the number of rows, is parsed and planned once a connection. Arrays of
# arrays have to be rectangular, so `also` travels as words.
_STORE = text(f"""
    INSERT INTO inbound ({", ".join(_STORED)})
    SELECT {", ".join(_STORED).replace("also", "string_to_array(also, ' ')")}
    FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _STORED.items())})
         AS v({", ".join(_STORED)})
    ON CONFLICT (sid) DO NOTHING RETURNING id
""")


def store(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Insert inbound texts, each with all columns of `_STORED`; return the ids of the new ones.

    A SID seen before is left as it is. All are written in one order, so that two transactions that
    were told the same texts cannot wait for each other.
    """
    if not rows:
        return set()
    in_order = sorted(rows, key=lambda row: str(row["sid"]))
    values = {name: [row[name] for row in in_order] for name in _STORED}
    values["also"] = [" ".join(words) for words in values["also"]]
    return set(session.scalars(_STORE, values))


def note_opt_change(session: Session, inbound_id: UUID, change: str) -> None:
    """Note what the text changed in the transaction that stored it."""
    session.execute(update(Inbound).where(Inbound.id == inbound_id).values(opt_change=change))


def store_stray(session: Session, values: dict[str, Any]) -> None:
    """Keep a webhook that fits no clinic, once."""
    session.execute(insert(StrayWebhook).values(**values).on_conflict_do_nothing())


def strays(session: Session) -> int:
    """Return how many webhooks fitted no clinic."""
    return session.scalar(select(func.count()).select_from(StrayWebhook)) or 0


def postpone(
    session: Session, inbound_id: UUID, *, error: str, retry_at: datetime, tries: int = 1
) -> None:
    """Note that handling failed, so that others go first and a person sees it in the end.

    `tries` is how many that counts as: none, where the text had no part in it.
    """
    session.execute(
        update(Inbound)
        .where(Inbound.id == inbound_id, Inbound.handled_at.is_(None))
        .values(reading_error=error, retry_at=retry_at, tries=Inbound.tries + tries)
    )


def by_id(session: Session, inbound_id: UUID) -> Inbound:
    """Return the inbound text; it must exist."""
    return session.scalars(select(Inbound).where(Inbound.id == inbound_id)).one()


def find(session: Session, inbound_id: UUID) -> Inbound | None:
    """Return the inbound text, if there is one."""
    return session.scalars(select(Inbound).where(Inbound.id == inbound_id)).first()


def about(session: Session, follow_up_id: UUID, *, limit: int) -> list[Inbound]:
    """Return the texts that opened or joined an item, the oldest first; of too many the last."""
    mine = select(Inbound).where(Inbound.is_about([follow_up_id]))
    newest = mine.order_by(Inbound.received_at.desc(), Inbound.id.desc()).limit(limit)
    return list(session.scalars(newest))[::-1]


def about_any(session: Session, follow_up_ids: Collection[UUID]) -> list[Inbound]:
    """Return the texts that opened or joined any of these items."""
    return list(session.scalars(select(Inbound).where(Inbound.is_about(follow_up_ids))))


def first_after(
    session: Session,
    clinic_id: UUID,
    blind: bytes,
    at: datetime,
    *,
    changes: Collection[str] | None = None,
) -> Inbound | None:
    """Return the first text of a number to a clinic after an instant, if there is one.

    With `changes` it is the first that did one of these (`opt_change`).
    """
    mine = select(Inbound).where(
        Inbound.clinic_id == clinic_id, Inbound.from_blind == blind, Inbound.received_at > at
    )
    if changes is not None:
        mine = mine.where(Inbound.opt_change.in_(changes))
    return session.scalars(mine.order_by(Inbound.received_at).limit(1)).first()


def taken_for(
    session: Session, clinic_id: UUID, blind: bytes, *, intent: str, since: datetime
) -> list[Inbound]:
    """Return the texts of a number since then that were ever taken for this, also among others."""
    mine = select(Inbound).where(
        Inbound.clinic_id == clinic_id, Inbound.from_blind == blind, Inbound.received_at >= since
    )
    corrected = select(ReadingCorrection.inbound_id).where(ReadingCorrection.intent == intent)
    read = (Inbound.intent == intent) | Inbound.also.contains([intent])
    return list(session.scalars(mine.where(read | Inbound.id.in_(corrected))))


_LATEST = 200


def latest_of_number(session: Session, clinic_id: UUID, blind: bytes) -> list[Inbound]:
    """Return the latest texts of a number to a clinic, the newest first: 200 of them at most."""
    mine = select(Inbound).where(Inbound.clinic_id == clinic_id, Inbound.from_blind == blind)
    return list(session.scalars(mine.order_by(Inbound.received_at.desc()).limit(_LATEST)))


def add_correction(
    session: Session, row: Inbound, *, intent: str, value: str | None, actor: str, at: datetime
) -> None:
    """Keep what staff say a text means, beside what it was read as."""
    about = {"clinic_id": row.clinic_id, "inbound_id": row.id, "actor": actor, "at": at}
    session.add(ReadingCorrection(id=new_id(), intent=intent, value=value, **about))
    session.flush()


def correction_of(session: Session, inbound_id: UUID) -> ReadingCorrection | None:
    """Return the last correction of a text, which is what it is taken to mean."""
    return corrections_of(session, [inbound_id]).get(inbound_id)


def corrections_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, ReadingCorrection]:
    """Return the last correction of each of these texts that has one."""
    mine = select(ReadingCorrection).where(ReadingCorrection.inbound_id.in_(ids))
    rows = session.scalars(mine.order_by(ReadingCorrection.id)) if ids else ()
    return {row.inbound_id: row for row in rows}


def known_sids(session: Session, sids: list[str]) -> set[str]:
    """Return which of these SIDs are stored already."""
    return set(session.scalars(select(Inbound.sid).where(Inbound.sid.in_(sids))))
