"""What one patient's texts of a day leave to each other, by care rule 8's order."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from schedules.caps import share_caps
from schedules.facts import Caps, PlannedText, SentText, VisitStatus
from schedules.planner import plan_patient
from schedules.protocol import Importance
from schedules.reasons import SkipReason
from schedules.reconcile import reconcile
from tests.schedules.planning import (
    NEW_YORK,
    Outbox,
    clinic,
    enrolled,
    local,
    patient,
    visit,
)

DAY = local("2026-12-07 09:00")


def texts(*classes: Importance, day=DAY):
    """Make one text of each class, an hour apart."""
    facts = enrolled("daily-check-in", day=date(2026, 12, 7))
    some = plan_patient([facts], patient(), clinic(), now=day)[0]
    return [
        some._replace(importance=kind, step=str(kind), due_at=day + timedelta(hours=at))
        for at, kind in enumerate(classes)
    ]


def dropped(planned) -> set[str]:
    return {text.step for text in planned if text.skip_reason is SkipReason.CAP}


def test_two_a_day_go_in_the_order_of_importance():
    """The check-in and the booster give way to the visit and the evening check."""
    wanted = texts(Importance.BOOSTER, Importance.CHECK_IN, Importance.VISIT, Importance.AFTER_DOSE)
    shared = share_caps(wanted, sent=(), caps=Caps(), zone=NEW_YORK)
    assert dropped(shared) == {"booster", "check-in"}


def test_a_place_is_kept_for_the_check_after_a_dose_to_come():
    """Nobody knows of it yet, and a nudge or visit text of the morning would be in its place."""
    wanted = texts(Importance.RIDE, Importance.VISIT, Importance.CHECK_IN)
    to_come = frozenset({DAY.date()})
    for some, gone in ((wanted, {"visit", "check-in"}), (wanted[2:], set())):
        shared = share_caps(some, sent=(), caps=Caps(), zone=NEW_YORK, checks_to_come=to_come)
        assert dropped(shared) == gone
    check = texts(Importance.AFTER_DOSE, Importance.VISIT)
    shared = share_caps(check, sent=(), caps=Caps(), zone=NEW_YORK, checks_to_come=to_come)
    assert dropped(shared) == {"visit"}


def test_on_a_dose_day_nothing_lesser_takes_the_evening_s_place():
    """Two visits that day: the second's reminder waits, whatever its hour."""
    dose = visit(local("2026-12-08 12:00"))
    talk = visit(local("2026-12-09 10:00"), id="v2", kind="integration")
    facts = [
        enrolled("after-dose", dose, id="check"),
        enrolled("dosing-visit", dose, id="dose"),
        enrolled("integration", talk, id="talk"),
    ]
    visits = [dose, talk]
    planned = plan_patient(facts, patient(), clinic(), now=DAY, appointments=visits)
    day = {one.step: one.skip_reason for one in planned if one.due_at.day == 8}
    assert day.pop("visit_2h_ride") is None
    assert "followup_24h" in day
    assert set(day.values()) == {SkipReason.CAP}


def test_food_and_ride_are_never_dropped():
    """They stay even where the day is full, and notices do not count."""
    wanted = texts(Importance.NOTICE, Importance.FOOD, Importance.RIDE, Importance.VISIT)
    shared = share_caps(wanted, sent=(), caps=Caps(per_day=1), zone=NEW_YORK)
    assert dropped(shared) == {"visit"}


def test_what_went_uses_up_the_day_and_is_not_counted_again():
    """One text out, so one place is left; the row that went stays untouched."""
    wanted = texts(Importance.VISIT, Importance.CHECK_IN, Importance.BOOSTER)
    out = wanted[2]
    sent = SentText(
        enrollment_id=out.enrollment_id,
        step=out.step,
        occurrence=out.occurrence,
        anchor_at=out.anchor_at,
        at=DAY,
    )
    shared = share_caps(wanted, sent=[sent], caps=Caps(), zone=NEW_YORK)
    assert dropped(shared) == {"check-in"}


def week(*classes: Importance) -> list[PlannedText]:
    """Make one text of each class, a day apart."""
    wanted = texts(*classes)
    return [
        one._replace(step=f"{at}", due_at=DAY + timedelta(days=at)) for at, one in enumerate(wanted)
    ]


def test_a_weekly_cap_counts_any_seven_days():
    """Three a week leave the fourth day of nine out, and the eighth begins anew."""
    wanted = week(*[Importance.VISIT] * 9)
    shared = share_caps(wanted, sent=(), caps=Caps(per_week=3), zone=NEW_YORK)
    assert dropped(shared) == {"3", "4", "5", "6"}
    went = [
        SentText(enrollment_id="e", step="x", occurrence="1", anchor_at=DAY, at=one.due_at)
        for one in wanted[:3]
    ]
    shared = share_caps(wanted[5:], sent=went, caps=Caps(per_week=3), zone=NEW_YORK)
    assert dropped(shared) == {"5", "6"}


def test_the_weeks_places_go_by_importance_and_not_by_who_comes_first():
    """Two reminders before a dose leave a place to the ride, and one to the evening after it."""
    kinds = (Importance.VISIT, Importance.VISIT, Importance.FOOD, Importance.RIDE)
    wanted = week(*kinds, Importance.AFTER_DOSE)
    shared = share_caps(wanted, sent=(), caps=Caps(per_week=3), zone=NEW_YORK)
    assert dropped(shared) == {"0", "1"}
    # Before the dose nobody can plan the evening: its place is kept.
    to_come = {(DAY + timedelta(days=4)).date()}
    shared = share_caps(
        wanted[:4], sent=(), caps=Caps(per_week=3), zone=NEW_YORK, checks_to_come=to_come
    )
    assert dropped(shared) == {"0", "1"}


def test_no_weekly_cap_takes_a_check_in_from_whoever_agreed_to_them():
    """Care rule 8: three a week only without check-in consent; the rest of the plan is theirs."""
    facts = enrolled("daily-check-in", day=date(2026, 12, 7))
    place = clinic(caps=Caps(per_day=2, per_week=3))
    shared = plan_patient([facts], patient(), place, now=DAY, horizon=timedelta(days=8))
    assert [one.skip_reason for one in shared] == [None] * len(shared)
    assert len(shared) == 9


def test_without_check_in_consent_three_texts_a_week_are_the_default():
    """Two visits of a week: the third one's reminders are too many, and the first's are not."""
    days = ("2026-12-09 15:00", "2026-12-10 15:00", "2026-12-11 15:00")
    talks = [visit(local(day), id=day, kind="integration") for day in days]
    facts = [enrolled("integration", each, id=each.id) for each in talks]
    person = patient(purposes=frozenset({"visits"}))
    shared = plan_patient(facts, person, clinic(), now=DAY, appointments=talks)
    assert sum(one.skip_reason is None for one in shared) == 3
    assert dropped(shared)
    free = clinic(caps=Caps(per_week=None))
    assert not dropped(plan_patient(facts, person, free, now=DAY, appointments=talks))
    assert not dropped(plan_patient(facts, patient(), clinic(), now=DAY, appointments=talks))


def test_a_dose_that_nobody_recorded_keeps_no_place_for_ever():
    """The evening of a dose of the day before yesterday is over: its week lacks no place."""
    dose = visit(DAY - timedelta(days=2), id="old", status=VisitStatus.ARRIVED)
    talks = [
        visit(DAY + timedelta(days=at, hours=6), id=f"{at}", kind="integration") for at in (2, 3)
    ]
    facts = [enrolled("after-dose", dose, id="check")]
    facts += [enrolled("integration", each, id=each.id) for each in talks]
    person = patient(purposes=frozenset({"visits", "health_questions"}))
    shared = plan_patient(facts, person, clinic(), now=DAY, appointments=[dose, *talks])
    assert sum(one.skip_reason is None and one.enrollment_id != "check" for one in shared) == 3


def test_a_patient_with_visit_and_check_in_stays_under_two_a_day():
    """The plan of all enrollments together never holds three texts on one day but food and ride."""
    booked = visit(local("2026-12-15 11:00"))
    facts = [
        enrolled("dosing-visit", booked),
        enrolled("daily-check-in", day=date(2026, 12, 7), id="e2"),
    ]
    shared = plan_patient(facts, patient(), clinic(), now=DAY, appointments=[booked])
    days: dict[date, int] = {}
    for text in shared:
        if text.skip_reason is None:
            day = text.due_at.astimezone(NEW_YORK).date()
            days[day] = days.get(day, 0) + 1
    assert max(days.values()) <= 2


def doses(*visits, now=DAY, **settings):
    """Plan the dosing visits of one patient."""
    facts = [enrolled("dosing-visit", each, id=f"e-{each.id}") for each in visits]
    return plan_patient(facts, patient(), clinic(**settings), now=now, appointments=visits)


def told(texts, step):
    """Give of which starts a step speaks that day."""
    return [
        text.anchor_at.astimezone(NEW_YORK).strftime("%H:%M")
        for text in texts
        if text.step == step and text.skip_reason is None
    ]


NINE = visit(local("2026-12-15 09:00"), id="v9")
ELEVEN = visit(local("2026-12-15 11:00"), id="v11")
BEFORE_A_DOSE = ("visit_7d", "visit_48h", "visit_24h_prep", "visit_2h_ride")


def test_two_doses_of_a_day_get_one_text_of_each_kind_for_the_earlier():
    """Two food texts would name two last meals; whichever enrollment comes first in the list."""
    for visits in ((NINE, ELEVEN), (ELEVEN, NINE)):
        texts = doses(*visits)
        assert [told(texts, step) for step in BEFORE_A_DOSE] == [["09:00"]] * 4
        assert {str(one.skip_reason) for one in texts if one.enrollment_id == "e-v11"} == {
            "same_day"
        }
    other_day = replace(ELEVEN, starts_at=ELEVEN.starts_at + timedelta(days=1))
    assert "same_day" not in {str(one.skip_reason) for one in doses(NINE, other_day)}


@pytest.mark.parametrize(
    ("lozenge", "food_of_the_first"), [((2, 0), "same_day"), ((2, 1), "two_fasts")]
)
def test_of_two_doses_of_a_day_the_longer_fast_is_told(lozenge, food_of_the_first):
    """By the clock the later one's food ends first: all else is told for the first dose."""
    first = replace(NINE, route="lozenge", starts_at=local("2026-12-15 13:00"))
    later = replace(ELEVEN, starts_at=local("2026-12-15 15:00"))
    for visits in ((first, later), (later, first)):
        texts = doses(*visits, fasting_by_route={"lozenge": lozenge})
        assert [told(texts, step) for step in BEFORE_A_DOSE] == [
            *(["13:00"], ["13:00"], ["15:00"], ["13:00"])
        ]
        not_told = {one.enrollment_id: str(one.skip_reason) for one in texts if one.skip_reason}
        assert not_told == {"e-v9": food_of_the_first, "e-v11": "same_day"}


@pytest.mark.parametrize("status", [VisitStatus.CANCELLED, VisitStatus.NO_SHOW])
def test_the_later_dose_speaks_for_itself_when_the_earlier_is_gone(status):
    """Cancelled or missed: nobody else tells of the later one."""
    texts = doses(replace(NINE, status=status), ELEVEN)
    assert [told(texts, step) for step in BEFORE_A_DOSE] == [["11:00"]] * 4


@pytest.mark.parametrize("when", ["2026-12-14 23:30", "2026-12-15 08:30", "2026-12-15 09:30"])
def test_the_later_dose_asks_nothing_anew_once_the_earlier_has_been_told(when):
    """Past the useful time of the earlier one's text, and after the patient arrived."""
    came = replace(NINE, status=VisitStatus.ARRIVED, arrived_at=local("2026-12-15 08:20"))
    for first in (NINE, came):
        texts = doses(first, ELEVEN, now=local(when))
        later = [one for one in texts if one.enrollment_id == "e-v11"]
        assert {one.skip_reason for one in later} == {SkipReason.SAME_DAY}


def test_rows_of_the_later_dose_come_back_once_and_in_time_or_become_a_call():
    """Two plans of the same facts write nothing; too late for the text, its reason says so."""
    box, now = Outbox(), DAY

    def goes_on(first, now):
        mine = [one for one in doses(first, ELEVEN, now=now) if one.enrollment_id == "e-v11"]
        changes = reconcile(mine, list(box.rows.values()), now)
        box.apply(changes)
        return changes

    assert goes_on(NINE, now)
    assert not goes_on(NINE, now)
    food = "visit_24h_prep/1/1"
    assert (box.rows[food].status, box.rows[food].reason) == ("skipped", "same_day")
    gone = replace(NINE, status=VisitStatus.CANCELLED)
    assert goes_on(gone, now)
    assert box.rows[food].status == "planned"
    assert goes_on(NINE, now)
    assert box.rows[food].reason == "same_day"
    late = local("2026-12-15 02:00")
    assert goes_on(gone, late)
    assert box.rows[food].reason == "too_late"
    assert not goes_on(gone, late)
