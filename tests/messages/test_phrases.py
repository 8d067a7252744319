"""The notation of the word lists."""

import random
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import datafiles
from messages.errors import LexiconError
from messages.index import Index, Listed, Said
from messages.lexicon import LANGUAGES, listed
from messages.phrases import END, Notation, words_of
from messages.wordtools import fold, fold_accents, spoken


def says(phrase: str, text: str) -> bool:
    index = Index([Listed(Notation().phrase(phrase), "say", "it", "en")])
    return "it" in Said(tuple(spoken(fold(text))), index).find("say")


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("chest pain", "I have chest pain", True),
        ("chest pain", "chestpain", False),
        ("chest pain", "orchest painting", False),
        ("vomit*", "vomiting", True),
        ("(a|b c) d", "b c d", True),
        ("(a|b c) d", "b d", False),
        ("a b? c", "a c", True),
        ("a (b|x y)? c", "a x y c", True),
        ("a .. c", "a one two three c", True),
        ("a .. c", "a one two three four c", False),
        ("a .. c", "a. c", False),
        ("a b", "a, b", False),
        ("a b", "a... b", True),
        ("NUM late", "10 late", True),
        ("(a (b|c)|d) e", "a c e", True),
        ("cant go", "can't go", True),
        ("cant go", "can\u2019t GO!", True),
        ("manana", "mañana", True),
        ("^ a b", "c, a b", True),
        ("^ a b", "c a b", False),
        ("a b $", "a b, c", True),
        ("a b $", "a b c", False),
        ("a * c", "a b c", True),
        ("b? (a|b c) d", "b b c d", True),
    ],
)
def test_the_notation(phrase, text, expected):
    """Words, endings, choices, options, gaps and numbers."""
    assert says(phrase, text) is expected


@pytest.mark.parametrize(
    "phrase",
    ["(a", "a)", "a (b|) c", "a ..", "a?", "(a)?", "", "|a", "..", "^ $", "a ?", "<nobody> a"],
)
def test_a_slip_in_a_phrase_is_said(phrase):
    """A phrase that can match nothing, or anything, is refused at start-up."""
    with pytest.raises(LexiconError, match="phrase"):
        Notation().phrase(phrase)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Can\u2019t  STOP!", "cant stop"),
        ("a, b. c", "a , b , c"),
        ("\u200b\uff21\ufe0f👍🏽", "a thumbsup"),
        ("...", ""),
        ("", ""),
        ("it\u00b4s", "its"),
    ],
)
def test_a_reply_in_its_plain_spelling(text, expected):
    """A comma between clauses, nothing invisible."""
    assert " ".join(spoken(fold(text))) == expected


def test_folding_for_the_lint_keeps_every_letter_in_place():
    """Findings point into the text as it is."""
    text = "".join(map(chr, range(0x20, 0x2100)))
    assert len(fold_accents(text)) == len(text)


def test_both_languages_ship():
    """English and Spanish from the start."""
    assert set(LANGUAGES) >= {"en", "es"}


def test_every_category_is_worded_in_both_languages():
    """A danger known in English only is missed in Spanish."""
    found: dict[str, set[tuple[str, str]]] = {}
    for each in shipped():
        found.setdefault(each.category, set()).add((each.part, each.language))
    one_sided = [
        name
        for name, parts in found.items()
        for part in ("say", "exact")
        if len({language for each, language in parts if each == part}) == 1
    ]
    assert one_sided == ["thumb"]


@cache
def shipped() -> list[Listed]:
    return list(
        listed({language: datafiles.load(f"lexicon/{language}.yaml") for language in LANGUAGES})
    )


@cache
def vocabulary() -> list[str]:
    """Return words that the shipped phrases name, and some that they don't."""
    files = [datafiles.load(f"lexicon/{language}.yaml") for language in LANGUAGES]
    named = {
        word.replace("*", "ing")
        for file in files
        for phrase in file["self_harm"]["say"] + file["stop"]["not"] + list(file["sets"].values())
        for word in words_of(phrase)
    }
    return [*sorted(named), ",", "qwertz", "190", "7"]


@given(seed=st.integers(0, 10**9), size=st.integers(0, 60))
def test_nothing_is_lost_by_looking_phrases_up(seed, size):
    """The index finds exactly what trying every phrase at every word finds."""
    chance = random.Random(seed)
    words = tuple(chance.choice(vocabulary()) for _ in range(size))
    said, part = Said(words, index()), chance.choice(["say", "not", "exact", "beside", "starts"])
    tried = {
        (each.category, start, tuple(ends))
        for each in chance.sample(shipped(), 200)
        if each.part == part
        for start in range(len(words))
        if (ends := each.piece.ends((*words, END), start))
    }
    found = {
        (category, place.start, tuple(place.ends))
        for category, places in said.find(part).items()
        for place in places
    }
    begun = {
        (category, place.start, tuple(place.ends))
        for category, places in said.starting(part).items()
        for place in places
    }
    assert tried <= found
    assert begun == {place for place in found if place[1] == 0}


@cache
def index() -> Index:
    return Index(shipped())


@given(seed=st.integers(0, 10**9), size=st.integers(0, 40))
def test_phrases_behind_others_are_found_as_if_all_had_been_listed_at_once(seed, size):
    """A clinic's own are filed behind the shipped ones, which keep their places."""
    chance = random.Random(seed)
    words = tuple(chance.choice(vocabulary()) for _ in range(size))
    at_once, in_two = Said(words, index()), Said(words, index_in_two())
    for part in ("say", "exact"):
        assert at_once.find(part) == in_two.find(part)


@cache
def index_in_two() -> Index:
    cut = len(shipped()) // 2
    return Index(shipped()[cut:], base=Index(shipped()[:cut]))
