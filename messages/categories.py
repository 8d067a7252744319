"""What a category of the lexicon finds in a text: anywhere, as the whole, or at its start."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from messages.index import Place, Said
from messages.phrases import TAKEN_OUT

# Only so long a text is looked at piece by piece, in letters and spaces.
_SHORT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The word that a category was found from on, and the language of its words."""

    start: int
    language: str


# What phrases of a category are for, as the files name it.
EXACT, SAY, EXCUSES, OVER, STARTS, BESIDE = PARTS = (
    *("exact", "say", "not", "over", "starts", "beside"),
)
#: What says that something of long ago, or of somebody else, is here and now.
_PRESENT = "present_again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One kind of thing a patient can say, in all languages."""

    name: str

    def is_whole(self, said: Said) -> str | None:
        """Return the language in which the whole text is one of the exact phrases, or None."""
        return wholly_said(said).get(self.name)

    def opens(self, said: Said) -> str | None:
        """Return the language in which the text starts like this category, or None."""
        return self._begins_at(0, said)

    def opens_clause(self, said: Said) -> str | None:
        """Return the language in which any clause starts like this category, or None."""
        found = (self._begins_at(at, said) for at in said.clauses)
        return next((language for language in found if language), None)

    def begun(self, said: Said) -> Sequence[Place]:
        """Return the phrases of this category that the text starts with."""
        return said.starting(STARTS).get(self.name, ())

    def _begins_at(self, at: int, said: Said) -> str | None:
        found = said.starting(STARTS, at).get(self.name, ())
        return found[0].language if found else None

    def is_made_up(self, said: Said) -> str | None:
        """Return a language if the text is one of the exact phrases with others beside it.

        Beside it stand the phrases of `beside`: "got it, see you tomorrow at 8".
        """
        if said.letters > _SHORT:
            return None
        if self.name not in said.starting(EXACT) and self.name not in said.starting(BESIDE):
            return None
        exact, beside = self._found(EXACT, said), self._found(BESIDE, said)
        languages = sorted({place.language for place in exact})
        whole = len(said.words)
        return next((each for each in languages if whole in _made_of(each, exact, beside)), None)

    def appears(self, said: Said) -> bool:
        """Say whether any phrase stands in the text, everyday ones not yet taken out."""
        return bool(self._found(SAY, said))

    def is_excused(self, said: Said) -> bool:
        """Say whether any of this category's everyday phrases stands in the text."""
        return bool(self._excuses(said))

    def without_excuses(self, said: Said, instead: str | None = None) -> Said:
        """Return the text with this category's everyday phrases taken out.

        Each leaves `instead`, or as many words that no phrase reaches over.
        """
        words, last = list[str](), 0
        for place in _apart(self._excuses(said)):
            size = place.ends[0] - place.start
            words += said.words[last : place.start]
            words += [TAKEN_OUT] * size if instead is None else [instead]
            last = place.ends[0]
        return said.part((*words, *said.words[last:]))

    def matches(self, said: Said) -> Iterator[Match]:
        """Yield each place that says it, everyday phrases taken out first."""
        if self.appears(said):
            for place in _apart(self._found(SAY, self.without_excuses(said))):
                yield Match(start=place.start, language=place.language)

    def _excuses(self, said: Said) -> Sequence[Place]:
        """Return the everyday phrases, and what is over unless the text says that it is not."""
        always, over = self._found(EXCUSES, said), self._found(OVER, said)
        if not over or _PRESENT in said.find(SAY):
            return always
        return sorted((*always, *over), key=lambda place: place.start)

    def _found(self, part: str, said: Said) -> Sequence[Place]:
        return said.find(part).get(self.name, ())


def wholly_said(said: Said) -> Mapping[str, str]:
    """Return the categories of which the whole text is one of the exact phrases, by language."""
    return said.wholly(EXACT) if said.letters <= _SHORT else _NONE


_NONE: Mapping[str, str] = {}


def _apart(places: Iterable[Place]) -> Iterator[Place]:
    """Yield the places that don't begin within one before them."""
    last = 0
    for place in places:
        if place.start >= last:
            last = place.ends[0]
            yield place


def _made_of(language: str, exact: Iterable[Place], beside: Iterable[Place]) -> set[int]:
    """Return where a row of phrases from the first word on can end that has an exact one in it."""
    ours = [place for place in exact if place.language == language]
    others = [place for place in beside if place.language == language]
    before = _reached({0}, others)
    begun = {end for place in ours if place.start in before for end in place.ends}
    return _reached(begun, [*ours, *others])


def _reached(begun: set[int], places: Iterable[Place]) -> set[int]:
    """Return where rows of phrases can end that begin at one of these, with no word between."""
    reached = set(begun)
    for place in sorted(places, key=lambda place: place.start):
        if place.start in reached:
            reached.update(place.ends)
    return reached


def row_after(first: int, places: Iterable[Place], *, until: int) -> int:
    """Return where phrases that stand one right after another from a word on end."""
    for place in places:
        if place.start == first and place.ends[0] <= until:
            first = place.ends[0]
    return first


def row_before(last: int, places: Sequence[Place]) -> int:
    """Return from which word on phrases stand one right after another up to the last."""
    begun = {last}
    for place in sorted(places, key=lambda place: place.start, reverse=True):
        if not begun.isdisjoint(place.ends):
            begun.add(place.start)
    return min(begun)
