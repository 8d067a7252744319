"""A carrier beyond bad answers: it refuses the account, hides its list, shows look-alikes."""

import base64
import json
import os
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from tests.acceptance.conftest import Make
from tests.acceptance.house import ACCOUNT, TOKEN, Installation
from tests.acceptance.rows import Rows, rows
from tests.support.world import NUMBER

pytestmark = pytest.mark.timeout(240)

_SETTLED = {"accepted", "sent", "delivered"}


def _fired(house: Installation, kind: str) -> int:
    return int(house.carrier.ask("GET", "/sandbox/faults")["fired"].get(kind, 0))


def _breaker(house: Installation) -> str | None:
    """Return why the clinic's sender rests; None while it works."""
    found = house.ask("SELECT breaker_reason FROM sender WHERE breaker_until IS NOT NULL")
    return found[0][0] if found else None


def _rests(house: Installation) -> bool:
    """Whether the breaker is open now, and nothing is on its way."""
    resting = "SELECT 1 FROM sender WHERE breaker_until > %s"
    return bool(house.ask(resting, house.now)) and not house.ask(
        "SELECT 1 FROM attempt WHERE closed_at IS NULL"
    )


def _a_minute_later(house: Installation) -> None:
    """Let the breaker's time and the rows' be over: a minute that the test does not wait for."""
    house.do("UPDATE sender SET breaker_until = breaker_until - interval '60 s'")
    house.do("UPDATE message SET next_at = next_at - interval '60 s' WHERE status = 'planned'")


def _minutes_pass(house: Installation, fact: Callable[[], bool], what: str) -> None:
    def come_true() -> bool:
        _a_minute_later(house)
        return fact()

    house.wait_for(come_true, what, 40)


def test_a_refused_account_holds_its_texts_until_a_probe_goes_through(make: Make) -> None:
    """Suspended, then with an unregistered campaign: rows wait, and it mends itself each time."""
    house = make()
    with rows(house) as oak:
        house.start("web", "worker", "beat")
        house.carrier.fault("suspended", on="create")
        phones = oak.due(40)
        house.wait_for(lambda: _rests(house), "an open breaker")
        house.wait_for(lambda: house.statuses() == {"planned": 40}, "the rows wait")
        refused = _fired(house, "suspended")
        assert refused > 0
        _a_minute_later(house)
        house.wait_for(lambda: _fired(house, "suspended") > refused, "a probe")
        house.wait_for(lambda: _rests(house), "the probe opened it again")
        # Texts go one by one until the answer to the first is on disk.
        assert _fired(house, "suspended") - refused < 20, "not all go at once"
        house.carrier.heal()
        _minutes_pass(house, lambda: len(house.carrier.texts_by_number()) == 40, "all 40")
        house.wait_for(lambda: _breaker(house) is None, "a closed breaker")
        assert house.carrier.texts_by_number() == dict.fromkeys(phones, 1)

        _unregistered(house, oak)


def _unregistered(house: Installation, oak: Rows) -> None:
    """30034 comes by callback, after the carrier took the text and before any phone saw it."""
    ends = {"status": "undelivered", "error_code": 30034}
    house.carrier.ask("PATCH", "/sandbox/settings", {"outcome": ends})
    [phone] = oak.due(1)
    house.wait_for(lambda: _breaker(house) == "code_30034", "a breaker opened by a receipt", 40)
    others = oak.due(2)
    house.carrier.ask("PATCH", "/sandbox/settings", {"outcome": {"status": "delivered"}})
    assert not set(others) & set(house.carrier.texts_by_number())
    _minutes_pass(house, lambda: house.statuses().keys() <= {"delivered"}, "an end for each")
    assert house.carrier.texts_by_number()[phone] == 2, "the first reached nobody"
    assert all(house.carrier.texts_by_number()[each] == 1 for each in others)
    assert _breaker(house) is None


@pytest.mark.skipif(not os.environ.get("AFTERCARE_LONG"), reason="AFTERCARE_LONG=1 runs it")
def test_a_list_that_fails_or_shows_somebody_elses_text(make: Make) -> None:
    """Nothing is concluded from a failing list; the same words by hand are not sent again."""
    house = make()
    with rows(house) as oak:
        house.start("web", "worker", "beat")
        house.carrier.fault("status", status=500, on="list")
        house.carrier.fault("lose_callbacks")
        house.carrier.fault("drop", created=True, count=1)
        [lost] = oak.due(1)
        house.wait_for(lambda: house.statuses() == {"unknown": 1}, "an unknown")
        _looks_are_due(house)
        house.wait_for(lambda: _fired(house, "status") >= 2, "a list that failed, twice", 40)
        assert house.statuses() == {"unknown": 1}
        house.carrier.heal()

        house.carrier.fault("drop", created=False, count=1)
        [by_hand] = oak.due(1)
        where = "SELECT id, body FROM message WHERE status = 'unknown' AND recipient_blind = %s"
        blind = oak.vault.blind("phone", by_hand)
        house.wait_for(lambda: house.ask(where, blind), "another unknown")
        [(message_id, sealed)] = house.ask(where, blind)
        sid = _send_by_hand(house, by_hand, _opened(oak, message_id, sealed))
        _looks_are_due(house)
        house.wait_for(lambda: house.statuses().keys() <= _SETTLED, "an end for each", 60)
    assert house.ask("SELECT sid FROM message WHERE id = %s", message_id) == [(sid,)]
    assert house.carrier.texts_by_number() == {lost: 1, by_hand: 1}


def _looks_are_due(house: Installation) -> None:
    house.do("UPDATE attempt SET next_look_at = clock_timestamp() WHERE outcome = 'unknown'")


def _opened(oak: Rows, message_id: UUID, sealed: bytes) -> str:
    return oak.vault.open("message", "body", message_id, sealed)


def _send_by_hand(house: Installation, to: str, body: str) -> str:
    """Send as somebody in the carrier's console would: no callback of ours comes with it."""
    url = f"{house.carrier.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    form = urlencode({"To": to, "From": NUMBER, "Body": body}).encode()
    signed = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    request = urllib.request.Request(url, form, {"Authorization": f"Basic {signed}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        made: dict[str, Any] = json.loads(answer.read())
    return str(made["sid"])
