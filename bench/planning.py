"""Planning: rows/s from a request to plan until the rows are committed."""

import time
from collections import Counter
from datetime import timedelta

from bench import crowd
from bench.figures import Figure, Section, at_least, at_most
from bench.rig import BenchError, OwnDatabase, Rig
from schedules.planner import HORIZON
from worker.steps import plan

_WHOLE_PATIENTS, _WHOLE = 10_000, timedelta(weeks=12)


def measure(rig: Rig, *, quick: bool) -> Section:
    """Plan patients with a dosing visit and a daily check-in, then plan them all once more."""
    count = 500 if quick else 2000
    database = rig.database()
    try:
        with rig.services(database) as services:
            people = crowd.make(services, count)
            crowd.enroll(services, people)
            crowd.settle(database)
            started = time.perf_counter()
            added, runs = 0, 0
            while (planned := plan.run(services))["patients"]:
                added, runs = added + planned["added"], runs + 1
            first = time.perf_counter() - started
            _check(database, added, count)
            database.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
            crowd.settle(database)
            started = time.perf_counter()
            changed: Counter[str] = Counter()
            while (planned := plan.run(services))["patients"]:
                changed += planned
            again = time.perf_counter() - started
    finally:
        rig.drop(database)
    if changed["added"] or changed["moved"]:
        raise BenchError(f"planning again changed what was planned: {dict(changed)}")
    return Section(title="planning", figures=_figures(count, added, runs, first, again))


def _check(database: OwnDatabase, added: int, patients: int) -> None:
    rows = database.execute("SELECT count(*), count(DISTINCT patient_id) FROM message")[0]
    if rows[0] != added or rows[1] != patients:
        raise BenchError(f"the plan added {added} rows, and there are {rows}")


def _figures(count: int, added: int, runs: int, first: float, again: float) -> list[Figure]:
    horizons = _WHOLE / HORIZON
    whole = first * _WHOLE_PATIENTS / count * horizons
    note = f"{count:,} patients, {HORIZON.days} days, {added:,} rows in {first:.2f} s"
    return [
        Figure(
            what="rows planned and inserted",
            unit="rows/s",
            values=[added / first],
            budget=">= 20,000",
            keeps=at_least(20_000),
            note=note,
        ),
        Figure(
            what="runs of the step until nobody waits",
            unit="",
            values=[runs],
            budget="<= 2",
            keeps=at_most(2),
            note="a step that stops early goes on a tick later",
        ),
        Figure(what="patients planned", unit="patients/s", values=[count / first]),
        Figure(what="patients planned again, unchanged", unit="patients/s", values=[count / again]),
        Figure(
            what="10,000 patients x 12 weeks",
            unit="s",
            values=[whole],
            budget="<= 60",
            keeps=at_most(60),
            note="extrapolated from the above",
        ),
    ]
