"""The numbers of a sentence, and which one the lists point at: "its a nine, my sister called at 4".

    folded text -> words in figures -> neighbours ("8 maybe 9") as one -> the number pointed at

A number is pointed at where it opens the text or where words announce it ("I'm at a"), unless it is
an amount of something, and where a clause says nothing else. What was so yesterday or before is not
what was asked about. Whether it is the answer, `messages.pointing` says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from messages.lexicon import A_HALF, Lexicon

# A number as people type it, with a sign, a decimal part or a "+"; part of a time, a date, a word
# or an amount of money it is none.
NUMBER = re.compile(
    r"(?<![\w.,:/$#])(?:(?<![\w)] )[-\u2212])?\d{1,6}(?:[.,]\d+)?\+?(?![\w:/%]|[.,]\d)"
)
WORD = re.compile(r"[^\W\d_]+")
# Words for one are mostly no number: "one more thing", "uno nunca sabe".
_WEAK = frozenset({"1"})
# What stands between the two ends of a range: "8 or 9", "8, maybe a 9", "8 o tal vez 9".
_BETWEEN = r"\s*(?:-|\u2013|or|o|u|to|a|y|and)\s*"
_PERHAPS = (
    r"(?:\s*[,;.]+)?\s+(?:(?:or|o|u)\s+)?"
    r"(?:maybe|tal\s?ve[zs]|quiza[sz]?|a lo mejor)"
    r"(?:\s+even|\s+hasta)?\s+"
)
_EITHER = re.compile(
    rf"(?<![\w.,:/$#])(\d{{1,2}})(?:{_BETWEEN}|{_PERHAPS})(?:an?\s|un\s)?(\d{{1,2}})"
    r"(?![\w:/%]|[.,]\d)"
)
# "Negative 5" opens a clause; "mas o menos 5" is five, and "menos 4 que ayer" is four.
_NEGATIVE = re.compile(
    r"(^|[,;.!?]\s*)(?:(?:minus|negative)\s(?=\d)|menos\s(?=\d+(?:\.\d+)?\W*(?:$|(?:ja)+\b)))"
)
_HALF = re.compile(rf"(?<![\w.,:/$#])(\d{{1,2}}) {A_HALF}\b")
_QUARTERS = re.compile(
    r"(?<![\w.,:/$#])(\d{1,2}) (?:and|n|y) (?:an? |un |1 |(3) )?(?:quarters?|cuartos?)\b"
)
_POINT = re.compile(r"(?<![\w.,:/$#])(\d{1,2}) (?:point|punto|coma) (\d)\b")
# A number, or a word that may be one, with a half behind it: "6 1/2", "tres y 1/2".
_AND_A_HALF = re.compile(r"\b(\w+)\s+(?:(?:and|y|n|&)\s+)?1\s?/\s?2(?![\d/])")
# "Not a 3 like before, a 9" says which number is none.
_DENIED = re.compile(r"\b(?:not|not an?|no un)\s$")
_WINDOW = 4
_CLAUSES = re.compile(r"[,;!?\n]+|\.+(?!\d)")
# "See you, at 3" tells a time.
_AT_A_TIME = (["at"], ["by"], ["a"], ["on"], ["around"], ["til"], ["until"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A number that may be the answer; `now`: words say that it is today's."""

    value: str
    now: bool


def with_tens(text: str, lists: Lexicon) -> str:
    """Return a text in which "forty five" is 45: by itself each of the two would be an answer.

    No part of "a hundred and thirty", or of "40 percent", is one either, nor is "a rough one". Of
    "6 1/2" the half is said in words, as it is a number of its own in figures.
    """
    words = lists.number_words

    def half(match: re.Match[str]) -> str:
        number = match[1].isdigit() or match[1] in words
        return f"{match[1]} and half" if number else match.group()

    text = lists.pronouns.sub(" ", text)
    if "/" in text:
        text = _AND_A_HALF.sub(half, text)
    whole = lists.tens_and_ones.sub(
        lambda both: str(int(words[both[1]]) + int(words.get(both[2], "1"))), text
    )
    return lists.hundreds.sub(" / ", whole)


def in_figures(text: str, lists: Lexicon) -> str:
    """Return a text whose words for numbers are figures; a word for one only where it answers."""

    def figure(match: re.Match[str]) -> str:
        number = lists.number_words.get(match.group())
        if number is None or (number in _WEAK and not _stands_out(match, lists)):
            return match.group()
        return number

    figures = _HALF.sub(r"\1.5", WORD.sub(figure, text))
    figures = _QUARTERS.sub(lambda found: f"{found[1]}.{75 if found[2] else 25}", figures)
    return _NEGATIVE.sub(r"\1-", _POINT.sub(r"\1.\2", figures))


def _stands_out(match: re.Match[str], lists: Lexicon) -> bool:
    unit = _unit(match)
    plain = not unit or unit in lists.fillers or unit in lists.days
    return _is_cued(match.string[: match.start()], lists) or (plain and _opens(match, lists))


def one_of_neighbours(text: str) -> str:
    """Return a text in which "8 or 9" and "8 maybe 9" are 9: of neighbours the higher counts."""

    def higher(match: re.Match[str]) -> str:
        low, high = int(match[1]), int(match[2])
        return str(high) if high - low == 1 else match.group()

    return _EITHER.sub(higher, text)


def pointed_at(text: str, lists: Lexicon, *, of_days: bool) -> str | None:
    """Return the one number that answers, or None where none or several could.

    `of_days`: the scale counts days, so that a number of days is the answer and no amount.
    """
    found = [
        _Candidate(value=match.group(), now=_when(text[: match.start()], lists) is _When.NOW)
        for match in NUMBER.finditer(text)
        if _answers(match, lists, of_days=of_days)
    ]
    current = [each for each in found if each.now] or found
    values = {each.value for each in current}
    return values.pop() if len(values) == 1 else None


def of_one_clause(text: str, lists: Lexicon) -> str | None:
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


def _answers(match: re.Match[str], lists: Lexicon, *, of_days: bool) -> bool:
    before = match.string[: match.start()]
    when = _when(before, lists)
    if _DENIED.search(before) or when is _When.BEFORE or _is_amount(match, lists, of_days=of_days):
        return False
    counts = of_days and _unit(match) in lists.days
    told_now = when is _When.NOW and WORD.findall(before)[-1] in lists.present
    return counts or told_now or _is_cued(before, lists) or _opens(match, lists)


class _When(Enum):
    NOW, BEFORE = auto(), auto()


def _when(before: str, lists: Lexicon) -> _When | None:
    """Return what the last word of time says that stands shortly before, within the clause.

    "Yesterday 8 today 5": of two such words the nearer one speaks of the number.
    """
    for word in reversed(_of_last_clause(before)[-_WINDOW:]):
        if word in lists.present:
            return _When.NOW
        if word in lists.past:
            return _When.BEFORE
    return None


def _of_last_clause(text: str) -> list[str]:
    return WORD.findall(re.split(r"[,;!?\n.]", text)[-1])


def _opens(match: re.Match[str], lists: Lexicon) -> bool:
    """Say whether nothing but fillers stands before a number."""
    return all(word in lists.fillers for word in WORD.findall(match.string[: match.start()]))


def _is_cued(before: str, lists: Lexicon) -> bool:
    """Say whether words announce the number: "I'm at a 7 because of work"."""
    return " ".join(WORD.findall(before)).endswith(lists.cues)


def _unit(match: re.Match[str]) -> str:
    following = WORD.match(match.string, match.end() + 1)
    return following.group() if following else ""


def taken_back(text: str, number: str, lists: Lexicon) -> bool:
    """Say whether somebody takes a number back and says another one: "3, no, wait, 4".

    A person has to ask which one holds: who is in doubt says more than one.
    """
    found = list(NUMBER.finditer(text))
    return any(
        one.group() == number and _doubts(WORD.findall(text, one.end(), other.start()), lists)
        for one, other in pairwise(found)
    )


def _doubts(between: Sequence[str], lists: Lexicon) -> bool:
    """Say whether words between two numbers take the first one back."""
    plain = all(word in lists.takes_back or word in lists.fillers for word in between)
    # "6 and no drinks in 3 days" takes nothing back.
    return any(
        word in lists.takes_back and (plain or (word != "no" and at < 2))
        for at, word in enumerate(between)
    )


def counts_else(match: re.Match[str], lists: Lexicon, *, of_days: bool) -> bool:
    """Say whether words around a number rule out that it answers, whatever else speaks for it.

    It counts what the word after it names ("3 pills", and not "3 days" there), it is denied, wished
    for or yesterday's ("wish i was at a 2"), or somebody took so many. `of_days`: the scale counts
    days.
    """
    before = "".join(f" {word}" for word in _of_last_clause(match.string[: match.start()]))
    taken = not of_days and before.endswith(lists.amounts_used)
    # "8 yesterday, 4 today": of several the one of today is meant.
    over = _unit(match) in lists.yesterday and len(NUMBER.findall(match.string)) > 1
    return (
        taken
        or over
        or before.endswith(lists.no_answers)
        or _is_amount(match, lists, of_days=of_days)
    )


def _is_amount(match: re.Match[str], lists: Lexicon, *, of_days: bool) -> bool:
    unit = _unit(match)
    return unit in lists.units and not (of_days and unit in lists.days)
