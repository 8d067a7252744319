"""Numbers as answers: one clear integer on the scale that was asked, and never a clamped one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from messages.binding import choose, numeric, scale_of
from messages.lexicon import lexicon
from messages.reading import Heard, Hint, Hit, Intent, OpenPrompt, Severity

# A number as people type it, with a sign, a decimal part or a "+"; part of a time, a date, a word
# or an amount of money it is none. "n/m" and "n out of m" are looked at first.
_NUMBER = re.compile(
    r"(?<![\w.,:/$#])(?:(?<![\w)] )[-\u2212])?\d{1,4}(?:[.,]\d+)?\+?(?![\w:/%]|[.,]\d)"
)
_SLASHED = re.compile(r"(?<![\w.,:/-])(\d{1,3})\s?/\s?(\d{1,3})(?![\w:/]|[.,]\d)")
_TIME_OF_DAY = re.compile(r"\b\d{1,2}(?::\d\d)?\s?[ap]\.?\s?m\b")
_WORD = re.compile(r"[^\W\d_]+")


_EMERGENCY_NUMBERS = frozenset({"911", "988"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """The numbers in a text, each as written, and what kind of text they stand in."""

    numbers: tuple[str, ...]
    alone: bool
    leads: bool


def score(heard: Heard) -> Hit | None:
    """Read a number. Without a numeric prompt only a bare number counts, and binds to nothing."""
    if heard.compact in _EMERGENCY_NUMBERS:
        return None
    prompts = numeric(heard.prompts)
    said = _said(heard.folded, prompts)
    if said is None or not (said.alone or (said.leads and prompts)):
        return None
    different = dict.fromkeys(said.numbers)
    if len(different) > 1:
        return _two_numbers() if prompts else None
    hit = _single(next(iter(different)), prompts)
    return hit if said.alone else _with_words(hit)


def _two_numbers() -> Hit:
    return Hit(intent=Intent.unclear, severity=Severity.next_business_day, hint=Hint.two_numbers)


def _with_words(hit: Hit) -> Hit:
    """Return the score of a text that says more, which a person reads as well."""
    return Hit(
        intent=hit.intent,
        value=hit.value,
        severity=Severity.next_business_day,
        prompt=hit.prompt,
        ambiguous=hit.ambiguous,
        number=hit.number,
        hint=Hint.more_words,
    )


def _single(number: str, prompts: Sequence[OpenPrompt]) -> Hit:
    if number.isascii() and number.isdigit():
        fitting = [prompt for prompt in prompts if _holds(prompt, int(number))]
        if fitting or not prompts:
            prompt, ambiguous = choose(fitting)
            return Hit(
                intent=Intent.score,
                value=number,
                number=number,
                prompt=prompt,
                ambiguous=ambiguous,
            )
    prompt, ambiguous = choose(prompts)
    return Hit(
        intent=Intent.score_out_of_range,
        value=number,
        severity=Severity.next_business_day,
        number=number,
        prompt=prompt,
        ambiguous=ambiguous,
    )


def _holds(prompt: OpenPrompt, number: int) -> bool:
    scale = scale_of(prompt.context)
    return scale is not None and scale[0] <= number <= scale[1]


def _said(folded: str, prompts: Sequence[OpenPrompt]) -> _Said | None:
    text = _TIME_OF_DAY.sub(" / ", folded)
    text = _without_ratios(text, {str(high) for _, high in _scales(prompts)})
    numbers = tuple(match.group() for match in _NUMBER.finditer(text))
    words = _WORD.findall(_NUMBER.sub(" ", text))
    spelled = [word for word in words if word in lexicon().number_words]
    rest = [word for word in words if word not in lexicon().number_words]
    fillers_only = all(word in lexicon().fillers for word in rest) and "/" not in text
    if fillers_only and (numbers or spelled):
        written = numbers + tuple(lexicon().number_words[word] for word in spelled)
        return _Said(numbers=written, alone=True, leads=False)
    if not numbers:
        return None
    return _Said(numbers=numbers, alone=False, leads=_leads(text))


def _scales(prompts: Sequence[OpenPrompt]) -> list[tuple[int, int]]:
    return [scale for prompt in prompts if (scale := scale_of(prompt.context))]


def _without_ratios(text: str, highs: set[str]) -> str:
    """Turn "7/10" into "7" on a scale that ends at 10; elsewhere both numbers stay candidates."""

    def reduced(match: re.Match[str]) -> str:
        return match[1] if match[2] in highs else f"{match[1]} , {match[2]}"

    return _spelled_ratio().sub(reduced, _SLASHED.sub(reduced, text)) if highs else text


@cache
def _spelled_ratio() -> re.Pattern[str]:
    words = "|".join(sorted(lexicon().ratio, key=len, reverse=True))
    return re.compile(rf"(?<![\w.,:/-])(\d{{1,3}}) (?:{words}) (\d{{1,3}})(?![\w:/]|[.,]\d)")


def _leads(text: str) -> bool:
    """Say whether the text opens with a number that is not an amount of something."""
    match = _NUMBER.match(text.lstrip(" \n\t\"'(*#"))
    if not match:
        return False
    following = _WORD.match(match.string, match.end() + 1)
    return not (following and following.group() in lexicon().units)
