"""The sentences of the protocol files: "2 days before visit start at 10:00" and back again.

The loader hands every such sentence here, and exporting a protocol writes the same sentences. The
words are few on purpose, so that a coordinator can read a file aloud and a typo can be named.
"""

import re
from datetime import time

from schedules.protocol import (
    DAY_ANCHORS,
    Again,
    Anchor,
    AnswerCondition,
    AnswerTest,
    Condition,
    ConditionKind,
    HistoryKind,
    Moment,
    Phase,
)
from schedules.staffing import read_clock
from schedules.terms import NAME

# Beyond two weeks nobody counts hours; beyond two years nobody plans a text.
MAX_ELAPSED_MINUTES = 14 * 24 * 60
MAX_DAYS = 730
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: What a repeat may be taken up again after.
AGAIN_AFTER = (Anchor.LAST_DOSE, Anchor.LAPSE)

_UNIT_MINUTES = {"minute": 1, "hour": 60}
_LENGTH_MINUTES = {**_UNIT_MINUTES, "day": 24 * 60}
_UNIT_DAYS = {"day": 1, "week": 7}

_MOMENT = re.compile(
    r"""(?:(?P<number>\d{1,6})\ (?P<unit>minute|hour|day|week)s?\ (?P<side>before|after)
         |(?P<same>(?:on\ )?(?:the\ )?same\ day\ as)|(?P<exact>at))
        \ (?:the\ )?(?P<anchor>step\ (?P<step>[a-z][a-z0-9_.-]*)|[a-z-]+(?:\ [a-z-]+)??)
        (?:\ at\ (?P<clock>\d{1,2}:\d{2})(?P<own>\ or\ their\ own\ hour)?)?
        (?:,?\ between\ (?P<low>\d{1,2}:\d{2})\ and\ (?P<high>\d{1,2}:\d{2}))?""",
    re.VERBOSE,
)
_PHASE = re.compile(
    r"from day (\d{1,4}) to day (\d{1,4}),"
    r" (?:every (?:(\d{1,3}) )?(day|week)s?|on ([a-z]+(?:(?:, | and )[a-z]+)*))"
)
_ON_DAY = re.compile(r"^on day (\d{1,4})$")
_AGAIN = re.compile(r"for (\d{1,2}) days? after ([a-z ]+?)(?: or ([a-z ]+))?")
_DURATION = re.compile(r"(\d{1,4}) (minute|hour|day)s?")
_NUMBER_TEST = re.compile(r"(?:(up|down) by (\d{1,3})|(\d{1,3})(?: or (more|less))?)")
_SCORES = re.compile(r"(any|every) score (\d{1,3}) or more")
_CADENCE = re.compile(r"([a-z][a-z0-9_/.-]*): *(?:every (?:(\d{1,3}) )?(day|week)s?|(from .+))")
_NAMES = rf"{NAME}(?:(?:, | or ){NAME})*"
_ROUTE = re.compile(rf"route (not )?({_NAMES})")
#: Conditions that name what they are about.
NAMING = frozenset({ConditionKind.ROUTE, ConditionKind.ROUTE_NOT, HistoryKind.SUBSTANCE})
_SUBSTANCE = re.compile(rf"substance is ({_NAMES})")
_RUNNING = re.compile(r"(.+) (twice|(\d) times) running")

INTENT_WORDS = {
    "confirm": "confirm",
    "yes": "confirm",
    "change": "decline_reschedule",
    "no": "decline_reschedule",
    "late": "running_late",
    "call me": "callback_request",
}


class PhraseError(Exception):
    """A sentence that cannot be read; `mend` says what to write instead."""

    def __init__(self, message: str, mend: str) -> None:
        """Keep the two halves of the later fault."""
        super().__init__(message)
        self.message, self.mend = message, mend


def moment(text: str) -> Moment:
    """Read a moment. Raises PhraseError."""
    found = _MOMENT.fullmatch(_tidy(text))
    if not found:
        raise PhraseError(
            f"`{text}` is not a time this language knows",
            "Write it like `2 days before visit start at 10:00`, `2 hours before visit start`, "
            "`same day as enrollment at 17:00` or `4 hours after dose check-out, between 17:00 and "
            "19:45`",
        )
    anchor = Anchor.STEP if found["step"] else _anchor(found["anchor"])
    minutes, days = _offset(found, text)
    clock = _clock(found["clock"])
    between = _between(found)
    _check_offset(text, minutes=minutes, days=days)
    _check_form(text, anchor, elapsed=minutes is not None, clock=clock, between=between)
    return Moment(
        anchor=anchor,
        step=found["step"],
        minutes=minutes,
        days=days,
        clock=clock,
        own_hour=bool(found["own"]),
        between=between,
    )


def moment_phrase(value: Moment) -> str:
    """Write a moment as the sentence that reads back to it."""
    anchor = f"step {value.step}" if value.anchor is Anchor.STEP else str(value.anchor)
    if value.minutes == 0:
        text = f"at {anchor}"
    elif value.minutes is not None:
        unit = "hour" if value.minutes % 60 == 0 else "minute"
        text = _amount(value.minutes // _UNIT_MINUTES[unit], unit, anchor)
    elif value.days:
        text = _amount(value.days, "day", anchor)
    else:
        text = f"same day as {anchor}"
    if value.clock is not None:
        text += f" at {value.clock:%H:%M}" + (" or their own hour" if value.own_hour else "")
    if value.between is not None:
        text += f", between {value.between[0]:%H:%M} and {value.between[1]:%H:%M}"
    return text


def duration_minutes(text: str) -> int:
    """Read `2 hours`, `90 minutes` or `7 days`. Raises PhraseError."""
    found = _DURATION.fullmatch(_tidy(text))
    if not found or int(found[1]) == 0:
        raise PhraseError(f"`{text}` is not a length of time", "Write it like `2 hours`")
    minutes = int(found[1]) * _LENGTH_MINUTES[found[2]]
    _check_offset(text, minutes=minutes, days=None)
    return minutes


def phase(text: str) -> Phase:
    """Read one part of a repeat. Raises PhraseError."""
    found = _PHASE.fullmatch(_ON_DAY.sub(r"from day \1 to day \1, every day", _tidy(text)))
    if not found:
        raise PhraseError(
            f"`{text}` is not a repeat this language knows",
            "Write it like `from day 1 to day 14, every day`, `from day 21 to day 84, every 7 "
            "days` or `on day 90`",
        )
    first, last = int(found[1]), int(found[2])
    every = int(found[3] or 1) * _UNIT_DAYS[found[4] or "day"]
    if first < 1 or last < first or every < 1:
        raise PhraseError(f"`{text}` holds no day", "The first day is day 1 and comes first")
    if last > MAX_DAYS:
        raise PhraseError(f"`{text}` goes on for over two years", f"End by day {MAX_DAYS}")
    weekdays = frozenset(_weekday(name) for name in re.split(r", | and ", found[5] or "") if name)
    return Phase(first_day=first, last_day=last, every_days=every, weekdays=weekdays)


def again(text: str) -> Again:
    """Read after what a repeat is taken up again. Raises PhraseError."""
    found = _AGAIN.fullmatch(_tidy(text))
    names = [] if found is None else [name for name in (found[2], found[3]) if name]
    if found is None or int(found[1]) == 0 or not all(name in AGAIN_AFTER for name in names):
        known = " or ".join(f"`{anchor}`" for anchor in AGAIN_AFTER)
        raise PhraseError(
            f"`{text}` does not say when to ask daily again",
            f"Write it like `for 7 days after last dose or lapse`, with {known}",
        )
    return Again(days=int(found[1]), anchors=tuple(Anchor(name) for name in names))


def cadence(text: str) -> tuple[str, int | Phase]:
    """Read a patient's own rhythm for a step: `daily: every 2 days`, or one phase of its own.

    Gives the step (`step` or `protocol/step`) and the days between two questions, or the phase.
    Raises PhraseError.
    """
    found = _CADENCE.fullmatch(_tidy(text))
    if not found or (found[2] and int(found[2]) == 0):
        raise PhraseError(
            f"`{text}` is no rhythm for a step",
            "Write it like `daily: every 2 days` or `daily: from day 1 to day 7, every day`",
        )
    if found[4]:
        return found[1], phase(found[4])
    return found[1], int(found[2] or 1) * _UNIT_DAYS[found[3]]


def _weekday(name: str) -> int:
    if name not in WEEKDAYS:
        raise PhraseError(f"`{name}` is no weekday", f"Write {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(name)


def condition(text: str) -> Condition:
    """Read one condition of `only_if`; whether its names are known, `checks` says.

    Raises PhraseError.
    """
    tidy = _tidy(text)
    if found := _ROUTE.fullmatch(tidy):
        routes = frozenset(re.split(r", | or ", found[2]))
        kind = ConditionKind.ROUTE_NOT if found[1] else ConditionKind.ROUTE
        return Condition(kind=kind, routes=routes)
    if found := _SUBSTANCE.fullmatch(tidy):
        substances = frozenset(re.split(r", | or ", found[1]))
        return Condition(kind=HistoryKind.SUBSTANCE, substances=substances)
    kinds: list[ConditionKind | HistoryKind] = [*ConditionKind, *HistoryKind]
    plain = [one for one in kinds if one not in NAMING]
    if tidy not in plain:
        known = ", ".join(f"`{kind}`" for kind in plain)
        raise PhraseError(
            f"`{text}` is no condition",
            f"Known are {known}, and `route ...`, `route not ...` and `substance is ...` with the "
            "name of one or more, parted by `or`",
        )
    return Condition(kind=next(one for one in plain if one == tidy))


def name(text: str) -> str:
    """Read the name of a route or a substance. Raises PhraseError."""
    if not re.fullmatch(NAME, text):
        raise PhraseError(f"`{text}` is no name", "Use small letters, as in the clinic's file")
    return text


def answer(text: str) -> AnswerCondition:
    """Read what an answer must be. Raises PhraseError."""
    tidy = _tidy(text)
    if tidy == "any other answer":
        return AnswerCondition(test=AnswerTest.ANY_OTHER)
    if tidy in INTENT_WORDS:
        return AnswerCondition(test=AnswerTest.INTENT, intent=INTENT_WORDS[tidy])
    if scores := _SCORES.fullmatch(tidy):
        every = scores[1] == "every"
        test = AnswerTest.EVERY_SCORE_AT_LEAST if every else AnswerTest.ANY_SCORE_AT_LEAST
        return AnswerCondition(test=test, number=int(scores[2]))
    running = _RUNNING.fullmatch(tidy)
    times = int(running[3] or 2) if running else 1
    said = running[1] if running else tidy
    if said in INTENT_WORDS:
        return AnswerCondition(test=AnswerTest.INTENT, intent=INTENT_WORDS[said], times=times)
    found = _NUMBER_TEST.fullmatch(said)
    # The median of the last answers is no answer that could be given twice.
    if not found or (found[1] and running):
        raise PhraseError(
            f"`{text}` is no answer a rule can look for",
            f"Write {', '.join(INTENT_WORDS)}, `no twice running`, a number, `7 or more`, "
            "`3 or less`, `3 or less twice running`, `up by 3`, `down by 3`, `any score 3 or more` "
            "(of a form) or `any other answer`",
        )
    if found[1]:
        rises = found[1] == "up"
        test = AnswerTest.NUMBER_RISES_BY if rises else AnswerTest.NUMBER_FALLS_BY
        return AnswerCondition(test=test, number=int(found[2]))
    side = {"more": AnswerTest.NUMBER_AT_LEAST, "less": AnswerTest.NUMBER_AT_MOST}
    test = side.get(found[4] or "", AnswerTest.NUMBER_IS)
    return AnswerCondition(test=test, number=int(found[3]), times=times)


def _tidy(text: str) -> str:
    return " ".join(text.lower().split())


def _amount(signed: int, unit: str, anchor: str) -> str:
    number = abs(signed)
    return f"{number} {unit}{'' if number == 1 else 's'} {_side(signed)} {anchor}"


def _side(signed: int) -> str:
    return "before" if signed < 0 else "after"


def _offset(found: re.Match[str], text: str) -> tuple[int | None, int | None]:
    """Give (minutes, days), one of them None."""
    if found["exact"]:
        return 0, None
    if found["same"]:
        return None, 0
    number = int(found["number"]) * (-1 if found["side"] == "before" else 1)
    if number == 0:
        raise PhraseError(f"`{text}` is no distance", "Write `at ...` or `same day as ...`")
    if (minutes := _UNIT_MINUTES.get(found["unit"])) is not None:
        return number * minutes, None
    return None, number * _UNIT_DAYS[found["unit"]]


def _check_offset(text: str, *, minutes: int | None, days: int | None) -> None:
    if minutes is not None and abs(minutes) > MAX_ELAPSED_MINUTES:
        raise PhraseError(f"`{text}` is too many hours", "Beyond 14 days, count in days")
    if days is not None and abs(days) > MAX_DAYS:
        raise PhraseError(f"`{text}` is more than two years away", f"Use at most {MAX_DAYS} days")


def _check_form(
    text: str,
    anchor: Anchor,
    *,
    elapsed: bool,
    clock: time | None,
    between: tuple[time, time] | None,
) -> None:
    """Refuse mixtures whose meaning two people would read differently."""
    if elapsed and clock is not None:
        raise PhraseError(
            f"`{text}` counts hours and names a clock time",
            "Count days when the clock time matters, or leave the clock time out",
        )
    if not elapsed and between is not None:
        raise PhraseError(
            f"`{text}` counts days and gives a span of hours", "Name one clock time instead"
        )
    if anchor in DAY_ANCHORS and clock is None:
        raise PhraseError(
            f"`{text}` counts from a day, which has no hour",
            f"Write it like `1 day after {anchor} at 17:00`",
        )
    if between is not None and between[0] >= between[1]:
        raise PhraseError(f"`{text}` ends its span before it starts", "Put the earlier time first")


def _anchor(text: str) -> Anchor:
    if text in list(Anchor) and text != Anchor.STEP:
        return Anchor(text)
    known = ", ".join(f"`{anchor}`" for anchor in Anchor if anchor != Anchor.STEP)
    raise PhraseError(
        f"`{text}` is nothing a time can count from",
        f"Count from {known}, or from `step` and the id of another step",
    )


def _clock(text: str | None) -> time | None:
    if text is None:
        return None
    try:
        return read_clock(text)
    except ValueError as error:
        raise PhraseError(str(error), "Use the 24-hour clock, 00:00 to 23:59") from None


def _between(found: re.Match[str]) -> tuple[time, time] | None:
    low, high = _clock(found["low"]), _clock(found["high"])
    return None if low is None or high is None else (low, high)
