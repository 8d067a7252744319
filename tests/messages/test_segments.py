"""How many billed parts a text takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.segments import Encoding, Segments, count, outside_gsm

# Written out from the standard a second time, so that a slip in the product's table shows.
PLAIN = set(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "@ !\"#%&'()*+,-./:;<=>?_$\n\r£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà"
)
DOUBLE = set("^{}\\[]~|€\f")


def slowly(text: str) -> Segments:
    """Count letter by letter, as the standard tells it."""
    gsm = all(letter in PLAIN or letter in DOUBLE for letter in text)
    if gsm:
        costs, one, part = [2 if letter in DOUBLE else 1 for letter in text], 160, 153
    else:
        costs, one, part = [2 if ord(letter) > 0xFFFF else 1 for letter in text], 70, 67
    segments = 0
    if sum(costs) > one:
        room = 0
        for cost in costs:
            if cost > room:
                segments, room = segments + 1, part
            room -= cost
    elif costs:
        segments = 1
    encoding = Encoding.gsm7 if gsm else Encoding.ucs2
    return Segments(encoding=encoding, units=sum(costs), segments=segments)


GSM_TEXT = st.text(st.sampled_from(sorted(PLAIN | DOUBLE)), max_size=500)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(text=st.one_of(GSM_TEXT, ANY_TEXT))
def test_count_agrees_with_a_letter_by_letter_counter(text):
    """An independent counter and ours never differ (rule 23)."""
    assert count(text) == slowly(text)


def test_the_alphabet_has_its_128_places():
    """127 letters and the escape that introduces the ten of the extension."""
    assert (len(PLAIN), len(DOUBLE)) == (127, 10)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 0),
        ("a", "GSM-7", 1, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("é ñ ü ¿ ¡", "GSM-7", 9, 1),
        ("á", "UCS-2", 1, 1),
        ("á" * 70, "UCS-2", 70, 1),
        ("á" * 71, "UCS-2", 71, 2),
        ("👍", "UCS-2", 2, 1),
        ("it\u2019s", "UCS-2", 4, 1),
    ],
)
def test_known_sizes(text, encoding, units, segments):
    """Borders of a part, letters of two units, and what flips the alphabet."""
    found = count(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, segments)


@pytest.mark.parametrize(
    ("text", "letter"), [("sáb", "á"), ("8:00\u202fAM", "\u202f"), ("ok", None)]
)
def test_the_first_letter_outside_is_named(text, letter):
    """Whoever words a text is told which letter costs them."""
    assert outside_gsm(text) == letter
