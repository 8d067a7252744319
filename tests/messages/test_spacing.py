"""Words written letter by letter: danger and stops in them are read, and nothing else changes."""

import pytest

from messages.lexicon import lexicon
from messages.reading import Intent, Severity
from messages.spacing import closed_up
from tests.messages.reply_cases import reading

DANGERS = (
    "I w a n t t o d i e",
    "i want to d.i.e",
    "I  w a n t  t o  d i e",
    "k i l l  m y s e l f",
    "i will k i l l myself",
    "s u i c i d e",
    "K.M.S",
    "q u i e r o m o r i r",
    "o v e r d o s e",
    "thinking of s-u-i-c-i-d-e again",
)


@pytest.mark.parametrize("body", DANGERS)
def test_danger_letter_by_letter_pages(body: str) -> None:
    """Whatever was asked."""
    assert reading(body).severity is Severity.page_now
    assert reading(body, "craving_scale").severity is Severity.page_now


@pytest.mark.parametrize(
    "body", ["s.t.o.p", "s t o p", "p l e a s e s t o p", "S-T-O-P", "B a j a"]
)
def test_a_stop_letter_by_letter_stops(body: str) -> None:
    """In any spacing."""
    assert reading(body).opt_out


@pytest.mark.parametrize(
    "body", ["A B C", "D.N.R", "x y z", "3 p.m. i c u later", "Vitamin A, B, C", "C C C", "o m g"]
)
def test_letters_that_are_no_words_stay_letters(body: str) -> None:
    """Neither danger nor a stop is made of them."""
    found = reading(body)
    assert found.severity is not Severity.page_now
    assert not found.opt_out


def test_a_number_letter_by_letter_is_asked_again() -> None:
    """Only danger and stops are read so; a number has to be clear."""
    assert reading("S E V E N", "craving_scale").intent is Intent.unclear


def test_a_denial_letter_by_letter_is_one() -> None:
    """It raises no alarm."""
    assert reading("i am not s u i c i d a l").severity is not Severity.page_now


@pytest.mark.parametrize(
    ("written", "closed"),
    [
        ("i h a t e t h i s", "i hate this"),
        ("d i e", "die"),
        ("m e  q u i e r o  m o r i r", "me quiero morir"),
        ("q x z", "q x z"),
        ("o k", "o k"),
        ("a" + " b" * 400, "a" + " b" * 400),
    ],
)
def test_letters_become_the_fewest_words_that_they_are(written: str, closed: str) -> None:
    """As a whole or not at all."""
    assert closed_up(written, lexicon().spelling.known) == closed
