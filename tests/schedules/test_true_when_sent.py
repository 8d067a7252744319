"""What follows a dose goes when its words are true: tonight, or in the next morning."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedules.facts import Dose, VisitStatus
from schedules.loader import load, shipped
from schedules.planner import plan
from schedules.reasons import MoveReason, SkipReason
from schedules.windows import SendWindow, narrowed
from tests.schedules.drawing import changes
from tests.schedules.planning import (
    HONOLULU,
    NEW_YORK,
    clinic,
    enrolled,
    local,
    patient,
    visit,
    wall,
)

ANCHORAGE, LOS_ANGELES = ZoneInfo("America/Anchorage"), ZoneInfo("America/Los_Angeles")
PLACES = (NEW_YORK, LOS_ANGELES, ANCHORAGE, HONOLULU, ZoneInfo("America/Phoenix"))
SAFE = (
    None,
    SendWindow(opens=time(9), closes=time(12)),
    SendWindow(opens=time(9), closes=time(14)),
    SendWindow(opens=time(14), closes=time(18)),
    SendWindow(opens=time(17), closes=time(20)),
)
#: Everything shipped that counts days on from something that happened.
AFTER_EVENTS = sorted(
    (protocol.id, step.id)
    for protocol in shipped().values()
    for step in protocol.steps
    if step.when.days is not None and step.when.days >= 0 and protocol.visits is not None
)


def dosed(out: datetime, **more):
    facts = visit(out - timedelta(hours=3), checked_out_at=out, dose=Dose.GIVEN)
    return replace(facts, status=VisitStatus.CHECKED_OUT, **more)


def after_dose(out: datetime, person, place, protocol="after-dose"):
    """Give the texts of the evening and the morning, by step; planned at the check-out."""
    done = dosed(out, setting="home" if protocol == "dosing-at-home" else "clinic", route="lozenge")
    texts = plan(enrolled(protocol, done), person, place, now=out, appointments=[done])
    return {text.step.rpartition("_")[2]: text for text in texts}


@pytest.mark.parametrize(
    ("zone", "safe"),
    [
        (None, None),
        (NEW_YORK, SendWindow(opens=time(14), closes=time(18))),
        (HONOLULU, None),
        (ANCHORAGE, None),
    ],
    ids=["unknown zone", "safe hours in the afternoon", "Honolulu", "Anchorage"],
)
def test_a_good_morning_that_no_minute_allows_is_left_to_a_person(zone, safe):
    """It used to go in the evening of the dose: the nearest allowed minute, on the wrong day."""
    person = patient(zone, window=narrowed(SendWindow(), safe))
    morning = after_dose(local("2026-11-28 13:00"), person, clinic())["morning"]
    assert morning.skip_reason is SkipReason.NO_ALLOWED_MINUTE
    # The call for it counts from the minute at which it belonged, the next day.
    assert wall(morning) == "Sun 29 09:30"


@pytest.mark.parametrize(
    ("place", "home", "goes"),
    [
        (NEW_YORK, NEW_YORK, "Wed 09 09:30"),
        (NEW_YORK, ZoneInfo("America/Chicago"), "Wed 09 10:00"),
        (NEW_YORK, LOS_ANGELES, "Wed 09 12:00"),
        # Half past nine there is afternoon here: half an hour before noon is the last of it.
        (LOS_ANGELES, NEW_YORK, "Wed 09 11:29"),
    ],
)
def test_a_good_morning_goes_in_the_morning_of_whoever_reads_it(place, home, goes):
    """Far from the clinic it moves within the morning, by the clock where the patient is."""
    out = local("2026-12-08 13:00", place)
    morning = after_dose(out, patient(home), clinic(place))["morning"]
    assert (morning.skip_reason, wall(morning)) == (None, goes)
    assert morning.moved_reason is not MoveReason.SENT_LATE


def test_tonight_is_not_said_in_the_afternoon():
    """Safe hours that end at two leave no evening; those that end at five leave its first hour."""
    out = local("2026-12-08 13:00")
    told = [
        after_dose(out, patient(window=SendWindow(opens=time(9), closes=closes)), clinic())
        for closes in (time(14), time(17))
    ]
    assert [each["evening"].skip_reason for each in told] == [SkipReason.NO_ALLOWED_MINUTE, None]
    assert wall(told[1]["evening"]) == "Tue 08 16:59"


@st.composite
def _doses(draw):
    """A check-out, mostly beside a clock change, of a patient whose zone may be unknown."""
    place = draw(st.sampled_from(PLACES))
    near = changes(place)
    day = (
        draw(st.sampled_from(near)) + timedelta(days=draw(st.integers(-2, 2)))
        if near and draw(st.booleans())
        else draw(st.dates(date(2026, 1, 10), date(2027, 12, 1)))
    )
    at = time(draw(st.integers(0, 23)), draw(st.sampled_from((0, 20, 50))))
    safe = draw(st.sampled_from(SAFE))
    home = draw(st.one_of(st.none(), st.sampled_from(PLACES)))
    person = patient(home, window=narrowed(SendWindow(), safe))
    return datetime.combine(day, at, place).astimezone(UTC), person, clinic(place)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
@given(case=_doses(), protocol=st.sampled_from(("after-dose", "dosing-at-home")))
def test_the_texts_after_a_dose_are_true_wherever_the_patient_is(case, protocol):
    """Unknown zones, safe hours, Hawaii, Alaska, days of 23 and 25 hours: true, or not sent."""
    out, person, place = case
    texts = after_dose(out, person, place, protocol)
    home = person.zone or place.zone
    for name, days, zone, hours in (
        ("evening", 0, place.zone, range(16, 24)),
        ("morning", 1, home, range(12)),
    ):
        text = texts[name]
        if text.skip_reason is None:
            assert out <= text.due_at < text.latest_at
            for each in (text.due_at, text.latest_at - timedelta(minutes=1)):
                for there in (place.zone, home):
                    on = each.astimezone(there).date() - out.astimezone(there).date()
                    assert on == timedelta(days=days), name
                assert each.astimezone(zone).hour in hours, name


@pytest.mark.parametrize(("protocol", "step"), AFTER_EVENTS)
@pytest.mark.parametrize("home", [None, HONOLULU, NEW_YORK])
@pytest.mark.parametrize("safe", SAFE)
def test_what_counts_days_on_from_an_event_never_goes_on_an_earlier_day(protocol, step, home, safe):
    """Each such step of the shipped protocols: brought forward at most to the start of its day."""
    found = shipped()[protocol].step(step)
    out = local("2026-12-08 13:00")
    done = dosed(out, route="lozenge", setting="home" if "home" in protocol else "clinic")
    person = patient(home, window=narrowed(SendWindow(), safe))
    texts = plan(enrolled(protocol, done), person, clinic(), now=out, appointments=[done])
    [text] = [one for one in texts if one.step == step]
    if text.skip_reason is None:
        for zone in (NEW_YORK, home or NEW_YORK):
            ahead = text.due_at.astimezone(zone).date() - out.astimezone(zone).date()
            assert ahead >= timedelta(days=found.when.days)


TWO_DAYS_ON = """
id: two-days-on
title: Two days on
for: {visit: dosing}
purpose: visits
importance: visit
steps:
  - id: day_two
    template: followup_unbooked
    when: 2 days after check-out at 09:30
    latest: 4 days after check-out at 20:00
"""


def test_a_step_of_a_clinics_own_keeps_to_its_day_without_saying_so():
    """The rule is the planner's: a protocol that was published before it is mended by it too."""
    done = dosed(local("2026-12-08 13:00"))
    protocol = load(TWO_DAYS_ON, "two-days-on.yaml")
    safe = patient(window=SendWindow(opens=time(18), closes=time(20)))
    [text] = plan(enrolled(protocol, done), safe, clinic(), now=done.checked_out_at)
    # The minute before eight of the evening before is as near, and another day.
    assert wall(text) == "Thu 10 18:00"


def test_what_is_over_before_its_own_minute_goes_while_it_can_still_be_sent():
    """At its latest minute nothing is sent any more, so that it goes half an hour before."""
    done = dosed(local("2026-12-08 23:00"))
    texts = plan(
        enrolled("integration-unbooked", done), patient(), clinic(), now=done.checked_out_at
    )
    first = next(text for text in texts if text.step == "unbooked_20h")
    assert (wall(first), first.latest_at - first.due_at) == ("Wed 09 17:30", timedelta(minutes=30))
