"""Commits that were applied and whose answers were lost, between real processes and PostgreSQL."""

import os
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.acceptance.conftest import Make
from tests.acceptance.house import Installation
from tests.acceptance.rows import rows
from tests.support.services import Services
from tests.support.wire import Wire
from tests.worker.test_database_faults import (
    ANSWER,
    CALLBACK,
    CLAIM,
    INBOUND,
    INTENT,
    OUTCOME,
    RECEIPTS,
)

pytestmark = pytest.mark.timeout(240)


@pytest.mark.skipif(not os.environ.get("AFTERCARE_LONG"), reason="AFTERCARE_LONG=1 runs it")
def test_commits_applied_unheard_lose_and_double_nothing(make: Make, servers: Services) -> None:
    """At each step once, in the worker and in web, and the carrier's log is the witness."""
    with Wire(servers.postgres_port, postgres=True) as wire:
        house = make()
        url = house.settings["DATABASE_URL"]
        wired = url.replace(f":{servers.postgres_port}/", f":{wire.port}/")
        with rows(house) as oak:
            processes = house.start("web", "worker", "beat", DATABASE_URL=wired)
            for statement in (CLAIM, INTENT, OUTCOME, RECEIPTS):
                wire.lose_commit(statement, of="aftercare-worker")
                oak.due(2)
                _wait_for_cut(house, wire, statement)
            wire.lose_commit(CALLBACK, of="aftercare-web")
            phones = oak.due(2)
            _wait_for_cut(house, wire, CALLBACK)
            house.wait_for_texts(1, phones[0])
            _patient_writes(house, wire, phones[0])
            _all_comes_to_its_end(house)
        assert [process.code for process in processes] == [None] * 3
    assert wire.cuts == [CLAIM, INTENT, OUTCOME, RECEIPTS, CALLBACK, INBOUND, ANSWER]


def _wait_for_cut(house: Installation, wire: Wire, statement: str) -> None:
    house.wait_for(lambda: wire.cuts[-1:] == [statement], f"a cut after {statement!r}", 40)


def _patient_writes(house: Installation, wire: Wire, phone: str) -> None:
    """The webhook's commit, then that of the answer."""
    wire.lose_commit(INBOUND, of="aftercare-web")
    told = house.carrier.write(phone, "I want to kill myself")
    _wait_for_cut(house, wire, INBOUND)
    wire.lose_commit(ANSWER, of="aftercare-worker")
    if house.ask("SELECT 1 FROM inbound WHERE handled_at IS NOT NULL"):
        house.carrier.write(phone, "I want to end my life")
    _wait_for_cut(house, wire, ANSWER)
    assert told


def _all_comes_to_its_end(house: Installation) -> None:
    # Claims and intents of a step that failed are found when their leases are over: hastened.
    lapse = "UPDATE message SET lease_until = now() WHERE status IN ('claimed', 'submitting')"
    open_rows = "SELECT 1 FROM message WHERE status NOT IN ('delivered', 'sent', 'accepted')"

    def settled() -> bool:
        house.do(f"{lapse} AND lease_until < now() + interval '50 s'")
        return house.ask(open_rows) == []

    house.wait_for(settled, "an end for each", 90)
    # Pages to staff are texts as well, and no rows of the outbox.
    made = Counter(
        parse_qs(urlsplit(entry.get("status_callback", "")).query).get("message", [""])[0]
        for entry in house.carrier.seen("create")
    )
    made.pop("", None)
    assert made == {str(row[0]): 1 for row in house.ask("SELECT id FROM message")}
    assert house.ask("SELECT count(*), count(DISTINCT sid) FROM inbound") in ([(1, 1)], [(2, 2)])
    assert house.ask("SELECT 1 FROM inbound WHERE handled_at IS NULL") == []
