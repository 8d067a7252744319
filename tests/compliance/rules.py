"""The rules that a test and a sabotage stand for, and the core promises of the send path.

A rule's tests are found by their names (`test_rule_07_...`, `test_care_rule_17_...`); those marked
xfail say what the product does not do yet. A sabotage changes one line: the old one has to stand
in its file exactly once, apart from its indentation.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.source import ROOT

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """One line of the product made wrong; `what` says how, as the end of "what if ...".

    What two layers hold is only broken when both are: `also` is the line of the other one.
    """

    file: str
    old: str
    new: str
    what: str
    also: "Sabotage | None" = None

    @property
    def lines(self) -> "list[Sabotage]":
        """Every line that is changed."""
        return [self, *(self.also.lines if self.also else [])]

    def count(self, root: Path = ROOT) -> int:
        """Return how often the line stands in its file."""
        lines = (root / self.file).read_text("utf-8").splitlines()
        return sum(line.strip() == self.old for line in lines)

    def apply(self, root: Path) -> None:
        """Change the lines in a copy of the tree. Raises ValueError if one is not there once."""
        if self.also is not None:
            self.also.apply(root)
        if self.count(root) != 1:
            found = self.count(root)
            raise ValueError(f"{self.file} holds this line {found} times, not once: {self.old}")
        path = root / self.file
        lines = path.read_text("utf-8").split("\n")
        [at] = [number for number, line in enumerate(lines) if line.strip() == self.old]
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        lines[at] = indent + self.new
        path.write_text("\n".join(lines), "utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test function; `missing` is what it waits for where it is marked as failing."""

    file: str
    name: str
    missing: str | None = None

    @property
    def node(self) -> str:
        """How pytest names it."""
        return f"{self.file}::{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule in our own words, how the product keeps it, and what breaks it.

    `sabotage` is None for a rule of which nothing is built yet.
    """

    id: str
    words: str
    how: str
    sabotage: Sabotage | None

    @property
    def prefix(self) -> str:
        """How the names of its tests begin."""
        kind, _, number = self.id.rpartition(" ")
        return f"test_care_rule_{number}_" if kind == "care" else f"test_rule_{int(self.id):02}_"

    @property
    def tests(self) -> tuple[Test, ...]:
        """Its tests, in the order written."""
        return tuple(test for test in all_tests() if test.name.startswith(self.prefix))

    @property
    def kept(self) -> tuple[Test, ...]:
        """Its tests that hold today."""
        return tuple(test for test in self.tests if test.missing is None)

    @property
    def open(self) -> tuple[str, ...]:
        """What the product does not do yet."""
        return tuple(test.missing for test in self.tests if test.missing is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A core promise with the test that holds it."""

    words: str
    node: str
    sabotage: Sabotage


@cache
def all_tests() -> tuple[Test, ...]:
    """Return the tests of the rules."""
    return tuple(_tests_in(sorted(HERE.glob("test_*.py"))))


def _tests_in(paths: list[Path]) -> Iterator[Test]:
    for path in paths:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                missing = next(filter(None, map(_reason, node.decorator_list)), None)
                file = str(path.relative_to(ROOT))
                yield Test(file=file, name=node.name, missing=missing)


def _reason(decorator: ast.expr) -> str | None:
    """Return the reason of a mark that says a test fails today."""
    if not isinstance(decorator, ast.Call) or not ast.unparse(decorator.func).endswith("xfail"):
        return None
    given = {word.arg: ast.literal_eval(word.value) for word in decorator.keywords}
    return str(given["reason"])
