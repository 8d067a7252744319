"""`aftercare clinic close`: a day on which nobody is there, and whom that concerns."""

from collections.abc import Sequence
from uuid import UUID

import typer

from cli import effects, output
from cli.errors import refuse
from cli.session import ACTOR, services, the_clinic
from records import appointments, patients
from schedules.facts import VisitStatus
from worker import announcing
from worker.counting import counted
from worker.intake.table import CellError
from worker.intake.values import day as read_day
from worker.refusal import RefusedError
from worker.services import Services
from worker.steps import closing, events


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
        output.result(f"{which.key} is closed on {date}.")
        _cancel(running, done.visits)
        later = counted(done.moved_items, "open follow-up falls", "open follow-ups fall")
        output.result(f"  {later} due later")
        _list(running, done.begun, "begun, and so not cancelled; record what became of them:")
    output.say("Call them for another time: `aftercare followups --status open`.")
    output.say(f'Add "{date}" under holidays.extra of the clinic\'s file too.')


def _cancel(running: Services, visit_ids: Sequence[UUID]) -> None:
    """Cancel visits; say how many patients are texted about it, and whom nothing tells."""
    cancelled, kept = [], []
    for visit_id in visit_ids:
        try:
            events.record_event(running, visit_id, VisitStatus.CANCELLED, actor=ACTOR)
        except RefusedError:
            # Its check-out was recorded meanwhile.
            kept.append(visit_id)
        else:
            cancelled.append(visit_id)
    told = announcing.told_of_cancelling(running, cancelled)
    gone = counted(len(cancelled), "visit is cancelled", "visits are cancelled")
    texts = counted(len(told), "text says so", "texts say so")
    output.result(f"  {gone}, and {texts}")
    untold = [each for each in cancelled if each not in told]
    _list(running, untold, "no text tells the patients of these, so call them:")
    _list(running, kept, "not cancelled, since their check-out is recorded by now:")


def _list(running: Services, visit_ids: Sequence[UUID], heading: str) -> None:
    """Name visits, and whose they are, by the clinic's own ids; not those of closed records."""
    with running.database.transaction() as session:
        found = appointments.with_ids(session, visit_ids).values()
        people = patients.with_ids(session, {visit.patient_id for visit in found})
        named = [
            (visit.external_id, patients.opened(running.vault, person, "external_id"))
            for visit in sorted(found, key=lambda visit: visit.starts_at)
            if (person := people[visit.patient_id]).status != "closed"
        ]
    if named:
        output.result(f"  {heading}")
    for name, whose in named:
        output.result(f"    {name} of {whose}")
