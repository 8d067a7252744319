"""Putting a page on its way: its row, and a delivery for each channel that reaches the person."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from records import pagecodes, pages
from records.base import Session, new_id
from records.clinics import Clinic
from records.pages import Page, PageDelivery, PageKind
from schedules import roster
from schedules.ladder import Channel, Person
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

#: A page that can't be delivered within this time has been overtaken by the next rung.
_USEFUL, _USEFUL_LETTER = timedelta(minutes=15), timedelta(hours=4)
#: Somebody who writes ten times in a minute rings nobody's phone ten times.
_CALLS_APART = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What somebody is paged about. `wanted` are the channels that fit its severity."""

    kind: PageKind
    why: str
    severity: str
    wanted: Collection[Channel]
    item_id: UUID | None = None
    subject: str | None = None
    cause: str | None = None
    called_at: datetime | None = None
    with_webhook: bool = True


def page(
    session: Session,
    services: Services,
    available: Collection[str],
    clinic: Clinic,
    person: Person,
    about: About,
    *,
    now: datetime,
) -> UUID | None:
    """Page somebody now; return the page's id, or None if its cause was paged before."""
    row, deliveries = made(session, services, available, clinic, person, about, now=now)
    return row.id if pages.add(session, row, deliveries) else None


def made(
    session: Session,
    services: Services,
    available: Collection[str],
    clinic: Clinic,
    person: Person,
    about: About,
    *,
    now: datetime,
) -> tuple[Page, Sequence[PageDelivery]]:
    """Return a page by every channel that is wanted and there, for the caller to insert.

    Where no wanted channel reaches the person, any other that does is taken.
    """
    row = Page(
        id=new_id(),
        clinic_id=clinic.id,
        follow_up_id=about.item_id,
        kind=about.kind,
        why=about.why,
        severity=about.severity,
        person=person.key,
        subject=about.subject,
        cause=about.cause,
        at=now,
    )
    reached = {
        channel
        for channel in Channel
        if channel in available and _reaches(services, channel, person)
    }
    if not about.with_webhook:
        reached.discard(Channel.WEBHOOK)
    chosen = {channel for channel in reached if channel in about.wanted} or reached
    if about.called_at is not None and now - about.called_at < _CALLS_APART:
        chosen.discard(Channel.VOICE)
    if Channel.SMS in chosen and about.kind is not PageKind.ANSWER:
        sharing = roster.keys_beside(clinic.file, person.key)
        row.reply_code = pagecodes.code_for(session, clinic.id, sharing, about.item_id, now=now)
    if not chosen and about.with_webhook:
        log.error("page_without_a_channel", page_id=str(row.id), clinic_id=str(clinic.id))
    return row, [_delivery(services, row, one, person, now) for one in sorted(chosen)]


def _reaches(services: Services, channel: Channel, person: Person) -> bool:
    """Whether a channel has an address for this person, and may use it in this mode."""
    if channel is Channel.WEBHOOK:
        return True
    if channel is Channel.EMAIL:
        return person.email is not None
    settings = services.settings
    allowed = settings.mode != "trial" or person.phone in settings.trial_numbers
    return person.phone is not None and allowed


def _delivery(
    services: Services, row: Page, channel: Channel, person: Person, now: datetime
) -> PageDelivery:
    useful = _USEFUL if row.severity == "page_now" else _USEFUL_LETTER
    made = PageDelivery(
        id=new_id(),
        clinic_id=row.clinic_id,
        page_id=row.id,
        channel=channel,
        next_at=now,
        expires_at=now + useful,
    )
    address = person.email if channel is Channel.EMAIL else person.phone
    if channel is not Channel.WEBHOOK and address is not None:
        made.address = services.vault.seal("page_delivery", "address", made.id, address)
    return made
