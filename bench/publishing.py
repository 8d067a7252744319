"""Publishing: what a change does to live patients, found out; and everybody brought to it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from bench import crowd
from bench.figures import Figure, Section, at_most
from bench.rig import BenchError, Rig
from schedules.loader import shipped_files
from worker.effects import effects_of
from worker.rollout import roll_out
from worker.services import Services
from worker.steps import plan, publishing

_PATIENTS, _FEW = 10_000, 500
#: Each check-in goes an hour earlier: nothing is kept, everything moves.
_PROTOCOL, _BEFORE, _AFTER = "daily-check-in", "at 17:00 or", "at 16:00 or"


def measure(rig: Rig, *, quick: bool) -> Section:
    """Compare and publish a daily check-in that moves, for patients who are all on it."""
    count = _FEW if quick else _PATIENTS
    database = rig.database()
    try:
        with rig.services(database) as services:
            people = crowd.make(services, count)
            crowd.enroll(services, people)
            while plan.run(services)["patients"]:
                pass
            crowd.settle(database)
            figures = list(_published(services, people.clinic, count))
    finally:
        rig.drop(database)
    return Section(title=f"publishing, {count:,} patients", figures=figures)


def _published(services: Services, clinic: UUID, count: int) -> Iterator[Figure]:
    source = shipped_files()[f"{_PROTOCOL}.yaml"].replace(_BEFORE, _AFTER)
    draft = publishing.draft(services, clinic, source, "bench.yaml")
    with _Timed() as compared:
        effects = effects_of(services, draft.change)
    moved = effects.counts["moved"]
    if moved < count:
        raise BenchError(f"only {moved} texts would move")
    yield _figure("the diff: all patients planned twice", compared, count, 60, f"{moved:,} move")
    with _Timed() as applied:
        number = publishing.publish(services, draft, actor="bench")
        left = roll_out(services, clinic, _PROTOCOL, number)
    if left:
        raise BenchError(f"{left} patients do not follow version {number}")
    yield _figure("published, and everybody brought to it", applied, count, 60, "")
    again = effects_of(services, publishing.draft(services, clinic, source, "bench.yaml").change)
    if any(again.counts.values()):
        raise BenchError(f"what was published is not what stands: {dict(again.counts)}")


@dataclass(slots=True)
class _Timed:
    """How long a block took, by the clock on the wall and by this process's processor time."""

    seconds: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> Self:
        self.seconds, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.seconds
        self.cpu = time.process_time() - self.cpu


def _figure(what: str, taken: _Timed, count: int, budget: int, note: str) -> Figure:
    per_patient = f"{1000 * taken.cpu / count:.2f} CPU ms a patient in this process"
    return Figure(
        what=what,
        unit="s",
        values=[taken.seconds],
        budget=f"<= {budget}",
        keeps=at_most(budget),
        note=f"{note}; {per_patient}" if note else per_patient,
    )
