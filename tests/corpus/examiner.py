"""Reads the held-out replies and counts; it never prints their words.

The rules are judged on texts that whoever writes them has not seen, so this prints figures and
nothing to learn from. Run it with `python -m tests.corpus.examiner`.
"""

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from messages.reading import OpenPrompt, Reading
from messages.replies import read

HELD_OUT = Path(__file__).with_name("heldout.csv")
_ASKED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
_SAFETY = frozenset({"crisis", "overdose", "medical_emergency"})
_SCORES = frozenset({"score", "score_out_of_range"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One reply and what may, must and must not become of it.

    `intents` and `values` name what is right, any of them; `also` must be found beside the intent;
    `severities`, where given, must hold the severity; nothing of `never` may be read or done.
    """

    context: str
    text: str
    language: str
    intents: frozenset[str]
    values: frozenset[str]
    also: frozenset[str]
    severities: frozenset[str]
    never: frozenset[str]

    @property
    def label(self) -> str:
        """The only right intent, or `several` where a person would accept more than one."""
        return next(iter(self.intents)) if len(self.intents) == 1 else "several"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What came out: counts by name only, so that a failing test shows no text."""

    cases: int
    right: int
    safety_missed: int
    stops_missed: int
    scores_wrong: int
    false_pages: int
    false_stops: int
    by_intent: dict[str, tuple[int, int, int]]
    by_language: dict[str, tuple[int, int]]

    @property
    def share(self) -> float:
        """The share that is right, from 0 to 1."""
        return self.right / self.cases


def load(file: Path = HELD_OUT) -> list[Case]:
    """Return the cases of a file."""
    with file.open(newline="", encoding="utf-8") as handle:
        return [_case(row) for row in csv.DictReader(handle)]


def _case(row: dict[str, str]) -> Case:
    return Case(
        context=row["context"],
        text=row["text"],
        language=row["language"],
        intents=_set(row["intent"], "|"),
        values=_set(row["value"], "|"),
        also=_set(row["also"], ";"),
        severities=_set(row["severity"], "|"),
        never=_set(row["never"], ";"),
    )


def _set(cell: str, separator: str) -> frozenset[str]:
    return frozenset(filter(None, cell.split(separator)))


def reading(case: Case) -> Reading:
    """Read a reply as if it were the only one, with its question open."""
    asked = OpenPrompt(
        id="1", context=case.context, asked_at=_ASKED_AT, until=_ASKED_AT + timedelta(days=1)
    )
    return read(case.text, prompts=() if case.context == "none" else (asked,))


def faults(case: Case, found: Reading) -> set[str]:
    """Return in what a reading is wrong; nothing if it is right."""
    said = {str(found.intent), *map(str, found.also)}
    wrong = {f"never {name}" for name in case.never & {*said, str(found.severity)}}
    if found.intent not in case.intents:
        wrong.add("intent")
    elif found.intent in {*_SCORES, "crisis"} and case.values and not _value(case, found):
        wrong.add("value")
    if case.also - said:
        wrong.add("also")
    if case.severities and str(found.severity) not in case.severities:
        wrong.add("severity")
    return wrong


def _value(case: Case, found: Reading) -> bool:
    try:
        return float(found.value or "") in {float(value) for value in case.values}
    except ValueError:
        return found.value in case.values


def count(cases: Sequence[Case]) -> Count:
    """Read all cases and count."""
    read_all = [(case, found := reading(case), faults(case, found)) for case in cases]
    safe = [each for each in read_all if each[0].severities == {"page_now"}]
    return Count(
        cases=len(read_all),
        right=sum(not wrong for _, _, wrong in read_all),
        safety_missed=sum(found.severity != "page_now" for _, found, _ in safe),
        stops_missed=sum(_stop_missed(case, found) for case, found, _ in read_all),
        scores_wrong=sum(_score_wrong(case, found) for case, found, _ in read_all),
        false_pages=sum("never page_now" in wrong for _, _, wrong in read_all),
        false_stops=sum("never stop" in wrong for _, _, wrong in read_all),
        by_intent=_by_intent(read_all),
        by_language=_by_language(read_all),
    )


def _stop_missed(case: Case, found: Reading) -> bool:
    wanted = case.intents == {"stop"} or "stop" in case.also
    return wanted and "stop" not in {found.intent, *found.also}


def _score_wrong(case: Case, found: Reading) -> bool:
    """A score kept that the patient did not give; an unclear one is asked again and not wrong."""
    if found.intent not in _SCORES:
        return False
    return found.intent not in case.intents or bool(case.values and not _value(case, found))


def _by_intent(
    read_all: Sequence[tuple[Case, Reading, set[str]]],
) -> dict[str, tuple[int, int, int]]:
    """Return for each intent how often it was wanted, wanted and read, and read.

    Where several would be right, the one that was read is taken for the one wanted.
    """
    wanted, met, given = Counter[str](), Counter[str](), Counter[str]()
    for case, found, _ in read_all:
        name = str(found.intent)
        right = name in case.intents
        wanted[name if right else min(case.intents)] += 1
        given[name] += 1
        met[name] += right
    return {name: (wanted[name], met[name], given[name]) for name in sorted(wanted | given)}


def _by_language(
    read_all: Sequence[tuple[Case, Reading, set[str]]],
) -> dict[str, tuple[int, int]]:
    of, right = Counter[str](), Counter[str]()
    for case, _, wrong in read_all:
        of[case.language] += 1
        right[case.language] += not wrong
    return {name: (of[name], right[name]) for name in sorted(of)}


def report(counted: Count) -> str:
    """Return the figures as a table."""
    lines = [
        f"{counted.right} of {counted.cases} right ({counted.share:.1%})",
        f"missed: safety {counted.safety_missed}, stops {counted.stops_missed}",
        f"wrong: scores {counted.scores_wrong}, stops {counted.false_stops}",
        f"paged for nothing: {counted.false_pages}",
    ]
    lines += [f"{name}: {right} of {of}" for name, (of, right) in counted.by_language.items()]
    lines.append(f"{'intent':20} {'wanted':>6} {'recall':>7} {'precision':>9}")
    for name, (wanted, met, given) in counted.by_intent.items():
        recall = f"{met / wanted:.2f}" if wanted else "-"
        precision = f"{met / given:.2f}" if given else "-"
        lines.append(f"{name:20} {wanted:6} {recall:>7} {precision:>9}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(report(count(load())) + "\n")
