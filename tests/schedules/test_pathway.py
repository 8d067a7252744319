"""The stages after the first visits, as the planner lays them out (the clinical brief 3 and 6)."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from schedules.duties import duties_of
from schedules.facts import Dose, VisitStatus
from schedules.followup_rules import for_answer, for_silence
from schedules.loader import load, shipped
from schedules.moments import frame_of
from schedules.planner import plan
from schedules.protocol import Anchor, Importance
from schedules.reasons import SkipReason
from schedules.resolving import resolver
from schedules.silence import silence_counts_at
from schedules.windows import SendWindow, narrowed
from tests.schedules.planning import (
    NEW_YORK,
    clinic,
    enrolled,
    local,
    patient,
    skipped,
    visit,
    wall,
)

FIRST_DAY = date(2026, 12, 1)
OUT = local("2026-12-08 11:00")


def dosed(name="d1", out=OUT, **changes):
    """A dosing visit at which a dose was given."""
    done = {"checked_out_at": out, "dose": Dose.GIVEN, "status": VisitStatus.CHECKED_OUT}
    return visit(out - timedelta(hours=3), id=name, **{**done, **changes})


def days_asked(protocol, step, *, until=365, **more):
    """Give the day numbers on which a step asks within so many days of enrollment."""
    facts = enrolled(protocol, day=FIRST_DAY)
    texts = plan(
        facts,
        more.pop("person", patient()),
        clinic(),
        now=local("2026-12-01 08:00"),
        horizon=timedelta(days=until),
        **more,
    )
    return [
        int(text.occurrence.removeprefix("day-"))
        for text in texts
        if text.step == step and text.skip_reason is None
    ]


def test_relapse_prevention_tapers_over_a_year():
    """Daily for 14 days, weekly ten times, every two weeks six times, then monthly."""
    assert days_asked("relapse-prevention", "daily") == list(range(1, 15))
    weeks = days_asked("relapse-prevention", "days_off_plan")
    assert weeks[:10] == list(range(21, 85, 7))
    assert weeks[10:16] == list(range(98, 169, 14))
    assert weeks[16:] == list(range(198, 366, 30))


def test_opioids_are_asked_daily_for_four_weeks_and_of_medicines_twice_a_week():
    """On Mondays and Thursdays, beside the daily number."""
    assert days_asked("relapse-prevention-opioids", "daily") == list(range(1, 29))
    asked = days_asked("relapse-prevention-opioids", "medicines")
    weekdays = Counter((FIRST_DAY + timedelta(days=day - 1)).weekday() for day in asked)
    assert set(weekdays) == {0, 3}
    assert len(asked) == 24


def test_sleep_is_asked_weekly_where_stimulants_are_the_matter():
    """Instead of the daily number on that day, so that one number a day is asked."""
    assert days_asked("relapse-prevention-stimulants", "sleep", until=20) == [3, 10, 17]
    assert 3 not in days_asked("relapse-prevention-stimulants", "daily")


@pytest.mark.parametrize(
    ("protocol", "confidence", "sleep"),
    [
        ("relapse-prevention", [24, 38, 52, 66, 80], [31, 45, 59, 73]),
        ("relapse-prevention-alcohol", [24, 38, 52, 66, 80], [31, 45, 59, 73]),
        ("relapse-prevention-opioids", [38, 52, 66, 80], [45, 59, 73]),
    ],
)
def test_confidence_and_sleep_take_turns_all_year(protocol, confidence, sleep):
    """Three days after each question about the plan: weekly, every two weeks, then monthly."""
    assert days_asked(protocol, "confidence") == [*confidence, 101, 129, 157, 201, 261, 321]
    assert days_asked(protocol, "sleep") == [*sleep, 115, 143, 171, 231, 291, 351]


def test_with_stimulants_sleep_is_asked_each_time_and_confidence_every_other():
    """All year, on days of their own."""
    asked = days_asked("relapse-prevention-stimulants", "sleep")
    assert asked == [*range(3, 85, 7), *range(101, 172, 14), *range(201, 366, 30)]
    asked = days_asked("relapse-prevention-stimulants", "confidence")
    assert asked == [25, 39, 53, 67, 81, 102, 130, 158, 202, 262, 322]


def test_a_weekly_question_may_go_until_the_evening_of_its_day():
    """Our outage of an afternoon costs nobody a week's answer; a daily number is gone by then."""
    facts = enrolled("relapse-prevention", day=FIRST_DAY)
    day_21 = FIRST_DAY + timedelta(days=20)
    texts = plan(facts, patient(), clinic(), now=local(f"{day_21} 08:00"))
    weekly = next(text for text in texts if text.step == "days_off_plan")
    assert weekly.latest_at == local(f"{day_21} 21:00")
    (first,) = (text for text in asked_on_the_first_day() if text.step == "daily")
    assert first.latest_at - first.due_at == timedelta(hours=3)


def asked_on_the_first_day():
    facts = enrolled("relapse-prevention", day=FIRST_DAY)
    now = local(f"{FIRST_DAY} 08:00")
    return plan(facts, patient(), clinic(), now=now, horizon=timedelta(hours=12))


def test_a_count_after_the_quit_date_is_followed_by_a_line_of_encouragement():
    """Half an hour after the answer; one of the late evening, the next morning."""
    for lapsed, due in (("17:20", "Sun 20 17:50"), ("20:40", "Mon 21 09:00")):
        at = local(f"2026-12-20 {lapsed}")
        person = patient(quit_date=date(2026, 12, 14), lapsed_at=at)
        facts = enrolled("relapse-prevention-nicotine", day=FIRST_DAY)
        texts = plan(facts, person, clinic(), now=at)
        assert [wall(text) for text in texts if text.template == "count_coach"] == [due]


def test_a_count_goes_round_the_quit_date():
    """Two weeks before to six weeks after, then after one, three and six months."""
    person = patient(quit_date=date(2026, 12, 20))
    before = days_asked("relapse-prevention-nicotine", "count_before", person=person)
    after = days_asked("relapse-prevention-nicotine", "count_after", person=person)
    assert before == list(range(1, 15))
    assert after == [*range(1, 44), 73, 134, 225]


def test_without_a_quit_date_nothing_is_counted():
    """The anchor does not exist yet."""
    assert days_asked("relapse-prevention-nicotine", "count_after") == []


@pytest.mark.parametrize("anchor", ["dose", "lapse"])
def test_a_booster_or_a_lapse_takes_the_daily_question_up_again(anchor):
    """For seven days, the day after first; weekly questions keep their days, 42 and 45."""
    at = local("2027-01-10 12:00")  # Day 41.
    more = {"appointments": [dosed(out=at)]}
    if anchor == "lapse":
        more = {"person": patient(lapsed_at=at)}
    daily = days_asked("relapse-prevention", "daily", **more)
    assert daily == [*range(1, 15), 43, 44, 46, 47, 48]
    assert 42 in days_asked("relapse-prevention", "days_off_plan", **more)


def test_no_two_numbers_are_asked_on_a_day():
    """Over the whole year, in each variant."""
    for protocol in (one for one in shipped() if one.startswith("relapse-prevention")):
        person = patient(quit_date=date(2026, 12, 20), lapsed_at=local("2027-01-10 12:00"))
        facts = enrolled(protocol, day=FIRST_DAY)
        texts = plan(
            facts,
            person,
            clinic(),
            now=local("2026-12-01 08:00"),
            horizon=timedelta(days=400),
        )
        asked = Counter(
            text.due_at.date()
            for text in texts
            if text.skip_reason is None and text.expects not in {"none", "yes_no"}
        )
        assert max(asked.values()) == 1, protocol


def test_mood_goes_by_link_every_two_weeks_to_those_who_agreed():
    """Without consent to health questions it is skipped."""
    facts = enrolled("mood-check", day=FIRST_DAY)
    now = local("2026-12-15 08:00")
    texts = plan(facts, patient(), clinic(), now=now, horizon=timedelta(days=29))
    assert [wall(text) for text in texts] == ["Tue 15 12:00", "Tue 29 12:00", "Tue 12 12:00"]
    silent = patient(purposes=frozenset({"visits", "check_ins"}))
    assert set(skipped(plan(facts, silent, clinic(), now=now)).values()) == {"no_consent"}


def booster(appointments, now):
    facts = enrolled("booster", day=FIRST_DAY)
    return plan(facts, patient(), clinic(), now=now, appointments=appointments)


def test_a_booster_is_offered_four_weeks_after_the_last_dose():
    """Each dose starts the count anew; a booked one ends it."""
    first, second = dosed(), dosed("d2", local("2026-12-15 11:00"))
    now = local("2026-12-30 08:00")
    (text,) = booster([first], now)
    assert (wall(text), text.skip_reason) == ("Tue 05 11:00", None)
    (later,) = booster([first, second], now)
    assert wall(later) == "Tue 12 11:00"
    assert later.occurrence != text.occurrence
    booked = visit(local("2027-01-20 08:00"), id="d3", booked_at=now)
    (none,) = booster([first, booked], now)
    assert none.skip_reason is SkipReason.BOOKED


def test_three_and_six_months_count_from_the_first_dose():
    """Whatever came after it."""
    first, second = dosed(), dosed("d2", OUT + timedelta(days=30))
    facts = enrolled("outcome-follow-up", day=FIRST_DAY)
    for days, step in ((90, "three_months"), (180, "six_months")):
        now = OUT + timedelta(days=days - 1)
        (text,) = plan(facts, patient(), clinic(), now=now, appointments=[first, second])
        assert (text.step, text.due_at.date()) == (step, (OUT + timedelta(days=days)).date())


def unbooked(route, now, *others):
    """Plan what follows a dose after which no follow-up visit is booked, or `others` are."""
    done = dosed(route=route)
    facts = enrolled("integration-unbooked", done)
    context = {"now": now, "appointments": [done, *others]}
    texts = plan(facts, patient(), clinic(), **context)
    duties = duties_of(facts, patient(), clinic(), **context)
    return (
        [wall(text) for text in texts if text.skip_reason is None],
        [wall(duty) for duty in duties if duty.wanted],
    )


def test_an_unbooked_follow_up_is_asked_for_by_route():
    """20 and 44 h after an infusion, a task at 48 h, the lead at 72; days 3 and 5 by lozenge."""
    tasks = ["Thu 10 11:00", "Fri 11 11:00"]
    assert unbooked("iv", OUT) == (["Wed 09 09:00", "Thu 10 09:00"], tasks)
    assert unbooked("im", OUT) == unbooked("iv", OUT)
    assert unbooked("lozenge", OUT) == (["Fri 11 10:00"], ["Sun 13 09:00"])
    # A field that nobody filled in leaves no patient without a follow-up.
    assert unbooked(None, OUT) == unbooked("iv", OUT)


def test_whoever_left_late_at_night_is_asked_by_six_in_the_evening():
    """20 hours after eleven at night is seven, an hour at which nobody could book any more.

    It goes half an hour before its time is over: at its very end nothing is sent any more.
    """
    done = dosed(out=local("2026-12-08 23:00"))
    facts = enrolled("integration-unbooked", done)
    texts = plan(facts, patient(), clinic(), now=local("2026-12-08 23:30"), appointments=[done])
    going_at = [wall(text) for text in texts if text.skip_reason is None]
    assert going_at == ["Wed 09 17:30", "Thu 10 17:30"]


@pytest.mark.parametrize("kind", ["integration", "followup"])
def test_booking_one_ends_the_asking_and_the_task(kind):
    """Care rule 7."""
    booked = visit(OUT + timedelta(days=2), id="i1", kind=kind, route=None)
    assert unbooked("iv", OUT, booked) == ([], [])
    cancelled = visit(OUT + timedelta(days=2), id="i1", kind=kind, status=VisitStatus.CANCELLED)
    assert unbooked("iv", OUT, cancelled) == unbooked("iv", OUT)


def missed(now, recorded, **changes):
    start = local("2026-12-08 08:00")
    gone = visit(start, status=VisitStatus.NO_SHOW, no_show_at=recorded, **changes)
    return plan(enrolled("no-show-dosing", gone), patient(), clinic(), now=now)


def test_a_no_show_is_asked_about_only_when_it_was_recorded():
    """Never by the clock alone (care rule 6)."""
    start = local("2026-12-08 08:00")
    booked = enrolled("no-show-dosing", visit(start))
    assert plan(booked, patient(), clinic(), now=start + timedelta(hours=2)) == []
    (text,) = missed(start + timedelta(hours=1), start + timedelta(minutes=40))
    assert (wall(text), text.skip_reason) == ("Tue 08 09:00", None)


def test_we_missed_you_today_is_not_said_tomorrow():
    """Recorded the next morning it is skipped, and a person calls."""
    recorded = local("2026-12-09 09:30")
    (text,) = missed(recorded, recorded)
    assert text.skip_reason is not None


def test_a_missed_dose_is_called_the_same_day_unless_it_is_booked_again():
    """The duty is there with the record, and gone with a new booking."""
    start = local("2026-12-08 08:00")
    recorded = start + timedelta(minutes=40)
    gone = visit(start, status=VisitStatus.NO_SHOW, no_show_at=recorded)
    again = visit(start + timedelta(days=7), id="v2")
    facts = enrolled("no-show-dosing", gone)
    for others, wanted in (([gone], [True] * 3), ([gone, again], [False] * 3)):
        duties = duties_of(facts, patient(), clinic(), now=recorded, appointments=others)
        assert [duty.wanted for duty in duties] == wanted


@pytest.mark.parametrize(("substance", "duties"), [("opioids", 3), ("alcohol", 2)])
def test_an_opioid_patient_is_called_the_same_day_about_a_talk(substance, duties):
    """Others the day after (the clinical brief, section 6, row 14)."""
    start = local("2026-12-08 10:00")
    gone = visit(start, kind="integration", status=VisitStatus.NO_SHOW, no_show_at=start)
    person = patient(substances=frozenset({substance}))
    found = duties_of(enrolled("no-show", gone), person, clinic(), now=start, appointments=[gone])
    assert sum(duty.wanted for duty in found) == duties


RULES = """
id: conditions
title: Conditions
enroll: by hand
purpose: check_ins
importance: check-in
steps:
  - id: asked
    template: daily_0_10
    when: same day as enrollment at 17:00
    latest: 3 hours after sending
    only_if: {condition}
"""


@pytest.mark.parametrize(
    ("condition", "person", "appointments", "holds"),
    [
        ("substance is alcohol or opioids", patient(substances=frozenset({"opioids"})), [], True),
        ("substance is alcohol", patient(), [], False),
        ("opted in", patient(), [], True),
        ("opted in", patient(purposes=frozenset({"check_ins"})), [], False),
        ("missed before", patient(), [], False),
        (
            "missed before",
            patient(),
            [visit(local("2026-11-20 08:00"), status=VisitStatus.NO_SHOW)],
            True,
        ),
    ],
)
def test_conditions_look_at_the_patient(condition, person, appointments, holds):
    """Each as a step of its own."""
    protocol = load(RULES.format(condition=condition), "p.yaml")
    now: datetime = local("2026-12-01 08:00")
    (text,) = plan(
        enrolled(protocol, day=FIRST_DAY),
        person,
        clinic(),
        now=now,
        appointments=appointments,
    )
    assert (text.skip_reason is None) is holds


def test_the_lozenge_at_home_has_a_gate():
    """It ships switched off; nothing else is gated."""
    assert {one.id: one.gate for one in shipped().values() if one.gate} == {
        "dosing-at-home": "home-dosing"
    }


def asked(person, *, protocol="relapse-prevention", **more):
    """Plan the first days of check-ins for this patient."""
    facts = enrolled(protocol, day=FIRST_DAY)
    now = local("2026-12-01 08:00")
    return plan(facts, person, clinic(), now=now, horizon=timedelta(days=2), **more)


def test_safe_hours_narrow_the_window():
    """Before half past eleven, since somebody else is at home later; within the clinic's own."""
    morning = SendWindow(opens=time(8), closes=time(11, 30))
    window = narrowed(SendWindow(), morning)
    assert (window.opens, window.closes) == (time(9), time(11, 30))
    texts = asked(patient(window=window))
    assert [wall(text) for text in texts][:2] == ["Tue 01 11:29", "Wed 02 11:29"]
    # Hours that the clinic's never meet are still the patient's own wish.
    late = SendWindow(opens=time(20, 30), closes=time(21))
    assert narrowed(SendWindow(), late) == late
    assert narrowed(SendWindow(), None) == SendWindow()


@pytest.mark.parametrize("name", ["daily", "relapse-prevention/daily"])
def test_a_step_can_be_switched_off_for_a_patient(name):
    """By its id, or its protocol's and its own."""
    assert set(skipped(asked(patient(steps_off=frozenset({name})))).values()) == {"step_off"}
    assert skipped(asked(patient(steps_off=frozenset({"booster/daily"})))) == {}


def test_the_second_patient_on_a_number_gets_no_text():
    """Care rule 22: until staff choose how to reach them."""
    reasons = set(skipped(asked(patient(number_taken=True))).values())
    assert reasons == {"number_taken"}


def test_a_shared_phone_is_asked_for_no_number():
    """Care rule 22: visits go on."""
    person = patient(phone_shared=True)
    assert set(skipped(asked(person)).values()) == {"phone_shared"}
    booked = visit(local("2026-12-02 08:00"), booked_at=local("2026-11-20 08:00"))
    facts = enrolled("dosing-visit", booked)
    texts = plan(facts, person, clinic(), now=local("2026-12-01 08:00"))
    assert "phone_shared" not in skipped(texts).values()


#: Doses whose questions fall due at night, over a weekend, or in the noon break of the clinic.
HARD_STARTS = ["2026-12-10 08:00", "2026-12-10 10:00", "2026-12-08 13:00", "2026-12-07 10:00"]


def questions(start):
    """Give the texts that will go before a dose, each with its step and what computes moments."""
    facts, place = enrolled("dosing-visit", visit(start)), clinic()
    frame = frame_of(facts, patient(), place, start - timedelta(days=13))
    for text in plan(facts, patient(), place, now=frame.now):
        assert text.skip_reason is None, text.step
        step = facts.protocol.step(text.step)
        resolve = resolver(frame, step, occurrence=text.occurrence, due_at=text.due_at)
        yield text, step, resolve


@pytest.mark.parametrize("start", [local(one) for one in HARD_STARTS])
def test_silence_about_a_dose_is_called_after_the_text_and_before_the_dose(start):
    """Care rules 1 and 4: a call that falls due once the dose has begun helps nobody."""
    staffed, judged = clinic().staffed, []
    for text, step, resolve in questions(start):
        when = {"resolve": resolve, "asked_at": text.due_at, "starts_at": start}
        for rule in step.unanswered:
            counts = silence_counts_at(rule.at, staffed=staffed, **when)
            assert text.due_at < counts < start
            asks = {"staffed": staffed, "ended": False, "about": "v1", **when}
            assert for_silence(step, now=counts - timedelta(minutes=1), **asks) == ()
            (item,) = for_silence(step, now=counts, **asks)
            assert text.due_at < item.due_at < start
            judged.append(step.id)
    assert judged == ["visit_48h", "visit_24h_prep", "visit_2h_ride"]


def test_silence_counts_while_somebody_can_still_call():
    """Counted by hand, for a clinic that works 8-12 and 13-17, and fasts from eight hours on."""
    when = {
        text.step: silence_counts_at(
            rule.at,
            resolve=resolve,
            staffed=clinic().staffed,
            asked_at=text.due_at,
            starts_at=local("2026-12-07 10:00"),
        )
        for text, step, resolve in questions(local("2026-12-07 10:00"))
        for rule in step.unanswered
    }
    # Asked on Friday of Monday: Friday at four instead of Sunday at ten.
    assert when["visit_48h"] == local("2026-12-04 16:00")
    # Texted on Sunday, since it says "tomorrow": an hour to answer.
    assert when["visit_24h_prep"] == local("2026-12-06 11:00")
    assert when["visit_2h_ride"] == local("2026-12-07 09:00")


def test_a_change_asked_for_on_the_eve_is_called_before_the_dose():
    """R at 18:30 before a dose at 08:00; the clinic opens as it begins."""
    start, now = local("2026-12-10 08:00"), local("2026-12-09 18:30")
    asked_c_or_r = [one for one in questions(start) if one[1].expects == "appointment_reminder"]
    assert len(asked_c_or_r) == 2
    for _, step, resolve in asked_c_or_r:
        (item,) = for_answer(
            step,
            "decline_reschedule",
            now=now,
            staffed=clinic().staffed,
            resolve=resolve,
            about="v1",
        )
        assert now < item.due_at < start


def test_every_change_of_a_visit_is_due_before_it():
    """In each shipped protocol that asks C or R about a visit."""
    changes = [
        rule
        for protocol in shipped().values()
        for step in protocol.steps
        if step.expects == "appointment_reminder"
        for rule in step.on_answer
        if rule.reason == "change_requested"
    ]
    assert len(changes) == 8
    assert all(rule.due is not None for rule in changes)


@pytest.mark.parametrize(
    ("route", "cut_off", "latest"),
    [("iv", 6, "08:00"), ("im", 3, "11:00"), ("lozenge", 3, "11:00"), (None, 6, "08:00")],
)
def test_the_food_text_knows_the_fast_of_its_route(route, cut_off, latest):
    """Its cut-off, its call and the news of a move; nobody entered a route: the longest."""
    place = clinic(fasting_by_route={"im": (3, 2), "lozenge": (3, 1)})
    booked = visit(local("2026-12-09 16:00"), route=route)
    frame = frame_of(enrolled("dosing-visit", booked), patient(), place, booked.booked_at)
    assert frame.base(Anchor.FOOD_CUT_OFF) == booked.starts_at - timedelta(hours=cut_off)
    drinks = 1 if route == "lozenge" else 2
    assert frame.base(Anchor.DRINK_CUT_OFF) == booked.starts_at - timedelta(hours=drinks)
    step = next(one for one in shipped()["dosing-visit"].steps if one.importance is Importance.FOOD)
    assert step.if_not_delivered is not None
    call_by = frame.resolve(step.if_not_delivered.call_by, frame.base(Anchor.FOOD_CUT_OFF))
    assert call_by.astimezone(NEW_YORK).strftime("%H:%M") == latest
    moved = replace(booked, told_start=booked.starts_at, moved_at=booked.booked_at)
    told = frame_of(enrolled("visit-notices", moved), patient(), place, booked.booked_at)
    assert told.base(Anchor.TOLD_TIME) == booked.starts_at - timedelta(hours=cut_off)
