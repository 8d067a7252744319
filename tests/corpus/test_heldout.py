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
from tests.corpus.reading import HELD_OUT, HERE, corpus, rows


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
    "heldout": Floors(0.865, 4, 5, 4, 17, 2),
    # What such a service receives on its days, by two writers.
    "heldout_days": Floors(0.885, 1, 0, 2, 18, 0),
    "heldout_clinic": Floors(0.90, 4, 0, 1, 9, 1),
    # Acceptance tests by two writers.
    "heldout_fresh": Floors(0.87, 1, 1, 2, 7, 6),
}
each_file = pytest.mark.parametrize("name", FLOORS)


@cache
def _told(name: str) -> Report:
    return corpus(HERE / f"{name}.csv")


def test_every_file_of_the_examination_has_its_floors() -> None:
    """So that one that is added is judged, too."""
    assert {file.stem for file in HELD_OUT} == set(FLOORS)


@each_file
def test_the_examination_is_broad(name: str) -> None:
    """At least three hundred replies, every intent, about two of five in Spanish."""
    languages = [row["language"] for row in rows(HERE / f"{name}.csv")]

    assert len(languages) >= 300
    assert 0.3 <= languages.count("es") / len(languages) <= 0.45
    assert {line.intent for line in _told(name).lines} == set(Intent)


@each_file
def test_the_share_read_right_does_not_fall(name: str) -> None:
    """Of all replies; a reply is right when intent, value, urgency and all else are."""
    assert _told(name).right >= FLOORS[name].right


@each_file
def test_no_more_danger_is_missed_than_was(name: str) -> None:
    """Texts that must page and do not."""
    assert _told(name).missed_safety <= FLOORS[name].missed_safety


@each_file
def test_no_more_stops_are_missed_than_were(name: str) -> None:
    """Stops read as something else."""
    assert _told(name).missed_stops <= FLOORS[name].missed_stops


@each_file
def test_no_more_numbers_are_wrong_than_were(name: str) -> None:
    """Numbers recorded that the patient did not give; asking again is not wrong."""
    assert _told(name).wrong_scores <= FLOORS[name].wrong_scores


@each_file
def test_no_more_everyday_words_page_than_did(name: str) -> None:
    """Everyday phrases that page somebody, or stop texts."""
    assert _told(name).false_pages <= FLOORS[name].false_pages
    assert _told(name).false_stops <= FLOORS[name].false_stops
