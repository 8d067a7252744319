"""`aftercare patient`: hold, resume and close."""

import typer

from cli import output
from cli.session import ACTOR, an_instant, services, the_patient, zone_of_clinic
from worker.steps import people
from worker.steps.people import Reason

app = typer.Typer(no_args_is_help=True)

_PATIENT = typer.Argument(help="The patient's id.", show_default=False)
_CLINIC = typer.Option(None, help="The clinic, if several use this patient id.")
_REASON = typer.Option(..., help="Why.", show_default=False)


@app.callback()
def main() -> None:
    """Stop starting texts to a patient, for a while or for good. It is never their own stop."""


@app.command(epilog="Example: aftercare patient hold P1001 --reason hospital --until 2026-12-08")
def hold(
    patient: str = _PATIENT,
    reason: Reason = _REASON,
    until: str | None = typer.Option(None, help="A day or an instant; open unless given."),
    clinic: str | None = _CLINIC,
) -> None:
    """Hold texts: what is unsent is cancelled at once, coming visits become calls."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        end = an_instant(until, zone_of_clinic(running, person.clinic_id), "--until")
        done = people.hold(running, person.id, reason=reason, until=end, actor=ACTOR)
    output.result(f"On hold ({reason.value}). {done.cancelled} unsent texts were cancelled.")


@app.command(epilog="Example: aftercare patient resume P1001")
def resume(
    patient: str = _PATIENT,
    reason: Reason | None = typer.Option(None, help="Why, for the audit trail."),
    clinic: str | None = _CLINIC,
) -> None:
    """Lift a hold, or reopen a closed record; coming visits are planned again."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        done = people.resume(running, person.id, reason=reason, actor=ACTOR)
        stopped = people.is_stopped(running, person.id)
    output.result(f"Texts are planned again; {done.enrollments} enrollments began anew.")
    if stopped:
        output.say("The patient has stopped texts. Only their START lifts that.")


@app.command(epilog="Example: aftercare patient close P1001 --reason discharged")
def close(patient: str = _PATIENT, reason: Reason = _REASON, clinic: str | None = _CLINIC) -> None:
    """Close a record: texts and enrollments end, open follow-ups get an owner."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        done = people.close(running, person.id, reason=reason, actor=ACTOR)
    output.result(
        f"Closed ({reason.value}). {done.cancelled} unsent texts were cancelled, "
        f"{done.enrollments} enrollments ended."
    )
