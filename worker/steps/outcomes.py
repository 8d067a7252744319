"""Outcomes: what the carrier said to our calls, written for many texts in one transaction.

Every answer of the carrier has one row here: accepted, refused for this text, refused for the
account (the row waits behind an open breaker), not processed (tried again), or unknown (looked
for later, never posted again blindly).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from messages.errorcodes import ErrorClass, ErrorRule, classify
from messages.gateway import Accepted, NotProcessed, OutcomeUnknown, Refused, SendOutcome
from records import outages, outcomes
from records.base import Session
from records.outcomes import AcceptedRow, EndedRow
from worker import unreachable
from worker.carrier import Posted, Posting
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

_BACK_OFF = (5, 15, 60, 180, 600)
# Somebody in danger waits for it, and it has no deadline: whenever the carrier is back, it goes.
_BACK_OFF_URGENT = (1, 2, 5, 15, 60)
_BREAKER = timedelta(seconds=60)
# Trouble of the account has a breaker, and what is tried later is the carrier's own affair.
_CARRIERS_OWN = frozenset({ErrorClass.config, ErrorClass.transient})
_SAYS_NOTHING = frozenset({"guard", "throttled"})


def write(services: Services, posted: Sequence[Posted]) -> None:
    """Record what became of these calls; raises what the database raises, then nothing is kept."""
    now = services.now
    accepted = [_accepted(one) for one in posted if isinstance(one.outcome, Accepted)]
    others = [one for one in posted if not isinstance(one.outcome, Accepted)]
    services.crashpoint("send.before_outcome_commit")
    with services.database.transaction() as session:
        outcomes.accept(session, accepted, now=now)
        before = _refused_before(session, others)
        ended = [_ended(one, now, before.get(one.posting.message_id, 0)) for one in others]
        outcomes.end(session, ended, now=now)
        _close_breakers(session, posted, now=now)
        _note_trouble(session, posted, now=now)
        for one in posted:
            if isinstance(one.outcome, Refused):
                _react(session, one, one.outcome, now=now)
    services.crashpoint("send.after_outcome_commit")


def _accepted(posted: Posted) -> AcceptedRow:
    outcome = posted.outcome
    if not isinstance(outcome, Accepted):
        raise TypeError("not accepted")
    return AcceptedRow(
        message_id=posted.posting.message_id,
        number=posted.posting.number,
        sid=outcome.sid,
        segments=outcome.segments,
    )


def _refused_before(session: Session, posted: Sequence[Posted]) -> dict[UUID, int]:
    """Return how often these texts were refused with the same code before."""
    codes = {
        one.posting.message_id: one.outcome.code
        for one in posted
        if isinstance(one.outcome, Refused)
    }
    return outcomes.refusals(session, codes) if codes else {}


def _ended(posted: Posted, now: datetime, refused_before: int) -> EndedRow:
    outcome = posted.outcome
    if isinstance(outcome, NotProcessed):
        return _not_processed(posted, outcome, now)
    if isinstance(outcome, OutcomeUnknown):
        return _row(posted, "unknown", "unknown", outcome.reason, http=outcome.http_status)
    if isinstance(outcome, Refused):
        rule = classify(outcome.code, outcome.http_status)
        return refused(posted, outcome, rule, hits=refused_before + 1, now=now)
    raise TypeError(f"no such outcome: {type(outcome).__name__}")


def _row(
    posted: Posted,
    outcome: str,
    status: str,
    reason: str,
    *,
    next_at: datetime | None = None,
    code: int | None = None,
    http: int | None = None,
) -> EndedRow:
    return EndedRow(
        message_id=posted.posting.message_id,
        number=posted.posting.number,
        outcome=outcome,
        status=status,
        reason=reason,
        next_at=next_at,
        error_code=code,
        http_status=http,
    )


def _back_off(posted: Posted, wish: float | None = None) -> timedelta:
    """Return how long to wait after this attempt.

    The carrier's own wish counts more, but somebody in danger waits a minute at most.
    """
    urgent = posted.posting.text.urgent
    steps = _BACK_OFF_URGENT if urgent else _BACK_OFF
    seconds = max(steps[min(posted.posting.number, len(steps)) - 1], wish or 0)
    return timedelta(seconds=min(seconds, steps[-1]) if urgent else seconds)


def _not_processed(posted: Posted, outcome: NotProcessed, now: datetime) -> EndedRow:
    # Nothing was created: it may go again until its deadline. Our own guard asks for no patience.
    wait = timedelta(0)
    if outcome.reason != "guard":
        wait = _back_off(posted, outcome.retry_after)
    return _row(posted, "not_processed", "planned", outcome.reason, next_at=now + wait)


def refused(
    posted: Posted, outcome: Refused, rule: ErrorRule, *, hits: int, now: datetime
) -> EndedRow:
    """Return how a refusal ends: for good, tried later, or waiting for the account's mend."""
    code, http = outcome.code, outcome.http_status
    if rule.maybe_sent:
        return _row(posted, "unknown", "unknown", f"code_{code}", code=code, http=http)
    error_class = rule.after(hits)
    if error_class is ErrorClass.config:
        # Where only this recipient is meant, the others go on and this row asks ever less often.
        later = now + (_BREAKER if rule.opens_breaker else _back_off(posted))
        return _row(posted, "refused", "planned", "account", next_at=later, code=code, http=http)
    if rule.may_retry(hits) and error_class is ErrorClass.transient:
        later = now + _back_off(posted, rule.retry_after_seconds)
        return _row(posted, "refused", "planned", "try_later", next_at=later, code=code, http=http)
    reason = {ErrorClass.opt_out: "opted_out_at_carrier", ErrorClass.content: "text_refused"}.get(
        error_class, "number_refused"
    )
    row = _row(posted, "refused", "failed", reason, code=code, http=http)
    return replace(row, is_news=unreachable.says_something(rule))


def _react(session: Session, posted: Posted, outcome: Refused, *, now: datetime) -> None:
    rule = classify(outcome.code, outcome.http_status)
    posting = posted.posting
    unreachable.heed(session, posting.message_id, outcome.code, now=now)
    if rule.opens_breaker:
        _open_breaker(session, posting, outcome, rule, now=now)


def _open_breaker(
    session: Session, posting: Posting, outcome: Refused, rule: ErrorRule, *, now: datetime
) -> None:
    reason = f"code_{outcome.code or outcome.http_status}"
    log.error(
        "breaker_opened",
        clinic_id=str(posting.clinic_id),
        code=outcome.code,
        http_status=outcome.http_status,
        meaning=rule.meaning,
    )
    until = now + _BREAKER
    outcomes.open_breaker(session, posting.sender_id, reason=reason, now=now, until=until)


def _note_trouble(session: Session, posted: Sequence[Posted], *, now: datetime) -> None:
    """Note for each sender whether the carrier took anything, or nothing for its own reasons."""
    through: dict[UUID, bool] = {}
    for one in posted:
        if (taken := _went_through(one.outcome)) is not None:
            sender = one.posting.sender_id
            through[sender] = through.get(sender, False) or taken
    for sender, taken in through.items():
        outages.takes(session, sender, through=taken, now=now)


def _went_through(outcome: SendOutcome) -> bool | None:
    """Whether a call shows a carrier that works; None where it says nothing of that.

    A refusal of this text or number shows one; our own guard and a wish for patience say nothing.
    """
    if isinstance(outcome, Accepted):
        return True
    if isinstance(outcome, Refused):
        troubled = classify(outcome.code, outcome.http_status).error_class in _CARRIERS_OWN
        return None if troubled else True
    if isinstance(outcome, NotProcessed) and outcome.reason in _SAYS_NOTHING:
        return None
    return False


def _close_breakers(session: Session, posted: Sequence[Posted], *, now: datetime) -> None:
    senders = {one.posting.sender_id for one in posted if isinstance(one.outcome, Accepted)}
    for sender_id in senders:
        outcomes.close_breaker(session, sender_id, now=now)
