"""A file as a record system or a spreadsheet saved it: bytes on their way to records of cells.

The first stop of `aftercare import`. Encoding, delimiter and line ends are found out, and nothing
here knows what a cell means. The bytes stay as they are and are read as often as somebody asks, a
record at a time, so that a hundred thousand rows need no more room than one.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from worker.refusal import RefusedError

DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
#: What a letter becomes that the encoding does not have. A cell that holds it is refused.
UNREADABLE: Final = "\ufffd"
#: Longer files are split: no clinic has this much, and they are held in memory as bytes.
LARGEST: Final = 256 * 1024 * 1024
_CHUNK = 1 << 16
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
        self, content: bytes, *, encoding: str | None = None, delimiter: str | None = None
    ) -> None:
        """Find out how the file is written; what is stated is taken as stated."""
        _refuse_wrong_kinds(content)
        self._content, self._encoding = content, _encoding(content, encoding)
        self.delimiter, self._skipped = self._layout(delimiter)
        header = next(self._read(), None)
        if header is None:
            raise TableError("The file is empty. Its first line names the columns.")
        self.header = _without_empty_ends(header.cells)
        self.header_line = header.line

    def records(self) -> Iterator[Record]:
        """Yield every record below the header that isn't blank."""
        found = self._read()
        next(found)
        return found

    def count(self) -> int:
        """Return how many records there are. Raises TableError where the file breaks off."""
        return sum(1 for _ in self.records())

    def _text(self) -> io.TextIOWrapper:
        raw = io.BytesIO(self._content)
        text = io.TextIOWrapper(raw, encoding=self._encoding, errors="replace", newline="")
        for _ in range(self._skipped):
            text.readline()
        return text

    def _layout(self, stated: str | None) -> tuple[str, int]:
        """Return the delimiter, and how many lines stand before the header."""
        self._skipped = 0
        first = next((line for line in self._text() if line.strip()), "").strip()
        # Excel's own way to say it, on a line of its own.
        if first.lower().startswith("sep=") and len(first) == 5:
            return first[-1], 1
        if stated is not None:
            return stated, 0
        return max(DELIMITERS.values(), key=lambda each: len(_cells(first, each))), 0

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
