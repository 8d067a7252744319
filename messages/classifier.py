"""A linear classifier over words and pieces of words: what a text resembles, as probabilities.

    words of a text -> features -> weights (`data/classifier.tsv`) -> a probability for each label

A feature is a word, a piece of one, two words near each other, what they mean
(`data/concepts.yaml`), which ties the languages together, or what was asked: beside a question
about a visit "my truck is in the shop" says that nobody comes.

The word lists know what was written down for them; people find other words. The weights are learned
from the corpora of replies beside the tests (`make classifier`), and `messages.resemblance` decides
what a probability may do. It is plain multinomial logistic regression, so that scoring needs no
library: sums of a few hundred numbers.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, pairwise

from messages import datafiles
from messages.errors import LexiconError

WEIGHTS = "data/classifier.tsv"
# Pieces of words see behind typos and endings that no list holds.
_PIECES = (4,)
# Short texts lean less on their few words.
_DAMPING = 2
# Lighter weights change no reading, and are half of them.
_LEAST = 0.05
# Whoever writes more than this has said it within.
_MOST_WORDS = 120
_BEGIN, _END = "^", "$"
# The context of a text that no question was open for.
_NOTHING = "none"
_CONCEPTS = "data/concepts.yaml"
# So many concepts after one another are seen together: "who gets the truck when im gone".
_REACH = 5

_Row = tuple[float, ...]


class Weights(Mapping[str, _Row]):
    """A row of weights for each feature, kept as the file writes it until it is asked for.

    People use few of the features, and a process starts in half the time.
    """

    def __init__(self, written: Mapping[str, str], size: int) -> None:
        self._written, self._size = written, size
        self._rows: dict[str, _Row] = {}

    def __getitem__(self, feature: str) -> _Row:
        if feature not in self._rows:
            self._rows[feature] = _row(self._written[feature], self._size)
        return self._rows[feature]

    def __contains__(self, feature: object) -> bool:
        return feature in self._written

    def __iter__(self) -> Iterator[str]:
        return iter(self._written)

    def __len__(self) -> int:
        return len(self._written)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """Labels with a weight for each feature; what no text of the corpora held weighs nothing."""

    labels: tuple[str, ...]
    bias: _Row
    weights: Mapping[str, _Row]
    _words: dict[str, _Row] = field(default_factory=dict, repr=False)

    def probabilities(self, words: Sequence[str], asked: Iterable[str] = ()) -> dict[str, float]:
        """Return for each label how likely the text is one of it; they add up to 1.

        `asked` are the contexts of the questions that are open.
        """
        said = normal(words)
        rows = [self._of_word(word) for word in said]
        others = chain(pairs(said), questions(asked))
        rows += [self.weights[each] for each in others if each in self.weights]
        damped = scale(said)
        sums = map(sum, zip(*rows, strict=True)) if rows else [0.0] * len(self.labels)
        logits = [bias + each * damped for bias, each in zip(self.bias, sums, strict=True)]
        top = max(logits)
        powers = [math.exp(each - top) for each in logits]
        total = sum(powers)
        return {name: power / total for name, power in zip(self.labels, powers, strict=True)}

    def _of_word(self, word: str) -> _Row:
        """Return what a word and its pieces weigh, kept: people use few words again and again."""
        row = self._words.get(word)
        if row is None:
            rows = [self.weights[each] for each in pieces(word) if each in self.weights]
            row = tuple(map(sum, zip(*rows, strict=True))) if rows else (0.0,) * len(self.labels)
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
    for context in sorted({each.partition(":")[0] for each in asked} or {_NOTHING}):
        yield from (f"?{context}",) * 2


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
    return parse(datafiles.text(WEIGHTS))


def parse(table: str) -> Classifier:
    """Read a file of weights: a line of labels, a line of biases, then a line for each feature.

    A weight is written as `label:hundredths`, labels by their number; what is left out is 0.
    """
    lines = [line for line in table.splitlines() if line and not line.startswith("# ")]
    try:
        labels = tuple(lines[0].split("\t")[1:])
        bias = tuple(map(float, lines[1].split("\t")[1:]))
        _check(lines[2:], len(labels))
    except (IndexError, ValueError) as error:
        raise LexiconError(
            f"{WEIGHTS} is no file of weights ({error}); write it anew with `make classifier`."
        ) from error
    written = dict(line.split("\t", 1) for line in lines[2:])
    return Classifier(labels=labels, bias=bias, weights=Weights(written, len(labels)))


def _check(lines: Sequence[str], size: int) -> None:
    """Raise ValueError unless every line is a feature with weights of so many labels."""
    label = "|".join(map(str, range(size)))
    line = rf"[^\t\n]+(?:\t(?:{label}):-?\d+)+"
    if re.fullmatch(rf"(?:{line}\n)*+", "".join(f"{each}\n" for each in lines)) is None:
        wrong = next(each for each in lines if re.fullmatch(line, each) is None)
        raise ValueError(f"the line {wrong!r}")


def _row(cells: str, size: int) -> _Row:
    row = [0.0] * size
    for cell in cells.split("\t"):
        label, _, hundredths = cell.partition(":")
        row[int(label)] = int(hundredths) / 100
    return tuple(row)


def written(model: Classifier, *, digest: str) -> str:
    """Return a classifier as its file; `digest` names the corpora that it was learned from."""
    lines = [
        "# What replies resemble: learned by `make classifier`, never edited by hand.",
        f"# corpora {digest}",
        "\t".join(("labels", *model.labels)),
        "\t".join(("bias", *(f"{each:.3f}" for each in model.bias))),
    ]
    for name, row in sorted(model.weights.items()):
        cells = [f"{at}:{round(each * 100)}" for at, each in enumerate(row) if abs(each) >= _LEAST]
        if cells:
            lines.append("\t".join((name, *cells)))
    return "\n".join(lines) + "\n"


def digest_of(table: str) -> str:
    """Return which corpora a file of weights was learned from."""
    return next(
        (line.split()[2] for line in table.splitlines() if line.startswith("# corpora ")), ""
    )
