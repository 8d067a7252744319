"""`aftercare import`: patients, appointments and completed forms from CSV files."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import typer

from cli import importing, output
from cli.effects import progress
from cli.errors import BAD_INPUT, refuse
from cli.session import ACTOR, services, the_clinic
from worker.counting import counted
from worker.intake.batches import ImportReport
from worker.intake.mapped import APPOINTMENTS, PATIENTS, Kind, MappingFile
from worker.intake.mapping import read_mapping
from worker.intake.sheet import Sheet
from worker.intake.standing import Left
from worker.intake.standing import standing as left_standing
from worker.intake.table import plain_sheet
from worker.intake.whole import LARGEST_DROP, Days
from worker.services import Services
from worker.steps import forms as form_step
from worker.steps import people, visits

app = typer.Typer(no_args_is_help=True, add_completion=False)

_FILE = typer.Argument(help="The CSV file; - reads standard input.", show_default=False)
_MAP = typer.Option(None, "--map", help="A mapping file: how this file's columns become ours.")
_ERRORS = typer.Option(None, "--errors", help="Write the bad rows here, with a reason each.")
_DRY_RUN = typer.Option(False, "--dry-run", help="Say what would be done, and write nothing.")
_STRICT = typer.Option(False, "--strict", help="Keep nothing if any row is bad.")
_REVEAL = typer.Option(False, "--reveal", help="Show all values of conflicts; this is recorded.")
_JSON = typer.Option(False, "--json", help="One JSON object for each bad row, then the counts.")


@app.callback()
def main() -> None:
    """Bring in what the clinic keeps elsewhere; a second import of the same changes nothing."""


@app.command(epilog="Example: aftercare import patients patients.csv --dry-run")
def patients(
    file: Path = _FILE,
    map_file: Path | None = _MAP,
    errors: Path | None = _ERRORS,
    quiet: bool = typer.Option(
        False, "--quiet", help="Welcome nobody before another text is to go."
    ),
    dry_run: bool = _DRY_RUN,
    strict: bool = _STRICT,
    reveal: bool = _REVEAL,
    as_json: bool = _JSON,
) -> None:
    """Create and update patients by their patient_id.

    An import never lifts a stop, a hold or a close, never replaces a newer consent, and leaves what
    staff changed since as it is. Whoever is new to texts is sent the welcome; their reply to it
    proves the number, and check-ins wait for that.
    """
    wanted = _Wanted(file, errors, dry_run, strict, as_json, reveal)
    content, mapping = wanted.content(), _mapping(map_file, "patients")
    with services() as running:
        step = partial(people.import_patients, running, content, mapping=mapping, quiet=quiet)
        report = wanted.bring_in(running, step, _sheet(content, mapping, PATIENTS))
    _end(fine=not report.bad)


@app.command(
    epilog="Example: aftercare import appointments week.csv --complete 2026-12-07..2026-12-11"
)
def appointments(
    file: Path = _FILE,
    map_file: Path | None = _MAP,
    clinic: str | None = typer.Option(None, help="Whose patients, if clinics share ids."),
    complete: str | None = typer.Option(
        None, help="FROM..TO: on these days the file is whole, and visits not in it are cancelled."
    ),
    yes: bool = typer.Option(False, "--yes", help="Cancel missing visits without asking."),
    force: bool = typer.Option(False, "--force", help="Even if more than a fifth is missing."),
    errors: Path | None = _ERRORS,
    quiet: bool = typer.Option(False, "--quiet", help="Text nobody about what is new."),
    dry_run: bool = _DRY_RUN,
    strict: bool = _STRICT,
    reveal: bool = _REVEAL,
    as_json: bool = _JSON,
) -> None:
    """Create, move and cancel visits by their appointment_id; texts follow.

    Patients are texted what is booked, moved and cancelled. A clinic's first import tells nobody.
    What staff changed since stays as it is.
    """
    wanted = _Wanted(file, errors, dry_run, strict, as_json, reveal)
    days = _days(complete)
    content, mapping = wanted.content(), _mapping(map_file, "appointments")
    with services() as running:
        step = partial(
            visits.import_appointments,
            running,
            content,
            clinic_key=clinic,
            mapping=mapping,
            complete=days,
            quiet=quiet,
        )
        report = wanted.bring_in(running, step, _sheet(content, mapping, APPOINTMENTS))
        fine = _missing(running, report, yes=yes, force=force, quiet=quiet, as_json=as_json)
    _end(fine=fine and not report.bad)


@app.command(epilog="Example: aftercare import forms completed.csv --dry-run")
def forms(
    file: Path = _FILE,
    clinic: str | None = typer.Option(None, help="Whose patients, if clinics share ids."),
    errors: Path | None = _ERRORS,
    dry_run: bool = _DRY_RUN,
    strict: bool = _STRICT,
    as_json: bool = _JSON,
) -> None:
    """Note forms that were filled in: patient_id, form, filled_at, and a column for each score.

    Nobody is reminded of what is done, and scores are looked at as `aftercare form` has them.
    """
    wanted = _Wanted(file, errors, dry_run, strict, as_json)
    content = wanted.content()
    with services() as running:
        step = partial(form_step.import_forms, running, content, clinic_key=clinic)
        report = wanted.bring_in(running, step, Sheet(content))
    _end(fine=not report.bad)


_LEFT = {
    Left.CONFLICT: "the file and staff have both changed it; staff's value stays. Correct it where "
    "it is wrong, in the file or here, so that both say the same",
    Left.CONSENT_PENDING: "the number changed, and no text goes until the patient agrees anew: ask "
    "them, and record it with `aftercare consent`",
    Left.NUMBER_UNPROVED: "no reply came from the number, and check-ins wait: ask for one, or say "
    "that you saw our text there with `aftercare patient text-seen`",
}


@app.command(epilog="Example: aftercare import standing --clinic riverside")
def standing(
    clinic: str | None = typer.Option(None, help="The clinic's id; the only one unless given."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
) -> None:
    """List what imports left for you to settle: conflicts, pending consents, unproved numbers."""
    with services() as running:
        with running.database.transaction() as session:
            which = the_clinic(session, clinic)
        found = left_standing(running, which.id)
    rows = [
        {
            "is": each.is_.value,
            "patient_id": each.patient,
            "appointment_id": each.visit,
            "column": each.column,
            "what_to_do": _LEFT[each.is_],
        }
        for each in found
    ]
    columns = ("is", "patient_id", "appointment_id", "column", "what_to_do")
    output.records(rows, as_json=as_json, columns=columns)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What every import's options say of the file, of its bad rows, and of what is told."""

    file: Path
    errors: Path | None
    dry_run: bool
    strict: bool
    as_json: bool
    reveal: bool = False

    def content(self) -> bytes:
        """Read the file, once there is a place for its bad rows."""
        importing.free_place(self.errors, self.file)
        return sys.stdin.buffer.read() if str(self.file) == "-" else _bytes(self.file)

    def bring_in(
        self, running: Services, step: Callable[..., ImportReport], sheet: Sheet
    ) -> ImportReport:
        """Run an import with a progress bar, tell what became of it, and write the bad rows out."""
        with progress("Rows") as (on_start, on_progress):
            report = step(
                actor=ACTOR,
                dry_run=self.dry_run,
                strict=self.strict,
                on_start=on_start,
                on_progress=on_progress,
            )
        if self.reveal and report.conflicts:
            importing.record_reveal(running, report.conflicts)
        importing.tell_passed_over(sheet)
        importing.tell(report, dry_run=self.dry_run, as_json=self.as_json, reveal=self.reveal)
        if self.errors is not None:
            importing.write_errors(self.errors, sheet, report.faults)
        return report


def _end(*, fine: bool) -> None:
    """End the command with 2 where a row was bad, or what is missing could not be cancelled."""
    if not fine:
        raise typer.Exit(BAD_INPUT)


def _missing(
    running: Services, report: ImportReport, *, yes: bool, force: bool, quiet: bool, as_json: bool
) -> bool:
    """Cancel what a whole file does not have, after yes; return whether all is as was asked."""
    whole = report.whole
    if whole is None or not whole.missing:
        return True
    if not as_json:
        importing.tell_missing(whole)
    if not report.written:
        return True
    why_not = _why_not(report, force=force)
    if why_not is not None:
        output.say(f"Nothing was cancelled: {why_not}")
        return False
    if not yes and not _agreed(f"Cancel {counted(len(whole.missing), 'visit')}?"):
        return False
    count = visits.cancel_missing(running, whole.missing, actor=ACTOR, quiet=quiet)
    if as_json:
        output.result(output.json_line({"cancelled": count}))
    else:
        told = "nobody is texted" if quiet else "their patients are texted"
        gone = counted(count, "missing visit was cancelled", "missing visits were cancelled")
        output.result(f"{gone}, and {told}.")
    return True


def _why_not(report: ImportReport, *, force: bool) -> str | None:
    whole = report.whole
    if whole is None:
        return None
    if whole.unread:
        lines = importing.lines(whole.unread)
        return f"which visit stands on line {lines} can't be read. Mend that first, as told above."
    if whole.is_large and not force:
        return (
            f"{whole.drop:.0%} of the visits are missing, and more than {LARGEST_DROP:.0%} looks "
            "like a file that is cut short. If the file is right, add --force."
        )
    return None


def _agreed(question: str) -> bool:
    try:
        if typer.confirm(question, err=True):
            return True
        output.say("Nothing was cancelled.")
    except typer.Abort:
        output.say("Nothing was cancelled: nobody is here to ask. Add --yes to cancel them.")
    return False


def _days(text: str | None) -> Days | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})", text.strip())
    try:
        first, last = (date.fromisoformat(each) for each in (found.groups() if found else ()))
    except ValueError:
        refuse("--complete: write the days as 2026-12-07..2026-12-11, both included.")
    if last < first:
        refuse("--complete: the range ends before it begins.")
    return Days(first=first, last=last)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        refuse(f"{file} can't be read: {error.strerror}.")


def _mapping(file: Path | None, kind: str) -> MappingFile | None:
    if file is None:
        return None
    try:
        text = _bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse(f"{file} can't be read: save it as UTF-8.")
    return read_mapping(text, str(file), kind)


def _sheet(content: bytes, mapping: MappingFile | None, kind: Kind) -> Sheet:
    return mapping.sheet(content) if mapping else plain_sheet(content, kind.required)
