"""Paging: items whose clock has come are paged, one rung at a time, until somebody takes them.

    follow_up (climbs_at) -> page, page_delivery -> worker.paging

Nothing here waits for a carrier: deliveries are claimed, committed, and handed to the pager's own
threads. A claim that says nothing for a minute is made again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from messages.reading import ABUSE
from records import clinics, followups, inbox, intake, pagecodes, pages, patients
from records.base import Session
from records.casework import staff_with_ids
from records.clinics import Clinic, Sender, Staff
from records.followups import FollowUp
from records.pages import DeliveryStatus, Page, PageDelivery, PageKind
from schedules import ladder, roster
from schedules.clinic import ClinicFile
from schedules.clinic_parts import key_of
from schedules.followups import SAFETY, SILENCE
from schedules.ladder import Absent, Channel, Clock, Person, Turn, Why
from schedules.staffing import Severity
from worker import presence
from worker.logs import get_logger
from worker.opening import SYSTEM
from worker.paging import calling, words
from worker.paging.pager import MOST_TRIES, Pager, climb_if_nobody_was_reached
from worker.paging.transports import Job
from worker.replying import answering
from worker.services import Services

log = get_logger(__name__)

_PUT_OFF = timedelta(seconds=60)
#: So many items are held at a time: whoever takes one of them waits for a moment at most.
_TOGETHER = 25
_NOBODY_REACHED = "crisis_noack"


def run(services: Services, pager: Pager, *, limit: int = 100) -> Counter[str]:
    """Page what is due, then hand over every delivery that is to be tried now."""
    counts = climb(services, pager, limit=limit)
    counts += dispatch(services, pager)
    return +counts


def climb(services: Services, pager: Pager, *, limit: int = 100) -> Counter[str]:
    """Take the turn of each item whose clock has come, what may be a life before all else."""
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        due = [item.id for item in pages.due_items(session, now=services.now, limit=limit)]
    for start in range(0, len(due), _TOGETHER):
        counts += _climb_for_sure(services, pager, due[start : start + _TOGETHER])
    return +counts


def _climb_for_sure(services: Services, pager: Pager, item_ids: Sequence[UUID]) -> Counter[str]:
    """Take the turns of these together; where that fails each by itself, so that one waits."""
    try:
        return Counter(paged=_climb(services, pager, item_ids))
    except Exception:
        if len(item_ids) == 1:
            log.exception("item_not_paged", follow_up_id=str(item_ids[0]))
            _put_off(services, item_ids[0])
            return Counter(failed=1)
        log.warning("items_not_paged_together", items=len(item_ids), exc_info=True)
    alone = (_climb_for_sure(services, pager, [each]) for each in item_ids)
    return sum(alone, Counter())


def _put_off(services: Services, item_id: UUID) -> None:
    """Let others go first; the item is looked at again in a minute."""
    with services.database.transaction() as session:
        item = followups.by_id(session, item_id)
        if item is not None:
            item.climbs_at = services.now + _PUT_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnDuty:
    """Who of a clinic can be paged now, and who can't: read once for all its items."""

    desk: Sequence[Person]
    clinicians: Sequence[Person]
    absent: Absent


def _on_duty(session: Session, clinic_id: UUID, now: datetime) -> _OnDuty:
    return _OnDuty(
        desk=presence.desk_of(session, clinic_id),
        clinicians=presence.desk_of(session, clinic_id, roles={"clinician"}),
        absent=presence.absent_at(session, clinic_id, now),
    )


def _climb(services: Services, pager: Pager, item_ids: Sequence[UUID]) -> int:
    """Take the turns of these items in one transaction; return how many pages were made."""
    now = services.now
    with services.database.transaction() as session:
        # One that somebody else holds is left to the next tick: whoever waits may be waited for.
        items = [
            item
            for item in followups.still_open(session, item_ids, skip_locked=True)
            if item.climbs_at is None or item.climbs_at <= now
        ]
        owners = staff_with_ids(session, {item.owner_id for item in items if item.owner_id})
        on_duty = {each: _on_duty(session, each, now) for each in {one.clinic_id for one in items}}
        turns = _Turns(session=session, services=services, pager=pager, now=now)
        for item in sorted(items, key=lambda each: item_ids.index(each.id)):
            clinic = clinics.by_id(session, item.clinic_id)
            owner = _owner_of(clinic.file, item, owners)
            turns.take(clinic, item, owner, on_duty[item.clinic_id])
        pages.add_all(session, turns.made)
        # Whom no channel reaches at all is not waited for.
        _climb_past(session, turns.unreached, now=now)
        return len(turns.made)


@dataclass(kw_only=True)
class _Turns:
    """Turns that are taken in one transaction, and the pages that they make."""

    session: Session
    services: Services
    pager: Pager
    now: datetime
    made: list[tuple[Page, Sequence[PageDelivery]]] = field(default_factory=list)
    #: The pages of those who are called first, where nothing was to be tried.
    unreached: list[UUID] = field(default_factory=list)

    def take(self, clinic: Clinic, item: FollowUp, owner: Person | None, on_duty: _OnDuty) -> None:
        """Take one item's turn: whom it calls, and when it climbs next."""
        session, now = self.session, self.now
        if item.run_at is None:
            # An item of before there was paging: its clocks start here.
            item.run_at = now if item.severity == Severity.PAGE_NOW else item.due_at
            item.run_acknowledged_at = now if item.status == "acknowledged" else None
        turn = ladder.turn(
            _clock(item, owner, now),
            clinic.file,
            now=now,
            # What a clinician has to decide on calls no colleague who can't, while there is one.
            desk=(item.dose_at and on_duty.clinicians) or on_duty.desk,
            absent=on_duty.absent,
        )
        paged = [self._page(clinic, item, turn, person) for person in turn.whom]
        self.made += paged
        self.unreached += [page.id for page, deliveries in paged[:1] if not deliveries]
        _take_turn(session, item, turn, now)
        noack = _tell_if_nobody_came(session, self.services, clinic, item, now=now)
        item.climbs_at = min(turn.next_at, noack) if noack else turn.next_at

    def _page(
        self, clinic: Clinic, item: FollowUp, turn: Turn, person: Person
    ) -> tuple[Page, Sequence[PageDelivery]]:
        last = None
        if turn.why is Why.JOINED:
            last = pages.last_voice(self.session, item.id, person.key)
        about = calling.About(
            kind=PageKind.ITEM,
            why=turn.why,
            severity=item.severity,
            item_id=item.id,
            wanted=turn.channels,
            called_at=last,
            with_webhook=person == turn.whom[0],
        )
        channels = self.pager.channels.keys()
        return calling.made(
            self.session, self.services, channels, clinic, person, about, now=self.now
        )


def _clock(item: FollowUp, owner: Person | None, now: datetime) -> Clock:
    return Clock(
        severity=Severity(item.severity),
        due_at=item.due_at,
        run_at=item.run_at or now,
        rung=item.rung,
        acknowledged_at=item.run_acknowledged_at,
        owner=owner,
        joined=item.joined_at is not None,
        silence=item.reason in SILENCE,
        dose_at=item.dose_at,
    )


def _owner_of(file: ClinicFile, item: FollowUp, staff: Mapping[UUID, Staff]) -> Person | None:
    """Return who has the item, with the numbers of the clinic's file if they stand there."""
    mine = staff.get(item.owner_id) if item.owner_id else None
    key = key_of(mine.email, "") if mine else item.taken_by
    if key is None:
        return None
    people = map(ladder.person_of, roster.contacts(file))
    known = next((one for one in people if one.key == key), None)
    return known or Person(key=key, name=key, email=mine.email if mine else None)


def _take_turn(session: Session, item: FollowUp, turn: Turn, now: datetime) -> None:
    item.run_at, item.rung = turn.run_at, turn.rung
    item.run_acknowledged_at = turn.acknowledged_at
    item.joined_at = None
    if turn.why is Why.NOBODY:
        log.error("page_has_nobody_to_go_to", follow_up_id=str(item.id))
    if not turn.whom:
        return
    if turn.why in {Why.CLIMBED, Why.NO_OUTCOME} or (
        turn.why is Why.DUE and item.severity != Severity.PAGE_NOW
    ):
        item.escalation_level += 1
    followups.tell(
        session, item.clinic_id, item.id, at=now, actor=SYSTEM, action=f"paged:{turn.why}"
    )


def _climb_past(session: Session, page_ids: Iterable[UUID], *, now: datetime) -> None:
    for page_id in page_ids:
        page = pages.by_id(session, page_id)
        if page is not None and clinics.by_id(session, page.clinic_id).can_be_read:
            climb_if_nobody_was_reached(session, page, now=now)


# --- the patient who waits ------------------------------------------------------------------------


def _tell_if_nobody_came(
    session: Session, services: Services, clinic: Clinic, item: FollowUp, *, now: datetime
) -> datetime | None:
    """Tell the patient once that nobody was reached, 20 min on; return when, if that is ahead.

    So for each danger that was answered: whoever overdosed waits for us no less than who despairs.
    Never for abuse: whoever hurts them may be reading (care rule 11).
    """
    waiting = item.noack_at is None and item.severity == Severity.PAGE_NOW
    if not waiting or item.run_acknowledged_at is not None:
        return None
    texts = pages.safety_texts(session, item.id)
    if not any(SAFETY.intersection((text.intent or "", *(text.also or ()))) for text in texts):
        return None
    taken = [page.acknowledged_at for page in pages.of_item(session, item.id)]
    since = max(filter(None, taken), default=None)
    heard = [text.handled_at or text.received_at for text in texts]
    unanswered = [at for at in heard if since is None or at > since]
    if not unanswered:
        return None
    due = min(unanswered) + ladder.NO_ACKNOWLEDGEMENT
    if now < due:
        return due
    item.noack_at = now
    died = item.patient_id is not None and patients.by_id(session, item.patient_id).is_deceased
    if not died and not any(text.abuse or text.value == ABUSE for text in texts):
        _say_nobody_was_reached(session, services, clinic, item, texts[0])
    return None


def _say_nobody_was_reached(
    session: Session, services: Services, clinic: Clinic, item: FollowUp, text: inbox.Inbound
) -> None:
    sender_id = clinics.active_sender(session, clinic.id).id
    queued = answering.queue_answer(
        session,
        services,
        clinic=clinic,
        patient_id=item.patient_id,
        inbound=text,
        template=_NOBODY_REACHED,
        kind="safety",
        priority=answering.SAFETY_PRIORITY,
        sender_id=sender_id,
    )
    if queued is not None:
        log.warning("nobody_acknowledged_patient_told", follow_up_id=str(item.id))
        services.nudge("safety", str(sender_id))


# --- deliveries -----------------------------------------------------------------------------------


def dispatch(services: Services, pager: Pager, *, limit: int = 100) -> Counter[str]:
    """Claim of the deliveries that are due what the pager has threads for, and hand it over."""
    counts: Counter[str] = Counter()
    now = services.now
    with pager.room() as room:
        jobs, unfit = _claim(services, room, counts, now=now, limit=limit)
        services.crashpoint("page.after_claim_commit")
        pager.submit(jobs)
    with services.database.transaction() as session:
        # Apart from the claim: whoever takes an item locks it before its deliveries.
        _climb_past(session, sorted(unfit), now=now)
    counts["dispatched"] = len(jobs)
    return +counts


def _claim(
    services: Services,
    room: Mapping[str, int],
    counts: Counter[str],
    *,
    now: datetime,
    limit: int,
) -> tuple[list[Job], set[UUID]]:
    """Claim deliveries; return what is to be carried, and the pages of which one can't be read."""
    jobs: list[Job] = []
    with services.database.transaction() as session:
        due = pages.due_deliveries(session, now=now, room=room, most_tries=MOST_TRIES, limit=limit)
        about = _read(session, {row.page_id for row in due}, now=now)
        for row in due:
            job = _job(services, about.get(row.page_id), row, now=now)
            if job is None or job.channel not in room:
                counts["ended"] += 1
            else:
                jobs.append(job)
        session.flush()
        unfit = {row.page_id for row in due if row.status == DeliveryStatus.FAILED}
        services.crashpoint("page.before_claim_commit")
    return jobs, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What there is to tell with a page: read once, for all its channels."""

    page: Page
    clinic: Clinic
    sender: Sender | None
    item: FollowUp | None
    texts: Sequence[inbox.Inbound]
    #: Number and time of what else waits, for the answer to somebody's text.
    waiting: tuple[tuple[int, datetime], ...]


def _read(session: Session, page_ids: Collection[UUID], *, now: datetime) -> dict[UUID, _About]:
    """Return what these pages are about, with one question each to pages, items and texts."""
    found = pages.with_ids(session, page_ids)
    item_ids = {page.follow_up_id for page in found if page.follow_up_id is not None}
    items = {item.id: item for item in followups.read_all(session, item_ids)}
    texts = pages.safety_texts_of(session, item_ids)
    clinic_ids = {page.clinic_id for page in found}
    senders = {each: intake.current_sender(session, each) for each in clinic_ids}
    return {
        page.id: _About(
            page=page,
            clinic=clinics.by_id(session, page.clinic_id),
            sender=senders[page.clinic_id],
            item=items.get(page.follow_up_id) if page.follow_up_id else None,
            texts=texts.get(page.follow_up_id, ()) if page.follow_up_id else (),
            waiting=_waiting(session, page, now),
        )
        for page in found
    }


def _job(
    services: Services, about: _About | None, row: PageDelivery, *, now: datetime
) -> Job | None:
    """Claim one delivery; one that can't be read ends, and holds up no other."""
    try:
        return None if about is None else _claimed(services, about, row, now=now)
    except Exception as error:
        log.exception("delivery_unfit", delivery_id=str(row.id))
        row.status, row.next_at, row.final_at = DeliveryStatus.FAILED, None, now
        row.error = type(error).__name__
        return None


def _claimed(services: Services, about: _About, row: PageDelivery, *, now: datetime) -> Job | None:
    page, clinic, sender = about.page, about.clinic, about.sender
    over = row.tries >= MOST_TRIES or now >= row.expires_at
    if over or page.closed_at is not None:
        done = DeliveryStatus.NOT_NEEDED if page.closed_at is not None else DeliveryStatus.EXPIRED
        row.status, row.next_at, row.final_at = done, None, now
        return None
    told = _told(about, now)
    address = None
    if row.address is not None:
        address = services.vault.open("page_delivery", "address", row.id, row.address)
    url = services.settings.public_url
    job = Job(
        delivery_id=row.id,
        page_id=page.id,
        clinic_id=page.clinic_id,
        channel=Channel(row.channel),
        address=address,
        text=words.text(told, url),
        subject=words.subject_line(told),
        letter=words.letter(told, url),
        document=words.posted(told, url, row.id),
        from_number=(sender and sender.from_number) or _first(clinic.file.sender.numbers),
        messaging_service_sid=sender.messaging_service_sid if sender else None,
    )
    row.status, row.tries, row.next_at = DeliveryStatus.SENDING, row.tries + 1, now + pages.LEASE
    return job


def _first(numbers: Sequence[str]) -> str | None:
    return numbers[0] if numbers else None


def _told(about: _About, now: datetime) -> words.Told:
    page, item = about.page, about.item
    return words.Told(
        page_id=page.id,
        clinic=about.clinic.file,
        clinic_key=about.clinic.key,
        kind=page.kind,
        why=page.why,
        severity=page.severity,
        person=page.person,
        now=now,
        reason=item.reason if item else None,
        subject=page.subject,
        item_id=page.follow_up_id,
        opened_at=item.opened_at if item else page.at,
        wrote_at=about.texts[0].received_at if about.texts else None,
        reply_code=page.reply_code,
        waiting=about.waiting,
    )


def _waiting(session: Session, page: Page, now: datetime) -> tuple[tuple[int, datetime], ...]:
    """Return number and time of what else waits, for the answer to somebody's text."""
    if page.kind != PageKind.ANSWER:
        return ()
    clinic = clinics.by_id(session, page.clinic_id)
    if not clinic.can_be_read:
        return ()
    people = roster.keys_beside(clinic.file, page.person)
    open_now = pagecodes.waiting(session, clinic.id, people, at=now)
    return tuple((one.reply_code, one.at) for one in open_now if one.reply_code is not None)
