"""A small convolutional network over words in their order: what a text resembles, once more.

    words of a text -> a vector for each -> windows of one to five words -> a probability a label

The classifier (`messages.classifier`) adds up words and pairs of them, and errs where their order
says the opposite. This one reads windows of words; by itself it is no better, and both together
(`messages.ensemble`) miss less than either, since they err on different texts. It also tells what
else a text says besides what it says first. `make classifier` learns it from the same files.
"""

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from messages import datafiles
from messages.classifier import NOTHING, concept_of, contexts, normal
from messages.errors import LexiconError

WEIGHTS = "data/neural.npz"
#: How many words a window holds; each kind of window has weights of its own.
WIDTHS = (1, 2, 3, 5)
#: Pieces of words that share a number share a vector. So many numbers.
PIECES = 1 << 14
_SIZES, _MOST_PIECES = (3, 4, 5), 24
# Words that the files hold too seldom, and those without a concept.
NONE = 0
# A word takes five kilobytes.
_KEPT = 4_000
# Where the places of each kind of window begin among all.
_BEFORE = (0, *accumulate(WIDTHS[:-1]))
# Windows reach so far beyond a text.
_BEYOND = max(WIDTHS) // 2
_FLOAT = np.float32

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What a text resembles.

    `first` says of each label how likely the text is above all one of it: they add up to 1. `said`
    says of some labels, each by itself, how likely it says that at all, first or besides.
    """

    first: Mapping[str, float]
    said: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Vectors by number, each kept as small integers and what they are multiplied by."""

    cells: NDArray[np.int8]
    scales: Vector

    def __getitem__(self, number: int) -> Vector:
        found: Vector = self.cells[number] * self.scales[number]
        return found

    def mean(self, numbers: Sequence[int]) -> Vector:
        """Return the mean of several vectors."""
        found: Vector = (self.cells[numbers] * self.scales[numbers, None]).mean(0)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Weights that make new values of given ones, and what is added to each."""

    weights: Vector
    bias: Vector

    def __call__(self, values: Vector) -> Vector:
        return values @ self.weights + self.bias


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What replies resemble, by their words in order."""

    labels: tuple[str, ...]
    vocabulary: Mapping[str, int]
    concepts: Mapping[str, int]
    contexts: Mapping[str, int]
    words: Table
    meanings: Table
    pieces: Table
    asked: Table
    windows: tuple[Layer, ...]
    hidden: Layer
    out: Layer
    said: tuple[str, ...]
    besides: Layer
    _known: dict[str, Vector] = field(default_factory=dict, repr=False)

    def likeness(self, words: Sequence[str], asked: Iterable[str] = ()) -> Likeness:
        """Return what a text resembles; `asked` are the contexts of the questions that are open."""
        values = self._values(words, asked)
        powers = self.out(values)
        powers = np.exp(powers - powers.max())
        said = 1 / (1 + np.exp(-self.besides(values)))
        return Likeness(
            first=dict(zip(self.labels, (powers / powers.sum()).tolist(), strict=True)),
            said=dict(zip(self.said, said.tolist(), strict=True)),
        )

    def _values(self, words: Sequence[str], asked: Iterable[str]) -> Vector:
        """Return what is known of a text before anything is made of it."""
        # A text without a word is a word of which nothing is known.
        said = normal(words) or [""]
        text = np.zeros((len(said) + 2 * _BEYOND, sum(WIDTHS), len(self.windows[0].bias)), _FLOAT)
        for at, word in enumerate(said, _BEYOND):
            text[at] = self._in_windows(word)
        strongest = [
            _strongest(text, before, width, layer.bias)
            for before, width, layer in zip(_BEFORE, WIDTHS, self.windows, strict=True)
        ]
        question = self.asked.mean(
            [self.contexts.get(each, self._unasked) for each in contexts(asked)]
        )
        values: Vector = np.maximum(self.hidden(np.concatenate([*strongest, question])), 0)
        return values

    @property
    def _unasked(self) -> int:
        """The number of having asked nothing, as which a question of no known kind counts."""
        return self.contexts[NOTHING]

    def _in_windows(self, word: str) -> Vector:
        """Return what a word adds to each pattern at each place of each kind of window.

        Kept, since people use few words again and again, and each is multiplied once.
        """
        found = self._known.get(word)
        if found is None:
            vector = self._vector(word)
            places = [
                vector @ layer.weights.reshape(width, len(vector), -1)
                for width, layer in zip(WIDTHS, self.windows, strict=True)
            ]
            found = np.concatenate(places)
            if len(self._known) < _KEPT:
                self._known[word] = found
        return found

    def _vector(self, word: str) -> Vector:
        found = self.words[self.vocabulary.get(word, NONE)] + self.pieces.mean(pieces_of(word))
        return found + self.meanings[self.concepts.get(concept_of(word) or "", NONE)]


def _strongest(text: Vector, before: int, width: int, bias: Vector) -> Vector:
    """Return how strongly the text has each pattern of windows of one width, anywhere.

    `text` says for each word, and some places beyond both ends where nothing stands, what it adds
    to each pattern at each place of each kind of window; `before` others stand before this kind's.
    """
    size, (a_word, a_place, a_pattern) = len(text) - 2 * _BEYOND, text.strides
    # Windows begin half their width before their word; the next place is of the next word.
    first = (_BEYOND - width // 2) * a_word + before * a_place
    shape, steps = (size, width, len(bias)), (a_word, a_word + a_place, a_pattern)
    windows = np.ndarray(shape, _FLOAT, text.data, first, steps)
    found: Vector = np.maximum(np.add.reduce(windows, axis=1).max(0) + bias, 0)
    return found


def pieces_of(word: str) -> list[int]:
    """Return the numbers of a word's pieces, so that typos and endings no file holds are near."""
    whole = f"<{word}>"
    pieces = {
        zlib.crc32(whole[start : start + size].encode()) % PIECES
        for size in _SIZES
        for start in range(len(whole) - size + 1)
    }
    return sorted(pieces)[:_MOST_PIECES] or [NONE]


@lru_cache(maxsize=1)
def network() -> Network:
    """Return the shipped network, read once a process.

    Raises LexiconError where its file is not one that `make classifier` writes.
    """
    # Shared out over cores, products of a few words take more time than they save.
    threadpool_limits(limits=1, user_api="blas")
    return parse(datafiles.bytes_of(WEIGHTS))


def parse(file: bytes) -> Network:
    """Read a network's file.

    Raises LexiconError where it is none that `make classifier` writes.
    """
    try:
        with np.load(io.BytesIO(file), allow_pickle=False) as arrays:
            return _network(arrays)
    except _BROKEN as error:
        raise LexiconError(
            f"{WEIGHTS} is no network ({error}); write it anew with `make classifier`."
        ) from error


_BROKEN = (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error)


def _network(arrays: Mapping[str, NDArray[Any]]) -> Network:
    return Network(
        labels=tuple(map(str, arrays["labels"])),
        vocabulary=_numbered(arrays["vocabulary"]),
        concepts=_numbered(arrays["concepts"]),
        contexts={str(name): at for at, name in enumerate(arrays["contexts"])},
        words=_table(arrays, "words"),
        meanings=_table(arrays, "meanings"),
        pieces=_table(arrays, "pieces"),
        asked=_table(arrays, "asked"),
        windows=tuple(_layer(arrays, f"window{width}") for width in WIDTHS),
        hidden=_layer(arrays, "hidden"),
        out=_layer(arrays, "out"),
        said=tuple(map(str, arrays["said"])),
        besides=_layer(arrays, "besides"),
    )


def _numbered(names: NDArray[Any]) -> dict[str, int]:
    return {str(name): at for at, name in enumerate(names, start=NONE + 1)}


def _table(arrays: Mapping[str, NDArray[Any]], name: str) -> Table:
    return Table(cells=arrays[name], scales=arrays[f"{name}_scales"].astype(np.float32))


def _layer(arrays: Mapping[str, NDArray[Any]], name: str) -> Layer:
    return Layer(
        weights=arrays[name].astype(np.float32), bias=arrays[f"{name}_bias"].astype(np.float32)
    )


def digest_of(file: bytes) -> str:
    """Return which corpora a network was learned from."""
    with np.load(io.BytesIO(file), allow_pickle=False) as arrays:
        return str(arrays["corpora"])
