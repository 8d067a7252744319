"""More faults: servers that have no room, refuse or say nothing, and commits that nobody heard of.

Each strike returns how often it fired; `tests.chaos.faults` adds them to its list.
"""

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import redis

from cli.stack import DATABASE, OWNER, PROCESS
from tests.chaos.house import House
from tests.support.room import CAN_BE_FULL, fill, is_full, no_room

# Statements of the transactions whose commit is to go unheard, and whose they are.
_COMMITS = (
    ("SET status = 'claimed', reason = NULL", "aftercare-worker"),
    ("INSERT INTO attempt", "aftercare-worker"),
    ("UPDATE attempt t SET outcome = 'accepted'", "aftercare-worker"),
    ("UPDATE receipt r SET applied_at", "aftercare-worker"),
    ("INSERT INTO receipt", "aftercare-web"),
    ("INSERT INTO inbound", "aftercare-web"),
)
_CUT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name IN ('aftercare-worker', 'aftercare-web')"
)
_STRUCK_SECONDS = 4.0
_HEARD_SECONDS = 20.0


def _commits_unheard(house: House) -> int:
    """Cut the line after the COMMIT was done and before its answer came, at three statements."""
    wire, before = house.to_postgres, len(house.to_postgres.cuts)
    for number, (statement, of) in enumerate(house.random.sample(_COMMITS, 3), start=1):
        wire.lose_commit(statement, of=of)
        house.burst(10)
        until = time.monotonic() + _HEARD_SECONDS
        while len(wire.cuts) < before + number and time.monotonic() < until:
            time.sleep(0.05)
    return len(wire.cuts) - before


def _no_connection_left(house: House) -> int:
    """Take every connection the server has, ours included, and give them back."""
    server, refused = house.stack.postgres, 0
    with ExitStack() as taken, psycopg.connect(server.dsn(DATABASE), autocommit=True) as superuser:
        superuser.execute(_CUT)
        until = time.monotonic() + _STRUCK_SECONDS
        while time.monotonic() < until:
            try:
                taken.enter_context(psycopg.connect(server.dsn(DATABASE, PROCESS)))
            except psycopg.OperationalError:
                refused += 1
                superuser.execute(_CUT)
                time.sleep(0.05)
    return refused


def _disk_full(house: House) -> int:
    """Let no file of the server grow, with a history of texts that has no free page."""
    server = house.stack.postgres
    owner = server.dsn(DATABASE, OWNER)
    fill(owner)
    with no_room(server, DATABASE):
        house.burst(40)
        time.sleep(_STRUCK_SECONDS)
        return int(is_full(owner))


def _redis_read_only(house: House) -> int:
    with redis.Redis.from_url(house.stack.redis.url, socket_timeout=5) as client:
        client.replicaof("127.0.0.1", 1)
        try:
            time.sleep(_STRUCK_SECONDS)
            client.set("one", "more")
        except redis.exceptions.ReadOnlyError:
            return 1
        finally:
            client.replicaof("NO", "ONE")
    return 0


def _redis_locked(house: House) -> int:
    url = house.stack.redis.url
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        before = client.config_get("requirepass")["requirepass"]
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)
        try:
            time.sleep(_STRUCK_SECONDS)
            with redis.Redis.from_url(url, socket_timeout=5) as other:
                other.ping()
        except redis.exceptions.AuthenticationError:
            return 1
        finally:
            client.config_set("requirepass", before)
    return 0


def _redis_silent(house: House) -> int:
    """Let the line to Redis swallow everything, longer than anybody waits for an answer."""
    wire = house.to_redis
    before, wire.swallows = wire.swallowed, True
    time.sleep(2 * _STRUCK_SECONDS)
    wire.swallows = False
    wire.cut_all()
    return wire.swallowed - before


def _no_file_left(house: House) -> int:
    """Let a worker open no file more: no connection to the carrier, no data of a language."""
    name = house.random.choice(house.children("worker")).name
    process = house.stack.child(name).process
    assert process is not None
    before = _complaints(house, name)
    _allow(process.pid, len(list(Path(f"/proc/{process.pid}/fd").iterdir())) + 1)
    try:
        house.fault("latency", ms=600)
        house.burst(160)
        until = time.monotonic() + _HEARD_SECONDS
        while time.monotonic() < until and process.poll() is None:
            if _complaints(house, name) > before:
                time.sleep(_STRUCK_SECONDS)
                break
            time.sleep(0.2)
        return _complaints(house, name) - before + int(process.poll() is not None)
    finally:
        if process.poll() is None:
            _allow(process.pid, 1024)


def _complaints(house: House, name: str) -> int:
    """Count what a worker could not open, by its own log and by the texts' histories."""
    log = (house.stack.folder.logs / f"{name}.log").read_text("utf-8", "replace")
    asks = "SELECT count(*) FROM message_history WHERE reason = 'connect'"
    return log.count('"error": "OSError"') + int(house.sql(asks)[0][0])


def _allow(pid: int, files: int) -> None:
    with suppress(subprocess.CalledProcessError):
        command = ["prlimit", "--pid", str(pid), f"--nofile={files}:"]
        subprocess.run(command, check=True, capture_output=True)


Row = tuple[str, Callable[[House], int], tuple[int, ...], bool]
_ON_LINUX: tuple[Row, ...] = (
    ("disk full", _disk_full, (25,), False),
    ("no file left", _no_file_left, (44,), False),
)
FAULTS: tuple[Row, ...] = (
    ("commits applied, answers lost", _commits_unheard, (22,), True),
    ("no connection left", _no_connection_left, (23,), False),
    ("redis read-only", _redis_read_only, (17,), False),
    ("redis wants another password", _redis_locked, (17,), False),
    ("redis swallows everything", _redis_silent, (16,), False),
    *(_ON_LINUX if CAN_BE_FULL else ()),
)
