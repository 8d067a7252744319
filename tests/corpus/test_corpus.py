"""Floors under how well the open corpus is read; `make corpus` prints every miss."""

from functools import cache

from messages.judging import Report
from messages.reading import Intent
from tests.corpus.reading import corpus


@cache
def _told() -> Report:
    return corpus()


def test_the_corpus_is_broad() -> None:
    """Over five hundred and fifty replies, every intent among them."""
    assert _told().rows >= 550
    assert {line.intent for line in _told().lines} == set(Intent)


def test_nothing_grave_is_missed() -> None:
    """No safety text, no stop, and no number is recorded that was not meant."""
    told = _told()
    assert (told.missed_safety, told.missed_stops, told.wrong_scores) == (0, 0, 0)


def test_everyday_phrases_neither_page_nor_stop() -> None:
    """A false page at night teaches staff to ignore pages."""
    assert (_told().false_pages, _told().false_stops) == (0, 0)


def test_the_share_read_right_does_not_fall() -> None:
    """Raise the floor when the reading got better."""
    assert _told().right >= 0.98
