"""Phrases as the lexicon writes them, made into patterns that are fast enough for a webhook.

The notation is explained at the head of `lexicon/en.yaml`. Patterns run on folded text
(`wordtools.spoken`): a space before and after every word, a comma on its own between clauses.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from messages.errors import LexiconError
from messages.wordtools import trie_pattern

_TOKEN = re.compile(r"\(|\)\??|\||\.\.|[^\s()|]+")
_SET = re.compile(r"<(\w+)>")
# The beginning and the end of a clause take no letters.
_EDGES = {"^": "(?:(?<=, )|(?<=^ ))", "$": "(?=, |$)"}
_ENDS = frozenset({"|", ")", ")?"})
# So many pills at once are no usual dose.
# Readings that nobody should wait with: a pulse, a pressure, degrees of fever, a low blood sugar.
_KINDS = {
    "NUM": "[0-9]+",
    "MANY": "(?:[6-9]|[1-9][0-9]{1,2})",
    "ANY": "[^ ,]+",
    "FAST": "(?:1[4-9]|2[0-9])[0-9]",
    "HIGH": "(?:1[89]|2[0-9])[0-9]",
    "FEVER": "(?:10[3-9]|4[0-2])",
    "LOW": "[2-5][0-9]",
}
# More beginnings than these are looked for letter by letter, all at once.
_FEW = 4
# A gap stays within its clause, so that words of two sentences don't make a phrase.
_GAP = "(?:[^ ,]+ ){0,3}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A pattern, what it can begin with (three letters at most), and whether it can be absent."""

    pattern: str
    firsts: frozenset[str]
    optional: bool = False


def parse(phrase: str) -> Phrase:
    """Return one phrase as a pattern that ends after a space, or raise LexiconError."""
    tokens = _TOKEN.findall(phrase)[::-1]
    parsed = _choices(tokens, phrase)
    if tokens or parsed.optional or parsed.pattern.endswith(_GAP):
        raise LexiconError(f"The phrase {phrase!r} has a stray bracket, or can be empty.")
    return parsed


def spelled_out(phrase: str, sets: Mapping[str, str]) -> str:
    """Return a phrase with each `<name>` replaced by its words, or raise LexiconError."""

    def words(match: re.Match[str]) -> str:
        if match[1] not in sets:
            raise LexiconError(f"The phrase {phrase!r} names <{match[1]}>, which is no set.")
        return f"({spelled_out(sets[match[1]], sets)})"

    return _SET.sub(words, phrase)


def words_of(phrase: str) -> set[str]:
    """Return the words that a phrase names; those with an open ending keep their `*`."""
    tokens = {token.removesuffix("?") for token in _TOKEN.findall(phrase)}
    return {token for token in tokens if token.removesuffix("*").isalpha() and token not in _KINDS}


def any_of(phrases: Iterable[str]) -> str:
    """Return one pattern for all phrases.

    They are grouped by their first letter, then by their first three: at each word only the few
    that can begin there are tried, which makes a search many times faster than trying all in turn.
    One that can begin in several ways stands once, behind all of them: a copy for each beginning
    made patterns that took five seconds to compile.
    """
    by_start: dict[str, dict[str, list[str]]] = {}
    by_starts: dict[tuple[str, ...], list[str]] = {}
    for phrase in phrases:
        parsed = parse(phrase)
        starts = tuple(sorted(parsed.firsts))
        if len(starts) == 1:
            by_start.setdefault(starts[0][0], {}).setdefault(starts[0], []).append(parsed.pattern)
        else:
            by_starts.setdefault(starts, []).append(parsed.pattern)
    groups = [
        _ahead([letter], (_ahead([start], found) for start, found in sorted(group.items())))
        for letter, group in sorted(by_start.items())
    ]
    return "|".join(groups + [_ahead(starts, found) for starts, found in sorted(by_starts.items())])


def _ahead(starts: Sequence[str], patterns: Iterable[str]) -> str:
    first = "".join(sorted({re.escape(start[0]) for start in starts}))
    ahead = trie_pattern(starts) if len(starts) > _FEW else "|".join(map(re.escape, starts))
    quick = f"(?=[{first}])" if len(starts) > _FEW else ""
    return f"{quick}(?={ahead})(?:{'|'.join(dict.fromkeys(patterns))})"


def _choices(tokens: list[str], phrase: str) -> Phrase:
    choices = [_sequence(tokens, phrase)]
    while tokens and tokens[-1] == "|":
        tokens.pop()
        choices.append(_sequence(tokens, phrase))
    return Phrase(
        pattern="|".join(choice.pattern for choice in choices),
        firsts=frozenset().union(*(choice.firsts for choice in choices)),
        optional=any(choice.optional for choice in choices),
    )


def _sequence(tokens: list[str], phrase: str) -> Phrase:
    pattern, firsts, optional = "", frozenset[str](), True
    while tokens and tokens[-1] not in _ENDS:
        piece = _piece(tokens, phrase)
        pattern += piece.pattern
        if optional:
            firsts, optional = firsts | piece.firsts, piece.optional
    if not pattern:
        raise LexiconError(f"The phrase {phrase!r} has an empty choice.")
    return Phrase(pattern=pattern, firsts=firsts, optional=optional)


def _piece(tokens: list[str], phrase: str) -> Phrase:
    piece = tokens.pop()
    if piece == "..":
        return Phrase(pattern=_GAP, firsts=frozenset())
    if piece in _EDGES:
        return Phrase(pattern=_EDGES[piece], firsts=frozenset(), optional=True)
    if piece == "(":
        return _group(tokens, phrase)
    optional = piece.endswith("?")
    word = _word(piece.removesuffix("?"))
    firsts = _starts_of(piece.removesuffix("?"))
    return Phrase(
        pattern=f"(?:{word} )?" if optional else f"{word} ", firsts=firsts, optional=optional
    )


def _starts_of(word: str) -> frozenset[str]:
    if word in _KINDS:
        return frozenset("0123456789")
    return frozenset({word[:-1][:3] if word.endswith("*") else f"{word} "[:3]})


def _group(tokens: list[str], phrase: str) -> Phrase:
    inner = _choices(tokens, phrase)
    if not tokens:
        raise LexiconError(f"The phrase {phrase!r} has a bracket that does not close.")
    maybe = tokens.pop()[1:]
    return Phrase(
        pattern=f"(?:{inner.pattern}){maybe}",
        firsts=inner.firsts,
        optional=inner.optional or bool(maybe),
    )


def _word(word: str) -> str:
    if word in _KINDS:
        return _KINDS[word]
    return re.escape(word[:-1]) + "[^ ,]*" if word.endswith("*") else re.escape(word)
