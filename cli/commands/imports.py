"""`aftercare import`: patients and appointments from CSV files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from cli import output
from cli.errors import BAD_INPUT, refuse
from cli.session import ACTOR, services
from worker.intake.batches import ImportReport
from worker.steps import people, visits

app = typer.Typer(no_args_is_help=True)

_FILE = typer.Argument(help="The CSV file; - reads standard input.", show_default=False)
_DRY_RUN = typer.Option(False, "--dry-run", help="Say what would be done, and write nothing.")
_STRICT = typer.Option(False, "--strict", help="Keep nothing if any row is bad.")
_JSON = typer.Option(False, "--json", help="One JSON object for each bad row, then the counts.")

Told = Callable[[int], None]


@app.callback()
def main() -> None:
    """Bring in what the clinic keeps elsewhere; a second import of the same changes nothing."""


@app.command(epilog="Example: aftercare import patients patients.csv --dry-run")
def patients(
    file: Path = _FILE,
    quiet: bool = typer.Option(False, "--quiet", help="Send new patients no welcome."),
    dry_run: bool = _DRY_RUN,
    strict: bool = _STRICT,
    as_json: bool = _JSON,
) -> None:
    """Create and update patients by their patient_id.

    An import never lifts a stop, a hold or a close, and never replaces a newer consent. Whoever
    agreed to texts within the last month is sent the welcome.
    """
    content = _content(file)
    with services() as running, _progress() as (on_start, on_progress):
        report = people.import_patients(
            running,
            content,
            actor=ACTOR,
            quiet=quiet,
            dry_run=dry_run,
            strict=strict,
            on_start=on_start,
            on_progress=on_progress,
        )
    _tell(report, dry_run=dry_run, as_json=as_json)


@app.command(epilog="Example: aftercare import appointments appointments.csv")
def appointments(
    file: Path = _FILE,
    clinic: str | None = typer.Option(None, help="Whose patients, if clinics share ids."),
    quiet: bool = typer.Option(False, "--quiet", help="Text nobody about what is new."),
    dry_run: bool = _DRY_RUN,
    strict: bool = _STRICT,
    as_json: bool = _JSON,
) -> None:
    """Create, move and cancel visits by their appointment_id; texts follow.

    Patients are texted what is booked, moved and cancelled. A clinic's first import tells nobody.
    """
    content = _content(file)
    with services() as running, _progress() as (on_start, on_progress):
        report = visits.import_appointments(
            running,
            content,
            actor=ACTOR,
            clinic_key=clinic,
            quiet=quiet,
            dry_run=dry_run,
            strict=strict,
            on_start=on_start,
            on_progress=on_progress,
        )
    _tell(report, dry_run=dry_run, as_json=as_json)


def _content(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        refuse(f"{file} can't be read: {error.strerror}.")


@contextmanager
def _progress() -> Iterator[tuple[Told, Told]]:
    """Yield what is told the number of rows, and each batch; a bar on a terminal only."""
    if not sys.stderr.isatty():
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console  # noqa: PLC0415 - Only a terminal needs it.
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Rows", total=None)
        yield (
            lambda rows: bar.update(task, total=rows),
            lambda rows: bar.update(task, advance=rows),
        )


def _tell(report: ImportReport, *, dry_run: bool, as_json: bool) -> None:
    """Print what became of the rows; bad ones end the command with 2."""
    counts = {
        "rows": report.rows,
        "created": report.created,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "bad": report.bad,
    }
    if as_json:
        _tell_json(report, counts)
    else:
        for fault in report.faults:
            output.say(str(fault))
        for note in report.notes:
            output.say(f"{note} (kept otherwise)")
        _tell_counts(report, counts, dry_run=dry_run)
    if report.bad:
        raise typer.Exit(BAD_INPUT)


def _tell_json(report: ImportReport, counts: dict[str, int]) -> None:
    for what, found in (("bad", report.faults), ("note", report.notes)):
        for each in found:
            said = {"line": each.line, "column": each.column, "reason": each.reason}
            output.result(output.json_line({"is": what, **said}))
    output.result(output.json_line({**counts, "written": report.written}))


def _tell_counts(report: ImportReport, counts: dict[str, int], *, dry_run: bool) -> None:
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    if dry_run:
        output.result(f"Dry run, nothing was written: {said}.")
    elif not report.written:
        output.result(f"Nothing was written, since --strict is set and rows are bad: {said}.")
    else:
        output.result(f"{said[0].upper()}{said[1:]}.")
