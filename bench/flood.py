"""A flood: ten thousand texts from one number in a minute, and how long anybody else waits.

Amid it another patient writes of danger, a third asks something, and the flooding number itself
writes of danger; then once more with a flood that is nothing but pleas. All processes are real.
"""

import time
from collections.abc import Callable

from bench.burst import Scene, copy
from bench.figures import Figure, Section
from bench.phones import phone as phone_of
from bench.rig import Carrier, OwnDatabase
from bench.webhooks import (
    CRISIS,
    answered_after,
    check_load,
    inbound_request,
    post,
    sid,
    web_process,
    within_five,
)

_TEXTS, _SECONDS = 10_000, 60.0
_QUICK_SECONDS = 12.0
_ASKS = "can I bring my dog?"
_MOST_TO_WAIT = 30.0
# A busy machine posts a little slower; the figures say how fast it was.
_NEARLY = 0.75


def measure(scene: Scene, *, quick: bool) -> Section:
    """Measure how long danger and a question of others wait amid a flood of either kind."""
    seconds = _QUICK_SECONDS if quick else _SECONDS
    figures = _amid(scene, seconds, "questions", lambda nth: f"is it open today{'?' * (nth % 5)}")
    figures += _amid(scene, seconds, "pleas", lambda _: CRISIS)
    return Section(title="flood", figures=figures)


def _amid(scene: Scene, seconds: float, what: str, says: Callable[[int], str]) -> list[Figure]:
    rate, pleads = _TEXTS / _SECONDS, says(0) == CRISIS
    count, rig = int(rate * seconds), scene.rig
    floods, in_danger, asks = (phone_of(scene.count - back) for back in (1, 2, 3))
    own, others, question = count // 3, count // 2, count // 2 + 1
    requests = [inbound_request(rig, nth, floods, says(nth)) for nth in range(count)]
    requests[own] = inbound_request(rig, count, floods, CRISIS)
    requests[others] = inbound_request(rig, count + 1, in_danger, CRISIS)
    requests[question] = inbound_request(rig, count + 2, asks, _ASKS)
    with (
        copy(rig, scene.template) as database,
        rig.carrier() as carrier,
        web_process(rig, database, carrier.url) as web,
        rig.working(database, web[1]),
    ):
        told = post(rig, requests, seconds, rate)
        check_load(told, _NEARLY * rate)
        start = told["started_at"]
        replied = answered_after(carrier, in_danger, start + others / rate)
        asked = _handled_after(database, count + 2)
        own_plea = 0.0 if pleads else _handled_after(database, count)
        left = _left(database)
        note = f"reached {told['rate']:.0f}/s; web's p99 {told['p99_ms']:.0f} ms; "
        note += f"{left} of {count} not yet handled at its end; " + _said(carrier, database)
    amid = f"{_TEXTS:,} {what} a minute from one number"
    figures = [
        within_five(f"{amid}: another's plea answered", replied, note),
        within_five(f"{amid}: another's question handled", asked, "from its receipt"),
    ]
    if not pleads:
        # Amid pleas it is one more of them, and its number is before somebody already.
        what_waits = f"{amid}: a plea within it handled"
        figures.append(within_five(what_waits, own_plea, "from its receipt"))
    return figures


def _handled_after(database: OwnDatabase, number: int) -> float:
    """Return the seconds from a text's receipt until it was before somebody."""
    until = time.monotonic() + _MOST_TO_WAIT
    asked = "SELECT extract(epoch FROM handled_at - received_at) FROM inbound WHERE sid = %s"
    while time.monotonic() < until:
        [(seconds,)] = database.execute(asked, [sid(number)])
        if seconds is not None:
            return float(seconds)
        time.sleep(0.2)
    return _MOST_TO_WAIT


def _left(database: OwnDatabase) -> int:
    [(left,)] = database.execute("SELECT count(*) FROM inbound WHERE handled_at IS NULL")
    return int(left)


def _said(carrier: Carrier, database: OwnDatabase) -> str:
    """Return how much went to patients, and how often staff were paged, until now."""
    [(pages,)] = database.execute("SELECT count(*) FROM page")
    return f"{len(carrier.created())} texts went to anybody, {pages} pages were made"
