"""`aftercare understand`: how a reply would be read."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from cli import output
from cli.errors import refuse
from messages.reading import OpenPrompt, Reading
from messages.replies import read
from worker.intake.table import TableError, decode, near, read_table

app = typer.Typer()

_CONTEXTS = ("appointment_reminder", "craving_scale", "side_effect_check", "yes_no", "none")
_SCALE = re.compile(r"scale:(\d{1,3})-(\d{1,3})")
_COLUMNS = ("text", "context", "intent", "value", "also", "severity")


@app.command(epilog="Example: aftercare understand --context scale:0-10 'about a 7 today'")
def understand(
    text: str | None = typer.Argument(None, help="What the patient wrote.", show_default=False),
    context: str = typer.Option("none", help=f"What was asked: {' '.join(_CONTEXTS)} scale:A-B."),
    language: str = typer.Option("en", help="The language we last wrote in: en or es."),
    csv: Path | None = typer.Option(None, "--csv", help="Read columns context,text instead."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
) -> None:
    """Show how replies would be read; sends nothing, stores nothing."""
    if (text is None) == (csv is None):
        refuse("Give one TEXT, or --csv with a file.")
    if language not in {"en", "es"}:
        refuse(f'--language: "{language}" is not known here; it is one of en, es')
    asked = [(_context(context), text)] if text is not None else list(_rows(csv or Path()))
    found = [_read(each, words or "", language) for each, words in asked]
    if as_json:
        for reading, _, _ in found:
            output.result(output.json_line(_shown(reading)))
        return
    rows = [{"text": words, "context": each, **_shown(reading)} for reading, each, words in found]
    output.records(rows, as_json=False, columns=_COLUMNS)


def _context(text: str) -> str:
    scale = _SCALE.fullmatch(text)
    if (scale is None and text not in _CONTEXTS) or (scale and int(scale[1]) >= int(scale[2])):
        refuse(f'There is no context "{text}"; {near(text, (*_CONTEXTS, "scale:0-10"))}')
    return text


def _rows(file: Path) -> Iterator[tuple[str, str]]:
    try:
        content = decode(file.read_bytes())
    except OSError as error:
        refuse(f"{file} can't be read: {error.strerror}.")
    table = read_table(content, required=("context", "text"), optional=())
    if table.faults:
        raise TableError("\n".join(str(fault) for fault in table.faults))
    for row in table.rows:
        yield _context(row.cells["context"] or "none"), row.cells["text"]


def _read(context: str, text: str, language: str) -> tuple[Reading, str, str]:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    asked = OpenPrompt(id="1", context=context, asked_at=at, until=at + timedelta(days=1))
    prompts = () if context == "none" else (asked,)
    return read(text, prompts=prompts, language=language), context, text


def _shown(reading: Reading) -> dict[str, Any]:
    return {
        "intent": reading.intent,
        "value": reading.value,
        "also": list(reading.also),
        "severity": reading.severity,
    }
