"""Writing many rows: batches of one transaction each, rehearsed where nothing may be kept.

A batch that was committed stays, with its line in the audit trail; since imports are idempotent,
running one again after a failure goes on where it stopped. No more than a batch of the file is in
memory.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
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


class CutShortError(Exception):
    """An import that failed after some of its file was in; its cause says why.

    The message says how far it came, and what to do.
    """

    def __init__(self, line: int) -> None:
        """Keep the last line of what is in."""
        super().__init__(
            f"The file is in up to line {line}, save for bad rows. Import it again in the same "
            "way: what is in stays as it is, and the rest follows."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of one batch: rows by outcome, rows refused, and what staff should know.

    `clinics` are those that had rows.
    """

    clinics: set[UUID] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[RowFault] = field(default_factory=list)
    notes: list[RowFault] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    def add(self, other: "BatchResult") -> None:
        """Take up what became of a further batch."""
        self.clinics.update(other.clinics)
        self.counts.update(other.counts)
        self.faults.extend(other.faults)
        self.notes.extend(other.notes)
        self.conflicts.extend(other.conflicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do when it was a dry run or `--strict` refused it.

    `faults` are the bad rows in the order of their lines; `notes` are rows that were kept but not
    wholly as they stand (a newer consent, a hold, a stop); `conflicts` are cells that staff and the
    file have both changed. `unused` are the file's columns that a mapping says nothing about.
    `clinics` are those that had rows.
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
    clinics: frozenset[UUID] = frozenset()
    written: bool

    @property
    def bad(self) -> int:
        """How many rows have a fault."""
        return _bad(self.faults)


#: Reads some of a file's rows, in their order: what can be used, and the faults of the rest.
Read = Callable[[Sequence[Row]], tuple[list[R], list[RowFault]]]
Write = Callable[[Session, Sequence[R]], BatchResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Generic[R]):
    """One file on its way in. `reader` begins anew: it knows what stood on earlier lines.

    `what` it is about and the `actor` are named in the audit trail.
    """

    services: Services
    what: str
    actor: str
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
        Raises TableError for a file that breaks off, and then nothing was written; CutShortError
        where a batch fails after others are in.
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
        total, read, done = BatchResult(), self.reader(), 0
        for rows in _in_batches(self.table):
            try:
                total.add(self._one(read, rows, rehearse=rehearse))
            except Exception as error:
                if rehearse or not done:
                    raise
                raise CutShortError(done) from error
            done = rows[-1].line
            on_progress(len(rows))
        return total

    def _one(self, read: Read[R], rows: Sequence[Row], *, rehearse: bool) -> BatchResult:
        good, faults = read(rows)
        if not good:
            return BatchResult(faults=faults)
        with self.services.database.transaction() as session:
            result = self.write(session, good)
            result.faults.extend(faults)
            session.flush()
            if rehearse:
                session.rollback()
            else:
                self._record(session, result)
        return result

    def _record(self, session: Session, result: BatchResult) -> None:
        """Tell the trail of each clinic what a batch changed, if anything, as it is committed."""
        if not result.counts["created"] + result.counts["changed"]:
            return
        details = {
            "created": result.counts["created"],
            "changed": result.counts["changed"],
            "bad": _bad(result.faults),
            "conflicts": len(result.conflicts),
        }
        for clinic_id in sorted(result.clinics):
            audit.record(
                session,
                self.services.vault,
                clinic_id=clinic_id,
                now=self.services.now,
                actor=self.actor,
                action=f"{self.what}.imported",
                subject=f"clinic:{clinic_id}",
                details=details,
            )

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
            clinics=frozenset(result.clinics),
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


def _in_batches(rows: Iterable[Row]) -> Iterable[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


def _bad(faults: Iterable[RowFault]) -> int:
    return len({fault.line for fault in faults})


def _by_line(faults: Sequence[RowFault]) -> tuple[RowFault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.line))
