"""The fault list in docs/reliability.md: each of the 45 has a test that exists, or says why not."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]*)\|$", re.MULTILINE)
_TEST = re.compile(r"`([a-z_/]+)::(test_\w+)`")
_FAULT = re.compile(r'"([^"]+)"')
_FAULTS = 45
# What rows say "chaos" of without naming a row of its table.
_OF_THE_MACHINE = {"answer lost, listed late", "inbound doubled"}


def _rows() -> list[tuple[str, str, str, str]]:
    found: list[tuple[str, str, str, str]] = _ROW.findall(
        (ROOT / "docs/reliability.md").read_text("utf-8")
    )
    return found


def test_every_fault_is_covered_or_says_why_not() -> None:
    """45 rows in their order, none without a word."""
    rows = _rows()
    assert [int(row[0]) for row in rows] == list(range(1, _FAULTS + 1))
    for number, fault, covered, why_not in rows:
        assert covered.strip() not in {"", "-"} or why_not.strip(), (number, fault)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row[0]}")
def test_the_tests_that_a_row_names_exist(row: tuple[str, str, str, str]) -> None:
    """By file and name, so that a test that is renamed is missed here."""
    for file, name in _TEST.findall(row[2] + row[3]):
        source = (ROOT / "tests" / f"{file}.py").read_text("utf-8")
        assert f"def {name}(" in source, f"{file}::{name}"


def test_the_faults_of_the_chaos_run_that_rows_name_exist() -> None:
    """Names in quotes are rows of its table."""
    sources = [(ROOT / "tests/chaos" / name).read_text() for name in ("faults.py", "exhausted.py")]
    named = {name for row in _rows() for name in _FAULT.findall(row[2])} - _OF_THE_MACHINE
    points = {name for name in named if name.startswith("killed at ") and "." in name}
    for name in points:
        assert f'"{name.removeprefix("killed at ")}"' in sources[0], name
    missing = [name for name in named - points if f'"{name}"' not in "".join(sources)]
    assert missing == []
