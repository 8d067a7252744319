"""`aftercare pause`: no started texts for a clinic, or for all."""

from zoneinfo import ZoneInfo

import typer

from cli import output
from cli.session import ACTOR, an_instant, chosen_clinics, services
from worker.steps import clinics

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: aftercare pause --clinic riverside --until 2026-12-01T12:00")
def pause(
    clinic: str | None = typer.Option(None, help="The clinic's id."),
    everywhere: bool = typer.Option(False, "--all", help="Every clinic."),
    until: str | None = typer.Option(None, help="A day or an instant, by the clinic's clock."),
) -> None:
    """Stop the texts that we start; replies are still read and safety replies still go."""
    with services() as running:
        for each in chosen_clinics(running, clinic, everywhere=everywhere):
            end = an_instant(until, ZoneInfo(each.file.timezone), "--until")
            clinics.pause(running, each.id, until=end, actor=ACTOR)
            limit = f" until {output.cell(end)}" if end else ""
            output.result(f"{each.key}: paused{limit}.")
