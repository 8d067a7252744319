"""The notation of the word lists."""

import re

import pytest

from messages.errors import LexiconError
from messages.lexicon import LANGUAGES, lexicon
from messages.phrases import any_of, parse
from messages.wordtools import fold, fold_accents, spoken


def says(phrase: str, text: str) -> bool:
    pattern = re.compile(f"(?<= )(?:{any_of([phrase])})")
    return pattern.search(spoken(fold(text))) is not None


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
    ],
)
def test_the_notation(phrase, text, expected):
    """Words, endings, choices, options, gaps and numbers."""
    assert says(phrase, text) is expected


@pytest.mark.parametrize("phrase", ["(a", "a)", "a (b|) c", "a ..", "a?", "(a)?", "", "|a"])
def test_a_slip_in_a_phrase_is_said(phrase):
    """A phrase that can match nothing, or anything, is refused at start-up."""
    with pytest.raises(LexiconError, match="phrase"):
        parse(phrase)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Can\u2019t  STOP!", " cant stop "),
        ("a, b. c", " a , b , c "),
        ("\u200b\uff21\ufe0f👍🏽", " a thumbsup "),
        ("...", " "),
        ("", " "),
        ("it\u00b4s", " its "),
    ],
)
def test_a_reply_in_its_plain_spelling(text, expected):
    """One space around each word, a comma between clauses, nothing invisible."""
    assert spoken(fold(text)) == expected


def test_folding_for_the_lint_keeps_every_letter_in_place():
    """Findings point into the text as it is."""
    text = "".join(map(chr, range(0x20, 0x2100)))
    assert len(fold_accents(text)) == len(text)


def test_both_languages_ship():
    """English and Spanish from the start."""
    assert set(LANGUAGES) >= {"en", "es"}


def test_every_category_is_worded_in_both_languages():
    """A danger known in English only is missed in Spanish."""
    one_sided = [
        name
        for name, category in lexicon().categories.items()
        for pattern in (category.say or category.exact,)
        if pattern is None or not {"en", "es"} <= set(pattern.groupindex)
    ]
    assert one_sided == ["thumb"]
