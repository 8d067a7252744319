"""A file read by a mapping: its own columns, words and forms become ours, row by row.

`worker.intake.mapping` has read the mapping; here it meets a file's header and its cells.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from worker.intake import patients, visits
from worker.intake.sheet import Sheet, TableError
from worker.intake.table import OURS, CellError, Layout, Table, Take, cell, folded, naming
from worker.intake.written import PLAIN, Written

_RANGE = re.compile(r"\s+(?:-|–|—|to|until|a)\s+|\s*[–—]\s*", re.IGNORECASE)  # noqa: RUF001


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One of the two files that can be imported: its columns, and its closed lists of words."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    words: Mapping[str, Callable[[str], Any]]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, those first that must be there."""
        return (*self.required, *self.optional)


PATIENTS: Final = Kind(
    name="patients",
    required=patients.REQUIRED,
    optional=patients.OPTIONAL,
    words=patients.WORDS,
)
APPOINTMENTS: Final = Kind(
    name="appointments", required=visits.REQUIRED, optional=visits.OPTIONAL, words=visits.WORDS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a column of ours comes from: one or two columns of the file, and what of them."""

    columns: tuple[str, ...]
    take: str | None = None
    line: int = 0

    @property
    def name(self) -> str:
        """How a fault names it."""
        return " + ".join(self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFile:
    """A mapping as values. `words` are by column of ours, the file's words folded."""

    file: str
    kind: Kind
    encoding: str | None
    delimiter: str | None
    sources: Mapping[str, Source]
    constants: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]] = field(repr=False)
    written: Written = PLAIN
    leave_out: tuple[str, ...] = ()

    def table(self, content: bytes) -> Table:
        """Read a file by this mapping. Raises TableError for a file that doesn't fit it."""
        sheet = self.sheet(content)
        return Table(sheet, self._layout(sheet))

    def sheet(self, content: bytes) -> Sheet:
        """Open a file as the mapping says that it is written."""
        named = {name for source in self.sources.values() for name in source.columns}
        return Sheet(
            content,
            encoding=self.encoding,
            delimiter=self.delimiter,
            is_header=naming(named),
            leave_out=self.leave_out,
        )

    def _layout(self, sheet: Sheet) -> Layout:
        places: dict[str, list[int]] = {}
        for at, name in enumerate(sheet.header):
            places.setdefault(folded(name), []).append(at)
        sources = {**self._unchanged(sheet.header), **self.sources}
        faults = [*self._missing(sheet, places, sources)]
        if faults:
            raise TableError("\n".join(faults))
        where = {
            ours: [places[folded(name)][0] for name in source.columns]
            for ours, source in sources.items()
        }
        takes = {ours: self._take(ours, sources[ours], at) for ours, at in where.items()}
        takes |= {ours: _constant(text) for ours, text in self.constants.items()}
        used = {at for each in where.values() for at in each}
        return Layout(
            takes=takes,
            names={ours: source.name for ours, source in sources.items()},
            needed=[at for ours in self.kind.required for at in where.get(ours, ())],
            width=len(sheet.header),
            unused=tuple(
                name
                for at, name in enumerate(sheet.header)
                if name and at not in used and not name.startswith(OURS)
            ),
        )

    def _unchanged(self, header: Sequence[str]) -> dict[str, Source]:
        """Return the columns that bear our names and that the mapping does not speak of."""
        ours = {folded(name): name for name in self.kind.columns}
        return {
            ours[folded(name)]: Source(columns=(name,))
            for name in header
            if folded(name) in ours and ours[folded(name)] not in self.constants
        }

    def _missing(
        self, sheet: Sheet, places: Mapping[str, Sequence[int]], sources: Mapping[str, Source]
    ) -> list[str]:
        """Say of every column that the mapping needs and the file does not have once."""
        line = f"line {sheet.header_line}"
        found = [
            f"{line}: {self._not_once(name, len(places.get(folded(name), ())), sheet.header, ours)}"
            for ours, source in sources.items()
            for name in source.columns
            if len(places.get(folded(name), ())) != 1
        ]
        found += [
            f'{line}: nothing says where "{name}" comes from; name its column in {self.file} '
            "under columns:, or give it under constants:"
            for name in self.kind.required
            if name not in sources and name not in self.constants
        ]
        return found

    def _not_once(self, name: str, count: int, header: Sequence[str], ours: str) -> str:
        if count:
            return f'the column "{name}" stands here {count} times'
        near = get_close_matches(name, header, n=1)
        hint = f'did you mean "{near[0]}"?' if near else "it is not in the header"
        line = self.sources[ours].line
        return (
            f'there is no column "{name}" here, which the mapping names for {ours} '
            f"({self.file}:{line}); {hint}"
        )

    def _take(self, ours: str, source: Source, at: Sequence[int]) -> Take:
        get = self._parts(source, at)
        words = self.words.get(ours)
        known = self.kind.words.get(ours)
        if words is None:
            return get

        def translated(cells: Sequence[str]) -> str:
            text = get(cells)
            meant = words.get(word(text))
            if meant is not None:
                return meant
            if text and known is not None:
                _refuse_unknown(ours, text, known)
            return text

        return translated

    def _parts(self, source: Source, at: Sequence[int]) -> Take:
        if source.take == "minutes":
            return lambda cells: f"+{cells[at[0]]}" if cells[at[0]] else ""
        if len(at) > 1:
            return lambda cells: " ".join(cells[each] for each in at if cells[each])
        if source.take is None:
            return cell(at[0])
        part = PARTS[source.take]
        return lambda cells: part(self.written, cells[at[0]]) if cells[at[0]] else ""


def _constant(text: str) -> Take:
    return lambda _: text


def word(text: str) -> str:
    return " ".join(text.casefold().split())


def _refuse_unknown(ours: str, text: str, known: Callable[[str], Any]) -> None:
    try:
        known(text)
    except CellError:
        raise CellError(
            f'"{text[:30]}" is not known here; say under words: {ours}: of the mapping file '
            "what it means"
        ) from None


def _after_comma(_: Written, text: str) -> str:
    last, comma, first = text.partition(",")
    if not comma or not first.strip() or not last.strip():
        raise CellError('it is not written as "last, first"')
    return first.strip()


def _before_space(_: Written, text: str) -> str:
    if "," in text:
        raise CellError('it is not written as "first last"')
    return text.split(maxsplit=1)[0]


def _only_date(written: Written, text: str) -> str:
    found, _ = written.split(text)
    return found.isoformat()


def _start(_: Written, text: str) -> str:
    return _both_ends(text)[0]


def _end(written: Written, text: str) -> str:
    start, end = _both_ends(text)
    try:
        written.split(end)
    except CellError:
        # The usual case: the day stands once, before the start.
        return f"{_only_date(written, start)} {end}"
    return end


def _both_ends(text: str) -> tuple[str, str]:
    ends = _RANGE.split(text)
    if len(ends) != 2:
        raise CellError("it is not written as a start and an end, such as 9:00 AM - 10:30 AM")
    return ends[0].strip(), ends[1].strip()


#: What `take:` may say, by what it takes out of a cell.
PARTS: Mapping[str, Callable[[Written, str], str]] = {
    "last, first": _after_comma,
    "first last": _before_space,
    "date": _only_date,
    "start": _start,
    "end": _end,
}
