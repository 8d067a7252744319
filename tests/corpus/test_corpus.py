"""Floors under how well the open corpus is read; `make corpus` prints every miss.

The word lists were written after the first files and read them without a grave fault. The later
ones are by writers who try to be missed: there the floors say what lists and classifier reach.
"""

from functools import cache

import pytest

from messages.judging import Report
from messages.reading import Hint, Intent
from tests.corpus.reading import HERE, OPEN, corpus, judged, rows

FIRST = ("everyday", "health", "safety", "scores", "stops", "visits")
LATER = tuple(file.stem for file in OPEN if file.stem not in FIRST)


#: Danger and everyday texts in the same words, side by side.
TWINS = frozenset({"bodies", "twins", "twins2", "barrio", "kinds", "lapses", "leaving", "mixed"})
TWINS |= {"desk", "counted", "sessions", "spanish", "veils", "afterdose", "border", "crisisline"}
TWINS |= {"dobles", "doubles", "friends", "judges", "linea", "novel", "regulator", "tenyears"}
TWINS |= {"regions", "unthought", "apart", "enlace", "neighbours", "pastimes", "several"}
TWINS |= {"aftermath", "beside2", "concrete", "harmless", "inaudito", "negation", "unheard"}
TWINS |= {"calm", "counselor", "peers"}
TWINS |= {"ademas", "alarmas", "alarms", "grades", "hints", "indicios", "ownwords", "quiet"}
TWINS |= {"grados", "quietud", "suyas", "twofold"}
#: Long texts, most of them harmless and full of words of danger.
STORIES = frozenset({"accounts", "long", "tales", "stories", "stories2"})
# Of the later files so many rows are read, from all over each.
_MOST = 500


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
    """A false page at night teaches staff to ignore pages."""
    assert (_told(name).false_pages, _told(name).false_stops) == (0, 0)


@pytest.mark.parametrize("name", LATER)
def test_danger_in_unforeseen_words_is_mostly_found(name: str) -> None:
    """What the classifier learned from, it finds again; the held-out files tell of other texts."""
    told = _told(name)
    assert told.missed_safety <= 0.1 * told.dangers
    most = 0.18 if name in STORIES else 0.09 if name in TWINS else 0.04
    assert told.false_pages <= most * told.rows


def test_the_share_read_right_does_not_fall() -> None:
    """Raise the floor when the reading got better."""
    assert corpus(most=_MOST).right >= 0.85


def test_no_number_is_ever_guessed() -> None:
    """Numbers come from the recognisers alone: no text becomes a score by what it resembles."""
    never = {Intent.score, Intent.score_out_of_range}
    by_likeness = [
        row.text
        for file in OPEN
        for row in judged(file, _MOST)
        if row.found.hint is Hint.resembles and row.found.intent in never
    ]
    assert by_likeness == []


def test_no_text_lifts_a_stop_that_does_not_ask_for_it() -> None:
    """A wish among other words, in whatever wording, is a person's to ask about."""
    lifted = [
        row.text
        for file in OPEN
        for row in judged(file, _MOST)
        if row.found.opt_in and Intent.start not in row.expected.intents
    ]
    assert lifted == []
