"""A file as a record system or a spreadsheet saved it: bytes on their way to records of cells.

The first stop of `aftercare import`. Encoding, delimiter and line ends are found out, and nothing
here knows what a cell means. The bytes stay as they are and are read as often as somebody asks, a
record at a time, so that a hundred thousand rows need no more room than one.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from worker.refusal import RefusedError

DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
#: What a letter becomes that the encoding does not have. A cell that holds it is refused.
UNREADABLE: Final = "\ufffd"
#: Longer files are split: no clinic has this much, and they are held in memory as bytes.
LARGEST: Final = 256 * 1024 * 1024
_CHUNK = 1 << 16
#: So many lines at most stand above a header: a report's title, its date, merged cells.
_ABOVE = 20
_SAVE_AGAIN = "Save it as CSV UTF-8 and import that"
_WRONG_KINDS = (
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or another archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "compressed (.gz)"),
    (b"{\\rtf", "a text processor's document"),
    (b"<", "a web page or XML"),
    (b"{", "JSON"),
)


class TableError(RefusedError):
    """The file can't be read as a table at all; the message names the line and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The cells of one row as they stand, and the line it starts on."""

    line: int
    cells: tuple[str, ...] = field(repr=False)


class Sheet:
    """One file: its header, and its other records. Raises TableError for what is no table."""

    def __init__(
        self,
        content: bytes,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        is_header: Callable[[Sequence[str]], bool] = lambda _: False,
        leave_out: Sequence[str] = (),
    ) -> None:
        """Find out how the file is written; what is stated is taken as stated.

        The header is the first line for which `is_header` holds, else the first. Lines that begin
        with a word of `leave_out` are no records: the totals at a report's end.
        """
        _refuse_wrong_kinds(content)
        self._content, self._encoding = content, _encoding(content, encoding)
        self._leave_out = tuple(each.casefold() for each in leave_out)
        self.delimiter, self._skipped = self._layout(delimiter, is_header)
        header = next(self._read(), None)
        if header is None:
            raise TableError("The file is empty. Its first line names the columns.")
        self.header = _without_empty_ends(header.cells)
        self.header_line = header.line

    def records(self) -> Iterator[Record]:
        """Yield every record below the header that isn't blank."""
        found = self._read()
        next(found)
        return (each for each in found if not self._is_left_out(each))

    def left_out(self) -> list[int]:
        """Return the lines below the header that are no records."""
        return [each.line for each in islice(self._read(), 1, None) if self._is_left_out(each)]

    def _is_left_out(self, record: Record) -> bool:
        first = next((cell.strip() for cell in record.cells if cell.strip()), "")
        return bool(self._leave_out) and first.casefold().startswith(self._leave_out)

    def count(self) -> int:
        """Return how many records there are. Raises TableError where the file breaks off."""
        return sum(1 for _ in self.records())

    def _text(self) -> io.TextIOWrapper:
        raw = io.BytesIO(self._content)
        text = io.TextIOWrapper(raw, encoding=self._encoding, errors="replace", newline="")
        for _ in range(self._skipped):
            text.readline()
        return text

    def _layout(
        self, stated: str | None, is_header: Callable[[Sequence[str]], bool]
    ) -> tuple[str, int]:
        """Return the delimiter, and how many lines stand before the header."""
        self._skipped, above = 0, 0
        with self._text() as text:
            lines = list(islice(text, _ABOVE))
        first = next((line for line in lines if line.strip()), "")
        # Excel's own way to say it, on a line of its own.
        if first.lower().startswith("sep=") and len(first.strip()) == 5:
            stated, above = first.strip()[-1], 1
        for at, line in enumerate(lines[above:], above):
            delimiter = stated or _delimiter(line)
            if is_header([cell.strip() for cell in _cells(line, delimiter)]):
                return delimiter, at
        return stated or _delimiter(first), above

    def _read(self) -> Iterator[Record]:
        with self._text() as text:
            lines = csv.reader(text, delimiter=self.delimiter, strict=True)
            while True:
                start = self._skipped + lines.line_num + 1
                try:
                    cells = next(lines)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise _broken(start, error) from None
                if any(cell.strip() for cell in cells):
                    yield Record(line=start, cells=tuple(cells))


def _broken(line: int, error: csv.Error) -> TableError:
    return TableError(
        f"line {line}: the file is not readable as CSV from here on ({error}). "
        "Check the quotes, or save it again as CSV UTF-8."
    )


def _delimiter(line: str) -> str:
    return max(DELIMITERS.values(), key=lambda each: len(_cells(line.strip(), each)))


def _cells(line: str, delimiter: str) -> list[str]:
    with suppress(csv.Error, StopIteration):
        return next(csv.reader([line], delimiter=delimiter))
    return []


def _without_empty_ends(cells: tuple[str, ...]) -> tuple[str, ...]:
    found = [cell.strip() for cell in cells]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def _refuse_wrong_kinds(content: bytes) -> None:
    if len(content) > LARGEST:
        raise TableError("The file is larger than 256 MB. Split it, with the header in each part.")
    start = content[:1024].removeprefix(codecs.BOM_UTF8).lstrip()
    for mark, kind in _WRONG_KINDS:
        if start.startswith(mark):
            raise TableError(f"This file is {kind}, and no CSV. {_SAVE_AGAIN}.")


def _encoding(content: bytes, stated: str | None) -> str:
    """Return the file's encoding: its mark, else what was stated, else what the bytes can be."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if stated is not None:
        return stated
    if (sixteen := _sixteen_bits(content[:1024])) is not None:
        return sixteen
    return "utf-8" if _is_utf8(content) else "cp1252"


def _sixteen_bits(start: bytes) -> str | None:
    """Tell 16-bit letters without a mark by their empty halves; a stray zero byte is none."""
    if start.count(0) * 4 < len(start) or not start:
        return None
    high, low = start[1::2].count(0), start[0::2].count(0)
    if min(high, low) * 4 > max(high, low):
        raise TableError(f"This file holds binary data, and is no CSV. {_SAVE_AGAIN}.")
    return "utf-16-le" if high > low else "utf-16-be"


def _is_utf8(content: bytes) -> bool:
    """Whether the letters beyond ASCII are UTF-8, perhaps with a few spoiled bytes among them.

    A single broken byte must not turn every name of the file into another one.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    spoiled = whole = 0
    view = memoryview(content)
    for start in range(0, len(content), _CHUNK):
        piece = view[start : start + _CHUNK]
        text = decoder.decode(piece, final=start + _CHUNK >= len(content))
        if not text.isascii():
            lost = text.count(UNREADABLE)
            spoiled += lost
            whole += sum(letter > "\x7f" for letter in text) - lost
    return spoiled <= whole
