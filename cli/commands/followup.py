"""`aftercare followup`: what a person does with a follow-up."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from cli import listing, output
from cli.commands.followups import FIELDS
from cli.errors import refuse
from cli.session import ACTOR, an_id, an_instant, services, zone_of_clinic
from records import worklist
from records.casework import staff_by_id, staff_of
from records.worklist import ListedFollowUp
from worker.services import Services
from worker.steps import followup_actions as actions
from worker.steps.followup_actions import Actor, FollowUpJoinedError

app = typer.Typer(add_completion=False)


class Action(StrEnum):
    """What can be done with a follow-up."""

    TAKE = "take"
    ASSIGN = "assign"
    SNOOZE = "snooze"
    RESOLVE = "resolve"
    TOLD = "told"


@app.command(
    epilog="Example: aftercare followup 01931d6e-7a10-7c39-a1de-0d2f5a4be001 "
    "resolve --outcome reached --as sam@clinic.test"
)
def followup(
    follow_up_id: str = typer.Argument(help="The id that `followups` prints.", show_default=False),
    action: Action = typer.Argument(help="What to do.", show_default=False),
    value: str | None = typer.Argument(
        None, help="assign: whose e-mail; snooze: until when (by the clinic's clock)."
    ),
    outcome: str | None = typer.Option(None, help="resolve: how it ended, e.g. reached."),
    note: str | None = typer.Option(
        None, help="resolve: more about it; told: what was told. Kept sealed."
    ),
    to: str | None = typer.Option(None, help="told: who was told, e.g. 911, paramedic M. Lee."),
    at: str | None = typer.Option(
        None, help="told: when, by the clinic's clock; now unless given."
    ),
    seen: int | None = typer.Option(
        None, min=0, help="resolve, snooze: how much had joined it that you have read."
    ),
    as_whom: str | None = typer.Option(None, "--as", help="Your e-mail address in the console."),
    as_json: bool = listing.JSON,
) -> None:
    """Take, assign, snooze or resolve a follow-up, or note what was told to 911 about it.

    It is recorded in whose name.
    """
    item_id = an_id(follow_up_id, "follow-up")
    with services() as running:
        item = _item(running, item_id)
        if action is Action.TAKE:
            actor = _person(running, item, as_whom or value)
            done = actions.take(running, item_id, actor=actor)
        elif action is Action.ASSIGN:
            email = _needed(value, "assign needs an e-mail address: whose is it now?")
            actor = _actor(running, item, as_whom)
            done = actions.assign(running, item_id, email=email, actor=actor)
        elif action is Action.SNOOZE:
            done = _snooze(running, item, value, as_whom, seen)
        elif action is Action.TOLD:
            done = _told(running, item, to, note, at, _person(running, item, as_whom))
        else:
            ending = _needed(outcome, "resolve needs --outcome: how did it end?")
            actor = _person(running, item, as_whom)
            with _telling_how_to_read(item):
                done = actions.resolve(
                    running, item_id, outcome=ending, note=note, actor=actor, seen=seen
                )
    row = listing.picked(done, FIELDS)
    output.records([row], as_json=as_json)


def _snooze(
    running: Services, item: ListedFollowUp, value: str | None, email: str | None, seen: int | None
) -> ListedFollowUp:
    text = _needed(value, "snooze needs a time: until when?")
    until = an_instant(text, _zone(running, item), "snooze")
    if until is None:
        refuse("snooze needs a time: until when?")
    actor = _actor(running, item, email)
    with _telling_how_to_read(item):
        return actions.snooze(running, item.id, until=until, actor=actor, seen=seen)


@contextmanager
def _telling_how_to_read(item: ListedFollowUp) -> Iterator[None]:
    """Say how what joined an item is read, where it has to be before the command does anything."""
    try:
        yield
    except FollowUpJoinedError as error:
        whose = f" --patient {item.patient_id}" if item.patient_id else ""
        refuse(
            f"{error} `aftercare replies{whose} --reveal` shows it. Then say that you have read "
            f"all of it with --seen {error.joined}."
        )


def _told(
    running: Services,
    item: ListedFollowUp,
    to: str | None,
    note: str | None,
    at: str | None,
    actor: Actor,
) -> ListedFollowUp:
    actions.note_disclosure(
        running,
        item.id,
        recipient=_needed(to, "told needs --to: who was told, e.g. 911 and the paramedic's name?"),
        told=_needed(note, "told needs --note: what was told?"),
        at=an_instant(at, _zone(running, item), "--at"),
        actor=actor,
    )
    return _item(running, item.id)


def _zone(running: Services, item: ListedFollowUp) -> ZoneInfo:
    return zone_of_clinic(running, item.clinic_uuid)


def _needed(text: str | None, otherwise: str) -> str:
    if not text:
        refuse(otherwise)
    return text


def _item(running: Services, item_id: UUID) -> ListedFollowUp:
    with running.database.transaction() as session:
        item = worklist.follow_up(session, running.vault, item_id)
    if item is None:
        raise actions.FollowUpMissingError
    return item


def _actor(running: Services, item: ListedFollowUp, email: str | None) -> Actor:
    """Return who acts: the named one, or whoever runs this machine, who is nobody's colleague."""
    if email:
        return actions.actor_by_email(running, email, item.id)
    return Actor(label=ACTOR, staff_id=UUID(int=0), clinic_id=item.clinic_uuid, role="admin")


def _person(running: Services, item: ListedFollowUp, email: str | None) -> Actor:
    """Return the staff member whose name goes on the item: named, its owner, or the only one."""
    if email:
        return actions.actor_by_email(running, email, item.id)
    with running.database.transaction() as session:
        owner = staff_by_id(session, item.owner_id) if item.owner_id else None
        if owner is not None:
            return actions.actor_of(owner)
        able = [
            each for each in staff_of(session, item.clinic_uuid) if each.role in actions.MAY_ACT
        ]
    if len(able) != 1:
        refuse("Say who you are with --as EMAIL: the item bears the name of whoever acts on it.")
    return actions.actor_of(able[0])
