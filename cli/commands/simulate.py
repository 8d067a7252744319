"""`aftercare simulate`: a clinic's life on a simulated clock, and every promise that it broke."""

import time
from pathlib import Path

import typer

from cli import output
from cli.errors import FAILED

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: aftercare simulate --patients 50 --days 30 --seed 1 --faults")
def simulate(
    patients: int = typer.Option(50, min=1, max=20_000, help="How many patients."),
    days: int = typer.Option(30, min=1, max=1100, help="How many days."),
    seed: int = typer.Option(1, help="The same seed gives the same report."),
    faults: bool = typer.Option(
        False, "--faults", help="Outages, lost answers, dying processes, odd callbacks."
    ),
    report: Path | None = typer.Option(None, help="Also write the report as a page, with plots."),
) -> None:
    """Live a clinic's days in minutes, through the real steps; print counts and what was broken.

    It runs in a database of its own, made for it and dropped afterwards. Exits 1 if a promise was
    broken.
    """
    from cli.simulation.life import Plan  # noqa: PLC0415 - Slow to import.
    from cli.simulation.page import page  # noqa: PLC0415 - Slow to import.
    from cli.simulation.sites import live  # noqa: PLC0415 - Slow to import.

    began = time.monotonic()
    plan = Plan(patients=patients, days=days, seed=seed, faults=faults)
    told = live(plan)
    print(told.text(), end="")
    if report is not None:
        report.write_text(page(told), "utf-8")
        output.say(f"Wrote {report}.")
    seconds = time.monotonic() - began
    lived = patients * days / seconds
    output.say(f"{seconds:.0f} s: {told.texts / seconds:.1f} texts/s, {lived:.0f} patient-days/s")
    if told.broken:
        raise typer.Exit(FAILED)
