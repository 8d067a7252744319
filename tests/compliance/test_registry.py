"""The register of rules is whole, its sabotages still fit, and the document agrees with it."""

import ast

import pytest

from tests.compliance.document import DOCUMENT, render, title
from tests.compliance.registry import APPROVALS, MONTHS, PROMISES, RULES
from tests.compliance.rules import Promise, Rule, Sabotage
from tests.support.source import ROOT

SABOTAGES = [line for rule in RULES if rule.sabotage is not None for line in rule.sabotage.lines]
SABOTAGES += [
    line for promise in (*PROMISES, *APPROVALS, *MONTHS) for line in promise.sabotage.lines
]
EXPECTED = {
    *map(str, range(1, 15)),
    *map(str, range(44, 49)),
    *(f"care {number}" for number in (17, 18, 20, 21, 22, 23, 25, 26, 28, 30)),
}


def test_every_rule_is_there_once() -> None:
    """Fourteen on consent and stopping, five on incoming texts, ten care rules."""
    assert {rule.id for rule in RULES} == EXPECTED
    assert len(RULES) == len(EXPECTED)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_test_and_a_sabotage(rule: Rule) -> None:
    """Only a rule of which nothing is built may lack a sabotage, and its test says so."""
    assert rule.tests
    assert (rule.sabotage is None) == (not rule.kept)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.what)
def test_every_sabotaged_line_stands_in_its_file_once(sabotage: Sabotage) -> None:
    """A line that was rewritten needs a new sabotage."""
    assert sabotage.count() == 1, f"{sabotage.file}: {sabotage.old}"


@pytest.mark.parametrize(
    "promise", [*PROMISES, *APPROVALS, *MONTHS], ids=lambda promise: promise.words
)
def test_every_promise_names_a_test_that_exists(promise: Promise) -> None:
    """The test that holds a promise can be found."""
    file, _, name = promise.node.partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_document_names_the_same_rules() -> None:
    """docs/compliance.md is what `make sabotage` writes today."""
    written = DOCUMENT.read_text("utf-8")

    for rule in RULES:
        assert f"\n## {title(rule)}\n" in written
    assert written == render(), "run `make sabotage`, which writes docs/compliance.md anew"
