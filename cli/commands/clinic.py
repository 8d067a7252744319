"""`aftercare clinic apply`: a clinic from its file."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from cli import output
from cli.errors import refuse
from cli.session import ACTOR, services, the_clinic
from schedules import clinic_cover, coverage
from schedules.clinic import ClinicFile, read_clinic
from schedules.facts import VisitStatus
from schedules.yamlfile import parse
from worker.facts import clinic_facts
from worker.intake.table import CellError
from worker.intake.values import day as read_day
from worker.protocols import parsed
from worker.steps import clinics, closing, visits

app = typer.Typer(no_args_is_help=True)


@app.callback()
def main() -> None:
    """Clinics, each as its file describes it."""


@app.command(epilog="Example: aftercare clinic apply clinic.yaml")
def apply(
    file: Path = typer.Argument(help="The clinic's file, such as clinic.yaml.", show_default=False),
    end_running: bool = typer.Option(
        False, "--end-running", help="End protocols that the file leaves out and patients follow."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object for each change."),
) -> None:
    """Create or update a clinic; prints what changed. Applying a file twice changes nothing."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        refuse(f"{file} can't be read: {reason}.")
    with services() as running:
        described = read_clinic(text, str(file), sandbox=running.settings.mode == "sandbox")
        for warning in clinic_cover.warnings(described, parse(text, str(file))):
            output.say(f"warning: {warning}")
        try:
            done = clinics.apply(running, described, actor=ACTOR, end_running=end_running)
        except clinics.InUseError as error:
            line = parse(text, str(file)).line(("protocols",))
            refuse(f"{file}:{line}: {error}")
    if as_json:
        _as_json(done)
    else:
        _in_words(done)
    _warn(described, done)


@app.command(epilog="Example: aftercare clinic close 2026-12-18 --clinic riverside")
def close(
    day: str = typer.Argument(help="The day by the clinic's calendar.", show_default=False),
    clinic: str | None = typer.Option(None, help="The clinic's id; the only one unless given."),
    yes: bool = typer.Option(False, "--yes", help="Cancel the day's visits without asking."),
) -> None:
    """Close a clinic for a day: cancel its visits, text the patients, list who is to be called.

    What falls due on the day falls due when work goes on. Put the day under holidays.extra in the
    clinic's file as well, or the next `clinic apply` opens it again.
    """
    try:
        date = read_day(day.strip())
    except CellError as error:
        refuse(f"{day}: {error}")
    with services() as running:
        with running.database.transaction() as session:
            which = the_clinic(session, clinic)
        if not yes and not typer.confirm(f"Close {which.key} on {date} and cancel its visits?"):
            refuse("Nothing was changed.")
        done = closing.close_day(running, which.id, day=date, actor=ACTOR)
        for visit_id in done.visits:
            visits.record_event(running, visit_id, VisitStatus.CANCELLED, actor=ACTOR)
    output.result(f"{which.key} is closed on {date}.")
    output.result(f"  {len(done.visits)} visits are cancelled, and their patients are texted")
    output.result(f"  {done.moved_items} open follow-ups fall due later")
    output.say("Call them for another time: `aftercare followups --status open`.")
    output.say(f'Add "{date}" under holidays.extra of the clinic\'s file too.')


def _warn(file: ClinicFile, done: clinics.Applied) -> None:
    """Say where nobody would read an answer to what was just published (care rule 4)."""
    sources, place = clinics.shipped_sources(), clinic_facts(file)
    for name, _ in done.published:
        for warning in coverage.warnings(parsed(sources[name], name), place, now=datetime.now(UTC)):
            output.say(f"warning: {name}, {warning}")


def _as_json(done: clinics.Applied) -> None:
    if done.created:
        output.result(output.json_line({"clinic": done.key, "created": True}))
    for change in done.changes:
        said = {"field": change.field, "before": change.before, "after": change.after}
        output.result(output.json_line({"clinic": done.key, **said}))
    for name, number in done.published:
        output.result(output.json_line({"clinic": done.key, "protocol": name, "version": number}))


def _in_words(done: clinics.Applied) -> None:
    if not done.changed:
        output.result(f"{done.key}: nothing changed.")
        return
    output.result(f"{done.key}: {'created' if done.created else 'updated'}.")
    for change in done.changes:
        output.result(f"  {change.field}: {_shown(change.before)} -> {_shown(change.after)}")
    for name, number in done.published:
        output.result(f"  protocol {name}: version {number} is in force")
    if done.moved_texts:
        output.result(f"  {done.moved_texts} unsent texts go from the new sender")
    if done.enrolled or done.ended:
        output.result(f"  {done.enrolled} enrollments began, {done.ended} ended")


def _shown(value: object) -> str:
    return "nothing" if value in (None, [], {}) else output.cell(value)
