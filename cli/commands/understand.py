"""`aftercare understand`: how a reply would be read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer
import yaml

from cli import output
from cli.errors import refuse
from messages import ownwords
from messages.errors import LexiconError
from messages.judging import NEVER, Expected, expected_of, judge, report, table
from messages.lexicon import Lexicon, lexicon
from messages.reading import Intent, OpenPrompt, Reading, Severity, Topic
from messages.replies import read
from worker.intake.table import Row, RowFault, TableError, near, read_table

app = typer.Typer(add_completion=False)

_CONTEXTS = ("appointment_reminder", "craving_scale", "side_effect_check", "yes_no", "none")
_SCALE = re.compile(r"scale:(\d{1,3})-(\d{1,3})")
_COLUMNS = ("text", "context", "intent", "value", "also", "severity")
_JUDGED = ("intent", "value", "also", "severity", "never")


@dataclass(frozen=True, slots=True)
class _Row:
    """A text, what was asked, and how it should be read if the file says so."""

    context: str
    text: str = field(repr=False)
    expected: Expected | None = None
    topic: Topic | None = None


@app.command(epilog="Example: aftercare understand --context scale:0-10 'about a 7 today'")
def understand(
    text: str | None = typer.Argument(None, help="What the patient wrote.", show_default=False),
    context: str = typer.Option("none", help=f"What was asked: {' '.join(_CONTEXTS)} scale:A-B."),
    topic: str | None = typer.Option(
        None, help=f"What our text was about: {' '.join(Topic)}.", show_default=False
    ),
    language: str = typer.Option("en", help="The language we last wrote in: en or es."),
    csv: Path | None = typer.Option(None, "--csv", help="Read columns context,text instead."),
    words: Path | None = typer.Option(None, "--words", help="The clinic's own phrases, YAML."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
) -> None:
    """Show how replies would be read; sends nothing, stores nothing.

    A CSV that has a column `intent` (and `value`, `also`, `severity`, `never`) is judged as well:
    precision and recall of each intent, and every miss, go to standard error.
    """
    if (text is None) == (csv is None):
        refuse("Give one TEXT, or --csv with a file.")
    if language not in {"en", "es"}:
        refuse(f'--language: "{language}" is not known here; it is one of en, es')
    about = None if topic is None else _topic(topic)
    if text is not None:
        asked = [_Row(_context(context), text, topic=about)]
    else:
        asked = list(_rows(csv or Path()))
    lists = _lexicon(words)
    found = [_read(row, language, lists) for row in asked]
    _tell(asked, found)
    if as_json:
        for reading in found:
            output.result(output.json_line(_shown(reading)))
        return
    rows = [
        {"text": row.text, "context": row.context, **_shown(reading)}
        for row, reading in zip(asked, found, strict=True)
    ]
    output.records(rows, as_json=False, columns=_COLUMNS)


def _context(text: str) -> str:
    if text not in _CONTEXTS and not _is_scale(text):
        refuse(f'There is no context "{text}"; {near(text, (*_CONTEXTS, "scale:0-10"))}')
    return text


def _topic(text: str) -> Topic:
    if text not in tuple(Topic):
        refuse(f'There is no topic "{text}"; {near(text, tuple(Topic))}')
    return Topic(text)


def _is_scale(text: str) -> bool:
    scale = _SCALE.fullmatch(text)
    return scale is not None and int(scale[1]) < int(scale[2])


def _lexicon(file: Path | None) -> Lexicon:
    """Return the lists with a clinic's own words, and say what is doubtful about these."""
    if file is None:
        return lexicon()
    try:
        # The base loader builds strings only.
        own = yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
        for warning in ownwords.warnings(own):
            output.say(f"warning: {warning}")
        return lexicon(own)
    except (OSError, yaml.YAMLError, LexiconError, AttributeError) as error:
        refuse(f"{file} can't be read as words: {error}")


def _rows(file: Path) -> Iterator[_Row]:
    try:
        content = file.read_bytes()
    except OSError as error:
        refuse(f"{file} can't be read: {error.strerror}.")
    table = read_table(content, required=("context", "text"), optional=(*_JUDGED, "topic"))
    rows = list(table)
    faults = [*(fault for row in rows for fault in row.faults), *_unknown(rows)]
    if faults:
        raise TableError("\n".join(map(str, faults)))
    for row in rows:
        expected = expected_of(row.cells) if "intent" in row.cells else None
        topic = row.cells.get("topic")
        yield _Row(
            row.cells["context"] or "none",
            row.cells["text"] or "",
            expected,
            Topic(topic) if topic else None,
        )


def _unknown(rows: Sequence[Row]) -> Iterator[RowFault]:
    """Yield each word of the table that has no meaning, with its row and what it may be."""
    for row in rows:
        for column, known in _KNOWN.items():
            for word in _SEPARATORS.split(row.cells.get(column) or ""):
                if word and word not in known and not (column == "context" and _is_scale(word)):
                    reason = f'there is no "{word}"; {near(word, known)}'
                    yield RowFault(line=row.line, column=column, reason=reason)


_SEPARATORS = re.compile(r"[|\s]+")
_KNOWN: Mapping[str, Sequence[str]] = {
    "context": (*_CONTEXTS, "scale:0-10"),
    "topic": tuple(Topic),
    "intent": tuple(Intent),
    "also": tuple(Intent),
    "severity": tuple(Severity),
    "never": tuple(sorted(NEVER)),
}


def _tell(rows: Sequence[_Row], found: Sequence[Reading]) -> None:
    """Print how well a file with expected readings was read."""
    judged = [
        judge(row.context, row.text, row.expected, reading)
        for row, reading in zip(rows, found, strict=True)
        if row.expected is not None
    ]
    if judged:
        output.say(table(report(judged)))


def _read(row: _Row, language: str, words: Lexicon) -> Reading:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    asked = OpenPrompt(id="1", context=row.context, asked_at=at, until=at + timedelta(days=1))
    prompts = () if row.context == "none" else (asked,)
    topics = () if row.topic is None else (row.topic,)
    return read(row.text, prompts=prompts, language=language, words=words, topics=topics)


def _shown(reading: Reading) -> dict[str, Any]:
    return {
        "intent": reading.intent,
        "value": reading.value,
        "also": list(reading.also),
        "severity": reading.severity,
    }
