"""Learns the weights of `messages.classifier` from the corpora; `make classifier` runs it.

    corpora (never the held-out ones) -> words as the recognisers hear them -> weights

It needs scikit-learn, which only this wants: `requirements/training.txt`. The held-out replies are
left out, so that they stay a fair examination.
"""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from messages import classifier
from messages.classifier import Classifier
from messages.lexicon import lexicon
from messages.replies import hear, plain_words
from tests.corpus.reading import OPEN, digest, rows

_HERE = Path(__file__).parent
_WEIGHTS = _HERE.parents[1] / "messages" / classifier.WEIGHTS
# A feature of a single text says more of that text than of its meaning.
_SEEN_AT_LEAST = 2
# Chosen by cross-validation over the files (docs/understanding.md).
_STRENGTH = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A reply's words, what had been asked, and the one label that it teaches."""

    words: tuple[str, ...]
    asked: str
    label: str


def examples(files: Iterable[Path] = OPEN) -> list[Example]:
    """Return what the files teach; a row that allows several readings teaches the first."""
    found = [_example(row) for file in files for row in rows(file)]
    return [example for example in found if example.words]


def _example(row: dict[str, str]) -> Example:
    intent = row["intent"].split("|")[0] or "none"
    label = f"crisis:{row['value'] or 'self_harm'}" if intent == "crisis" else intent
    if intent not in _GRAVE and row["severity"] == "page_now":
        label = "grave"
    words = tuple(plain_words(hear(row["text"], (), lexicon())))
    return Example(words=words, asked=row["context"], label=label)


_GRAVE = frozenset({"crisis", "overdose", "medical_emergency"})


def learn(found: Sequence[Example]) -> Classifier:
    """Fit a multinomial logistic regression, every label weighing the same."""
    counts = [
        Counter(classifier.features(classifier.normal(row.words), (row.asked,))) for row in found
    ]
    seen = Counter(name for each in counts for name in each)
    names = sorted(name for name, times in seen.items() if times >= _SEEN_AT_LEAST)
    place = {name: at for at, name in enumerate(names)}
    cells = [
        (number, place[name], times * classifier.scale(classifier.normal(row.words)))
        for number, (row, each) in enumerate(zip(found, counts, strict=True))
        for name, times in each.items()
        if name in place
    ]
    across, down, values = zip(*((y, x, value) for x, y, value in cells), strict=True)
    matrix = csr_matrix((values, (down, across)), shape=(len(found), len(names)))
    fitted = LogisticRegression(C=_STRENGTH, max_iter=2000, class_weight="balanced").fit(
        matrix, [row.label for row in found]
    )
    weights = {name: tuple(map(float, fitted.coef_[:, at])) for name, at in place.items()}
    return Classifier(
        labels=tuple(map(str, fitted.classes_)),
        bias=tuple(map(float, fitted.intercept_)),
        weights=weights,
    )


def main() -> None:
    """Learn from all sources and write the file of weights."""
    found = examples()
    model = learn(found)
    _WEIGHTS.write_text(classifier.written(model, digest=digest()), encoding="utf-8")
    size = math.ceil(_WEIGHTS.stat().st_size / 1024)
    sys.stdout.write(f"{len(found)} replies, {len(model.weights)} features, {size} KiB\n")


if __name__ == "__main__":
    main()
