"""Webhooks: from a signed request to the committed row, at one web process.

The most it takes is measured with 64 connections that each wait for their answer; how long an
answer takes is measured at the budget's rate, from the instant a request should have started.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from twilio.request_validator import RequestValidator

from bench import crowd, loadgen
from bench.burst import Scene, copy
from bench.figures import Figure, Section, at_least, at_most
from bench.peer import SENDER
from bench.phones import phone as phone_of
from bench.probe import Meter
from bench.rig import ACCOUNT, TOKEN, BenchError, Carrier, Child, OwnDatabase, Rig, http_ok, process


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind of webhook: the table its rows go to, the answer it gets, its budget a second."""

    what: str
    table: str
    answer: str
    rate: int


# Nothing is sent where only the web process is measured.
_NOBODY = "http://127.0.0.1:9"
_STATUS = _Kind(what="status callbacks", table="receipt", answer="204", rate=600)
_INBOUND = _Kind(what="inbound texts", table="inbound", answer="200", rate=400)
# The share of its rate that a load has to reach, and what web answers to what it took.
_REACHED, _TAKEN = 0.95, frozenset({"200", "204"})
CRISIS = "I want to kill myself"
# Whom the clinic of the bench has on call.
_ON_CALL = "+12125550190"
# What patients write, and how often of a hundred times.
_WORDS = {"C": 40, "5": 25, "ok thank you": 15, "can I bring my dog?": 10, "Y": 10}


@contextmanager
def web_process(
    rig: Rig, database: OwnDatabase, carrier: str
) -> Iterator[tuple[Child, dict[str, str]]]:
    """Yield a web process that answers, and the environment that the others need."""
    env = rig.environment(database, carrier=carrier, redis=rig.redis_url())
    with rig.child(process("web"), env) as web:
        web.wait_for(lambda: http_ok(f"http://127.0.0.1:{rig.port}/healthz"), 40, "web answers")
        yield web, env


def _signed(rig: Rig, path: str, form: dict[str, str]) -> bytes:
    signature = RequestValidator(TOKEN).compute_signature(
        f"http://127.0.0.1:{rig.port}{path}", form
    )
    return loadgen.request(path, urlencode(form), {"X-Twilio-Signature": signature})


def sid(number: int) -> str:
    """Return the carrier's name of the text with this number."""
    return f"SM{number:032x}"


def inbound_request(rig: Rig, number: int, phone: str, body: str) -> bytes:
    """Return the signed request of a patient's text; its number is its SID."""
    form = {
        "MessageSid": sid(number),
        "SmsMessageSid": sid(number),
        "AccountSid": ACCOUNT,
        "From": phone,
        "To": SENDER,
        "Body": body,
        "NumMedia": "0",
        "NumSegments": "1",
        "ApiVersion": "2010-04-01",
    }
    return _signed(rig, "/twilio/inbound", form)


def _texts(scene: Scene, count: int) -> list[bytes]:
    chance = random.Random(1)
    bodies = chance.choices(list(_WORDS), list(_WORDS.values()), k=count)
    # The last patient writes nothing: theirs is the text that must not wait.
    return [
        inbound_request(scene.rig, number, phone_of(number % (scene.count - 1)), body)
        for number, body in enumerate(bodies)
    ]


def _receipts(scene: Scene, messages: list[UUID], count: int) -> list[bytes]:
    made = []
    for number in range(count):
        which, status = divmod(number, 2)
        message = messages[which % len(messages)]
        form = {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "From": SENDER,
            "MessageSid": sid(which),
            "MessageStatus": ("sent", "delivered")[status],
            "SmsSid": sid(which),
            "SmsStatus": ("sent", "delivered")[status],
            "To": phone_of(which % scene.count),
        }
        made.append(_signed(scene.rig, f"/twilio/status?message={message}&attempt=1", form))
    return made


def post(rig: Rig, requests: list[bytes], seconds: float, rate: float = 0) -> dict[str, Any]:
    """Post requests from a process of its own; return what it tells. A rate of 0 is the most."""
    file = loadgen.save(requests, rig.folder / "webhooks.pickle")
    options = ["--seconds", str(seconds), "--rate", str(rate)]
    return rig.run("-m", "bench.loadgen", str(rig.port), file, *options)


def _check(told: dict[str, Any], good: str, stored: int) -> None:
    if set(told["statuses"]) != {good} or stored != told["count"]:
        raise BenchError(f"{told['count']} were posted, {stored} stored; {told['statuses']}")


def check_load(told: dict[str, Any], rate: float) -> None:
    """Raise BenchError unless a load came near its rate, and all of it was taken."""
    if told["rate"] < _REACHED * rate:
        raise BenchError(f"the load reached {told['rate']:.0f}/s of {rate:g}/s: nothing is proved")
    if not set(told["statuses"]) <= _TAKEN:
        raise BenchError(f"the load was not taken: {told['count']} posted, {told['statuses']}")


def measure(scene: Scene, *, seconds: float) -> Section:
    """Measure status callbacks, inbound texts, and a crisis text amid either."""
    figures = [*_status(scene, seconds), *_inbound_figures(scene, seconds)]
    for kind in (_INBOUND, _STATUS):
        figures += _crisis(scene, seconds, kind)
    return Section(title="webhooks", figures=figures)


def _status(scene: Scene, seconds: float) -> list[Figure]:
    rig = scene.rig
    with (
        copy(rig, scene.template) as database,
        web_process(rig, database, "http://127.0.0.1:9") as own,
    ):
        messages = _accepted(scene, database)

        def made(count: int) -> list[bytes]:
            return _receipts(scene, messages, count)

        return _both(rig, database, own[0], _STATUS, made, seconds)


def _accepted(scene: Scene, database: OwnDatabase) -> list[UUID]:
    """Insert texts that the carrier took; return their ids."""
    with scene.rig.services(database) as services:
        crowd.make_due(services, scene.crowd, [services.now] * scene.count)
    rows = database.execute(
        "UPDATE message SET status = 'accepted', attempts = 1, accepted_at = now(),"
        " submitted_at = now() RETURNING id"
    )
    crowd.settle(database)
    return [row[0] for row in rows]


def _inbound_figures(scene: Scene, seconds: float) -> list[Figure]:
    rig = scene.rig
    with (
        copy(rig, scene.template) as database,
        web_process(rig, database, "http://127.0.0.1:9") as own,
    ):

        def made(count: int) -> list[bytes]:
            return _texts(scene, count)

        return _both(rig, database, own[0], _INBOUND, made, seconds)


def _both(
    rig: Rig,
    database: OwnDatabase,
    web: Child,
    kind: _Kind,
    made: Callable[[int], list[bytes]],
    seconds: float,
) -> list[Figure]:
    """Measure the most it takes, then how long answers take at the budget's rate."""
    what, rate, asked = kind.what, kind.rate, f"SELECT count(*) FROM {kind.table}"
    most = int(rate * 5 * seconds)
    requests = made(most + int(rate * seconds))
    post(rig, requests[:64], 5)
    before = database.execute(asked)[0][0]
    meter = Meter(web=web.pid)
    full = post(rig, requests[64:most], seconds)
    cpu = meter.used()["web"] / full["count"] * 1000
    stored = database.execute(asked)[0][0] - before
    _check(full, kind.answer, stored)
    even = post(rig, requests[most:], seconds, rate)
    _check(even, kind.answer, database.execute(asked)[0][0] - before - stored)
    return [
        Figure(
            what=f"{what}, 64 connections",
            unit="/s",
            values=[full["rate"]],
            budget=f">= {rate:g}",
            keeps=at_least(rate),
            note=f"p50 {full['p50_ms']:.0f} ms, p99 {full['p99_ms']:.0f} ms; "
            f"{cpu:.2f} CPU s/1,000 of web",
        ),
        Figure(what=f"{what} at {rate:g}/s: p50", unit="ms", values=[even["p50_ms"]]),
        Figure(
            what=f"{what} at {rate:g}/s: p99",
            unit="ms",
            values=[even["p99_ms"]],
            budget="<= 100",
            keeps=at_most(100),
            note=f"reached {even['rate']:.0f}/s",
        ),
    ]


def _crisis(scene: Scene, seconds: float, kind: _Kind) -> list[Figure]:
    """Return the seconds from a crisis text amid a load to its reply, and to the page of staff.

    They count from the instant the text was due, so that a text that waited for its turn to be
    posted is late. Raises BenchError where there was no such load.
    """
    rig = scene.rig
    with (
        copy(rig, scene.template) as database,
        rig.carrier() as carrier,
        web_process(rig, database, carrier.url) as own,
    ):
        count, phone = int(kind.rate * seconds), phone_of(scene.count - 1)
        if kind is _INBOUND:
            requests = _texts(scene, count)
        else:
            requests = _receipts(scene, _accepted(scene, database), count)
        requests[count // 2] = inbound_request(rig, count, phone, CRISIS)
        with rig.working(database, own[1]):
            told = post(rig, requests, seconds, kind.rate)
            check_load(told, kind.rate)
            due = told["started_at"] + (count // 2) / kind.rate
            replied = answered_after(carrier, phone, due)
            paged = paged_after(carrier, due)
        backlog = database.execute(_BACKLOG[kind.table])[0][0]
    amid = f"crisis text amid {kind.rate} {kind.what}/s"
    note = f"worker, beat, web and carrier together; reached {told['rate']:.0f}/s; "
    note += f"{backlog} of {count} not yet handled"
    return [
        within_five(f"{amid}: reply at the carrier", replied, note),
        within_five(f"{amid}: page at the carrier", paged, "staff texted and called"),
    ]


_BACKLOG = {
    "inbound": "SELECT count(*) FROM inbound WHERE handled_at IS NULL",
    "receipt": "SELECT count(*) FROM receipt WHERE applied_at IS NULL",
}


def within_five(what: str, seconds: float, note: str) -> Figure:
    """Return a figure that the budget of five seconds is kept by, or not."""
    return Figure(what=what, unit="s", values=[seconds], budget="<= 5", keeps=at_most(5), note=note)


def answered_after(carrier: Carrier, phone: str, due: float) -> float:
    """Return the seconds until the carrier took the first text to a phone."""
    return _seconds_until(
        lambda: [entry for entry in carrier.created() if entry["to"] == phone],
        due,
        "no reply to the crisis text reached the carrier within 30 s",
    )


def paged_after(carrier: Carrier, due: float) -> float:
    """Return the seconds until staff were texted and called, whichever came later."""
    return max(
        _seconds_until(seen, due, "no page reached the carrier within 30 s")
        for seen in (
            lambda: [entry for entry in carrier.created() if entry["to"] == _ON_CALL],
            lambda: [entry for entry in carrier.logged("call") if entry["to"] == _ON_CALL],
        )
    )


def _seconds_until(seen: Callable[[], list[dict[str, Any]]], due: float, otherwise: str) -> float:
    """Return the seconds from `due`, of the epoch, until the carrier's log has what is awaited."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        mine = seen()
        if mine:
            return float(mine[0]["t"]) - due
        time.sleep(0.2)
    raise BenchError(otherwise)
