"""A preview on a terminal, into a pipe, and as JSON; the page for print is `cli.calendar_page`."""

import sys
from dataclasses import asdict
from typing import Any

from cli import output
from worker.calendars import of_times, where_unknown
from worker.counting import counted
from worker.preview import (
    CONDITIONAL,
    PLANNED,
    SKIPPED,
    Calendar,
    ImaginedVisit,
    PreviewedText,
)

COLUMNS = ("local_time", "step", "status", "why", "segments", "body")


def records(calendar: Calendar) -> list[dict[str, Any]]:
    """Return each text as JSON has it; local times bear their offset, and the zone is named."""
    return [
        {
            **asdict(text),
            "local_time": text.local_time.isoformat(),
            "zone": calendar.zone.key,
        }
        for text in calendar.texts
    ]


def summary(calendar: Calendar) -> list[str]:
    """Return what is to be known of the whole period, in sentences."""
    price = calendar.price
    planned, maybe = calendar.count(PLANNED), calendar.count(CONDITIONAL)
    segments = calendar.segments(PLANNED), calendar.segments(CONDITIONAL)
    most = f"{price.of(segments[1]):.2f}"
    going = f"{counted(planned, 'text')} in {counted(segments[0], 'segment')}"
    more = f"{counted(maybe, 'more text')} in {counted(segments[1], 'segment')}"
    depends = "depends" if maybe == 1 else "depend"
    lines = [
        of_times(calendar),
        f"{going}: {price.of(segments[0]):.2f} USD (at {price}).",
        f"{more} {depends} on what happens: {most} USD at most.",
        f"{calendar.count(SKIPPED)} will not be sent; each says why.",
    ]
    lines += where_unknown(calendar)
    if calendar.imagined:
        listed = ", ".join(_imagined(each, calendar) for each in calendar.imagined)
        lines.append(f"Imagined visits: {listed}.")
    return lines + [str(change) for change in calendar.changes]


def _imagined(visit: ImaginedVisit, calendar: Calendar) -> str:
    what = "/".join(filter(None, (visit.kind, visit.route, visit.setting)))
    return f"{what} {visit.starts_at.astimezone(calendar.zone):%a %Y-%m-%d %H:%M %Z}"


def show(calendar: Calendar) -> None:
    """Print the table, and the summary beside it."""
    if not calendar.texts:
        output.say("No texts in these days.")
    elif sys.stdout.isatty():
        _table(calendar)
    else:
        rows = [_row(text) for text in calendar.texts]
        output.records(rows, as_json=False, columns=COLUMNS)
    for line in summary(calendar):
        output.say(line)


def local(text: PreviewedText) -> str:
    """Return a text's minute by the patient's clock."""
    return f"{text.local_time:%a %Y-%m-%d %H:%M %Z}"


def _row(text: PreviewedText) -> dict[str, Any]:
    return {
        "local_time": local(text),
        "step": text.step,
        "status": text.status,
        "why": text.explained,
        "segments": text.segments,
        "body": text.body or text.problem,
    }


def _table(calendar: Calendar) -> None:
    from rich.console import Console  # noqa: PLC0415 - Only a terminal needs it.
    from rich.table import Table  # noqa: PLC0415 - Only a terminal needs it.
    from rich.text import Text  # noqa: PLC0415 - Only a terminal needs it.

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("when", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("parts", justify="right")
    table.add_column("text", overflow="fold", ratio=1)
    dim = {SKIPPED: "dim", CONDITIONAL: "italic"}
    for text in calendar.texts:
        words = Text(text.body or text.problem or "", style=dim.get(text.status, ""))
        said = text.explained
        if said:
            words.append(f"\n{said}", style="yellow")
        minute = f"{text.local_time:%a %Y-%m-%d}\n{text.local_time:%H:%M %Z}"
        table.add_row(minute, Text(f"{text.step}\n{text.status}"), str(text.segments or ""), words)
    Console().print(table)
