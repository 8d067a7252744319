"""One clinic's backlog delays nobody: not another clinic, and not the replies of its own patients.

AFTERCARE_LONG=1 does it with 100,000 rows; without it 10,000 are as good a wall.
"""

import os
import time
from datetime import datetime

import pytest

from tests.acceptance.conftest import Make
from tests.acceptance.house import Installation
from tests.acceptance.rows import Rows, rows

pytestmark = pytest.mark.timeout(300)

_PATIENTS = 5000 if os.environ.get("AFTERCARE_LONG") else 500
_TIMES = 20
_RATE = 40
_OTHER = "+12125550111"
# A tick, the claim, the carrier, on a busy machine. Its turn in the backlog would be minutes off.
_PROMPT_SECONDS = 20.0


def test_a_backlog_delays_no_other_clinic_and_no_reply(make: Make) -> None:
    """Two workers share its bucket: in no stretch do more texts go than it allows."""
    house = make()
    with (
        rows(house, key="oak", rate=_RATE) as oak,
        rows(house, key="elm", number=_OTHER) as elm,
    ):
        oak.due(_PATIENTS, times=_TIMES)
        [_, *workers, _] = house.start("web", "worker", "worker", "beat")
        house.wait_for(lambda: len(house.carrier.seen("create")) >= 3 * _RATE, "the backlog flows")
        [(before,)] = house.ask("SELECT count(*) FROM message WHERE status = 'planned'")
        assert before > _PATIENTS * _TIMES - 40 * _RATE, "the backlog stands"

        _another_clinics_texts_go(house, elm)
        _another_clinics_reply_is_answered(house, elm)
        _its_own_reply_overtakes(house, oak)
        # Who of them has the bucket's next tokens is chance, and one may have many in a row.
        house.wait_for(
            lambda: all('"step": "send"' in worker.output for worker in workers),
            "both workers have sent",
            60,
        )
        [(left,)] = house.ask("SELECT count(*) FROM message WHERE status = 'planned'")
        assert left > _PATIENTS * _TIMES / 4, "the backlog still stood at the end"
    _its_bucket_held(house)


def _another_clinics_texts_go(house: Installation, elm: Rows) -> None:
    first = 5000
    phones = elm.due(5, first=first)
    began = time.monotonic()
    for phone in phones:
        house.wait_for_texts(1, phone, _PROMPT_SECONDS)
    assert time.monotonic() - began < _PROMPT_SECONDS


def _another_clinics_reply_is_answered(house: Installation, elm: Rows) -> None:
    [phone] = elm.due(1, first=5100)
    house.wait_for_texts(1, phone, _PROMPT_SECONDS)
    house.carrier.ask("POST", f"/sandbox/phones/{phone}/texts", {"body": "R", "to": _OTHER})
    house.wait_for_texts(2, phone, _PROMPT_SECONDS)


def _its_own_reply_overtakes(house: Installation, oak: Rows) -> None:
    """The answer goes before thousands that were due before it."""
    phone = next(each["to"] for each in house.carrier.seen("create") if each["from"] == oak.number)
    house.carrier.write(phone, "R")
    mine = "SELECT 1 FROM message WHERE kind = 'answer' AND sender_id = %s AND sid IS NOT NULL"
    house.wait_for(lambda: house.ask(mine, oak.sender_id), "its answer", _PROMPT_SECONDS)


def _its_bucket_held(house: Installation) -> None:
    """At most rate x time + a full bucket, and what each worker had claimed before, in any stretch.

    The bucket is spent at the claim: on a busy machine a worker posts its claim a little later.
    """
    at = sorted(
        datetime.fromisoformat(entry["at"]).timestamp()
        for entry in house.carrier.seen("create")
        if entry["from"] != _OTHER
    )
    assert len(at) > 5 * _RATE
    for start in range(0, len(at), 10):
        for end in range(start + _RATE, len(at), 50):
            allowed = _RATE * (at[end] - at[start]) + 3 * _RATE
            assert end - start <= allowed, (start, end, at[end] - at[start])
