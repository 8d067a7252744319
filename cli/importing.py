"""What `aftercare import` says of a file: bad rows, conflicts, missing visits, and the counts.

Bad rows and notes go to standard error, counts to standard output. A file whose every line has the
same fault is told in a few lines; `--json` and `--errors` have them all.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from cli import output
from cli.errors import refuse
from cli.session import ACTOR
from records import audit
from worker.counting import counted
from worker.intake import rejects
from worker.intake.batches import ImportReport
from worker.intake.merging import Conflict
from worker.intake.sheet import Sheet
from worker.intake.table import RowFault
from worker.intake.whole import Whole
from worker.services import Services

#: So many lines with one and the same fault are told one by one.
_ALIKE = 20
_FEW = 10


def record_reveal(running: Services, conflicts: Sequence[Conflict]) -> None:
    """Record, before anything is shown, that values of these conflicts are looked at."""
    by_clinic = Counter(each.clinic_id for each in conflicts)
    with running.database.transaction() as session:
        for clinic_id, count in sorted(by_clinic.items()):
            audit.record(
                session,
                running.vault,
                clinic_id=clinic_id,
                now=running.now,
                actor=ACTOR,
                action="conflicts.revealed",
                subject=f"clinic:{clinic_id}",
                details={"count": count},
            )


def tell_passed_over(sheet: Sheet) -> None:
    """Say which lines were taken for no rows, so that nobody misses one that was."""
    if sheet.header_line > 1:
        output.say(f"The columns are named on line {sheet.header_line}; what is above is no row.")
    if left_out := sheet.left_out():
        output.say(f"Left out, as the mapping says: line {lines(left_out)}.")


def tell(report: ImportReport, *, dry_run: bool, as_json: bool, reveal: bool) -> None:
    """Print what became of the rows."""
    counts = {
        "rows": report.rows,
        "created": report.created,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "bad": report.bad,
    }
    if as_json:
        _tell_json(report, counts, reveal=reveal)
        return
    if report.unused:
        output.say(f"Columns that the mapping does not use: {', '.join(report.unused)}.")
    _tell_rows(report.faults)
    _tell_rows(report.notes, before="please note, ")
    for conflict in report.conflicts:
        output.say(f"{conflict}{_values(conflict, reveal=reveal)}")
    _tell_counts(report, counts, dry_run=dry_run)


def _tell_rows(found: Iterable[RowFault], before: str = "") -> None:
    """Print faults; of many that are alike the first ones, and how many more there are."""
    told: Counter[tuple[str | None, str]] = Counter()
    for each in found:
        told[each.column, each.reason] += 1
        if told[each.column, each.reason] <= _ALIKE:
            output.say(f"{before}{each}")
    for (column, reason), count in told.items():
        if count > _ALIKE:
            place = f"column {column}: " if column else ""
            more = counted(count - _ALIKE, "more line")
            output.say(f"{place}{reason}: the same on {more}")


def _values(conflict: Conflict, *, reveal: bool) -> str:
    if not (conflict.shown or reveal):
        return " (--reveal shows both values)"
    here, there = (_plain(each, conflict.zone) for each in (conflict.on_record, conflict.in_file))
    return f" (on record {here}, in the file {there})"


def _plain(value: object, zone: ZoneInfo | None) -> str:
    if isinstance(value, list) and zone is not None:
        start, end = (datetime.fromisoformat(each).astimezone(zone) for each in value)
        return f"{start:%a %Y-%m-%d %H:%M} to {end:%H:%M}"
    return "nothing" if value is None else output.cell(value)


def _tell_json(report: ImportReport, counts: dict[str, int], *, reveal: bool) -> None:
    for record in _records(report, reveal=reveal):
        output.result(output.json_line(record))
    more = {"conflicts": len(report.conflicts), "written": report.written}
    output.result(output.json_line({**counts, **more}))


def _records(report: ImportReport, *, reveal: bool) -> Iterator[dict[str, object]]:
    for what, found in (("bad", report.faults), ("note", report.notes)):
        yield from ({"is": what, **_place(each)} for each in found)
    for conflict in report.conflicts:
        values = {"on_record": conflict.on_record, "in_file": conflict.in_file}
        shown = values if conflict.shown or reveal else {}
        yield {"is": "conflict", **_place(conflict), **shown}
    for visit in report.whole.missing if report.whole else ():
        said = {"appointment_id": visit.external_id, "patient_id": visit.patient}
        yield {"is": "missing", **said, "starts_at": visit.starts_at}
    if report.unused:
        yield {"is": "unused", "columns": report.unused}


def _place(fault: RowFault) -> dict[str, object]:
    return {"line": fault.line, "column": fault.column, "reason": fault.reason}


def _tell_counts(report: ImportReport, counts: dict[str, int], *, dry_run: bool) -> None:
    conflicts = {"conflicts": len(report.conflicts)} if report.conflicts else {}
    said = ", ".join(f"{count} {what}" for what, count in {**counts, **conflicts}.items())
    if dry_run:
        output.result(f"Dry run, nothing was written: {said}.")
    elif not report.written:
        output.result(f"Nothing was written, since --strict is set and rows are bad: {said}.")
    else:
        output.result(f"{said[0].upper()}{said[1:]}.")


def tell_missing(whole: Whole) -> None:
    """List the visits that a whole file does not have."""
    for visit in whole.missing:
        output.say(
            f"missing: {visit.external_id} of patient {visit.patient}, "
            f"{visit.starts_at:%a %Y-%m-%d %H:%M}"
        )
    known = counted(whole.known, "booked visit")
    are = "is" if len(whole.missing) == 1 else "are"
    output.say(f"{len(whole.missing)} of {known} on these days {are} not in the file.")


def lines(numbers: Sequence[int]) -> str:
    """Return some line numbers as words."""
    told = ", ".join(map(str, numbers[:_FEW]))
    return f"{told} and {len(numbers) - _FEW} more" if len(numbers) > _FEW else told


def free_place(path: Path | None, source: Path) -> None:
    """Refuse a place for bad rows where something lies: staff may be mending just that."""
    if path is None:
        return
    if path.exists() or path == source:
        refuse(
            f"--errors: {path} is there already. Import it once it is mended and move it away, or "
            "name another file."
        )
    if not path.parent.is_dir():
        refuse(f"--errors: there is no folder {path.parent}.")


def write_errors(path: Path, sheet: Sheet, faults: Sequence[RowFault]) -> None:
    """Write the bad rows to a file that only its owner can read; no file without any."""
    if not faults:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding=rejects.ENCODING, newline="") as file:
        count = rejects.write(file, sheet, faults)
    rows = counted(count, "bad row is", "bad rows are")
    output.say(f"{rows} in {path}: mend them there, and import that file.")
