"""What a carrier's report may do to a text's status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.status import FINAL, RANK, MessageStatus, advance, from_carrier

S = MessageStatus
REPORTED = [status for status in S if RANK[status]]
OURS = [status for status in S if not RANK[status]]


def after(start: MessageStatus, reports: list[MessageStatus], *, ours: bool = False):
    for report in reports:
        before, start = start, advance(start, report, ours=ours)
        ours = ours and start is before
    return start


@given(reports=st.lists(st.sampled_from(REPORTED), min_size=1), data=st.data())
def test_reports_in_any_order_and_number_end_the_same(reports, data):
    """Callbacks are repeated and shuffled by the carrier, and must not matter (rule 30)."""
    shuffled = data.draw(st.permutations(reports))
    repeats = data.draw(st.lists(st.sampled_from(reports)))
    assert after(S.unknown, shuffled + repeats) is after(S.unknown, reports)


@given(start=st.sampled_from(S), reports=st.lists(st.sampled_from(S)))
def test_a_status_never_regresses(start, reports):
    """Whatever comes, the rank only rises."""
    for report in reports:
        moved = advance(start, report)
        assert RANK[moved] >= RANK[start]
        start = moved


@pytest.mark.parametrize(
    ("current", "reported", "expected"),
    [
        (S.submitting, S.accepted, S.accepted),
        (S.accepted, S.sent, S.sent),
        (S.delivered, S.sent, S.delivered),
        (S.sent, S.accepted, S.sent),
        (S.undelivered, S.sent, S.undelivered),
        (S.failed, S.sent, S.failed),
        (S.undelivered, S.delivered, S.delivered),
        (S.delivered, S.undelivered, S.delivered),
        (S.failed, S.undelivered, S.undelivered),
        (S.sent, S.cancelled, S.cancelled),
        (S.accepted, S.expired, S.accepted),
        (S.accepted, S.planned, S.accepted),
    ],
)
def test_the_transition_table(current, reported, expected):
    """The later stage wins, and among last words the one that says more."""
    assert advance(current, reported) is expected


@pytest.mark.parametrize("current", OURS)
@pytest.mark.parametrize("reported", REPORTED)
def test_the_carriers_word_overrules_what_only_we_believed(current, reported):
    """A text that we gave up on, or planned again, is where the carrier says it is."""
    assert advance(current, reported) is reported


@pytest.mark.parametrize("reported", [S.accepted, S.sent, S.delivered, S.undelivered])
@pytest.mark.parametrize("current", [S.failed, S.cancelled])
def test_late_truth_corrects_our_own_conclusion(current, reported):
    """`failed` with the reason outcome_unknown was a guess, and a guess gives way."""
    assert advance(current, reported, ours=True) is reported


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("queued", S.accepted),
        ("accepted", S.accepted),
        ("scheduled", S.accepted),
        ("sending", S.accepted),
        ("sent", S.sent),
        ("delivered", S.delivered),
        ("read", S.delivered),
        ("undelivered", S.undelivered),
        ("failed", S.failed),
        ("canceled", S.cancelled),
        (" Delivered ", S.delivered),
        ("receiving", None),
        ("a-new-word", None),
        ("", None),
    ],
)
def test_carrier_words_are_known_or_none(word, expected):
    """A word that a carrier invents tomorrow is stored and is no error."""
    assert from_carrier(word) is expected


def test_final_statuses_are_those_that_end_a_text():
    """Nothing more happens by itself after these."""
    assert {str(status) for status in FINAL} == {
        "cancelled",
        "delivered",
        "expired",
        "failed",
        "skipped",
        "undelivered",
    }
