"""What the repository holds, for the tests of house rules."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("schedules", "messages", "records", "worker", "web", "cli", "sandbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of the product and its length in lines, decorators left out."""

    place: str
    lines: int


def modules() -> list[Path]:
    """Return the product's modules; migrations are history and keep their shape."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if "versions" not in path.parts)


def functions() -> Iterator[Function]:
    """Yield every function and method of the product."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Function(
                    place=f"{path.relative_to(ROOT)}:{node.lineno} {node.name}",
                    lines=(node.end_lineno or node.lineno) - node.lineno + 1,
                )


@cache
def kept_files() -> list[Path]:
    """Return the files that git keeps or would keep; outside a repository the test is skipped."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git repository, so nobody says which files belong to it")
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def kept(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield (place, found) for all that matches in the text that git keeps."""
    wanted = re.compile(pattern, re.MULTILINE)
    for path in kept_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        # Tens of megabytes are searched whole, not by lines: that takes a third of the time.
        for found in wanted.finditer(text):
            number = text.count("\n", 0, found.start()) + 1
            yield f"{path.relative_to(ROOT)}:{number}", found[0]
