"""`python -m tests.chaos --seed 1 --minutes 5`: faults under load, then a table of what they did.

Exits with 1 when an invariant is broken. The seed decides the order of the faults and of the rest.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.account import Reckoning, Struck
from tests.chaos.run import run

_LONGEST = 40


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rate", type=int, default=6, help="texts due a second (default 6)")
    parser.add_argument("--short", action="store_true", help="the faults of the one-minute form")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    parser.add_argument("--folder", type=Path, help="keep everything there")
    return parser.parse_args()


def show(result: Reckoning, console: Console) -> None:
    """Print the table, the totals, and what is broken."""
    table = Table("fault", "times", "fired", "texts", "lost", "doubled", "late", "recovered in")
    for column in table.columns[1:]:
        column.justify = "right"
    by_name: dict[str, list[Struck]] = defaultdict(list)
    for each in result.struck:
        by_name[each.name].append(each)
    for name, all_of_it in sorted(by_name.items()):
        times = [one.recovered_in for one in all_of_it]
        worst = "> 20 s" if None in times else f"{max(t for t in times if t is not None):.1f} s"
        sums = [sum(getattr(one, key) for one in all_of_it) for key in _SUMS]
        table.add_row(name, str(len(all_of_it)), *map(str, sums), worst)
    console.print(table)
    console.print(", ".join(f"{name} {count}" for name, count in sorted(result.totals.items())))
    for reason, count in result.reasons.most_common():
        console.print(f"  not sent: {count} x {reason}")
    for line in result.broken[:_LONGEST]:
        console.print(f"BROKEN {line}", style="red", markup=False)
    console.print(f"{len(result.broken)} broken" if result.broken else "nothing broken")


_SUMS = ("fired", "texts", "lost", "doubled", "late")


def main() -> int:
    options = _options()
    console = Console(width=120)
    console.print(f"seed {options.seed}, {options.minutes:g} minutes")
    with tempfile.TemporaryDirectory(prefix="aftercare-chaos-") as temporary:
        result = run(
            options.folder or Path(temporary),
            seed=options.seed,
            minutes=options.minutes,
            short=options.short,
            only=options.only,
            texts_per_second=options.rate,
            say=lambda line: console.print(line, style="dim", markup=False),
        )
    show(result, console)
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
