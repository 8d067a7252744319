"""Whether a long overdue text has gone already, asked before it is sent.

A database restored from a backup calls texts planned that went after the backup was made. So a
text that is overdue by more than ten minutes is looked for on the carrier's list before it is
posted. One that stands there is recorded as sent; while the carrier can't be asked, it waits.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from messages.gateway import CarrierText, CarrierUnavailable, Gateway
from records import outcomes
from records.sending import DueMessage
from worker import gates
from worker.carrier import Carrier
from worker.services import Services

OVERDUE = timedelta(minutes=10)
# How far the carrier's clock may stand before ours.
_CLOCK_SLACK = timedelta(seconds=60)
# Two groups of a claim are looked for within its lease of 60 s.
_ASK_FOR_SECONDS = 20.0
# A carrier that takes a hundred calls a second is not asked for more lists at once than this.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A text to look for: to whom, since when, and the wordings under which it may have gone."""

    message_id: UUID
    to: str = field(repr=False)
    bodies: frozenset[str] = field(repr=False)
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the list says: the SIDs of texts that went, and the texts that nobody could look for."""

    gone: Mapping[UUID, str]
    not_asked: Collection[UUID]


def is_overdue(row: DueMessage, *, now: datetime) -> bool:
    """Return whether a text may have gone in a past that this database does not know.

    Safety replies wait for nothing (care rule 9).
    """
    return row.kind != gates.SAFETY and now - row.due_at > OVERDUE


def look(services: Services, carrier: Carrier, texts: Sequence[Overdue]) -> Looked:
    """Look for these on the carrier's list, each recipient once."""
    if not texts:
        return Looked(gone={}, not_asked=())
    listed = carrier.call(_list_all(carrier.gateway, {text.to for text in texts}))
    alike = {
        text.message_id: [found.sid for found in listed[text.to] if _is_it(found, text)]
        for text in texts
        if text.to in listed
    }
    with services.database.transaction() as session:
        sids = [sid for found in alike.values() for sid in found]
        taken = outcomes.sids_attached(session, sids)
    return Looked(
        gone=_one_each(alike, taken),
        not_asked={text.message_id for text in texts if text.to not in listed},
    )


def _one_each(alike: Mapping[UUID, Sequence[str]], taken: set[str]) -> dict[UUID, str]:
    """Give each text the oldest of its look-alikes that belongs to no other."""
    gone: dict[UUID, str] = {}
    for message_id, sids in alike.items():
        free = [sid for sid in sids if sid not in taken]
        if free:
            gone[message_id] = free[-1]
            taken.add(free[-1])
    return gone


def _is_it(found: CarrierText, text: Overdue) -> bool:
    if found.body not in text.bodies or not found.direction.startswith("outbound"):
        return False
    return found.created_at is None or found.created_at >= text.since - _CLOCK_SLACK


async def _list_all(gateway: Gateway, numbers: Collection[str]) -> dict[str, list[CarrierText]]:
    """Return each recipient's list; one the carrier could not tell of in time is left out."""
    turn = asyncio.Semaphore(_AT_ONCE)
    listed: dict[str, list[CarrierText]] = {}

    async def ask(number: str) -> None:
        async with turn:
            try:
                listed[number] = await gateway.find(to=number)
            except CarrierUnavailable:
                return

    try:
        async with asyncio.timeout(_ASK_FOR_SECONDS):
            await asyncio.gather(*(ask(number) for number in numbers))
    except TimeoutError:
        pass
    return dict(listed)
