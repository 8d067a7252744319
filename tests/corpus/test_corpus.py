"""Floors under how well the open corpus is read; `make corpus` prints every miss.

The word lists were written after the first files and read them without a grave fault. The later
ones are by writers who try to be missed: there the floors say what lists and classifier reach.
"""

from functools import cache

import pytest

from messages.judging import Judged, Report, report
from messages.reading import Hint, Intent
from tests.corpus.reading import HERE, OPEN, corpus, judged, rows

FIRST = ("everyday", "health", "safety", "scores", "stops", "visits")
LATER = tuple(file.stem for file in OPEN if file.stem not in FIRST)

#: Long texts, most of them harmless and full of words of danger.
STORIES = frozenset({"accounts", "long", "tales", "stories", "stories2"})
# Of the later files so many rows are read, from all over each; so many of them right at least.
_MOST, _RIGHT = 60, 0.6
# They are judged in so many tests, at the same time: each row is read by one.
_QUARTERS = 4
_NUMBERS = frozenset({Intent.score, Intent.score_out_of_range})


@cache
def _told(name: str) -> Report:
    return corpus(HERE / f"{name}.csv")


def _read(name: str) -> tuple[Judged, ...]:
    return judged(HERE / f"{name}.csv", _MOST)


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
    assert _told(name).false_pages <= (1 if name == "health" else 0)
    assert _told(name).false_stops == 0


@pytest.mark.parametrize("quarter", range(_QUARTERS))
def test_the_later_files_are_read_no_worse_than_they_were(quarter: int) -> None:
    """Of few rows a file says little, all together much; move a floor when the reading got better.

    A quarter of the files has some 1,630 rows, 300 to 460 of them in danger. What the readers
    learned from, they find again; the held-out files tell of other texts.
    """
    names = LATER[quarter::_QUARTERS]
    assert [name for name in names if not _mostly_right(name)] == []
    told = report([row for name in names for row in _read(name)])
    assert told.right >= 0.87
    assert told.missed_safety <= 0.025 * told.dangers
    assert told.false_pages <= 0.022 * told.rows
    assert told.missed_stops <= 12
    assert told.false_stops <= 14
    assert told.wrong_scores <= 14


def _mostly_right(name: str) -> bool:
    """Whether a file is read as one that was learned from should be.

    Numbers come from the recognisers alone: no text becomes a score by what it resembles. And no
    text lifts a stop that does not ask for it: a wish among other words is a person's to ask about.
    """
    told = report(_read(name))
    alike = [each for each in _read(name) if each.found.hint is Hint.resembles]
    lifted = [each for each in _read(name) if each.found.opt_in]
    # Danger and everyday texts stand in the same words in many of them.
    most = 0.18 if name in STORIES else 0.1
    return (
        told.right >= _RIGHT
        and told.missed_safety <= max(3, 0.1 * told.dangers)
        and told.false_pages <= most * told.rows
        and not any(each.found.intent in _NUMBERS for each in alike)
        and all(Intent.start in each.expected.intents for each in lifted)
    )
