"""`aftercare withdraw`: a patient off a protocol."""

import typer

from cli import output
from cli.session import ACTOR, services, the_patient
from worker.steps import visits

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: aftercare withdraw P-1001 daily-check-in")
def withdraw(
    patient: str = typer.Argument(help="The patient's id.", show_default=False),
    protocol: str = typer.Argument(help="The protocol's id.", show_default=False),
    clinic: str | None = typer.Option(None, help="The clinic, if several use this patient id."),
) -> None:
    """End a patient's protocol: its unsent texts are withdrawn, and no import starts it again."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        ended = visits.withdraw(running, person.id, protocol, actor=ACTOR)
    output.result(f"Withdrawn from {protocol}: {ended} enrollments ended.")
