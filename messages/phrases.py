"""Phrases as the lexicon writes them, and where in a text each of them stands.

    "(lost|losing) (my)? sight"  ->  pieces, each of which knows where it can end after a word

The notation is explained at the head of `lexicon/en.yaml`. A text is a sequence of words
(`wordtools.spoken`): small letters, a comma on its own between clauses, and `END` after the last.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, Protocol

from messages.errors import LexiconError

#: What stands behind the last word of a text, and is a word of no phrase.
END = ""
#: Stands for a word of an everyday phrase that was taken out: no phrase reaches over it.
TAKEN_OUT = ",,"

_TOKEN = re.compile(r"\(|\)\??|\||\.\.|<\w+>\??|[^\s()|<]+")
_ENDS = frozenset({"|", ")", ")?"})
# Numbers by what they can be: any; so many pills at once as are no usual dose; a year long past;
# and readings nobody should wait with: a pulse, a pressure, degrees of fever, a low blood sugar.
_KINDS = {
    "NUM": re.compile("[0-9]+"),
    "MANY": re.compile("[6-9]|[1-9][0-9]{1,2}"),
    "YEAR": re.compile("19[4-9][0-9]|20[01][0-9]"),
    "ANY": re.compile("[^ ,]+"),
    "FAST": re.compile("(?:1[4-9]|2[0-9])[0-9]"),
    "HIGH": re.compile("(?:1[89]|2[0-9])[0-9]"),
    "FEVER": re.compile("10[3-9]|4[0-2]"),
    "LOW": re.compile("[2-5][0-9]"),
}
# A gap holds so many words at most.
_WIDEST = 3

Words = Sequence[str]


def kinds_of(word: str) -> Iterator[str]:
    """Yield the kinds that a word is one of: "190" is a NUM, MANY, FAST and HIGH."""
    return (kind for kind, pattern in _KINDS.items() if pattern.fullmatch(word))


class Anchor(NamedTuple):
    """Words of which one must stand in a text for a phrase to stand in it.

    A word is named as in the notation: as it is, with a `*` for any ending, or as a kind.
    Between `least` and `most` words of the phrase stand before it.
    """

    names: frozenset[str]
    least: int = 0
    most: int = 0

    def behind(self, least: int, most: int) -> "Anchor":
        """Return this anchor with so many more words before it."""
        return Anchor(self.names, self.least + least, self.most + most)


class Rarity:
    """Tells rare words by how few phrases name them, and picks anchors by that."""

    def __init__(self, naming: Mapping[str, int]) -> None:
        self._naming = naming
        self._rarest: dict[int, Anchor | None] = {}

    def cost(self, anchor: Anchor) -> int:
        """Return how often an anchor is to be expected, times the places where to try then."""
        named = sum([self._naming.get(name, 0) for name in anchor.names])
        return named * (1 + anchor.most - anchor.least)

    def rarest(self, piece: "Piece") -> Anchor | None:
        """Return a piece's rarest anchor; the named sets are in many phrases and weighed once."""
        if isinstance(piece, Word):
            return piece.anchor
        if id(piece) not in self._rarest:
            self._rarest[id(piece)] = self.rarest_of(piece.anchors(self))
        return self._rarest[id(piece)]

    def rarest_of(self, anchors: Sequence[Anchor]) -> Anchor | None:
        """Return the rarest of a few anchors, the first of equals."""
        if len(anchors) > 1 and self._naming:
            return min(anchors, key=self.cost)
        return anchors[0] if anchors else None


class Piece(Protocol):
    """A phrase or a part of one; it is between `least` and `most` words long."""

    @property
    def least(self) -> int: ...
    @property
    def most(self) -> int: ...

    def ends(self, said: Words, at: int) -> Sequence[int]:
        """Return the places before which it can end if it begins at `at`, preferred ones first."""

    def anchors(self, rarity: Rarity) -> Sequence[Anchor]:
        """Return its anchors: the rarest of each piece that it can't do without."""

    def firsts(self) -> frozenset[str] | None:
        """Return the words of which one stands where it begins; None if that can be any."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word: any of `whole`, of those with one of these `beginnings`, or of these `kinds`."""

    anchor: Anchor
    whole: frozenset[str]
    beginnings: tuple[str, ...]
    kinds: frozenset[str]
    least = most = 1

    def ends(self, said: Words, at: int) -> Sequence[int]:
        word = said[at]
        fits = word in self.whole or (self.beginnings and word.startswith(self.beginnings))
        if fits or (self.kinds and not self.kinds.isdisjoint(kinds_of(word))):
            return (at + 1,)
        return ()

    def anchors(self, rarity: Rarity) -> Sequence[Anchor]:
        del rarity
        return (self.anchor,)

    def firsts(self) -> frozenset[str] | None:
        return None if self.beginnings or self.kinds else self.whole


@dataclass(frozen=True, slots=True)
class Gap:
    """Up to three words, none of them of another clause: `..`."""

    least, most = 0, _WIDEST

    def ends(self, said: Words, at: int) -> Sequence[int]:
        last = at
        while last < at + _WIDEST and said[last].isalnum():
            last += 1
        return range(last, at - 1, -1)

    def anchors(self, rarity: Rarity) -> Sequence[Anchor]:
        del rarity
        return ()

    def firsts(self) -> frozenset[str] | None:
        return None


@dataclass(frozen=True, slots=True)
class Edge:
    """The beginning (`^`) or the end (`$`) of a clause, which take no words."""

    begins: bool
    least = most = 0

    def ends(self, said: Words, at: int) -> Sequence[int]:
        if self.begins:
            return (at,) if at == 0 or said[at - 1] in {",", TAKEN_OUT} else ()
        return (at,) if said[at] in {",", END} else ()

    def anchors(self, rarity: Rarity) -> Sequence[Anchor]:
        del rarity
        return ()

    def firsts(self) -> frozenset[str] | None:
        return frozenset()


@dataclass(frozen=True, slots=True)
class Maybe:
    """What may be absent: `word?` and `(a|b)?`."""

    piece: Piece
    most: int
    least = 0

    def ends(self, said: Words, at: int) -> Sequence[int]:
        return (*self.piece.ends(said, at), at)

    def anchors(self, rarity: Rarity) -> Sequence[Anchor]:
        del rarity
        return ()

    def firsts(self) -> frozenset[str] | None:
        return self.piece.firsts()


@dataclass(frozen=True, slots=True)
class Chain:
    """One piece after the other."""

    pieces: tuple[Piece, ...]
    least: int
    most: int

    def ends(self, said: Words, at: int) -> Sequence[int]:
        found: Sequence[int] = (at,)
        for piece in self.pieces:
            if len(found) == 1:
                found = piece.ends(said, found[0])
            else:
                found = list(dict.fromkeys(end for here in found for end in piece.ends(said, here)))
            if not found:
                break
        return found

    def anchors(self, rarity: Rarity) -> Sequence[Anchor]:
        found, least, most = list[Anchor](), 0, 0
        for piece in self.pieces:
            rarest = rarity.rarest(piece)
            if rarest is not None:
                found.append(rarest.behind(least, most))
            least, most = least + piece.least, most + piece.most
        return found

    def firsts(self) -> frozenset[str] | None:
        found = frozenset[str]()
        for piece in self.pieces:
            firsts = piece.firsts()
            if firsts is None:
                return None
            found |= firsts
            if piece.least:
                break
        return found


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several pieces: `(a|b c)`.

    `opening` are those that can begin with a word, `anyhow` those that can begin with any.
    """

    pieces: tuple[Piece, ...]
    opening: Mapping[str, tuple[Piece, ...]]
    anyhow: tuple[Piece, ...]
    least: int
    most: int

    def ends(self, said: Words, at: int) -> Sequence[int]:
        pieces = self.opening.get(said[at], self.anyhow)
        if not pieces:
            return ()
        if len(pieces) == 1:
            return pieces[0].ends(said, at)
        return list(dict.fromkeys(end for piece in pieces for end in piece.ends(said, at)))

    def anchors(self, rarity: Rarity) -> Sequence[Anchor]:
        found = [rarity.rarest(piece) for piece in self.pieces]
        each = [anchor for anchor in found if anchor is not None]
        if len(each) < len(found):
            return ()
        names = frozenset().union(*(anchor.names for anchor in each))
        least, most = min(anchor.least for anchor in each), max(anchor.most for anchor in each)
        return (Anchor(names, least, most),)

    def firsts(self) -> frozenset[str] | None:
        return None if self.anyhow else frozenset(self.opening)


def chain(pieces: Sequence[Piece]) -> Piece:
    """Return pieces one after the other as one piece."""
    if len(pieces) == 1:
        return pieces[0]
    least, most = sum([each.least for each in pieces]), sum([each.most for each in pieces])
    return Chain(tuple(pieces), least, most)


def choice(pieces: Iterable[Piece]) -> Piece:
    """Return the choice between pieces as one piece; single words side by side become one."""
    all_pieces = list(pieces)
    if len(all_pieces) == 1:
        return all_pieces[0]
    joined = list[Piece]()
    for single, side_by_side in groupby(all_pieces, key=lambda piece: isinstance(piece, Word)):
        group = list(side_by_side)
        joined += [_one_of(group)] if single else group
    if len(joined) == 1:
        return joined[0]
    # What can be empty begins with anything.
    firsts = [piece.firsts() if piece.least else None for piece in joined]
    opening = {name: list[Piece]() for each in firsts if each is not None for name in each}
    for piece, names in zip(joined, firsts, strict=True):
        for name in opening if names is None else names:
            opening[name].append(piece)
    return Choice(
        pieces=tuple(joined),
        opening={name: tuple(each) for name, each in opening.items()},
        anyhow=tuple(piece for piece, names in zip(joined, firsts, strict=True) if names is None),
        least=min(each.least for each in joined),
        most=max(each.most for each in joined),
    )


def _one_of(words: Iterable[Piece]) -> Word:
    return word(
        frozenset(name for each in words if isinstance(each, Word) for name in each.anchor.names)
    )


@lru_cache(maxsize=4096)
def word(names: frozenset[str]) -> Word:
    """Return the choice between words named as in the notation; a lone `*` is any word."""
    opened = [name for name in names if name[-1] == "*"]
    kinds = names & _KINDS.keys()
    if not opened and not kinds:
        return Word(Anchor(names), names, (), kinds)
    if "*" in opened:
        opened.remove("*")
        names, kinds = names - {"*"} | {"ANY"}, kinds | {"ANY"}
    beginnings = tuple(sorted(name[:-1] for name in opened))
    return Word(Anchor(names), names - kinds - {*opened}, beginnings, kinds)


@lru_cache(maxsize=8192)
def _lone(name: str) -> Word:
    """Return one word as it stands in a phrase: most of what phrases are made of."""
    return word(frozenset({name}))


def maybe(piece: Piece) -> Piece:
    """Return a piece that may be absent."""
    return Maybe(piece, piece.most)


class Notation:
    """Reads the phrases of a language; `sets` are its named choices of words."""

    def __init__(self, sets: Mapping[str, str] | None = None) -> None:
        self._sets = sets or {}
        self._read: dict[str, Piece] = {}

    def phrase(self, written: str) -> Piece:
        """Return one phrase, or raise LexiconError."""
        tokens = _TOKEN.findall(written)[::-1]
        read = self._choices(tokens, written)
        if tokens or _ends_open(read) or not read.least:
            raise LexiconError(f"The phrase {written!r} has a stray bracket, or can be empty.")
        return read

    def _choices(self, tokens: list[str], written: str) -> Piece:
        choices = [self._chain(tokens, written)]
        while tokens and tokens[-1] == "|":
            tokens.pop()
            choices.append(self._chain(tokens, written))
        return choice(choices)

    def _chain(self, tokens: list[str], written: str) -> Piece:
        pieces = []
        while tokens and tokens[-1] not in _ENDS:
            pieces.append(self._piece(tokens, written))
        if not pieces:
            raise LexiconError(f"The phrase {written!r} has an empty choice.")
        return chain(pieces)

    def _piece(self, tokens: list[str], written: str) -> Piece:
        sign = tokens.pop()
        if sign == "..":
            return Gap()
        if sign in {"^", "$"}:
            return Edge(sign == "^")
        if sign == "(":
            piece = self._choices(tokens, written)
            if not tokens:
                raise LexiconError(f"The phrase {written!r} has a bracket that does not close.")
            return maybe(piece) if tokens.pop() == ")?" else piece
        name = sign.removesuffix("?")
        if not name:
            raise LexiconError(f"The phrase {written!r} has a stray question mark.")
        piece = self._set(name[1:-1], written) if name.startswith("<") else _lone(name)
        return maybe(piece) if sign.endswith("?") else piece

    def _set(self, name: str, written: str) -> Piece:
        if name not in self._sets:
            raise LexiconError(f"The phrase {written!r} names <{name}>, which is no set.")
        if name not in self._read:
            self._read[name] = self.phrase(self._sets[name])
        return self._read[name]


def _ends_open(piece: Piece) -> bool:
    """Say whether a phrase ends in a gap, which would be one that says nothing."""
    return isinstance(piece, Gap) or (isinstance(piece, Chain) and _ends_open(piece.pieces[-1]))


def words_of(phrase: str) -> set[str]:
    """Return the words that a phrase names; those with an open ending keep their `*`."""
    tokens = {token.removesuffix("?") for token in _TOKEN.findall(phrase)}
    return {token for token in tokens if token.removesuffix("*").isalpha() and token not in _KINDS}
