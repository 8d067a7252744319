"""A deploy amid sending: a later release's schema under this code, and two workers taking over."""

import pytest

from tests.acceptance.conftest import Make
from tests.acceptance.house import Installation, answers
from tests.acceptance.rows import rows

pytestmark = pytest.mark.timeout(240)

# What the next release's migration may do: only add. The last statement says that it was done.
_LATER = (
    "ALTER TABLE message ADD COLUMN later_text text",
    "ALTER TABLE message ADD COLUMN later_count integer NOT NULL DEFAULT 0",
    "ALTER TABLE attempt ADD COLUMN later_at timestamptz",
    "ALTER TABLE inbound ADD COLUMN later_text text",
    "ALTER TABLE patient ADD COLUMN later_day date",
    "CREATE TABLE later (id uuid PRIMARY KEY, message_id uuid)",
    "CREATE INDEX CONCURRENTLY ix_message_later ON message (later_count, due_at)",
    "UPDATE alembic_version SET version_num = 'of-a-later-release'",
)


def test_a_later_schema_and_a_new_worker_amid_sending(make: Make) -> None:
    """The schema first, then the new worker, then SIGTERM for the old: none lost, none doubled."""
    house = make(rate=200)
    house.carrier.process.wait_for_line(r'"url"')
    house.carrier.fault("latency", ms=100)
    with rows(house, rate=100) as oak:
        [_, old, _] = house.start("web", "worker", "beat")
        phones = oak.due(400)
        house.wait_for(lambda: len(house.carrier.texts_by_number()) >= 50, "the old one sends")
        for statement in _LATER:
            house.do(statement)
        assert len(house.carrier.texts_by_number()) < 400, "the schema changed amid sending"
        phones += oak.due(200)
        assert answers(f"{house.web_url}/readyz"), "the old web serves on under the new schema"
        house.carrier.write(phones[0], "R")
        house.wait_for_texts(2, phones[0])

        [new] = house.start("worker")
        new.wait_for_line("celery@", 30)
        phones += oak.due(200)
        assert house.statuses()["planned"] + house.statuses()["claimed"] > 0, "amid sending"
        assert old.terminate() == 0
        house.wait_for(lambda: len(house.carrier.texts_by_number()) == 800, "all 800", 60)
        _nothing_hangs(house)
        assert new.code is None
        texts = house.carrier.texts_by_number()
    assert texts.pop(phones[0]) == 2
    assert texts == dict.fromkeys(phones[1:], 1)


def _nothing_hangs(house: Installation) -> None:
    house.wait_for(
        lambda: house.statuses().keys() <= {"accepted", "sent", "delivered"}, "an end for each", 60
    )
    assert house.ask("SELECT 1 FROM attempt WHERE closed_at IS NULL") == []
    assert house.ask("SELECT 1 FROM attempt WHERE outcome <> 'accepted'") == []
