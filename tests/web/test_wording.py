"""The words that staff read instead of codes."""

from collections.abc import Iterator
from typing import Any

import yaml

from schedules.followups import FollowUpReason
from web.wording import FOLLOW_UPS
from worker.clinicfiles import shipped_sources


def _opened(value: Any) -> Iterator[str]:
    """Give every reason that a protocol opens an item for."""
    if isinstance(value, dict):
        if "open" in value:
            yield value["open"]
        for each in value.values():
            yield from _opened(each)
    elif isinstance(value, list):
        for each in value:
            yield from _opened(each)


def test_every_reason_of_an_item_has_words() -> None:
    """None is shown as its code spelt out, which says little to whoever has to call."""
    shipped = {
        one for source in shipped_sources().values() for one in _opened(yaml.safe_load(source))
    }
    assert {"off_plan", "not_ready", "number_unproved"} <= shipped
    assert {*FollowUpReason, *shipped} - set(FOLLOW_UPS) == set()
