"""Where a command's words go: results to standard output, everything else to standard error.

A list is a table on a terminal, tab-parted lines into a pipe, and one JSON object a line with
`--json` (UTC, ISO 8601).
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

Record = Mapping[str, Any]
_NOTHING: Final = ""


def say(message: str) -> None:
    """Tell the user something that is no result."""
    print(message, file=sys.stderr)


def result(line: str) -> None:
    """Print one line of a result."""
    print(line)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: instants in UTC, ids and enums as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID | date | time | Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value


def json_line(record: Record) -> str:
    """Return a record as one line of JSON."""
    return json.dumps(plain(record), ensure_ascii=False)


def records(
    found: Iterable[Record], *, as_json: bool, columns: Sequence[str] = (), empty: str = "Nothing."
) -> None:
    """Print records; `columns` are those that the table shows, JSON has all of them."""
    if as_json:
        for record in found:
            print(json_line(record))
        return
    rows = list(found)
    if not rows:
        say(empty)
    elif sys.stdout.isatty():
        _table(rows, columns or list(rows[0]))
    else:
        _lines(rows, columns or list(rows[0]))


def cell(value: Any) -> str:
    """Return a value as a person reads it in a table."""
    if value is None:
        return _NOTHING
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
    simple = plain(value)
    if isinstance(simple, list):
        return ", ".join(map(str, simple))
    return json.dumps(simple, ensure_ascii=False) if isinstance(simple, dict) else str(simple)


def _lines(rows: Sequence[Record], columns: Sequence[str]) -> None:
    print("\t".join(columns))
    for row in rows:
        print("\t".join(_one_line(cell(row.get(column))) for column in columns))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(rows: Sequence[Record], columns: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - Only a terminal needs it.
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        # Text, not markup: a patient may well write "[sad]".
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    Console().print(table)
