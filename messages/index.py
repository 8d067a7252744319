"""Which of many phrases stand in a text: looked up by its words, never tried one after the other.

    phrase -> filed under the rarest word that it can't do without
    text -> its words -> the phrases filed there -> tried around that word

So reading a text costs what its words cost, however many phrases the lists hold. A word is rare
that few phrases name. A second word that a phrase can't do without is asked for before it is tried,
which leaves about one phrase to try for each word of a text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from messages.phrases import END, Piece, Rarity, kinds_of


@dataclass(frozen=True, slots=True)
class Listed:
    """A phrase, and where it is listed: the part (what for), the category, the language."""

    piece: Piece
    part: str
    category: str
    language: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a phrase stands: from one word on, up to any of `ends`, of which the first is its own.

    `rank` is the phrase's place in the lists.
    """

    start: int
    rank: int
    ends: Sequence[int]
    language: str


#: Where each category was found, in the order of the text, then of the lists.
Found = Mapping[str, Sequence[Place]]


@dataclass(frozen=True, slots=True)
class _Filed:
    """A phrase as it is filed under each of its anchor's words.

    It is not tried where none of `needs` is in the text, nor at a word that it can't begin with.
    """

    rank: int
    part: str
    category: str
    language: str
    piece: Piece
    least: int
    most: int
    needs: frozenset[str] | None
    firsts: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What is filed under one word of a text, and the names it is filed under."""

    names: tuple[str, ...]
    filed: Sequence[_Filed]


# People use few words again and again. Whoever sends more words than these gets them looked up.
_MOST_KEPT = 20_000


class Index:
    """Phrases filed under words; those of `base`, if any, stand in the lists before them."""

    def __init__(self, phrases: Iterable[Listed], *, base: "Index | None" = None) -> None:
        listed = list(phrases)
        self.filed: dict[str, list[_Filed]] = (
            {name: [*each] for name, each in base.filed.items()} if base else {}
        )
        #: How often each word is named, by what phrases are filed under the rarest of theirs.
        unweighed = Rarity({})
        self.naming = Counter(name for each in listed for name in _named(each.piece, unweighed))
        self.naming += base.naming if base else Counter()
        rarity = Rarity(self.naming)
        #: How many phrases there are.
        self.size: int = base.size if base else 0
        for each in listed:
            self._file(self.size, each, rarity)
            self.size += 1
        #: How many words the longest can have.
        self.longest: int = max(
            base.longest if base else 1, *(each.piece.most for each in listed), 1
        )
        self._lengths = sorted({len(name) - 1 for name in self.filed if name.endswith("*")})
        self._kept: dict[str, _Known] = {}

    def _file(self, rank: int, listed: Listed, rarity: Rarity) -> None:
        piece = listed.piece
        anchor, *others = sorted(piece.anchors(rarity), key=rarity.cost)
        filed = _Filed(
            rank=rank,
            part=listed.part,
            category=listed.category,
            language=listed.language,
            piece=piece,
            least=anchor.least,
            most=anchor.most,
            needs=others[0].names if others else None,
            firsts=piece.firsts(),
        )
        for name in anchor.names:
            self.filed.setdefault(name, []).append(filed)
        for name in filed.needs or ():
            self.filed.setdefault(name, [])

    def know(self, word: str) -> _Known:
        """Return what is filed under a word."""
        known = self._kept.get(word)
        if known is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            known = self._kept[word] = self._look_up(word)
        return known

    def _look_up(self, word: str) -> _Known:
        opened = (f"{word[:length]}*" for length in self._lengths if length <= len(word))
        names = tuple(name for name in (word, *opened, *kinds_of(word)) if name in self.filed)
        return _Known(names, [filed for name in names for filed in self.filed[name]])


def _named(piece: Piece, rarity: Rarity) -> set[str]:
    return {name for anchor in piece.anchors(rarity) for name in anchor.names}


# Names are gathered for so many words at once.
_STRETCH = 80


class Said:
    """One spelling of a text, in words; what was found in it is kept, since many ask for it."""

    def __init__(self, words: tuple[str, ...], index: Index) -> None:
        self.words = words
        #: The words, then the end.
        self.ended = (*words, END)
        self._index = index
        self._known = [index.know(word) for word in words]
        reach = index.longest
        stretches = (
            self._known[max(0, at - reach) : at + _STRETCH + reach]
            for at in range(0, len(words), _STRETCH)
        )
        # The names in and near each stretch of words: no phrase in it reaches further.
        self._near = [{name for known in some for name in known.names} for some in stretches]
        self._found: dict[tuple[str, int | None], Found] = {}
        self._whole: dict[str, Mapping[str, str]] = {}

    @cached_property
    def letters(self) -> int:
        """How long the text is, with a space around each word."""
        return sum(map(len, self.words)) + len(self.words) + 1

    @property
    def clauses(self) -> list[int]:
        """The first word of each clause."""
        return [0, *(at for at, word in enumerate(self.words, 1) if word == ",")]

    def until_comma(self) -> "Said":
        """Return the first clause."""
        end = self.words.index(",") if "," in self.words else len(self.words)
        return self.part(self.words[:end])

    @cached_property
    def flat(self) -> "Said":
        """The text without the commas between its clauses."""
        if "," not in self.words:
            return self
        return Said(tuple(word for word in self.words if word != ","), self._index)

    def part(self, words: tuple[str, ...]) -> "Said":
        """Return a text of other words; of the same ones it is this one."""
        return self if words == self.words else Said(words, self._index)

    def find(self, part: str) -> Found:
        """Return where each category stands in the text with the phrases of one part."""
        return self._kept(part, None)

    def starting(self, part: str, at: int = 0) -> Found:
        """Return which categories begin at a word with the phrases of one part."""
        return self._kept(part, at)

    def wholly(self, part: str) -> Mapping[str, str]:
        """Return of which categories the whole text is a phrase of one part, each in a language."""
        if part not in self._whole:
            size = len(self.words)
            places = [
                (category, place)
                for category, found in self.starting(part).items()
                for place in found
                if size in place.ends
            ]
            # Of several phrases the first of the lists says the language.
            self._whole[part] = {category: place.language for category, place in places[::-1]}
        return self._whole[part]

    def _kept(self, part: str, at: int | None) -> Found:
        if (part, at) not in self._found:
            self._found[part, at] = _by_category(self._tried(part, at))
        return self._found[part, at]

    @cached_property
    def _candidates(self) -> Mapping[str, Sequence[tuple[int, _Filed]]]:
        """What may stand in the text by its words, by part, each with a word it is filed under."""
        found: dict[str, list[tuple[int, _Filed]]] = {}
        for at, known in enumerate(self._known):
            near = self._near[at // _STRETCH]
            for filed in known.filed:
                if filed.needs is None or not filed.needs.isdisjoint(near):
                    found.setdefault(filed.part, []).append((at, filed))
        return found

    def _tried(self, part: str, only: int | None) -> Iterator[tuple[str, Place]]:
        """Yield where phrases stand, with their categories: anywhere, or at one word only."""
        said = self.ended
        first, last = (0, len(self.words)) if only is None else (only, only)
        for at, filed in self._candidates.get(part, ()):
            for start in range(max(first, at - filed.most), min(at - filed.least, last) + 1):
                if filed.firsts is None or said[start] in filed.firsts:
                    ends = filed.piece.ends(said, start)
                    if ends:
                        yield filed.category, Place(start, filed.rank, ends, filed.language)


def _by_category(found: Iterable[tuple[str, Place]]) -> Found:
    places: dict[str, list[Place]] = {}
    for category, place in found:
        places.setdefault(category, []).append(place)
    for each in places.values():
        each.sort(key=_in_order)
    return places


def _in_order(place: Place) -> tuple[int, int]:
    return place.start, place.rank
