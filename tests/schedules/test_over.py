"""A visit of which nothing is planned any more is known without planning it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from schedules.facts import Dose, VisitStatus
from schedules.over import is_over
from schedules.planner import plan
from schedules.protocol import Anchor
from tests.schedules.planning import clinic, enrolled, local, patient, shipped, visit

STARTS = local("2026-12-08 13:00")
A_DAY = timedelta(days=1)
FOR_VISITS = [name for name, protocol in shipped().items() if protocol.visits is not None]


def _enrolled(name):
    kind = "dosing" if "dos" in name else "assessment"
    gone = "no-show" in name
    appointment = visit(
        STARTS,
        kind=kind,
        status=VisitStatus.NO_SHOW if gone else VisitStatus.CHECKED_OUT,
        checked_out_at=None if gone else STARTS + timedelta(hours=2),
        no_show_at=STARTS + timedelta(hours=1) if gone else None,
        dose=Dose.GIVEN if kind == "dosing" and not gone else None,
    )
    return enrolled(name, appointment)


def _over(facts, now):
    return is_over(facts.appointment, facts.protocol, enrolled_at=facts.enrolled_at, now=now)


@pytest.mark.parametrize("name", FOR_VISITS)
def test_nothing_is_left_to_plan_long_before_a_visit_is_over(name):
    """The last text of each shipped protocol lies 19 days at least before it is called over."""
    facts = _enrolled(name)
    days = [STARTS + number * A_DAY for number in range(-20, 400)]
    planned = [day for day in days if plan(facts, patient(), clinic(), now=day)]
    over = [day for day in days if _over(facts, day)]
    assert over or any(step.repeat for step in facts.protocol.steps)
    assert not over or not planned or planned[-1] < over[0] - timedelta(days=19)


def test_a_visit_that_moves_is_planned_again():
    """Whatever becomes known of it brings it back: here a move, a year later."""
    facts = _enrolled("dosing-visit")
    now = STARTS + timedelta(days=365)
    assert _over(facts, now)
    moved = visit(STARTS + timedelta(days=370), moved_at=now)
    assert not _over(enrolled("dosing-visit", moved), now)


def test_what_counts_from_a_lapse_is_never_over():
    """A protocol whose texts count from anything but the visit is planned however old it is."""
    facts = _enrolled("dosing-visit")
    first, *others = facts.protocol.steps
    first = replace(first, when=replace(first.when, anchor=Anchor.LAPSE))
    of_a_lapse = replace(facts, protocol=replace(facts.protocol, steps=(first, *others)))
    now = STARTS + timedelta(days=365)
    assert _over(facts, now)
    assert not _over(of_a_lapse, now)
