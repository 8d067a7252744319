"""What measurements return, and the tables it is printed in."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

NO_BUDGET = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of one measurement; its values are those of the rounds."""

    what: str
    unit: str
    values: Sequence[float] = field(repr=False)
    budget: str = NO_BUDGET
    # Whether the median keeps the budget.
    keeps: Callable[[float], bool] | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def shown(self) -> str:
        middle = number(self.median)
        if len(self.values) == 1:
            return middle
        return f"{middle} [{number(min(self.values))}-{number(max(self.values))}]"

    @property
    def verdict(self) -> str:
        if self.keeps is None:
            return ""
        return "kept" if self.keeps(self.median) else "MISSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The figures of one measurement."""

    title: str
    figures: Sequence[Figure]


def number(value: float) -> str:
    """Return a value with about three digits that say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def at_least(limit: float) -> Callable[[float], bool]:
    """Return a budget's check: the more the better."""
    return lambda value: value >= limit


def at_most(limit: float) -> Callable[[float], bool]:
    """Return a budget's check: the less the better."""
    return lambda value: value <= limit


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ours by theirs, round by round: a machine's moods strike both."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


_COLUMNS = ("measurement", "median [min-max]", "unit", "budget", "", "how")


def show(sections: Iterable[Section], console: Console) -> None:
    """Print one table for reading, and its lines as plain text for keeping."""
    found = list(sections)
    table = Table(*_COLUMNS, show_lines=False)
    for section in found:
        table.add_section()
        table.add_row(f"[bold]{section.title}[/bold]")
        for each in section.figures:
            table.add_row(*_cells(each))
    console.print(table)
    for section in found:
        for each in section.figures:
            console.print(
                " | ".join([section.title, *_cells(each)]),
                soft_wrap=True,
                markup=False,
                highlight=False,
            )


def _cells(each: Figure) -> list[str]:
    return [each.what, each.shown, each.unit, each.budget, each.verdict, each.note]
