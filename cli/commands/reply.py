"""`aftercare reply correct`: say what a reply means, where it was misread."""

import typer

from cli import listing, output
from cli.commands.replies import FIELDS
from cli.errors import refuse
from cli.session import an_id, named_actor, services
from messages.replies import Intent
from records import casework
from records.clinics import staff_by_email
from worker.services import Services
from worker.steps import corrections
from worker.steps.corrections import Corrected

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """What patients texted, one text at a time."""


@app.command(
    epilog="Example: aftercare reply correct 01931d6e-7a10-7c39-a1de-0d2f5a4be001 "
    "--intent score --value 3"
)
def correct(
    reply_id: str = typer.Argument(help="The id that `replies` prints.", show_default=False),
    intent: Intent = typer.Option(..., help="What the patient meant.", show_default=False),
    value: str | None = typer.Option(None, help="The number, for a score."),
    as_whom: str | None = typer.Option(None, "--as", help="Your e-mail address in the console."),
    as_json: bool = listing.JSON,
) -> None:
    """Correct how a reply was read; the reading is kept beside it. It never lifts a stop."""
    inbound_id = an_id(reply_id, "reply")
    with services() as running:
        actor = _actor(running, as_whom)
        done = corrections.correct(running, inbound_id, intent=intent, value=value, actor=actor)
        with running.database.transaction() as session:
            row = casework.reply(session, running.vault, inbound_id)
    output.records([listing.picked(row, FIELDS)], as_json=as_json)
    if not as_json:
        _say(done)


def _say(done: Corrected) -> None:
    output.say(corrections.IN_WORDS[done.changed])
    if done.stop_stays:
        output.say(
            "The stop stays in force. `aftercare consent --lift-stop` says how it is lifted."
        )


def _actor(running: Services, email: str | None) -> str:
    if email is None:
        return named_actor("--as")
    with running.database.transaction() as session:
        found = [one for one in staff_by_email(session, email) if one.disabled_at is None]
    if not found:
        refuse("Nobody with this address works here. Check --as.")
    return f"staff:{found[0].id}"
