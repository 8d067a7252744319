"""Shares out a patient's daily and weekly cap over the texts wanted, most important first.

Care rule 8. The planner calls this so that a preview shows what the cap takes; at claim the cap is
only a guard. Notices of moved and cancelled visits do not count, food and ride are never dropped.
On the day of a dose that is still to come a place is kept for the evening's check, in its week as
well. The week's cap is only of patients who did not agree to check-ins (`weekly_cap`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from schedules.facts import Caps, PlannedText, SentText
from schedules.protocol import Importance, Purpose
from schedules.reasons import SkipReason

NEVER_DROPPED = frozenset({Importance.NOTICE, Importance.FOOD, Importance.RIDE})
WEEK = timedelta(days=7)
_CHECK = Importance.AFTER_DOSE.priority


def weekly_cap(per_week: int | None, purposes: Collection[str]) -> int | None:
    """Give how many started texts a week a patient may get, by what they agreed to; None: any.

    `per_week` is the clinic's. Care rule 8: whoever agreed to check-ins asked for one every day.
    The plan, who may ask, and the claim all come here.
    """
    return None if Purpose.CHECK_INS in purposes else per_week


def within_week(day: date, today: date) -> bool:
    """Whether a text of that local day counts for the week that ends `today`: any seven days."""
    return today - WEEK < day <= today


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
    `caps.per_week` is this patient's, as `weekly_cap` gives it.
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
    dropped: set[int] = set()
    if caps.per_day is not None:
        dropped = _over_day(texts, by_day, used, caps.per_day, checks_to_come)
    if caps.per_week is not None:
        left = [(day, at) for day, ats in by_day.items() for at in ats if at not in dropped]
        dropped |= _over_week(texts, left, used, caps.per_week, checks_to_come)
    if not dropped:
        return list(texts)
    return [
        text._replace(skip_reason=SkipReason.CAP) if at in dropped else text
        for at, text in enumerate(texts)
    ]


def _over_day(
    texts: Sequence[PlannedText],
    by_day: Mapping[date, list[int]],
    used: Mapping[date, int],
    per_day: int,
    checks_to_come: Collection[date],
) -> set[int]:
    """Give the texts that their own day has no place for."""
    dropped: set[int] = set()
    for day, wanted in by_day.items():
        room = per_day - used.get(day, 0)
        kept = day in checks_to_come
        if len(wanted) > room - kept:
            in_order = sorted(wanted, key=lambda at: _order(texts[at]))
            dropped.update(
                at
                for place, at in enumerate(in_order)
                if texts[at].importance not in NEVER_DROPPED
                and place >= (room - kept if texts[at].priority > _CHECK else room)
            )
    return dropped


def _over_week(
    texts: Sequence[PlannedText],
    wanted: Iterable[tuple[date, int]],
    used: Mapping[date, int],
    per_week: int,
    checks_to_come: Collection[date],
) -> set[int]:
    """Give the texts that some week around their day has no place for, the most important first.

    By their order and not by their days: a reminder of Monday takes no place from the evening after
    Wednesday's dose.
    """
    dropped: set[int] = set()
    taken = Counter(used)
    for day, at in sorted(wanted, key=lambda each: _order(texts[each[1]])):
        text = texts[at]
        kept = checks_to_come if text.priority > _CHECK else ()
        if text.importance not in NEVER_DROPPED and _fullest(taken, kept, day) >= per_week:
            dropped.add(at)
        else:
            taken[day] += 1
    return dropped


def _fullest(taken: Mapping[date, int], kept: Collection[date], day: date) -> int:
    """Count the places that are taken and kept in the fullest of the weeks that hold a day."""
    ends = (day + timedelta(days=number) for number in range(WEEK.days))
    return max(
        sum(count for other, count in taken.items() if within_week(other, end))
        + sum(within_week(other, end) for other in kept)
        for end in ends
    )


def _order(text: PlannedText) -> tuple[int, object, str]:
    return text.importance.priority, text.due_at, text.step


def _key(text: PlannedText | SentText) -> tuple[object, ...]:
    return text.enrollment_id, text.step, text.occurrence, text.anchor_at
