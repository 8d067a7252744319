"""A Redis that refuses, locks us out or says nothing: texts and replies go on without it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from cli.embedded import EmbeddedRedis
from tests.acceptance.conftest import Make
from tests.acceptance.house import Installation
from tests.acceptance.rows import Rows, rows
from tests.support.wire import Wire

pytestmark = pytest.mark.timeout(240)

# The carrier gives a webhook 15 s; ours shall not wait for a broker at all.
_WEBHOOK_SECONDS = 3.0


@contextmanager
def _read_only(server: EmbeddedRedis, _wire: Wire) -> Iterator[int]:
    """Make it the replica of nobody, as a failover does to the old primary."""
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", 1)
        refused = 0
        try:
            client.set("one", "more")
        except redis.exceptions.ReadOnlyError:
            refused = 1
        yield refused
        client.replicaof("NO", "ONE")


@contextmanager
def _locked_out(server: EmbeddedRedis, _wire: Wire) -> Iterator[int]:
    """Give it another password, and end every connection that knew the old one."""
    with redis.Redis.from_url(server.url) as client:
        before = client.config_get("requirepass")["requirepass"]
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)
        refused = 0
        with redis.Redis.from_url(server.url) as other:
            try:
                other.ping()
            except redis.exceptions.AuthenticationError:
                refused = 1
        yield refused
        client.config_set("requirepass", before)


@contextmanager
def _half_open(_server: EmbeddedRedis, wire: Wire) -> Iterator[int]:
    """Let every connection stand and swallow what is said on it."""
    wire.swallows = True
    until = time.monotonic() + 15
    while not wire.swallowed and time.monotonic() < until:
        time.sleep(0.05)
    yield wire.swallowed
    wire.swallows = False
    wire.cut_all()


_LONG = pytest.mark.skipif(
    not os.environ.get("AFTERCARE_LONG"),
    reason="AFTERCARE_LONG=1 runs it, and so does the chaos run",
)


@pytest.mark.parametrize(
    "fault",
    [_read_only, pytest.param(_locked_out, marks=_LONG), pytest.param(_half_open, marks=_LONG)],
)
def test_texts_and_replies_go_on_while_redis(
    make: Make, own_redis: EmbeddedRedis, fault: Callable[..., Iterator[int]]
) -> None:
    """Ticks come from the worker's own timer, and the webhook answers without its nudge."""
    with Wire(own_redis.port) as wire:
        url = own_redis.url.replace(f":{own_redis.port}", f":{wire.port}")
        house = make(redis_url=url)
        with rows(house) as oak:
            processes = house.start("web", "worker", "beat")
            [first] = oak.due(1)
            house.wait_for_texts(1, first)
            with fault(own_redis, wire) as fired:
                assert fired, "the fault struck"
                _goes_on(house, oak)
                assert [process.code for process in processes] == [None] * 3
            _beat_ticks_again(house)
            _goes_on(house, oak)


def _goes_on(house: Installation, oak: Rows) -> None:
    """A text goes, its patient writes, and is answered."""
    [phone] = oak.due(1)
    house.wait_for_texts(1, phone, 25)
    began = time.monotonic()
    told = house.carrier.write(phone, "R")
    assert time.monotonic() - began < _WEBHOOK_SECONDS, told
    house.wait_for(
        lambda: house.ask("SELECT 1 FROM inbound WHERE handled_at IS NULL") == [], "its handling"
    )
    house.wait_for_texts(2, phone, 20)


def _beat_ticks_again(house: Installation) -> None:
    fresh = "SELECT 1 FROM progress WHERE name = 'tick:beat' AND at > now() - interval '2 s'"
    house.wait_for(lambda: house.ask(fresh), "beat's ticks arrive", 40)
