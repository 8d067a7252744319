"""The faults: how each is brought about, how long it lasts, and how one sees that it struck."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from cli.stack import DATABASE
from tests.chaos.house import House

#: Returns how often it fired; 0 is a failure of the run.
Strike = Callable[[House], int]
# Two workers start on a busy machine, and a sweep's turn comes every five seconds.
_DEATH_SECONDS = 45.0
# An open breaker lets one text go a minute after it opened.
_STRIKE_SECONDS = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of trouble. `numbers` are the rows of the fault list that it stands for.

    `short` faults are those that a run of one minute has time for.
    """

    name: str
    strike: Strike
    numbers: tuple[int, ...]
    short: bool = False


def _wait(fact: Callable[[], object], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if fact():
            return True
        time.sleep(0.05)
    return False


# --- processes ---


def _killed(*kinds: str) -> Strike:
    """`kill -9` one of each kind in the middle of whatever it does, and start it again."""

    def strike(house: House) -> int:
        fired = 0
        for kind in kinds:
            name = house.random.choice(house.children(kind)).name
            fired += house.kill(name) == -signal.SIGKILL
            time.sleep(house.random.uniform(0, 1))
            house.run(name)
        return fired

    return strike


def _all_killed(house: House) -> int:
    """`kill -9` all workers, beats and web at once."""
    names = [each.name for kind in ("worker", "beat", "web") for each in house.children(kind)]
    codes = [house.kill(name) for name in names]
    for name in names:
        house.run(name)
    return codes.count(-signal.SIGKILL)


def _killed_at(point: str, provoke: Callable[[House], None]) -> Strike:
    """Start both workers (or web) armed, wait until one dies there, and start them in order.

    `provoke` is called each second until then; it makes work for the step that is meant.
    """
    kind = "web" if point.startswith(("callback", "inbound")) else "worker"

    def strike(house: House) -> int:
        names = [each.name for each in house.children(kind)]
        nth = house.random.choice((1, 1, 2)) if point.startswith(("send", "claim")) else 1
        for name in names:
            house.kill(name)
            house.run(name, f"{point}:{nth}")
        until = time.monotonic() + _DEATH_SECONDS
        while time.monotonic() < until:
            provoke(house)
            if _wait(lambda: any(house.code(name) is not None for name in names), 1):
                break
        died = [name for name in names if house.code(name) == -signal.SIGKILL]
        for name in names:
            if name not in died:
                house.kill(name)
            house.run(name)
        return len(died)

    return strike


def _stopped_in_order(house: House) -> int:
    """SIGTERM a worker amid its work, as a deploy does, and start it again."""
    name = house.random.choice(house.children("worker")).name
    process = house.stack.child(name).process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    ended = _wait(lambda: process.poll() is not None, 45)
    house.run(name) if ended else None
    return int(ended and process.returncode == 0)


def _frozen(seconds: float) -> Strike:
    """SIGSTOP a worker for less than the grace: its guard must find the time gone."""

    def strike(house: House) -> int:
        process = house.stack.child(house.random.choice(house.children("worker")).name).process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        return 1

    return strike


# --- Redis ---


def _client(house: House) -> redis.Redis:
    return redis.Redis.from_url(house.stack.redis.url, socket_timeout=5)


def _redis_flushed(house: House) -> int:
    with _client(house) as client:
        for _ in range(5):
            client.flushall()
            time.sleep(0.3)
        return int(client.info("commandstats")["cmdstat_flushall"]["calls"])


def _redis_killed(seconds: float) -> Strike:
    def strike(house: House) -> int:
        house.stack.redis.kill()
        gone = not house.stack.redis.is_running
        time.sleep(seconds)
        house.stack.redis.start()
        return int(gone)

    return strike


def _redis_hung(house: House) -> int:
    house.stack.redis.pause()
    try:
        with _client(house) as client:
            client.ping()
    except redis.exceptions.RedisError:
        return 1
    finally:
        house.stack.redis.resume()
    return 0


def _redis_full(house: House) -> int:
    with _client(house) as client:
        client.config_set("maxmemory", "1")
        try:
            time.sleep(4)
            client.set("one", "more")
        except redis.exceptions.OutOfMemoryError:
            return 1
        finally:
            client.config_set("maxmemory", "0")
    return 0


# --- PostgreSQL ---


@contextmanager
def _superuser(house: House) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(house.stack.postgres.dsn(DATABASE), autocommit=True) as connection:
        yield connection


def _postgres_restarted(mode: str) -> Strike:
    def strike(house: House) -> int:
        before = house.stack.postgres.pid
        house.stack.postgres.restart(mode)
        return int(house.stack.postgres.pid != before)

    return strike


_CUT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name LIKE 'aftercare-%' AND application_name <> 'aftercare-supervisor'"
)


def _connections_cut(house: House) -> int:
    cut = 0
    with _superuser(house) as connection:
        for _ in range(8):
            row = connection.execute(_CUT).fetchone()
            cut += row[0] if row else 0
            time.sleep(house.random.uniform(0.1, 0.5))
    return cut


def _locked(house: House) -> int:
    """Hold the outbox longer than anybody waits for a lock (5 s)."""
    with _superuser(house) as connection, connection.transaction():
        connection.execute("LOCK TABLE message IN ACCESS EXCLUSIVE MODE")
        time.sleep(6)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        row = connection.execute(waiting).fetchone()
        return int(row[0]) if row else 0


def _read_only(house: House) -> int:
    with _superuser(house) as connection:
        connection.execute(f"ALTER DATABASE {DATABASE} SET default_transaction_read_only = on")
        connection.execute(_CUT)
        time.sleep(4)
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {DATABASE} RESET default_transaction_read_only")
        row = connection.execute(_CUT).fetchone()
        return int(row[0]) if row else 0


# --- the carrier ---


def _carrier(kind: str, seconds: float = 3.0, **options: Any) -> Strike:
    """Switch a fault of the carrier on for so long, amid a small burst.

    It stays until it struck: workers that still start, or a breaker that still waits from the
    fault before, post nothing for longer than that.
    """

    def strike(house: House) -> int:
        before = house.fired()[kind]
        house.fault(kind, **options)
        house.burst(20)
        time.sleep(seconds)
        _wait(lambda: house.fired()[kind] > before, _STRIKE_SECONDS)
        house.heal()
        return house.fired()[kind] - before

    return strike


def _listed_late(house: House) -> int:
    """Lists lag by 8 s while texts are looked for; the grace is longer than lag and guard."""
    before = house.fired()["list_lag"]
    house.fault("list_lag", seconds=8)
    house.fault("drop", created=True, count=6)
    house.burst(20)
    _wait(lambda: house.fired()["list_lag"] > before, 40)
    house.heal()
    return house.fired()["list_lag"] - before


def _nothing(_house: House) -> None:
    """Leave it to the texts that fall due anyway."""


def _make_unknowns(house: House) -> None:
    """Have some texts' answers lost, and each looked for when 8 s are over instead of 15.

    That is still longer than the guard of 5 s, and no list lags while this goes on.
    """
    if not house.ask("GET", "/sandbox/faults")["active"][1:]:
        house.fault("status", status=500, created=False, count=2)
        house.fault("drop", created=True, count=2)
    house.sql(
        "UPDATE attempt SET next_look_at = intent_at + interval '8 s'"
        " WHERE closed_at IS NULL AND outcome = 'unknown'"
    )


def _lose_inbound(house: House) -> None:
    if not house.ask("GET", "/sandbox/faults")["active"][1:]:
        house.fault("lose_inbound", count=2)
    house.hasten("pull")


def _replan(house: House) -> None:
    house.sql(
        "INSERT INTO enrollment (id, clinic_id, patient_id, protocol, anchor_day,"
        " plan_requested_at) SELECT gen_random_uuid(), clinic_id, id, 'daily-check-in',"
        " current_date + 300, now() FROM patient ORDER BY id DESC LIMIT 1 ON CONFLICT DO NOTHING"
    )


AT_POINTS: tuple[tuple[str, Callable[[House], None], tuple[int, ...]], ...] = (
    ("claim.before_commit", _nothing, (1,)),
    ("claim.after_commit", _nothing, (2,)),
    ("send.after_intent", _nothing, (5,)),
    ("send.after_connect", _nothing, (5,)),
    ("send.after_write", _nothing, (6,)),
    ("send.after_response", _nothing, (7,)),
    ("send.before_outcome_commit", _nothing, (7,)),
    ("send.after_outcome_commit", _nothing, (8,)),
    ("sweep.before_commit", _nothing, (9,)),
    ("sweep.after_commit", _nothing, (9,)),
    ("reconcile.listed", _make_unknowns, (9,)),
    ("reconcile.after_commit", _make_unknowns, (9,)),
    ("receipts.before_commit", _nothing, (9,)),
    ("receipts.after_commit", _nothing, (9,)),
    ("replies.before_commit", _nothing, (36,)),
    ("replies.after_commit", _nothing, (36,)),
    ("callback.before_commit", _nothing, (34,)),
    ("callback.after_commit", _nothing, (34,)),
    ("inbound.before_commit", _nothing, (36,)),
    ("inbound.after_commit", _nothing, (36,)),
    ("pull.page", _lose_inbound, (36,)),
    ("pull.before_commit", _lose_inbound, (36,)),
    ("plan.before_commit", _replan, (9,)),
    ("plan.after_commit", _replan, (9,)),
)
_SHORT_POINTS = {"send.after_write", "send.after_intent"}


def _worse() -> tuple[Fault, ...]:
    """Return those of the other module, which needs this one's `Fault`."""
    from tests.chaos import exhausted  # noqa: PLC0415  See above.

    return tuple(
        Fault(name=name, strike=strike, numbers=numbers, short=short)
        for name, strike, numbers, short in exhausted.FAULTS
    )


FAULTS: tuple[Fault, ...] = (
    *_worse(),
    *(
        Fault(
            name=f"killed at {point}",
            strike=_killed_at(point, provoke),
            numbers=numbers,
            short=point in _SHORT_POINTS,
        )
        for point, provoke, numbers in AT_POINTS
    ),
    Fault(name="worker killed at random", strike=_killed("worker"), numbers=(11,), short=True),
    Fault(name="beat killed at random", strike=_killed("beat"), numbers=(11, 40)),
    Fault(name="web killed at random", strike=_killed("web"), numbers=(11, 36), short=True),
    Fault(name="all killed at once", strike=_all_killed, numbers=(11, 42)),
    Fault(name="worker stopped in order", strike=_stopped_in_order, numbers=(42,)),
    Fault(name="worker frozen 3 s", strike=_frozen(3), numbers=(12,)),
    Fault(name="worker frozen 9 s", strike=_frozen(9), numbers=(12,)),
    Fault(name="redis flushed 5 times", strike=_redis_flushed, numbers=(14,), short=True),
    Fault(name="redis killed, back at once", strike=_redis_killed(0), numbers=(15,), short=True),
    Fault(name="redis gone for 15 s", strike=_redis_killed(15), numbers=(15, 18)),
    Fault(name="redis hung", strike=_redis_hung, numbers=(16,)),
    Fault(name="redis full", strike=_redis_full, numbers=(17,)),
    Fault(
        name="postgres restarted immediately",
        strike=_postgres_restarted("immediate"),
        numbers=(21, 22),
        short=True,
    ),
    Fault(name="postgres killed", strike=_postgres_restarted("kill"), numbers=(21, 22)),
    Fault(name="connections cut 8 times", strike=_connections_cut, numbers=(22, 23), short=True),
    Fault(name="outbox locked for 6 s", strike=_locked, numbers=(23,)),
    Fault(name="database read-only", strike=_read_only, numbers=(23,)),
    Fault(
        name="429, Retry-After 1",
        strike=_carrier("status", status=429, retry_after=1),
        numbers=(27,),
    ),
    Fault(name="429 without", strike=_carrier("status", status=429), numbers=(27,), short=True),
    Fault(
        name="500 created",
        strike=_carrier("status", status=500, created=True),
        numbers=(28,),
        short=True,
    ),
    Fault(name="500 not created", strike=_carrier("status", status=500), numbers=(28,), short=True),
    Fault(name="503 created", strike=_carrier("status", status=503, created=True), numbers=(28,)),
    Fault(name="502 not created", strike=_carrier("status", status=502), numbers=(28,)),
    Fault(name="dropped after accept", strike=_carrier("drop"), numbers=(29,), short=True),
    Fault(name="reset after accept", strike=_carrier("drop", how="reset"), numbers=(29,)),
    Fault(name="dropped before", strike=_carrier("drop", created=False), numbers=(29,)),
    Fault(name="201 cut short", strike=_carrier("garbled"), numbers=(29,), short=True),
    Fault(name="201 without sid", strike=_carrier("garbled", style="no_sid"), numbers=(29,)),
    Fault(name="201 empty", strike=_carrier("garbled", style="empty"), numbers=(29,)),
    Fault(name="200 with a web page", strike=_carrier("html"), numbers=(29,)),
    Fault(name="hangs, created", strike=_carrier("hang", created=True, count=10), numbers=(13,)),
    Fault(name="hangs, not created", strike=_carrier("hang", count=10), numbers=(13,)),
    Fault(name="a byte a second", strike=_carrier("drip", count=10), numbers=(13,)),
    Fault(name="bad credentials", strike=_carrier("bad_credentials", 2), numbers=(31,)),
    Fault(name="account suspended", strike=_carrier("suspended", 2), numbers=(31,)),
    Fault(name="lists lag", strike=_listed_late, numbers=(33,)),
    Fault(name="callbacks lost", strike=_carrier("lose_callbacks"), numbers=(35,), short=True),
    Fault(name="callbacks doubled", strike=_carrier("duplicate_callbacks"), numbers=(34,)),
    Fault(name="callbacks shuffled", strike=_carrier("shuffle_callbacks"), numbers=(34,)),
    Fault(name="callbacks before the 201", strike=_carrier("early_callbacks"), numbers=(34,)),
    Fault(name="callbacks late", strike=_carrier("delay_callbacks", ms=2000), numbers=(34,)),
    Fault(name="inbound lost", strike=_carrier("lose_inbound"), numbers=(36,)),
    Fault(name="inbound doubled", strike=_carrier("duplicate_inbound"), numbers=(36,)),
)
