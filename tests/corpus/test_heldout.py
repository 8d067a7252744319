"""Floors under how well replies are read that nobody looked at while writing the rules.

Only counts are compared and shown: whoever writes rules must not learn the texts from a failure.
Move a floor when the reading got better; `python -m tests.corpus.reading tests/corpus/heldout.csv`
prints all figures of a file.
"""

from functools import cache
from typing import NamedTuple

import pytest

from messages.judging import Report
from messages.reading import Intent
from tests.corpus.reading import CHOSEN_BY, HELD_OUT, corpus, rows


class Floors(NamedTuple):
    """The share read right at least; of the others so many at most."""

    right: float
    missed_safety: int
    missed_stops: int
    wrong_scores: int
    false_pages: int
    false_stops: int


FLOORS = {
    # By a writer who was asked to be hard to read.
    "heldout": Floors(0.885, 3, 4, 5, 13, 2),
    # What such a service receives on its days, by two writers.
    "heldout_days": Floors(0.895, 3, 0, 3, 12, 0),
    "heldout_clinic": Floors(0.935, 0, 0, 2, 5, 1),
    # Acceptance tests by two writers.
    "heldout_fresh": Floors(0.915, 2, 0, 2, 8, 3),
}
# What thresholds were chosen by is somewhat better read than what nobody looked at. Of each file
# some 150 rows from all over it.
CHOSEN = {
    "day3": Floors(0.91, 0, 0, 0, 3, 0),
    "day5": Floors(0.95, 0, 0, 0, 2, 2),
    "day4": Floors(0.96, 0, 0, 2, 2, 0),
    "exam3_en": Floors(0.885, 2, 0, 2, 2, 0),
    "exam3_es": Floors(0.87, 0, 3, 0, 5, 2),
    "exam4_en": Floors(0.94, 0, 0, 0, 0, 2),
    "exam4_es": Floors(0.91, 0, 0, 0, 3, 0),
    "exam5_en": Floors(0.835, 0, 4, 2, 4, 0),
    "exam5_es": Floors(0.9, 0, 0, 2, 5, 0),
    # By six writers more, of everything above; nothing was chosen by these yet.
    "day6": Floors(0.95, 0, 1, 0, 2, 0),
    "exam6_en": Floors(0.87, 0, 0, 3, 0, 0),
    "exam6_es": Floors(0.85, 0, 0, 5, 3, 0),
    "both6": Floors(0.815, 0, 0, 1, 4, 0),
    "hidden6": Floors(0.86, 2, 0, 2, 2, 0),
    "leave6": Floors(0.875, 0, 0, 0, 4, 3),
    # Several things at once, and few words.
    "both4": Floors(0.81, 0, 0, 2, 2, 2),
    # Danger in words that nobody lists, and as many near misses; stops, and what looks like them.
    "hidden3_en": Floors(0.78, 6, 2, 2, 10, 2),
    "hidden3_es": Floors(0.8, 7, 0, 0, 11, 0),
    # Danger told in jokes, small talk and thanks.
    "wrapped4": Floors(0.84, 6, 0, 0, 0, 0),
    "twin4": Floors(0.815, 5, 0, 2, 4, 2),
    "leave3": Floors(0.725, 2, 13, 0, 4, 3),
    "leave4": Floors(0.825, 0, 6, 0, 2, 6),
}
_MOST = 150
BY_NAME = {file.stem: file for file in (*HELD_OUT, *CHOSEN_BY)}
each_file = pytest.mark.parametrize(("name", "floors"), [*FLOORS.items(), *CHOSEN.items()])


@cache
def _told(name: str) -> Report:
    return corpus(BY_NAME[name], most=_MOST if name in CHOSEN else None)


def test_every_file_of_the_examination_has_its_floors() -> None:
    """So that one that is added is judged, too."""
    assert {file.stem for file in HELD_OUT} == set(FLOORS)
    assert {file.stem for file in CHOSEN_BY} == set(CHOSEN)


@pytest.mark.parametrize("name", FLOORS)
def test_the_examination_is_broad(name: str) -> None:
    """At least three hundred replies, every intent, about two of five in Spanish."""
    found = rows(BY_NAME[name])
    languages = [row["language"] for row in found]
    assert len(languages) >= 300
    assert 0.3 <= languages.count("es") / len(languages) <= 0.45
    intents = {intent for row in found for intent in row["intent"].split("|") if intent}
    assert intents == set(Intent)


@each_file
def test_no_file_is_read_worse_than_it_was(name: str, floors: Floors) -> None:
    """A reply is right when intent, value, urgency and all else are; asking again is not wrong."""
    told = _told(name)
    assert told.right >= floors.right
    assert told.missed_safety <= floors.missed_safety
    assert told.missed_stops <= floors.missed_stops
    assert told.wrong_scores <= floors.wrong_scores
    assert told.false_pages <= floors.false_pages
    assert told.false_stops <= floors.false_stops
