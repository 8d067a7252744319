"""What the carrier says of a number: stopped there, or not in service any more.

Both end what is unsent, and a person is told. The second is over once the number is proved again:
by a text from it, or by staff who record a consent given on it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messages.errorcodes import ErrorClass, ErrorRule, classify
from records import inbox, patients, stopping
from records.base import Session
from records.patients import Patient
from records.stopping import Recipient
from worker.replying.stopping import STARTS

# The carrier's list tells when a reply came by whole seconds: one may seem older than the text.
_WHOLE_SECONDS = timedelta(seconds=1)


def heed(session: Session, message_id: UUID, code: int | None, *, now: datetime) -> None:
    """Remember what this code says of the number that the message went to, if anything.

    A receipt may come after what its number wrote since the text went; then it says nothing more.
    """
    rule = classify(code)
    if not says_something(rule):
        return
    to = stopping.recipient_of(session, message_id)
    went_at = to.submitted_at or now
    opted_out = rule.error_class is ErrorClass.opt_out
    over = _was_opened(session, to, went_at) if opted_out else _was_proved(session, to, went_at)
    if over:
        return
    # Not stored as the patient's own word: a reassigned number is refused the same way.
    kind = patients.REFUSED if opted_out else patients.SUSPENDED
    stopping.stop_recipient(session, to, reason=f"{kind}{code}", occurred_at=went_at, now=now)


def _was_opened(session: Session, to: Recipient, went_at: datetime) -> bool:
    """Whether a START came after the text went; one that is being stored is waited for."""
    patients.lock_opt_out(session, clinic_id=to.clinic_id, blind=to.blind)
    return inbox.first_after(session, to.clinic_id, to.blind, went_at, changes=STARTS) is not None


def _was_proved(session: Session, to: Recipient, went_at: datetime) -> bool:
    """Whether the number wrote, or staff vouched for it, after the text went."""
    before = patients.lock_opt_out(session, clinic_id=to.clinic_id, blind=to.blind)
    was_out = before is not None and before.reason.startswith(patients.SUSPENDED)
    vouched_at = (to.proved_at, before.lifted_at if before and was_out else None)
    if any(at is not None and at > went_at for at in vouched_at):
        return True
    since = went_at - _WHOLE_SECONDS
    return inbox.first_after(session, to.clinic_id, to.blind, since) is not None


def given_up(
    session: Session, people: Sequence[Patient], *, listed_at: datetime, now: datetime
) -> bool:
    """Suspend the number of these patients, whose carrier gave it up before `listed_at`.

    They have one number at one clinic, and are locked. Return False where it is stopped already, or
    somebody proved it since.
    """
    clinic_id, blind = people[0].clinic_id, people[0].phone_blind
    if patients.opted_out(session, clinic_id=clinic_id, blind=blind) is not None:
        return False
    proved = (person.proved_at for person in people)
    last = max((at for at in proved if at is not None), default=None)
    to = Recipient(clinic_id=clinic_id, blind=blind, submitted_at=None, proved_at=last)
    if _was_proved(session, to, listed_at) or patients.agreed_after(session, people, listed_at):
        return False
    reason = f"{patients.SUSPENDED}deactivated"
    stopping.stop_recipient(session, to, reason=reason, occurred_at=listed_at, now=now)
    return True


def says_something(rule: ErrorRule) -> bool:
    """Return whether a person has to learn that this number can't be texted."""
    return rule.error_class is ErrorClass.opt_out or rule.suspends_number
