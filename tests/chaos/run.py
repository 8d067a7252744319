"""One run: faults strike in a seeded order under load, then quiet, then the reckoning."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg

from tests.chaos.account import Reckoning, Struck, reckon
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.house import Desk, House

_RECOVER_SECONDS = 20.0
_DRAIN_SECONDS = 150.0
_QUIET_SECONDS = (0.5, 2.0)


def schedule(seed: int, *, short: bool) -> list[Fault]:
    """Return the faults in the order of this seed."""
    chosen = [fault for fault in FAULTS if fault.short or not short]
    random.Random(seed).shuffle(chosen)
    return chosen


def run(
    folder: Path,
    *,
    seed: int,
    minutes: float,
    short: bool = False,
    texts_per_second: int = 6,
    only: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> Reckoning:
    """Run for so long (the drain comes on top) and count."""
    order = [fault for fault in schedule(seed, short=short) if only in fault.name]
    with House(folder, seed) as house:
        desk = Desk(house, texts_per_second=texts_per_second, replies_per_second=1)
        house.burst = desk.burst
        desk.start()
        try:
            struck = _strike_all(house, order, minutes, say)
        finally:
            desk.stop()
        say("quiet; draining")
        _drain(house, say)
        house.stop()
        return reckon(house, desk, struck)


def _strike_all(
    house: House, order: Sequence[Fault], minutes: float, say: Callable[[str], None]
) -> list[Struck]:
    until = time.monotonic() + minutes * 60
    struck: list[Struck] = []
    while time.monotonic() < until:
        # The order begins anew; each fault is reached where there is time for all.
        fault = order[len(struck) % len(order)]
        struck.append(_strike(house, fault, say))
        last = struck[-1]
        say(f"{last.name}: fired {last.fired}, recovered in {last.recovered_in} s")
        time.sleep(house.random.uniform(*_QUIET_SECONDS))
    return struck


def _strike(house: House, fault: Fault, say: Callable[[str], None]) -> Struck:
    started = house.now
    if house.random.random() < 0.3:
        house.burst(house.random.choice((40, 80, 160)))
    try:
        fired = fault.strike(house)
    except (OSError, psycopg.Error) as error:
        # A fault that could not be brought about is a failure of the run, not its end.
        say(f"{fault.name}: {type(error).__name__}: {error}")
        fired = 0
    house.heal()
    house.revive()
    return Struck(name=fault.name, at=started, fired=fired, recovered_in=_recovered_in(house))


def _recovered_in(house: House) -> float | None:
    """Return the seconds until a text that falls due from now on is taken by the carrier."""
    began, clock = house.now, time.monotonic()
    question = "SELECT 1 FROM message WHERE due_at > %s AND sid IS NOT NULL LIMIT 1"
    while time.monotonic() - clock < _RECOVER_SECONDS:
        with suppress(psycopg.Error):
            if house.sql(question, began):
                return round(time.monotonic() - clock, 1)
        time.sleep(0.1)
    return None


def _drain(house: House, say: Callable[[str], None]) -> None:
    """Let everything come to its end with all faults off.

    What takes minutes by design is hastened: claims of workers that are all dead, and the question
    about texts of which the carrier has told nothing for a quarter of an hour.
    """
    house.heal(latency=False)
    for worker in house.children("worker"):
        house.kill(worker.name)
    house.sql("UPDATE message SET lease_until = now() WHERE status = 'claimed'")
    house.sql("UPDATE sender SET breaker_until = NULL, breaker_opened_at = NULL")
    house.revive()
    until = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < until:
        # Stored by hand in one go, so that the wait is not a quarter of an hour.
        house.sql(
            "UPDATE message SET accepted_at = accepted_at - interval '16 minutes'"
            " WHERE status IN ('accepted', 'sent') AND final_at IS NULL AND accepted_at > %s",
            house.now - timedelta(minutes=15),
        )
        house.hasten("silent")
        house.hasten("pull")
        time.sleep(2)
        left = _left(house)
        if not left:
            return
        say(f"waiting for {left}")


def _left(house: House) -> dict[str, int]:
    questions = {
        "texts": "SELECT count(*) FROM message WHERE final_at IS NULL"
        " AND (status <> 'planned' OR due_at <= %s)",
        "replies": "SELECT count(*) FROM inbound WHERE handled_at IS NULL AND %s IS NOT NULL",
        "receipts": "SELECT count(*) FROM receipt WHERE applied_at IS NULL AND %s IS NOT NULL",
    }
    left = {name: int(house.sql(asks, house.now)[0][0]) for name, asks in questions.items()}
    left["inbound"] = len(house.seen("inbound")) - house.sql("SELECT count(*) FROM inbound")[0][0]
    return {name: count for name, count in left.items() if count}
