"""`aftercare call-list`: whom to call while texts do not go, the worst harm first."""

import typer

from cli import listing, output
from cli.session import ACTOR, services, the_clinic
from records import audit, harm, outages, patients
from worker import reasons

app = typer.Typer(add_completion=False)

_TEXTS_GO = "Texts are going out. This is whom to call if they stop."
_COLUMNS = ("rank", "why", "first_name", "phone", "about_at", "detail", "patient_id")


@app.command("call-list", epilog="Example: aftercare call-list --clinic riverside")
def show(
    clinic: str | None = typer.Option(None, help="The clinic's id; the only one unless given."),
    closure: bool = typer.Option(
        False, "--closure", help="The list before closed days: recent doses, misses, high scores."
    ),
    as_json: bool = listing.JSON,
) -> None:
    """List whom to call, with their numbers, for printing; that it was made is recorded.

    Food and ride of the next dose stand first, then evenings after a dose, silence that is
    urgent, other texts of near visits, and whoever else is silent.
    """
    with services() as running, running.database.transaction() as session:
        which = the_clinic(session, clinic)
        calls = (
            harm.closure_list(session, which.id, now=running.now)
            if closure
            else harm.call_list(session, running.vault, which.id, now=running.now)
        )
        people = harm.people(session, calls)
        down = outages.of_clinic(session, which.id, now=running.now)
        rows = [
            {
                "rank": call.rank,
                "why": call.why,
                "patient_id": patients.opened(running.vault, person, "external_id"),
                "first_name": patients.opened(running.vault, person, "first_name"),
                "phone": patients.opened(running.vault, person, "phone"),
                "about_at": call.about_at,
                "detail": call.detail,
            }
            for call in calls
            if (person := people.get(call.patient_id)) is not None
        ]
        audit.record(
            session,
            running.vault,
            clinic_id=which.id,
            now=running.now,
            actor=ACTOR,
            action="call_list.printed",
            subject=f"clinic:{which.id}",
            details={"count": len(rows), "closure": closure},
        )
    if not closure:
        output.say(reasons.of_outage(down, which.file.zone) if down else _TEXTS_GO)
    output.records(rows, as_json=as_json, columns=_COLUMNS, empty="Nobody has to be called.")
