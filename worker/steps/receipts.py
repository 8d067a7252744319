"""Receipts: the carrier's later words, stored by the webhook, applied to their messages.

A status never regresses, whatever the order of arrival. A receipt that carries our message id
also settles an attempt whose answer was lost: late truth wins.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from messages.errorcodes import ErrorClass, classify
from messages.status import MessageStatus, advance, from_carrier
from records import enrollments, outages, outcomes, receipts
from records.base import Session, refuses
from records.outcomes import AcceptedRow
from records.receipts import Advance, PendingReceipt
from worker import unreachable
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

_FINAL = frozenset({MessageStatus.delivered, MessageStatus.undelivered, MessageStatus.failed})
# A receipt for a message we don't know may be early; after a day it is nobody's.
_STRANGER_FOR = timedelta(days=1)
_NOT_ARRIVED = frozenset({MessageStatus.undelivered, MessageStatus.failed})
_MOST_ATTEMPTS = 3
# How long a sender rests after a code that is about the account.
BREAKER_SECONDS = 60


def run(services: Services, *, limit: int = 500) -> Counter[str]:
    """Apply receipts until none waits; return how many."""
    counts: Counter[str] = Counter()
    while (applied := _apply(services, limit)) > 0:
        counts["applied"] += applied
        if applied < limit:
            break
    return counts


def _apply(services: Services, limit: int) -> int:
    """Apply the next receipts together; if one is refused, each alone, so that it holds no other.

    What is wrong with it would be wrong each second, and no clinic's texts would get on.
    """
    taken: list[PendingReceipt] = []
    try:
        return _apply_together(services, limit, taken)
    except Exception as error:
        if not taken or not refuses(error):
            raise
        if limit > 1:
            log.warning("receipts_tried_alone", count=len(taken), error=type(error).__name__)
            return sum(_apply(services, 1) for _ in taken)
        _put_right(services, taken[0], error)
        return 1


def _put_right(services: Services, receipt: PendingReceipt, error: Exception) -> None:
    """Give a receipt that is refused to the text that has its SID, or set it aside.

    A look at the carrier's list may have given that SID to an equal text to the same number.
    """
    with services.database.transaction() as session:
        handed = receipts.hand_over(session, receipt.id)
        if not handed:
            receipts.applied(session, [receipt], now=services.now)
    event = "receipt_of_another_text" if handed else "receipt_set_aside"
    log.error(event, receipt_id=str(receipt.id), error=type(error).__name__)


def _apply_together(services: Services, limit: int, taken: list[PendingReceipt]) -> int:
    """Apply receipts in one transaction; `taken` gets what it holds, should it fail."""
    now = services.now
    with services.database.transaction() as session:
        pending = receipts.take_pending(session, limit=limit)
        taken += pending
        if not pending:
            receipts.give_up_strangers(session, now=now, before=now - _STRANGER_FOR)
            return 0
        news = [receipt for receipt in pending if not _is_of_the_past(receipt)]
        outcomes.accept(session, list(_acceptances(news)), now=now)
        advances = [
            change
            for _, group in groupby(news, key=lambda receipt: receipt.message_id)
            if (change := _advance(list(group), now)) is not None
        ]
        receipts.advance(session, advances, now=now)
        _plan_anew(session, pending, advances)
        _note_arrivals(session, pending, now=now)
        receipts.applied(session, pending, now=now)
        _remember_numbers(session, pending, now=now)
        _open_breakers(session, pending, now=now)
        services.crashpoint("receipts.before_commit")
    services.crashpoint("receipts.after_commit")
    return len(pending)


def _plan_anew(
    session: Session, pending: Sequence[PendingReceipt], advances: Sequence[Advance]
) -> None:
    """Have the plan look at what is tried again: it was history, and may be wanted no more."""
    back = {each.message_id for each in advances if each.status == MessageStatus.planned.value}
    people = {each.patient_id for each in pending if each.message_id in back and each.patient_id}
    enrollments.request_plan_of_patients(session, people)


def _note_arrivals(session: Session, pending: Sequence[PendingReceipt], *, now: datetime) -> None:
    """Note that texts of these clinics arrive; one text of each says it for all."""
    delivered = {
        row.clinic_id: row.message_id
        for row in pending
        if row.message_id is not None and from_carrier(row.status) is MessageStatus.delivered
    }
    for message_id in delivered.values():
        outages.arrives(session, message_id, now=now)


def _is_of_the_past(receipt: PendingReceipt) -> bool:
    """Whether it tells late how a text went that has come back since, and is tried again.

    That it arrived after all is news whenever it is told.
    """
    return receipt.came_back and from_carrier(receipt.status) is not MessageStatus.delivered


def _acceptances(pending: Sequence[PendingReceipt]) -> Iterator[AcceptedRow]:
    seen: set[tuple[object, int]] = set()
    for receipt in pending:
        if receipt.message_id is None or receipt.attempt is None or receipt.message_sid is not None:
            continue
        if (receipt.message_id, receipt.attempt) not in seen:
            seen.add((receipt.message_id, receipt.attempt))
            yield AcceptedRow(
                message_id=receipt.message_id, number=receipt.attempt, sid=receipt.sid
            )


def _advance(group: Sequence[PendingReceipt], now: datetime) -> Advance | None:
    first = group[0]
    if first.message_id is None or first.message_status is None:
        return None
    own_sid = first.message_sid or first.sid
    status = MessageStatus(first.message_status)
    if first.message_sid is None or status not in _SETTLED:
        # `accept` has just corrected it: late truth wins over unknown and over given up.
        status = MessageStatus.accepted
    reason, code = first.message_reason, None
    for receipt in group:
        reported = from_carrier(receipt.status)
        if reported is None:
            log.warning("unknown_carrier_status", message_id=str(first.message_id))
            continue
        if receipt.sid != own_sid:
            continue
        after = advance(status, reported)
        if after is not status:
            status, code = after, receipt.error_code
            reason = _reason(status, receipt.error_code)
    if status.value == first.message_status and code is None:
        return None
    again = _tried_again(first, status, code, now)
    return again or Advance(
        message_id=first.message_id,
        status=status.value,
        reason=reason,
        error_code=code,
        final=status in _FINAL,
        is_news=code is not None and unreachable.says_something(classify(code)),
    )


def _tried_again(
    first: PendingReceipt, status: MessageStatus, code: int | None, now: datetime
) -> Advance | None:
    """Return the text's return to the plan, where its code says that it did not arrive for now.

    The carrier's last word is that nothing reached the handset, so this is no second text.
    """
    if status not in _NOT_ARRIVED or code is None or first.message_id is None:
        return None
    rule, tries = classify(code), first.taken
    account = rule.error_class is ErrorClass.config
    if not account and not (rule.error_class is ErrorClass.transient and rule.may_retry(tries)):
        return None
    next_at = now + timedelta(seconds=rule.retry_after_seconds or BREAKER_SECONDS)
    if first.latest_at is None or next_at >= first.latest_at or tries >= _MOST_ATTEMPTS:
        return None
    return Advance(
        message_id=first.message_id,
        status=MessageStatus.planned.value,
        reason="account" if account else "try_later",
        error_code=code,
        final=False,
        next_at=next_at,
    )


def _open_breakers(session: Session, pending: Sequence[PendingReceipt], *, now: datetime) -> None:
    for receipt in pending:
        if receipt.error_code is None or receipt.sender_id is None:
            continue
        rule = classify(receipt.error_code)
        if rule.opens_breaker:
            code = receipt.error_code
            log.error("breaker_opened", clinic_id=str(receipt.clinic_id), code=code)
            until = now + timedelta(seconds=BREAKER_SECONDS)
            outcomes.open_breaker(
                session, receipt.sender_id, reason=f"code_{code}", now=now, until=until
            )


# Statuses that already know of an acceptance; any other one has just been accepted by `accept`.
_SETTLED = frozenset({MessageStatus.accepted, MessageStatus.sent, *_FINAL})


def _reason(status: MessageStatus, code: int | None) -> str | None:
    if status in {MessageStatus.undelivered, MessageStatus.failed}:
        return f"code_{code}" if code else "not_delivered"
    return None


def _remember_numbers(
    session: Session, pending: Sequence[PendingReceipt], *, now: datetime
) -> None:
    for receipt in pending:
        if receipt.error_code is not None and receipt.message_id is not None:
            unreachable.heed(session, receipt.message_id, receipt.error_code, now=now)
