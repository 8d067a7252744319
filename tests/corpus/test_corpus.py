"""Floors under how well the open corpus is read; `make corpus` prints every miss.

The word lists were written after the first files and read them without a grave fault. The later
ones are by writers who try to be missed: there the floors say what lists and classifier reach.
"""

from functools import cache

import pytest

from messages.judging import Report, report
from messages.reading import Hint, Intent
from tests.corpus.reading import HERE, OPEN, corpus, judged, rows

FIRST = ("everyday", "health", "safety", "scores", "stops", "visits")
LATER = tuple(file.stem for file in OPEN if file.stem not in FIRST)

#: Long texts, most of them harmless and full of words of danger.
STORIES = frozenset({"accounts", "long", "tales", "stories", "stories2"})
# Of the later files so many rows are read, from all over each; so many of them right at least.
_MOST, _RIGHT = 80, 0.6


@cache
def _told(name: str) -> Report:
    return corpus(HERE / f"{name}.csv", most=None if name in FIRST else _MOST)


def test_the_corpus_is_broad() -> None:
    """Thousands of replies, every intent among them."""
    found = [row for file in OPEN for row in rows(file)]
    assert len(found) >= 200_000
    assert {name for row in found for name in row["intent"].split("|") if name} == set(Intent)


@pytest.mark.parametrize("name", FIRST)
def test_nothing_grave_is_missed_in_the_first_files(name: str) -> None:
    """No safety text, no stop, and no number is recorded that was not meant."""
    told = _told(name)
    assert (told.missed_safety, told.missed_stops, told.wrong_scores) == (0, 0, 0)


@pytest.mark.parametrize("name", FIRST)
def test_everyday_phrases_neither_page_nor_stop(name: str) -> None:
    """A false page at night teaches staff to ignore pages.

    A heart that races, and blood where none belongs, page by likeness: their writer would call.
    """
    assert _told(name).false_pages <= (2 if name == "health" else 0)
    assert _told(name).false_stops == 0


@pytest.mark.parametrize("name", LATER)
def test_the_later_files_are_mostly_read_right(name: str) -> None:
    """What the readers learned from, they find again; the held-out files tell of other texts.

    Numbers come from the recognisers alone: no text becomes a score by what it resembles. And no
    text lifts a stop that does not ask for it: a wish among other words is a person's to ask about.
    """
    told, read = _told(name), judged(HERE / f"{name}.csv", _MOST)
    assert told.right >= _RIGHT
    assert told.missed_safety <= max(3, 0.1 * told.dangers)
    # Danger and everyday texts stand in the same words in many of them.
    most = 0.18 if name in STORIES else 0.1
    assert told.false_pages <= most * told.rows
    numbers = {Intent.score, Intent.score_out_of_range}
    alike = [each for each in read if each.found.hint is Hint.resembles]
    assert [each.text for each in alike if each.found.intent in numbers] == []
    lifted = [each for each in read if each.found.opt_in]
    assert [each.text for each in lifted if Intent.start not in each.expected.intents] == []


def test_the_later_files_together_are_read_no_worse_than_they_were() -> None:
    """Of few rows a file says little, all together much; move a floor when the reading got better.

    8,681 rows, 1,951 of them in danger.
    """
    told = report([row for name in LATER for row in judged(HERE / f"{name}.csv", _MOST)])
    assert told.right >= 0.855
    assert told.missed_safety <= 0.02 * told.dangers
    assert told.false_pages <= 0.025 * told.rows
    assert told.missed_stops <= 70
    assert told.false_stops <= 80
    assert told.wrong_scores <= 28
