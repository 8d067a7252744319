"""The learned readers together: who is asked, and what is made of what they say."""

import math
import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from messages.classifier import classifier
from messages.encoder import encoder
from messages.ensemble import SURE, Alike
from messages.neural import network

WORDS = st.lists(st.text("abcdeghilmnoprstuvyz0123", min_size=1, max_size=9), max_size=20)
# The last is a kind of question that no file holds.
ASKED = st.sampled_from(
    ((), ("none",), ("craving_scale", "yes_no"), ("scale:0-7",), ("sleep_diary",))
)


def mean_of_logarithms(
    one: Mapping[str, float], other: Mapping[str, float], share: float
) -> dict[str, float]:
    means = {
        label: math.exp((1 - share) * math.log(one[label]) + share * math.log(other[label]))
        for label in one
    }
    return {label: each / sum(means.values()) for label, each in means.items()}


def as_the_quick_have_it(words: list[str], asked: tuple[str, ...]) -> dict[str, float]:
    one, other = classifier().probabilities(words, asked), network().likeness(words, asked)
    return mean_of_logarithms(one, other.first, 0.4)


@given(words=WORDS, asked=ASKED)
def test_where_the_quick_readers_are_not_sure_all_decide(
    words: list[str], asked: tuple[str, ...]
) -> None:
    """By the mean of their logarithms: what one of them holds impossible is unlikely."""
    quick = as_the_quick_have_it(words, asked)
    assume(max(quick.values()) < SURE)
    text = " ".join(words)
    found = Alike(words=words, asked=asked, text=text).together
    slow = encoder().likeness(text, asked)
    assert found.first == pytest.approx(mean_of_logarithms(quick, slow.first, 0.6))
    said = network().likeness(words, asked).said
    assert found.said == pytest.approx(
        {label: (said[label] + slow.said[label]) / 2 for label in said}
    )


@pytest.mark.parametrize(
    ("words", "asked"),
    [(("stop", "texting", "me"), ()), (("see", "you", "tomorrow"), ("appointment_reminder",))],
)
def test_where_the_quick_readers_are_sure_nobody_else_is_asked(
    words: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    """Whatever the text itself would say to the slow one."""
    quick = as_the_quick_have_it(list(words), asked)
    assert max(quick.values()) >= SURE
    found = Alike(words=words, asked=asked, text="i want to die").together
    assert found.first == pytest.approx(quick)


def test_whoever_reads_one_text_waits_for_no_reader_later() -> None:
    """A process reads one as it starts, so that a broken model is found there and not by a plea."""
    code = (
        "from messages.encoder import encoder; from messages.replies import read; read('hello');"
        "print(encoder.cache_info().currsize)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "1"
