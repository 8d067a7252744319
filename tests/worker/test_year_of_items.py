"""A year of anything: no item is without an owner or a next clock, and none is lost.

AFTERCARE_LONG=1 tries at random for minutes; without it the same short walks are taken each time.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.databases import Databases
from tests.worker.items import YearOfItems

SHORT = settings(
    max_examples=7,
    stateful_step_count=35,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SHORT, max_examples=500, stateful_step_count=60, derandomize=False)


def test_whatever_a_year_brings_no_item_is_left_alone(databases: Databases) -> None:
    """Items by any cause; taken, handed over, put off, ended; people, days and records that end."""
    machine = type("Machine", (YearOfItems,), {"databases": databases})
    run_state_machine_as_test(machine, settings=LONG if os.environ.get("AFTERCARE_LONG") else SHORT)
