"""`aftercare form`: a form behind a link was filled in."""

import typer

from cli import output
from cli.errors import refuse
from cli.session import ACTOR, an_instant, services, the_patient, zone_of_clinic
from worker.steps import forms

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: aftercare form P-1001 mood --score phq2=4 --score gad2=1")
def form(
    patient: str = typer.Argument(help="The patient's id.", show_default=False),
    key: str = typer.Argument(help="The form, as its protocol calls it.", show_default=False),
    at: str | None = typer.Option(None, help="When, by the clinic's clock; now unless given."),
    score: list[str] = typer.Option([], help="NAME=NUMBER; may be given several times."),
    clinic: str | None = typer.Option(None, help="The clinic, if several use this patient id."),
) -> None:
    """Note that a form was filled in: nobody is reminded of it, and its scores are looked at."""
    scores = dict(map(_score, score))
    with services() as running:
        person = the_patient(running, patient, clinic)
        when = an_instant(at, zone_of_clinic(running, person.clinic_id), "--at")
        done = forms.record(running, person.id, key, actor=ACTOR, at=when, scores=scores)
    if done.known:
        output.result(f"The form {key} of that time was told of before. Nothing changed.")
        return
    if not done.asked and not done.opened:
        output.result(f"Noted. No text waits for the form {key}.")
        return
    opened = " A follow-up was opened." if done.opened else ""
    output.result(f"Noted: the form {key} is done.{opened}")


def _score(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name.strip() or not number.strip().isdigit():
        refuse(f'--score: "{text}" can\'t be read; write it as phq2=3.')
    return name.strip(), int(number)
