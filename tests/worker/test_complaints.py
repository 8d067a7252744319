"""What users of other systems complained about, lived through with the real steps.

Each test is named after its thread; `tests/complaints.csv` lists them all.
"""

import time
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from records.patients import Patient
from schedules.clinic import read_clinic
from tests.support.secondperson import approved
from tests.support.world import CLINIC, NUMBER, World, phone_of
from tests.worker.desk import HEADER, Desk, at
from worker import preview
from worker.steps import clinics, staff_texts, visits


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, P0, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    return made


def _goes_to(desk: Desk, local: str) -> None:
    """Go on to a New York time at one go."""
    desk.goes_on(seconds=(at(local) - desk.world.now).total_seconds())


def _applies(desk: Desk, protocols: str) -> None:
    file = CLINIC.format(key="riverside", number=NUMBER, opens="09:00", closes="20:00")
    before, _, _ = file.partition("protocols:")
    clinic = read_clinic(f"{before}protocols: [{protocols}]\n", "clinic.yaml", sandbox=True)
    clinics.apply(desk.world.services, approved(desk.world, clinic), actor="desk")
    desk.goes_on()


# --- outages, and what they leave


def test_kademi_3452_after_an_outage_nothing_goes_before_the_morning(desk: Desk) -> None:
    """kademi#3452: texts that an outage had held back went out at 06:20 when it was over."""
    desk.imports("2026-12-10T10:00")
    _goes_to(desk, "2026-12-03 09:59")
    desk.world.advance(hours=20, minutes=21)
    for _ in range(5):
        desk.goes_on(minutes=30)
    assert (desk.world.now, desk.read()) == (at("2026-12-04 08:50"), [])
    desk.goes_on(minutes=10)
    assert desk.read() == ["visit_7d"]


def test_cht_10428_what_was_not_sent_in_time_ends_and_stays_ended(desk: Desk) -> None:
    """cht-core#10428: 62,000 past texts stayed scheduled for ever and were cleared by hand.

    Nothing ran for twelve days; every text of the visit is over at the first tick, with a reason.
    """
    desk.imports("2026-12-10T10:00")
    planned = [text.id for text in desk.world.texts() if text.status == "planned"]
    assert len(planned) >= 4
    desk.world.advance(days=12)
    for _ in range(2):
        desk.goes_on(hours=3)
        ends = {(text.status, text.reason) for text in map(desk.world.message, planned)}
        assert ends == {("expired", "too_late")}
    assert desk.read() == []


def test_apscheduler_a_text_that_fell_due_while_nobody_ran_still_goes(desk: Desk) -> None:
    """APScheduler drops what is a second late, with a warning in the log (misfire_grace_time)."""
    desk.imports("2026-12-10T10:00")
    _goes_to(desk, "2026-12-03 09:59")
    desk.goes_on(hours=6)
    assert desk.read() == ["visit_7d"]


def test_rapidpro_schedules_a_pause_that_ends_replays_nothing(desk: Desk) -> None:
    """RapidPro schedules: on resuming, what had been missed came at once."""
    desk.world.enroll_by_hand()
    desk.says("PAUSE", phone=phone_of(1))
    for evening in ("11-30", *(f"12-{day:02}" for day in range(1, 7))):
        _goes_to(desk, f"2026-{evening} 17:00")
        assert desk.read() == []
    _goes_to(desk, "2026-12-07 10:00")
    assert desk.read() == []
    _goes_to(desk, "2026-12-07 17:00")
    assert desk.read() == ["daily_0_10"]


def test_bahmni_a_patient_who_cannot_be_texted_costs_nobody_else_a_text(world: World) -> None:
    """Bahmni: a patient without a phone ended the loop, and all after them got nothing."""
    world.due(3)
    world.execute("UPDATE patient SET phone = 'no sealed text' WHERE phone_blind ="
                  " (SELECT phone_blind FROM patient ORDER BY id LIMIT 1)")  # fmt: skip
    world.send()
    assert sorted(text.to for text in world.gateway.created()) == [phone_of(1), phone_of(2)]


# --- moved, cancelled, shared slots


def test_cal_diy_7232_nothing_lies_at_the_carrier_before_it_is_due(desk: Desk) -> None:
    """cal.diy#7232: what a carrier was given ahead of time could not be called back reliably."""
    desk.imports("2026-12-10T10:00")
    assert desk.world.statuses()["planned"] >= 3
    _goes_to(desk, "2026-12-03 09:59")
    assert desk.world.gateway.calls == []


def test_courtbot_45_a_text_of_the_old_time_does_not_go_at_the_minute_of_the_move(
    desk: Desk,
) -> None:
    """courtbot-python#45: the date has to be looked at again before a reminder goes.

    The reminder is due, the visit has just moved, and nobody has planned anew.
    """
    desk.imports("2026-12-10T10:00")
    _goes_to(desk, "2026-12-03 09:59")
    desk.world.advance(minutes=1)
    moved = f"{HEADER}\nA1,P0,dosing,iv,2026-12-14T10:00,2026-12-14T12:00,booked,Suite 4"
    visits.import_appointments(desk.world.services, moved.encode(), actor="desk", quiet=True)
    desk.world.send()
    assert desk.read() == []
    _goes_to(desk, "2026-12-07 10:00")
    assert desk.read() == ["visit_7d"]
    assert "Mon Dec 14 at 10 AM" in desk.words()[0]


def test_cal_diy_15453_whoever_shares_a_time_keeps_their_own_texts(desk: Desk) -> None:
    """cal.diy#15453, #10166, #6991: reminders outlived cancellations and moves, those of seats too.

    Two patients come at the same time; one cancels.
    """
    desk.admits()
    for number in (0, 1):
        desk.imports("2026-12-10T10:00", patient=f"P{number}", first=number + 1, quiet=True)
    desk.imports("2026-12-10T10:00", status="cancelled", quiet=True)
    _goes_to(desk, "2026-12-03 10:00")
    _goes_to(desk, "2026-12-09 10:00")
    assert desk.world.gateway.created(phone_of(0)) == []
    assert len(desk.world.gateway.created(phone_of(1))) == 2


def test_nexhealth_a_visit_moved_in_the_record_system_is_told(desk: Desk) -> None:
    """NexHealth and Heno send nothing when a booked visit gets another time."""
    desk.has_imported_before()
    desk.imports("2026-12-16T10:00")
    desk.goes_on(hours=1)
    desk.imports("2026-12-17T11:00")
    assert desk.read() == ["visit_booked", "visit_moved"]
    assert "Thu Dec 17 at 11 AM" in desk.words()[-1]


def test_cal_diy_8757_a_switched_on_protocol_reaches_visits_booked_before(desk: Desk) -> None:
    """cal.diy#8757: only bookings made after the switch were reminded."""
    others = "dosing-visit, after-dose, integration, daily-check-in"
    _applies(desk, others)
    desk.imports("2026-12-10T10:00", kind="assessment", route="")
    assert desk.why("assess_48h") == []
    _applies(desk, f"assessment-visit, {others}")
    assert desk.why("assess_48h") == [("planned", None)]


# --- zones


@pytest.fixture(params=["UTC", "Asia/Tokyo"])
def machine_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone of the machine itself, which no text may show."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("machine_zone")
def test_odoo_38400_a_text_tells_the_clinics_time_whatever_the_machines_zone(desk: Desk) -> None:
    """odoo#38400, #100733: texts said the time of UTC, then that of the user who ran the job."""
    desk.imports("2026-12-10T10:00")
    _goes_to(desk, "2026-12-03 10:00")
    [words] = desk.words()
    assert "visit Thu Dec 10 at 10 AM." in words


@pytest.mark.parametrize(
    ("modality", "told"),
    [("in_person", "tomorrow 3 PM ET"), ("virtual", "tomorrow 10 AM")],
)
def test_cal_diy_3376_a_time_is_told_where_it_is_true(
    world: World, modality: str, told: str
) -> None:
    """cal.diy#3376, #18248: patients read the organiser's clock, or their own for a place far away.

    A patient in Honolulu: at the clinic its clock counts and is named, on a screen their own.
    """
    desk = Desk(world)
    world.book(
        starts_in=timedelta(days=2, hours=5),
        protocol="integration",
        kind="integration",
        route=None,
        modality=modality,
        patient={"timezone": "Pacific/Honolulu"},
    )
    desk.goes_on(days=1, hours=5)
    [words] = desk.words()
    assert f"your follow-up is {told} (" in words


# --- replies


def test_rapidpro_282_a_reminder_ends_no_conversation(desk: Desk) -> None:
    """rapidpro#282: a campaign's text threw people out of the questions they were answering.

    The number is still read as the answer of the evening, the C as that to the visit.
    """
    desk.has_imported_before()
    [who] = [person.id for person in desk.rows(Patient)]
    visits.enroll(desk.world.services, who, "daily-check-in", actor="desk", on=date(2026, 11, 30))
    _goes_to(desk, "2026-11-30 17:00")
    desk.imports("2026-12-16T10:00")
    assert set(desk.read()) == {"daily_0_10", "visit_booked"}
    desk.says("4")
    desk.says("C")
    assert (desk.check_ins("daily_0_10"), desk.calls()) == ([("answered", 4)], [])
    assert desk.visit().confirmed_start == at("2026-12-16 10:00")


def test_va_gov_26880_one_c_for_two_visits_of_a_day_is_asked_back(desk: Desk) -> None:
    """va.gov-team#26880: with two appointments on one day a confirmation fitted neither."""
    desk.has_imported_before()
    desk.imports("2026-12-16T10:00", "2026-12-16T15:00", kind="integration", route="")
    desk.says("C")
    assert [desk.visit(name).confirmed_start for name in ("A1", "A2")] == [None, None]
    assert (desk.answers, desk.calls()) == (["which_one"], ["unclear_reply"])


@pytest.mark.parametrize("body", ["YES", "Yes I will be there", "Si"])
def test_va_gov_21418_yes_confirms_and_is_not_asked_again(desk: Desk, body: str) -> None:
    """va.gov-team#21418: YES was not taken for a confirmation, and the question came again."""
    desk.has_imported_before()
    desk.imports("2026-12-16T10:00")
    desk.says(body)
    assert desk.visit().confirmed_start == at("2026-12-16 10:00")
    _goes_to(desk, "2026-12-09 10:00")
    assert (desk.read(), desk.answers) == (["visit_booked"], ["confirm_ack"])


def test_spec_i_991_a_wish_to_cancel_is_a_call_and_not_a_note_somewhere(desk: Desk) -> None:
    """hs1specialty SPEC-I-991: a patient's "cancel" showed only to whoever opened a portal."""
    desk.has_imported_before()
    desk.imports("2026-12-16T10:00")
    desk.says("I need to cancel my appointment")
    assert (desk.calls(), desk.item("change_requested").severity) == (
        ["change_requested"],
        "call_today",
    )


def test_weave_a_sentence_is_never_called_invalid(desk: Desk) -> None:
    """Weave and Luma: "Sorry, invalid response" to what somebody had written in words."""
    desk.has_imported_before()
    desk.imports("2026-12-16T10:00")
    desk.says("my sister may want to sit with me")
    assert (desk.answers, desk.calls()) == ([], ["unclear_reply"])


def test_mood_24_7_an_answer_after_midnight_is_that_of_the_evening(desk: Desk) -> None:
    """Mood 24/7: a reply after midnight counted for the next day."""
    desk.world.enroll_by_hand()
    _goes_to(desk, "2026-11-30 17:00")
    desk.world.advance(hours=7, minutes=30)
    desk.says("6", phone=phone_of(1))
    assert desk.check_ins("daily_0_10") == [("answered", 6)]
    _goes_to(desk, "2026-12-01 17:00")
    assert desk.check_ins("daily_0_10") == [("answered", 6), ("open", None)]


def test_osmind_silence_becomes_a_call_and_not_the_end_of_asking(desk: Desk) -> None:
    """Osmind asks three days running and then stops without a word to anybody."""
    desk.world.enroll_by_hand()
    for day in range(1, 5):
        _goes_to(desk, f"2026-12-{day:02} 16:59")
        desk.goes_on(minutes=1)
    assert "missed_check_ins" in desk.calls()


# --- staff


def test_cal_diy_7739_all_texts_of_a_visit_are_seen_beforehand_with_their_reasons(
    desk: Desk,
) -> None:
    """cal.diy#7739, Cal-ID#1447: nobody could say what was planned for a booking, or why not."""
    desk.has_imported_before()
    desk.imports("2026-12-10T10:00")
    desk.says("C")
    [person] = desk.rows(Patient)
    shown = preview.preview(desk.world.services, person.id, at=desk.world.now, days=12).texts
    steps = {text.step: (text.status, text.why) for text in shown}
    assert steps["visit_7d"] == ("skipped", "The patient has confirmed this start time.")
    ahead = ("visit_48h", "visit_24h_prep", "visit_2h_ride")
    assert {steps[step][0] for step in ahead} == {"planned"}
    assert "not allowed" in str(steps["visit_2h_ride"][1])
    assert all(text.body for text in shown if text.step in ahead)


def test_chatwoot_5554_a_text_of_staff_can_go_later_and_not_at_night(desk: Desk) -> None:
    """chatwoot#5554, #9484, #9771, #12146, #12823: the inbox could only send at once."""
    [person] = desk.rows(Patient)
    late = at("2026-12-01 21:30")
    staff_texts.write(desk.world.services, person.id, "See you at 9", actor="desk", at=late)
    _goes_to(desk, "2026-12-01 21:30")
    assert desk.read() == []
    _goes_to(desk, "2026-12-02 09:00")
    assert desk.read() == ["staff_text"]
