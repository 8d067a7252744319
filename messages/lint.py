"""Reads a rendered text as a stranger would: what in it gives the patient away, or misfires.

It runs on what is really sent, names and links filled in, since a clinic's name or a link can
leak more than the wording. Word lists are data under `lexicon/`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from messages import datafiles, segments
from messages.wordtools import base_language, fold_accents, trie_pattern


class FindingKind(StrEnum):
    """Why a word may not stand in a text."""

    privacy = "privacy"
    promotional = "promotional"
    reserved_keyword = "reserved_keyword"
    shortener = "shortener"
    not_gsm = "not_gsm"


_MEND = {
    FindingKind.privacy: "It can tell others what the visits are for; say it neutrally.",
    FindingKind.promotional: "It makes a reminder count as advertising; take it out.",
    FindingKind.reserved_keyword: "Carriers act on this word by themselves; ask for C, R, Y or N.",
    FindingKind.shortener: "Carriers filter texts with public short links; use the clinic's own.",
    FindingKind.not_gsm: "This letter halves the length of a text; write it without.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One word as written, where it stands (letters from the start) and what is wrong with it."""

    kind: FindingKind
    word: str
    position: int

    @property
    def rule(self) -> str:
        """The rule's name without the word, fit for logs and reasons."""
        return self.kind.value

    @property
    def mend(self) -> str:
        return _MEND[self.kind]

    def __str__(self) -> str:
        return f"{self.word!r} at letter {self.position + 1}: {self.mend}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    words: re.Pattern[str]
    shouted: re.Pattern[str]
    #: A digit; what a list looks for with its digit is the first group.
    digits: re.Pattern[str]
    allowed: dict[str, frozenset[str]]


_WORD_END = "(?![a-z0-9])"
_DIGIT = re.compile("[0-9]")


def _phrases(words: Iterable[str], *, ending: str = "") -> str:
    """Return a pattern for listed words whose spaces may be written otherwise ("part-2")."""
    return trie_pattern(words, ending=ending).replace(r"\ ", r"[\s-]+")


_LISTS = "privacy_"


@cache
def _rules(language: str) -> _Rules:
    common = datafiles.load("lexicon/lint.yaml")
    lists = datafiles.load(f"lexicon/{_LISTS}{language}.yaml")
    # Whoever reads a lock screen may read either language, whichever the patient's texts are in.
    every = [
        datafiles.load(f"lexicon/{_LISTS}{each}.yaml")
        for each in datafiles.stems("lexicon", prefix=_LISTS)
    ]
    anywhere, innocent, words = (
        [word for each in every for word in each.get(name, ())]
        for name in ("anywhere", "innocent", "words")
    )
    words += lists.get("words_here", ())
    reserved = "|".join(common["reserved"])
    inviting = trie_pattern(common["inviting"])
    # One check for a word's start serves all whole-word lists: apart they cost twice the time.
    whole = (
        f"(?P<privacy_word>{_phrases(words, ending=_WORD_END)})",
        f"(?P<promotional>{_phrases(lists['promotional'], ending=_WORD_END)})",
        f"(?P<shortener>{trie_pattern(common['shorteners'], ending=_WORD_END)})",
        rf"{inviting}(?: with| con)?[ \"':]+(?P<reserved>{reserved}){_WORD_END}",
    )
    parts = f"(?P<innocent>{trie_pattern(innocent)})|(?P<privacy>{trie_pattern(anywhere)})"
    telling = [word for word in words if _DIGIT.search(word)]
    return _Rules(
        words=re.compile(f"{parts}|(?<![a-z0-9])(?:{'|'.join(whole)})"),
        shouted=re.compile(rf"\b(?:{trie_pattern(common['reserved']).upper()})\b"),
        digits=re.compile(f"({_phrases(telling, ending=_WORD_END)})|[0-9]", re.IGNORECASE),
        allowed={key: frozenset(words) for key, words in common["allowed"].items()},
    )


_KINDS = {
    "privacy": FindingKind.privacy,
    "privacy_word": FindingKind.privacy,
    "promotional": FindingKind.promotional,
    "reserved": FindingKind.reserved_keyword,
    "shortener": FindingKind.shortener,
}


def _language(language: str) -> str:
    base = base_language(language)
    return base if base in datafiles.stems("lexicon", prefix=_LISTS) else "en"


_known_language = cache(_language)


def without_digits(text: str, *, language: str) -> str:
    """Return a text with 0 for each digit that the lint does not look at; it says the same of both.

    The texts of a burst differ in dates and times only, so that one can stand for all of them.
    """
    return _rules(_known_language(language)).digits.sub(lambda found: found[1] or "0", text)


def lint(text: str, *, language: str, template_key: str | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with a rendered text, in the order it stands; nothing means fit to send.

    What gives a patient away is looked for in every language, since staff write in either; what
    `language` holds for innocent in another one, and advertising, only in texts of that language.
    `template_key` names the template whose allowances apply (the overdose reply says "naloxone").
    """
    rules = _rules(_known_language(language))
    folded = fold_accents(text)
    found = [
        Finding(kind=_KINDS[name], word=text[slice(*match.span(name))], position=match.start(name))
        for match in rules.words.finditer(folded)
        if (name := match.lastgroup) in _KINDS
    ]
    found += _shouted(rules, text, found) + _outside(text)
    allowed = rules.allowed.get(template_key or "", frozenset())
    return tuple(
        finding
        for finding in sorted(found, key=lambda finding: finding.position)
        if not _is_allowed(finding, folded, allowed)
    )


#: Where capitals divide a name that is written as one word: Clean|Life, NY|Drug.
_CAPITALS = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\W\d_A-Z])")


def lint_name(text: str, *, language: str) -> tuple[Finding, ...]:
    """Return what is wrong with a name, a place or a link: words written as one are read apart.

    Of a link only the host is: what follows may be letters at random.
    """
    _, address, rest = text.partition("://")
    name = rest.partition("/")[0] if address else text
    found, at = list(lint(text, language=language)), text.index(name)
    for part in _CAPITALS.split(name):
        found += [
            replace(finding, position=finding.position + at)
            for finding in lint(part, language=language)
        ]
        at += len(part)
    # A place has one finding: the whole word's, where both ways of reading find something.
    first = {finding.position: finding for finding in reversed(found)}
    return tuple(first[place] for place in sorted(first))


def _is_allowed(finding: Finding, folded: str, allowed: frozenset[str]) -> bool:
    """Say whether the template may use the whole word that the finding is part of."""
    return any(folded.startswith(word, finding.position) for word in allowed)


def _shouted(rules: _Rules, text: str, found: list[Finding]) -> list[Finding]:
    """A reserved word in capitals reads as something to send, whatever stands before it."""
    taken = {finding.position for finding in found}
    return [
        Finding(kind=FindingKind.reserved_keyword, word=match.group(), position=match.start())
        for match in rules.shouted.finditer(text)
        if match.start() not in taken
    ]


def _outside(text: str) -> list[Finding]:
    letter = segments.outside_gsm(text)
    if letter is None:
        return []
    return [Finding(kind=FindingKind.not_gsm, word=letter, position=text.index(letter))]
