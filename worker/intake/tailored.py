"""What one patient wants otherwise, as cells of `patients.csv` and as values on record."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from schedules import phrases
from schedules.phrases import PhraseError
from schedules.protocol import Phase
from worker.intake import values
from worker.intake.table import CellError

LANGUAGES = ("en", "es")


def substances(text: str) -> list[str]:
    """Read substances parted by semicolons."""
    return [part.strip().casefold() for part in text.split(";") if part.strip()]


def cadences(text: str) -> tuple[str, ...]:
    """Read `daily: every 2 days; days_off_plan: from day 28 to day 84, every 14 days`."""
    rules = values.several(text)
    try:
        read(rules)
    except PhraseError as error:
        raise CellError(f"{error.message}. {error.mend}") from None
    return rules


def read(rules: Sequence[str]) -> Mapping[str, int | tuple[Phase, ...]]:
    """Return each step's own rhythm: so many days between two questions, or its phases.

    Raises PhraseError for what can't be read, and for phases of a step that overlap.
    """
    found: dict[str, list[int | Phase]] = defaultdict(list)
    for rule in rules:
        step, rhythm = phrases.cadence(rule)
        found[step].append(rhythm)
    return {step: _one(step, rhythms) for step, rhythms in found.items()}


def _one(step: str, rhythms: Sequence[int | Phase]) -> int | tuple[Phase, ...]:
    phases = [rhythm for rhythm in rhythms if isinstance(rhythm, Phase)]
    if not phases and len(rhythms) == 1 and isinstance(rhythms[0], int):
        return rhythms[0]
    if len(phases) < len(rhythms):
        raise PhraseError(f"`{step}` has two rhythms", "Keep one, or write phases for all days")
    phases.sort(key=lambda phase: phase.first_day)
    for earlier, later in pairwise(phases):
        if later.first_day <= earlier.last_day:
            mend = f"Start the later one on day {earlier.last_day + 1} or after it"
            raise PhraseError(f"the phases of `{step}` overlap", mend)
    return tuple(phases)
