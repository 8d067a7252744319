"""Decisions about the planner that the guide states, each with the case that brought it up."""
# ruff: noqa: E501 - The sentences of a protocol stand on one line each, as in its file.

from dataclasses import replace
from datetime import timedelta

import pytest

from schedules.errors import ProtocolError
from schedules.facts import Caps, VisitStatus
from schedules.loader import load
from schedules.planner import plan, plan_patient
from schedules.reasons import MoveReason
from tests.schedules.planning import clinic, enrolled, going, local, patient, skipped, visit

START = local("2026-12-08 13:00")
BOOKED = START - timedelta(days=12)
HEAD = "id: own\ntitle: Own\nfor: {visit: dosing}\npurpose: visits\nimportance: visit\nsteps:\n"
ASKS = "id: asks, template: asks, when: 3 days before visit start at 10:00, latest: at visit start, only_if: not confirmed"
FOLLOWS = "id: follows, template: follows, when: 1 day after step asks at 10:00, latest: 5 hours after sending"
FEEDBACK = "id: after, template: after, when: 1 day after visit end at 10:00, latest: 5 hours after sending"


def own(*steps: str):
    return load(HEAD + "".join(f"  - {{{step}}}\n" for step in steps), "own.yaml")


def planned(protocol, now=BOOKED, **changes):
    facts = enrolled(protocol, visit(START, booked_at=BOOKED, **changes))
    return plan(facts, patient(), clinic(staffed=False), now=now)


def test_what_follows_a_request_still_goes_once_the_visit_is_confirmed():
    """A confirmation ends requests to confirm, and nothing else (care rule 1)."""
    texts = planned(own(ASKS, FOLLOWS), confirmed_start=START)
    assert skipped(texts) == {"asks": "confirmed"}
    assert going(texts) == {"follows": "Sun 06 10:00"}


def test_what_follows_a_text_that_the_cap_took_still_goes():
    """The cap drops one text of one day."""
    facts = enrolled(own(ASKS, FOLLOWS), visit(START, booked_at=BOOKED))
    place = clinic(staffed=False, caps=Caps(per_day=0))
    texts = plan_patient([facts], patient(), place, now=BOOKED)
    assert skipped(texts) == {"asks": "cap", "follows": "cap"}
    # Each day's cap is shared out by itself: with room on the second day, the second goes.
    busy = replace(place, caps=Caps(per_day=1))
    first = enrolled(own(ASKS.replace("asks", "aaaa")), visit(START, booked_at=BOOKED), id="e2")
    texts = plan_patient([first, facts], patient(), busy, now=BOOKED)
    assert going(texts) == {"aaaa": "Sat 05 10:00", "follows": "Sun 06 10:00"}


def test_what_follows_a_text_that_may_not_go_does_not_go_either():
    """Without consent, and where a step is not meant."""
    facts = enrolled(own(ASKS, FOLLOWS), visit(START, booked_at=BOOKED))
    off = patient(steps_off=frozenset({"asks"}))
    texts = plan(facts, off, clinic(staffed=False), now=BOOKED)
    assert skipped(texts) == {"asks": "step_off", "follows": "step_skipped"}


@pytest.mark.parametrize("status", [VisitStatus.ARRIVED, VisitStatus.FULFILLED])
def test_the_day_after_a_visit_a_text_goes_to_those_who_came(status):
    """An arrival ends what leads up to the visit, and not what comes after it by the clock."""
    texts = planned(own(FEEDBACK), now=START + timedelta(hours=3), status=status)
    assert going(texts) == {"after": "Wed 09 10:00"}


def test_the_day_after_a_visit_no_text_goes_to_those_who_did_not():
    """A recorded no-show ends it."""
    now = START + timedelta(hours=3)
    texts = planned(own(FEEDBACK), now=now, status=VisitStatus.NO_SHOW)
    assert skipped(texts) == {"after": "no_show"}


def test_a_text_that_is_over_when_it_is_due_can_never_be_sent():
    """`latest` at the very minute of `when` leaves no minute."""
    with pytest.raises(ProtocolError, match="can never be sent"):
        own(
            "id: a, template: a, when: 2 hours before visit start, latest: 2 hours before visit start"
        )


def test_a_text_moved_for_staffed_hours_says_so():
    """Its own minute lay outside the window as well, and that is not why it goes on Friday."""
    start = local("2026-12-14 08:00")
    facts = enrolled("dosing-visit", visit(start))
    texts = plan(facts, patient(), clinic(), now=start - timedelta(days=6))
    asked = next(text for text in texts if text.step == "visit_48h")
    assert asked.moved_reason is MoveReason.STAFFED_HOURS


def test_a_clinic_with_a_break_at_noon_counts_both_parts_of_its_day():
    """Hours in one block a day were all that others could say: four hours before 13:00 begin at eight."""
    start = local("2026-12-08 14:00")
    facts = enrolled(
        own(
            "id: a, template: a, when: 1 hour before visit start, latest: at visit start, needs_staffed_hours: 4"
        ),
        visit(start),
    )
    (text,) = plan(facts, patient(), clinic(), now=start - timedelta(days=3))
    assert going([text]) == {"a": "Tue 08 09:00"}
