"""Restored from a backup: what went after it is not sent again."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from records.base import Database
from tests.support.databases import Databases, OwnDatabase
from tests.support.world import World
from worker import catchup, dispatch
from worker.steps import receive


class Backups:
    """Takes a copy of the world's database, and puts it back in its place."""

    def __init__(self, world: World, databases: Databases, original: OwnDatabase) -> None:
        self._world = world
        self._databases = databases
        self._original = original
        self._stack = ExitStack()
        self._copy = original

    def take(self) -> None:
        """Copy the database as it stands now."""
        self._world.database.close()
        self._copy = self._stack.enter_context(self._databases.backup(self._original))
        self._use(self._original)

    def restore(self) -> None:
        """Go on with the copy: what happened since was never written."""
        self._world.database.close()
        self._use(self._copy)

    def close(self) -> None:
        """Drop the copy."""
        self._stack.close()

    def _use(self, database: OwnDatabase) -> None:
        self._world.use(Database.connect(database.url, application="test"))


@pytest.fixture
def backups(world: World, databases: Databases, database: OwnDatabase) -> Iterator[Backups]:
    """Backups of the world's database."""
    made = Backups(world, databases, database)
    yield made
    world.database.close()
    made.close()


def test_what_went_after_the_backup_does_not_go_again(world: World, backups: Backups) -> None:
    """Half an hour later the texts stand on the carrier's list, and the rows say so."""
    ids = world.due(3)
    backups.take()
    world.send()
    sids = {text.sid for text in world.gateway.created()}
    world.advance(minutes=30)
    backups.restore()
    world.send()
    assert {world.message(one).sid for one in ids} == sids
    assert world.statuses() == {"accepted": 3}
    assert len(world.gateway.created()) == 3


def test_what_did_not_go_before_goes_now(world: World, backups: Backups) -> None:
    """The list does not know it: it is sent, late but still useful."""
    world.due()
    backups.take()
    world.send()
    world.due()
    world.advance(minutes=11)
    backups.restore()
    world.due()
    world.execute("UPDATE message SET due_at = due_at - interval '11 minutes'")
    world.send()
    assert world.statuses() == {"accepted": 2}
    assert len(world.gateway.created()) == 2


def test_wording_that_changed_with_the_hour_is_known_again(world: World, backups: Backups) -> None:
    """Sent with "today" in it, looked for when the words would be others."""
    latest_at = world.now + timedelta(hours=12)
    [message_id] = world.due(kind="answer", template="change_ack", latest_at=latest_at)
    backups.take()
    world.send()
    [before] = world.gateway.created()
    world.advance(hours=8)
    backups.restore()
    world.send()
    assert world.message(message_id).sid == before.sid
    assert len(world.gateway.created()) == 1


def test_a_text_that_said_how_to_stop_is_known_again_without(
    world: World, backups: Backups
) -> None:
    """Two texts of one patient went, the first with STOP; the other is looked for before it."""
    [first] = world.due(template="visit_booked")
    [second] = world.due(template="visit_booked", priority=51)
    world.execute("UPDATE message SET patient_id = (SELECT min(id::text)::uuid FROM patient)")
    backups.take()
    world.send()
    world.advance(seconds=6)
    world.send()
    told, plain = world.gateway.created()
    assert ("STOP" in told.body, "STOP" in plain.body) == (True, False)
    world.advance(minutes=30)
    backups.restore()
    world.execute("UPDATE message SET priority = 49 WHERE id = :id", id=second)
    for _ in range(2):
        world.send()
        world.advance(seconds=6)
    assert {world.message(one).sid for one in (first, second)} == {told.sid, plain.sid}
    assert len(world.gateway.created()) == 2


def test_a_text_of_yesterday_with_the_same_words_is_not_taken_for_it(
    world: World, backups: Backups
) -> None:
    """What the list shows from before the text was due is another one."""
    world.due()
    backups.take()
    world.send()
    world.advance(minutes=30)
    backups.restore()
    world.execute("UPDATE message SET due_at = due_at + interval '15 minutes'")
    world.send()
    assert len(world.gateway.created()) == 2


def test_a_text_on_time_costs_no_look(world: World) -> None:
    """Nine minutes late is a busy sender, not a restored database."""
    world.due()
    world.gateway.outage = True
    world.advance(minutes=9)
    world.send()
    assert world.statuses() == {"accepted": 1}


def test_while_the_list_cannot_be_read_an_overdue_text_waits(world: World) -> None:
    """Whether it went before is not guessed."""
    [message_id] = world.due()
    world.gateway.outage = True
    world.advance(minutes=11)
    world.send()
    message = world.message(message_id)
    assert (message.status, message.reason) == ("planned", "carrier_not_asked")
    world.gateway.outage = False
    world.advance(minutes=2)
    world.send()
    assert world.message(message_id).status == "accepted"


@pytest.fixture
def silent(world: World) -> World:
    """A house in which nothing has ticked for twenty minutes, with a text due."""
    world.due()
    dispatch.find_work(world.services, by_beat=True)
    world.execute("UPDATE progress SET at = at - interval '20 minutes'")
    return world


def _sends(world: World) -> bool:
    return any(work[0] == "send" for work in dispatch.find_work(world.services, by_beat=True))


def test_after_a_long_silence_nothing_goes_before_the_pull(silent: World) -> None:
    """A stop may stand on the carrier's list: it is read first."""
    assert not _sends(silent)
    assert not _sends(silent)
    receive.pull(silent.services, silent.gateway, silent.carrier.call)
    assert _sends(silent)


def test_no_answer_starts_what_waits_for_the_pull(silent: World) -> None:
    """An answer has its sender looked at beside the ticks; whoever wrote STOP meanwhile is safe."""
    silent.send()
    assert silent.gateway.created() == []
    _sends(silent)
    silent.send()
    assert silent.gateway.created() == []
    receive.pull(silent.services, silent.gateway, silent.carrier.call)
    silent.send()
    assert len(silent.gateway.created()) == 1


def test_a_list_that_fails_holds_texts_for_two_minutes_only(silent: World) -> None:
    """A carrier whose list is broken must not keep everything from going."""
    silent.gateway.outage = True
    receive.pull(silent.services, silent.gateway, silent.carrier.call)
    assert not _sends(silent)
    silent.execute(
        "UPDATE progress SET at = at - interval '121 seconds' WHERE name = :name",
        name=catchup.SILENT_UNTIL,
    )
    assert _sends(silent)


def test_a_house_that_ticks_waits_for_no_pull(world: World) -> None:
    """In ordinary times a text goes with the next tick."""
    world.due()
    assert _sends(world)
    assert _sends(world)
