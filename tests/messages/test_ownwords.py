"""What a clinic is told of its own words before they are in force."""

import pytest

from messages import datafiles
from messages.errors import LexiconError
from messages.ownwords import warnings
from messages.reading import Severity
from tests.messages.reply_cases import reading


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"stop": {"say": ["done with your pings", "done with your pings"]}}, "leave it out"),
        ({"self_harm": {"say": ["killing me"]}}, "'my back is killing me' was unclear"),
        ({"worry": {"say": ["my (dog|cat) .. passed"]}}, "would be unclear call_today"),
        ({"self_harm": {"say": ["can't do this"]}}, "never found"),
        ({"self_harm": {"say": ["No puedo más"]}}, "never found"),
    ],
    ids=["twice", "pages", "calls", "apostrophe", "capital and accent"],
)
def test_a_doubtful_phrase_is_told_with_its_place(
    words: dict[str, dict[str, list[str]]], told: str
) -> None:
    """Twice there, wide enough to change an everyday reply, or written as no reply is."""
    found = warnings({"en": words})
    ((category, parts),) = words.items()
    assert [each for each in found if each.startswith(f"words.en.{category}.")] == found
    assert any(told in each for each in found), found
    assert all(repr(parts["say"][0]) in each for each in found)


def test_a_phrase_that_the_lists_hold_for_something_else_is_told() -> None:
    """What they call everyday can't be danger, and a stop is no side effect."""
    files = datafiles.load("lexicon/en.yaml")
    everyday, stop = files["self_harm"]["not"][0], files["stop"]["say"][0]
    own = {"self_harm": {"say": [everyday]}, "side_effect": {"say": [stop]}}
    found = warnings({"en": own})
    assert any(everyday in each and "self_harm.not, which says otherwise" in each for each in found)
    assert any(stop in each and "stop.say, which says otherwise" in each for each in found)


def test_a_phrase_of_its_own_is_taken_without_a_word() -> None:
    """No warning where there is nothing to mend."""
    assert warnings({"en": {"stop": {"say": ["no more of these pigeons"]}}, "es": {}}) == []


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ({"en": {"stop": {"say": [""]}}}, "en.stop.say: The phrase '' has an empty choice"),
        ({"en": {"stopp": {"say": ["x"]}}}, 'no category "stopp"'),
        ({"fr": {}}, 'language "fr"'),
        ({"en": {"stop": {"not": ["x"]}}}, "cannot be added to"),
    ],
)
def test_words_that_could_not_be_in_force_are_refused(
    words: dict[str, dict[str, dict[str, list[str]]]], place: str
) -> None:
    """An empty phrase, an unknown category or language, and a danger made smaller."""
    with pytest.raises(LexiconError, match=place):
        warnings(words)


def test_no_everyday_reply_pages_anyone() -> None:
    """The replies that own words are tried on are none of danger with the shipped lists."""
    paging = [
        reply
        for context, replies in datafiles.load("data/everyday.yaml").items()
        for reply in replies
        if reading(reply, *(() if context == "none" else (context,))).severity is Severity.page_now
    ]
    assert paging == []
