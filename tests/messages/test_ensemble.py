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
from messages.ensemble import SURE, Alike, danger_in, ending_in
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
    assume(max(quick.values()) < 0.6)
    assert_all_decide(words, asked, quick)


@given(words=WORDS, asked=ASKED)
def test_where_danger_or_an_end_of_texts_is_not_ruled_out_all_decide(
    words: list[str], asked: tuple[str, ...]
) -> None:
    """However likely something else is, unless the quick readers are sure of it."""
    quick = as_the_quick_have_it(words, asked)
    assume(max(quick.values()) < SURE)
    assume(danger_in(quick) > 0.03 or ending_in(quick) > 0.01)
    assert_all_decide(words, asked, quick)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        # "I have to move it", likely and no more: a visit is given up by what all make of it.
        ("may need to move it", ()),
        # A question, and perhaps a symptom besides.
        ("is it normal to have weird dreams like 3 days after", ()),
        # Thanks, likely and no more: nobody would look at what only seems to be that.
        ("not proud of friday thats all ima say", ()),
        # Where we asked about a visit, whatever it may be.
        ("my insurance card changed", ("yes_no",)),
    ],
)
def test_what_would_change_a_visit_or_may_be_said_besides_all_decide(
    text: str, asked: tuple[str, ...]
) -> None:
    words = text.split()
    quick = as_the_quick_have_it(words, asked)
    assert max(quick.values()) < SURE
    assert_all_decide(words, asked, quick)


def assert_all_decide(words: list[str], asked: tuple[str, ...], quick: Mapping[str, float]) -> None:
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


def test_what_only_likely_is_something_else_than_danger_and_a_stop_needs_nobody_else() -> None:
    """The slow one has nothing to add to a question that the quick ones are nearly sure of."""
    words = ["my", "insurance", "card", "changed"]
    quick = as_the_quick_have_it(words, ())
    assert 0.6 < quick["question_for_staff"] < SURE
    found = Alike(words=words, text="i want to die").together
    assert found.first == pytest.approx(quick)


def test_whoever_reads_one_text_waits_for_no_reader_later() -> None:
    """A process reads one as it starts, so that a broken model is found there and not by a plea."""
    code = (
        "from messages.encoder import encoder; from messages.replies import read; read('hello');"
        "print(encoder.cache_info().currsize)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "1"
