"""What a tick and a claim cost when few and when very many rows are planned for later."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from bench import crowd
from bench.crowd import Crowd
from bench.figures import Figure, Section, at_most
from bench.rig import BenchError, Rig
from records import sending
from worker import dispatch
from worker.services import Services
from worker.steps.send import CHUNK

FEW = 10_000
_PATIENTS = 2000
_TICKS, _CLAIMS = 200, 50


def measure(rig: Rig, *, many: int, quick: bool) -> Section:
    """Return the cost of a tick and of a claim at 10,000 and at `many` planned rows."""
    ticks, claims = (_TICKS // 4, _CLAIMS // 2) if quick else (_TICKS, _CLAIMS)
    few_times: list[float] = []
    many_times: list[float] = []
    plans: list[set[str]] = []
    for rows, kept in ((FEW, few_times), (many, many_times)):
        database = rig.database()
        try:
            with rig.services(database) as services:
                people = crowd.make(services, _PATIENTS)
                crowd.plan_ahead(database, people, rows)
                kept += [_ticks(services, ticks), *_claims(services, people, claims)]
                plans.append(_plans(services, people))
        finally:
            rig.drop(database)
    return Section(title="tick", figures=_figures(few_times, many_times, many, plans))


def _figures(few: list[float], many: list[float], rows: int, plans: list[set[str]]) -> list[Figure]:
    figures = []
    names = ("tick", "claim, nothing due", f"claim of {CHUNK}")
    for name, small, large in zip(names, few, many, strict=True):
        figures += [
            Figure(what=f"{name}, {FEW:,} planned", unit="ms", values=[small * 1000]),
            Figure(what=f"{name}, {rows:,} planned", unit="ms", values=[large * 1000]),
            Figure(
                what=f"{name}: many by few",
                unit="x",
                values=[large / small],
                budget="<= 1.3",
                keeps=at_most(1.3),
            ),
        ]
    scanned = sorted(plans[-1])
    told = "message is read by " + (", ".join(scanned) or "nothing")
    figures.append(
        Figure(
            what="whole-table reads of message",
            unit="",
            values=[float(sum(name == "Seq Scan" for name in scanned))],
            budget="0",
            keeps=at_most(0),
            note=told,
        )
    )
    return figures


def _median(times: int, run: Callable[[], object]) -> float:
    for _ in range(10):
        run()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _ticks(services: Services, times: int) -> float:
    def tick() -> None:
        work = dispatch.find_work(services, by_beat=True)
        if any(step == "send" for step, *_ in work):
            raise BenchError("a tick found texts that are due, but all are planned for later")

    return _median(times, tick)


def _claims(services: Services, people: Crowd, times: int) -> list[float]:
    """Return the seconds of the claim's query with nothing due, and with a full chunk due."""
    nothing = _median(times, lambda: _look(services, people, expect=0))
    instant = services.now - timedelta(seconds=1)
    crowd.make_due(services, people, [instant] * (2 * CHUNK))
    return [nothing, _median(times, lambda: _look(services, people, expect=CHUNK))]


def _look(services: Services, people: Crowd, *, expect: int | None) -> None:
    now = services.now
    with services.database.transaction() as session:
        sending.lock_sender(session, people.sender, now=now)
        due = sending.due(session, people.sender, now=now, limit=CHUNK)
        session.rollback()
    if expect is not None and len(due) != expect:
        raise BenchError(f"a claim found {len(due)} rows where {expect} are due")


@contextmanager
def _heard(services: Services) -> Iterator[list[tuple[str, Any]]]:
    """Yield a list that collects each statement with its values, as sent to the server."""
    heard: list[tuple[str, Any]] = []

    def hear(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        heard.append((statement, values))

    event.listen(services.database.engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(services.database.engine, "before_cursor_execute", hear)


def _plans(services: Services, people: Crowd) -> set[str]:
    """Return by what the table of messages is read in a tick and a claim, as EXPLAIN tells."""
    with _heard(services) as heard:
        dispatch.find_work(services, by_beat=True)
        _look(services, people, expect=None)
    found: set[str] = set()
    with services.database.engine.connect() as connection:
        for statement, values in heard:
            if "message" in statement:
                explained = connection.exec_driver_sql(
                    f"EXPLAIN (FORMAT JSON) {statement}", values
                ).scalar_one()
                found |= set(_readers(explained[0]["Plan"]))
    return found


def _readers(node: dict[str, Any]) -> Iterator[str]:
    if node.get("Relation Name") == "message":
        yield node.get("Index Name") or node["Node Type"]
    if node["Node Type"] == "Bitmap Index Scan":
        yield node["Index Name"]
    for child in node.get("Plans", []):
        yield from _readers(child)
