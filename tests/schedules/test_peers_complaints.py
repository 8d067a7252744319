"""What users of other reminder systems complained about, proved of the planner by itself.

Each test is named after its thread; `tests/complaints.csv` lists them all.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedules.facts import VisitStatus
from schedules.loader import load
from schedules.planner import plan, plan_patient
from schedules.reasons import SkipReason, in_plain_words
from schedules.windows import SendWindow
from tests.schedules.planning import (
    HONOLULU,
    NEW_YORK,
    PHOENIX,
    Outbox,
    clinic,
    enrolled,
    going,
    local,
    patient,
    skipped,
    visit,
    wall,
)

LONDON = ZoneInfo("Europe/London")
START = local("2026-12-08 13:00")
BOOKED = START - timedelta(days=12)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ALL_DAY = SendWindow(opens=time(0), closes=time(0))
HEAD = "id: own\ntitle: Own\nfor: {visit: dosing}\npurpose: visits\nimportance: visit\nsteps:\n"
VISIT_PROTOCOLS = [("dosing-visit", "dosing"), ("integration", "integration")]


def own(*steps: str):
    return load(HEAD + "".join(f"  - {{{step}}}\n" for step in steps), "own.yaml")


def dosing(start=START, *, now=None, person=None, place=None, **changes):
    booked = {"booked_at": start - timedelta(days=12)} | changes
    facts = enrolled("dosing-visit", visit(start, **booked))
    return plan(facts, person or patient(), place or clinic(), now=now or booked["booked_at"])


def lived(appointment, *, start, end, every=HOUR, protocol="dosing-visit", outage=None):
    """Plan and send every so often; give what went, as (template, when)."""
    box, went, now = Outbox(), [], start
    while now <= end:
        if outage is None or not outage[0] <= now < outage[1]:
            box.plan(enrolled(protocol, appointment), patient(), clinic(), now)
            went += [(template, now) for template in box.send_due(now)]
        now += every
    return box, went


# --- after the visit, at night


@pytest.mark.parametrize(("protocol", "kind"), VISIT_PROTOCOLS)
def test_rdv_4351_no_reminder_is_useful_after_the_visit_began(protocol, kind):
    """Provider outage, reminders after the appointment had ended: rdv-service-public#4351."""
    for hour in range(24):
        start = local(f"2026-12-08 {hour:02}:00")
        facts = enrolled(protocol, visit(start, kind=kind, booked_at=start - 12 * DAY))
        for text in plan(facts, patient(), clinic(), now=start - 12 * DAY):
            assert text.skip_reason is not None or text.latest_at < start


def test_va_gov_26634_a_backlog_after_an_outage_is_not_sent_late_and_not_silently_lost():
    """Backlog sent at 22:57 and next morning: va.gov-team#26634; outdated after resume: Spoke#1293.

    Nothing ran from Sunday noon to Tuesday noon; the visit began at 11.
    """
    start = local("2026-12-08 11:00")
    down = (local("2026-12-06 10:00"), local("2026-12-08 12:00"))
    booked = visit(start, booked_at=BOOKED)
    box, went = lived(booked, start=BOOKED, end=start + DAY, outage=down)
    assert all(at < start for _, at in went)
    assert set(box.statuses().values()) <= {"delivered", "expired", "skipped"}
    assert "expired" in box.statuses().values()


@pytest.mark.parametrize("zone", [NEW_YORK, PHOENIX, HONOLULU, LONDON, ZoneInfo("Asia/Kolkata")])
def test_citygram_246_no_text_is_due_at_three_in_the_morning(zone):
    """Texts at 22:57, 3:03 and 4:40: va.gov-team#136575, citygram#246, #78, omnigolive#27.

    Hours were asked for in rapidpro#977, #1570, #5492.
    """
    for hour in range(24):
        start = local(f"2026-12-08 {hour:02}:30")
        for text in dosing(start, person=patient(zone)):
            local_hour = text.due_at.astimezone(zone).hour
            assert text.skip_reason is not None or 9 <= local_hour < 20


def test_rapidpro_1074_hours_are_the_patients_and_not_the_clinics():
    """Zone of the workspace only: rapidpro#1074; PST for everybody: medplum, Osmind."""
    texts = dosing(person=patient(HONOLULU), place=clinic(staffed=False))
    assert wall(next(t for t in texts if t.step == "visit_7d"), HONOLULU) == "Tue 01 09:00"


def test_novu_9126_a_closed_hour_defers_and_does_not_skip():
    """Quiet hours that skip: novu#9126; held texts looked at each 15 min: commcare-hq#27900."""
    step = "id: a, template: a, when: 30 hours before visit start, latest: at visit start"
    (text,) = plan(enrolled(own(step), visit(START)), patient(), clinic(), now=BOOKED)
    assert (wall(text), text.skip_reason) == ("Mon 07 09:00", None)


# --- moved and cancelled visits


def test_cal_com_6905_a_moved_visit_takes_its_texts_along():
    """Rescheduling does not cancel the text of the old time: cal.com#6905."""
    box = Outbox()
    box.plan(enrolled("dosing-visit", visit(START, booked_at=BOOKED)), patient(), clinic(), BOOKED)
    moved = visit(START + 2 * DAY, booked_at=BOOKED, moved_at=BOOKED + DAY)
    box.plan(enrolled("dosing-visit", moved), patient(), clinic(), BOOKED + DAY)
    assert {row.anchor_at for row in box.rows.values()} == {START + 2 * DAY}
    assert box.rows["visit_24h_prep/1/1"].due_at == local("2026-12-09 13:00")
    assert len(box.rows) == 4


def test_cht_3634_a_text_about_the_old_time_is_never_sent_after_the_move():
    """The date is read once, when the text is made: cht-core#3634."""
    box = Outbox()
    box.plan(enrolled("dosing-visit", visit(START, booked_at=BOOKED)), patient(), clinic(), BOOKED)
    due = box.rows["visit_48h/1/1"].due_at
    moved = visit(START + 4 * DAY, booked_at=BOOKED, moved_at=due - HOUR)
    box.plan(enrolled("dosing-visit", moved), patient(), clinic(), due - HOUR)
    assert "visit_48h" not in box.send_due(due)


def test_cal_diy_6973_a_cancelled_visit_sends_nothing_more():
    """Sent for cancelled bookings: cal.diy#6973, #7225, novu#2937, rdv-service-public#3144."""
    box = Outbox()
    box.plan(enrolled("dosing-visit", visit(START, booked_at=BOOKED)), patient(), clinic(), BOOKED)
    gone = visit(START, booked_at=BOOKED, status=VisitStatus.CANCELLED)
    box.plan(enrolled("dosing-visit", gone), patient(), clinic(), BOOKED + DAY)
    assert [box.send_due(BOOKED + day * DAY) for day in range(1, 14)] == [[]] * 13


def test_cal_diy_8757_a_cancelled_visit_that_is_booked_again_is_reminded():
    """Switching off and on again leaves bookings without reminders: cal.diy#8757."""
    box = Outbox()
    booked = visit(START, booked_at=BOOKED)
    for now, status in ((0, "booked"), (1, "cancelled"), (2, "booked")):
        facts = replace(booked, status=VisitStatus(status))
        box.plan(enrolled("dosing-visit", facts), patient(), clinic(), BOOKED + now * DAY)
    assert set(box.statuses().values()) == {"planned"}


# --- late bookings


def test_novu_4748_a_late_booking_is_never_skipped_without_a_row():
    """A fire in the past gives nothing and no record: RapidPro campaigns, novu#4748.

    Or silently nothing: cal.diy#7418, nosh2#84.

    A visit booked three hours ahead: each of the four texts is a row, and each that does not go
    says why in words.
    """
    texts = dosing(booked_at=START - 3 * HOUR)
    assert {text.step for text in texts} == {
        "visit_7d",
        "visit_48h",
        "visit_24h_prep",
        "visit_2h_ride",
    }
    assert all(in_plain_words(reason).endswith(".") for reason in skipped(texts).values())


def test_cal_id_1442_a_week_ahead_is_not_said_a_day_ahead():
    """The 72-hour reminder sent although booked 24 hours before: Cal-ID#1442."""
    texts = dosing(booked_at=START - DAY)
    assert skipped(texts)["visit_7d"] == SkipReason.LATE_BOOKING


@pytest.mark.parametrize("hours", range(1, 80, 3))
def test_cal_diy_10749_reminders_never_fire_all_at_once_at_booking(hours):
    """All reminders fired at booking: cal.diy#10749. At most one goes within the booking's hour."""
    booked = START - hours * HOUR
    dues = [
        text.due_at for text in dosing(booked_at=booked, now=booked) if text.skip_reason is None
    ]
    assert sum(due < booked + timedelta(minutes=1) for due in dues) <= 1
    assert len(dues) == len(set(dues))


@pytest.mark.parametrize("minutes", [20, 90, 4 * 60, 30 * 60, 50 * 60])
def test_courtbot_46_nothing_is_planned_that_can_never_be_sent(minutes):
    """Reminders were made for times already past, and never went: courtbot-python#46.

    What is booked too late for a text is skipped at once, in words; what is planned can still go.
    """
    booked = START - timedelta(minutes=minutes)
    for protocol, kind in VISIT_PROTOCOLS:
        facts = enrolled(protocol, visit(START, kind=kind, booked_at=booked))
        for text in plan(facts, patient(), clinic(), now=booked):
            can_go = booked <= text.due_at < text.latest_at <= START
            assert can_go or in_plain_words(text.skip_reason)


# --- rolling windows, copies


def test_rdv_3300_a_late_or_missed_look_loses_nobody():
    """A scan for "48 to 49 hours ahead" ran at 09:00:05 and lost people.

    rdv-service-public#3300; a tick that was missed: openemr#11913.

    Planning at odd seconds, and sending three hours after the due minute, sends each text once.
    """
    odd = BOOKED + timedelta(minutes=7, seconds=5)
    booked = visit(START, booked_at=BOOKED)
    _, often = lived(booked, start=BOOKED, end=START, every=timedelta(minutes=10))
    _, seldom = lived(booked, start=odd, end=START, every=timedelta(minutes=101, seconds=13))
    assert [template for template, _ in seldom] == [template for template, _ in often]
    assert len(often) == 4


def test_openemr_11477_planning_every_hour_sends_one_copy():
    """A reminder every hour: openemr#11477, #11484; copies from a stateless cron: ottehr#3980."""
    _, went = lived(visit(START, booked_at=BOOKED), start=BOOKED, end=START + DAY)
    assert sorted(template for template, _ in went) == [
        "visit_24h_prep",
        "visit_2h_ride",
        "visit_48h",
        "visit_7d",
    ]


def test_cht_10802_two_texts_due_in_the_same_minute_go_once_each():
    """Two tasks with one due time, the same text every 5 minutes for a week: cht-core#10802."""
    twins = own(
        "id: a, template: a, when: 1 day before visit start at 10:00, latest: 2 hours before visit start",  # noqa: E501
        "id: b, template: b, when: 1 day before visit start at 10:00, latest: 2 hours before visit start",  # noqa: E501
    )
    _, went = lived(
        visit(START, booked_at=BOOKED), start=BOOKED, end=START, protocol=twins, every=HOUR / 4
    )
    assert sorted(template for template, _ in went) == ["a", "b"]


def test_commcare_30758_a_due_time_that_moves_is_still_the_same_text():
    """The key of a send held its due time, so a retry went twice: commcare-hq#30758."""
    box = Outbox()
    facts = enrolled("daily-check-in", day=date(2026, 12, 1))
    box.plan(facts, patient(), clinic(), local("2026-12-01 08:00"))
    assert box.send_due(local("2026-12-01 17:00")) == ["daily_0_10"]
    later = patient(check_in_time=time(18, 30))
    box.plan(facts, later, clinic(), local("2026-12-01 17:30"))
    assert box.send_due(local("2026-12-01 19:00")) == []


def test_va_gov_54828_both_visits_of_a_day_are_reminded():
    """A text for one of two bookings only: va.gov-team#54828.

    A dose in the morning and the talk after it; both are planned together, as the clinic would.
    """
    morning = visit(local("2026-12-08 09:00"), booked_at=BOOKED)
    talk = visit(local("2026-12-08 15:00"), id="v2", kind="integration", booked_at=BOOKED)
    both = [enrolled("dosing-visit", morning), enrolled("integration", talk, id="e2")]
    texts = plan_patient(both, patient(), clinic(), now=BOOKED, appointments=[morning, talk])
    told = {text.anchor_at for text in texts if text.skip_reason is None}
    assert told == {morning.starts_at, talk.starts_at}


def test_openemr_11481_a_text_has_the_lead_its_protocol_says():
    """A guard of plus or minus 150 hours let reminders go at any lead: openemr#11481."""
    texts = {text.step: text for text in dosing(place=clinic(staffed=False))}
    assert START - texts["visit_48h"].due_at == 48 * HOUR
    assert START - texts["visit_2h_ride"].due_at == 2 * HOUR


def test_cal_id_790_an_edited_protocol_moves_the_texts_of_visits_already_booked():
    """Editing a schedule cancels its reminders and never makes them anew: Cal-ID#790."""
    box = Outbox()
    for now, hour in enumerate((10, 11)):
        step = f"id: a, template: a, when: 2 days before visit start at {hour}:00, latest: 2 hours before visit start"  # noqa: E501
        facts = enrolled(own(step), visit(START, booked_at=BOOKED))
        box.plan(facts, patient(), clinic(), BOOKED + now * HOUR)
    (row,) = box.rows.values()
    assert (row.status, row.due_at) == ("planned", local("2026-12-06 11:00"))


# --- clock changes and calendars


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (LONDON, date(2026, 10, 24)),
        (ZoneInfo("America/Sao_Paulo"), date(2018, 11, 3)),
        (ZoneInfo("Africa/Cairo"), date(2024, 4, 25)),
        (ZoneInfo("America/St_Johns"), date(2010, 11, 6)),
        (ZoneInfo("Australia/Lord_Howe"), date(2026, 10, 3)),
    ],
)
@pytest.mark.parametrize("clock", [time(0), time(1, 30), time(2, 30)])
def test_rapidpro_6905_a_daily_text_over_a_clock_change_comes_once_a_day_and_the_plan_ends(
    zone, day, clock
):
    """A daily schedule at midnight looped for ever as London's clocks went back: rapidpro#6905."""
    facts = enrolled("daily-check-in", day=day, enrolled_at=datetime(2010, 1, 1, tzinfo=UTC))
    person = patient(zone, check_in_time=clock, window=ALL_DAY)
    place = clinic(window=ALL_DAY)
    texts = plan(facts, person, place, now=datetime.combine(day, time(), zone) - DAY)
    days = [text.due_at.astimezone(zone).date() for text in texts if text.skip_reason is None]
    assert len(days) == len(set(days)) == 14


@pytest.mark.parametrize("start", ["2026-03-09 13:00", "2026-11-02 13:00"])
def test_rapidpro_2544_a_reminder_made_before_a_clock_change_keeps_its_wall_clock(start):
    """One hour off after the change: rapidpro#2544, Signal-Android#13493, calendar#2670.

    RemindMe#359 and medTimer#943 are the same.
    """
    texts = {text.step: text for text in dosing(local(start), place=clinic(staffed=False))}
    assert texts["visit_7d"].due_at.astimezone(NEW_YORK).time() == time(10)


def test_cal_diy_9059_the_day_before_is_the_day_on_the_clinics_calendar():
    """A date in UTC names the next day: cal.diy#9059; off by one day: scoutplan#237, #1611.

    At 20:00 in New York it is tomorrow in UTC, and the visit is on Tuesday all the same.
    """
    start = local("2026-12-08 20:00")
    texts = dosing(start, place=clinic(staffed=False))
    assert going(texts)["visit_24h_prep"] == "Mon 07 19:59"


# --- people who have answered


def test_va_gov_36725_who_confirmed_is_not_asked_to_confirm_again():
    """Patients stop everything to end repeats of what they confirmed: va.gov-team#36725."""
    texts = dosing(confirmed_start=START)
    assert skipped(texts) == {"visit_7d": "confirmed"}
    assert "visit_24h_prep" in going(texts)
