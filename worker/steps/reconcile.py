"""Sweeps: what a dead process left behind is found again, and unknowns are settled.

Each write is a compare-and-set and each sweep returns counts. Nothing here posts a text.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messages.gateway import CarrierText, CarrierUnavailable
from records import clinics, enrollments, outcomes, patients, progress, receipts, senders
from records.base import Session
from records.outcomes import AcceptedRow, UnknownAttempt
from schedules.clinic import ClinicFile, UnknownPolicy
from worker.carrier import Carrier
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

_BATCH = 500
# Promise 1: no word for 72 h closes the row as it stands.
_NO_RECEIPT_AFTER = timedelta(hours=72)
_SILENT_AFTER = timedelta(minutes=15)
# How far the carrier's clock and ours may differ when a listed text is matched to an attempt.
_CLOCK_SLACK = timedelta(seconds=60)
_LOOKS = 2
# So many questions in a row that fail are the carrier's trouble, and no single text's.
_AWAY = 3
# What is not asked about in this turn is asked about in the next.
_FETCH_FOR_SECONDS = 20
_CURSOR = "asked:silent"
_MOST_ATTEMPTS = 3


def sweep(services: Services) -> Counter[str]:
    """Return lapsed claims, mark lost submissions unknown, end what is too late or over.

    What is planned for a sender that was retired goes to the one that came after it.
    """
    now = services.now
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        counts["claims_returned"] = outcomes.return_claims(session, limit=_BATCH)
        counts["became_unknown"] = outcomes.lose_track(session, limit=_BATCH)
        counts["handed_over"] = senders.hand_over(session, limit=_BATCH)
        counts["expired"] = outcomes.expire_overdue(session, now=now, limit=_BATCH)
        for patient_id in patients.end_holds(session, now=now):
            enrollments.request_plan_of_patient(session, patient_id)
            counts["holds_ended"] += 1
        counts["no_receipt"] = outcomes.give_up_receipts(
            session, now=now, before=now - _NO_RECEIPT_AFTER, limit=_BATCH
        )
        services.crashpoint("sweep.before_commit")
    services.crashpoint("sweep.after_commit")
    return +counts


def settle_unknown(services: Services, carrier: Carrier) -> Counter[str]:
    """Look at the carrier's list for texts that were maybe sent."""
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        everyone = clinics.all_clinics(session)
    for clinic in everyone:
        try:
            counts += _settle_clinic(services, carrier, clinic.id, clinic.file)
        except Exception:
            # One clinic's trouble keeps no other's texts in doubt.
            log.exception("unknown_not_settled", clinic_id=str(clinic.id))
            counts["failed"] += 1
    return counts


def _settle_clinic(
    services: Services, carrier: Carrier, clinic_id: UUID, file: ClinicFile
) -> Counter[str]:
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        taken = outcomes.take_unknown(
            session,
            clinic_id=clinic_id,
            recheck_seconds=file.unknown.recheck_seconds,
            limit=_BATCH,
        )
    listed = _list_recipients(services, carrier, taken)
    services.crashpoint("reconcile.listed")
    for attempt in taken:
        counts[_settle(services, attempt, listed, file)] += 1
    services.crashpoint("reconcile.after_commit")
    return counts


def _list_recipients(
    services: Services, carrier: Carrier, taken: Sequence[UnknownAttempt]
) -> dict[str, list[CarrierText]]:
    """Return the carrier's list for each recipient; one it could not be asked about is left out."""
    numbers = {_recipient(services, attempt) for attempt in taken}
    listed: dict[str, list[CarrierText]] = {}
    failed = 0
    for number in numbers:
        try:
            listed[number] = carrier.call(carrier.gateway.find(to=number))
            failed = 0
        except (CarrierUnavailable, TimeoutError) as error:
            log.warning("carrier_not_listed", error=type(error).__name__)
            failed += 1
        if failed == _AWAY:
            break
    return listed


def _recipient(services: Services, attempt: UnknownAttempt) -> str:
    return services.vault.open("message", "recipient", attempt.message_id, attempt.recipient)


def _settle(
    services: Services,
    attempt: UnknownAttempt,
    listed: dict[str, list[CarrierText]],
    file: ClinicFile,
) -> str:
    texts = listed.get(_recipient(services, attempt))
    policy = UnknownPolicy(attempt.policy or file.unknown.policy)
    if texts is None and policy is not UnknownPolicy.PREFER_DUPLICATE:
        return "not_asked"
    now = services.now
    with services.database.transaction() as session:
        candidates = _look_alikes(services, attempt, texts or [], file)
        taken = outcomes.sids_attached(session, [text.sid for text in candidates])
        found = [text for text in candidates if text.sid not in taken]
        if found:
            row = AcceptedRow(
                message_id=attempt.message_id, number=attempt.number, sid=found[-1].sid
            )
            outcomes.accept(session, [row], now=now)
            return "found"
        if attempt.looks + 1 < _LOOKS:
            outcomes.absent(session, attempt, recheck_seconds=file.unknown.recheck_seconds)
            return "absent_once"
        again = _may_go_again(attempt, policy, now)
        outcomes.close_unknown(
            session,
            attempt,
            outcome="absent",
            status="planned" if again else "failed",
            reason="verified_absent" if again else "outcome_unknown",
            now=now,
            next_at=now if again else None,
        )
        if again and attempt.patient_id is not None:
            # Meanwhile it was history for the plan, which may want it no more.
            enrollments.request_plan_of_patient(session, attempt.patient_id)
        return "planned_again" if again else "unresolved"


def _may_go_again(attempt: UnknownAttempt, policy: UnknownPolicy, now: datetime) -> bool:
    if policy is UnknownPolicy.PREFER_SILENCE:
        return False
    return attempt.latest_at > now and attempt.maybe_sent < _MOST_ATTEMPTS


def _look_alikes(
    services: Services, attempt: UnknownAttempt, texts: Sequence[CarrierText], file: ClinicFile
) -> list[CarrierText]:
    body = services.vault.open("message", "body", attempt.message_id, attempt.body)
    since = attempt.submitted_at - _CLOCK_SLACK
    until = attempt.submitted_at + timedelta(seconds=file.unknown.grace_seconds) + _CLOCK_SLACK
    return [
        text
        for text in texts
        if text.body == body
        and text.direction.startswith("outbound")
        and (text.created_at is None or since <= text.created_at <= until)
    ]


def fetch_silent(services: Services, carrier: Carrier, *, limit: int = 100) -> Counter[str]:
    """Ask the carrier about texts it took a while ago and has said nothing of since."""
    now = services.now
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        after = _asked_last(session)
        waiting = receipts.silent(session, before=now - _SILENT_AFTER, after=after, limit=limit)
    told, counts["asked"] = _fetch(carrier, waiting)
    by_clinic: dict[UUID, list[dict[str, object]]] = defaultdict(list)
    for message, text in told:
        by_clinic[message.clinic_id].append(_receipt(services, message, text, now))
    with services.database.transaction() as session:
        for rows in by_clinic.values():
            receipts.store(session, rows)
            counts["stored"] += len(rows)
        progress.mark(session, _CURSOR, _place(waiting, counts["asked"], limit))
    return counts


def _fetch(
    carrier: Carrier, waiting: Sequence[receipts.SilentMessage]
) -> tuple[list[tuple[receipts.SilentMessage, CarrierText]], int]:
    """Ask about these in turn; return what the carrier has, and how many had their turn."""
    told: list[tuple[receipts.SilentMessage, CarrierText]] = []
    failed = passed = 0
    started = time.monotonic()
    for message in waiting:
        if time.monotonic() - started > _FETCH_FOR_SECONDS:
            break
        try:
            text = carrier.call(carrier.gateway.fetch(message.sid))
        except (CarrierUnavailable, TimeoutError):
            failed, text = failed + 1, None
        else:
            failed = 0
        passed += 1
        if failed == _AWAY:
            return told, passed - _AWAY
        if text is not None:
            told.append((message, text))
    return told, passed


def _asked_last(session: Session) -> tuple[datetime, UUID] | None:
    """Return up to where silent texts were asked about: those that stay silent go to the end."""
    kept = progress.details(session, _CURSOR)
    return (datetime.fromisoformat(kept["at"]), UUID(kept["id"])) if kept else None


def _place(waiting: Sequence[receipts.SilentMessage], asked: int, limit: int) -> dict[str, str]:
    """Return what the next turn goes on after; nothing once the last has been asked about."""
    if asked == 0 or asked == len(waiting) < limit:
        return {}
    last = waiting[asked - 1]
    return {"at": last.accepted_at.isoformat(), "id": str(last.id)}


def _receipt(
    services: Services, message: receipts.SilentMessage, text: CarrierText, now: datetime
) -> dict[str, object]:
    return receipts.row(
        services.vault,
        clinic_id=message.clinic_id,
        message_id=message.id,
        attempt=message.attempts,
        sid=text.sid,
        status=text.status,
        error_code=text.error_code,
        source="pull",
        payload="{}",
        received_at=now,
    )
