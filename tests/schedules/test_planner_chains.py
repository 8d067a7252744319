"""Steps that count from another step: what follows a text follows it, and goes when it went."""

from datetime import timedelta

import pytest

from schedules.facts import Dose, VisitStatus
from schedules.loader import load
from schedules.planner import plan
from tests.schedules.planning import (
    Outbox,
    clinic,
    enrolled,
    going,
    local,
    patient,
    skipped,
    visit,
)

START = local("2026-12-08 13:00")
BOOKED = START - timedelta(days=12)
HEAD = "id: chain\ntitle: Chain\nfor: {visit: dosing}\npurpose: visits\nimportance: visit\nsteps:\n"


def protocol(*steps: str):
    return load(HEAD + "".join(f"  - {{{step}}}\n" for step in steps), "chain.yaml")


AFTER = protocol(
    "id: evening, template: evening, latest: same day as dose check-out at 20:00, "
    "when: '4 hours after dose check-out, between 17:00 and 19:45'",
    "id: morning, template: morning, latest: 3 hours after sending, "
    "when: 1 day after step evening at 09:30",
)
DONE = visit(
    START,
    status=VisitStatus.CHECKED_OUT,
    arrived_at=START,
    checked_out_at=START + timedelta(hours=2),
    dose=Dose.GIVEN,
)


def test_the_morning_after_a_dose_follows_the_evening_text():
    """A patient who came is asked again: that they arrived stops only what leads up to a visit."""
    texts = plan(enrolled(AFTER, DONE), patient(), clinic(), now=START + timedelta(hours=2))
    assert going(texts) == {"evening": "Tue 08 19:00", "morning": "Wed 09 09:30"}


@pytest.mark.parametrize("changes", [{"change_requested": True}, {"status": VisitStatus.NO_SHOW}])
def test_what_follows_a_check_out_is_not_stopped_by_what_was_said_before(changes):
    """A wish to change, or a no-show recorded by mistake, ends no text that hangs on the dose."""
    done = visit(START, checked_out_at=START + timedelta(hours=2), dose=Dose.GIVEN, **changes)
    texts = plan(enrolled(AFTER, done), patient(), clinic(), now=START + timedelta(hours=2))
    assert set(going(texts)) == {"evening", "morning"}


def test_a_text_that_follows_another_still_goes_when_that_one_went():
    """The evening text is over by night, and planning anew then must not drop the morning's."""
    box = Outbox()
    for hours in (2, 4, 6, 8, 12, 18):
        now = START + timedelta(hours=hours)
        box.plan(enrolled(AFTER, DONE), patient(), clinic(), now)
        box.send_due(now)
    assert box.statuses() == {"evening/1/1": "delivered", "morning/1/1": "planned"}
    assert box.send_due(START + timedelta(hours=21)) == ["morning"]


def test_a_chain_may_stand_in_the_file_in_any_order():
    """The third text is planned although it is written before the second, which it follows."""
    steps = protocol(
        "id: third, template: c, when: 1 day after step second at 10:00, "
        "latest: 2 hours after sending",
        "id: second, template: b, when: 1 day after step first at 10:00, "
        "latest: 2 hours after sending",
        "id: first, template: a, when: 4 days before visit start at 10:00, "
        "latest: 2 hours after sending",
    )
    texts = plan(enrolled(steps, visit(START)), patient(), clinic(), now=BOOKED)
    assert going(texts) == {"a": "Fri 04 10:00", "b": "Sat 05 10:00", "c": "Sun 06 10:00"}


LATE = protocol(
    "id: minor, template: minor, when: 3 days before visit start at 10:00, "
    "latest: 2 hours before visit start, late_booking: send at once",
    "id: major, template: major, when: 2 days before visit start at 10:00, "
    "latest: 20 hours before visit start, late_booking: send at once, importance: food",
    "id: after_minor, template: after_minor, when: 3 hours after step minor, "
    "latest: 2 hours after sending",
)


def test_a_text_that_gives_way_to_a_more_important_one_takes_its_followers_along():
    """Nothing follows a text that the late booking left out."""
    booked = START - timedelta(hours=27)
    texts = plan(enrolled(LATE, visit(START, booked_at=booked)), patient(), clinic(), now=booked)
    assert going(texts) == {"major": "Mon 07 10:00"}
    assert skipped(texts) == {"minor": "late_booking", "after_minor": "step_skipped"}


def test_a_late_text_that_gave_way_never_comes_back_when_the_other_is_over():
    """Once the more important text's time has passed, the other must not be sent after it."""
    booked = START - timedelta(hours=27)
    facts = enrolled(LATE, visit(START, booked_at=booked))
    box = Outbox()
    box.plan(facts, patient(), clinic(), booked)
    assert box.send_due(booked + timedelta(minutes=1)) == ["major"]
    assert not box.plan(facts, patient(), clinic(), START - timedelta(hours=19))
    assert box.send_due(START - timedelta(hours=5)) == []
