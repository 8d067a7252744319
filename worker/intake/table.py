"""A CSV file as rows of cells, each fault with its line, its column and its reason.

The first stop of `import patients` and `import appointments`. What a spreadsheet saves is taken as
it comes: a byte-order mark, semicolons or tabs, Windows-1252. Nothing here knows what a cell means,
and no fault repeats a cell that could name a patient.
"""

import csv
import difflib
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from worker.refusal import RefusedError

T = TypeVar("T")

_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """One thing wrong with one row; `column` is None where the row as a whole is meant."""

    line: int
    column: str | None
    reason: str

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.reason}"


class TableError(RefusedError):
    """The file can't be read as a table at all; the message names the line and the mend."""


class CellError(ValueError):
    """A cell that doesn't say what its column asks for; the reason completes the fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the file: the line it starts on, and its cells by column, without outer spaces."""

    line: int
    cells: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file's columns, its rows that have them all, and what is wrong with the others."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    faults: tuple[RowFault, ...]


def decode(content: bytes) -> str:
    """Return the text of a file as spreadsheets save it: UTF-8, UTF-16 with its mark, or 1252."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def near(word: str, known: Collection[str]) -> str:
    """Return `did you mean "..."?` if something known is close, else what there is."""
    close = difflib.get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"it is one of {', '.join(known)}"


def read_table(text: str, *, required: Sequence[str], optional: Sequence[str]) -> Table:
    """Read a CSV text. Raises TableError for a header that doesn't fit or a broken file."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records = _records(lines)
    header = next(records, None)
    if header is None:
        raise TableError(f"The file is empty. Its first line names the columns: {required[0]}, ...")
    columns = tuple(cell.strip().casefold() for cell in header[1])
    _check_header(columns, header[0], required, optional)
    rows, faults = [], []
    for line, cells in records:
        if len(cells) == len(columns):
            values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
            rows.append(Row(line=line, cells=values))
        else:
            reason = f"it has {len(cells)} cells, and there are {len(columns)} columns"
            faults.append(RowFault(line=line, column=None, reason=reason))
    return Table(columns=columns, rows=tuple(rows), faults=tuple(faults))


def _records(lines: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that isn't blank with the line it starts on."""
    while True:
        start = lines.line_num + 1
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            raise TableError(
                f"line {start}: the file is not readable as CSV from here on ({error}). "
                "Check the quotes, or save it again as CSV UTF-8."
            ) from None
        if any(cell.strip() for cell in cells):
            yield start, cells


def _check_header(
    columns: Sequence[str], line: int, required: Sequence[str], optional: Sequence[str]
) -> None:
    known = [*required, *optional]
    faults = [
        f'line {line}: there is no column "{name}" here; {near(name, known)}'
        for name in columns
        if name not in known
    ]
    faults += [
        f'line {line}: the column "{name}" is missing' for name in required if name not in columns
    ]
    twice = {name for name in columns if columns.count(name) > 1}
    faults += [f'line {line}: the column "{name}" stands here twice' for name in sorted(twice)]
    if faults:
        raise TableError("\n".join(faults))


class Cells:
    """Reads one row's cells, and gathers every fault of the row instead of stopping at one."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.faults: list[RowFault] = []

    def fault(self, column: str | None, reason: str) -> None:
        """Note that a cell can't be used."""
        self.faults.append(RowFault(line=self.row.line, column=column, reason=reason))

    def text(self, column: str) -> str:
        """Return a cell; a column that the file doesn't have is empty."""
        return self.row.cells.get(column, "")

    def read(self, column: str, reader: Callable[[str], T]) -> T | None:
        """Return what a cell says; None if it is empty or, with a fault noted, unreadable."""
        text = self.text(column)
        if not text:
            return None
        try:
            return reader(text)
        except CellError as error:
            self.fault(column, str(error))
            return None

    def need(self, column: str, reader: Callable[[str], T]) -> T | None:
        """Return what a cell says; an empty one is a fault."""
        if not self.text(column):
            self.fault(column, "it is empty")
            return None
        return self.read(column, reader)
