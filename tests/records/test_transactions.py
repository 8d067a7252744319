"""What is put off to the end of a transaction is written once, or not at all."""

from contextlib import suppress
from typing import Any

from sqlalchemy import text

from records.base import PutOff, Session, put_off
from tests.support.world import World

_NOTE = text("INSERT INTO progress (name) VALUES (:name)")


def _note(session: Session, names: list[Any]) -> None:
    session.execute(_NOTE, {"name": "+".join(names)})


def _noted(world: World) -> list[str]:
    return [row.name for row in world.execute("SELECT name FROM progress")]


def test_what_was_put_off_is_written_at_one_go(world: World) -> None:
    """Not before the end of the transaction, and all that belongs together in one statement."""
    with world.database.transaction() as session:
        put_off(session, PutOff.STORIES, _note, "one")
        put_off(session, PutOff.STORIES, _note, "other")
        assert session.scalars(text("SELECT name FROM progress")).all() == []
    assert _noted(world) == ["one+other"]


def test_nothing_is_left_of_a_transaction_that_failed(world: World) -> None:
    """What was put off is the transaction's own: the next one knows nothing of it."""
    with suppress(ZeroDivisionError), world.database.transaction() as session:
        put_off(session, PutOff.STORIES, _note, "lost")
        raise ZeroDivisionError
    with world.database.transaction() as session:
        put_off(session, PutOff.STORIES, _note, "kept")
    assert _noted(world) == ["kept"]


def test_a_rehearsal_writes_nothing_of_what_was_put_off(world: World) -> None:
    """A block that rolls its own transaction back ends without a word."""
    with world.database.transaction() as session:
        put_off(session, PutOff.STORIES, _note, "rehearsed")
        session.rollback()
    assert _noted(world) == []


def test_a_savepoint_takes_back_what_was_put_off_in_it(world: World) -> None:
    """What is put off goes by whatever else the savepoint wrote; what came before it stays."""
    with world.database.transaction() as session:
        put_off(session, PutOff.STORIES, _note, "before")
        savepoint = session.begin_nested()
        put_off(session, PutOff.STORIES, _note, "within")
        savepoint.rollback()
    assert _noted(world) == ["before"]


def test_what_was_put_off_is_written_in_one_order(world: World) -> None:
    """In whatever order it was asked for: two transactions then never wait crosswise."""
    written = []

    def keep(_session: Session, names: list[Any]) -> None:
        written.extend(names)

    for turns in (list(PutOff), list(reversed(PutOff))):
        with world.database.transaction() as session:
            for turn in turns:
                put_off(session, turn, keep, turn)
    assert written == [*PutOff, *PutOff]
