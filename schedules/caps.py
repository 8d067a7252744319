"""Shares out a patient's daily and weekly cap over the texts wanted, most important first.

Care rule 8. The planner calls this so that a preview shows what the cap takes; at claim the cap is
only a guard. Notices of moved and cancelled visits do not count, food and ride are never dropped.
On the day of a dose that is still to come a place is kept for the evening's check.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from schedules.facts import Caps, PlannedText, SentText
from schedules.protocol import Importance
from schedules.reasons import SkipReason

NEVER_DROPPED = frozenset({Importance.NOTICE, Importance.FOOD, Importance.RIDE})
WEEK = timedelta(days=7)
_CHECK = Importance.AFTER_DOSE.priority
#: More texts than any day holds.
NO_CAP = 1_000_000


def share_caps(
    texts: Sequence[PlannedText],
    *,
    sent: Sequence[SentText],
    caps: Caps,
    zone: ZoneInfo,
    checks_to_come: Collection[date] = (),
) -> list[PlannedText]:
    """Mark with `cap` what a patient's days have no room for; order and other texts stay.

    `texts` are those of one patient over all enrollments, days are those of `zone`. `sent` are the
    texts that went out already; a wanted text that is among them uses no second place. On the days
    of `checks_to_come` a check after a dose will be wanted: what matters less leaves it its place.
    """
    if caps.per_day is None and caps.per_week is None:
        return list(texts)
    went = {_key(one) for one in sent}
    used = Counter(one.at.astimezone(zone).date() for one in sent)
    by_day: dict[date, list[int]] = {}
    for at, text in enumerate(texts):
        counts = text.skip_reason is None and text.importance is not Importance.NOTICE
        if counts and (not went or _key(text) not in went):
            by_day.setdefault(text.due_at.astimezone(zone).date(), []).append(at)
    dropped = _dropped(texts, by_day, used, caps, checks_to_come)
    if not dropped:
        return list(texts)
    return [
        text._replace(skip_reason=SkipReason.CAP) if at in dropped else text
        for at, text in enumerate(texts)
    ]


def _dropped(
    texts: Sequence[PlannedText],
    by_day: Mapping[date, list[int]],
    used: Counter[date],
    caps: Caps,
    checks_to_come: Collection[date],
) -> set[int]:
    """Take the days in order; what a day keeps counts for the weeks that follow."""
    dropped: set[int] = set()
    for day in sorted(by_day):
        wanted, room = by_day[day], _room(used, day, caps)
        kept = day in checks_to_come
        if len(wanted) > room - kept:
            wanted = sorted(wanted, key=lambda at: _order(texts[at]))
            dropped.update(
                at
                for place, at in enumerate(wanted)
                if texts[at].importance not in NEVER_DROPPED
                and place >= (room - kept if texts[at].priority > _CHECK else room)
            )
        used[day] += sum(at not in dropped for at in wanted)
    return dropped


def _room(used: Counter[date], day: date, caps: Caps) -> int:
    """Count the places left on a day, under both caps. A week is any seven days in a row."""
    room = NO_CAP if caps.per_day is None else caps.per_day - used[day]
    if caps.per_week is None:
        return room
    week = sum(count for other, count in used.items() if day - WEEK < other <= day)
    return min(room, caps.per_week - week)


def _order(text: PlannedText) -> tuple[int, object, str]:
    return text.importance.priority, text.due_at, text.step


def _key(text: PlannedText | SentText) -> tuple[object, ...]:
    return text.enrollment_id, text.step, text.occurrence, text.anchor_at
