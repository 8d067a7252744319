"""`aftercare unpause`: started texts go again."""

import typer

from cli import output
from cli.session import ACTOR, chosen_clinics, services
from worker.steps import clinics

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: aftercare unpause --all")
def unpause(
    clinic: str | None = typer.Option(None, help="The clinic's id."),
    everywhere: bool = typer.Option(False, "--all", help="Every clinic."),
) -> None:
    """Let started texts go again; what has become too late meanwhile expires."""
    with services() as running:
        for each in chosen_clinics(running, clinic, everywhere=everywhere):
            clinics.unpause(running, each.id, actor=ACTOR)
            output.result(f"{each.key}: texts go again.")
