"""Files are read without YAML's guesses, and every fault names its line and mend."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.errors import Fault, YamlFileError
from schedules.yamlfile import MAX_CHARACTERS, parse

TEXT = """\
# a comment
id: one
hours:
  mon: [no, 17:00]
  day: 2026-12-24
list:
  - {a: 1, b: 1.5, c: true, d: "5", e: }
"""


def test_words_clocks_and_dates_stay_as_written():
    """`no`, `17:00` and a date are words; numbers, true and empty are what they look like."""
    assert parse(TEXT, "f").value == {
        "id": "one",
        "hours": {"mon": ["no", "17:00"], "day": "2026-12-24"},
        "list": [{"a": 1, "b": 1.5, "c": True, "d": "5", "e": None}],
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("id",), 2),
        (("hours", "day"), 5),
        (("hours", "mon", 1), 4),
        (("list", 0, "c"), 7),
        (("hours", "sun"), 3),
        (("nothing",), 2),
    ],
)
def test_a_key_path_has_its_line_or_its_parents(path, line):
    """A missing key is to be added where its parent stands."""
    assert parse(TEXT, "f").line(path) == line


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "stands here and on line 1"),
        ("a: &x 1\n", 1, "references"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "tag"),
        ("? [1]\n: 2\n", 1, "one word"),
        ("a:\n\tb: 1\n", 2, "not readable YAML"),
        ("a: [1\n", 2, "not readable YAML"),
        ("a: \0", 0, "character"),
        ("a: 1\n---\nb: 2\n", 2, "document"),
        ("[" * 100_000, 1, "deeply"),
        ("a: [[]]\nb: " + "[" * 30 + "]" * 30, 2, "deeply"),
        ("a" * (MAX_CHARACTERS + 1), 0, "longer"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(text, line, words):
    """Each refusal is one sentence with a place."""
    with pytest.raises(YamlFileError) as caught:
        parse(text, "clinic.yaml")
    fault = caught.value.faults[0]
    assert (fault.file, fault.line) == ("clinic.yaml", line)
    assert words in fault.message
    assert fault.mend


def test_all_faults_are_reported_in_the_order_of_their_lines():
    """Two double keys are two faults."""
    with pytest.raises(YamlFileError) as caught:
        parse("a: 1\na: 2\nb: 1\nb: 2\n", "f")
    assert [fault.line for fault in caught.value.faults] == [2, 4]


def test_a_fault_reads_as_one_line():
    """file:line: message. mend."""
    fault = Fault(file="a.yaml", line=3, message="this is wrong", mend="Mend it.")
    assert str(fault) == "a.yaml:3: this is wrong. Mend it."


def test_an_open_bracket_is_told_on_its_own_line():
    """Not on the line after it, where libyaml notices."""
    with pytest.raises(YamlFileError) as refused:
        parse("a: 1\nb: [1, 2", "f")
    assert [fault.line for fault in refused.value.faults] == [2]


def test_half_a_character_is_refused():
    """What no file of UTF-8 can hold, a caller's text can."""
    with pytest.raises(YamlFileError, match="a character YAML refuses"):
        parse("a: \ud800", "f")


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    """Nothing but the product's own error comes out."""
    try:
        parse(text, "f")
    except YamlFileError as error:
        assert error.faults  # noqa: PT017 - Either way is right; a refusal must say why.
