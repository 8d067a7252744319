"""The send, receipt and reply paths under whatever may happen, in any order, beside a model.

AFTERCARE_LONG=1 tries at random for minutes; without it the same short walk is taken each time.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from messages.gateways.fake import lose_answer
from tests.support.databases import Databases
from tests.worker.machine import DIE_AT, REST_AT, SendMachine, step_of

SHORT = settings(
    max_examples=14,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SHORT, max_examples=1000, stateful_step_count=60, derandomize=False)


def test_whatever_happens_no_text_is_lost_and_none_goes_twice(databases: Databases) -> None:
    """Faults in any order, and the invariants after each of them."""
    machine = type("Machine", (SendMachine,), {"databases": databases})
    run_state_machine_as_test(machine, settings=LONG if os.environ.get("AFTERCARE_LONG") else SHORT)


@pytest.fixture
def machine(databases: Databases) -> Iterator[SendMachine]:
    """The same machine by hand; its end drains everything and judges what is left."""
    made = type("Machine", (SendMachine,), {"databases": databases})()
    yield made
    made.teardown()


def _give_work(machine: SendMachine, step: str) -> None:
    """See to it that a step has something to do."""
    machine.begin(3)
    if step == "sweep":
        machine.run_step(0, "send", "claim.after_commit", kill=True)
        machine.advance(61)
    elif step == "unknown":
        machine.world.gateway.script(lose_answer(creates=False), lose_answer(creates=True))
        machine.run_step(0, "send", None)
        machine.advance(20)
    elif step == "receipts":
        machine.run_step(0, "send", None)
        machine.receipts_come(which=0, upto=4, order=[3, 1, 0, 2], twice=True)
    elif step == "replies":
        machine.patient_writes(who=0, body="R", how="twice")
    elif step == "pull":
        machine.patient_writes(who=0, body="STOP", how="missed")
    elif step == "plan":
        machine.visit_is_moved(which=0, hours=49)


@pytest.mark.parametrize("point", DIE_AT)
def test_a_worker_killed_at(machine: SendMachine, point: str) -> None:
    """One death at each named point, and nobody is texted twice or forgotten."""
    step = step_of(point)
    _give_work(machine, step)
    machine.run_step(0, step, point, kill=True)
    assert machine.fired["killed at", point] == 1
    machine.nothing_is_made_that_may_not_be()


@pytest.mark.parametrize("seconds", [3, 40])
@pytest.mark.parametrize("point", REST_AT)
def test_a_worker_that_stands_still_at(machine: SendMachine, point: str, seconds: int) -> None:
    """It stands while its guards, its lease or the grace run out and another does its work."""
    step = step_of(point)
    _give_work(machine, step)
    machine.run_step(0, step, point)
    assert machine.fired["stood still at", point] == 1
    for other in ("sweep", "send", "unknown", "sweep", "send", "unknown", "send"):
        machine.advance(seconds)
        machine.run_step(1, other, None)
    machine.worker_that_stood_goes_on(number=0, kill=False)
    machine.steps_raise_nothing()
    machine.nothing_is_made_that_may_not_be()


@pytest.mark.parametrize("point", ["claim.after_commit", "send.after_intent", "send.after_connect"])
def test_a_stop_while_a_worker_stands_still(machine: SendMachine, point: str) -> None:
    """Before the intent the stop holds; after it the text was on its way, and nothing follows."""
    machine.begin(1)
    machine.run_step(0, "send", point)
    machine.patient_writes(who=0, body="STOP", how="push")
    machine.worker_that_stood_goes_on(number=0, kill=False)
    machine.nothing_is_made_that_may_not_be()
    made = len(machine.ledger.created)
    assert made == (0 if point.startswith("claim") else 1)
    machine.text_falls_due(wait=0, useful=600, policy=None, shared=True)
    machine.run_step(1, "send", None)
    assert len(machine.ledger.created) == made
