"""Phone numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors import BadPhone
from messages.phone import display, last_four, masked, parse


@pytest.mark.parametrize(
    "text",
    [
        "+12125550100",
        "(212) 555-0100",
        "212.555.0100",
        "2125550100",
        "1-212-555-0100",
        " 212 555 0100 ",
        "\u202a+1 212 555 0100\u202c",
    ],
)
def test_usual_spellings_are_one_number(text):
    """What stands in an export or on a form ends as E.164."""
    assert parse(text) == "+12125550100"


@pytest.mark.parametrize("last", range(1, 10))
def test_the_carriers_test_numbers_are_numbers(last):
    """The sandbox and Twilio's test credentials answer to them."""
    assert parse(f"+1500555000{last}") == f"+1500555000{last}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("555-0100", "area code"),
        ("123", "too short"),
        ("21255501001234567", "too long"),
        ("1-800-FLOWERS", "letters"),
        ("212-555-0100 x5", "letters"),
        ("212-555-0100 #5", "extension"),
        ("---", "does not read"),
        ("000-555-0100", "no such number"),
    ],
)
def test_a_bad_number_is_named_by_its_trouble(text, reason):
    """The reason tells a coordinator what to mend."""
    with pytest.raises(BadPhone) as caught:
        parse(text)
    assert reason in caught.value.reason


@given(text=st.text(st.sampled_from("0123456789 -+()."), min_size=7))
def test_no_error_repeats_the_number(text):
    """Exception texts reach logs, and logs hold no numbers."""
    said = ""
    try:
        parse(text)
    except BadPhone as error:
        said = str(error)
    assert not any(letter.isdigit() for letter in said)


def test_screens_see_the_last_four_digits():
    """Enough to tell two patients apart, too little to call one."""
    assert (masked("+12125550100"), last_four("+12125550100")) == ("...0100", "0100")


def test_texts_print_a_number_as_people_dial_it():
    """Twelve letters, no country code at home."""
    assert display("+12125550100") == "212-555-0100"
