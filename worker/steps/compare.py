"""Once a night: the carrier's own list of a day's texts against ours.

Callbacks and questions settle texts one by one. This looks from the other side, so that what
neither noticed is seen: a text at the carrier that we never counted, one of ours that it has
not, and a last word that never reached us. It corrects what it can prove, and posts nothing.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from messages.gateway import CarrierText, CarrierUnavailable
from messages.status import MessageStatus, from_carrier
from records import comparison, outcomes, pages, progress, receipts
from records.comparison import LostAttempt, OurText
from records.outcomes import AcceptedRow
from records.patients import phone_blind
from worker.carrier import Carrier
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

# 09:00 UTC is night from Hawaii to Maine, and the carrier's UTC day is long over.
_NIGHT = time(9, 0, tzinfo=UTC)
_MARK = "compared"
_LIST_AT_MOST = 10_000
_LIST_FOR_SECONDS = 90
# A text taken just before midnight is sent on the day after: its day is not ours.
_EDGE = timedelta(minutes=30)
_FETCH_AT_MOST = 100
# How far an attempt and the text that it made may lie apart: late creation, and two clocks.
_APART = timedelta(minutes=10)
_AWAITED = frozenset({MessageStatus.accepted, MessageStatus.sent})


def run(services: Services, carrier: Carrier) -> Counter[str]:
    """Compare yesterday (UTC) once its night has come; returns nothing when that is done."""
    now = services.now
    day = (now.astimezone(UTC) - timedelta(days=1)).date()
    if now.astimezone(UTC).timetz() < _NIGHT or _is_done(services, day):
        return Counter()
    try:
        counts = compare(services, carrier, day)
    except (CarrierUnavailable, TimeoutError) as error:
        log.warning("comparison_put_off", error=type(error).__name__)
        return Counter(put_off=1)
    if counts["strange"] or counts["missing"]:
        log.error("carrier_and_record_differ", day=day.isoformat(), **counts)
    with services.database.transaction() as session:
        progress.mark(session, _MARK, {"day": day.isoformat(), **counts})
    return counts


def _is_done(services: Services, day: date) -> bool:
    with services.database.transaction() as session:
        kept = progress.details(session, _MARK).get("day")
    return kept is not None and kept >= day.isoformat()


def compare(services: Services, carrier: Carrier, day: date) -> Counter[str]:
    """Compare one UTC day. Raises `CarrierUnavailable` when the list can't be read.

    Counts: `listed` at the carrier; `told`, last words that had not reached us; `found`, texts
    given up as lost that went after all; `strange`, texts that no row of ours sent; `missing`,
    texts of ours that the carrier does not have; `cut_short`, when the list was too long.
    """
    texts = carrier.call(
        carrier.gateway.sent_on(day=day, limit=_LIST_AT_MOST), timeout=_LIST_FOR_SECONDS
    )
    counts = Counter(listed=len(texts), cut_short=int(len(texts) == _LIST_AT_MOST))
    with services.database.transaction() as session:
        known = comparison.ours(session, [text.sid for text in texts])
        # Pages to staff go by the same account; each has its own record.
        paged = pages.of_ours(session, [text.sid for text in texts])
    counts["told"] = _tell(services, texts, known)
    unknown = [text for text in texts if text.sid not in known and text.sid not in paged]
    counts["found"] = _find(services, day, unknown)
    counts["strange"] = len(unknown) - counts["found"]
    if not counts["cut_short"]:
        counts["missing"] = _missing(services, carrier, day, {text.sid for text in texts})
    return +counts


def _tell(services: Services, texts: Sequence[CarrierText], known: dict[str, OurText]) -> int:
    """Store the carrier's last word on texts of ours that still await one."""
    rows = [
        receipts.row(
            services.vault,
            clinic_id=ours.clinic_id,
            message_id=ours.id,
            attempt=ours.number,
            sid=text.sid,
            status=text.status,
            error_code=text.error_code,
            source="pull",
            payload="{}",
            received_at=services.now,
        )
        for text in texts
        if (ours := known.get(text.sid)) is not None
        and ours.awaiting
        and from_carrier(text.status) not in _AWAITED
    ]
    with services.database.transaction() as session:
        receipts.store(session, rows)
    return len(rows)


def _find(services: Services, day: date, texts: Sequence[CarrierText]) -> int:
    """Give attempts that were given up as lost the texts that they made after all."""
    since, until = _bounds(day)
    with services.database.transaction() as session:
        lost = comparison.lost(session, since=since - _APART, until=until + _APART)
        free = list(texts)
        rows = []
        for attempt in lost:
            made = next((text for text in free if _made(services, attempt, text)), None)
            if made is not None:
                free.remove(made)
                rows.append(
                    AcceptedRow(message_id=attempt.message_id, number=attempt.number, sid=made.sid)
                )
        outcomes.accept(session, rows, now=services.now)
    return len(rows)


def _made(services: Services, attempt: LostAttempt, text: CarrierText) -> bool:
    at = text.created_at or text.sent_at
    if at is None or not attempt.due_at - _APART <= at <= attempt.submitted_at + _APART:
        return False
    if phone_blind(services.vault, text.to) != attempt.recipient_blind:
        return False
    return services.vault.open("message", "body", attempt.message_id, attempt.body) == text.body


def _missing(services: Services, carrier: Carrier, day: date, listed: set[str]) -> int:
    """Count the texts that we have as taken and the carrier, asked for each, has not."""
    since, until = _bounds(day)
    with services.database.transaction() as session:
        accepted = comparison.accepted(
            session, since=since + _EDGE, until=until - _EDGE, limit=_LIST_AT_MOST
        )
    absent = [sid for sid in accepted if sid not in listed][:_FETCH_AT_MOST]
    return sum(carrier.call(carrier.gateway.fetch(sid)) is None for sid in absent)


def _bounds(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(0), tzinfo=UTC)
    return start, start + timedelta(days=1)
