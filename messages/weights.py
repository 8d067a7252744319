"""Learned weights as a file, and the sums that make probabilities of them.

    file of weights -> a row of weights for each feature of a text -> sums -> probabilities

Plain logistic regression: sums of a few hundred numbers. `make classifier` learns the weights from
the corpora beside the tests and writes the files.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from messages.errors import LexiconError

Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Labels with a weight for each feature, as they were learned and before they are a file."""

    labels: tuple[str, ...]
    bias: Sequence[float]
    weights: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """Labels with a weight for each feature; what no text of the corpora held weighs nothing.

    Weights are kept as the file writes them until they are asked for: people use few of the
    features, and a process starts in half the time.
    """

    labels: tuple[str, ...]
    bias: Row
    weights: Mapping[str, str]
    _read: dict[str, Row] = field(default_factory=dict, repr=False)

    def rows(self, features: Iterable[str]) -> list[Row]:
        """Return the weights of those of these features that have some."""
        found = []
        for each in features:
            row = self._read.get(each)
            if row is None and each in self.weights:
                row = self._read[each] = _row(self.weights[each], len(self.labels))
            if row is not None:
                found.append(row)
        return found

    def sums(self, rows: Sequence[Row]) -> Row:
        """Add up rows of weights, by label."""
        added: Row = np.add.reduce(rows) if rows else np.zeros(len(self.labels))
        return added

    def probabilities(self, rows: Sequence[Row], *, scale: float = 1.0) -> dict[str, float]:
        """Return for each label how likely it is; they add up to 1."""
        logits = self.bias + self.sums(rows) * scale
        powers = np.exp(logits - logits.max())
        return dict(zip(self.labels, (powers / powers.sum()).tolist(), strict=True))


def parse(table: str, *, name: str) -> Model:
    """Read a file of weights: a line of labels, a line of biases, then a line for each feature.

    A weight is written as `label:hundredths`, labels by their number; what is left out is 0. Above
    them stands their sum: to look at each line took a third of a process's start. Raises
    LexiconError, with the file's `name`, where it is none that `make classifier` writes.
    """
    _, told, rest = table.partition(_SUM)
    kept, _, lines = rest.partition("\n")
    if not told or kept != _sum_of(lines):
        raise LexiconError(
            f"{name} is no file of weights, or not as it was written: its lines are not those "
            "whose sum it holds. Write it anew with `make classifier`."
        )
    labels, bias, *features = lines.removesuffix("\n").split("\n")
    names = tuple(labels.split("\t")[1:])
    return Model(
        labels=names,
        bias=np.array(list(map(float, bias.split("\t")[1:]))),
        weights=dict(line.split("\t", 1) for line in features),
    )


_SUM = "# sum "


def _sum_of(lines: str) -> str:
    return hashlib.sha256(lines.encode()).hexdigest()


def _row(cells: str, size: int) -> Row:
    row = np.zeros(size)
    for cell in cells.split("\t"):
        label, _, hundredths = cell.partition(":")
        row[int(label)] = int(hundredths) / 100
    return row


def written(model: Learned, *, about: str, digest: str, least: float) -> str:
    """Return what was learned as its file, less weights lighter than `least`.

    `about` says what it tells, `digest` names the corpora that it was learned from.
    """
    lines = [
        "\t".join(("labels", *model.labels)),
        "\t".join(("bias", *(f"{each:.3f}" for each in model.bias))),
    ]
    for name, row in sorted(model.weights.items()):
        hundredths = [round(each * 100) for each in row]
        cells = [f"{at}:{each}" for at, each in enumerate(hundredths) if abs(each) >= least * 100]
        if cells:
            lines.append("\t".join((name, *cells)))
    table = "\n".join(lines) + "\n"
    head = f"# {about}: learned by `make classifier`, never edited by hand."
    return f"{head}\n# corpora {digest}\n{_SUM}{_sum_of(table)}\n{table}"


def digest_of(table: str) -> str:
    """Return which corpora a file of weights was learned from."""
    return next(
        (line.split()[2] for line in table.splitlines() if line.startswith("# corpora ")), ""
    )
