"""Sending: claim what is due, commit the intent, post.

    planned -> claimed -> submitting -> (worker.steps.outcomes)

Several workers may run this for one sender at once: they take turns at its row, which holds the
token bucket. No database connection is held while a text is on its way.
"""

import contextlib
import errno
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any
from uuid import UUID

from messages.errors import MessageError
from messages.gateway import OutboundText
from records import clinics, outcomes, senders, sending
from records.base import Session, new_id
from records.outcomes import AcceptedRow
from records.senders import LockedSender
from records.sending import Claimed, DueMessage, RecentText
from schedules.clinic import ClinicFile
from schedules.telling import Telling, telling
from worker import catchup, gates, staffwords
from worker.carrier import Carrier, Posting
from worker.logs import get_logger
from worker.lookback import Overdue, is_overdue, look
from worker.rendering import OF_DETAILS, Rendered, Subject, details_of, render
from worker.services import Services

log = get_logger(__name__)

CHUNK = 128
_WEEK = timedelta(days=7)
_MOST_VALID_SECONDS = 36_000
_LEAST_VALID_SECONDS = 60
_CLOCKS_APART_SECONDS = 60
_ASK_AGAIN = timedelta(seconds=60)
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A claimed text: what the row now holds sealed, in clear, on its way to the carrier."""

    claimed: Claimed
    clinic_id: UUID
    to: str = field(repr=False)
    body: str = field(repr=False)
    # Until when the carrier may hold it.
    until: datetime
    # Set when it is so late that it may have gone before (see `worker.lookback`).
    overdue: Overdue | None


@dataclass(slots=True, kw_only=True)
class _Verdicts:
    """What a claim decided about the rows it locked."""

    ready: list[Ready] = field(default_factory=list)
    ended: list[tuple[UUID, str, str]] = field(default_factory=list)
    waiting: list[tuple[UUID, datetime, str]] = field(default_factory=list)
    # Questions that went before, whose answers end as another number is asked.
    answered_no_more: list[UUID] = field(default_factory=list)


def run(services: Services, carrier: Carrier, sender_id: UUID) -> Counter[str]:
    """Send what is due now from one sender, as far as its tokens reach.

    Safety replies are left to `run_safety`, which neither a long run of this step nor the
    carrier's slowness can hold up.
    """
    return _send(services, carrier, sender_id, safety=False)


def run_safety(services: Services, carrier: Carrier, sender_id: UUID) -> Counter[str]:
    """Send the safety replies of one sender, past every gate, bucket, breaker and slot."""
    return _send(services, carrier, sender_id, safety=True)


def _send(services: Services, carrier: Carrier, sender_id: UUID, *, safety: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    more = True
    while more and not carrier.closing:
        chunk = _claim(services, sender_id, counts, safety=safety)
        if chunk is not None and chunk.ready:
            _post(services, carrier, chunk, counts)
        more = chunk is not None and not chunk.last
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    sender: LockedSender
    token: UUID
    ready: Sequence[Ready]
    # Of safety replies, which wait for no slot and for nobody's connection.
    urgent: bool
    # It holds all that was due: what falls due meanwhile is the next tick's.
    last: bool


def _claim(
    services: Services, sender_id: UUID, counts: Counter[str], *, safety: bool
) -> _Chunk | None:
    now = services.now
    with services.database.transaction() as session:
        if not safety and catchup.is_held(session):
            return None
        take = senders.peek if safety else partial(senders.lock, now=now)
        sender = take(session, sender_id)
        if sender is None or not _may_claim(services, sender, now=now, safety=safety):
            return None
        limit = 1 if sender.probing else CHUNK
        due = sending.due(session, sender_id, now=now, limit=limit, safety=safety)
        if not due:
            return None
        verdicts = _judge_all(services, session, sender, due, now=now)
        token = new_id()
        sending.settle(session, verdicts.ended, now=now)
        sending.postpone(session, verdicts.waiting)
        sending.end_questions(session, verdicts.answered_no_more, now=now)
        claimed = [row.claimed for row in verdicts.ready]
        sending.claim(session, claimed, sender_id=sender.id, token=token)
        if claimed and not safety:
            # To spend, too, a safety reply would have to wait for whoever holds the sender.
            senders.spend(session, sender_id, sum(row.segments for row in claimed))
        services.crashpoint("claim.before_commit")
    services.crashpoint("claim.after_commit")
    counts.update(ended=len(verdicts.ended), waiting=len(verdicts.waiting))
    last = len(due) < limit
    return _Chunk(sender=sender, token=token, ready=verdicts.ready, urgent=safety, last=last)


def _may_claim(services: Services, sender: LockedSender, *, now: datetime, safety: bool) -> bool:
    if safety:
        return True
    if sender.tokens <= 0 or (sender.probing and sender.busy):
        return False
    offset = timedelta(seconds=services.settings.clock_offset)
    apart = abs((now - offset - sender.database_now).total_seconds())
    if apart > _CLOCKS_APART_SECONDS:
        log.error("clocks_differ_sending_holds", seconds=round(apart))
        return False
    return True


def _judge_all(
    services: Services,
    session: Session,
    sender: LockedSender,
    due: Sequence[DueMessage],
    *,
    now: datetime,
) -> _Verdicts:
    clinic = clinic_file(session, sender.clinic_id, sender.clinic_version)
    patients = [row.patient_id for row in due if row.patient_id and row.kind == "started"]
    sent = _sent_lately(session, patients, now=now)
    told = sending.told_to_stop(session, patients, now=now) if patients else {}
    unwelcomed = sending.unwelcomed(session, patients, now=now) if patients else set()
    verdicts, tokens = _Verdicts(), sender.tokens
    texted: set[bytes | None] = set()
    for row in due:
        recent = sent[row.patient_id] if row.patient_id else []
        beside = gates.Beside(recent=recent, unwelcomed=unwelcomed, texted=texted)
        verdict = _verdict(row, clinic, beside, now=now)
        if isinstance(verdict, gates.End):
            verdicts.ended.append((row.id, verdict.status, verdict.reason))
        elif isinstance(verdict, gates.Wait):
            verdicts.waiting.append((row.id, verdict.until, verdict.reason))
        elif tokens > 0 or row.kind == gates.SAFETY:
            # The last text may run into debt, so that a long one is never stuck.
            told_at = told.get(row.patient_id) if row.patient_id else None
            says = telling(told_at, now, clinic.zone)
            spent = _make_ready(services, row, clinic, verdicts, now=now, says=says)
            verdicts.answered_no_more += gates.ended_by(row, recent, now=now) if spent else []
            tokens -= spent
            texted.add(row.patient_phone_blind)
    return verdicts


def _verdict(
    row: DueMessage, clinic: ClinicFile, beside: gates.Beside, *, now: datetime
) -> gates.Verdict:
    try:
        return gates.judge_beside(row, clinic, beside, now=now)
    except Exception as error:
        if _is_the_machines(error):
            raise
        # A zone that this machine does not know, say: one record must not hold the clinic's texts.
        log.exception("text_not_judged", message_id=str(row.id))
        return gates.End(status="failed", reason="cannot_judge")


def _sent_lately(
    session: Session, patients: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[RecentText]]:
    sent: dict[UUID, list[RecentText]] = defaultdict(list)
    if patients:
        texts = sending.recent_texts(
            session, patients, since=now - _WEEK, now=now, counted_from=gates.COUNTED_FROM
        )
        for one in texts:
            sent[one.patient_id].append(one)
    return sent


def _make_ready(
    services: Services,
    row: DueMessage,
    clinic: ClinicFile,
    verdicts: _Verdicts,
    *,
    now: datetime,
    says: Telling,
) -> int:
    try:
        to, blind = _recipient(services, row)
        rendered = _rendered(services, row, clinic, now=now, says=says)
        until = gates.carrier_until(row, clinic, now=now)
        ready = _ready(services, row, to, blind, rendered, until)
        if is_overdue(row, now=now):
            ready = replace(ready, overdue=_overdue(services, row, clinic, ready))
    except Exception as error:
        if _is_the_machines(error):
            # The step fails, and its rows stay planned.
            raise
        # One row that can't be written must not hold others.
        told = str(error) if isinstance(error, MessageError) else type(error).__name__
        log.warning("text_unfit", message_id=str(row.id), error=told)
        verdicts.ended.append((row.id, "failed", "unfit_text"))
        return 0
    if services.settings.mode == "trial" and to not in services.settings.trial_numbers:
        verdicts.ended.append((row.id, "skipped", "not_a_trial_number"))
        return 0
    verdicts.ready.append(ready)
    return rendered.segments


def _is_the_machines(error: Exception) -> bool:
    """Return whether this is the machine's trouble and not the text's: no files, no memory left."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in _EXHAUSTED


def _overdue(services: Services, row: DueMessage, clinic: ClinicFile, ready: Ready) -> Overdue:
    """Say what to look for: the words as they would be now, and as they were when it was due.

    With how to stop and without: who was told when is not known of a past that was restored.
    """
    bodies = {ready.body}
    for at, says in product((services.now, row.due_at), Telling):
        # What can't be written so did not go so.
        with contextlib.suppress(MessageError):
            bodies.add(_rendered(services, row, clinic, now=at, says=says).body)
    return Overdue(message_id=row.id, to=ready.to, bodies=frozenset(bodies), since=row.due_at)


def _ready(
    services: Services, row: DueMessage, to: str, blind: bytes, text: Rendered, until: datetime
) -> Ready:
    vault = services.vault
    claimed = Claimed(
        id=row.id,
        recipient=vault.seal("message", "recipient", row.id, to),
        recipient_blind=blind,
        body=vault.seal("message", "body", row.id, text.body),
        segments=text.segments,
        language=text.language,
        tells_stop=text.tells_stop,
    )
    return Ready(
        claimed=claimed,
        clinic_id=row.clinic_id,
        to=to,
        body=text.body,
        until=until,
        overdue=None,
    )


def _recipient(services: Services, row: DueMessage) -> tuple[str, bytes]:
    vault = services.vault
    if row.recipient is not None and row.kind != "started":
        # An answer goes where the text came from, not where the record says today; and what the
        # carrier says of that number is not said of the patient's.
        to = vault.open("message", "recipient", row.id, row.recipient)
        return to, vault.blind("phone", to)
    if row.patient_phone is None or row.patient_phone_blind is None or row.patient_id is None:
        raise LookupError(f"message {row.id} has nobody to go to")
    to = vault.open("patient", "phone", row.patient_id, row.patient_phone)
    return to, row.patient_phone_blind


def _rendered(
    services: Services, row: DueMessage, clinic: ClinicFile, *, now: datetime, says: Telling
) -> Rendered:
    subject = Subject(
        clinic=clinic,
        now=now,
        patient_zone=row.patient_zone,
        starts_at=row.starts_at or row.anchor_at,
        virtual=row.modality == "virtual",
        route=row.route,
        details=_details(services, row),
        params=staffwords.opened(services.vault, row.id, row.params),
        tag=_tag(services, row),
        telling=says,
    )
    # A safety reply is in the language of the text received (care rule 23): the row says which.
    wanted = row.language if row.kind != "started" and row.language else row.patient_language
    safety = row.kind == gates.SAFETY
    return render(services.catalog, row.template, wanted, subject, safety=safety)


def _tag(services: Services, row: DueMessage) -> str | None:
    """Open what tells two patients on one number apart (care rule 22)."""
    if row.patient_tag is None or row.patient_id is None:
        return None
    return services.vault.open("patient", "tag", row.patient_id, row.patient_tag)


def _details(services: Services, row: DueMessage) -> dict[str, Any]:
    """Open what a visit's place and link are kept in, for the texts that name one."""
    sealed = row.appointment_details
    if sealed is None or row.appointment_id is None:
        return {}
    if not services.catalog.variables(row.template) & OF_DETAILS:
        return {}
    opened = services.vault.open("appointment", "details", row.appointment_id, sealed)
    return details_of(opened)


_files: dict[UUID, tuple[int, ClinicFile]] = {}


def clinic_file(session: Session, clinic_id: UUID, version: int) -> ClinicFile:
    """Return a clinic's settings at this version, read from its row once."""
    known = _files.get(clinic_id)
    if known is None or known[0] != version:
        clinic = clinics.by_id(session, clinic_id)
        known = (clinic.version, clinic.file)
        _files[clinic_id] = known
    return known[1]


def _post(services: Services, carrier: Carrier, chunk: _Chunk, counts: Counter[str]) -> None:
    for start in range(0, len(chunk.ready), carrier.group):
        group = chunk.ready[start : start + carrier.group]
        if carrier.closing:
            _give_back(services, chunk, chunk.ready[start:])
            return
        group = _not_gone_yet(services, carrier, chunk, group, counts)
        if not chunk.urgent:
            carrier.reserve(len(group))
        opened: dict[UUID, int] = {}
        intended_at = time.monotonic()
        try:
            opened = _intend(services, chunk.token, group)
        except Exception:
            # Nothing was posted for them: whoever comes next need not wait for their lease. A
            # COMMIT that went through unheard has made them `submitting`, which this leaves alone.
            with contextlib.suppress(Exception):
                _give_back(services, chunk, chunk.ready[start:])
            raise
        finally:
            if not chunk.urgent:
                carrier.release(len(group) - len(opened))
        postings = [
            _posting(services, chunk, row, opened[row.claimed.id])
            for row in group
            if row.claimed.id in opened
        ]
        carrier.post(postings, intended_at=intended_at)
        counts.update(posted=len(postings), withdrawn=len(group) - len(postings))


def _not_gone_yet(
    services: Services,
    carrier: Carrier,
    chunk: _Chunk,
    group: Sequence[Ready],
    counts: Counter[str],
) -> Sequence[Ready]:
    """Return what is to be posted: not what went before, nor what nobody could look for."""
    overdue = [row.overdue for row in group if row.overdue is not None]
    if not overdue:
        return group
    looked = look(services, carrier, overdue)
    now, ids = services.now, list(looked.not_asked)
    with services.database.transaction() as session:
        opened = sending.intend(
            session, list(looked.gone), token=chunk.token, now=now, host=services.host
        )
        rows = [AcceptedRow(message_id=i, number=opened[i], sid=looked.gone[i]) for i in opened]
        outcomes.accept(session, rows, now=now)
        sending.unclaim(session, ids, token=chunk.token)
        sending.postpone(session, [(i, now + _ASK_AGAIN, "carrier_not_asked") for i in ids])
    counts.update(found_sent=len(rows), not_asked=len(ids))
    settled = {*looked.gone, *ids}
    return [row for row in group if row.claimed.id not in settled]


def _give_back(services: Services, chunk: _Chunk, rows: Sequence[Ready]) -> None:
    """Unclaim what this process will not come to any more; nothing was sent for it."""
    with services.database.transaction() as session:
        sending.unclaim(session, [row.claimed.id for row in rows], token=chunk.token)


def _intend(services: Services, token: UUID, group: Sequence[Ready]) -> dict[UUID, int]:
    ids = [row.claimed.id for row in group]
    with services.database.transaction() as session:
        opened = sending.intend(session, ids, token=token, now=services.now, host=services.host)
    services.crashpoint("send.after_intent")
    return opened


def _posting(services: Services, chunk: _Chunk, row: Ready, number: int) -> Posting:
    sender = chunk.sender
    left = int((row.until - services.now).total_seconds())
    callback = (
        f"{services.settings.public_url}/twilio/status"
        f"?message={row.claimed.id}&attempt={number}#rc=3&rp=all"
    )
    text = OutboundText(
        to=row.to,
        body=row.body,
        messaging_service_sid=sender.messaging_service_sid,
        from_number=sender.from_number,
        status_callback=callback,
        validity_seconds=max(_LEAST_VALID_SECONDS, min(left, _MOST_VALID_SECONDS)),
        urgent=chunk.urgent,
    )
    return Posting(
        message_id=row.claimed.id,
        clinic_id=row.clinic_id,
        sender_id=sender.id,
        number=number,
        text=text,
    )
