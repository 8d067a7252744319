"""Writing many rows: batches of one transaction each, rehearsed where nothing may be kept.

A batch that was committed stays; since imports are idempotent, running one again after a failure
goes on where it stopped. No more than a batch of the file is in memory.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Generic, TypeVar
from uuid import UUID

from records import audit
from records.base import Session
from worker.intake.merging import Conflict
from worker.intake.table import Row, RowFault, Table
from worker.intake.whole import Whole
from worker.intake.written import TURNED, Written
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
    conflicts: list[Conflict] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do when it was a dry run or `--strict` refused it.

    `faults` are the bad rows in the order of their lines; `notes` are rows that were kept but not
    wholly as they stand (a newer consent, a hold, a stop); `conflicts` are cells that staff and the
    file have both changed. `unused` are the file's columns that a mapping says nothing about.
    """

    rows: int
    created: int
    changed: int
    unchanged: int
    faults: tuple[RowFault, ...]
    notes: tuple[RowFault, ...]
    conflicts: tuple[Conflict, ...] = ()
    unused: tuple[str, ...] = ()
    whole: Whole | None = None
    written: bool

    @property
    def bad(self) -> int:
        """How many rows have a fault."""
        return len({fault.line for fault in self.faults})


#: Reads some of a file's rows, in their order: what can be used, and the faults of the rest.
Read = Callable[[Sequence[Row]], tuple[list[R], list[RowFault]]]
Write = Callable[[Session, Sequence[R]], BatchResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Generic[R]):
    """One file on its way in. `reader` begins anew: it knows what stood on earlier lines."""

    services: Services
    table: Table
    reader: Callable[[], Read[R]]
    write: Write[R]

    def run(
        self,
        *,
        dry_run: bool,
        strict: bool,
        on_start: Callable[[int], None] = lambda _: None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> ImportReport:
        """Bring the rows in; `on_start` and `on_progress` are told counts of rows.

        With `strict` any fault, one that only the database shows among them, keeps everything out.
        Raises TableError for a file that breaks off, and then nothing was written.
        """
        rows = len(self.table)
        on_start(rows)
        if strict and not dry_run:
            rehearsed = self._go(rehearse=True)
            if rehearsed.faults:
                return self._report(rows, rehearsed, written=False)
        result = self._go(rehearse=dry_run, on_progress=on_progress)
        return self._report(rows, result, written=not dry_run)

    def _go(
        self, *, rehearse: bool, on_progress: Callable[[int], None] = lambda _: None
    ) -> BatchResult:
        total, read = BatchResult(), self.reader()
        for rows in _in_batches(self.table):
            good, faults = read(rows)
            total.faults.extend(faults)
            if good:
                self._one(good, total, rehearse=rehearse)
            on_progress(len(rows))
        return total

    def _one(self, good: Sequence[R], total: BatchResult, *, rehearse: bool) -> None:
        with self.services.database.transaction() as session:
            result = self.write(session, good)
            session.flush()
            if rehearse:
                session.rollback()
        total.counts.update(result.counts)
        total.faults.extend(result.faults)
        total.notes.extend(result.notes)
        total.conflicts.extend(result.conflicts)

    def _report(self, rows: int, result: BatchResult, *, written: bool) -> ImportReport:
        return ImportReport(
            rows=rows,
            created=result.counts["created"],
            changed=result.counts["changed"],
            unchanged=result.counts["unchanged"],
            faults=_by_line(result.faults),
            notes=_by_line(result.notes),
            conflicts=tuple(sorted(result.conflicts, key=lambda each: each.line)),
            unused=self.table.layout.unused,
            written=written,
        )


def written_as(table: Table, written: Written, reader: Callable[[Written], Read[Any]]) -> Written:
    """Doubt the stated form of days if any row of the file contradicts it (care rule 25).

    Reads the whole file once more where day and month could be taken for each other.
    """
    if written.days is None or not written.days.turns:
        return written
    read = reader(written)
    contradicted = any(
        fault.reason == TURNED for rows in _in_batches(table) for fault in read(rows)[1]
    )
    return replace(written, doubted=contradicted)


def record(
    services: Services, what: str, clinic_ids: Collection[UUID], report: ImportReport, *, actor: str
) -> None:
    """Write into each clinic's audit trail that a file changed something; `what` it was about."""
    if not report.written or not report.created + report.changed:
        return
    details = {
        "created": report.created,
        "changed": report.changed,
        "bad": report.bad,
        "conflicts": len(report.conflicts),
    }
    with services.database.transaction() as session:
        for clinic_id in sorted(clinic_ids):
            audit.record(
                session,
                services.vault,
                clinic_id=clinic_id,
                now=services.now,
                actor=actor,
                action=f"{what}.imported",
                subject=f"clinic:{clinic_id}",
                details=details,
            )


def _in_batches(rows: Iterable[Row]) -> Iterable[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


def _by_line(faults: Sequence[RowFault]) -> tuple[RowFault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.line))
