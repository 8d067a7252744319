"""Lateness: how long after its due instant a text is posted, at half of the burst's rate."""

import statistics
import time
from datetime import UTC, datetime, timedelta

from bench import crowd
from bench.burst import Scene, copy, sent_once, wait_for_all
from bench.figures import Figure, Section, at_most
from bench.phones import phone
from bench.rig import BenchError


def measure(scene: Scene, rate: float, seconds: float) -> Section:
    """Have texts fall due evenly at `rate` per second; return how late they were posted."""
    rig, count = scene.rig, min(int(rate * seconds), scene.count)
    with copy(rig, scene.template) as database, rig.carrier() as carrier:
        env = rig.environment(database, carrier=carrier.url, redis=rig.redis_url())
        with rig.working(database, env):
            start = datetime.now(UTC) + timedelta(seconds=3 + count / 1500)
            instants = [start + timedelta(seconds=number / rate) for number in range(count)]
            with rig.services(database) as services:
                crowd.make_due(services, scene.crowd, instants)
            database.execute("ANALYZE message")
            left = (start - datetime.now(UTC)).total_seconds()
            if left < 0:
                raise BenchError("planning took until the texts were due: the machine is too busy")
            time.sleep(left)
            wait_for_all(database, count)
        took = sent_once(carrier, count)
    due = {phone(number): at.timestamp() for number, at in enumerate(instants)}
    waits = [float(entry["t"]) - due[entry["to"]] for entry in took]
    if min(waits) < 0:
        raise BenchError("a text was posted before it was due")
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    note = f"{count:,} texts due evenly at {rate:,.0f}/s, from due to the carrier's log"
    return Section(
        title="lateness",
        figures=[
            Figure(what="p50", unit="s", values=[cuts[49]], note=note),
            Figure(
                what="p99", unit="s", values=[cuts[98]], budget="<= 2", keeps=at_most(2), note=note
            ),
        ],
    )
