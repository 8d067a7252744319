"""Phrases as the lexicon writes them, made into patterns that are fast enough for a webhook.

The notation is explained at the head of `lexicon/en.yaml`. Patterns run on folded text
(`wordtools.spoken`): a space before and after every word, a comma on its own between clauses.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from messages.errors import LexiconError

_TOKEN = re.compile(r"\(|\)\??|\||\.\.|[^\s()|]+")
_ENDS = frozenset({"|", ")", ")?"})
# A gap stays within its clause, so that words of two sentences don't make a phrase.
_GAP = "(?:[^ ,]+ ){0,3}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A pattern, the letters it can begin with, and whether it can be absent."""

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


def any_of(phrases: Iterable[str]) -> str:
    """Return one pattern for all phrases.

    They are grouped by first letter: at each word only the few that can begin there are tried,
    which makes a search several times faster than trying all in turn.
    """
    by_letter: dict[str, list[str]] = {}
    for phrase in phrases:
        parsed = parse(phrase)
        for letter in sorted(parsed.firsts):
            by_letter.setdefault(letter, []).append(parsed.pattern)
    return "|".join(
        f"(?={re.escape(letter)})(?:{'|'.join(dict.fromkeys(patterns))})"
        for letter, patterns in sorted(by_letter.items())
    )


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
    if piece == "(":
        return _group(tokens, phrase)
    optional = piece.endswith("?")
    word = _word(piece.removesuffix("?"))
    firsts = frozenset("0123456789") if piece == "NUM" else frozenset(piece[0])
    return Phrase(
        pattern=f"(?:{word} )?" if optional else f"{word} ", firsts=firsts, optional=optional
    )


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
    if word == "NUM":
        return "[0-9]+"
    return re.escape(word[:-1]) + "[^ ,]*" if word.endswith("*") else re.escape(word)
