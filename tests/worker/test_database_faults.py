"""What a real PostgreSQL may do to a step: each of these asserts that it did it, and what follows.

The steps run as in the worker process; only the carrier is in memory.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from structlog.testing import capture_logs

from messages.gateway import Accepted, Refused
from messages.gateways.fake import Script
from records.base import Database, DBAPIError
from records.callbacks import Callback
from records.followups import FollowUp
from tests.support.databases import OwnDatabase
from tests.support.processes import wait_until
from tests.support.room import NO_ROOM
from tests.support.services import Services as Servers
from tests.support.wire import Wire
from tests.support.world import NUMBER, World, phone_of
from tests.worker.desk import NEW_YORK
from tests.worker.duty import CRISIS, Duty
from tests.worker.talk import Talk
from web.webhooks import store_callbacks
from worker.carrier import Carrier
from worker.process import WorkerProcess
from worker.steps import closing, outcomes, receive
from worker.steps import followup_actions as actions

CLAIM = "SET status = 'claimed', reason = NULL"
INTENT = "INSERT INTO attempt"
OUTCOME = "UPDATE attempt t SET outcome = 'accepted'"
RECEIPTS = "UPDATE receipt r SET applied_at"
ANSWER = "INSERT INTO message"
# However the rows come in, their enrollments are marked as planned beside them.
PLAN = "SET plan_requested_at = CASE WHEN"
INBOUND = "INSERT INTO inbound"
CALLBACK = "INSERT INTO receipt"
DEADLOCK, NOT_SERIALIZED, LOCKED_OUT = "40P01", "40001", "55P03"


@dataclass(slots=True, kw_only=True)
class Worker:
    """One world with a worker process whose steps the test runs, and the errors it met."""

    world: World
    process: WorkerProcess
    states: Counter[str] = field(default_factory=Counter)

    def run(self, step: str) -> None:
        ids = (str(self.world.sender_id),) if step == "send" else ()
        self.process.run(step, *ids)
        assert self.world.carrier.drain(30)

    def settle(self) -> None:
        """Let leases and the looks' times run out, and do what the ticks would do meanwhile."""
        for _ in range(3):
            self.world.execute("UPDATE message SET lease_until = now() - interval '1 s'")
            self.run("sweep")
            self.world.execute("UPDATE attempt SET next_look_at = now() - interval '1 s'")
            self.run("unknown")
            self.world.advance(seconds=6)
            self.run("send")

    def sent_once(self, count: int) -> None:
        """Each text exists once at the carrier, and its row says so."""
        assert self.world.statuses() == {"accepted": count}
        assert len({text.to for text in self.world.gateway.created()}) == count
        assert len(self.world.gateway.created()) == count
        assert self.world.execute("SELECT 1 FROM attempt WHERE closed_at IS NULL") == []
        [(questions,)] = self.world.execute("SELECT count(*) FROM check_in")
        assert questions == count


@contextmanager
def working(url: str) -> Iterator[Worker]:
    with World(url) as world:
        made = Worker(world=world, process=WorkerProcess(world.services, world.carrier))

        def note(context: ExceptionContext) -> None:
            state = getattr(context.original_exception, "sqlstate", None)
            made.states[state or "no connection"] += 1
            made.states[NO_ROOM] += NO_ROOM in str(context.original_exception)

        event.listen(world.database.engine, "handle_error", note)
        # Errors are what these tests are about: printing each with its traceback takes seconds.
        with capture_logs():
            yield made
            made.process.close()


@pytest.fixture
def worker(servers: Servers, database: OwnDatabase, database_url: str) -> Iterator[Worker]:
    """A worker at its database, which looks for a deadlock once, three seconds after a wait began.

    By then a slow machine has made one.
    """
    with psycopg.connect(servers.dsn(), autocommit=True) as connection:
        late = f"ALTER DATABASE {database.name} SET deadlock_timeout = '3s'"
        connection.execute(late.encode())
    with working(database_url) as made:
        yield made


@dataclass(slots=True, kw_only=True)
class Wired(Worker):
    """A worker whose database is at the other end of a wire."""

    wire: Wire


@pytest.fixture
def wired(servers: Servers, database_url: str) -> Iterator[Wired]:
    """A worker whose commits can lose their answers."""
    port = servers.postgres_port
    with ExitStack() as stack:
        wire = stack.enter_context(Wire(port, postgres=True))
        made = stack.enter_context(working(database_url.replace(f":{port}/", f":{wire.port}/")))
        yield Wired(world=made.world, process=made.process, states=made.states, wire=wire)


# --- the commit is done, and its answer lost ---


@pytest.mark.parametrize("statement", [CLAIM, INTENT, OUTCOME], ids=["claim", "intent", "outcome"])
def test_a_text_whose_commit_was_applied_unheard_goes_once(wired: Wired, statement: str) -> None:
    """Claimed, intended or accepted without knowing: the rows say it, and nothing goes twice."""
    wired.world.due(3)
    wired.wire.lose_commit(statement)
    wired.run("send")
    assert wired.wire.cuts == [statement]
    expected = {CLAIM: {"claimed": 3}, INTENT: {"submitting": 3}, OUTCOME: {"accepted": 3}}
    assert wired.world.statuses() == expected[statement], "the commit was applied"
    assert len(wired.world.gateway.calls) == (3 if statement == OUTCOME else 0)
    wired.settle()
    wired.sent_once(3)


def test_a_plan_whose_commit_was_applied_unheard_is_made_once(wired: Wired) -> None:
    """The rows' identities are unique; planning again finds them."""
    world = wired.world
    world.publish_protocols()
    world.book(starts_in=timedelta(days=9))
    wired.wire.lose_commit(PLAN)
    wired.run("plan")
    assert wired.wire.cuts == [PLAN]
    planned = [(row.step, row.due_at) for row in world.texts()]
    assert planned, "the commit was applied"
    world.execute("UPDATE enrollment SET plan_requested_at = now()")
    wired.run("plan")
    assert [(row.step, row.due_at) for row in world.texts()] == planned


def test_receipts_whose_commit_was_applied_unheard_count_once(wired: Wired) -> None:
    """Stored and applied, each behind a cut; the carrier's repetition changes nothing."""
    world = wired.world
    [message_id] = world.due()
    world.send()
    receipt = _delivered(world, message_id)
    wired.wire.lose_commit(CALLBACK)
    with pytest.raises(Exception, match="connection"):
        store_callbacks(world.services, [receipt])
    store_callbacks(world.services, [receipt])
    wired.wire.lose_commit(RECEIPTS)
    wired.run("receipts")
    wired.run("receipts")
    assert wired.wire.cuts == [CALLBACK, RECEIPTS]
    assert world.message(message_id).status == "delivered"
    assert len(world.execute("SELECT 1 FROM receipt WHERE applied_at IS NOT NULL")) == 1
    assert len(world.execute("SELECT 1 FROM message_history WHERE status = 'delivered'")) == 1


def _delivered(world: World, message_id: UUID) -> Callback:
    return Callback(
        message_id=message_id,
        attempt=1,
        sid=world.message(message_id).sid or "",
        status="delivered",
        error_code=None,
        from_number=NUMBER,
        messaging_service_sid=None,
        payload="{}",
        received_at=world.now,
    )


@pytest.mark.parametrize("together", [1, 3])
def test_a_text_received_whose_commit_was_applied_unheard_stands_once(
    wired: Wired, together: int
) -> None:
    """The webhook is told that it is stored, and so is the carrier's repetition."""
    talk = Talk(wired.world)
    talk.someone(together)
    texts = [talk.sms("R", phone=f"+1212555012{number}") for number in range(together)]
    wired.wire.lose_commit(INBOUND)
    for _ in range(2):
        told = talk.receive_together(*texts)
        assert all(isinstance(one, receive.Received) and one.duplicate for one in told), told
    assert wired.wire.cuts == [INBOUND]
    wired.run("replies")
    [(stored, handled)] = wired.world.execute("SELECT count(*), count(handled_at) FROM inbound")
    assert (stored, handled) == (together, together)
    assert len(talk.reasons) == together


def test_an_answer_whose_commit_was_applied_unheard_is_given_once(wired: Wired) -> None:
    """The text is handled; nobody handles it again."""
    talk = Talk(wired.world)
    talk.someone()
    talk.receive("I want to kill myself")
    wired.wire.lose_commit(ANSWER)
    wired.run("replies")
    wired.run("replies")
    assert wired.wire.cuts == [ANSWER]
    assert (len(talk.answers), len(talk.reasons)) == (1, 1)


# --- what the server refuses, however often ---


@pytest.mark.parametrize("refused", ["sid", "code"])
def test_an_outcome_that_is_refused_holds_no_other(worker: Worker, refused: str) -> None:
    """Another text has its SID, or its code fits no column: it is unknown, and looked for."""
    world = worker.world
    [first] = world.due()
    worker.run("send")
    taken = Accepted(sid=world.message(first).sid or "", status="queued")
    answer = {"sid": taken, "code": Refused(code=2**40, http_status=400)}[refused]
    odd, *rest = world.due(3)
    world.gateway.script(Script(answer=answer, creates=False), to=_phone(1))
    worker.run("send")
    assert {world.message(each).status for each in rest} == {"accepted"}
    assert world.message(odd).status == "submitting"
    world.execute("UPDATE message SET lease_until = now() - interval '1 s'")
    worker.run("sweep")
    assert world.message(odd).status == "unknown"


# --- locks ---


@contextmanager
def _holding(servers: Servers, database: OwnDatabase) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's transaction, who would wait for a lock much longer than we do."""
    with psycopg.connect(servers.dsn(database.name)) as other:
        # The server ends the one whose patience is over first: that shall be ours.
        other.execute("SET deadlock_timeout = '60s'")
        yield other


#: A table, and the id of one of its rows.
Row = tuple[str, UUID]


def _take(other: psycopg.Connection[Any], row: Row, wait: str = "") -> None:
    other.execute(f"SELECT 1 FROM {row[0]} WHERE id = %s FOR UPDATE {wait}".encode(), (row[1],))


@contextmanager
def _watching(servers: Servers, database: OwnDatabase) -> Iterator[Callable[[], None]]:
    """Give what waits until somebody stands before a row that is held."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    with psycopg.connect(servers.dsn(), autocommit=True) as watcher:

        def stands() -> bool:
            return watcher.execute(waiting, (database.name,)).fetchone() is not None

        yield lambda: wait_until(stands, 10, what="somebody waits for our row")


def _deadlocks(servers: Servers, database: OwnDatabase) -> int:
    asks = "SELECT deadlocks FROM pg_stat_database WHERE datname = %s"
    with psycopg.connect(servers.dsn(), autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(asks, (database.name,)).fetchone()
    return int(row[0]) if row else 0


def _crossed(
    servers: Servers,
    database: OwnDatabase,
    worker: Worker,
    step: Callable[[], object],
    *,
    first: Row,
    last: Row,
) -> None:
    """Take a step's last row, wait until it stands there with its first, and ask for that one."""
    with _holding(servers, database) as other, _watching(servers, database) as stands:
        _take(other, last)
        runs = threading.Thread(target=step)
        runs.start()
        stands()
        _take(other, first)
        # More than once where the step asks again before the row has gone to whoever waited.
        wait_until(lambda: worker.states[DEADLOCK] > 0, 10, what="our statement was ended")
        other.rollback()
        runs.join(30)
    ended = worker.states[DEADLOCK]
    wait_until(lambda: _deadlocks(servers, database) == ended, 10, what="the server's own count")


def test_a_deadlock_at_the_intent_loses_no_text(
    worker: Worker, servers: Servers, database: OwnDatabase
) -> None:
    """Claimed, never intended: nothing was posted, and the claims go back."""
    order = sorted(worker.world.due(3))
    take_then_wait = threading.Event()

    def stop(point: str) -> None:
        # Between claim and intent the rows are free for somebody else to take.
        if point == "claim.after_commit":
            take_then_wait.wait(10)

    object.__setattr__(worker.world.services, "crashpoint", stop)
    runner = threading.Thread(target=worker.run, args=("send",))
    runner.start()
    wait_until(lambda: worker.world.statuses() == {"claimed": 3}, 10)

    def go() -> None:
        take_then_wait.set()
        runner.join(30)

    first, last = ("message", order[0]), ("message", order[-1])
    _crossed(servers, database, worker, go, first=first, last=last)
    assert worker.world.gateway.calls == []
    worker.settle()
    worker.sent_once(3)


def test_a_deadlock_at_the_outcome_is_written_again(
    worker: Worker, servers: Servers, database: OwnDatabase
) -> None:
    """The carrier took them; that is kept in memory until it stands."""
    ids = worker.world.due(2)
    posted = threading.Event()

    def stop(point: str) -> None:
        if point == "send.before_outcome_commit":
            posted.wait(10)

    object.__setattr__(worker.world.services, "crashpoint", stop)
    runner = threading.Thread(target=worker.run, args=("send",))
    runner.start()
    wait_until(lambda: len(worker.world.gateway.calls) == 2, 10)

    def go() -> None:
        posted.set()
        runner.join(30)

    # In the order in which the carrier's answers came, which is that of the claim.
    by_phone = {text.to: place for place, text in enumerate(worker.world.gateway.calls)}
    order = [ids[place] for place in sorted(range(2), key=lambda n: by_phone[_phone(n)])]
    first, last = ("message", order[0]), ("message", order[-1])
    _crossed(servers, database, worker, go, first=first, last=last)
    worker.sent_once(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """Somebody whose crisis is open, and who has just written of it again."""

    talk: Talk
    patient: Row
    item: Row
    again: UUID

    @property
    def handled(self) -> bool:
        return self.talk.inbound(self.again).handled_at is not None


def _in_danger(world: World) -> Danger:
    talk = Talk(world)
    [patient] = talk.someone()
    talk.says(CRISIS)
    [item] = talk.rows(FollowUp)
    world.advance(minutes=20)
    again = talk.receive(CRISIS).id
    assert again is not None
    return Danger(talk=talk, patient=("patient", patient), item=("follow_up", item.id), again=again)


def _ends(world: World, item: Row) -> None:
    """Have a clinician end a crisis."""
    doctor = "doc@clinic.test"
    if not world.execute("SELECT 1 FROM staff"):
        Duty(world=world).staff(doctor, "clinician")
    actor = actions.actor_by_email(world.services, doctor, item[1])
    actions.resolve(world.services, item[1], outcome="reached_safe", actor=actor)


def test_a_crisis_text_that_meets_a_deadlock_is_handled_at_once(
    worker: Worker, servers: Servers, database: OwnDatabase
) -> None:
    """Nothing is wrong with the text: it is not put off, and no try of it is spent."""
    danger = _in_danger(worker.world)
    run = partial(worker.run, "replies")
    _crossed(servers, database, worker, run, first=danger.patient, last=danger.item)
    assert danger.handled
    assert danger.talk.inbound(danger.again).tries == 0


def test_a_text_that_waits_for_a_lock_spends_no_try(
    worker: Worker, servers: Servers, database: OwnDatabase
) -> None:
    """It is tried again at once; then others go first for a second, as often as it takes."""
    danger = _in_danger(worker.world)
    with _holding(servers, database) as other:
        _take(other, danger.item)
        worker.run("replies")
        assert worker.states[LOCKED_OUT] == 2
        assert danger.talk.inbound(danger.again).tries == 0
    worker.world.advance(seconds=1)
    worker.run("replies")
    assert danger.handled


def test_whoever_ends_an_item_takes_its_patient_first(
    worker: Worker, servers: Servers, database: OwnDatabase
) -> None:
    """As the patient's next text does: of the two, one waits for the other, never both."""
    danger = _in_danger(worker.world)
    with _holding(servers, database) as other, _watching(servers, database) as stands:
        _take(other, danger.patient)
        ends = threading.Thread(target=_ends, args=(worker.world, danger.item))
        ends.start()
        stands()
        _take(other, danger.item, "NOWAIT")
        other.rollback()
        ends.join(30)
    [item] = danger.talk.rows(FollowUp)
    assert item.outcome == "reached_safe"


def test_a_day_that_is_being_closed_keeps_nobody_from_ending_a_crisis(
    worker: Worker, servers: Servers, database: OwnDatabase
) -> None:
    """The trail and the plans, which all of a clinic share, are taken last."""
    world, talk = worker.world, Talk(worker.world)
    talk.someone(2)
    world.advance(hours=9)
    talk.says("please call me")
    talk.says(CRISIS, phone=phone_of(1))
    waits, danger = talk.rows(FollowUp)
    day = waits.due_at.astimezone(NEW_YORK).date()
    assert day > world.now.astimezone(NEW_YORK).date()
    close = partial(closing.close_day, world.services, world.clinic_id, day=day, actor="desk")
    with _holding(servers, database) as other, _watching(servers, database) as stands:
        _take(other, ("follow_up", waits.id))
        closes = threading.Thread(target=close)
        closes.start()
        stands()
        _ends(world, ("follow_up", danger.id))
        other.rollback()
        closes.join(30)
    assert [item.status for item in talk.rows(FollowUp)] == ["open", "resolved"]
    actions_kept = world.execute("SELECT action FROM audit_event ORDER BY sequence")
    assert [row.action for row in actions_kept] == [
        "follow_up.resolved",
        "clinic.closed_for_a_day",
    ]


def _phone(number: int) -> str:
    return f"+1212555012{number}"


def test_a_lock_held_too_long_is_waited_for_again(
    worker: Worker, servers: Servers, database: OwnDatabase
) -> None:
    """Nobody waits for a lock for more than five seconds; the next tick asks again."""
    worker.world.due(2)
    with _holding(servers, database) as other:
        other.execute("LOCK TABLE attempt IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        worker.run("send")
        assert 4 < time.monotonic() - began < 9
    assert worker.states[LOCKED_OUT] >= 1
    worker.settle()
    worker.sent_once(2)


def test_transactions_that_cannot_be_serialized_are_run_again(
    database: OwnDatabase, database_url: str, servers: Servers
) -> None:
    """An operator makes the database stricter than it has to be: two workers meet and go on."""
    with psycopg.connect(servers.dsn(), autocommit=True) as connection:
        strict = "SET default_transaction_isolation = 'serializable'"
        connection.execute(f"ALTER DATABASE {database.name} {strict}".encode())
    with working(database_url) as worker:
        world = worker.world
        world.settings.dispatch_interval = 0.05
        other = beside(world)
        worker.process.start()
        other.start()
        until = time.monotonic() + 20
        made = 0
        while time.monotonic() < until and not (made >= 60 and worker.states[NOT_SERIALIZED]):
            with suppress(DBAPIError):
                made += len(world.due(5))
        [(count,)] = world.execute("SELECT count(*) FROM message")
        wait_until(lambda: world.statuses() == {"accepted": count}, 30)
        other.close()
        assert worker.states[NOT_SERIALIZED] > 0, worker.states
        worker.sent_once(count)


def beside(world: World) -> WorkerProcess:
    """Return a second process with connections of its own, to the same carrier."""
    database = Database.connect(world.settings.database_url.get_secret_value(), application="two")
    services = replace(world.services, database=database, host="two")
    carrier = Carrier(lambda: world.gateway, in_flight=64, write=partial(outcomes.write, services))
    # What ends with the second must not end the carrier that both talk to.
    world.gateway.close = _stay_open  # type: ignore[method-assign]
    return WorkerProcess(services, carrier)


async def _stay_open() -> None:
    """Leave the carrier open for the other."""
