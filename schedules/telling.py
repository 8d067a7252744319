"""When a patient is told again how to stop, and whom to call: once every 30 days (care rule 30).

Days are those of the clinic's calendar, which is known for every patient: a text of 17:00 that goes
a second earlier than the one of 30 days ago still says it, also where the clocks changed between.
"""

from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

#: Care rule 30: the words stand in a text this many days after the last one that said them.
AGAIN_AFTER_DAYS = 30
#: From here on a text that has room for them says them already, so that none grows by a part.
ROOM_FROM_DAYS = 23


class Telling(StrEnum):
    """Whether a text that we start says how to stop."""

    NOT_YET = "not_yet"
    #: Only in a text that is not billed as more parts for it.
    WHERE_IT_FITS = "where_it_fits"
    NOW = "now"


def telling(told_at: datetime | None, now: datetime, zone: ZoneInfo) -> Telling:
    """Return whether a text that goes `now` says it, to whoever was told last at `told_at`.

    None: never told on this number. `zone` is the clinic's; one that wants each text to say it
    is not asked about here.
    """
    if told_at is None:
        return Telling.NOW
    days = (now.astimezone(zone).date() - told_at.astimezone(zone).date()).days
    if days >= AGAIN_AFTER_DAYS:
        return Telling.NOW
    return Telling.WHERE_IT_FITS if days >= ROOM_FROM_DAYS else Telling.NOT_YET
