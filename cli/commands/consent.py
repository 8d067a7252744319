"""`aftercare consent`: entries of the ledger."""

from enum import StrEnum

import typer

from cli import output
from cli.errors import refuse
from cli.session import ACTOR, services, the_patient
from worker.steps import people

app = typer.Typer(add_completion=False)


class Action(StrEnum):
    """What an entry says."""

    GRANT = "grant"
    REVOKE = "revoke"


@app.command(
    epilog="Example: aftercare consent P-1001 grant --method paper --purposes 'visits;check_ins'"
)
def consent(
    patient: str = typer.Argument(help="The patient's id.", show_default=False),
    action: Action = typer.Argument(help="What the patient said.", show_default=False),
    method: str = typer.Option(..., help="How: paper, verbal, web_form...", show_default=False),
    purposes: str = typer.Option(
        ..., help="visits;check_ins;health_questions, or some of them.", show_default=False
    ),
    version: str | None = typer.Option(None, help="Which wording they were shown."),
    lift_stop: bool = typer.Option(
        False, "--lift-stop", help="They took back, to you, a stop of theirs."
    ),
    number_verified: bool = typer.Option(
        False, "--number-verified", help="They told you that the number called wrong is theirs."
    ),
    clinic: str | None = typer.Option(None, help="The clinic, if several use this patient id."),
) -> None:
    """Write a grant or a revocation to the ledger; it is in force at once."""
    named = tuple(part.strip() for part in purposes.replace(",", ";").split(";") if part.strip())
    if lift_stop and action is Action.REVOKE:
        refuse("--lift-stop: a revocation lifts nothing.")
    if number_verified and not lift_stop:
        refuse("--number-verified: say it together with --lift-stop.")
    if not method.strip():
        refuse("--method: say how the patient said so.")
    with services() as running:
        person = the_patient(running, patient, clinic)
        if action is Action.GRANT:
            left = people.grant(
                running,
                person.id,
                purposes=named,
                method=method.strip(),
                wording_version=version,
                actor=ACTOR,
                lift_stop=lift_stop,
                number_verified=number_verified,
            )
        else:
            left = people.revoke(
                running, person.id, purposes=named, method=method.strip(), actor=ACTOR
            )
        stopped = people.is_stopped(running, person.id)
    output.result(f"In force now: {', '.join(left) or 'nothing'}.")
    if stopped:
        output.say(
            "The patient has stopped texts. Their START lifts a keyword; any other stop is lifted"
            " with --lift-stop, once they have told you that they want texts again."
        )
