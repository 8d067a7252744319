"""House rule: what users of other systems complained about stays proved, thread by thread.

`tests/complaints.csv` names a test for each thread that touches scheduling: texts that go late,
twice or not at all, zones, repeats, visits that move, replies to them, and queues. A thread is a
project and a number, or a product by its name where its manual or a measurement says so.
"""

import ast
import csv
import re
from collections import defaultdict
from functools import cache

import pytest

from tests.support.source import ROOT

TABLE = ROOT / "tests" / "complaints.csv"
#: Files that hold nothing but tests of complaints, each named after its thread.
OWN = (
    "tests/schedules/test_peers_complaints.py",
    "tests/worker/test_complaints.py",
    "tests/worker/test_complaints_queues.py",
)
_THREADS = re.compile(r"([A-Za-z][\w.-]*)#(\d+)((?:,\s+#\d+)*)")


@cache
def _tests(path: str) -> dict[str, str]:
    """Return the docstrings of a file's tests by their names."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {
        node.name: " ".join((ast.get_docstring(node) or "").split())
        for node in functions
        if node.name.startswith("test_")
    }


def _named(words: str) -> set[str]:
    """Return the threads that a docstring names: "a#1, #2" are two of one project."""
    found = set()
    for project, first, more in _THREADS.findall(words):
        numbers = [first, *re.findall(r"\d+", more)]
        found |= {f"{project}#{number}" for number in numbers}
    return found


def _rows() -> list[tuple[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [(row["thread"], row["test"]) for row in csv.DictReader(file)]


def _by_test() -> dict[str, set[str]]:
    threads = defaultdict(set)
    for thread, test in _rows():
        threads[test].add(thread)
    return threads


@pytest.mark.parametrize(("thread", "test"), _rows())
def test_each_complaint_has_a_test_that_names_it(thread: str, test: str) -> None:
    """A test that is renamed, moved or dropped takes its line along, or fails here."""
    path, _, name = test.partition("::")
    words = _tests(path).get(name)
    assert words is not None, f"{test} is gone: write another test for {thread}"
    assert thread in _named(words) if "#" in thread else thread in words


def test_each_line_stands_once_and_in_order() -> None:
    """By project and number; a thread that complains of two things has two lines."""
    keys = [(*_order(thread), test) for thread, test in _rows()]
    assert keys == sorted(set(keys))


def _order(thread: str) -> tuple[str, int]:
    project, _, number = thread.lower().partition("#")
    return project, int(number or 0)


@pytest.mark.parametrize("path", OWN)
def test_each_test_of_a_complaint_is_listed_and_bears_its_name(path: str) -> None:
    """By the number of one of its threads, or by the product."""
    listed = _by_test()
    for name, words in _tests(path).items():
        threads = listed.get(f"{path}::{name}", set())
        assert threads, f"{name} stands in no line of {TABLE.name}"
        assert _named(words) == {thread for thread in threads if "#" in thread}, name
        marks = {_mark(thread) for thread in threads}
        assert any(f"_{mark}_" in name for mark in marks), (name, marks)


def _mark(thread: str) -> str:
    """Return the part of a test's name that says which thread it is about."""
    _, _, number = thread.partition("#")
    return number or re.sub(r"[^a-z0-9]+", "_", thread.lower()).strip("_")
