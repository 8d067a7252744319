"""What a phone, a hurry or a joker does to a text loses no danger and no stop."""

# ruff: noqa: RUF001 - Letters that look like others are what is tested here.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors import LexiconError
from messages.lexicon import lexicon
from messages.replies import Severity, read

DANGER = (
    *("i want to die", "i took too many pills", "he is not waking up", "i cant breathe"),
    *("my husband hits me", "quiero morirme", "no despierta", "no puedo respirar", "me pega"),
    *("no quiero seguir viviendo", "everyone would be better off without me"),
)
STOPS = (
    *("stop texting me", "please quit texting me", "lose my number", "take me off this list"),
    *("ya no me manden mensajes", "dejen de escribirme", "no quiero recibir mensajes"),
)
_ALIKE = str.maketrans("aeopcxi", "\u0430\u0435\u043e\u0440\u0441\u0445\u0456")
DISGUISES = (
    str.upper,
    str.title,
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace(" ", "\n"),
    lambda text: text + "!!!",
    lambda text: text + " \U0001f622",
    "\u200b".join,
    lambda text: text.translate(_ALIKE),
    lambda text: "".join(chr(ord(each) + 0xFEE0) if each != " " else each for each in text),
    lambda text: f"\u202e{text}\u202c",
)
AROUND = st.sampled_from(["", "hi ", "hola ", "ok so ", "hey its me. ", "lol ", "C. "])


@given(
    text=st.sampled_from(DANGER),
    disguise=st.sampled_from(DISGUISES),
    before=AROUND,
    after=st.sampled_from(["", " lol", " jk", " thanks", ". call me", "?", "\nR"]),
)
def test_no_disguise_hides_danger(text, disguise, before, after):
    """Case, spaces, punctuation, emoji, invisible and look-alike letters, and chatter."""
    assert read(before + disguise(text) + after).severity is Severity.page_now


@given(
    text=st.sampled_from(STOPS),
    disguise=st.sampled_from(DISGUISES),
    before=st.sampled_from(["", "hi ", "hola ", "hey. ", "ok "]),
    after=st.sampled_from(["", "!!", " thanks", " please", ". gracias"]),
)
def test_no_disguise_hides_a_stop(text, disguise, before, after):
    """A stop in any reasonable wording (47 CFR 64.1200(a)(10))."""
    assert read(before + disguise(text) + after).opt_out


def test_a_clinic_adds_its_own_words():
    """Word lists are data: a clinic extends them and sees at once how a text would be read."""
    own = lexicon({"en": {"self_harm": {"say": ["feeling the old friend"]}}})
    assert read("feeling the old friend", words=own).urgent
    assert not read("feeling the old friend").urgent


@pytest.mark.parametrize("part", ["not", "beside"])
def test_a_clinic_takes_no_danger_away(part):
    """What is recognised as danger or as a stop can only grow."""
    with pytest.raises(LexiconError, match="cannot be added to"):
        lexicon({"en": {"self_harm": {part: ["want to die"]}}})


@pytest.mark.parametrize(
    "body", ["", " ", "\U0001f937", "x" * 1600, "\u0645\u0631\u062d\u0628\u0627", "\u200b"]
)
def test_whatever_comes_is_read(body):
    """Empty, media only, as long as a text can be, right to left, and nothing visible."""
    assert read(body).severity is Severity.next_business_day


@pytest.mark.parametrize(
    "body",
    [
        *("СТОР", "стор", "СТОП", "ΣΤΟΡ", "ѕтор", "STØP", "ꓢꓔꓳꓑ"),
        *("🆂🆃🅾🅿", "🅢🅣🅞🅟", "🇸🇹🇴🇵", "𝐒𝐓𝐎𝐏", "ＳＴＯＰ", "ⓢⓣⓞⓟ"),
        *("S\u3164TOP", "\uffa0STOP", "STOP\u115f", "STOP 7"),
    ],
)
def test_a_stop_in_letters_that_look_like_ours_stops(body):
    """Whole words of another alphabet, signs, and fillers that show nothing."""
    assert read(body).opt_out


def test_a_lone_numeral_is_never_taken_for_thanks():
    """Nobody would look at it."""
    assert read("\u2166").severity is not None
