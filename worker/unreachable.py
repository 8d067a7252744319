"""What the carrier's code says of a number: stopped there, or not in service any more.

Both end what is unsent, and a person is told. The second is over once the number is proved again:
by a text from it, or by staff who record a consent given on it.
"""

from datetime import datetime
from uuid import UUID

from messages.errorcodes import ErrorClass, ErrorRule, classify
from records import patients, stopping
from records.base import Session


def heed(session: Session, message_id: UUID, code: int | None, *, now: datetime) -> None:
    """Remember what this code says of the number that the message went to, if anything."""
    rule = classify(code)
    if not says_something(rule):
        return
    # Not stored as the patient's own word: a reassigned number is refused the same way.
    opted_out = rule.error_class is ErrorClass.opt_out
    kind = patients.REFUSED if opted_out else patients.SUSPENDED
    stopping.stop_recipient_of(session, message_id, reason=f"{kind}{code}", now=now)


def says_something(rule: ErrorRule) -> bool:
    """Return whether a person has to learn that this number can't be texted."""
    return rule.error_class is ErrorClass.opt_out or rule.suspends_number
