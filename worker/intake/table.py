"""A file's records as rows of cells under our own column names; faults name the file's.

Between a `Sheet` and the readers of patients and visits. Nothing here knows what a cell means, and
no fault repeats a cell that could name a patient.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from worker.intake.sheet import UNREADABLE, Record, Sheet, TableError

__all__ = ["CellError", "Cells", "Layout", "Row", "RowFault", "Table", "TableError", "near"]

T = TypeVar("T")

#: Columns of this name are our own, in a file of bad rows that was mended; they say nothing.
OURS = "aftercare_"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """One thing wrong with one row; `column` is None where the row as a whole is meant."""

    line: int
    column: str | None
    reason: str

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.reason}"


class CellError(ValueError):
    """A cell that doesn't say what its column asks for; the reason completes the fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its cells by our columns, without outer spaces, and what is wrong with it already.

    `names` says what the file calls a column. `broken`: the row has no cells to speak of.
    """

    line: int
    cells: Mapping[str, str] = field(repr=False)
    names: Mapping[str, str] = field(repr=False, default_factory=dict)
    faults: tuple[RowFault, ...] = ()
    broken: bool = False


_TOO_MANY = "put quotes around a cell in which the separator stands"
_TOO_FEW = (
    "complete the line; if it is none of the rows, such as totals, take it out, or name how it "
    "begins under file: leave_out: of a mapping file"
)


#: Gets one of our cells out of a record's cells; raises CellError.
Take = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each of our columns is found in a file, and what the file calls it.

    `needed` are the positions that a row can't do without: spreadsheets leave out empty cells at
    the end of a line.
    """

    takes: Mapping[str, Take]
    names: Mapping[str, str]
    needed: Collection[int]
    width: int
    unused: tuple[str, ...] = ()

    def row(self, record: Record) -> Row:
        """Return a record as a row."""
        cells = [cell.strip() for cell in record.cells]
        extra = any(cells[self.width :])
        if extra or len(cells) <= max(self.needed, default=-1):
            mend = _TOO_MANY if extra else _TOO_FEW
            reason = f"it has {len(cells)} cells, and there are {self.width} columns; {mend}"
            fault = RowFault(line=record.line, column=None, reason=reason)
            return Row(line=record.line, cells={}, faults=(fault,), broken=True)
        cells += [""] * (self.width - len(cells))
        return self._taken(record.line, cells)

    def _taken(self, line: int, cells: Sequence[str]) -> Row:
        found: dict[str, str] = {}
        faults = []
        for column, take in self.takes.items():
            try:
                found[column] = take(cells)
                if UNREADABLE in found[column]:
                    _refuse_unreadable()
            except CellError as error:
                found[column] = ""
                name = self.names.get(column, column)
                faults.append(RowFault(line=line, column=name, reason=str(error)))
        return Row(line=line, cells=found, names=self.names, faults=tuple(faults))


def _refuse_unreadable() -> None:
    raise CellError("it has a letter that can't be read; save the file as CSV UTF-8")


def cell(position: int) -> Take:
    """Return what takes the cell at a position."""
    return lambda cells: cells[position]


class Table:
    """A file's rows under our columns; every iteration reads it anew."""

    def __init__(self, sheet: Sheet, layout: Layout) -> None:
        self.sheet, self.layout = sheet, layout

    @property
    def columns(self) -> frozenset[str]:
        """Our columns that the file has."""
        return frozenset(self.layout.takes)

    def __iter__(self) -> Iterator[Row]:
        return map(self.layout.row, self.sheet.records())

    def __len__(self) -> int:
        return self.sheet.count()


def read_table(content: bytes, *, required: Sequence[str], optional: Sequence[str]) -> Table:
    """Read a file whose columns have our names. Raises TableError for a header that doesn't fit."""
    sheet = plain_sheet(content, required)
    columns = [_ours(name, (*required, *optional)) for name in sheet.header]
    _check_header(columns, sheet.header_line, required, optional)
    places = {name: at for at, name in enumerate(columns) if not name.startswith(OURS)}
    layout = Layout(
        takes={name: cell(at) for name, at in places.items()},
        names={},
        needed=[places[name] for name in required],
        width=len(columns),
    )
    return Table(sheet, layout)


def plain_sheet(content: bytes, required: Sequence[str]) -> Sheet:
    """Open a file whose columns have our names."""
    return Sheet(content, is_header=naming(required))


def naming(columns: Collection[str]) -> Callable[[Sequence[str]], bool]:
    """Return what tells a header by its naming all of these columns."""
    wanted = {folded(name) for name in columns}
    return lambda cells: wanted <= {folded(cell) for cell in cells}


def folded(name: str) -> str:
    """Return a column's name as it is compared: `Patient ID`, `patient_id` and `PatientId`."""
    return re.sub(r"[\W_]+", "", name.casefold())


def near(word: str, known: Collection[str]) -> str:
    """Return `did you mean "..."?` if something known is close, else what there is."""
    close = difflib.get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"it is one of {', '.join(known)}"


def _ours(name: str, known: Sequence[str]) -> str:
    plain = folded(name)
    return next((each for each in known if folded(each) == plain), name)


def _check_header(
    columns: Sequence[str], line: int, required: Sequence[str], optional: Sequence[str]
) -> None:
    known = [*required, *optional]
    _refuse_strange_header(columns, line, known)
    faults = [
        f'line {line}: there is no column "{name}" here; {near(name, known)}'
        for name in columns
        if name and name not in known and not name.startswith(OURS)
    ]
    faults += [
        f"line {line}: column {at} has no name" for at, name in enumerate(columns, 1) if not name
    ]
    faults += [
        f'line {line}: the column "{name}" is missing' for name in required if name not in columns
    ]
    twice = {name for name in columns if name and columns.count(name) > 1}
    faults += [f'line {line}: the column "{name}" stands here twice' for name in sorted(twice)]
    if faults:
        raise TableError("\n".join(faults))


def _refuse_strange_header(columns: Sequence[str], line: int, known: Sequence[str]) -> None:
    """Refuse a line most of whose cells are no names of ours, without repeating any.

    It may be the first patient of a file without a header.
    """
    ours = sum(name in known for name in columns)
    if ours * 2 >= len(columns):
        return
    raise TableError(
        f"line {line}: {ours} of its {len(columns)} cells name a column of ours, so that it is no "
        f"header. The first line has to name the columns: {', '.join(known)}. If they are called "
        "otherwise, a mapping file says which is which (--map)."
    )


class Cells:
    """Reads one row's cells, and gathers every fault of the row instead of stopping at one."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.faults: list[RowFault] = list(row.faults)

    def fault(self, column: str, reason: str) -> None:
        """Note that a cell can't be used."""
        name = self.row.names.get(column, column)
        self.faults.append(RowFault(line=self.row.line, column=name, reason=reason))

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
        """Return what a cell says; an empty one is a fault, unless it has one already."""
        name = self.row.names.get(column, column)
        if not self.text(column) and not any(each.column == name for each in self.faults):
            self.fault(column, "it is empty")
        return self.read(column, reader)
