"""The network: its arithmetic, and that it was learned from the corpora."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import datafiles
from messages.errors import LexiconError
from messages.neural import PIECES, WEIGHTS, digest_of, network, parse, pieces_of
from tests.corpus.reading import digest

WORDS = st.lists(st.text("abcdeghilmnoprstuvyz0123", min_size=1, max_size=9), max_size=40)
SHIPPED = datafiles.bytes_of(WEIGHTS)
FRESH = parse(SHIPPED)
# The last is a kind of question that no file holds.
ASKED = st.sampled_from(
    ((), ("none",), ("craving_scale", "yes_no"), ("scale:0-7",), ("sleep_diary",))
)


def test_the_network_was_learned_from_the_corpora_as_they_are() -> None:
    """Whoever changes a row or a concept runs `make classifier`."""
    assert digest_of(datafiles.bytes_of(WEIGHTS)) == digest()


@given(words=WORDS, asked=ASKED)
def test_its_probabilities_add_up_to_one(words: list[str], asked: tuple[str, ...]) -> None:
    """Whatever is said, and whatever was asked; what is said besides is each for itself."""
    found = network().likeness(words, asked)
    assert sum(found.first.values()) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in found.said.values())


def test_it_hears_words_in_their_order() -> None:
    """The same words from back to front are another text."""
    words = ["no", "not", "stop", "i", "said", "yes"]
    there, back = network().likeness(words), network().likeness(words[::-1])
    assert there.first != pytest.approx(back.first)


@given(words=st.lists(st.text("abcdefg", min_size=1, max_size=9), min_size=1, max_size=9))
def test_words_that_are_kept_are_read_as_at_first(words: list[str]) -> None:
    """What is remembered of a word is what was computed of it."""
    at_first = FRESH.likeness(words)
    assert FRESH.likeness(words) == at_first == network().likeness(words)


@given(word=st.text(max_size=60))
def test_a_word_has_few_pieces_and_at_least_one(word: str) -> None:
    """However long it is, and whatever its letters."""
    found = pieces_of(word)
    assert 1 <= len(found) <= 24
    assert all(0 <= each < PIECES for each in found)


@pytest.mark.parametrize(
    "file", [b"", b"PK", b"labels\tstop\n", SHIPPED[: len(SHIPPED) // 2], SHIPPED[1000:]]
)
def test_a_broken_file_is_refused_with_the_mend(file: bytes) -> None:
    """It names the file and what writes it."""
    with pytest.raises(LexiconError, match=r"data/neural\.npz .* `make classifier`"):
        parse(file)


def test_a_file_that_lacks_a_part_is_refused_with_the_mend() -> None:
    """Even if all that stands in it is well."""

    file = io.BytesIO()
    np.savez(file, labels=np.array(["stop"]))
    with pytest.raises(LexiconError, match="make classifier"):
        parse(file.getvalue())
