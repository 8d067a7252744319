"""Receiving: a patient's text is committed before anybody is told that we have it.

    /twilio/inbound -> store_many -> (worker.steps.replies)
    the carrier's list -> pull -> store

One transaction stores a group of raw texts under their unique SIDs, reads them, and applies their
stops and starts. A text whose reading fails is kept all the same, and the replies step tries again.
"""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from messages.gateway import CarrierText, CarrierUnavailable, Gateway, InboundText
from messages.replies import Reading
from records import arrivals, clinics, inbox, patients, progress
from records.base import Session, new_id
from worker.logs import get_logger
from worker.replying import arriving, hearing
from worker.replying.hearing import Received as Heard
from worker.services import Services

log = get_logger(__name__)

# The pull reads this much again each time: the carrier's list lags, and SIDs make it harmless.
_PULL_OVERLAP = timedelta(minutes=15)
# And this much at first and once an hour: a list may lag for hours, a clock may have been wrong.
_PULL_WHOLE, _PULL_WHOLE_EVERY = timedelta(hours=24), 3600.0
_PULL_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A text from the carrier, and when it came in."""

    text: InboundText = field(repr=False)
    received_at: datetime

    @property
    def sid(self) -> str:
        """The carrier's name of the text, the same however often it comes."""
        return self.text.sid


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a received text. `id` is None for a duplicate or a stray.

    `opt_change` is what the text changed at once (`worker.replying.stopping`); `urgent` texts go
    first.
    """

    id: UUID | None
    duplicate: bool = False
    stray: bool = False
    opt_change: str | None = None
    urgent: bool = False


DUPLICATE, STRAY = Received(id=None, duplicate=True), Received(id=None, stray=True)

#: What became of a text, or what kept it from being stored: the carrier has to come again.
Outcome = Received | Exception


def store(services: Services, text: InboundText, *, source: str, received_at: datetime) -> Received:
    """Commit a text from the carrier, once a SID. `source` is push (webhook) or pull (its list).

    Raises what the database raises; then nothing is stored and the carrier has to come again.
    """
    [found] = store_many(services, [Arrived(text=text, received_at=received_at)], source=source)
    if isinstance(found, Exception):
        raise found
    return found


def store_many(services: Services, texts: Sequence[Arrived], *, source: str) -> list[Outcome]:
    """Commit texts in one transaction, in the order received; return what became of each.

    One that cannot be stored with the others is tried alone, and costs none of them. Raises what
    the database raises if it is away; then the carrier has to come again with all of them.
    """
    once: dict[str, Arrived] = {}
    for each in texts:
        once.setdefault(each.sid, each)
    found = _store_all(services, list(once.values()), source)
    services.crashpoint("inbound.after_commit")
    if any(isinstance(each, Received) and each.id is not None for each in found.values()):
        services.nudge("replies")
    outcomes: list[Outcome] = []
    for each in texts:
        first = once.get(each.sid) is each
        outcomes.append(found[each.sid] if first else _repeated(found[each.sid]))
    return outcomes


def _repeated(outcome: Outcome) -> Outcome:
    """Return what a SID that came twice in a group is told the second time."""
    stored = isinstance(outcome, Received) and not outcome.stray
    return DUPLICATE if stored else outcome


def _store_all(services: Services, group: Sequence[Arrived], source: str) -> dict[str, Outcome]:
    """Store different texts together; those that it does not work for one by one, in order."""
    found: dict[str, Outcome] = {}
    left = group
    if len(group) > 1:
        try:
            stored, left = _in_one_transaction(services, group, source=source)
            found.update(stored)
        except Exception as error:  # noqa: BLE001  Whatever one of them did, the others are tried.
            _raise_if_away(services, error)
            log.warning("texts_tried_alone", count=len(group), error=type(error).__name__)
    for each in left:
        found[each.sid] = outcome = _store_alone(services, each, source)
        if isinstance(outcome, Exception) and len(group) > 1:
            _raise_if_away(services, outcome)
    return found


def _raise_if_away(services: Services, error: Exception) -> None:
    """Raise the error if the database is away: each text alone would only wait for it again."""
    if not services.database.reachable():
        raise error


def _store_alone(services: Services, each: Arrived, source: str) -> Outcome:
    """Store one text, raw if nothing else works; return the error if not even that does."""
    try:
        stored, _ = _in_one_transaction(services, [each], source=source)
    except Exception as error:
        # Whatever failed, the raw text is kept; if the database is away this fails as well.
        log.exception("reading_failed", sid=each.sid)
        fault = type(error).__name__
    else:
        return stored[each.sid]
    try:
        stored, _ = _in_one_transaction(services, [each], source=source, fault=fault)
    except Exception as error:  # noqa: BLE001  Its webhook is answered with it.
        return error
    return stored[each.sid]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a stop or a start is applied with."""

    reading: Reading = field(repr=False)
    people: list[UUID]


@dataclass(slots=True, kw_only=True)
class _Draft:
    """A text on its way to its row; `change` is what it asks for that cannot wait."""

    arrived: Arrived
    heard: Heard
    row: dict[str, Any] = field(repr=False)
    change: _Change | None = None


def _in_one_transaction(
    services: Services, group: Sequence[Arrived], *, source: str, fault: str | None = None
) -> tuple[dict[str, Outcome], list[Arrived]]:
    """Store texts; return what became of them by SID, and those that have to be tried alone.

    With a `fault` they are stored raw, without another look at what they say.
    """
    with services.database.transaction() as session:
        drafts, found = _drafts(session, services, group, source)
        if fault is None:
            _read(session, services, drafts)
        else:
            for draft in drafts:
                draft.row["reading_error"] = fault
        plain = [draft for draft in drafts if draft.change is None]
        new = inbox.store(session, [draft.row for draft in plain])
        for draft in plain:
            found[draft.arrived.sid] = _received(draft) if draft.heard.id in new else DUPLICATE
        changed, left = _change(session, services, drafts, alone=len(group) == 1)
        services.crashpoint("inbound.before_commit")
    return found | changed, left


def _received(draft: _Draft, opt_change: str | None = None) -> Received:
    return Received(id=draft.heard.id, opt_change=opt_change, urgent=draft.row["urgent"])


def _drafts(
    session: Session, services: Services, group: Sequence[Arrived], source: str
) -> tuple[list[_Draft], dict[str, Outcome]]:
    """Return the clinics' texts as they are before anybody reads them; strays are kept at once."""
    homes = _clinics_of(session, services, group)
    drafts, found = [], dict[str, Outcome]()
    for each in group:
        clinic_id, reason = homes[each.sid]
        if clinic_id is None:
            _keep_stray(session, services, each, reason)
            found[each.sid] = STRAY
        else:
            drafts.append(_draft(services, each, clinic_id, source))
    return drafts, found


def _draft(services: Services, each: Arrived, clinic_id: UUID, source: str) -> _Draft:
    """Return a text as it is before anybody understands it, its row sealed."""
    row_id, vault, text = new_id(), services.vault, each.text
    sender, body = _clean(text.from_number).strip(), _clean(text.body)
    payload = _clean(json.dumps(dict(text.raw)))
    heard = Heard(
        id=row_id,
        clinic_id=clinic_id,
        blind=patients.phone_blind(vault, sender),
        body=body,
        received_at=each.received_at,
        opt_out_type=text.opt_out_type,
    )
    row = {
        "id": row_id,
        "clinic_id": clinic_id,
        "sid": text.sid,
        "to_number": text.to,
        "from_number": vault.seal("inbound", "from_number", row_id, sender),
        "from_blind": heard.blind,
        "body": vault.seal("inbound", "body", row_id, body),
        "payload": vault.seal("inbound", "payload", row_id, payload),
        "source": source,
        "received_at": each.received_at,
        "patient_id": None,
        "reading_error": None,
        **hearing.UNREAD,
    }
    return _Draft(arrived=each, heard=heard, row=row)


def _read(session: Session, services: Services, drafts: Sequence[_Draft]) -> None:
    """Complete the rows by what their texts mean, each as far as it can be read."""
    if not drafts:
        return
    arrivals.lock_writers(session, [draft.heard.writer for draft in drafts])
    texts = [draft.heard for draft in drafts]
    known = arriving.around(session, texts)
    readings = arriving.hear_all(services, texts, known)
    for draft, around, reading in zip(drafts, known, readings, strict=True):
        people = [person.id for person in around.people]
        draft.row["patient_id"] = people[0] if len(people) == 1 else None
        if isinstance(reading, Exception):
            draft.row["reading_error"] = type(reading).__name__
        else:
            draft.row |= hearing.as_row(reading)
            if hearing.changes(reading):
                draft.change = _Change(reading=reading, people=people)


def _change(
    session: Session, services: Services, drafts: Iterable[_Draft], *, alone: bool
) -> tuple[dict[str, Outcome], list[Arrived]]:
    """Store stops and starts and do what they say; return those that have to be tried alone.

    The texts of one number stay in the order received. Numbers are taken in one order, so that two
    groups with the same two never wait for each other.
    """
    found: dict[str, Outcome] = {}
    changing = [(draft, draft.change) for draft in drafts if draft.change is not None]
    changing.sort(key=lambda each: each[0].heard.writer)
    if changing and not alone:
        arrivals.wait_briefly(session)
    for done, (draft, change) in enumerate(changing):
        try:
            with session.begin_nested():
                found[draft.arrived.sid] = _store_and_change(session, services, draft, change)
        except Exception as error:
            if alone:
                raise
            # What one waits for, the next may wait for too; and a number's texts keep their order.
            log.warning("stops_tried_alone", error=type(error).__name__)
            return found, [each.arrived for each, _ in changing[done:]]
    return found, []


def _store_and_change(
    session: Session, services: Services, draft: _Draft, change: _Change
) -> Received:
    # What an earlier text of this group changed has to be read as it is now.
    session.expire_all()
    if not inbox.store(session, [draft.row]):
        return DUPLICATE
    did = hearing.apply(session, draft.heard, change.reading, change.people, now=services.now)
    if did is not None:
        inbox.note_opt_change(session, draft.heard.id, did)
    return _received(draft, did)


def _clinics_of(
    session: Session, services: Services, group: Sequence[Arrived]
) -> dict[str, tuple[UUID | None, str]]:
    """Return by SID whose texts these are: by the number texted, else by the messaging service."""
    account = services.settings.twilio_account_sid
    ours = [each.text for each in group if each.text.account_sid in ("", None, account)]
    by_number = arrivals.clinics_of_numbers(session, [text.to for text in ours])
    others = [text for text in ours if text.to not in by_number]
    by_service = arrivals.clinics_of_services(
        session, [text.messaging_service_sid for text in others if text.messaging_service_sid]
    )
    homes: dict[str, tuple[UUID | None, str]] = {
        each.sid: (None, "another_account") for each in group
    }
    for text in ours:
        clinic_id = by_number.get(text.to) or by_service.get(text.messaging_service_sid or "")
        homes[text.sid] = clinic_id, "number_of_no_clinic"
    return homes


def _keep_stray(session: Session, services: Services, each: Arrived, reason: str) -> None:
    row_id = new_id()
    raw = _clean(json.dumps(dict(each.text.raw)))
    payload = services.vault.seal("stray_webhook", "payload", row_id, raw)
    values = {"id": row_id, "kind": "inbound", "sid": each.sid, "payload": payload}
    inbox.store_stray(session, {**values, "reason": reason, "received_at": each.received_at})
    log.warning("stray_inbound", reason=reason)


def _clean(text: str) -> str:
    """Return a text that can be written as UTF-8, whatever a broken phone put into it."""
    return text.encode("utf-8", "replace").decode()


def pull(
    services: Services, gateway: Gateway, call: Callable[[Coroutine[Any, Any, Any]], Any]
) -> Counter[str]:
    """Store what the carrier's list has and no webhook told us of. `call` runs a coroutine.

    A number's cursor moves only after everything up to it is stored, so that nothing falls between.
    One that fails, for whatever reason, keeps its cursor and keeps no other from being read.
    """
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        numbers = clinics.heard_numbers(session)
    for clinic_id, number in numbers:
        try:
            counts += _pull_number(services, gateway, call, number)
        except CarrierUnavailable as error:
            log.warning("pull_failed", reason=error.reason, http_status=error.http_status)
            counts["failed"] += 1
        except Exception as error:
            _raise_if_away(services, error)
            log.exception("number_not_pulled", clinic_id=str(clinic_id))
            counts["failed"] += 1
    if not counts["failed"]:
        with services.database.transaction() as session:
            progress.mark(session, progress.PULLED)
    return +counts


def _pull_number(
    services: Services,
    gateway: Gateway,
    call: Callable[[Coroutine[Any, Any, Any]], Any],
    number: str,
) -> Counter[str]:
    now, name = services.now, hearing.cursor_name(services, number)
    with services.database.transaction() as session:
        kept = progress.details(session, name).get("through")
        whole = progress.take_turn(session, f"turn:{name}", every=_PULL_WHOLE_EVERY)
    since = datetime.fromisoformat(kept) - _PULL_OVERLAP if kept else now
    if whole or not kept:
        since = min(since, now - _PULL_WHOLE)
    texts = _listed(gateway, call, number, since)
    services.crashpoint("pull.page")
    with services.database.transaction() as session:
        known = inbox.known_sids(session, [text.sid for text in texts])
    # The list is newest first; texts are told in the order they were written.
    new = [text for text in reversed(texts) if text.sid not in known]
    counts = Counter(_pulled(services, text, now) for text in new)
    services.crashpoint("pull.before_commit")
    if counts["failed"]:
        return counts
    with services.database.transaction() as session:
        progress.mark(session, name, {"through": now.isoformat()})
    return counts


def _listed(
    gateway: Gateway,
    call: Callable[[Coroutine[Any, Any, Any]], Any],
    number: str,
    since: datetime,
) -> list[CarrierText]:
    """Return all that came in since then: a full page hides the oldest, so ask for a longer one."""
    limit = _PULL_PAGE
    while True:
        texts: list[CarrierText] = call(gateway.received(to=number, since=since, limit=limit))
        if len(texts) < limit:
            return texts
        limit *= 4


def _pulled(services: Services, text: CarrierText, now: datetime) -> str:
    raw = {"MessageSid": text.sid, "To": text.to, "From": text.from_number or ""}
    raw |= {"Body": text.body, "MessagingServiceSid": text.messaging_service_sid or ""}
    inbound = InboundText(
        sid=text.sid,
        to=text.to,
        from_number=text.from_number or "",
        body=text.body,
        num_media=0,
        messaging_service_sid=text.messaging_service_sid,
        opt_out_type=None,
        account_sid=services.settings.twilio_account_sid,
        raw=raw,
    )
    at = min(text.sent_at or text.created_at or now, now)
    try:
        found = store(services, inbound, source="pull", received_at=at)
    except Exception as error:
        _raise_if_away(services, error)
        # Those after it are stored all the same; the cursor stays, so that it is found again.
        log.exception("pulled_text_not_stored", sid=text.sid)
        return "failed"
    if found.urgent:
        # Care rule 9: a safety text found late is paged at once, with its age.
        log.error(
            "urgent_text_found_late",
            inbound_id=str(found.id),
            age=round((now - at).total_seconds()),
        )
    return "duplicate" if found.duplicate else "stray" if found.stray else "stored"
