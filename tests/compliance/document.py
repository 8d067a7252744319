"""docs/compliance.md: what the rules are, how each is kept, and what proves it."""

from tests.compliance.registry import APPROVALS, MONTHS, PROMISES, RULES
from tests.compliance.rules import Promise, Rule
from tests.support.source import ROOT

DOCUMENT = ROOT / "docs" / "compliance.md"

_HEAD = """\
# Compliance: the rules, and what proves that they are kept

Written by `make sabotage`, and only when every rule's tests noticed that the rule was broken: for
each, one line of a copy of the product is changed, the rule's own tests are run on it, and they
have to fail. Change [tests/compliance/registry.py](../tests/compliance/registry.py), not this file.

The rules are in our own words. Numbers are those of the compliance checklist (consent, stopping,
incoming texts) and of the care rules that clinic and patients need. This is no legal advice: have
counsel look at consent wording, windows and keywords before you text patients.
"""

_OPEN = """
## Open

What the product does not do yet; each has a test that is marked as failing, and that fails
`make test` once it passes.
"""

_PROMISES = """
## The send path

The same is done with the core promises: a planted fault, and the test that has to notice.

| promise | test | what if |
|---|---|---|
"""


_APPROVALS = """
## Approvals

And with what care rule 28 asks for beside the second person:

| promise | test | what if |
|---|---|---|
"""

_MONTHS = """
## A simulated month

The same once more with nothing to go by but what patients got: a month of fifty patients is lived
on a product with a planted fault, and the simulation (docs/simulation.md) has to say that a
promise was broken.

| promise | test | what if |
|---|---|---|
"""


def render() -> str:
    """Return the document for the registry and the tests as they are."""
    rules = "\n".join(map(_of, RULES))
    promises = "".join(map(_row, PROMISES))
    approvals = _APPROVALS + "".join(map(_row, APPROVALS))
    months = _MONTHS + "".join(map(_row, MONTHS))
    return _HEAD + rules + "\n" + _OPEN + "\n" + _open() + _PROMISES + promises + approvals + months


def _of(rule: Rule) -> str:
    lines = [f"\n## {title(rule)}\n", rule.words, ""]
    lines.append(f"- How: {rule.how}")
    lines += [f"- Test: `{test.name}` in [{test.file}](../{test.file})" for test in rule.kept]
    if rule.sabotage is not None:
        where = f"[{rule.sabotage.file}](../{rule.sabotage.file})"
        lines.append(f"- Sabotage: what if {rule.sabotage.what}? (a line of {where})")
    lines += [f"- Open: {test.missing} (`{test.name}`)." for test in rule.tests if test.missing]
    return "\n".join(lines)


def title(rule: Rule) -> str:
    """Return the heading of a rule."""
    return f"Care rule {rule.id.removeprefix('care ')}" if "care" in rule.id else f"Rule {rule.id}"


def _open() -> str:
    rows = [
        f"- {title(rule)}: {missing}." for rule in RULES for missing in dict.fromkeys(rule.open)
    ]
    return "\n".join(rows or ["- Nothing."]) + "\n"


def _row(promise: Promise) -> str:
    return f"| {promise.words} | `{promise.node}` | {promise.sabotage.what} |\n"
