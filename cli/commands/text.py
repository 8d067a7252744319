"""`aftercare text`: a message from staff to a patient, now or later."""

import typer

from cli import listing, output
from cli.errors import refuse
from cli.session import ACTOR, an_instant, services, the_patient, zone_of_clinic
from records import clinics
from worker.counting import counted
from worker.steps import staff_texts

app = typer.Typer(add_completion=False)


@app.command(
    epilog='Example: aftercare text P-1001 "We have an earlier time for you. Call us?" '
    "--at 2026-12-01T09:30 --as sam@clinic.test"
)
def text(
    patient: str = typer.Argument(help="The patient's id at the clinic.", show_default=False),
    words: str = typer.Argument(help="What to write, in neutral words.", show_default=False),
    at: str | None = typer.Option(None, help="When, by the clinic's clock; now unless given."),
    as_whom: str | None = typer.Option(None, "--as", help="Your e-mail address in the console."),
    clinic: str | None = listing.CLINIC,
) -> None:
    """Text a patient; it goes by the same gates, and automatic questions rest for a day."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        owner = None
        if as_whom is not None:
            with running.database.transaction() as session:
                found = clinics.staff_by_email(session, as_whom)
            mine = [one for one in found if one.clinic_id == person.clinic_id]
            owner = next((one for one in mine if one.disabled_at is None), None)
            if owner is None:
                refuse("--as: nobody with this address works at the patient's clinic.")
        when = an_instant(at, zone_of_clinic(running, person.clinic_id), "--at")
        message_id = staff_texts.write(
            running,
            person.id,
            words,
            actor=f"staff:{owner.id}" if owner else ACTOR,
            owner_id=owner.id if owner else None,
            at=when,
        )
        outlook = staff_texts.outlook(running, person.id, words, at=when)
    _tell(outlook, words.strip())
    output.result(f"{message_id} is queued. See `aftercare history {message_id}`.")


def _tell(found: staff_texts.Outlook, words: str) -> None:
    """Say what it will be billed as, and where it will not stand as it was written."""
    cost = found.price.of(found.segments)
    output.say(f"{counted(found.segments, 'part')}: {cost} USD (at {found.price}).")
    if found.words != words:
        output.say(
            "Letters that are no part of a plain text are written otherwise or left out. It will "
            f"say: {found.words}"
        )
