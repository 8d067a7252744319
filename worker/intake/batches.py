"""Writing many rows: batches of one transaction each, rehearsed where nothing may be kept.

A batch that was committed stays; since imports are idempotent, running one again after a failure
goes on where it stopped.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from records.base import Session
from worker.intake.table import RowFault
from worker.services import Services

R = TypeVar("R")

# A transaction that holds rows for longer than a moment would keep a STOP waiting.
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of one batch: rows by outcome, rows refused, and what staff should know."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[RowFault] = field(default_factory=list)
    notes: list[RowFault] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do when it was a dry run or `--strict` refused it.

    `faults` are the bad rows in the order of their lines; `notes` are rows that were kept but not
    wholly as they stand (a newer consent, a hold, a stop).
    """

    rows: int
    created: int
    changed: int
    unchanged: int
    faults: tuple[RowFault, ...]
    notes: tuple[RowFault, ...]
    written: bool

    @property
    def bad(self) -> int:
        """How many rows have a fault."""
        return len({fault.line for fault in self.faults})


Write = Callable[[Session, Sequence[R]], BatchResult]


def run(
    services: Services,
    rows: Sequence[R],
    write: Write[R],
    *,
    rehearse: bool,
    on_progress: Callable[[int], None] = lambda _: None,
) -> BatchResult:
    """Write all rows, or find out what writing them would do; `on_progress` is told row counts."""
    total = BatchResult()
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        result = _one(services, batch, write, rehearse=rehearse)
        total.counts.update(result.counts)
        total.faults.extend(result.faults)
        total.notes.extend(result.notes)
        on_progress(len(batch))
    return total


def _one(services: Services, batch: Sequence[R], write: Write[R], *, rehearse: bool) -> BatchResult:
    with services.database.transaction() as session:
        result = write(session, batch)
        session.flush()
        if rehearse:
            session.rollback()
    return result


def bring_in(
    services: Services,
    rows: Sequence[R],
    bad: Sequence[RowFault],
    write: Write[R],
    *,
    dry_run: bool,
    strict: bool,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Import the readable rows beside what is known to be `bad`.

    With `strict` any fault, one that only the database shows among them, keeps everything out.
    """
    found = len(rows) + len({fault.line for fault in bad})
    if strict and not dry_run:
        rehearsed = run(services, rows, write, rehearse=True)
        if bad or rehearsed.faults:
            return _report(found, rehearsed, bad, written=False)
    result = run(services, rows, write, rehearse=dry_run, on_progress=on_progress)
    return _report(found, result, bad, written=not dry_run)


def _report(
    rows: int, result: BatchResult, bad: Sequence[RowFault], *, written: bool
) -> ImportReport:
    return ImportReport(
        rows=rows,
        created=result.counts["created"],
        changed=result.counts["changed"],
        unchanged=result.counts["unchanged"],
        faults=tuple(sorted([*bad, *result.faults], key=lambda fault: fault.line)),
        notes=tuple(sorted(result.notes, key=lambda note: note.line)),
        written=written,
    )
