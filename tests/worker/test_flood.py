"""Thousands of texts from one number: all are kept, and nobody else waits for them.

The numbers are counted and not timed: how much is handled before the text that must not wait, how
many answers go out, and how many rows the database reads for each text. `python -m bench flood`
times it.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from records.base import Database
from records.followups import FollowUp
from records.inbox import Inbound
from records.pages import Page
from records.unread import following
from tests.compliance.line import Line
from tests.support.databases import Databases, OwnDatabase
from tests.support.world import World, phone_of
from tests.web.served import served
from tests.worker.duty import Duty
from tests.worker.talk import Talk
from worker.replying.answering import MOST_AN_HOUR
from worker.steps import replies, send

FLOODS, IN_DANGER, ASKS = phone_of(0), phone_of(1), phone_of(2)
PLEA = "I want to kill myself"
TEXTS = 200


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    """A clinic with its web process, and three patients."""
    with World(database_url) as world, served(world.services) as client:
        made = Line(world, client)
        made.someone(3)
        yield made


def _writes_all(line: Line, texts: list[tuple[str, str]]) -> None:
    """Post texts, as (phone, words), by the signed webhook, many at a time."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda each: line.writes(each[1], phone=each[0]), texts))


def _handled(line: Line) -> list[tuple[str, str]]:
    """Return whose texts are handled, and as what they were read."""
    names = {line.world.vault.blind("phone", phone_of(number)): number for number in range(3)}
    rows = [row for row in line.rows(Inbound) if row.handled_at is not None]
    return [(phone_of(names[row.from_blind]), row.intent) for row in rows]


def test_a_flood_is_kept_whole_and_holds_up_nobody_in_danger(line: Line) -> None:
    """The plea of another, and the one amid the flood itself, are the first two to be handled."""
    flood = [(FLOODS, f"what about {number}?") for number in range(TEXTS)]
    half = TEXTS // 2
    pleas = [(IN_DANGER, PLEA), (FLOODS, PLEA)]
    _writes_all(line, [*flood[:half], *pleas, *flood[half:], (ASKS, "can I bring my dog?")])
    assert len(line.rows(Inbound)) == TEXTS + 3

    world = line.world
    replies.run(world.services, limit=2)
    assert sorted(_handled(line)) == [(FLOODS, "crisis"), (IN_DANGER, "crisis")]
    pages = [row.patient_id for row in line.rows(FollowUp) if row.severity == "page_now"]
    assert sorted(pages) == sorted(person.id for person in map(line.patient, (0, 1)))

    # Whoever asks something waits for one handful of the flood, not for all of it.
    replies.run(world.services, limit=10)
    assert (ASKS, "question_for_staff") in _handled(line)

    _handle_all(world)
    assert all(row.handled_at for row in line.rows(Inbound))
    world.advance(seconds=3)
    send.run_safety(world.services, world.carrier, world.sender_id)
    world.send()
    to_flooder, to_other = line.reads(FLOODS), line.reads(IN_DANGER)
    assert len(to_other) == 1
    assert "988" in to_other[0]
    assert "988" in to_flooder[0]
    assert len(to_flooder) <= MOST_AN_HOUR + 1
    assert len(line.rows(FollowUp)) == 4, "what one number asks joins one item"


def _handle_all(world: World) -> None:
    while replies.run(world.services).total():
        pass


def test_a_flood_of_pleas_holds_up_no_other_plea_and_no_question(world: World) -> None:
    """Whoever was heard a moment ago waits for those whom nobody has heard."""
    talk = Talk(world)
    talk.someone(3)
    talk.receive_together(*(talk.sms(PLEA, phone=FLOODS) for _ in range(60)))
    world.advance(seconds=1)
    talk.receive(PLEA, phone=IN_DANGER)
    talk.receive("can I bring my dog?", phone=ASKS)

    replies.run(world.services, limit=2)
    first = [row.from_blind for row in talk.rows(Inbound) if row.handled_at]
    assert set(first) == {world.vault.blind("phone", each) for each in (FLOODS, IN_DANGER)}
    replies.run(world.services, limit=20)
    asked = world.vault.blind("phone", ASKS)
    assert [row.handled_at is not None for row in talk.rows(Inbound) if row.from_blind == asked]

    _handle_all(world)
    assert all(row.handled_at for row in talk.rows(Inbound))
    assert talk.reasons.count("crisis") == 2


def test_pleas_without_end_soon_page_twice_a_minute(world: World) -> None:
    """The page about somebody else must not be buried; the last plea is heard of all the same."""
    with Duty(world=world) as duty:
        duty.talk.someone(2)
        for _ in range(20):
            duty.says(PLEA, phone=FLOODS)
            world.advance(seconds=5)
        duty.says(PLEA, phone=IN_DANGER)
        world.advance(seconds=30)
        duty.tick()
        about = [row.follow_up_id for row in duty.talk.rows(Page)]
        items = {row.patient_id: row for row in duty.talk.rows(FollowUp)}
        flooder, other = (items[duty.talk.patient(number).id] for number in (0, 1))
        # Each of the first five, then one in half a minute, the last one after the last text.
        assert (about.count(flooder.id), about.count(other.id)) == (5 + 3, 1)
        assert (flooder.times_joined, flooder.joined_at) == (19, None)


def test_pleas_without_end_at_night_do_not_bury_the_lead_in_mail(world: World) -> None:
    """Nobody is on call: the run of pages waits for the opening, and the lead is written to."""
    with Duty(world=world) as duty:
        duty.talk.someone()
        duty.nobody_on_call()
        world.advance(hours=14)
        for _ in range(20):
            duty.says(PLEA, phone=FLOODS)
            world.advance(seconds=5)
        world.advance(seconds=30)
        duty.tick()
        [item] = duty.talk.rows(FollowUp)
        assert (item.times_joined, item.joined_at) == (19, None)
        assert len(duty.talk.rows(Page)) == 5 + 3


def test_what_follows_an_answer_is_taken_once_that_is_written(world: World) -> None:
    """Both lie there at once: the second is handled with what the first one changed."""
    talk = Talk(world)
    talk.daily()
    texts = [talk.sms(body) for body in ("4", "no sorry 7", "thanks", "and is there parking?")]
    talk.receive_together(*texts, talk.sms("can I bring my dog?", phone=IN_DANGER))

    turns = []
    while len(turns) < 9:
        with world.database.transaction() as session:
            taken = following(session, now=world.now, limit=25, urgent=False)
            if not taken:
                break
            for row in taken:
                row.handled_at = world.now
            turns.append(len(taken))
    # Each number alone, then the correction of it, then what changes nothing together.
    assert turns == [2, 1, 2]


@contextmanager
def _counted(database: OwnDatabase, world: World) -> Iterator[list[int]]:
    """Have the block's work done on connections of its own; yield how many rows these read."""
    services, read = world.services, [0]
    before, connected = _asked(database, _ROWS_READ), _asked(database, _CONNECTED)
    # A table as small as a test's is read whole, which says nothing of one that has grown.
    url = f"{database.url}?options=-c%20enable_seqscan%3Doff"
    own = Database.connect(url, application="test")
    world.services = replace(services, database=own)
    try:
        yield read
    finally:
        world.services = services
        own.close()
    # What a connection did is told, at the latest, when its server ends.
    until = time.monotonic() + 10
    while _asked(database, _CONNECTED) > connected and time.monotonic() < until:
        time.sleep(0.01)
    read[0] = _asked(database, _ROWS_READ) - before


_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
_ROWS_READ = (
    "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) + coalesce(idx_scan, 0))"
    " FROM pg_stat_user_tables WHERE relname IN ('inbound', 'message')"
)


def _asked(database: OwnDatabase, question: str) -> int:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        [(number,)] = connection.execute(question.encode()).fetchall()
        return int(number)


def _keep_plans(database: OwnDatabase) -> None:
    """Have the server itself count nothing amid the flood: it would read by other plans then."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        for table in ("inbound", "message"):
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)".encode())


def _read_for_each(database: OwnDatabase, texts: int) -> tuple[float, float]:
    """Store a flood and handle it; return how many rows either read for each of its texts."""
    _keep_plans(database)
    with World(database.url) as world:
        talk = Talk(world)
        talk.someone()
        # At night, when each of them might be answered.
        world.advance(hours=10)
        with _counted(database, world) as stored:
            for start in range(0, texts, 20):
                group = (talk.sms(f"what about {start + nth}?") for nth in range(20))
                talk.receive_together(*group)
                world.advance(seconds=1)
        with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
            connection.execute("ANALYZE")
        with _counted(database, world) as handled:
            _handle_all(world)
        assert all(row.handled_at for row in talk.rows(Inbound))
        return stored[0] / texts, handled[0] / texts


def test_the_work_for_each_text_does_not_grow_with_the_flood(databases: Databases) -> None:
    """Four times the texts cost four times the rows, and not sixteen times."""
    found = []
    for texts in (60, 240):
        with databases.migrated() as database:
            found.append(_read_for_each(database, texts))
    few, many = found
    assert all(each < 2 * before for before, each in zip(few, many, strict=True)), found
