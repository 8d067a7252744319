"""The numbers of pages by text: whoever is paged answers with one, and so takes that page."""

import itertools
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, or_, select, text
from sqlalchemy.orm import Session

from records.pages import Page

#: A page's number is given to another one only so long after that page was closed: an answer to a
#: text of the evening must not take the page of the night.
CODE_KEPT = timedelta(hours=12)


def _texted(clinic_id: UUID, people: Collection[str], at: datetime) -> Select[Page]:
    """Pages by text to these people whose number meant something at that time."""
    lately = or_(Page.closed_at.is_(None), Page.closed_at > at - CODE_KEPT)
    return select(Page).where(
        Page.clinic_id == clinic_id,
        Page.person.in_(people),
        Page.reply_code.is_not(None),
        lately,
    )


# One lock for a whole clinic: a turn that pages several people, phone by phone, would wait for
# another one that does so in another order, and that one for it.
_LOCK_CODES = text("SELECT pg_advisory_xact_lock(hashtext('aftercare.pages'), hashtext(:clinic))")


def code_for(
    session: Session,
    clinic_id: UUID,
    people: Collection[str],
    follow_up_id: UUID | None,
    *,
    now: datetime,
) -> int:
    """Return the number for a page's text: the item's own, or the lowest that means nothing else.

    `people` are the keys of all who share the phone. Whoever else numbers a page of this clinic
    waits for the end of this transaction, and then sees what it has given away.
    """
    used = _used(session, clinic_id, people, now)
    own = [code for item_id, code in used if follow_up_id and item_id == follow_up_id]
    taken = {code for _, code in used}
    code = own[-1] if own else next(each for each in itertools.count(1) if each not in taken)
    used.append((follow_up_id, code))
    return code


def _used(
    session: Session, clinic_id: UUID, people: Collection[str], now: datetime
) -> list[tuple[UUID | None, int]]:
    """Return the numbers that mean something on a phone, each with its item, the oldest first.

    Read once a transaction: nobody else gives one before its end, and what it gives is added.
    """
    kept = session.info.setdefault("page_codes", {})
    if session.in_nested_transaction():
        # A savepoint that is rolled back takes its lock with it.
        kept = {}
    phone = (clinic_id, frozenset(people))
    if phone not in kept:
        session.execute(_LOCK_CODES, {"clinic": str(clinic_id)})
        mine = _texted(clinic_id, people, now).order_by(Page.at, Page.id)
        rows = session.execute(mine.with_only_columns(Page.follow_up_id, Page.reply_code))
        kept[phone] = [(row[0], row[1]) for row in rows]
    found: list[tuple[UUID | None, int]] = kept[phone]
    return found


def with_code(
    session: Session, clinic_id: UUID, people: Collection[str], code: int, *, at: datetime
) -> Page | None:
    """Return the page to these people that this number, written `at`, takes.

    One that is still open goes before the newest. A page that began later is not meant.
    """
    mine = _texted(clinic_id, people, at).where(Page.reply_code == code, Page.at <= at)
    mine = mine.order_by(Page.closed_at.is_not(None), Page.at.desc(), Page.id.desc())
    return session.scalars(mine.limit(1)).first()


def waiting(
    session: Session, clinic_id: UUID, people: Collection[str], *, at: datetime
) -> list[Page]:
    """Return the pages by text that nobody had taken at that time, one for each number."""
    was_open = or_(Page.closed_at.is_(None), Page.closed_at > at)
    mine = _texted(clinic_id, people, at).where(Page.at <= at, was_open)
    newest = {page.reply_code: page for page in session.scalars(mine.order_by(Page.at, Page.id))}
    return sorted(newest.values(), key=lambda page: page.reply_code or 0)
