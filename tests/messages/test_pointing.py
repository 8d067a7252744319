"""Which number answers: where it stands decides, and never a number that is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import datafiles
from messages.pointing import WEIGHTS
from messages.reading import Intent
from messages.replies import read
from messages.weights import digest_of
from tests.corpus.reading import digest_of_numbers
from tests.messages.reply_cases import prompt

CRAVING, DAYS = "craving_scale", "scale:0-7"


def test_the_weights_were_learned_from_the_corpora_as_they_are() -> None:
    """Whoever changes a row or a list of numbers runs `make classifier`."""
    assert digest_of(datafiles.text(WEIGHTS)) == digest_of_numbers()


@pytest.mark.parametrize(
    ("context", "text", "number"),
    [
        (CRAVING, "7 had a rough day at the shop", "7"),
        (CRAVING, "played 9 holes with my brother, no beer cart. 0", "0"),
        (CRAVING, "my sister called at 4 and we talked for 2 hours, call it a 6", "6"),
        (CRAVING, "mi hija cumple 9 hoy y hay pastel. hoy un 2", "2"),
        (DAYS, "had 2 birthdays and a wedding this week. 1 day off plan", "1"),
        (CRAVING, "04", "4"),
        (CRAVING, "00", "0"),
    ],
)
def test_the_number_that_was_meant_is_recorded(context: str, text: str, number: str) -> None:
    """Whatever else in the text can be counted."""
    reading = read(text, prompts=[prompt(context)])
    assert (reading.intent, reading.value) == (Intent.score, number)


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (CRAVING, "2 grandkids here today so its loud"),
        (CRAVING, "3 en la mañana y 9 ahorita"),
        (DAYS, "every day is different you know"),
        (CRAVING, "4, no, hold on, 7"),
        (CRAVING, "5 de febrero nacio mi niño"),
    ],
)
def test_what_counts_something_else_is_no_answer(context: str, text: str) -> None:
    """A person reads it; no number is guessed."""
    assert read(text, prompts=[prompt(context)]).intent is not Intent.score


def test_a_number_beyond_the_scale_is_told_so() -> None:
    """It is never clamped, and asked for again."""
    reading = read("12 today, that bad", prompts=[prompt(CRAVING)])
    assert (reading.intent, reading.value) == (Intent.score_out_of_range, "12")


NOT_MEANT = (
    "yesterday was a 2, today is hell",
    "definitely not a 0 tonight",
    "it aint no 2",
    "way more than a 3",
    "i wish i was at a 2",
    "trying to get to a 3",
    "quiero llegar a 0",
    "no pongan 2",
    "only took 2",
    "swallowed like 9",
    "about to take 10",
    "me tome 4",
)


@pytest.mark.parametrize("text", NOT_MEANT)
def test_a_number_that_is_denied_wished_for_or_taken_is_no_answer(text: str) -> None:
    """Whatever speaks for it: a lapse must not become a low craving."""
    assert read(text, prompts=[prompt(CRAVING)]).intent is not Intent.score


@pytest.mark.parametrize(
    ("text", "number"),
    [("2 off days this week", "2"), ("no, 3", "3"), ("mas o menos un 3 diria yo", "3")],
)
def test_what_looks_like_those_still_answers(text: str, number: str) -> None:
    """Days are counted, and a no is not always a denial."""
    assert read(text, prompts=[prompt(DAYS)]).number == number


@given(text=st.text("0123456789 .,!?abcdeost\n", max_size=120))
def test_any_text_beside_a_scale_is_read(text: str) -> None:
    """A score fits the scale that was asked for, whatever stands there."""
    reading = read(text, prompts=[prompt(CRAVING)])
    assert reading.intent is not Intent.score or 0 <= float(reading.value or -1) <= 10
