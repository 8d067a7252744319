"""`aftercare consent`: entries of the ledger."""

from enum import StrEnum

import typer

from cli import output
from cli.errors import refuse
from cli.session import ACTOR, an_instant, services, the_patient, zone_of_clinic
from worker.steps import consents

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
    at: str | None = typer.Option(None, help="When they agreed, by the clinic's clock; now."),
    sms_risk_ack: bool = typer.Option(
        False, "--sms-risk-ack", help="They know that texts are not private."
    ),
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
    if action is Action.REVOKE and (at or version or sms_risk_ack):
        refuse("--at, --version and --sms-risk-ack are of a grant; a revocation is in force now.")
    if number_verified and not lift_stop:
        refuse("--number-verified: say it together with --lift-stop.")
    if not method.strip():
        refuse("--method: say how the patient said so.")
    with services() as running:
        person = the_patient(running, patient, clinic)
        when = an_instant(at, zone_of_clinic(running, person.clinic_id), "--at")
        if action is Action.GRANT:
            left = consents.grant(
                running,
                person.id,
                purposes=named,
                method=method.strip(),
                at=when,
                wording_version=version,
                risk_acknowledged=sms_risk_ack or None,
                actor=ACTOR,
                lift_stop=lift_stop,
                number_verified=number_verified,
            )
        else:
            left = consents.revoke(
                running, person.id, purposes=named, method=method.strip(), actor=ACTOR
            )
        stopped = consents.is_stopped(running, person.id)
    output.result(f"In force now: {', '.join(left) or 'nothing'}.")
    if stopped:
        output.say(
            "The patient has stopped texts. Their START lifts a keyword; any other stop is lifted"
            " with --lift-stop, once they have told you that they want texts again."
        )
