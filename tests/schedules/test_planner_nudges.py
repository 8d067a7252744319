"""Nudges of questions that stand open, where their question is an unusual one."""

from dataclasses import replace
from datetime import date, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schedules.facts import AskedFacts
from schedules.loader import load
from schedules.planner import plan
from schedules.reasons import SkipReason
from schedules.windows import SendWindow
from tests.schedules.drawing import WINDOWS, ZONES, changes
from tests.schedules.oracle import MINUTE, Oracle, first_minute, on_wall
from tests.schedules.planning import clinic, enrolled, local, patient, visit, wall
from tests.schedules.test_planner_oracle import examples

NIGHT_IN_ADAK = SendWindow(opens=time(9), closes=time(11))


def nudge_of(asked_at, person=None, place=None):
    asked = AskedFacts(
        enrollment_id="e1", step="daily_0_10", occurrence="day-1", round=1, asked_at=asked_at
    )
    facts = enrolled("daily-check-in", day=asked_at.date())
    texts = plan(
        facts, person or patient(), place or clinic(), now=asked_at + MINUTE, events=[asked]
    )
    (nudge,) = (text for text in texts if text.nudge_for)
    return nudge


def test_a_pause_stops_the_nudge_of_a_question_already_asked():
    """Who writes PAUSE at 17:30 is not asked again at 19:00."""
    person = patient(paused_until=local("2026-12-08 17:30"))
    assert nudge_of(local("2026-12-01 17:00"), person).skip_reason is SkipReason.PAUSED


def test_a_question_that_follows_another_text_is_nudged_too():
    """The morning's question counts from the evening's text and is nudged like any other."""
    text = """
id: chain
title: Chain
for: {visit: assessment}
purpose: visits
importance: visit
steps:
  - {id: first, template: a, when: 3 days before visit start at 10:00, latest: 2 hours after sending}
  - id: second
    template: b
    when: 1 day after step first at 11:00
    latest: 8 hours after sending
    expects: yes_no
    answer_until: 24 hours after sending
    nudge: {after: 2 hours, template: c}
"""  # noqa: E501
    at = local("2026-12-06 11:00")
    asked = AskedFacts(enrollment_id="e1", step="second", occurrence="1", round=1, asked_at=at)
    facts = enrolled(load(text, "chain.yaml"), visit(local("2026-12-08 13:00")))
    texts = plan(facts, patient(), clinic(), now=at + MINUTE, events=[asked])
    assert [wall(nudge) for nudge in texts if nudge.nudge_for] == ["Sun 06 13:00"]


def test_a_nudge_for_which_no_hour_is_allowed_in_every_zone_is_skipped():
    """Nine to eleven in New York is never nine to eleven in Honolulu."""
    place = clinic(candidate_zones=(ZONES[0], ZONES[3]), window=NIGHT_IN_ADAK)
    nudge = nudge_of(local("2026-12-01 17:00"), patient(None), place)
    assert nudge.skip_reason is SkipReason.NO_ALLOWED_MINUTE


@st.composite
def asked(draw):
    zone = draw(st.sampled_from(ZONES))
    days = changes(zone) or (date(2026, 12, 1),)
    day = draw(st.sampled_from(days)) + timedelta(days=draw(st.integers(-1, 1)))
    clock = draw(st.times()).replace(second=0, microsecond=0)
    return zone, first_minute(day, clock, zone), draw(st.sampled_from(WINDOWS))


@examples(60)
@given(told=asked())
def test_a_nudge_goes_after_two_hours_or_at_ten_next_day(told):
    """Care rule 19, over every clock change: the minute itself, else 10:00, else the next one."""
    zone, at, window = told
    person = replace(patient(zone), window=window)
    nudge = nudge_of(at, person)
    oracle = Oracle(
        enrollment=enrolled("daily-check-in", day=at.date()),
        patient=person,
        clinic=clinic(),
        now=at,
    )
    due = at + timedelta(hours=2)
    if not oracle.allowed(due):
        morning = first_minute(on_wall(due, zone).date(), time(10), zone)
        if morning <= due:
            tomorrow = on_wall(due, zone).date() + timedelta(days=1)
            morning = first_minute(tomorrow, time(10), zone)
        due = morning
        while not oracle.allowed(due):
            due += MINUTE
    assert nudge.due_at == due
