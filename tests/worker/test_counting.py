"""How a number of things is said."""

import pytest

from worker.counting import counted


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("text",), "0 texts"),
        (1, ("text",), "1 text"),
        (2, ("text",), "2 texts"),
        (1, ("reply", "replies"), "1 reply"),
        (3, ("visit was", "visits were"), "3 visits were"),
    ],
)
def test_one_of_a_thing_is_said_as_one(number: int, words: tuple[str, ...], said: str) -> None:
    """And none as many."""
    assert counted(number, *words) == said
