"""`aftercare clinic close`: a day on which nobody is there, and whom that concerns."""

from collections.abc import Collection
from uuid import UUID

import typer

from cli import effects, output
from cli.errors import refuse
from cli.session import ACTOR, services, the_clinic
from records import appointments, patients
from schedules.facts import VisitStatus
from worker.counting import counted
from worker.intake.table import CellError
from worker.intake.values import day as read_day
from worker.services import Services
from worker.steps import closing, visits


def close(
    day: str = typer.Argument(help="The day by the clinic's calendar.", show_default=False),
    clinic: str | None = typer.Option(None, help="The clinic's id; the only one unless given."),
    yes: bool = typer.Option(False, "--yes", help="Cancel the day's visits without asking."),
) -> None:
    """Close a clinic for a day: cancel its visits, text the patients, list who is to be called.

    A visit that has begun is not cancelled: record what became of it. What falls due on the day
    falls due when work goes on, or before the visit it is about. Put the day under holidays.extra
    in the clinic's file as well, or the next `clinic apply` opens it again.
    """
    try:
        date = read_day(day.strip())
    except CellError as error:
        refuse(f"{day}: {error}")
    with services() as running:
        with running.database.transaction() as session:
            which = the_clinic(session, clinic)
        effects.confirmed(f"Close {which.key} on {date} and cancel its visits?", yes=yes)
        done = closing.close_day(running, which.id, day=date, actor=ACTOR)
        for visit_id in done.visits:
            visits.record_event(running, visit_id, VisitStatus.CANCELLED, actor=ACTOR)
        begun = _named(running, done.begun)
    output.result(f"{which.key} is closed on {date}.")
    gone = counted(len(done.visits), "visit is cancelled", "visits are cancelled")
    output.result(f"  {gone}, and their patients are texted")
    later = counted(done.moved_items, "open follow-up falls", "open follow-ups fall")
    output.result(f"  {later} due later")
    if begun:
        had = counted(len(begun), "visit has begun and is", "visits have begun and are")
        output.result(f"  {had} not cancelled: record with `aftercare event` what became of them")
        for line in begun:
            output.result(f"    {line}")
    output.say("Call them for another time: `aftercare followups --status open`.")
    output.say(f'Add "{date}" under holidays.extra of the clinic\'s file too.')


def _named(running: Services, visit_ids: Collection[UUID]) -> list[str]:
    """Name visits, and whose they are, by the clinic's own ids."""
    with running.database.transaction() as session:
        found = appointments.with_ids(session, visit_ids)
        people = patients.with_ids(session, {visit.patient_id for visit in found.values()})
        return [
            f"{found[each].external_id} of "
            + patients.opened(running.vault, people[found[each].patient_id], "external_id")
            for each in visit_ids
        ]
