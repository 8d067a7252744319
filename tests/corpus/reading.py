"""Reads files of replies and judges each row.

`make corpus` prints how the open files are read, with every miss. With a file's name as argument it
prints the figures of that file alone and none of its texts: so the held-out replies stay unread.
"""

import csv
import hashlib
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from messages.binding import lies_on
from messages.judging import Judged, Report, expected_of, judge, report, table
from messages.lexicon import lexicon
from messages.reading import OpenPrompt, Reading
from messages.replies import read

HERE = Path(__file__).parent
#: Written by people who saw neither the rules nor each other's texts, and never read since: one by
#: somebody who tried to be missed, one with what such a service receives on its days.
HELD_OUT = tuple(sorted(HERE.glob("heldout*.csv")))
#: What rules may be written after, and what the classifier learns from.
OPEN = tuple(sorted(path for path in HERE.glob("*.csv") if path not in HELD_OUT))
#: What no reader learned, and weights and thresholds were chosen by. Anybody may look at these.
CHOSEN_BY = tuple(sorted((HERE / "choosing").glob("*.csv")))
#: What was decided after a file was written. Its rows stay, as the classifier is named after them.
_DECIDED_SINCE = {
    ("craving_scale", "8 maybe 9"): {"intent": "score", "value": "9", "never": ""},
}
_ASKED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rows(file: Path) -> list[dict[str, str]]:
    """Return a file's rows as they stand."""
    with file.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@cache
def judged(file: Path, most: int | None = None) -> tuple[Judged, ...]:
    """Return a file's rows, or some `most` from all over it, as found; read once a process."""
    found = rows(file)
    every = 1 if most is None else max(1, round(len(found) / most))
    return tuple(_judged(row) for row in found[::every])


def _judged(row: dict[str, str]) -> Judged:
    context = row["context"]
    row = row | _DECIDED_SINCE.get((context, row["text"]), {})
    found = read(row["text"], prompts=() if context == "none" else (open_prompt(context),))
    return judge(context, row["text"], expected_of(row | _half_decided(row, found)), found)


def _half_decided(row: dict[str, str], found: Reading) -> dict[str, str]:
    """Expect a half that lies on its scale as an answer, where the writer had it asked again.

    That it is recorded as written was decided later. Whoever expected a number is held to it.
    """
    half = found.number is not None and "." in found.number
    asked_again = "score_out_of_range" in row["intent"] and "score" not in row["intent"].split("|")
    if half and asked_again and lies_on(row["context"], found.number or ""):
        return {"intent": "score", "value": found.number or "", "never": "", "severity": ""}
    return {}


def open_prompt(context: str) -> OpenPrompt:
    """Return a question of this kind that is open."""
    until = _ASKED_AT + timedelta(days=1)
    return OpenPrompt(id="1", context=context, asked_at=_ASKED_AT, until=until)


def digest_of_numbers() -> str:
    """Return what names the open files and the lists that say what stands around a number."""
    lists = lexicon()
    known = (
        *(lists.fillers, lists.units, lists.days, lists.present, lists.past, lists.number_words),
        *(lists.cues, lists.no_answers, lists.amounts_used, lists.yesterday, lists.dozens[1]),
    )
    words = repr([sorted(each) for each in known])
    return hashlib.sha256(f"{digest()} {words}".encode()).hexdigest()[:16]


def digest() -> str:
    """Return what names the open files: a change of any row, or of what words mean, changes it."""
    found = hashlib.sha256((HERE.parents[1] / "messages/data/concepts.yaml").read_bytes())
    for file in OPEN:
        found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()[:16]


def corpus(*files: Path, most: int | None = None) -> Report:
    """Return the report on these files, the open ones unless some are named."""
    return report([row for file in files or OPEN for row in judged(file, most)])


if __name__ == "__main__":
    named = [Path(name) for name in sys.argv[1:]]
    sys.stdout.write(table(corpus(*named), texts=not named) + "\n")
