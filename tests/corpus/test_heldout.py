"""Floors under how well replies are read that nobody looked at while writing the rules.

Only counts are compared and shown: whoever writes rules must not learn the texts from a failure.
Raise a floor when the reading got better; `python -m tests.corpus.examiner` prints all figures.
"""

from functools import cache

from tests.corpus.examiner import Count, count, load


@cache
def _counted() -> Count:
    return count(load())


def test_the_examination_is_broad() -> None:
    """At least three hundred replies, every intent, about two of five in Spanish."""
    counted = _counted()
    spanish, _ = counted.by_language["es"]

    assert counted.cases >= 300
    assert 0.35 <= spanish / counted.cases <= 0.45
    assert len(counted.by_intent) == 19


def test_the_share_read_right_does_not_fall() -> None:
    """Of all replies; a reply is right when intent, value, urgency and all else are."""
    assert _counted().share >= 0.84


def test_no_more_danger_is_missed_than_was() -> None:
    """Texts that must page and do not."""
    assert _counted().safety_missed <= 13


def test_no_more_stops_are_missed_than_were() -> None:
    """Stops read as something else."""
    assert _counted().stops_missed <= 1


def test_no_more_numbers_are_wrong_than_were() -> None:
    """Numbers recorded that the patient did not give; asking again is not wrong."""
    assert _counted().scores_wrong <= 3


def test_no_more_everyday_words_page_than_did() -> None:
    """Everyday phrases that page somebody, or stop texts."""
    assert _counted().false_pages <= 4
    assert _counted().false_stops <= 0
