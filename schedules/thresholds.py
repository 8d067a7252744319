"""The default thresholds of a 0-10 question, for which the protocol's author wrote no rule.

No cut-off is validated (the clinical brief, section 3). What lies between two whole numbers is
judged as the one that worries more (care rule 8).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from math import ceil, floor

from schedules.answer_tests import rises_by
from schedules.followups import FollowUpReason, WantedFollowUp, wanted
from schedules.staffing import StaffedHours

PAGE_SCORE, HIGH_SCORE, RISE, LOW_OF_TEN = 10, 7, 3, 3


def whole_numbers(score: str) -> list[int | None]:
    """Return what a score is judged as: itself, or the whole numbers around it ("6.5").

    What is no number at all meets no threshold.
    """
    try:
        number = Decimal(score)
    except InvalidOperation:
        return [None]
    return list(dict.fromkeys((floor(number), ceil(number))))


def for_score(
    number: float, previous: Sequence[float], *, now: datetime, staffed: StaffedHours, about: str
) -> tuple[WantedFollowUp, ...]:
    """Judge a number of which high ones worry: 10 pages, 7 is called today, a rise next day."""
    number = ceil(number)
    if number >= PAGE_SCORE:
        reason = FollowUpReason.PAGE_SCORE
    elif number >= HIGH_SCORE:
        reason = FollowUpReason.HIGH_SCORE
    elif rises_by(number, previous, RISE):
        reason = FollowUpReason.RISING_SCORE
    else:
        return ()
    return (wanted(reason, now=now, staffed=staffed, about=about),)


def for_low_score(
    number: float, _: Sequence[float], *, now: datetime, staffed: StaffedHours, about: str
) -> tuple[WantedFollowUp, ...]:
    """Judge a number of which low ones worry, such as confidence: from 3 down."""
    if floor(number) > LOW_OF_TEN:
        return ()
    return (wanted(FollowUpReason.LOW_SCORE, now=now, staffed=staffed, about=about),)
