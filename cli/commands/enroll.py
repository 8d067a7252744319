"""`aftercare enroll`: a patient on a protocol that follows no visit."""

import typer

from cli import output
from cli.errors import refuse
from cli.session import ACTOR, services, the_patient
from worker.intake.table import CellError
from worker.intake.values import day
from worker.steps import visits

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: aftercare enroll P-1001 daily-check-in --on 2026-12-01")
def enroll(
    patient: str = typer.Argument(help="The patient's id.", show_default=False),
    protocol: str = typer.Argument(help="The protocol's id.", show_default=False),
    on: str | None = typer.Option(None, help="First day, as 2026-12-01; today unless given."),
    clinic: str | None = typer.Option(None, help="The clinic, if several use this patient id."),
) -> None:
    """Start a patient on a protocol that is enrolled by hand; visits enroll themselves."""
    try:
        first = day(on.strip()) if on else None
    except CellError as error:
        refuse(f"--on: {error}")
    with services() as running:
        person = the_patient(running, patient, clinic)
        row = visits.enroll(running, person.id, protocol, actor=ACTOR, on=first)
    output.result(f"Enrolled in {protocol} from {row.anchor_day} on.")
