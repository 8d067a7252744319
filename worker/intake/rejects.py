"""The bad rows of a file, written back out with their reasons, to be mended and imported again.

They stand as they stood: same columns, same words, same delimiter. Two columns of ours in front say
on which line a row was and what is wrong with it; a file that has them is read as if it had not.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from worker.intake.sheet import Sheet
from worker.intake.table import OURS, RowFault

HEADER = (f"{OURS}line", f"{OURS}reason")
#: Spreadsheets need its mark to read a file as UTF-8.
ENCODING = "utf-8-sig"


def write(to: TextIO, sheet: Sheet, faults: Iterable[RowFault]) -> int:
    """Write the rows that have faults; return how many."""
    reasons: dict[int, list[str]] = defaultdict(list)
    for fault in faults:
        reasons[fault.line].append(
            f"{fault.column}: {fault.reason}" if fault.column else fault.reason
        )
    table = csv.writer(to, delimiter=sheet.delimiter)
    table.writerows(_rows(sheet, reasons))
    return len(reasons)


def _rows(sheet: Sheet, reasons: dict[int, list[str]]) -> Iterator[Sequence[str]]:
    kept = [at for at, name in enumerate(sheet.header) if not name.startswith(OURS)]
    yield [*HEADER, *(sheet.header[at] for at in kept)]
    for record in sheet.records():
        if record.line in reasons:
            cells = [record.cells[at] if at < len(record.cells) else "" for at in kept]
            # Cells beyond the header are part of what is wrong with the row.
            beyond = record.cells[len(sheet.header) :]
            yield [str(record.line), "; ".join(reasons[record.line]), *cells, *beyond]
