"""Floors under how well replies are read that nobody looked at while writing the rules.

Only counts are compared and shown: whoever writes rules must not learn the texts from a failure.
Raise a floor when the reading got better; `python -m tests.corpus.reading tests/corpus/heldout.csv`
prints all figures.
"""

from functools import cache

from messages.judging import Report
from messages.reading import Intent
from tests.corpus.reading import HELD_OUT, corpus, rows


@cache
def _told() -> Report:
    return corpus(HELD_OUT)


def test_the_examination_is_broad() -> None:
    """At least three hundred replies, every intent, about two of five in Spanish."""
    languages = [row["language"] for row in rows(HELD_OUT)]

    assert len(languages) >= 300
    assert 0.3 <= languages.count("es") / len(languages) <= 0.45
    assert {line.intent for line in _told().lines} == set(Intent)


def test_the_share_read_right_does_not_fall() -> None:
    """Of all replies; a reply is right when intent, value, urgency and all else are."""
    assert _told().right >= 0.76


def test_no_more_danger_is_missed_than_was() -> None:
    """Texts that must page and do not."""
    assert _told().missed_safety <= 16


def test_no_more_stops_are_missed_than_were() -> None:
    """Stops read as something else."""
    assert _told().missed_stops <= 14


def test_no_more_numbers_are_wrong_than_were() -> None:
    """Numbers recorded that the patient did not give; asking again is not wrong."""
    assert _told().wrong_scores <= 6


def test_no_more_everyday_words_page_than_did() -> None:
    """Everyday phrases that page somebody, or stop texts."""
    assert _told().false_pages <= 26
    assert _told().false_stops <= 5
