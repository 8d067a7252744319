"""`aftercare clinic apply`: a clinic from its file."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from cli import output
from cli.errors import refuse
from cli.session import ACTOR, services
from schedules import coverage
from schedules.clinic import ClinicFile, read_clinic
from worker.facts import clinic_facts
from worker.protocols import parsed
from worker.steps import clinics

app = typer.Typer(no_args_is_help=True)


@app.callback()
def main() -> None:
    """Clinics, each as its file describes it."""


@app.command(epilog="Example: aftercare clinic apply clinic.yaml")
def apply(
    file: Path = typer.Argument(help="The clinic's file, such as clinic.yaml.", show_default=False),
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
        done = clinics.apply(running, described, actor=ACTOR)
    if as_json:
        _as_json(done)
    else:
        _in_words(done)
    _warn(described, done)


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
