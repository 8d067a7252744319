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


_STATUS = _Kind(what="status callbacks", table="receipt", answer="204", rate=600)
_INBOUND = _Kind(what="inbound texts", table="inbound", answer="200", rate=400)
_CRISIS = "I want to kill myself"
# What patients write, and how often of a hundred times.
_WORDS = {"C": 40, "5": 25, "ok thank you": 15, "can I bring my dog?": 10, "Y": 10}


@contextmanager
def _web(rig: Rig, database: OwnDatabase, carrier: str) -> Iterator[tuple[Child, dict[str, str]]]:
    env = rig.environment(database, carrier=carrier, redis=rig.redis_url())
    with rig.child(process("web"), env) as web:
        web.wait_for(lambda: http_ok(f"http://127.0.0.1:{rig.port}/healthz"), 40, "web answers")
        yield web, env


def _signed(rig: Rig, path: str, form: dict[str, str]) -> bytes:
    signature = RequestValidator(TOKEN).compute_signature(
        f"http://127.0.0.1:{rig.port}{path}", form
    )
    return loadgen.request(path, urlencode(form), {"X-Twilio-Signature": signature})


def _sid(number: int) -> str:
    return f"SM{number:032x}"


def _inbound_request(rig: Rig, number: int, phone: str, body: str) -> bytes:
    form = {
        "MessageSid": _sid(number),
        "SmsMessageSid": _sid(number),
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
        _inbound_request(scene.rig, number, phone_of(number % (scene.count - 1)), body)
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
            "MessageSid": _sid(which),
            "MessageStatus": ("sent", "delivered")[status],
            "SmsSid": _sid(which),
            "SmsStatus": ("sent", "delivered")[status],
            "To": phone_of(which % scene.count),
        }
        made.append(_signed(scene.rig, f"/twilio/status?message={message}&attempt=1", form))
    return made


def _post(rig: Rig, requests: list[bytes], seconds: float, rate: float = 0) -> dict[str, Any]:
    file = loadgen.save(requests, rig.folder / "webhooks.pickle")
    options = ["--seconds", str(seconds), "--rate", str(rate)]
    return rig.run("-m", "bench.loadgen", str(rig.port), file, *options)


def _check(told: dict[str, Any], good: str, stored: int) -> None:
    if set(told["statuses"]) != {good} or stored != told["count"]:
        raise BenchError(f"{told['count']} were posted, {stored} stored; {told['statuses']}")


def measure(scene: Scene, *, seconds: float) -> Section:
    """Measure status callbacks, inbound texts, and a crisis text amid inbound texts."""
    figures = [*_status(scene, seconds), *_inbound_figures(scene, seconds)]
    return Section(title="webhooks", figures=[*figures, _crisis(scene, seconds)])


def _status(scene: Scene, seconds: float) -> list[Figure]:
    rig = scene.rig
    with copy(rig, scene.template) as database, _web(rig, database, "http://127.0.0.1:9") as own:
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
    with copy(rig, scene.template) as database, _web(rig, database, "http://127.0.0.1:9") as own:

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
    _post(rig, requests[:64], 5)
    before = database.execute(asked)[0][0]
    meter = Meter(web=web.pid)
    full = _post(rig, requests[64:most], seconds)
    cpu = meter.used()["web"] / full["count"] * 1000
    stored = database.execute(asked)[0][0] - before
    _check(full, kind.answer, stored)
    even = _post(rig, requests[most:], seconds, rate)
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


def _crisis(scene: Scene, seconds: float) -> Figure:
    """Return the seconds until a crisis text amid 400 inbound/s has its reply at the carrier."""
    rig = scene.rig
    with (
        copy(rig, scene.template) as database,
        rig.carrier() as carrier,
        _web(rig, database, carrier.url) as own,
        rig.working(database, own[1]),
    ):
        count = int(_INBOUND.rate * seconds)
        requests = _texts(scene, count)
        phone = phone_of(scene.count - 1)
        requests[count // 2] = _inbound_request(rig, count, phone, _CRISIS)
        _post(rig, requests, seconds, _INBOUND.rate)
        waited = _answered_after(carrier, database, phone)
        backlog = database.execute("SELECT count(*) FROM inbound WHERE handled_at IS NULL")[0][0]
    return Figure(
        what=f"crisis text amid {_INBOUND.rate} inbound/s: reply at the carrier",
        unit="s",
        values=[waited],
        budget="<= 5",
        keeps=at_most(5),
        note=f"worker, beat, web and carrier together; {backlog} of {count} texts still unread",
    )


def _answered_after(carrier: Carrier, database: OwnDatabase, phone: str) -> float:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        mine = [entry for entry in carrier.created() if entry["to"] == phone]
        if mine:
            asked = "SELECT received_at FROM inbound WHERE urgent"
            [(received,)] = database.execute(asked)
            return float(mine[0]["t"]) - float(received.timestamp())
        time.sleep(0.2)
    raise BenchError("no reply to the crisis text reached the carrier within 30 s")
