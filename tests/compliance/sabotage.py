"""Breaks each rule in a copy of the tree, and sees that the rule's own tests fail.

    registry -> copy, one line changed -> only that rule's tests -> table, docs/compliance.md

Run it with `make sabotage`, or `python -m tests.compliance.sabotage --only 7 "care 17"`; `month`
stands for the faults that a simulated month has to find. The
document is written when everything was run and everything was caught.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.compliance.document import DOCUMENT, render
from tests.compliance.registry import APPROVALS, MONTHS, PROMISES, RULES
from tests.compliance.rules import Promise, Rule, Sabotage
from tests.support.source import ROOT

#: Each run has a PostgreSQL of its own; more than two of them crowd a small machine.
AT_ONCE = 2
#: For the tests of one rule, and for all of them together; a busy machine takes its time.
_SECONDS, _SECONDS_FOR_ALL = 900, 5400
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".state", ".*_cache", ".hypothesis", "__pycache__", "dist", "node_modules"
)
_FAILED = re.compile(r"^FAILED \S+::(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to break, and the tests that have to notice."""

    name: str
    sabotage: Sabotage
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came out: the test that failed, or pytest's last words where none did."""

    case: Case
    by: str
    seconds: float
    told: str

    @property
    def caught(self) -> bool:
        """Whether a test noticed."""
        return bool(self.by)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def of_rule(rule: Rule) -> Case | None:
    """Return what breaks a rule; None where there is nothing to break yet."""
    if rule.sabotage is None:
        return None
    nodes = tuple(test.node for test in rule.kept)
    return Case(name=f"rule {rule.id}", sabotage=rule.sabotage, nodes=nodes)


def of_promise(promise: Promise) -> Case:
    """Return what breaks a core promise."""
    return Case(name=promise.words, sabotage=promise.sabotage, nodes=(promise.node,))


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """Copy what the tests need to a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
        root = Path(folder) / "tree"
        shutil.copytree(ROOT, root, ignore=_LEFT_OUT)
        yield root


def run_tests(
    root: Path, nodes: Sequence[str], *, seconds: int = _SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run these tests on the modules of that folder. Raises TimeoutExpired after so long."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "--no-header", "--tb=no"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *nodes],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def judge(case: Case) -> Verdict:
    """Break one thing, and say whether its tests failed; a test that cannot even run is no proof.

    Raises ValueError if the line to change does not stand in its file exactly once.
    """
    started = time.monotonic()
    with copy_of_the_tree() as root:
        case.sabotage.apply(root)
        try:
            done = run_tests(root, case.nodes)
        except subprocess.TimeoutExpired:
            # What ran before is not lost for it: it counts as not noticed, and can be run again.
            _say(f"{case.name}: NOT NOTICED in time")
            told = f"It took longer than {_SECONDS} s."
            return Verdict(case=case, by="", seconds=time.monotonic() - started, told=told)
    # 1 is pytest's word for tests that failed; what could not be collected or set up is no proof.
    failed = _FAILED.search(done.stdout) if done.returncode == 1 else None
    by = failed[1] if failed else ""
    _say(f"{case.name}: {'noticed' if by else 'NOT NOTICED'}")
    told = (done.stdout + done.stderr)[-2000:]
    return Verdict(case=case, by=by, seconds=time.monotonic() - started, told=told)


def sees_the_copy() -> None:
    """Make sure that a run in a copy imports the copy's modules. Raises RuntimeError if not."""
    with copy_of_the_tree() as root:
        told = subprocess.run(
            [sys.executable, "-c", "import worker.gates; print(worker.gates.__file__)"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        if not told.startswith(str(root)):
            raise RuntimeError(f"a run in {root} imports {told.strip()}; is PYTHONPATH overridden?")


def passes_unbroken(cases: Sequence[Case]) -> bool:
    """Say whether all these tests pass while nothing is broken; else a failure means nothing."""
    nodes = sorted({node for case in cases for node in case.nodes})
    with copy_of_the_tree() as root:
        done = run_tests(root, nodes, seconds=_SECONDS_FOR_ALL)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-2000:])
    return done.returncode == 0


def table(verdicts: Sequence[Verdict], title: str) -> Table:
    """Return the verdicts as a table: what was broken, which test noticed, how long it took."""
    made = Table(title, "what was broken", "noticed by", "caught", "seconds")
    for verdict in verdicts:
        caught = "yes" if verdict.caught else "NO"
        what = verdict.case.sabotage.what
        made.add_row(verdict.case.name, what, verdict.by, caught, f"{verdict.seconds:.0f}")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Break what is asked for; return 0 if every break was noticed, 1 if one was not."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.compliance.sabotage", description=__doc__
    )
    parser.add_argument("--only", nargs="+", metavar="RULE", help='such as 7, "care 17" or month')
    parser.add_argument("--jobs", type=int, default=AT_ONCE, choices=(1, 2))
    given = parser.parse_args(arguments)
    rules = [rule for rule in RULES if given.only is None or rule.id in given.only]
    of_rules = [case for rule in rules if (case := of_rule(rule)) is not None]
    of_promises = [of_promise(each) for each in _promises(given.only)]
    sees_the_copy()
    _say("First everything unbroken ...")
    if not passes_unbroken([*of_rules, *of_promises]):
        sys.stderr.write("Tests fail although nothing is broken; mend those first.\n")
        return 1
    with ThreadPoolExecutor(given.jobs) as pool:
        verdicts = list(pool.map(judge, [*of_rules, *of_promises]))
    console = Console(width=150)
    console.print(table(verdicts[: len(of_rules)], "rule"))
    if of_promises:
        console.print(table(verdicts[len(of_rules) :], "promise"))
    return _end(verdicts, whole=given.only is None)


def _promises(only: Sequence[str] | None) -> tuple[Promise, ...]:
    if only is None:
        return (*PROMISES, *APPROVALS, *MONTHS)
    of_approvals = APPROVALS if "care 28" in only else ()
    return (*of_approvals, *(MONTHS if "month" in only else ()))


def _end(verdicts: Sequence[Verdict], *, whole: bool) -> int:
    missed = [verdict for verdict in verdicts if not verdict.caught]
    for verdict in missed:
        sys.stderr.write(f"\n{verdict.case.name} was not noticed:\n{verdict.told}\n")
    if missed:
        return 1
    if whole:
        DOCUMENT.write_text(render(), "utf-8")
        _say(f"Wrote {DOCUMENT.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
