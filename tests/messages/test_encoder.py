"""The language model: its arithmetic, and that it was taught the corpora."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import datafiles
from messages.classifier import classifier
from messages.encoder import MOST_PIECES, PIECES, WEIGHTS, encoder, parse
from messages.errors import LexiconError
from messages.neural import network
from tests.corpus.reading import digest

TEXTS = st.text(max_size=80)
# The last is a kind of question that no file holds.
ASKED = st.sampled_from(
    ((), ("none",), ("craving_scale", "yes_no"), ("scale:0-7",), ("sleep_diary",))
)


@cache
def shipped() -> tuple[bytes, bytes]:
    return datafiles.bytes_of(WEIGHTS), datafiles.bytes_of(PIECES)


def test_the_model_was_taught_the_corpora_as_they_are() -> None:
    """Whoever changes a row or a concept runs `make classifier`."""
    assert encoder().corpora == digest()


@given(text=TEXTS, asked=ASKED)
def test_its_probabilities_add_up_to_one(text: str, asked: tuple[str, ...]) -> None:
    """Whatever is said, in whatever letters, and whatever was asked."""
    found = encoder().likeness(text, asked)
    assert sum(found.first.values()) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in found.said.values())


def test_all_readers_name_the_same_things() -> None:
    """Their probabilities are put together label by label."""
    assert set(encoder().labels) == set(network().labels) == set(classifier().model.labels)
    assert set(encoder().said) == set(network().said)


def test_the_longest_text_is_read_to_its_end() -> None:
    """1,600 letters of whatever words; beyond them nothing is sent."""
    text = "no me siento bien y quiero hablar con alguien de la clinica hoy mismo por favor " * 20
    before, after = encoder().likeness(text), encoder().likeness(text[:1580] + " i took them all")
    assert before.first != pytest.approx(after.first)


@pytest.mark.parametrize(
    "text", ["", " ", "\U0001f9ff", "x" * 5_000, "\u0634\u0643\u0631\u0627 " * 900]
)
def test_no_text_is_too_short_too_strange_or_too_long(text: str) -> None:
    """What has no piece, or too many, is read like any other."""
    assert sum(encoder().likeness(text).first.values()) == pytest.approx(1)


def test_what_was_asked_is_heard() -> None:
    """The same words answer one question, and not another."""
    text = "my truck is in the shop"
    there = encoder().likeness(text, ("appointment_reminder",))
    here = encoder().likeness(text, ("craving_scale",))
    assert there.first["decline_reschedule"] > here.first["decline_reschedule"]


def test_words_of_no_reply_are_understood_by_their_meaning() -> None:
    """No file of the corpora holds a defenestration."""
    found = encoder().likeness("im thinking of defenestrating myself")
    assert found.first["crisis:self_harm"] > 0.5


@pytest.mark.parametrize("cut", [0, 1, 1_000])
def test_a_broken_file_is_refused_with_the_mend(cut: int) -> None:
    """It names the files and what writes them."""
    model, pieces = shipped()
    for broken in ((model[:cut], pieces), (model, pieces[:cut])):
        with pytest.raises(LexiconError, match=r"(?s)data/encoder\.onnx .* `make classifier`"):
            parse(*broken)


def test_a_model_that_tells_nothing_of_itself_is_refused() -> None:
    """Without its labels its numbers mean nothing."""
    model, pieces = shipped()
    with pytest.raises(LexiconError, match="make classifier"):
        parse(model.replace(b"labels", b"lebals"), pieces)


def test_it_hears_as_many_pieces_as_it_can() -> None:
    """A text of as many letters as a carrier takes has fewer."""
    assert len(encoder().pieces.encode("ansiedad " * 178)) < MOST_PIECES
