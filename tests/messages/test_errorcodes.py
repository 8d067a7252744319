"""What each error code of the carrier makes us do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errorcodes import ErrorClass, classify, table

CLASSES = {
    ErrorClass.permanent: [21211, 21217, 21614, 21635, 30004, 30005, 30006, 63003, 63024],
    ErrorClass.opt_out: [21610, 30640, 63014, 63033],
    ErrorClass.transient: [
        *(20429, 21611, 21612, 21730, 30001, 30003, 30008, 30017, 30020, 30021, 30022, 30023),
        *(30027, 30036, 30047, 30610, 63018, 63038),
    ],
    ErrorClass.config: [
        *(20003, 20005, 20404, 21212, 21219, 21266, 21408, 21601, 21603, 21606, 21607, 21608),
        *(21609, 21620, 21701, 21703, 21704, 21705, 30002, 30010, 30024, 30032, 30033, 30034),
        *(30035, 30409, 30450, 35111, 35114, 35115, 35117, 35118, 35125, 63036),
    ],
    ErrorClass.content: [21602, 21617, 21618, 30007, 30009, 63016],
    ErrorClass.unknown: [20500, 20503, 30410],
}


@pytest.mark.parametrize(
    ("code", "expected"),
    [(code, error_class) for error_class, codes in CLASSES.items() for code in codes],
)
def test_every_listed_code_has_its_class(code, expected):
    """The table is the one the product was specified with."""
    assert classify(code).error_class is expected


def test_the_table_holds_nothing_else_but_a_voice_twin():
    """A code that nobody listed here came in by accident."""
    listed = {code for codes in CLASSES.values() for code in codes}
    assert table().keys() - listed == {21214}


@pytest.mark.parametrize(
    ("code", "http_status", "error_class", "maybe_sent"),
    [
        (None, 429, ErrorClass.transient, False),
        (20429, 429, ErrorClass.transient, False),
        (20429, 503, ErrorClass.unknown, True),
        (None, 500, ErrorClass.unknown, True),
        (502, 502, ErrorClass.unknown, True),
        (503, None, ErrorClass.unknown, True),
        (429, None, ErrorClass.transient, False),
        (21211, 400, ErrorClass.permanent, False),
        (None, 401, ErrorClass.config, False),
        (None, 404, ErrorClass.config, False),
        (None, 400, ErrorClass.unknown, False),
        (None, None, ErrorClass.unknown, False),
        (99999, 400, ErrorClass.unknown, False),
        (99999, None, ErrorClass.unknown, False),
    ],
)
def test_http_status_decides_where_the_code_is_silent(code, http_status, error_class, maybe_sent):
    """A 5xx may have created the text whatever it says; a 429 and a 4xx have not."""
    rule = classify(code, http_status)
    assert (rule.error_class, rule.maybe_sent) == (error_class, maybe_sent)


@given(code=st.integers(min_value=600))
def test_an_unlisted_code_is_never_retried_and_alerts(code):
    """Carriers add codes without notice; the safe meaning is to stop and tell somebody."""
    rule = classify(code)
    assert code in table() or (rule.alerts and not rule.may_retry(1) and not rule.maybe_sent)


@given(code=st.sampled_from(sorted(table())), hits=st.integers(min_value=1, max_value=50))
def test_only_transient_codes_are_retried_and_not_for_ever(code, hits):
    """What is permanent, a stop, ours to mend or doubtful is never posted again by itself."""
    rule = classify(code)
    if rule.may_retry(hits):
        assert rule.error_class is ErrorClass.transient
        assert rule.retry_after_seconds is not None
        assert rule.max_hits is None or hits < rule.max_hits


def test_an_unreachable_number_becomes_permanent_on_its_second_hit():
    """21612 says "at the moment" once; twice it is the number."""
    rule = classify(21612)
    assert [rule.after(hits) for hits in (1, 2, 3)] == ["transient", "permanent", "permanent"]
    assert [rule.may_retry(hits) for hits in (1, 2)] == [True, False]


@pytest.mark.parametrize("code", [20003, 30034, 21703])
def test_trouble_of_the_whole_sender_opens_the_breaker(code):
    """Every other text would end the same way."""
    assert classify(code).opens_breaker


@pytest.mark.parametrize("code", [21408, 21608, 30450, 21211, 30007])
def test_trouble_of_one_recipient_leaves_the_breaker_closed(code):
    """One bad number must not silence a clinic."""
    assert not classify(code).opens_breaker


@pytest.mark.parametrize("code", [30005, 21211, 21614])
def test_a_number_that_cannot_be_the_patients_needs_proving_again(code):
    """It may belong to a stranger by now."""
    assert classify(code).suspends_number


def test_meanings_are_sentences_for_staff():
    """Each ends up in front of a coordinator as the reason a text failed."""
    assert all(rule.meaning[0].isupper() and rule.meaning[-1] != "." for rule in table().values())
