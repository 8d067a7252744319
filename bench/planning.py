"""Planning: rows/s from a request to plan until the rows are committed."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

from bench import crowd
from bench.figures import Figure, Section, at_least, at_most
from bench.rig import BenchError, OwnDatabase, Rig
from schedules.planner import HORIZON
from worker.services import Services
from worker.steps import plan

_WHOLE_PATIENTS, _WHOLE = 10_000, timedelta(weeks=12)
_PROCESSES = 2
# Long enough for a process to be there when all begin.
_START_IN_SECONDS = 4.0


def measure(rig: Rig, *, quick: bool) -> Section:
    """Plan patients with a dosing visit and a daily check-in: in one process, again, and in two."""
    count = 500 if quick else _WHOLE_PATIENTS
    with _crowd(rig, count) as (database, services):
        added, runs, first, cpu = _plan(services)
        _check(database, added, count)
        database.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
        crowd.settle(database)
        again = _plan_again(services)
    with _crowd(rig, count) as (database, _):
        together = _by_processes(rig, database)
        _check(database, together[0], count)
    figures = _figures(count, added, runs, first, cpu)
    figures.append(_per_second("patients planned again, unchanged", count / again, "patients/s"))
    figures.append(
        Figure(
            what=f"rows planned and inserted by {_PROCESSES} processes",
            unit="rows/s",
            values=[together[0] / together[1]],
            note=f"{together[0]:,} rows in {together[1]:.2f} s, {together[2]:.2f} CPU s of theirs",
        )
    )
    return Section(title="planning", figures=figures)


@contextmanager
def _crowd(rig: Rig, count: int) -> Iterator[tuple[OwnDatabase, Services]]:
    """Yield a database whose patients all wait to be planned."""
    database = rig.database()
    try:
        with rig.services(database) as services:
            people = crowd.make(services, count)
            crowd.enroll(services, people)
            crowd.settle(database)
            yield database, services
    finally:
        rig.drop(database)


def _plan(services: Services) -> tuple[int, int, float, float]:
    """Return rows added, runs of the step, seconds, and CPU seconds of this process."""
    started, cpu = time.perf_counter(), time.process_time()
    added, runs = 0, 0
    while (planned := plan.run(services))["patients"]:
        added, runs = added + planned["added"], runs + 1
    return added, runs, time.perf_counter() - started, time.process_time() - cpu


def _plan_again(services: Services) -> float:
    started = time.perf_counter()
    changed: Counter[str] = Counter()
    while (planned := plan.run(services))["patients"]:
        changed += planned
    if changed["added"] or changed["moved"]:
        raise BenchError(f"planning again changed what was planned: {dict(changed)}")
    return time.perf_counter() - started


def _by_processes(rig: Rig, database: OwnDatabase) -> tuple[int, float, float]:
    """Return rows added, seconds until the last had nothing more to do, and CPU seconds."""
    start = time.time() + _START_IN_SECONDS
    nowhere = {"carrier": "http://127.0.0.1:9", "redis": "redis://127.0.0.1:9/0"}
    environment = rig.environment(database, **nowhere)
    with ThreadPoolExecutor(_PROCESSES) as pool:
        one = (
            pool.submit(rig.run, "-m", "bench.planner", str(start), env=environment)
            for _ in range(_PROCESSES)
        )
        told = [each.result() for each in list(one)]
    if not all(each["added"] for each in told):
        raise BenchError(f"one process planned everything: {told}")
    ended = max(each["ended"] for each in told)
    return sum(each["added"] for each in told), ended - start, sum(each["cpu"] for each in told)


def _check(database: OwnDatabase, added: int, patients: int) -> None:
    rows = database.execute("SELECT count(*), count(DISTINCT patient_id) FROM message")[0]
    if rows[0] != added or rows[1] != patients:
        raise BenchError(f"the plan added {added} rows, and there are {rows}")


def _per_second(what: str, value: float, unit: str) -> Figure:
    return Figure(what=what, unit=unit, values=[value])


def _figures(count: int, added: int, runs: int, first: float, cpu: float) -> list[Figure]:
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
            note=f"{note}, {cpu:.2f} CPU s of the step's",
        ),
        Figure(
            what="runs of the step until nobody waits",
            unit="",
            values=[runs],
            budget="<= 2",
            keeps=at_most(2),
            note="a step that stops early goes on a tick later",
        ),
        _per_second("patients planned", count / first, "patients/s"),
        Figure(
            what="10,000 patients x 12 weeks",
            unit="s",
            values=[whole],
            budget="<= 60",
            keeps=at_most(60),
            note=f"{horizons:g} horizons of {HORIZON.days} days like the first",
        ),
    ]
