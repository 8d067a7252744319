"""Learned weights as a file, and the sums that make probabilities of them.

    file of weights -> a row of weights for each feature of a text -> sums -> probabilities

Plain logistic regression, so that scoring needs no library: sums of a few hundred numbers.
`make classifier` learns the weights from the corpora beside the tests and writes the files.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from messages.errors import LexiconError

Row = tuple[float, ...]


class Weights(Mapping[str, Row]):
    """A row of weights for each feature, kept as the file writes it until it is asked for.

    People use few of the features, and a process starts in half the time.
    """

    def __init__(self, written: Mapping[str, str], size: int) -> None:
        self._written, self._size = written, size
        self._rows: dict[str, Row] = {}

    def __getitem__(self, feature: str) -> Row:
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
class Model:
    """Labels with a weight for each feature; what no text of the corpora held weighs nothing."""

    labels: tuple[str, ...]
    bias: Row
    weights: Mapping[str, Row]

    def rows(self, features: Iterable[str]) -> list[Row]:
        """Return the weights of those of these features that have some."""
        return [self.weights[each] for each in features if each in self.weights]

    def sums(self, rows: Iterable[Row]) -> Row:
        """Add up rows of weights, by label."""
        rows = list(rows)
        return tuple(map(sum, zip(*rows, strict=True))) if rows else (0.0,) * len(self.labels)

    def probabilities(self, rows: Iterable[Row], *, scale: float = 1.0) -> dict[str, float]:
        """Return for each label how likely it is; they add up to 1."""
        sums = self.sums(rows)
        logits = [bias + each * scale for bias, each in zip(self.bias, sums, strict=True)]
        top = max(logits)
        powers = [math.exp(each - top) for each in logits]
        total = sum(powers)
        return {name: power / total for name, power in zip(self.labels, powers, strict=True)}


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
    written = dict(line.split("\t", 1) for line in features)
    return Model(
        labels=names,
        bias=tuple(map(float, bias.split("\t")[1:])),
        weights=Weights(written, len(names)),
    )


_SUM = "# sum "


def _sum_of(lines: str) -> str:
    return hashlib.sha256(lines.encode()).hexdigest()


def _row(cells: str, size: int) -> Row:
    row = [0.0] * size
    for cell in cells.split("\t"):
        label, _, hundredths = cell.partition(":")
        row[int(label)] = int(hundredths) / 100
    return tuple(row)


def written(model: Model, *, about: str, digest: str, least: float) -> str:
    """Return a model as its file, less weights lighter than `least`.

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
