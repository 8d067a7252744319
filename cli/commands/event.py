"""`aftercare event`: what happened at a visit."""

from datetime import timedelta

import typer

from cli import output
from cli.session import ACTOR, an_instant, services, the_visit, zone_of_visit
from schedules.facts import Dose, VisitStatus
from worker.steps import events

app = typer.Typer(add_completion=False)

_AT_THE_CLINIC = frozenset({VisitStatus.ARRIVED, VisitStatus.CHECKED_OUT, VisitStatus.FULFILLED})
_EARLY = timedelta(hours=12)


@app.command(
    epilog="Example: aftercare event V-2001 checked_out --dose given --at 2026-12-01T11:05"
)
def event(
    appointment: str = typer.Argument(help="The appointment_id.", show_default=False),
    kind: VisitStatus = typer.Argument(help="What happened.", show_default=False),
    at: str | None = typer.Option(
        None, help="When, by the clinic's clock or with an offset; now unless given."
    ),
    dose: Dose | None = typer.Option(None, help="At a dosing visit's check-out."),
    clinic: str | None = typer.Option(None, help="The clinic, if several use this id."),
    as_json: bool = typer.Option(False, "--json", help="Print the visit as JSON."),
) -> None:
    """Record what happened at the clinic.

    Texts after a dose wait for checked_out with --dose given or partial; "fulfilled" does not say
    that a dose was given. "booked" keeps a visit whose patient asked for another time.
    """
    with services() as running:
        visit_id = the_visit(running, appointment, clinic)
        when = an_instant(at, zone_of_visit(running, visit_id), "--at")
        done = events.record_event(running, visit_id, kind, actor=ACTOR, at=when, dose=dose)
    if as_json:
        said = {"id": appointment, "status": done.status, "dose": done.dose, "at": done.at}
        output.result(output.json_line(said))
        return
    output.result(
        f"{appointment} is {done.status}" + (f", dose {done.dose}." if done.dose else ".")
    )
    if kind in _AT_THE_CLINIC and done.starts_at > done.at + _EARLY:
        output.say(f"Is it the right visit? It starts at {output.cell(done.starts_at)}.")
    if kind is VisitStatus.CHECKED_OUT and done.dose is None:
        output.say("No dose is recorded: without --dose no text after a dose will go.")
