"""`aftercare staff`: who signs in, who is away, who has left."""

import sys
from datetime import date

import typer

from cli import output
from cli.errors import refuse
from cli.session import ACTOR, services, the_clinic
from worker.intake.table import CellError
from worker.intake.values import day
from worker.steps import staff
from worker.steps.staff import Role

app = typer.Typer(no_args_is_help=True, add_completion=False)

_EMAIL = typer.Argument(help="Their e-mail address.", show_default=False)


@app.callback()
def main() -> None:
    """Console users. Who is away or leaves gives open follow-ups back to the queue."""


@app.command(
    epilog="Example: aftercare staff add sam@clinic.test --role coordinator --clinic riverside"
)
def add(
    email: str = _EMAIL,
    role: Role = typer.Option(help="What they may do in the console.", show_default=False),
    clinic: str | None = typer.Option(None, help="The clinic's id; the only one unless given."),
) -> None:
    """Add a console user; the password is asked for, or read from standard input."""
    password = _password()
    with services() as running:
        with running.database.transaction() as session:
            which = the_clinic(session, clinic)
        staff.add(running, which.id, email=email, role=role, password=password, actor=ACTOR)
        noted = staff.away_days(running, email=email)
    output.result(f"{email} signs in at {which.key} as {role.value}.")
    for first, last in noted:
        mend = f"`aftercare staff back {email} --from {first}`"
        output.say(f"Still noted as away from {first} to {last}. To take that back: {mend}.")


@app.command(
    epilog="Example: aftercare staff away sam@clinic.test --from 2026-12-24 --to 2026-12-31"
)
def away(
    email: str = _EMAIL,
    first: str = typer.Option(..., "--from", help="First day, as 2026-12-24.", show_default=False),
    last: str = typer.Option(..., "--to", help="Last day, included.", show_default=False),
) -> None:
    """Note that somebody is away; their open items return to the queue."""
    with services() as running:
        done = staff.away(
            running, email=email, first=_day("--from", first), last=_day("--to", last), actor=ACTOR
        )
    output.result(f"Noted. {done.returned} open follow-ups went back to the queue.")
    if done.was_until is not None:
        output.say(f"Before, they were noted as away until {done.was_until}: that is replaced.")


@app.command(epilog="Example: aftercare staff back sam@clinic.test --from 2026-12-28")
def back(
    email: str = _EMAIL,
    first: str | None = typer.Option(
        None, "--from", help="First day they are there again; now unless given.", show_default=False
    ),
) -> None:
    """End an absence early, or take one back: give its first day. Other absences stay."""
    with services() as running:
        day_back = None if first is None else _day("--from", first)
        staff.back(running, email=email, first=day_back, actor=ACTOR)
    output.result("Noted. What went back to the queue stays there.")


@app.command(epilog="Example: aftercare staff disable sam@clinic.test")
def disable(email: str = _EMAIL) -> None:
    """End somebody's access at once; their open items return to the queue."""
    with services() as running:
        done = staff.disable(running, email=email, actor=ACTOR)
    output.result(f"Access ended. {done.returned} open follow-ups went back to the queue.")


def _password() -> str:
    """Ask twice on a terminal; else read one line, so that scripts need no argument for it."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        refuse("No password: type it, or give it as one line on standard input.")
    return password


def _day(option: str, text: str) -> date:
    try:
        return day(text.strip())
    except CellError as error:
        refuse(f"{option}: {error}")
