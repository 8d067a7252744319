"""Sharing out the day's texts by care rule 8's order."""

from datetime import date, timedelta

from schedules.caps import share_caps
from schedules.facts import Caps, SentText
from schedules.planner import plan_patient
from schedules.protocol import Importance
from schedules.reasons import SkipReason
from tests.schedules.planning import NEW_YORK, clinic, enrolled, local, patient, visit

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


def test_a_weekly_cap_counts_any_seven_days():
    """Three a week leave the fourth day of check-ins out."""
    facts = enrolled("daily-check-in", day=date(2026, 12, 7))
    caps = clinic(caps=Caps(per_day=2, per_week=3))
    shared = plan_patient([facts], patient(), caps, now=DAY, horizon=timedelta(days=8))
    kept = [text.occurrence for text in shared if text.skip_reason is None]
    assert kept == ["day-1", "day-2", "day-3", "day-8", "day-9"]


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
