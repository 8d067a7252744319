"""The classifier: its arithmetic, and that it was learned from the corpora."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import datafiles
from messages.classifier import (
    WEIGHTS,
    classifier,
    concept_of,
    features,
    normal,
    scale,
)
from messages.weights import digest_of
from tests.corpus.reading import digest

WORDS = st.lists(st.text("abcdeghilmnoprstuvyz0123", min_size=1, max_size=9), max_size=40)


def test_the_weights_were_learned_from_the_corpora_as_they_are() -> None:
    """Whoever changes a row or a concept runs `make classifier`."""
    assert digest_of(datafiles.text(WEIGHTS)) == digest()


@given(words=WORDS)
def test_probabilities_are_those_of_logistic_regression(words: list[str]) -> None:
    """The cached sums give what the formula gives, feature by feature."""
    model, said = classifier().model, normal(words)
    sums = [0.0] * len(model.labels)
    for feature in features(said):
        for row in model.rows([feature]):
            sums = [each + weight for each, weight in zip(sums, row, strict=True)]
    logits = [bias + each * scale(said) for bias, each in zip(model.bias, sums, strict=True)]
    whole = sum(map(math.exp, logits))
    expected = {
        name: math.exp(logit) / whole for name, logit in zip(model.labels, logits, strict=True)
    }
    assert classifier().probabilities(words) == pytest.approx(expected)


@given(words=WORDS)
def test_probabilities_add_up_to_one(words: list[str]) -> None:
    """Whatever is said, even nothing."""
    assert sum(classifier().probabilities(words).values()) == pytest.approx(1)


def test_words_of_both_languages_mean_the_same() -> None:
    """What one language teaches holds in the other."""
    assert concept_of("despertar") == concept_of("woke") == "wake"
    assert concept_of("suicidal") == "kill"
    assert concept_of("qwertz") is None
