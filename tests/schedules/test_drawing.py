"""What the oracle is tried on: that the zones and clock changes that matter are really drawn."""

from datetime import time
from zoneinfo import ZoneInfo

import pytest

from tests.schedules.drawing import CLOCKS, ZONES, changes, lost_hours

NEVER_CHANGE = {"America/Phoenix", "Pacific/Honolulu", "Asia/Kolkata", "UTC"}


def test_all_zones_of_the_proof_are_drawn():
    """From Honolulu to Lord Howe."""
    assert {zone.key for zone in ZONES} == {
        *("America/Los_Angeles", "America/Anchorage"),
        *("America/New_York", "America/Phoenix", "America/Adak", "Pacific/Honolulu"),
        *("Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "Africa/Cairo"),
        *("America/Sao_Paulo", "Europe/London", "Asia/Kolkata", "UTC"),
    }


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_days_are_drawn_near_a_change_wherever_clocks_change(zone: ZoneInfo):
    """Four of these zones know none."""
    assert bool(changes(zone)) is (zone.key not in NEVER_CHANGE)


@pytest.mark.parametrize(
    ("wall", "zones"),
    [
        (time(0), {"Africa/Cairo", "America/Sao_Paulo"}),
        (time(0, 30), {"America/St_Johns", "America/Sao_Paulo"}),
        (time(1, 30), {"Europe/London"}),
        (time(2, 30), {"America/New_York", "America/Adak"}),
        (time(2, 15), {"Australia/Lord_Howe"}),
        (time(12), {"Pacific/Apia"}),
    ],
)
def test_the_hours_that_clocks_leave_out_are_drawn(wall: time, zones: set[str]):
    """At midnight, 01:30 and 02:30; a half hour on Lord Howe, and a whole day in Apia."""
    assert zones <= {zone.key for zone, _, lost in lost_hours() if lost == wall}


@pytest.mark.parametrize("clock", [time(0), time(1, 30), time(2, 30)])
def test_texts_are_due_at_the_hours_that_change(clock: time):
    """Beside any minute of the day."""
    assert clock in CLOCKS
