"""Numbers as answers: one clear number on the scale that was asked, never rounded or clamped."""

import re
from collections.abc import Sequence

from messages.binding import choose, lies_on, numeric, plain, scale_of
from messages.lexicon import Lexicon
from messages.numbers import (
    NUMBER,
    WORD,
    in_figures,
    one_of_neighbours,
    taken_back,
    with_tens,
)
from messages.pointing import DAYS, answering
from messages.reading import Heard, Hint, Hit, Intent, OpenPrompt, Severity

# "n/m" and "n out of m" are looked at first.
_SLASHED = re.compile(r"(?<![\w.,:/-])(\d{1,3}(?:[.,]\d{1,2})?)\s?/\s?(\d{1,3})(?![\w:/]|[.,]\d)")
_TIME_OF_DAY = re.compile(r"\b\d{1,2}(?::\d\d)?\s?[ap]\.?\s?m\b")
# "Home sept 3" and "el 3 de enero" tell a day.
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|march|april|may|june|july|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_MESES = (
    "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre"
    "|diciembre"
)
_DATE = re.compile(
    rf"\b(?:{_MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?!\s?/)|\b\d{{1,2}} de (?:{_MESES})\b"
)
_ASKED = re.compile(r"[^.!?\n]*\?")
_WORDS = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_NEARLY = re.compile(r"(?<=\d)\s?-?ish\b")

# "Ill be in at 8" is no late answer to a scale.
_MOST_WORDS_UNASKED = 3
# How strong, and how many a day: none at all is their 0.
_CRAVING, _COUNT = "craving_scale", "scale:0-60"
_AFTER_A_DOSE = "side_effect_check"
# A scale that ends here is answered in stars as well: "4 stars".
_STARS = "5"
_NONE_OF = {_CRAVING: "nothing", _COUNT: "none_counted"}
# "Smoked at 4" tells a time, and "more than 10" or "10-15" no one number.
_NO_COUNT = re.compile(r"\d\s*[-/]\s*\d|\bat \d|\ba las? \d|\b(?:than|over|mas de|menos de)\b")
_HIGHER_IS_WORSE = frozenset({_CRAVING, _AFTER_A_DOSE, "scale:0-3"})
_EMERGENCY_NUMBERS = frozenset({"911", "988"})


def score(heard: Heard) -> Hit | None:
    """Read a number. Without a numeric prompt only a bare number counts, and binds to nothing."""
    if told := in_its_words(heard):
        return told
    if not _has_number(heard) or _EMERGENCY_NUMBERS & set(heard.compacts):
        return None
    prompts = numeric(heard.prompts)
    text = written(heard, prompts)
    return _on_a_scale(heard, text, prompts) if prompts else _unasked(heard, text)


def _unasked(heard: Heard, text: str) -> Hit | None:
    alone = set(all_it_says(text, heard.words))
    few = len(heard.flat.words) <= (1 if heard.prompts else _MOST_WORDS_UNASKED)
    amount = any(word in heard.words.units for word in heard.flat.words)
    return _single(alone.pop(), ()) if few and not amount and len(alone) == 1 else None


def _on_a_scale(heard: Heard, text: str, prompts: Sequence[OpenPrompt]) -> Hit | None:
    alone = all_it_says(text, heard.words)
    if len(set(alone)) == 1:
        return _single(alone[0], prompts)
    if alone and (not WORD.search(text) or one_of_neighbours(text) != text):
        # Nothing says which of two, or which end of "7 or 8" where higher is not known to be worse.
        return _two_numbers()
    chosen = answering(text, [prompt.context for prompt in prompts], heard.words)
    if chosen and not taken_back(text, chosen, heard.words):
        return _with_words(_single(chosen, prompts))
    return _two_numbers() if chosen or alone else None


def given(number: str, heard: Heard) -> Hit:
    """Return this number as the answer to what is asked, for words that stand for it."""
    return _single(number, numeric(heard.prompts))


def in_its_words(heard: Heard) -> Hit | None:
    """Read a text that says nothing but an answer in the words of the one question open."""
    return _none_at_all(heard) or _counted(heard) or _beyond(heard)


def _none_at_all(heard: Heard) -> Hit | None:
    """Read "none today" as the 0 that the question words so ("from 0 (none) to 10").

    Only where nothing else was asked that "none" might answer.
    """
    contexts = {prompt.context for prompt in heard.prompts}
    group = _NONE_OF.get(contexts.pop()) if len(contexts) == 1 else None
    if group is None or heard.asks or not heard.whole(group):
        return None
    return _single("0", heard.prompts)


def _counted(heard: Heard) -> Hit | None:
    """Read "smoked 4", "5 cigs", "half a pack" where that was asked: no lapse to be told of.

    Only a text that says nothing else. What such a number asks for, the protocol says.
    """
    asked = {prompt.context for prompt in heard.prompts} == {_COUNT} and not heard.asks
    if not asked or _NO_COUNT.search(heard.folded):
        return None
    lists = heard.words
    text = _dozens(_packs(with_tens(lists.counted.sub(" ", heard.folded), lists), lists), lists)
    text = in_figures(_chosen(text, lists), lists)
    found = set(all_it_says(one_of_neighbours(text), lists))
    return _single(found.pop(), heard.prompts) if len(found) == 1 else None


def _beyond(heard: Heard) -> Hit | None:
    """Read "a thousand" as the answer that it is: more than the scale has.

    After a dose "a hundred percent" says how well somebody is.
    """
    prompts = [each for each in numeric(heard.prompts) if each.context != _AFTER_A_DOSE]
    said = (heard.words.beyond.get(" ".join(core.words)) for core in heard.cores)
    number = next((each for each in said if each is not None), None)
    return _single(number, prompts) if number and prompts and not heard.asks else None


def _has_number(heard: Heard) -> bool:
    lists, said = heard.words, heard.folded
    worded = any(pattern.search(said) for pattern, _ in (lists.amounts, lists.dozens))
    return (
        bool(_DIGIT.search(said))
        or worded
        or any(word in lists.number_words for each in heard.variants for word in each.words)
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
    number = plain(number) or number
    fitting = [prompt for prompt in prompts if lies_on(prompt.context, number)]
    if fitting or (not prompts and plain(number)):
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


def all_it_says(text: str, lists: Lexicon) -> tuple[str, ...]:
    """Return the numbers of a text that says nothing else; none where it says more."""
    words = lists.spelling.mended(WORD.findall(NUMBER.sub(" ", text)))
    spelled = [lists.number_words[word] for word in words if word in lists.number_words]
    rest = (word for word in words if word not in lists.number_words)
    if "/" in text or not all(word in lists.fillers for word in rest):
        return ()
    return (*(match.group() for match in NUMBER.finditer(text)), *spelled)


def _told(heard: Heard) -> str:
    """Return a text without its questions: in "is 10 good or bad?" nobody says a number."""

    def left(match: re.Match[str]) -> str:
        words = heard.flat.part(tuple(_WORDS.findall(match.group())))
        return " " if heard.words["question"].opens(words) else match.group()

    return _ASKED.sub(left, heard.folded) if heard.asks else heard.folded


def written(heard: Heard, prompts: Sequence[OpenPrompt]) -> str:
    """Return a text with its numbers in figures, and of two the one that was meant.

    Of a range the higher one counts only where higher is known to be worse.
    """
    lists, highs = heard.words, {str(high) for _, high in _scales(prompts)}
    pattern, amounts = lists.amounts
    dated = _DATE.sub(" / ", with_tens(_told(heard), lists))
    text = _NEARLY.sub("", _TIME_OF_DAY.sub(" / ", dated))
    text = _chosen(_without_ratios(text, highs, lists), lists)
    if not highs:
        return text
    if highs == {_STARS} and all_it_says(stars := lists.rated.sub(" ", text), lists):
        return in_figures(stars, lists)
    if any(prompt.context == _COUNT for prompt in prompts):
        text = _dozens(text, lists)
    if str(DAYS) in highs:
        text = pattern.sub(lambda match: amounts[match.group()], text)
    text = in_figures(text, lists)
    worse = all(prompt.context in _HIGHER_IS_WORSE for prompt in prompts)
    return one_of_neighbours(text) if worse else text


def _dozens(text: str, lists: Lexicon) -> str:
    pattern, number_of = lists.dozens
    return pattern.sub(lambda match: number_of[match.group()], text)


def _packs(text: str, lists: Lexicon) -> str:
    """Put numbers for packs, of twenty each: a text that says nothing else counts by them."""
    pattern, number_of = lists.packs
    return pattern.sub(lambda match: number_of[match.group()], text)


def _chosen(text: str, lists: Lexicon) -> str:
    """Keep the number meant of two: "3 not 8", "8 sorry I meant 3"."""
    return lists.corrects.sub(_meant, lists.prefers.sub(r"\1", text))


def _meant(corrected: re.Match[str]) -> str:
    """Return the number that is meant; where it went is announced by a word for that."""
    meant, moved_to, instead = corrected.groups()
    return f"down to {moved_to}" if moved_to else meant or instead


def _scales(prompts: Sequence[OpenPrompt]) -> list[tuple[int, int]]:
    return [scale for prompt in prompts if (scale := scale_of(prompt.context))]


def _without_ratios(text: str, highs: set[str], lists: Lexicon) -> str:
    """Turn "7/10" into "7" on a scale that ends at 10; elsewhere both numbers stay candidates."""

    def reduced(match: re.Match[str]) -> str:
        low, high = (lists.number_words.get(each, each) for each in match.groups())
        return low if high in highs else f"{low} , {high}"

    return lists.ratio.sub(reduced, _SLASHED.sub(reduced, text)) if highs else text
