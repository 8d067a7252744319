"""How well replies are read: expected readings against found ones, counted per intent.

A clinic that extends the word lists measures the effect on a file of its own replies; the tests
hold the shipped lists to a floor with the same count.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from messages.reading import Intent, Reading, Severity

#: Intents of danger: reading one as another still reaches a person at once.
SAFETY = frozenset({Intent.crisis, Intent.overdose, Intent.medical_emergency})
#: What a row may say must never happen, besides an intent by its name.
PAGE, STOP = "page", "stop"
NEVER = frozenset({PAGE, *(intent.value for intent in Intent)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a text should be read as; what is left empty is not judged.

    Where a careful person would accept more than one intent, value or urgency, any named is right.
    """

    intents: frozenset[Intent] = frozenset()
    values: frozenset[str] = frozenset()
    also: frozenset[Intent] = frozenset()
    severities: frozenset[Severity] = frozenset()
    never: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One text with what was expected and found, and what is wrong in plain words."""

    context: str
    text: str = field(repr=False)
    expected: Expected
    found: Reading
    faults: tuple[str, ...]

    @property
    def wanted(self) -> Intent | None:
        """The intent that was expected: where several would do, the one found if it is one."""
        if self.found.intent in self.expected.intents:
            return self.found.intent
        return min(self.expected.intents, default=None)


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
    dangers: int
    missed_safety: int
    missed_stops: int
    wrong_scores: int
    false_pages: int
    false_stops: int

    @property
    def right(self) -> float:
        """The part of all rows without a fault."""
        return 1 - len(self.misses) / self.rows if self.rows else 1.0


def expected_of(row: Mapping[str, str | None]) -> Expected:
    """Read what a row of a file expects: several right ones parted by "|", lists by spaces.

    Raises ValueError with the word that is no intent, no severity, or nothing to be ruled out.
    """
    never = frozenset(_words(row.get("never"), " "))
    if never - NEVER:
        raise ValueError(f"{min(never - NEVER)!r} is nothing that `never` knows")
    return Expected(
        intents=frozenset(map(Intent, _words(row.get("intent"), "|"))),
        values=frozenset(_words(row.get("value"), "|")),
        also=frozenset(map(Intent, _words(row.get("also"), " "))),
        severities=frozenset(map(Severity, _words(row.get("severity"), "|"))),
        never=never,
    )


def _words(cell: str | None, separator: str) -> list[str]:
    return [word.strip() for word in (cell or "").split(separator) if word.strip()]


def judge(context: str, text: str, expected: Expected, found: Reading) -> Judged:
    """Compare one reading with what was expected of it."""
    faults = tuple(_faults(expected, found))
    return Judged(context=context, text=text, expected=expected, found=found, faults=faults)


def _faults(expected: Expected, found: Reading) -> Iterable[str]:
    if expected.intents and found.intent not in expected.intents:
        yield f"{'|'.join(sorted(expected.intents))} was read as {found.intent}"
    elif _another_value(expected, found):
        yield f"{'|'.join(sorted(expected.values))} was read as {found.value or 'nothing'}"
    missing = expected.also - {found.intent, *found.also}
    if missing:
        yield f"{' '.join(sorted(missing))} was lost"
    if expected.severities and found.severity not in expected.severities:
        yield f"{'|'.join(sorted(expected.severities))} became {found.severity or 'nothing'}"
    for never in sorted(expected.never):
        if _happens(never, found):
            yield f"it must not {never}"


def _another_value(expected: Expected, found: Reading) -> bool:
    """Say whether the value is another one; of several intents, only some may have one."""
    valued = {Intent.score, Intent.score_out_of_range, Intent.crisis, Intent.stop}
    bears = len(expected.intents) <= 1 or found.intent in valued
    return bool(expected.values) and bears and found.value not in expected.values


def _happens(never: str, found: Reading) -> bool:
    if never == PAGE:
        return found.severity is Severity.page_now
    return never in {found.intent, *found.also} or (never == STOP and found.opt_out)


def report(judged: Sequence[Judged]) -> Report:
    """Count a file's readings."""
    return Report(
        rows=len(judged),
        lines=tuple(_lines(judged)),
        misses=tuple(each for each in judged if each.faults),
        dangers=sum(map(_is_dangerous, judged)),
        missed_safety=sum(_is_dangerous(each) and not _reaches(each.found) for each in judged),
        missed_stops=sum(_asks_to_stop(each) and not each.found.opt_out for each in judged),
        wrong_scores=sum(map(_wrong_score, judged)),
        false_pages=sum(_pages_falsely(each) for each in judged),
        false_stops=sum(_stops_falsely(each) for each in judged),
    )


def _lines(judged: Sequence[Judged]) -> Iterable[Line]:
    told = [each for each in judged if each.expected.intents]
    expected = Counter(each.wanted for each in told)
    found = Counter(each.found.intent for each in told)
    right = Counter(each.found.intent for each in told if each.found.intent is each.wanted)
    for intent in Intent:
        if expected[intent] or found[intent]:
            yield Line(
                intent=intent,
                expected=expected[intent],
                found=found[intent],
                right=right[intent],
            )


def _is_dangerous(each: Judged) -> bool:
    """Say whether a text has to page; one that may be read as no danger need not."""
    expected = each.expected
    surely = bool(expected.intents) and expected.intents <= SAFETY
    listed = surely or bool(expected.also & SAFETY)
    return expected.severities == {Severity.page_now} or (listed and not expected.severities)


def _reaches(found: Reading) -> bool:
    return found.severity is Severity.page_now


_LEAVES = frozenset({Intent.stop, Intent.wrong_number})


def _asks_to_stop(each: Judged) -> bool:
    expected = each.expected
    surely = bool(expected.intents) and expected.intents <= _LEAVES
    return surely or bool(expected.also & _LEAVES)


def _wrong_score(each: Judged) -> bool:
    """Say whether a number was recorded that was not meant, or recorded as another."""
    expected = each.expected
    if each.found.intent is not Intent.score:
        return False
    if not expected.intents:
        return Intent.score in expected.never
    meant = not expected.values or each.found.value in expected.values
    return Intent.score not in expected.intents or not meant


def _pages_falsely(each: Judged) -> bool:
    expected = each.expected
    may = not expected.intents or _is_dangerous(each) or bool(expected.intents & SAFETY)
    return _reaches(each.found) and (PAGE in expected.never or not may)


def _stops_falsely(each: Judged) -> bool:
    expected = each.expected
    may = not expected.intents or _asks_to_stop(each) or bool(expected.intents & _LEAVES)
    return each.found.opt_out and (STOP in expected.never or not may)


def table(told: Report, *, texts: bool = True) -> str:
    """Return a report in words, the misses last with their texts, unless those stay unread."""
    lines = [
        f"{told.rows} rows, {told.right:.1%} right",
        f"missed: safety {told.missed_safety} of {told.dangers}, stops {told.missed_stops}",
        f"wrong: scores {told.wrong_scores}, pages {told.false_pages}, stops {told.false_stops}",
        f"{'intent':20} {'wanted':>6} {'recall':>7} {'precision':>9}",
    ]
    lines += [
        f"{line.intent:20} {line.expected:6} {line.recall:7.2f} {line.precision:9.2f}"
        for line in told.lines
    ]
    if texts:
        lines += [f"{each.context}: {each.text}: {'; '.join(each.faults)}" for each in told.misses]
    return "\n".join(lines)
