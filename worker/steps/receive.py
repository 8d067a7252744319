"""Receiving: a patient's text is committed before anybody is told that we have it.

    /twilio/inbound -> store -> (worker.steps.replies)
    the carrier's list -> pull -> store

One transaction stores the raw text under its unique SID, reads it, and applies a stop or a start.
If the reading fails, the raw text is kept all the same, and the replies step tries again.
"""

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from messages.gateway import CarrierText, CarrierUnavailable, Gateway, InboundText
from records import clinics, conversation, inbox, patients, progress
from records.base import Session, new_id
from worker.logs import get_logger
from worker.replying import hearing
from worker.replying.hearing import Received as Heard
from worker.services import Services

log = get_logger(__name__)

T = TypeVar("T")

# The pull reads this much again each time: the carrier's list lags, and SIDs make it harmless.
_PULL_OVERLAP = timedelta(minutes=15)
_PULL_AT_FIRST = timedelta(hours=24)
_PULL_PAGE = 1000


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


def store(services: Services, text: InboundText, *, source: str, received_at: datetime) -> Received:
    """Commit a text from the carrier, once a SID. `source` is push (webhook) or pull (its list).

    Raises what the database raises; then nothing is stored and the carrier has to come again.
    """
    try:
        found = _in_one_transaction(services, text, source=source, received_at=received_at)
    except Exception as error:
        # Whatever failed, the raw text is kept; if the database is away this raises as well.
        log.exception("reading_failed", sid=text.sid)
        fault = type(error).__name__
        found = _in_one_transaction(
            services, text, source=source, received_at=received_at, fault=fault
        )
    services.crashpoint("inbound.after_commit")
    if found.id is not None:
        services.nudge("replies")
    return found


def _in_one_transaction(
    services: Services,
    text: InboundText,
    *,
    source: str,
    received_at: datetime,
    fault: str | None = None,
) -> Received:
    """Store a text; with a `fault` raw, without another look at what it says."""
    with services.database.transaction() as session:
        clinic_id, reason = _clinic_of(session, services, text)
        if clinic_id is None:
            _keep_stray(session, services, text, reason, received_at)
            return STRAY
        values = _raw(services, text, clinic_id, source=source, received_at=received_at)
        if fault is None:
            found = _read_and_store(session, services, text, values)
        else:
            row_id = inbox.store(session, {**values, "reading_error": fault})
            found = DUPLICATE if row_id is None else Received(id=row_id)
        services.crashpoint("inbound.before_commit")
    return found


def _raw(
    services: Services, text: InboundText, clinic_id: UUID, *, source: str, received_at: datetime
) -> dict[str, Any]:
    """Return the row as it is before anybody understands it, sealed."""
    row_id, vault = new_id(), services.vault
    sender = _clean(text.from_number).strip()
    payload = _clean(json.dumps(dict(text.raw)))
    return {
        "id": row_id,
        "clinic_id": clinic_id,
        "sid": text.sid,
        "to_number": text.to,
        "from_number": vault.seal("inbound", "from_number", row_id, sender),
        "from_blind": patients.phone_blind(vault, sender),
        "body": vault.seal("inbound", "body", row_id, _clean(text.body)),
        "payload": vault.seal("inbound", "payload", row_id, payload),
        "source": source,
        "received_at": received_at,
    }


def _read_and_store(
    session: Session, services: Services, text: InboundText, values: dict[str, Any]
) -> Received:
    """Read a text, store it with its reading, and do what can't wait; a duplicate does nothing."""
    heard = Heard(
        clinic_id=values["clinic_id"],
        blind=values["from_blind"],
        body=_clean(text.body),
        received_at=values["received_at"],
        opt_out_type=text.opt_out_type,
    )
    people = conversation.people_on(session, heard.clinic_id, heard.blind)
    reading = hearing.hear(session, services, heard, people)
    patient_id = people[0].id if len(people) == 1 else None
    row = {**values, **hearing.as_row(reading), "patient_id": patient_id}
    row_id = inbox.store(session, row)
    if row_id is None:
        return DUPLICATE
    change = hearing.apply(session, row_id, heard, reading, people, now=services.now)
    if change is not None:
        inbox.by_id(session, row_id).opt_change = change
    return Received(id=row_id, opt_change=change, urgent=row["urgent"])


def _clinic_of(session: Session, services: Services, text: InboundText) -> tuple[UUID | None, str]:
    """Return whose text this is: by the number texted, else by the messaging service."""
    if text.account_sid and text.account_sid != services.settings.twilio_account_sid:
        return None, "another_account"
    number = clinics.clinic_of_number(session, text.to)
    if number is not None:
        return number.clinic_id, ""
    service = text.messaging_service_sid
    clinic_id = conversation.clinic_of_service(session, service) if service else None
    return clinic_id, "number_of_no_clinic"


def _keep_stray(
    session: Session, services: Services, text: InboundText, reason: str, received_at: datetime
) -> None:
    row_id = new_id()
    payload = services.vault.seal(
        "stray_webhook", "payload", row_id, _clean(json.dumps(dict(text.raw)))
    )
    values = {"id": row_id, "kind": "inbound", "sid": text.sid, "payload": payload}
    inbox.store_stray(session, {**values, "reason": reason, "received_at": received_at})
    log.warning("stray_inbound", reason=reason)


def _clean(text: str) -> str:
    """Return a text that can be written as UTF-8, whatever a broken phone put into it."""
    return text.encode("utf-8", "replace").decode()


def pull(
    services: Services, gateway: Gateway, call: Callable[[Coroutine[Any, Any, Any]], Any]
) -> Counter[str]:
    """Store what the carrier's list has and no webhook told us of. `call` runs a coroutine.

    The cursor moves only after everything up to it is stored, so that nothing falls between.
    """
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        numbers = conversation.heard_numbers(session)
    for _, number in numbers:
        try:
            counts += _pull_number(services, gateway, call, number)
        except CarrierUnavailable as error:
            log.warning("pull_failed", reason=error.reason, http_status=error.http_status)
            counts["failed"] += 1
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
    since = datetime.fromisoformat(kept) - _PULL_OVERLAP if kept else now - _PULL_AT_FIRST
    texts = _listed(gateway, call, number, since)
    services.crashpoint("pull.page")
    with services.database.transaction() as session:
        known = inbox.known_sids(session, [text.sid for text in texts])
    counts: Counter[str] = Counter()
    # The list is newest first; texts are told in the order they were written.
    for text in reversed(texts):
        if text.sid not in known:
            counts[_pulled(services, text, now)] += 1
    services.crashpoint("pull.before_commit")
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
    found = store(services, inbound, source="pull", received_at=at)
    if found.urgent:
        # Care rule 9: a safety text found late is paged at once, with its age.
        log.error("urgent_text_found_late", inbound_id=str(found.id), age=(now - at).seconds)
    return "duplicate" if found.duplicate else "stray" if found.stray else "stored"
