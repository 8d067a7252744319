"""How well replies are read: expected readings against found ones, counted per intent.

A clinic that extends the word lists measures the effect on a file of its own replies; the tests
hold the shipped lists to a floor with the same count.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from messages.reading import Intent, Reading, Severity

#: Intents of danger: reading one as another still reaches a person at once.
SAFETY = frozenset({Intent.crisis, Intent.overdose, Intent.medical_emergency})
#: What a row may say must never happen.
NEVER = ("page", "stop", "score", "confirm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a text should be read as; what is left empty is not judged."""

    intent: Intent | None = None
    value: str | None = None
    also: tuple[Intent, ...] = ()
    severity: Severity | None = None
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One text with what was expected and found, and what is wrong in plain words."""

    context: str
    text: str = field(repr=False)
    expected: Expected
    found: Reading
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How often an intent was expected, found, and both."""

    intent: Intent
    expected: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """Of those found, the part that was right; 1 if none was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of those expected, the part that was found; 1 if none was expected."""
        return self.right / self.expected if self.expected else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole of a file: how many, how many right, and per intent."""

    rows: int
    lines: tuple[Line, ...]
    misses: tuple[Judged, ...]
    missed_safety: int
    missed_stops: int
    wrong_scores: int
    false_pages: int
    false_stops: int

    @property
    def right(self) -> float:
        """The part of all rows without a fault."""
        return 1 - len(self.misses) / self.rows if self.rows else 1.0


def judge(context: str, text: str, expected: Expected, found: Reading) -> Judged:
    """Compare one reading with what was expected of it."""
    faults = tuple(_faults(expected, found))
    return Judged(context=context, text=text, expected=expected, found=found, faults=faults)


def _faults(expected: Expected, found: Reading) -> Iterable[str]:
    if expected.intent is not None and found.intent is not expected.intent:
        yield f"{expected.intent} was read as {found.intent}"
    elif expected.value is not None and found.value != expected.value:
        yield f"{expected.value} was read as {found.value or 'nothing'}"
    missing = set(expected.also) - {found.intent, *found.also}
    if missing:
        yield f"{' '.join(sorted(missing))} was lost"
    if expected.severity is not None and found.severity is not expected.severity:
        yield f"{expected.severity} became {found.severity or 'nothing'}"
    for never in expected.never:
        if _happens(never, found):
            yield f"it must not {never}"


def _happens(never: str, found: Reading) -> bool:
    intents = {found.intent, *found.also}
    return {
        "page": found.severity is Severity.page_now,
        "stop": found.opt_out,
        "score": Intent.score in intents,
        "confirm": Intent.confirm in intents,
    }[never]


def report(judged: Sequence[Judged]) -> Report:
    """Count a file's readings."""
    return Report(
        rows=len(judged),
        lines=tuple(_lines(judged)),
        misses=tuple(each for each in judged if each.faults),
        missed_safety=sum(_is_dangerous(each) and not _reaches(each.found) for each in judged),
        missed_stops=sum(_asks_to_stop(each) and not each.found.opt_out for each in judged),
        wrong_scores=sum(map(_wrong_score, judged)),
        false_pages=sum(_pages_falsely(each) for each in judged),
        false_stops=sum(_stops_falsely(each) for each in judged),
    )


def _lines(judged: Sequence[Judged]) -> Iterable[Line]:
    told = [each for each in judged if each.expected.intent is not None]
    expected = Counter(each.expected.intent for each in told)
    found = Counter(each.found.intent for each in told)
    right = Counter(each.found.intent for each in told if each.found.intent is each.expected.intent)
    for intent in Intent:
        if expected[intent] or found[intent]:
            yield Line(
                intent=intent,
                expected=expected[intent],
                found=found[intent],
                right=right[intent],
            )


def _is_dangerous(each: Judged) -> bool:
    named = {each.expected.intent, *each.expected.also}
    return bool(named & SAFETY) or each.expected.severity is Severity.page_now


def _reaches(found: Reading) -> bool:
    return found.severity is Severity.page_now


def _asks_to_stop(each: Judged) -> bool:
    return bool({each.expected.intent, *each.expected.also} & {Intent.stop, Intent.wrong_number})


def _wrong_score(each: Judged) -> bool:
    """Say whether a number was recorded that was not meant, or recorded as another."""
    if each.found.intent is not Intent.score:
        return False
    if each.expected.intent is None:
        return "score" in each.expected.never
    meant = each.expected.intent is Intent.score and each.expected.value in (None, each.found.value)
    return not meant


def _pages_falsely(each: Judged) -> bool:
    expected = each.expected
    paged = each.found.severity is Severity.page_now
    return paged and (
        "page" in expected.never or (expected.intent is not None and not _is_dangerous(each))
    )


def _stops_falsely(each: Judged) -> bool:
    expected = each.expected
    return each.found.opt_out and (
        "stop" in expected.never or (expected.intent is not None and not _asks_to_stop(each))
    )


def table(told: Report) -> str:
    """Return a report in words, the misses last, each with its text."""
    lines = [
        f"{told.rows} rows, {told.right:.1%} right",
        f"missed: safety {told.missed_safety}, stops {told.missed_stops}",
        f"wrong: scores {told.wrong_scores}, pages {told.false_pages}, stops {told.false_stops}",
        f"{'intent':20} {'wanted':>6} {'recall':>7} {'precision':>9}",
    ]
    lines += [
        f"{line.intent:20} {line.expected:6} {line.recall:7.2f} {line.precision:9.2f}"
        for line in told.lines
    ]
    lines += [f"{each.context}: {each.text}: {'; '.join(each.faults)}" for each in told.misses]
    return "\n".join(lines)
