"""What a tick and a claim cost when few and when very many rows are planned for later."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import event

from bench import crowd
from bench.crowd import Crowd
from bench.figures import Figure, Section, at_most
from bench.rig import BenchError, Rig
from records import senders, sending
from worker import dispatch
from worker.services import Services
from worker.steps.send import CHUNK

FEW = 10_000
_PATIENTS = 2000
_TICKS, _CLAIMS, _WARM = 200, 50, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One of the two databases that are compared."""

    services: Services
    people: Crowd
    rows: int


def measure(rig: Rig, *, many: int, quick: bool) -> Section:
    """Return the cost of a tick and of a claim at 10,000 and at `many` planned rows."""
    ticks, claims = (_TICKS // 4, _CLAIMS // 2) if quick else (_TICKS, _CLAIMS)
    with _side(rig, FEW) as few, _side(rig, many) as large:
        sides = (few, large)
        figures = _compared("tick", sides, ticks, _tick)
        figures += _compared("claim, nothing due", sides, claims, partial(_look, expect=0))
        for side in sides:
            instant = side.services.now - timedelta(seconds=1)
            crowd.make_due(side.services, side.people, [instant] * (2 * CHUNK))
        figures += _compared(f"claim of {CHUNK}", sides, claims, partial(_look, expect=CHUNK))
        readers = sorted(_readers_of(large))
    scans = sum(name == "Seq Scan" for name in readers)
    note = f"message is read by {', '.join(readers)}"
    figures.append(
        Figure(
            what="whole-table reads of message",
            unit="",
            values=[scans],
            budget="0",
            keeps=at_most(0),
            note=note,
        )
    )
    return Section(title="tick", figures=figures)


@contextmanager
def _side(rig: Rig, rows: int) -> Iterator[_Side]:
    database = rig.database()
    try:
        with rig.services(database) as services:
            people = crowd.make(services, _PATIENTS)
            crowd.plan_ahead(database, people, rows)
            yield _Side(services=services, people=people, rows=rows)
    finally:
        rig.drop(database)


def _compared(
    what: str, sides: tuple[_Side, _Side], times: int, run: Callable[[_Side], None]
) -> list[Figure]:
    """Time `run` on both sides in turn, so that the machine's moods strike both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(_WARM + times):
        for side, kept in zip(sides, seconds, strict=True):
            started = time.perf_counter()
            run(side)
            if number >= _WARM:
                kept.append(time.perf_counter() - started)
    few, many = (statistics.median(kept) * 1000 for kept in seconds)
    return [
        Figure(what=f"{what}, {sides[0].rows:,} planned", unit="ms", values=[few]),
        Figure(what=f"{what}, {sides[1].rows:,} planned", unit="ms", values=[many]),
        Figure(
            what=f"{what}: many by few",
            unit="x",
            values=[many / few],
            budget="<= 1.3",
            keeps=at_most(1.3),
            note=f"medians of {times} each, in turn",
        ),
    ]


def _tick(side: _Side) -> None:
    work = dispatch.find_work(side.services, by_beat=True)
    if any(step == "send" for step, *_ in work):
        raise BenchError("a tick found texts that are due, but all are planned for later")


def _look(side: _Side, *, expect: int) -> None:
    """Ask for what a claim asks for, and roll it back."""
    now = side.services.now
    with side.services.database.transaction() as session:
        senders.lock(session, side.people.sender, now=now)
        due = sending.due(session, side.people.sender, now=now, limit=CHUNK)
        session.rollback()
    if len(due) != expect:
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


def _readers_of(side: _Side) -> set[str]:
    """Return by what the table of messages is read in a tick and a claim, as EXPLAIN tells."""
    with _heard(side.services) as heard:
        dispatch.find_work(side.services, by_beat=True)
        _look(side, expect=CHUNK)
    found: set[str] = set()
    with side.services.database.engine.connect() as connection:
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
