"""Stories of the planner: who, when, what goes out, and what does not and why."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from schedules.facts import (
    AskedFacts,
    Dose,
    EnrollmentStatus,
    PatientStatus,
    SentText,
    VisitStatus,
)
from schedules.loader import load
from schedules.planner import plan, plan_patient
from schedules.protocol import Importance
from schedules.reasons import CancelReason, MoveReason, SkipReason, in_plain_words
from tests.schedules.planning import (
    ALL_PURPOSES,
    HONOLULU,
    LORD_HOWE,
    NEW_YORK,
    PHOENIX,
    clinic,
    enrolled,
    going,
    local,
    patient,
    skipped,
    visit,
    wall,
)

TUESDAY = local("2026-12-08 13:00")
AHEAD = timedelta(days=12)


def dosing(starts=TUESDAY, *, now=None, person=None, place=None, **changes):
    appointment = visit(starts, **changes)
    now = now or starts - AHEAD
    facts = enrolled("dosing-visit", appointment)
    return plan(facts, person or patient(), place or clinic(), now=now)


def test_a_dosing_visit_is_reminded_four_times():
    """An IV dose on a Tuesday at 13:00 gets week, health, food and ride texts."""
    assert going(dosing()) == {
        "visit_7d": "Tue 01 10:00",
        "visit_48h": "Sun 06 13:00",
        "visit_24h_prep": "Mon 07 13:00",
        "visit_2h_ride": "Tue 08 10:00",  # Not 11:00: the lunch break leaves one staffed hour.
    }


def test_a_monday_visit_asks_for_health_news_on_friday():
    """Four staffed hours must follow the question, and the weekend has none (care rule 4)."""
    texts = {text.step: text for text in dosing(local("2026-12-07 08:00"))}
    assert wall(texts["visit_48h"]) == "Fri 04 13:00"
    assert not texts["visit_48h"].short_staffed
    assert wall(texts["visit_24h_prep"]) == "Sun 06 09:00"
    assert texts["visit_24h_prep"].short_staffed


def test_an_early_visit_asks_about_the_ride_the_afternoon_before():
    """At 06:00 nobody is texted, so the question goes the day before in its own words (rule 3)."""
    ride = next(t for t in dosing(local("2026-12-08 08:00")) if t.step == "visit_2h_ride")
    assert (ride.template, wall(ride)) == ("visit_eve_ride", "Mon 07 15:00")
    assert ride.moved_reason is MoveReason.OTHER_FORM
    assert ride.latest_at < local("2026-12-08 00:00")


def test_a_food_text_never_leaves_the_day_before():
    """A visit at 23:00 has its food text at 19:59 the day before, not the next morning."""
    late = dosing(local("2026-12-08 23:00"), place=clinic(staffed=False))
    food = next(text for text in late if text.step == "visit_24h_prep")
    assert wall(food) == "Mon 07 19:59"
    assert food.latest_at <= local("2026-12-08 00:00")


def test_a_food_text_with_no_true_minute_is_skipped_with_its_reason():
    """Booked at 21:00 the evening before, there is no allowed minute left before midnight."""
    booked = local("2026-12-07 21:00")
    texts = dosing(local("2026-12-08 10:00"), booked_at=booked, now=booked)
    assert skipped(texts)["visit_24h_prep"] == "late_booking"
    assert going(texts) == {"visit_2h_ride": "Tue 08 09:00"}


def test_a_late_booking_sends_the_useful_text_once_and_no_burst():
    """Booked 30 hours ahead: the week text is skipped, health news goes at once, the rest waits."""
    booked = TUESDAY - timedelta(hours=30)
    texts = dosing(booked_at=booked, now=booked)
    assert skipped(texts) == {"visit_7d": "late_booking"}
    assert going(texts) == {
        "visit_48h": "Mon 07 09:00",
        "visit_24h_prep": "Mon 07 13:00",
        "visit_2h_ride": "Tue 08 10:00",
    }


def test_two_late_texts_never_go_together():
    """Of two texts that a late booking would send at once, the more important one goes."""
    text = """
id: two
title: Two
for: {visit: dosing}
purpose: visits
importance: visit
steps:
  - {id: a, template: a, when: 3 days before visit start at 10:00, latest: 2 hours before visit start, late_booking: send at once}
  - {id: b, template: b, when: 2 days before visit start at 10:00, latest: 2 hours before visit start, late_booking: send at once, importance: food}
"""  # noqa: E501
    booked = TUESDAY - timedelta(hours=27)
    facts = enrolled(load(text, "two.yaml"), visit(TUESDAY, booked_at=booked))
    texts = plan(facts, patient(), clinic(), now=booked)
    assert going(texts) == {"b": "Mon 07 10:00"}
    assert skipped(texts) == {"a": "late_booking"}


def test_an_overdue_text_is_not_a_late_booking():
    """When the worker was down over the due minute, the text is still wanted at that minute."""
    texts = dosing(now=local("2026-12-06 15:00"))
    assert going(texts)["visit_48h"] == "Sun 06 13:00"


def test_a_confirmation_ends_only_requests_to_confirm():
    """Health news, food and ride go whatever was confirmed (care rule 1)."""
    texts = dosing(confirmed_start=TUESDAY)
    assert skipped(texts) == {"visit_7d": "confirmed"}
    assert set(going(texts)) == {"visit_48h", "visit_24h_prep", "visit_2h_ride"}


def test_a_confirmation_of_another_start_counts_for_nothing():
    """A moved visit is asked about again."""
    assert skipped(dosing(confirmed_start=TUESDAY - timedelta(days=1))) == {}


def test_a_wish_to_change_holds_every_reminder():
    """After R nothing goes until staff decide (care rule 1)."""
    assert set(skipped(dosing(change_requested=True)).values()) == {"change_requested"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": VisitStatus.CANCELLED}, SkipReason.VISIT_CANCELLED),
        ({"status": VisitStatus.NO_SHOW}, SkipReason.NO_SHOW),
        ({"arrived_at": TUESDAY}, SkipReason.ARRIVED),
    ],
)
def test_the_state_of_a_visit_stops_its_reminders(changes, reason):
    """Each state names itself as the reason."""
    assert set(skipped(dosing(**changes)).values()) == {reason}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": PatientStatus.HELD}, SkipReason.PATIENT_HELD),
        ({"status": PatientStatus.CLOSED}, SkipReason.PATIENT_CLOSED),
        ({"opted_out": True}, SkipReason.OPTED_OUT),
        ({"purposes": frozenset({"check_ins"})}, SkipReason.NO_CONSENT),
    ],
)
def test_the_state_of_a_patient_stops_texts(changes, reason):
    """Each state names itself as the reason, in a sentence too."""
    texts = dosing(person=patient(**changes))
    assert set(skipped(texts).values()) == {reason}
    assert in_plain_words(reason) != reason


def test_an_ended_enrollment_wants_nothing():
    """A withdrawn patient's texts all end."""
    facts = enrolled("daily-check-in", day=date(2026, 12, 1), status=EnrollmentStatus.WITHDRAWN)
    texts = plan(facts, patient(), clinic(), now=local("2026-12-01 08:00"))
    assert {text.skip_reason for text in texts} == {SkipReason.ENROLLMENT_ENDED}


def test_the_evening_check_needs_a_recorded_dose():
    """A booked visit is followed by nothing, nor is an arrived one before closing (care rule 6)."""
    here = {"status": VisitStatus.ARRIVED, "arrived_at": TUESDAY}
    for changes in ({}, here, {"checked_out_at": TUESDAY, "dose": Dose.NOT_GIVEN}):
        facts = enrolled("after-dose", visit(TUESDAY, **changes))
        assert plan(facts, patient(), clinic(), now=TUESDAY) == []


HERE = {"status": VisitStatus.ARRIVED, "arrived_at": TUESDAY}
LEFT = {"status": VisitStatus.CHECKED_OUT, "checked_out_at": TUESDAY}


def after_closing(changes, now="2026-12-08 17:00", starts=TUESDAY, **more):
    facts = enrolled("after-dose", visit(starts, **changes), **more)
    return plan(facts, patient(), clinic(), now=local(now))


@pytest.mark.parametrize("changes", [HERE, LEFT, {"status": VisitStatus.FULFILLED}])
def test_whoever_came_is_asked_at_closing_if_nobody_recorded_how_it_ended(changes):
    """Arrived, or left without a word of a dose: care rule 6's evening check, at five."""
    assert after_closing(changes, "2026-12-08 16:59") == []
    [text] = after_closing(changes)
    assert (text.step, text.template, wall(text)) == (
        "evening_unrecorded", "after_evening", "Tue 08 17:00"
    )  # fmt: skip
    assert (text.skip_reason, text.expects) == (None, "side_effect_check")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": VisitStatus.NO_SHOW},
        {"status": VisitStatus.CANCELLED},
        {**LEFT, "dose": Dose.NOT_GIVEN},
        {**HERE, "dose": Dose.NOT_GIVEN},
    ],
)
def test_nobody_is_asked_at_closing_who_did_not_come_or_of_whom_all_is_known(changes):
    """Booked, missed, cancelled, or recorded as without a dose."""
    assert after_closing(changes) == []


def test_a_recorded_dose_leaves_the_evening_to_the_check_out():
    """The usual two questions, and not a third."""
    texts = after_closing({**LEFT, "dose": Dose.GIVEN})
    assert [text.step for text in texts] == ["after_evening", "after_morning"]


def test_a_visit_that_ends_late_or_on_a_closed_day_is_asked_about_half_an_hour_after_its_end():
    """The closing is over by then, or there is none: Tuesday until seven, Saturday until two."""
    [late] = after_closing(HERE, "2026-12-08 19:30", local("2026-12-08 17:00"))
    assert wall(late) == "Tue 08 19:30"
    saturday = local("2026-12-12 12:00")
    assert after_closing(HERE, "2026-12-12 14:29", saturday) == []
    [text] = after_closing(HERE, "2026-12-12 14:30", saturday)
    assert wall(text) == "Sat 12 17:00"


def test_a_past_visit_that_becomes_known_later_asks_nobody_about_tonight():
    """An import of yesterday's visits, or a protocol that was switched on since."""
    since = local("2026-12-09 07:00")
    assert after_closing(HERE, "2026-12-09 07:00", enrolled_at=since) == []
    # One that was known is a call, since nothing went that evening.
    [text] = after_closing(HERE, "2026-12-09 07:00")
    assert text.skip_reason is SkipReason.TOO_LATE


@pytest.mark.parametrize(("reached", "skip"), [(True, SkipReason.SAME_DAY), (False, None)])
def test_a_check_out_recorded_after_the_question_asks_anew_only_if_that_one_came_back(
    reached, skip
):
    """The same words twice in an evening are two questions for one answer."""
    at = local("2026-12-08 17:00")
    name = {"enrollment_id": "e1", "step": "evening_unrecorded", "occurrence": "1"}
    asked = AskedFacts(**name, round=1, asked_at=at, reached=reached)
    went = SentText(**name, anchor_at=TUESDAY, at=at)
    done = visit(TUESDAY, **LEFT, dose=Dose.GIVEN)
    evening, morning = plan_patient(
        [enrolled("after-dose", done)], patient(), clinic(), now=local("2026-12-08 17:10"),
        events=[asked], sent=[went],
    )  # fmt: skip
    assert (evening.step, evening.skip_reason) == ("after_evening", skip)
    assert morning.skip_reason is None


def test_the_question_at_closing_takes_one_place_of_the_day_and_not_two():
    """A place is kept for the evening's check of a dose that nobody recorded: that one is it."""
    here = visit(TUESDAY, **HERE)
    talk = visit(local("2026-12-08 21:00"), id="talk", kind="integration")
    facts = [enrolled("after-dose", here), enrolled("integration", talk, id="e2")]
    texts = plan_patient(
        facts, patient(), clinic(), now=local("2026-12-08 17:00"), appointments=[here, talk]
    )
    day = {one.step: one.skip_reason for one in texts if wall(one).startswith("Tue 08")}
    assert day["evening_unrecorded"] is None
    assert day["followup_2h"] is None


@pytest.mark.parametrize(
    ("out", "due"),
    [("11:00", "17:00"), ("13:30", "17:30"), ("17:00", "19:45"), ("19:50", "19:50")],
)
def test_the_evening_check_goes_four_hours_after_check_out(out, due):
    """It is held between 17:00 and 19:45 of the same day, and never before the check-out."""
    at = local(f"2026-12-08 {out}")
    done = visit(TUESDAY, checked_out_at=at, dose=Dose.PARTIAL, status=VisitStatus.CHECKED_OUT)
    text, morning = plan(enrolled("after-dose", done), patient(), clinic(), now=at)
    assert (wall(text), text.skip_reason) == (f"Tue 08 {due}", None)
    assert (wall(morning), morning.template) == ("Wed 09 09:30", "after_morning")
    # A digit can then answer only one of the two.
    assert text.answer_until is not None
    assert text.answer_until < morning.due_at


def test_a_check_out_after_the_evening_gets_no_evening_check():
    """At 20:30 the text could only come at night or the next day."""
    at = local("2026-12-08 20:30")
    done = visit(TUESDAY, checked_out_at=at, dose=Dose.GIVEN, status=VisitStatus.CHECKED_OUT)
    text, morning = plan(enrolled("after-dose", done), patient(), clinic(), now=at)
    assert text.skip_reason is SkipReason.NO_ALLOWED_MINUTE
    assert morning.skip_reason is None


def check_ins(day=date(2026, 12, 1), *, person=None, now=None, **more):
    facts = enrolled("daily-check-in", day=day)
    return plan(facts, person or patient(), clinic(), now=now or local("2026-12-01 08:00"), **more)


def test_check_ins_come_daily_at_five_for_two_weeks():
    """Fourteen days at 17:00, numbered from the first."""
    texts = check_ins()
    assert [text.occurrence for text in texts] == [f"day-{n}" for n in range(1, 15)]
    assert {wall(text)[-5:] for text in texts} == {"17:00"}


def test_a_patient_chooses_the_hour():
    """Their hour wins; outside the window the nearest allowed minute of that day is taken."""
    assert wall(check_ins(person=patient(check_in_time=time(18, 30)))[0]) == "Tue 01 18:30"
    late = check_ins(person=patient(check_in_time=time(22)))[0]
    assert (wall(late), late.moved_reason) == ("Tue 01 19:59", MoveReason.WINDOW)


def test_enrolling_after_the_hour_skips_that_day():
    """The first question of someone enrolled at 18:00 comes the next day."""
    facts = enrolled("daily-check-in", day=date(2026, 12, 1), enrolled_at=local("2026-12-01 18:00"))
    texts = plan(facts, patient(), clinic(), now=local("2026-12-01 18:00"))
    assert texts[0].skip_reason is SkipReason.LATE_BOOKING
    assert wall(texts[1]) == "Wed 02 17:00"


def test_a_dose_day_has_no_check_in_until_the_dose_is_off():
    """The evening text takes its place; a dose not given brings the check-in back (rule 8)."""
    dose = visit(local("2026-12-03 10:00"))
    texts = check_ins(appointments=[dose])
    assert skipped(texts) == {"daily_0_10": "dose_day"}
    assert len(going(texts)) == 1
    off = visit(local("2026-12-03 10:00"), dose=Dose.NOT_GIVEN)
    assert skipped(check_ins(appointments=[off])) == {}


def test_a_pause_stops_check_ins_and_no_visit_text():
    """PAUSE is about check-ins only (care rule 20)."""
    person = patient(paused_until=local("2026-12-08 09:00"))
    reasons = [text.skip_reason for text in check_ins(person=person)]
    assert reasons == [SkipReason.PAUSED] * 7 + [None] * 7
    assert skipped(dosing(person=person)) == {}


def test_check_ins_rest_from_a_text_of_staff_on():
    """And not before it goes."""
    person = patient(conversation_since=local("2026-12-08 09:00"))
    reasons = [text.skip_reason for text in check_ins(person=person)]
    assert reasons == [None] * 7 + [SkipReason.PAUSED] * 7


def test_the_check_after_a_dose_rests_in_a_crisis_alone():
    """No pause of the patient's, and no visit text for either (care rules 10, 20)."""
    dose = visit(local("2026-12-03 10:00"), status=VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    dose = replace(dose, checked_out_at=local("2026-12-03 12:00"))
    facts, now = enrolled("after-dose", dose), local("2026-12-03 12:00")
    calm = patient(paused_until=local("2026-12-08 09:00"))
    assert skipped(plan(facts, calm, clinic(), now=now)) == {}
    crisis = skipped(plan(facts, patient(in_crisis=True), clinic(), now=now))
    assert crisis == {"after_evening": "paused", "after_morning": "paused"}
    assert skipped(dosing(person=patient(in_crisis=True))) == {}


def test_questions_wait_until_the_number_is_proved():
    """Visit texts go; check-ins wait (care rule 26)."""
    person = patient(proved=False)
    assert set(skipped(check_ins(person=person)).values()) == {"number_unproved"}
    assert skipped(dosing(person=person)) == {}


def asked(at: str, **changes) -> AskedFacts:
    facts = {"enrollment_id": "e1", "step": "daily_0_10", "occurrence": "day-1", "round": 1}
    return AskedFacts(**(facts | {"asked_at": local(at)} | changes))


def test_an_unanswered_check_in_is_nudged_once_after_two_hours():
    """The nudge hangs on the question that went out."""
    texts = check_ins(events=[asked("2026-12-01 17:00")], now=local("2026-12-01 17:05"))
    (nudge,) = (text for text in texts if text.nudge_for)
    assert (nudge.step, nudge.template, wall(nudge)) == (
        "daily_0_10.nudge",
        "checkin_missed",
        "Tue 01 19:00",
    )


def test_a_nudge_outside_the_window_goes_at_ten_next_day():
    """Care rule 19."""
    texts = check_ins(events=[asked("2026-12-01 18:30")], now=local("2026-12-01 18:31"))
    (nudge,) = (text for text in texts if text.nudge_for)
    assert wall(nudge) == "Wed 02 10:00"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answered": True}, SkipReason.ANSWERED),
        ({"reached": False}, SkipReason.NOT_REACHED),
    ],
)
def test_a_nudge_is_for_silence_only(changes, reason):
    """An answer, or a question that did not arrive, ends the nudge."""
    texts = check_ins(events=[asked("2026-12-01 17:00", **changes)])
    (nudge,) = (text for text in texts if text.nudge_for)
    assert nudge.skip_reason is reason


def test_in_person_visits_count_days_at_the_clinic_and_virtual_ones_at_home():
    """A patient in Honolulu is reminded of a New York visit on the day before there."""
    start = local("2026-12-08 13:00")
    facts = {"kind": "integration"}
    in_person = enrolled("integration", visit(start, **facts))
    texts = plan(in_person, patient(HONOLULU), clinic(staffed=False), now=start - AHEAD)
    # 13:00 on Monday in New York is 08:00 in Honolulu: the nearest allowed minute is 09:00 there.
    assert going(texts)["followup_24h"] == "Mon 07 14:00"
    # On Tuesday 11:00 is 06:00 there, and 09:00 there comes after the visit has begun.
    assert going(texts)["followup_eve"] == "Mon 07 16:00"
    virtual = enrolled("integration", visit(start, modality="virtual", **facts))
    texts = plan(virtual, patient(HONOLULU), clinic(staffed=False), now=start - AHEAD)
    assert going(texts, HONOLULU)["followup_24h"] == "Mon 07 09:00"


def test_an_unknown_zone_gets_only_hours_allowed_in_all():
    """From New York to Honolulu the common hours are 14:00 to 20:00 in New York."""
    texts = dosing(person=patient(None), place=clinic(staffed=False))
    assert going(texts)["visit_7d"] == "Tue 01 14:00"


@pytest.mark.parametrize(
    ("zone", "first", "expected"),
    [
        (NEW_YORK, date(2026, 3, 7), timedelta(hours=23)),
        (NEW_YORK, date(2026, 10, 31), timedelta(hours=25)),
        (PHOENIX, date(2026, 3, 7), timedelta(hours=24)),
        (HONOLULU, date(2026, 3, 7), timedelta(hours=24)),
        (LORD_HOWE, date(2026, 4, 4), timedelta(hours=24, minutes=30)),
        (LORD_HOWE, date(2026, 10, 3), timedelta(hours=23, minutes=30)),
    ],
)
def test_check_ins_keep_their_wall_clock_over_a_change(zone, first, expected):
    """17:00 stays 17:00, whatever the day's length; half an hour on Lord Howe."""
    now = datetime.combine(first, time(8), tzinfo=zone)
    texts = check_ins(day=first, person=patient(zone), now=now)
    assert {text.due_at.astimezone(zone).time() for text in texts} == {time(17)}
    assert texts[1].due_at - texts[0].due_at == expected


def test_occurrences_beyond_the_horizon_wait():
    """A visit in a month has no rows yet."""
    assert dosing(now=TUESDAY - timedelta(days=30), booked_at=TUESDAY - timedelta(days=40)) == []


def test_what_is_long_over_is_left_alone():
    """On the day of the visit the week's text is history, and no new row is wanted for it."""
    texts = dosing(now=local("2026-12-08 09:00"))
    assert "visit_7d" not in {text.step for text in texts}


def test_steps_can_count_from_another_step():
    """The second text follows the first one's day, and is skipped with it."""
    text = """
id: chain
title: Chain
for: {visit: assessment}
purpose: visits
importance: visit
steps:
  - {id: later, template: b, when: 1 day after step first at 11:00, latest: 8 hours after sending}
  - {id: first, template: a, when: 3 days before visit start at 10:00, latest: 2 hours after sending, only_if: virtual}
"""  # noqa: E501
    protocol = load(text, "chain.yaml")
    virtual = enrolled(protocol, visit(TUESDAY, modality="virtual"))
    texts = plan(virtual, patient(), clinic(), now=TUESDAY - AHEAD)
    assert going(texts) == {"a": "Sat 05 10:00", "b": "Sun 06 11:00"}
    texts = plan(enrolled(protocol, visit(TUESDAY)), patient(), clinic(), now=TUESDAY - AHEAD)
    assert skipped(texts) == {"first": "not_meant", "later": "step_skipped"}


def test_every_reason_has_a_sentence():
    """No coordinator reads a code."""
    for reason in (*SkipReason, *CancelReason, *MoveReason):
        assert in_plain_words(reason).endswith(".")


def test_importance_gives_the_order_of_care_rule_8():
    """Moved and cancelled before food, food before ride, and so on; 0 is left to safety."""
    order = sorted(Importance, key=lambda one: one.priority)
    assert order == list(Importance)
    assert order[0].priority > 0


def test_purposes_are_the_words_of_the_patients_file():
    """A step's purpose is compared with the consent as it is written."""
    assert frozenset({"visits", "check_ins", "health_questions"}) == ALL_PURPOSES
