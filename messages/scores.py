"""Numbers as answers: one clear integer on the scale that was asked, and never a clamped one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from messages.binding import choose, numeric, scale_of
from messages.lexicon import Lexicon
from messages.numbers import NUMBER, WORD, in_figures, one_of_neighbours, pointed_at
from messages.reading import Heard, Hint, Hit, Intent, OpenPrompt, Severity

# "n/m" and "n out of m" are looked at first.
_SLASHED = re.compile(r"(?<![\w.,:/-])(\d{1,3})\s?/\s?(\d{1,3})(?![\w:/]|[.,]\d)")
_TIME_OF_DAY = re.compile(r"\b\d{1,2}(?::\d\d)?\s?[ap]\.?\s?m\b")
_CLAUSES = re.compile(r"[,;!?\n]+|\.+(?!\d)")
# "See you, at 3" tells a time.
_AT_A_TIME = (["at"], ["by"], ["a"], ["on"], ["around"], ["til"], ["until"])
_ASKED = re.compile(r"[^.!?\n]*\?")
_WORDS = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_NEARLY = re.compile(r"(?<=\d)\s?-?ish\b")

# "Ill be in at 8" is no late answer to a scale.
_MOST_WORDS_UNASKED = 3
_HIGHER_IS_WORSE = frozenset({"craving_scale", "side_effect_check", "scale:0-3"})
# A scale that ends at seven counts days or nights, so that these are no other amount.
_DAYS = 7
_EMERGENCY_NUMBERS = frozenset({"911", "988"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """The numbers in a text, each as written, and what kind of text they stand in."""

    numbers: tuple[str, ...]
    alone: bool
    leads: bool


def score(heard: Heard) -> Hit | None:
    """Read a number. Without a numeric prompt only a bare number counts, and binds to nothing."""
    if not _has_number(heard) or _EMERGENCY_NUMBERS & set(heard.compacts):
        return None
    prompts = numeric(heard.prompts)
    said = _said(heard, prompts)
    if said is None or not (said.alone or (said.leads and prompts)):
        return None
    most = 1 if heard.prompts else _MOST_WORDS_UNASKED
    if not prompts and len(heard.flat.words) > most:
        return None
    different = dict.fromkeys(said.numbers)
    if len(different) > 1:
        return _two_numbers() if prompts else None
    hit = _single(next(iter(different)), prompts)
    return hit if said.alone else _with_words(hit)


def _has_number(heard: Heard) -> bool:
    words, (amounts, _) = heard.words.number_words, heard.words.amounts
    return bool(_DIGIT.search(heard.folded) or amounts.search(heard.folded)) or any(
        word in words for said in heard.variants for word in said.words
    )


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


def _said(heard: Heard, prompts: Sequence[OpenPrompt]) -> _Said | None:
    lists, scales = heard.words, _scales(prompts)
    text = _written(heard, prompts)
    numbers = tuple(match.group() for match in NUMBER.finditer(text))
    words = lists.spelling.mended(WORD.findall(NUMBER.sub(" ", text)))
    spelled = [word for word in words if word in lists.number_words]
    rest = [word for word in words if word not in lists.number_words]
    fillers_only = all(word in lists.fillers for word in rest) and "/" not in text
    if fillers_only and (numbers or spelled):
        written = numbers + tuple(lists.number_words[word] for word in spelled)
        return _Said(numbers=written, alone=True, leads=False)
    clause = _of_one_clause(text, lists) if prompts else None
    if clause is not None:
        return _Said(numbers=(clause,), alone=False, leads=True)
    if not numbers:
        return None
    chosen = pointed_at(text, lists, of_days=any(high == _DAYS for _, high in scales))
    return _Said(numbers=(chosen,) if chosen else numbers, alone=False, leads=chosen is not None)


def _told(heard: Heard) -> str:
    """Return a text without its questions: in "is 10 good or bad?" nobody says a number."""

    def left(match: re.Match[str]) -> str:
        words = heard.flat.part(tuple(_WORDS.findall(match.group())))
        return " " if heard.words["question"].opens(words) else match.group()

    return _ASKED.sub(left, heard.folded) if heard.asks else heard.folded


def _written(heard: Heard, prompts: Sequence[OpenPrompt]) -> str:
    """Return a text with its numbers in figures, and of two the one that was meant.

    Of a range the higher one counts only where higher is known to be worse.
    """
    lists, highs = heard.words, {str(high) for _, high in _scales(prompts)}
    pattern, amounts = lists.amounts
    text = _NEARLY.sub("", _TIME_OF_DAY.sub(" / ", _told(heard)))
    text = _chosen(_without_ratios(text, highs, lists), lists)
    if not highs:
        return text
    if str(_DAYS) in highs:
        text = pattern.sub(lambda match: amounts[match.group()], text)
    text = in_figures(text, lists)
    worse = all(prompt.context in _HIGHER_IS_WORSE for prompt in prompts)
    return one_of_neighbours(text) if worse else text


def _of_one_clause(text: str, lists: Lexicon) -> str | None:
    """Return the number that a clause is all about, if one only is: "rough day. about a 7"."""
    found, elsewhere = set[str](), False
    for clause in _CLAUSES.split(text):
        words = lists.spelling.mended(WORD.findall(NUMBER.sub(" ", clause)))
        rest = [word for word in words if word not in lists.number_words]
        numbers = [match.group() for match in NUMBER.finditer(clause)]
        numbers += [lists.number_words[word] for word in words if word in lists.number_words]
        if numbers and (words[:1] in _AT_A_TIME or any(word not in lists.fillers for word in rest)):
            elsewhere = True
        found.update(numbers)
    return found.pop() if len(found) == 1 and not elsewhere and "/" not in text else None


def _chosen(text: str, lists: Lexicon) -> str:
    """Keep the number meant of two: "3 not 8", "8 sorry I meant 3"."""
    return lists.corrects.sub(r"\2", lists.prefers.sub(r"\1", text))


def _scales(prompts: Sequence[OpenPrompt]) -> list[tuple[int, int]]:
    return [scale for prompt in prompts if (scale := scale_of(prompt.context))]


def _without_ratios(text: str, highs: set[str], lists: Lexicon) -> str:
    """Turn "7/10" into "7" on a scale that ends at 10; elsewhere both numbers stay candidates."""

    def reduced(match: re.Match[str]) -> str:
        low, high = (lists.number_words.get(each, each) for each in match.groups())
        return low if high in highs else f"{low} , {high}"

    return lists.ratio.sub(reduced, _SLASHED.sub(reduced, text)) if highs else text
