"""Every command is there, says what it does with an example, and starts quickly."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.core import TyperGroup

from cli.main import COMMANDS, load
from tests.cli.conftest import Run
from tests.support.processes import ROOT

CONTRACT = (
    "db",
    "clinic",
    "staff",
    "import",
    "protocols",
    "enroll",
    "withdraw",
    "preview",
    "event",
    "patient",
    "messages",
    "replies",
    "followups",
    "history",
    "understand",
    "web",
    "worker",
    "beat",
    "sandbox",
    "followup",
    "pause",
    "unpause",
    "consent",
    "keys",
    "audit",
    "health",
    "doctor",
)
_HEAVY = ("sqlalchemy", "pydantic", "celery", "twilio", "aiohttp", "fastapi", "phonenumbers")


def _leaves(name: str, command: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(command, TyperGroup):
        for child, each in command.commands.items():
            yield from ((name, *rest) for rest in _leaves(child, each))
    else:
        yield (name,)


def _all() -> list[tuple[str, ...]]:
    return [leaf for name in COMMANDS for leaf in _leaves(name, load(name))]


def test_every_command_of_the_contract_exists() -> None:
    """Operators' scripts call them by these names."""
    assert [name for name in CONTRACT if name not in COMMANDS] == []


@pytest.mark.parametrize("words", _all(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...], run: Run) -> None:
    """The example is of this very command."""
    ran = run(*words, "--help")
    assert ran.code == 0
    said = " ".join(ran.out.split())
    if words != ("sandbox",):  # Its options are its own, printed by its own parser.
        assert re.search(rf"Example: (\S+=\S+ )?aftercare .*{words[-1]}", said), said


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_list_says_what_the_command_says(name: str) -> None:
    """One line each, ending like a sentence."""
    assert COMMANDS[name][1].endswith(".")
    assert len(COMMANDS[name][1]) < 70


def test_help_loads_nothing_heavy() -> None:
    """`aftercare --help` and a shell's completion should not wait for the database's library."""
    code = (
        "import sys; from typer.testing import CliRunner; from cli.main import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        f"print([name for name in {_HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_misspelt_command_names_the_one_that_was_meant(run: Run) -> None:
    """Exit 2: bad usage."""
    ran = run("docter")
    assert ran.code == 2
    assert "doctor" in ran.err


def test_version_is_that_of_the_package(run: Run) -> None:
    """What to tell when something is reported."""
    ran = run("--version")
    assert (ran.code, bool(re.fullmatch(r"\d+\.\d+\.\d+\S*\n", ran.out))) == (0, True)


def _questions() -> Iterator[tuple[str, str]]:
    for path in (ROOT / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "typer.confirm",
                "typer.prompt",
            }:
                given = {each.arg: ast.unparse(each.value) for each in node.keywords}
                yield f"{path.relative_to(ROOT)}:{node.lineno}", given.get("err", "False")


def test_what_is_asked_stands_on_standard_error() -> None:
    """Standard output is for results: with --json each line of it is an object."""
    found = list(_questions())
    assert len(found) >= 4
    assert [place for place, err in found if err != "True"] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_offers_completion_of_its_own(name: str) -> None:
    """A shell completes `aftercare`, or nothing."""
    assert not [each.name for each in load(name).params if "completion" in str(each.name)]


def test_examples_name_patients_and_visits_as_the_product_does() -> None:
    """P-1001 and V-2001, as in the demo: what is copied from the help works there."""
    for leaf in _all():
        command = load(leaf[0])
        for part in leaf[1:]:
            command = command.commands[part]
        assert not re.findall(r"\b[A-Z]\d{3,}\b", command.epilog or ""), leaf
