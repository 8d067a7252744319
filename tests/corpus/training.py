"""Learns what `messages` knows of replies by likeness; `make classifier` runs it.

    corpora (never the held-out ones) -> words as the recognisers hear them -> weights
      of messages.classifier and messages.pointing here, of messages.neural in training_neural,
      of messages.encoder in training_encoder

It needs scikit-learn, which only this wants: `requirements/training.txt`. The held-out replies are
left out, so that they stay a fair examination.
"""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from numpy import vstack
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from messages import classifier, encoder, neural, pointing, weights
from messages.binding import scale_of
from messages.lexicon import lexicon
from messages.replies import hear, plain_words
from messages.scores import all_it_says, written
from messages.weights import Learned
from tests.corpus import training_encoder, training_neural
from tests.corpus.reading import OPEN, digest, digest_of_numbers, open_prompt, rows

_MESSAGES = Path(__file__).parents[2] / "messages"
# A feature of a single text says more of that text than of its meaning.
_SEEN_AT_LEAST = 2
# Chosen by cross-validation over the files (docs/understanding.md).
_STRENGTH, _STRENGTH_OF_PLACES = 5.0, 0.3
# Lighter weights change next to no reading, and are two thirds of them.
_LEAST, _LEAST_OF_PLACES = 0.25, 0.01
_TWO = 2
# Of the answers to a question one of so many is learned without it as well.
_NOTHING, _TAUGHT_UNASKED = "none", 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A reply's words, what had been asked, and what it teaches.

    `text` is the reply folded. `labels` are the right readings, the best first; `said` is all that
    it says, first or besides.
    """

    words: tuple[str, ...]
    text: str
    asked: str
    labels: tuple[str, ...]
    said: frozenset[str] = frozenset()


def examples(files: Iterable[Path] = OPEN) -> list[Example]:
    """Return what the files teach.

    Questions end before everybody has answered, so some of the answers teach what they say unasked.
    """
    found = [_example(row) for file in files for row in rows(file)]
    answers = [example for example in found if example.asked != _NOTHING]
    found += [replace(example, asked=_NOTHING) for example in answers[::_TAUGHT_UNASKED]]
    return [example for example in found if example.words]


def _example(row: dict[str, str]) -> Example:
    intents = (row["intent"] or "none").split("|")
    labels = dict.fromkeys(_label(intent, row) for intent in intents)
    said = {*row["also"].split(), *(intents[:1] if row["severity"] != "page_now" else ())}
    heard = hear(row["text"], (), lexicon())
    return Example(
        words=tuple(plain_words(heard)),
        text=heard.folded,
        asked=row["context"],
        labels=tuple(labels),
        said=frozenset(said),
    )


def _label(intent: str, row: dict[str, str]) -> str:
    if intent == "crisis":
        value = row["value"].split("|")[0]
        return f"crisis:{value or 'self_harm'}"
    return "grave" if intent not in _GRAVE and row["severity"] == "page_now" else intent


_GRAVE = frozenset({"crisis", "overdose", "medical_emergency"})


def learn(found: Sequence[Example]) -> Learned:
    """Fit what replies resemble."""
    said = [classifier.normal(row.words) for row in found]
    counts = [
        Counter(classifier.features(words, (row.asked,)))
        for words, row in zip(said, found, strict=True)
    ]
    scales = list(map(classifier.scale, said))
    labels = [row.labels[0] for row in found]
    return fitted(counts, labels, scales, strength=_STRENGTH)


def numbers(files: Iterable[Path] = OPEN) -> list[tuple[Counter[str], str]]:
    """Return the numbers that stand among words beside a question for one: features, and label."""
    return [each for file in files for row in rows(file) for each in _numbers(row)]


def _numbers(row: Mapping[str, str]) -> Iterator[tuple[Counter[str], str]]:
    """Yield each number of a row with what stands around it, and whether it answers.

    Where a number stands beside something graver, no row says which: the lists do.
    """
    intents, never = set(row["intent"].split("|")), row["never"].split()
    beside = "score" in row["also"].split()
    told, counts = bool(intents & _ANSWERED), "score" in never or bool(intents & _NO_ANSWER)
    if scale_of(row["context"]) is None or not (told or beside or counts):
        return
    lists, asked = lexicon(), open_prompt(row["context"])
    text = written(hear(row["text"], (asked,), lists), (asked,))
    if len(set(all_it_says(text, lists))) == 1:
        return
    values = {value.lstrip("0") for value in row["value"].split("|")} if told else set()
    for one, around in pointing.surroundings(text, (row["context"],), lists):
        found = Counter(around)
        answers = one.value.lstrip("0") in values if told else beside and found["listed this"] > 0
        yield found, pointing.ANSWERS if answers else pointing.COUNTS


_ANSWERED = frozenset({"score", "score_out_of_range"})
_NO_ANSWER = frozenset(
    {
        "unclear",
        "thanks_no_action",
        "question_for_staff",
        "running_late",
        "confirm",
        "decline_reschedule",
        "pause",
    }
)


def fitted(
    counts: Sequence[Counter[str]],
    labels: Sequence[str],
    scales: Sequence[float],
    *,
    strength: float,
) -> Learned:
    """Fit a logistic regression of labels to features, each row's multiplied by its scale."""
    seen = Counter(name for each in counts for name in each)
    names = sorted(name for name, times in seen.items() if times >= _SEEN_AT_LEAST)
    place = {name: at for at, name in enumerate(names)}
    cells = [
        (number, place[name], times * scale)
        for number, (each, scale) in enumerate(zip(counts, scales, strict=True))
        for name, times in each.items()
        if name in place
    ]
    across, down, values = zip(*((y, x, value) for x, y, value in cells), strict=True)
    matrix = csr_matrix((values, (down, across)), shape=(len(counts), len(names)))
    found = LogisticRegression(C=strength, max_iter=2000).fit(matrix, labels)
    rows_of, biases = found.coef_, found.intercept_
    if len(found.classes_) == _TWO:
        # Of two labels the library weighs the second alone, against nothing.
        rows_of, biases = vstack([0 * rows_of, rows_of]), [0.0, biases[0]]
    return Learned(
        labels=tuple(map(str, found.classes_)),
        bias=tuple(map(float, biases)),
        weights={name: tuple(map(float, rows_of[:, at])) for name, at in place.items()},
    )


def main() -> None:
    """Learn from all sources and write the files of weights."""
    _learn_numbers()
    found = examples()
    linear, learned_from = learn(found), f"{len(found)} replies"
    table = weights.written(linear, about="What replies resemble", digest=digest(), least=_LEAST)
    _write(classifier.WEIGHTS, table.encode(), learned_from)
    network = training_neural.learned(found, digest=digest())
    _write(neural.WEIGHTS, network, learned_from)
    model, pieces = training_encoder.learned(found, digest=digest())
    _write(encoder.WEIGHTS, model, learned_from)
    _write(encoder.PIECES, pieces, learned_from)


def _learn_numbers() -> None:
    counts, labels = zip(*numbers(), strict=True)
    pointed = fitted(counts, labels, [1.0] * len(counts), strength=_STRENGTH_OF_PLACES)
    table = weights.written(
        pointed,
        about="Which number answers",
        digest=digest_of_numbers(),
        least=_LEAST_OF_PLACES,
    )
    _write(pointing.WEIGHTS, table.encode(), f"{len(counts)} numbers")


def _write(name: str, content: bytes, learned_from: str) -> None:
    (_MESSAGES / name).write_bytes(content)
    size = math.ceil(len(content) / 1024)
    sys.stdout.write(f"{name}: {learned_from}, {size} KiB\n")


if __name__ == "__main__":
    main()
