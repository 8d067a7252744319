"""Reads the corpus files and judges each row; `make corpus` prints every miss."""

import csv
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from messages.judging import Expected, Judged, Report, judge, report, table
from messages.reading import Intent, OpenPrompt, Severity
from messages.replies import read

FILES = ("everyday", "health", "safety", "scores", "stops", "visits")
_ASKED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def expected(row: dict[str, str]) -> Expected:
    """Return what a row of a corpus file expects; an empty cell expects nothing."""
    return Expected(
        intent=Intent(row["intent"]) if row["intent"] else None,
        value=row["value"] or None,
        also=tuple(map(Intent, row["also"].split())),
        severity=Severity(row["severity"]) if row["severity"] else None,
        never=tuple(row["never"].split()),
    )


def judged(file: Path) -> list[Judged]:
    """Return every row of a file with what was found."""
    with file.open(newline="", encoding="utf-8") as handle:
        return [_judged(row) for row in csv.DictReader(handle)]


def _judged(row: dict[str, str]) -> Judged:
    context = row["context"]
    asked = OpenPrompt(
        id="1", context=context, asked_at=_ASKED_AT, until=_ASKED_AT + timedelta(days=1)
    )
    found = read(row["text"], prompts=() if context == "none" else (asked,))
    return judge(context, row["text"], expected(row), found)


def corpus() -> Report:
    """Return the report on all files, the held-out one apart."""
    folder = Path(__file__).parent
    return report([row for name in FILES for row in judged(folder / f"{name}.csv")])


if __name__ == "__main__":
    sys.stdout.write(table(corpus()) + "\n")
