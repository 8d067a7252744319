"""Processes that die, a broker that is gone, two of each: no text is lost, none goes twice."""

import signal
import time
from datetime import timedelta

import pytest

from cli.embedded import EmbeddedRedis
from tests.acceptance.conftest import Make
from tests.acceptance.house import MORNING, Installation, patient, phone_of, visit

# Ten processes on a loaded machine take their time.
pytestmark = pytest.mark.timeout(240)

SOON = MORNING + timedelta(hours=46)
_OUTAGE_SECONDS = 20
_UNSETTLED = {"planned", "claimed", "submitting", "unknown"}


def _import(house: Installation, count: int, *, first: int = 0, clinic: bool = True) -> list[str]:
    """Import patients whose reminder is due at once; return their numbers."""
    people = [patient(number) for number in range(first, first + count)]
    visits = [visit(number, SOON) for number in range(first, first + count)]
    house.import_files(people, visits, clinic=clinic)
    return [row["phone"] for row in people]


def _settled(house: Installation) -> bool:
    return not _UNSETTLED & house.statuses().keys()


def test_a_worker_killed_in_a_burst_leaves_no_text_unsent_and_none_twice(make: Make) -> None:
    """500 texts, a carrier that takes 100 ms, `kill -9` in the middle, and a second worker."""
    house = make(rate=100)
    numbers = _import(house, 500)
    house.carrier.fault("latency", ms=100)
    [_, worker, _] = house.start("web", "worker", "beat")
    house.wait_for(lambda: len(house.carrier.seen("create")) >= 150, "150 texts")
    worker.kill()
    assert worker.code == -signal.SIGKILL
    taken, left = len(house.carrier.seen("create")), house.statuses()
    assert 150 <= taken < 500
    assert left["submitting"] > 0, "the worker died with texts on their way"
    # Claims of the dead run out after a minute. That nobody holds these is known here, so that
    # the test need not wait; texts that may have been sent keep their time.
    house.do("UPDATE message SET lease_until = clock_timestamp() WHERE status = 'claimed'")

    house.start("worker")
    house.wait_for(lambda: len(house.carrier.texts_by_number()) == 500, "all 500", 80)
    house.wait_for(lambda: _settled(house), "an end for each", 60)
    assert house.carrier.texts_by_number() == dict.fromkeys(numbers, 1)
    assert house.statuses().keys() <= {"accepted", "sent", "delivered"}


def test_texts_whose_fate_a_crash_hid_are_looked_for_and_sent_if_absent(make: Make) -> None:
    """The worker dies between an intent and its POST, and every receipt is lost."""
    house = make()
    numbers = _import(house, 300)
    house.carrier.fault("lose_callbacks")
    [_, worker, _] = house.start("web", "worker", "beat", AFTERCARE_CRASH_AT="send.after_intent:3")
    assert worker.wait(30) == -signal.SIGKILL
    assert len(house.carrier.seen("create")) < 300
    assert house.statuses()["submitting"] > 0

    house.do("UPDATE message SET lease_until = clock_timestamp() WHERE status = 'claimed'")
    house.start("worker")
    house.wait_for(lambda: house.statuses() == {"accepted": 300}, "an end for each", 80)
    # The carrier writes its log a moment after it has answered.
    house.wait_for(lambda: len(house.carrier.seen("create")) >= 300, "all in the carrier's log")
    assert house.carrier.texts_by_number() == dict.fromkeys(numbers, 1)
    [(never_posted,)] = house.ask("SELECT count(*) FROM attempt WHERE outcome = 'absent'")
    assert never_posted > 0


def test_texts_go_on_while_redis_is_gone(make: Make, own_redis: EmbeddedRedis) -> None:
    """Twenty seconds without a broker: the worker's own timer sends; then beat ticks again."""
    house = make(redis_url=own_redis.url)
    _import(house, 1)
    [_, worker, beat] = house.start("web", "worker", "beat")
    house.wait_for_texts(1, phone_of(0))
    own_redis.kill()
    gone_at = time.monotonic()

    _import(house, 5, first=10, clinic=False)
    for number in range(10, 15):
        house.wait_for_texts(1, phone_of(number), 20)
    house.carrier.write(phone_of(10), "R")
    house.wait_for_texts(2, phone_of(10), 20)
    house.wait_for(lambda: time.monotonic() - gone_at > _OUTAGE_SECONDS, "a long outage")
    _import(house, 1, first=15, clinic=False)
    house.wait_for_texts(1, phone_of(15), 20)
    assert not own_redis.is_running
    assert worker.code is None
    assert beat.code is None

    own_redis.start()
    _import(house, 2, first=20, clinic=False)
    house.wait_for_texts(1, phone_of(20))
    house.wait_for_texts(1, phone_of(21))
    assert max(house.carrier.texts_by_number().values()) == 2
    assert house.ask("SELECT count(*) FROM follow_up WHERE reason = 'change_requested'") == [(1,)]


def test_two_beats_and_two_workers_send_each_text_once(make: Make) -> None:
    """Ticks twice a second and two claimants make no second text."""
    house = make()
    numbers = _import(house, 300)
    house.carrier.fault("latency", ms=30)
    house.start("web", "worker", "worker", "beat", "beat")
    house.wait_for(lambda: len(house.carrier.texts_by_number()) == 300, "all 300")
    house.wait_for(lambda: house.statuses() == {"delivered": 300}, "their receipts")
    assert house.carrier.texts_by_number() == dict.fromkeys(numbers, 1)
