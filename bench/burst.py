"""Bursts: so many texts due at one instant, through everything, beside what is used instead.

Each round runs ours and the others one after the other, on a fresh database and a fresh carrier,
so that ratios within a round hold although the machine has its moods.
"""

import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import create_engine, insert

from bench import crowd, loadgen, peer
from bench.crowd import Crowd
from bench.figures import Figure, Section, at_least, at_most, ratios
from bench.phones import phone
from bench.probe import Meter, Peak, memory_mb
from bench.rig import ACCOUNT, BenchError, Carrier, OwnDatabase, Rig, wait_for

IN_FLIGHT = 256
SLOW_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What all rounds start from: a database with patients and visits to copy."""

    rig: Rig
    crowd: Crowd
    count: int
    template: str = "crowd"


@contextmanager
def scene(rig: Rig, count: int) -> Iterator[Scene]:
    """Yield a scene with `count` patients; its database goes after the block."""
    database = rig.database(name="crowd")
    try:
        with rig.services(database) as services:
            people = crowd.make(services, count)
        crowd.settle(database)
        yield Scene(rig=rig, crowd=people, count=count)
    finally:
        rig.drop(database)


@contextmanager
def copy(rig: Rig, template: str) -> Iterator[OwnDatabase]:
    """Yield a copy of a database that is dropped after the block."""
    database = rig.database(template)
    try:
        yield database
    finally:
        rig.drop(database)


def sent_once(carrier: Carrier, count: int) -> list[dict[str, Any]]:
    """Return what the carrier took. Raises BenchError unless it was each text once."""
    entries = carrier.created()
    times = Counter(entry["to"] for entry in entries)
    if len(entries) != count or len(times) != count:
        twice = sum(1 for each in times.values() if each > 1)
        raise BenchError(f"the carrier took {len(entries)} texts of {count}, {twice} of them twice")
    return entries


def ours(scene: Scene, *, latency: int = 0, ahead: int = 0) -> dict[str, float]:
    """Run one burst through worker and beat; return its figures."""
    rig = scene.rig
    with copy(rig, scene.template) as database, rig.carrier() as carrier:
        carrier.latency(latency)
        env = rig.environment(database, carrier=carrier.url, redis=rig.redis_url())
        if ahead:
            crowd.plan_ahead(database, scene.crowd, ahead)
        with rig.working(database, env) as worker:
            time.sleep(2)
            idle = memory_mb(worker.pid)
            at = _plan(scene, database)
            meter = Meter(worker=worker.pid, postgres=rig.postgres.pid, carrier=carrier.child.pid)
            with Peak(worker.pid) as peak:
                wait_for_all(database, scene.count)
            used = meter.used()
        took = sent_once(carrier, scene.count)
        finished = database.execute("SELECT max(closed_at) FROM attempt")[0][0]
    seconds = (finished - at).total_seconds()
    first = float(str(took[0]["t"])) - at.timestamp()
    cpu = {f"cpu_{name}": each / scene.count * 1000 for name, each in used.items()}
    return {
        "rate": scene.count / seconds,
        "steady": scene.count / (seconds - first),
        "first": first,
        "idle_mb": idle,
        "peak_mb": peak.mb,
        **cpu,
    }


def _plan(scene: Scene, database: OwnDatabase) -> datetime:
    at = datetime.now(UTC) + timedelta(seconds=3 + scene.count / 1500)
    with scene.rig.services(database) as services:
        crowd.make_due(services, scene.crowd, [at] * scene.count)
    database.execute("ANALYZE message")
    left = (at - datetime.now(UTC)).total_seconds()
    if left < 0.2:
        raise BenchError("planning took until the texts were due: the machine is too busy")
    time.sleep(left - 0.1)
    return at


def wait_for_all(database: OwnDatabase, count: int) -> None:
    """Wait until that many texts are accepted. Raises BenchError with what became of the rest."""
    asked = "SELECT count(*) FROM message WHERE sid IS NOT NULL"
    try:
        wait_for(
            lambda: database.execute(asked)[0][0] >= count,
            30 + count / 100,
            f"all {count} texts accepted",
            every=0.3,
        )
    except BenchError as error:
        told = "SELECT status, reason, count(*) FROM message GROUP BY 1, 2"
        raise BenchError(f"{error}; there are {database.execute(told)}") from None


def one_task_each(rig: Rig, count: int, rows: int) -> dict[str, float]:
    """Run the baseline: one Celery task for each of `count` texts, in a table of `rows`."""
    with copy(rig, "template0") as database, rig.carrier() as carrier:
        dsn = database.superuser_dsn.replace("postgresql:", "postgresql+psycopg:", 1)
        engine = create_engine(dsn)
        peer.metadata.create_all(engine)
        env = {"PEER_DATABASE": dsn, "PEER_REDIS": rig.redis_url(), "PEER_CARRIER": carrier.url}
        celery = "-m celery -A bench.peer worker -P prefork -c 2 -l WARNING --without-gossip"
        options = f"{celery} --without-mingle --without-heartbeat".split()
        with rig.child(options, env) as worker, rig.child(["-m", "bench.peer"], env) as poller:
            time.sleep(6)
            idle = memory_mb(worker.pid)
            at = datetime.now(UTC) + timedelta(seconds=2 + rows / 5000)
            with engine.begin() as connection:
                connection.execute(insert(peer.texts), _peer_rows(count, rows, at))
            database.execute("ANALYZE peer_text")
            time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds() - 0.1))
            meter = Meter(worker=worker.pid, poller=poller.pid, postgres=rig.postgres.pid)
            asked = "SELECT count(*) FROM peer_text WHERE sid IS NOT NULL"
            wait_for(
                lambda: database.execute(asked)[0][0] >= count, 120, "the peer's texts", every=0.3
            )
            used = meter.used()
        sent_once(carrier, count)
        finished = database.execute("SELECT max(stored_at) FROM peer_text")[0][0]
        engine.dispose()
    own = (used["worker"] + used["poller"]) / count * 1000
    return {
        "rate": count / (finished - at).total_seconds(),
        "cpu": own,
        "cpu_postgres": used["postgres"] / count * 1000,
        "idle_mb": idle,
    }


def _peer_rows(count: int, rows: int, at: datetime) -> list[dict[str, object]]:
    later = at + timedelta(days=7)
    return [
        {
            "recipient": phone(number),
            "body": peer.BODY,
            "due_at": at if number < count else later,
            "status": "planned",
        }
        for number in range(rows)
    ]


def bare_sdk(rig: Rig, count: int) -> dict[str, float]:
    """Run the SDK's own async client in 64 slots."""
    with rig.carrier() as carrier:
        told = rig.run("-m", "bench.sdkloop", carrier.url, str(count))
        sent_once(carrier, count + 1)
    return {"rate": told["rate"], "cpu": told["cpu"] / count * 1000}


def raw_posts(rig: Rig, count: int) -> dict[str, float]:
    """Post the same forms over 64 kept-alive sockets: what the carrier alone can take."""
    with rig.carrier() as carrier:
        headers = {"Authorization": peer.authorization()}
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        requests = [loadgen.request(path, peer.form(number), headers) for number in range(count)]
        file = loadgen.save(requests, rig.folder / "posts.pickle")
        meter = Meter(carrier=carrier.child.pid)
        told = rig.run("-m", "bench.loadgen", carrier.url.rpartition(":")[2], file)
        used = meter.used()
        sent_once(carrier, count)
    return {"rate": told["rate"], "cpu_carrier": used["carrier"] / count * 1000}


def measure(scene: Scene, *, rounds: int, ahead: int, quick: bool) -> tuple[Section, float]:
    """Run all of them round by round; return the figures, and our median rate."""
    rig, count = scene.rig, scene.count
    theirs = min(count, 1000 if quick else 3000)
    runs: dict[str, Callable[[], dict[str, float]]] = {
        "fast": lambda: ours(scene),
        "task": lambda: one_task_each(rig, theirs, count),
        "sdk": lambda: bare_sdk(rig, min(count, 5000)),
        "raw": lambda: raw_posts(rig, min(count, 5000)),
        "slow": lambda: ours(scene, latency=SLOW_MS),
    }
    got: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            print(f"burst, round {number + 1} of {rounds}: {name}", file=sys.stderr)
            for key, value in run().items():
                got[name][key].append(value)
    print(f"burst with {ahead:,} rows planned ahead", file=sys.stderr)
    full = ours(scene, ahead=ahead)
    figures = [*_rates(got, count, theirs), *_costs(got), *_memory(got, full, ahead)]
    section = Section(title=f"burst of {count:,}", figures=figures)
    return section, statistics.median(got["fast"]["rate"])


def _rates(got: dict[str, dict[str, list[float]]], count: int, theirs: int) -> list[Figure]:
    fast, slow = got["fast"], got["slow"]
    ceiling = 0.8 * IN_FLIGHT / (SLOW_MS / 1000)
    return [
        Figure(
            what="from T to the last accepted row",
            unit="texts/s",
            values=fast["rate"],
            budget=">= 2,000",
            keeps=at_least(2000),
            note=f"first POST {statistics.median(fast['first']):.2f} s after T, "
            f"then {statistics.median(fast['steady']):,.0f}/s; {IN_FLIGHT} requests in flight",
        ),
        Figure(
            what=f"the same, carrier takes {SLOW_MS} ms",
            unit="texts/s",
            values=slow["rate"],
            budget=f">= {ceiling:,.0f}",
            keeps=at_least(ceiling),
            note=f"then {statistics.median(slow['steady']):,.0f}/s",
        ),
        Figure(
            what="one Celery task per text",
            unit="texts/s",
            values=got["task"]["rate"],
            note=f"{theirs:,} due of {count:,} rows; prefork x2, SDK with kept connections",
        ),
        Figure(
            what="ours by one Celery task per text",
            unit="x",
            values=ratios(fast["rate"], got["task"]["rate"]),
            budget=">= 10",
            keeps=at_least(10),
        ),
        Figure(
            what="bare SDK loop",
            unit="texts/s",
            values=got["sdk"]["rate"],
            note="create_async in 64 slots, nothing stored",
        ),
        Figure(
            what="ours by the bare SDK loop",
            unit="x",
            values=ratios(fast["rate"], got["sdk"]["rate"]),
            budget=">= 0.5",
            keeps=at_least(0.5),
        ),
        Figure(
            what="the carrier alone",
            unit="posts/s",
            values=got["raw"]["rate"],
            note="raw posts over 64 kept connections",
        ),
    ]


def _costs(got: dict[str, dict[str, list[float]]]) -> list[Figure]:
    shown = [
        ("worker", got["fast"]["cpu_worker"]),
        ("PostgreSQL", got["fast"]["cpu_postgres"]),
        ("carrier", got["fast"]["cpu_carrier"]),
        ("one Celery task per text, own processes", got["task"]["cpu"]),
        ("one Celery task per text, PostgreSQL", got["task"]["cpu_postgres"]),
        ("bare SDK loop", got["sdk"]["cpu"]),
    ]
    return [Figure(what=f"CPU: {name}", unit="s/1,000", values=values) for name, values in shown]


def _memory(
    got: dict[str, dict[str, list[float]]], full: dict[str, float], ahead: int
) -> list[Figure]:
    kept = at_most(200)
    return [
        Figure(what="worker, idle", unit="MB PSS", values=got["fast"]["idle_mb"]),
        Figure(what=f"worker, {ahead:,} planned", unit="MB PSS", values=[full["idle_mb"]]),
        Figure(
            what="worker, at the peak",
            unit="MB PSS",
            values=got["fast"]["peak_mb"],
            budget="<= 200",
            keeps=kept,
        ),
        Figure(
            what=f"worker, at the peak, {ahead:,} planned",
            unit="MB PSS",
            values=[full["peak_mb"]],
            budget="<= 200",
            keeps=kept,
        ),
        Figure(what="one Celery task per text, idle", unit="MB PSS", values=got["task"]["idle_mb"]),
        Figure(
            what=f"burst with {ahead:,} rows planned for later",
            unit="texts/s",
            values=[full["rate"]],
        ),
    ]
