"""`python -m bench [names ...] [--quick]`: measure, print one table, leave nothing running.

Names: reading, burst, lateness, webhooks, flood, tick, planning, publishing; all of them without
any.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import psutil
from rich.console import Console

from bench import burst, flood, lateness, planning, publishing, reading, tick, webhooks
from bench.figures import Section, show
from bench.rig import BenchError, Rig

NAMES = ("reading", "burst", "lateness", "webhooks", "flood", "tick", "planning", "publishing")
# Without a burst in the same run, lateness is measured at half of the budget.
_BUDGET_RATE = 2000.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="name", default=[])
    parser.add_argument("--quick", action="store_true", help="fewer texts, one round")
    parser.add_argument("--rows", type=int, help="planned rows for the tick (default 1,000,000)")
    parser.add_argument("--texts", type=int, help="texts of a burst (default 10,000)")
    parser.add_argument("--rounds", type=int, help="rounds of the burst (default 3)")
    return parser.parse_args()


class _Run:
    """Runs measurements one after the other; one that fails does not keep the others from it."""

    def __init__(self, rig: Rig, names: Sequence[str], options: argparse.Namespace) -> None:
        self._rig, self._names, self._options = rig, names, options
        self._started = time.monotonic()
        self._rate = _BUDGET_RATE
        self.sections: list[Section] = []
        self.failures: list[str] = []

    def everything(self) -> None:
        """Run what is named."""
        rig, quick = self._rig, self._options.quick
        rows = self._options.rows or (100_000 if quick else 1_000_000)
        self._try("reading", lambda: reading.measure(quick=quick))
        if {"burst", "lateness", "webhooks", "flood"} & set(self._names):
            with burst.scene(rig, self._options.texts or (3000 if quick else 10_000)) as scene:
                self._try("burst", lambda: self._burst(scene, rows))
                seconds = 5 if quick else 10
                self._try("lateness", lambda: lateness.measure(scene, self._rate / 2, seconds))
                self._try("webhooks", lambda: webhooks.measure(scene, seconds=seconds))
                self._try("flood", lambda: flood.measure(scene, quick=quick))
        self._try("tick", lambda: tick.measure(rig, many=rows, quick=quick))
        self._try("planning", lambda: planning.measure(rig, quick=quick))
        self._try("publishing", lambda: publishing.measure(rig, quick=quick))

    def _burst(self, scene: burst.Scene, rows: int) -> Section:
        quick = self._options.quick
        rounds = self._options.rounds or (1 if quick else 3)
        section, self._rate = burst.measure(scene, rounds=rounds, ahead=rows, quick=quick)
        return section

    def _try(self, name: str, measure: Callable[[], Section]) -> None:
        if name not in self._names:
            return
        try:
            self.sections.append(measure())
        except BenchError as error:
            self.failures.append(f"{name}: {error}")
        taken = time.monotonic() - self._started
        print(f"{name}: done after {taken:.0f} s", file=sys.stderr)


def main() -> int:
    options = _options()
    busy = psutil.cpu_percent(interval=2.0)
    with Rig() as rig:
        run = _Run(rig, list(options.names) or NAMES, options)
        run.everything()
    show(run.sections, Console(width=None if sys.stdout.isatty() else 160))
    print(f"{psutil.cpu_count()} cores, {busy:.0f} % busy with other things before the run")
    for failure in run.failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
