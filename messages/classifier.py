"""A linear classifier over words and pieces of words: what a text resembles, as probabilities.

    words of a text -> features -> weights (`data/classifier.tsv`) -> a probability for each label

A feature is a word, a piece of one, two words near each other, what they mean
(`data/concepts.yaml`), which ties the languages together, or what was asked: beside a question
about a visit "my truck is in the shop" says that nobody comes.

The word lists know what was written down for them; people find other words. The weights are learned
from the corpora of replies beside the tests (`make classifier`), and `messages.resemblance` decides
what a probability may do.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, pairwise

from messages import datafiles, weights
from messages.weights import Model, Row

WEIGHTS = "data/classifier.tsv"
# Pieces of words see behind typos and endings that no list holds.
_PIECES = (4,)
# Short texts lean less on their few words.
_DAMPING = 2
# Whoever writes more than this has said it within.
_MOST_WORDS = 120
_BEGIN, _END = "^", "$"
#: The context of a text that no question was open for.
NOTHING = "none"
_CONCEPTS = "data/concepts.yaml"
# So many concepts after one another are seen together: "who gets the truck when im gone".
_REACH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """What replies resemble, by their words."""

    model: Model
    _words: dict[str, Row] = field(default_factory=dict, repr=False)

    def probabilities(self, words: Sequence[str], asked: Iterable[str] = ()) -> dict[str, float]:
        """Return for each label how likely the text is one of it; they add up to 1.

        `asked` are the contexts of the questions that are open.
        """
        said = normal(words)
        rows = [self._of_word(word) for word in said]
        rows += self.model.rows(chain(pairs(said), questions(asked)))
        return self.model.probabilities(rows, scale=scale(said))

    def _of_word(self, word: str) -> Row:
        """Return what a word and its pieces weigh, kept: people use few words again and again."""
        row = self._words.get(word)
        if row is None:
            row = self.model.sums(self.model.rows(pieces(word)))
            if len(self._words) < _KEPT:
                self._words[word] = row
        return row


_KEPT = 20_000


def normal(words: Iterable[str]) -> list[str]:
    """Return words as features see them: a figure is a figure, whatever it says."""
    said = ["0" * len(word) if word.isdigit() else word for word in words]
    return said[:_MOST_WORDS]


def scale(said: Sequence[str]) -> float:
    """Return by what the sum of a text's features is multiplied."""
    return 1 / math.sqrt(len(said) + _DAMPING)


def features(said: Sequence[str], asked: Iterable[str] = ()) -> Iterator[str]:
    """Yield every feature of a text as often as it stands there; the training counts the same."""
    return chain(chain.from_iterable(map(pieces, said)), pairs(said), questions(asked))


def questions(asked: Iterable[str]) -> Iterator[str]:
    """Yield what was asked, twice, as it says much about an answer."""
    for context in contexts(asked):
        yield from (f"?{context}",) * 2


def contexts(asked: Iterable[str]) -> list[str]:
    """Return the kinds of the questions that are open, "none" where there are none."""
    return sorted({each.partition(":")[0] for each in asked} or {NOTHING})


def pieces(word: str) -> Iterator[str]:
    """Yield a word, what it means, and its pieces."""
    whole = f"_{word}_"
    yield whole
    concept = concept_of(word)
    if concept:
        yield f"<{concept}>"
    for size in _PIECES:
        if size < len(whole):
            for start in range(len(whole) - size + 1):
                yield whole[start : start + size]


def pairs(said: Sequence[str]) -> Iterator[str]:
    """Yield neighbouring words, and those with one word between them."""
    framed = [_BEGIN, *said, _END]
    for one, two in pairwise(framed):
        yield f"{one} {two}"
    for one, two in zip(framed, framed[2:], strict=False):
        yield f"{one} * {two}"
    meant = [concept for word in said if (concept := concept_of(word))]
    for at, one in enumerate(meant):
        for two in meant[at + 1 : at + 1 + _REACH]:
            yield f"<{one}> <{two}>"


@lru_cache(maxsize=20_000)
def concept_of(word: str) -> str | None:
    """Return what a word means, if it is listed: by itself, else by the longest beginning."""
    exact, stems = _concepts()
    if word in exact:
        return exact[word]
    found = max((stem for stem in stems if word.startswith(stem)), key=len, default=None)
    return stems[found] if found else None


@lru_cache(maxsize=1)
def _concepts() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the words of each concept, and the beginnings of words."""
    exact: dict[str, str] = {}
    stems: dict[str, str] = {}
    for concept, words in datafiles.load(_CONCEPTS).items():
        for word in words.split():
            (stems if word.endswith("*") else exact).setdefault(word.removesuffix("*"), concept)
    return exact, stems


@lru_cache(maxsize=1)
def classifier() -> Classifier:
    """Return the shipped classifier, read once a process.

    Raises LexiconError where the file of weights is not one that `make classifier` writes.
    """
    return Classifier(model=weights.parse(datafiles.text(WEIGHTS), name=WEIGHTS))
