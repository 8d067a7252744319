"""`aftercare staff`: who signs in and as what, who is away, who has left."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from uuid import UUID

import typer

from cli import listing, output
from cli.errors import refuse
from cli.session import ACTOR, services, the_clinic
from worker.counting import counted
from worker.intake.table import CellError
from worker.intake.values import day
from worker.services import Services
from worker.steps import staff
from worker.steps.staff import NewRole, Role

app = typer.Typer(no_args_is_help=True, add_completion=False)

_EMAIL = typer.Argument(help="Their e-mail address.", show_default=False)
_COLUMNS = ("email", "clinic", "role", "status", "away", "disabled_at")
_ONLY_A_CLINICIAN = "can't end a crisis, an overdose or an emergency"


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


@app.command("list", epilog="Example: aftercare staff list --clinic riverside --json")
def show(clinic: str | None = listing.CLINIC, as_json: bool = listing.JSON) -> None:
    """List who signs in, as what, who is away and whose access has ended."""
    with services() as running:
        found = staff.listed(running, _clinic_id(running, clinic))
    rows = [asdict(one) for one in found]
    for row in rows:
        days = row["away"]
        row["away"] = (
            [{"from": first, "to": last} for first, last in days]
            if as_json
            else [f"{first} to {last}" for first, last in days]
        )
    output.records(rows, as_json=as_json, columns=_COLUMNS, empty="Nobody signs in yet.")


@app.command(epilog="Example: aftercare staff password sam@clinic.test")
def password(
    email: str = _EMAIL,
    clinic: str | None = typer.Option(
        None, help="Only at this clinic; wherever they work unless given.", show_default=False
    ),
) -> None:
    """Give somebody a new password, asked for or read from standard input; they are signed out."""
    new = _password()
    with services() as running:
        changed, kept = staff.set_password(
            running,
            email=email,
            password=new,
            clinic_id=_clinic_id(running, clinic),
            actor=ACTOR,
        )
    output.result(
        f"{email} signs in at {', '.join(changed)} with the new password, "
        "and is signed out in every browser."
    )
    if kept:
        output.say(f"At {', '.join(kept)} their password is as it was.")


@app.command(epilog="Example: aftercare staff role sam@clinic.test clinician")
def role(
    email: str = _EMAIL,
    new: Role = typer.Argument(metavar="role", help="What they are from now on."),
    clinic: str | None = typer.Option(
        None, help="At this clinic; the only one where they work unless given.", show_default=False
    ),
) -> None:
    """Give somebody another role, at once; they stay signed in."""
    with services() as running:
        done = staff.set_role(
            running, email=email, role=new, clinic_id=_clinic_id(running, clinic), actor=ACTOR
        )
    if done.before is new:
        output.result(f"{email} is {new.value} at {done.clinic} already: nothing changed.")
        return
    output.result(f"{email} was {done.before.value} at {done.clinic}, and is {new.value} now.")
    for line in _left_behind(email, new, done):
        output.say(line)


def _left_behind(email: str, new: Role, done: NewRole) -> Iterator[str]:
    """Say what a role that was lost leaves for others to do."""
    if done.returned:
        items = counted(done.returned, "open follow-up", "open follow-ups")
        yield f"{items} of theirs went back to the queue: as {new.value} they can't have them."
    for item in done.undecided:
        hand_over = f"`aftercare followup {item} assign EMAIL --as {email}`"
        yield f"They have {item} still, and {_ONLY_A_CLINICIAN}. Hand it to one: {hand_over}."
    if done.named_as:
        can = "can't act in the console" if new is Role.VIEWER else _ONLY_A_CLINICIAN
        yield (
            f"The file of {done.clinic} names them under {', '.join(done.named_as)}: they are "
            f"still called, and {can}. To name somebody else: `aftercare clinic apply FILE`."
        )
    if done.bare:
        yield _bare(done.clinic)


def _bare(clinic: str) -> str:
    return (
        f"{clinic} has no clinician any more: nobody there can end a crisis or approve safety "
        "content. Give somebody the role: `aftercare staff role EMAIL clinician`."
    )


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
    for clinic in done.bare:
        output.say(_bare(clinic))


def _clinic_id(running: Services, key: str | None) -> UUID | None:
    if key is None:
        return None
    with running.database.transaction() as session:
        return the_clinic(session, key).id


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
