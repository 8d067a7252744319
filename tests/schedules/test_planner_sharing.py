"""What patients of one clinic share while they are planned, and what stays each one's own."""

from dataclasses import replace
from datetime import date, time, timedelta

from schedules.loader import shipped
from schedules.planner import plan
from schedules.protocol import Anchor, Moment
from schedules.reasons import SkipReason
from schedules.sharing import MOST_DAYS, MOST_LIKES, SharedDays
from schedules.windows import SendWindow
from tests.schedules.planning import NEW_YORK, clinic, enrolled, going, local, patient, wall

DAY = date(2026, 12, 7)
MORNING = local("2026-12-07 09:00")


def asked(place, person, *, now=MORNING, day=DAY, **more):
    """Plan the daily check-in of one patient; give its texts."""
    facts = enrolled("daily-check-in", day=day, enrolled_at=now, **more)
    return plan(facts, person, place, now=now)


def test_patients_of_one_clinic_keep_their_own_hours():
    """One asked at five, one at an hour of their own, one within safe hours: none is another's."""
    place = clinic()
    people = {
        "17:00": patient(),
        "11:30": replace(patient(), check_in_time=time(11, 30)),
        "12:59": replace(patient(), window=SendWindow(opens=time(9), closes=time(13))),
    }
    for _ in range(2):
        for clock, person in people.items():
            texts = asked(place, person)
            assert len(texts) == 14
            assert {wall(text)[-5:] for text in texts} == {clock}


def test_who_was_enrolled_after_the_hour_is_late_whoever_was_asked_in_time():
    """The minute of a day is shared, and whether it came too early for a patient is not."""
    place = clinic()
    evening = local("2026-12-07 17:30")
    assert asked(place, patient())[0].skip_reason is None
    [late, next_day] = asked(place, patient(), now=evening)[:2]
    assert late.skip_reason is SkipReason.LATE_BOOKING
    assert next_day.skip_reason is None


def test_days_are_counted_from_each_patient_s_own_first_day():
    """Enrolled two days apart: one minute is day 3 for the first and day 1 for the second."""
    place = clinic()
    first = asked(place, patient())
    later = asked(place, patient(), now=MORNING + timedelta(days=2), day=DAY + timedelta(days=2))
    assert (first[2].due_at, first[2].occurrence) == (later[0].due_at, "day-3")
    assert later[0].occurrence == "day-1"
    assert first[2].anchor_at != later[0].anchor_at


def test_a_window_that_counts_from_another_day_is_each_patient_s_own():
    """Two with quit dates of their own are planned together as each would be alone."""
    daily = shipped()["daily-check-in"]
    [step] = daily.steps
    closes = Moment(anchor=Anchor.QUIT_DATE, days=30, clock=time(12))
    protocol = replace(daily, steps=(replace(step, answer_until=closes),))
    place = clinic()
    people = [patient(quit_date=DAY + timedelta(days=days)) for days in (1, 8)]

    def planned(person, place):
        return plan(enrolled(protocol, day=DAY, enrolled_at=MORNING), person, place, now=MORNING)

    together = [planned(person, place) for person in people]
    assert together == [planned(person, clinic()) for person in people]
    first, second = (texts[0].answer_until for texts in together)
    assert second - first == timedelta(days=7)


def test_other_settings_of_a_clinic_begin_with_nothing_remembered():
    """A window that staff narrowed holds from the next plan on."""
    place = clinic()
    asked(place, patient())
    narrow = replace(place, window=SendWindow(opens=time(9), closes=time(12)))
    assert {wall(text)[-5:] for text in asked(narrow, patient())} == {"11:59"}
    assert going(asked(place, patient()), NEW_YORK)


def test_what_is_shared_stays_within_bounds():
    """A worker that plans for years does not grow."""
    shared: SharedDays[int] = SharedDays()
    for number in range(3 * MOST_LIKES):
        for _ in range(3):
            shared.of(number)[DAY + timedelta(days=number)] = number
    assert len(shared) <= MOST_LIKES
    for number in range(3 * MOST_DAYS):
        shared.of("one")[DAY + timedelta(days=number)] = number
    assert len(shared.of("one")) <= MOST_DAYS
