"""Stories of care rules 1 to 4, 8 and 24: who hears what when, and who is called instead."""

from datetime import date
from functools import partial

import pytest

from messages.gateways.fake import refuse
from records import clinics, patients
from records.patients import Patient
from schedules.clinic import ClinicFile
from schedules.facts import Dose, VisitStatus
from tests.support.secondperson import approved
from tests.support.world import World, phone_of
from tests.worker.desk import Desk, at
from worker import clinicfiles
from worker.steps import clinics as clinic_files
from worker.steps import people, visits
from worker.steps.people import Reason


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    return made


def _person(desk: Desk) -> Patient:
    with desk.world.database.transaction() as session:
        [person] = patients.find(session, desk.world.vault, "P0")
        return person


def test_rule_1_a_confirmation_ends_only_later_requests_to_confirm(desk: Desk) -> None:
    """Thursday's dose, confirmed a week ahead: health news, food and ride are asked as well."""
    desk.imports("2026-12-10T10:00")
    desk.waits_until("2026-12-03 10:00")
    assert desk.read() == ["visit_7d"]
    desk.says("C")
    desk.waits_until("2026-12-10 10:00")
    assert desk.read() == ["visit_7d", "visit_48h", "visit_24h_prep", "visit_eve_ride"]


def test_rule_1_a_later_no_reverses_it_and_holds_what_follows(desk: Desk) -> None:
    """Until staff say; still open at the food text's latest time, somebody calls before it."""
    desk.imports("2026-12-10T10:00")
    desk.waits_until("2026-12-03 10:00")
    desk.says("C")
    desk.waits_until("2026-12-08 12:00")
    desk.says("R")
    desk.waits_until("2026-12-09 12:00")
    assert "visit_24h_prep" not in desk.read()
    assert {"change_requested", "instruction_not_delivered"} <= set(desk.calls())
    assert desk.call_by("instruction_not_delivered") == "Wed 09 12:00"


def test_rule_1_staff_move_it_and_everything_is_told_anew(desk: Desk) -> None:
    """The confirmation of the old time is void."""
    desk.imports("2026-12-10T10:00")
    desk.waits_until("2026-12-03 10:00")
    desk.says("C")
    desk.waits_until("2026-12-03 11:00")
    desk.imports("2026-12-14T10:00")
    assert desk.visit().confirmed_start is None
    desk.waits_until("2026-12-14 10:00")
    assert desk.read() == [
        *("visit_7d", "visit_moved", "visit_7d"),
        *("visit_48h", "visit_24h_prep", "visit_eve_ride"),
    ]


def test_rule_2_an_instruction_that_did_not_arrive_becomes_a_call(desk: Desk) -> None:
    """Refused by the carrier, the day before: called before food ends at four in the morning."""
    desk.imports("2026-12-10T10:00")
    desk.waits_until("2026-12-09 09:00")
    desk.world.gateway.always(phone_of(0), refuse(21211))
    desk.waits_until("2026-12-09 11:00")
    assert "instruction_not_delivered" in desk.calls()
    assert desk.call_by("instruction_not_delivered") == "Wed 09 12:00"


def test_rule_2_a_stopped_patient_is_called_for_each_visit(desk: Desk) -> None:
    """Their visit goes on, and what they need to know is told by a person."""
    desk.imports("2026-12-10T10:00")
    desk.says("STOP")
    desk.waits_until("2026-12-09 17:00")
    assert desk.read() == []
    assert "instruction_not_delivered" in desk.calls()


def test_rule_2_the_calls_end_with_the_visit_that_they_were_for(desk: Desk) -> None:
    """Moved, they are opened anew for its new time; cancelled, nobody calls about food any more."""
    desk.imports("2026-12-10T10:00")
    desk.says("STOP")
    desk.goes_on()
    assert desk.call_by("instruction_not_delivered") == "Tue 08 12:00"
    desk.goes_on(minutes=5)
    desk.imports("2026-12-11T10:00")
    assert desk.call_by("instruction_not_delivered") == "Wed 09 12:00"
    desk.waits_until("2026-12-02 12:00")
    assert desk.call_by("instruction_not_delivered") == "Wed 09 12:00"
    desk.imports("2026-12-11T10:00", status="cancelled")
    assert "instruction_not_delivered" not in desk.calls()


def _by_mistake(desk: Desk, what: str) -> None:
    if what == "closed":
        people.close(desk.world.services, _person(desk).id, reason=Reason.OTHER, actor="desk")
        desk.goes_on()
    else:
        desk.records(VisitStatus(what))


@pytest.mark.parametrize("what", ["cancelled", "arrived", "closed"])
def test_rule_2_an_instruction_withdrawn_by_mistake_until_too_late_is_called(
    desk: Desk, what: str
) -> None:
    """The wrong visit on the eve, put right the next morning: the food text's hour has passed."""
    desk.imports("2026-12-07T13:00")
    desk.waits_until("2026-12-06 09:30")
    _by_mistake(desk, what)
    desk.waits_until("2026-12-07 08:30")
    assert "visit_24h_prep" not in desk.read()
    assert "instruction_not_delivered" not in desk.calls()
    if what == "closed":
        people.resume(desk.world.services, _person(desk).id, actor="desk")
        desk.goes_on()
    else:
        desk.records(VisitStatus.BOOKED)
    assert "instruction_not_delivered" in desk.calls()


def test_rule_2_the_call_comes_back_with_a_visit_that_was_cancelled_by_mistake(desk: Desk) -> None:
    """No text can tell a patient who stopped them: the call that the cancellation ended stands."""
    desk.imports("2026-12-10T10:00")
    desk.says("STOP")
    desk.goes_on(minutes=5)
    desk.imports("2026-12-10T10:00", status="cancelled")
    assert "instruction_not_delivered" not in desk.calls()
    desk.goes_on(minutes=5)
    desk.imports("2026-12-10T10:00")
    assert desk.call_by("instruction_not_delivered") == "Tue 08 12:00"


def test_rule_3_tomorrow_is_said_the_day_before(desk: Desk) -> None:
    """An 8 o'clock dose: food at nine the day before, the ride while two staffed hours are left."""
    desk.imports("2026-12-10T08:00")
    desk.waits_until("2026-12-10 08:00")
    texts = {text.template: text for text in desk.world.texts() if text.attempts}
    assert texts["visit_24h_prep"].due_at == at("2026-12-09 09:00")
    assert texts["visit_eve_ride"].due_at == at("2026-12-09 15:00")
    [ride] = [words for words in desk.words() if "ride home" in words]
    assert "see you tomorrow 8 AM" in ride


def test_rule_3_an_early_talk_has_words_for_the_afternoon_before(desk: Desk) -> None:
    """Thursday at half past nine: not at 07:30, but on Wednesday at four, and R is called."""
    desk.imports("2026-12-03T09:30", kind="integration", route="")
    desk.waits_until("2026-12-02 10:00")
    desk.says("C")
    desk.waits_until("2026-12-02 16:00")
    assert desk.read() == ["followup_24h", "followup_eve"]
    assert "see you tomorrow 9:30 AM for your follow-up" in desk.words()[-1]
    assert "drive" not in desk.words()[-1]
    desk.says("R")
    assert desk.calls() == ["change_requested"]
    desk.waits_until("2026-12-03 09:00")
    assert len(desk.read()) == 2


def test_rule_3_moved_to_the_afternoon_it_is_told_two_hours_ahead_again(desk: Desk) -> None:
    """The same text in its first words; nobody reads both."""
    desk.imports("2026-12-03T09:30", kind="integration", route="")
    assert desk.due("followup_2h") == ["Wed 02 16:00"]
    desk.imports("2026-12-03T14:00", kind="integration", route="")
    assert desk.due("followup_2h") == ["Thu 03 12:00"]
    [text] = desk.texts("followup_2h")
    assert text.template == "followup_2h"


def test_rule_4_a_monday_dose_is_asked_about_on_friday(desk: Desk) -> None:
    """Four staffed hours must follow the question about health, and the weekend has none."""
    desk.imports("2026-12-14T10:00")
    desk.waits_until("2026-12-11 17:00")
    assert "visit_48h" in desk.read()
    [asked] = [text for text in desk.world.texts() if text.step == "visit_48h"]
    assert asked.due_at == at("2026-12-11 15:00")  # Two hours of Friday, two of Monday.
    desk.says("Y")
    assert "health_news" in desk.calls()


def test_rule_8_two_a_day_and_the_most_important_first(desk: Desk) -> None:
    """The day before a dose at one: food and ride go, and so the check-in waits its turn."""
    visits.enroll(
        desk.world.services, _person(desk).id, "daily-check-in", actor="desk", on=date(2026, 11, 30)
    )
    desk.imports("2026-12-03T08:00")
    desk.waits_until("2026-12-02 20:00")
    day = [
        text.template
        for text in desk.world.texts()
        if text.attempts and text.due_at.astimezone(at("2026-12-02 00:00").tzinfo).day == 2
    ]
    assert sorted(day) == ["visit_24h_prep", "visit_eve_ride"]
    assert ("skipped", "cap") in desk.why("daily_0_10")


def test_rule_8_on_a_dose_day_the_evening_takes_the_check_ins_place(desk: Desk) -> None:
    """No two numbers are open at once."""
    visits.enroll(
        desk.world.services, _person(desk).id, "daily-check-in", actor="desk", on=date(2026, 11, 30)
    )
    desk.imports("2026-12-03T10:00")
    desk.waits_until("2026-12-03 12:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    desk.waits_until("2026-12-03 20:00")
    assert desk.read()[-1] == "after_evening"
    assert ("skipped", "dose_day") in desk.why("daily_0_10")


def test_rule_24_a_hold_cancels_texts_and_opens_a_call_for_the_visit(desk: Desk) -> None:
    """In hospital: nothing goes, and somebody calls about the visit that stands."""
    desk.imports("2026-12-10T10:00")
    people.hold(desk.world.services, _person(desk).id, reason=Reason.HOSPITAL, actor="desk")
    desk.goes_on()
    assert desk.why("visit_7d") == [("cancelled", "patient_held")]
    assert desk.calls() != []
    desk.waits_until("2026-12-09 20:00")
    assert desk.read() == []


def test_rule_24_resumed_in_time_the_texts_come_back(desk: Desk) -> None:
    """Whatever is still useful."""
    desk.imports("2026-12-10T10:00")
    people.hold(desk.world.services, _person(desk).id, reason=Reason.HOSPITAL, actor="desk")
    desk.goes_on(hours=1)
    people.resume(desk.world.services, _person(desk).id, actor="desk")
    desk.goes_on()
    assert desk.why("visit_7d") == [("planned", None)]


def test_rule_24_a_closed_record_is_texted_nothing_more(desk: Desk) -> None:
    """Deceased: no news of a cancelled visit either."""
    desk.has_imported_before()
    desk.imports("2026-12-10T10:00")
    assert desk.read() == ["visit_booked"]
    people.close(desk.world.services, _person(desk).id, reason=Reason.DECEASED, actor="desk")
    desk.goes_on(hours=1)
    desk.imports("2026-12-10T10:00", status="cancelled")
    desk.waits_until("2026-12-02 12:00")
    assert desk.read() == ["visit_booked"]


def _closes_and_reopens(desk: Desk) -> None:
    """Close the wrong record, and find out ten minutes later."""
    people.close(desk.world.services, _person(desk).id, reason=Reason.OTHER, actor="desk")
    desk.goes_on(minutes=10)
    people.resume(desk.world.services, _person(desk).id, actor="desk")
    desk.goes_on()


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [(True, ["after_evening", "after_morning"]), (False, ["evening_unrecorded"])],
    ids=["checked out", "only arrived"],
)
def test_rule_24_a_record_closed_by_mistake_after_a_dose_is_asked_about_it(
    desk: Desk, recorded: bool, asked: list[str]
) -> None:
    """The dose was at ten; at ten past twelve the wrong record is closed, and opened again."""
    desk.has_imported_before()
    desk.imports("2026-12-07T10:00")
    desk.waits_until("2026-12-07 10:00")
    desk.records(VisitStatus.ARRIVED)
    desk.waits_until("2026-12-07 12:00")
    if recorded:
        desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    desk.goes_on(minutes=10)
    before = len(desk.read())
    _closes_and_reopens(desk)
    desk.waits_until("2026-12-08 13:30")
    assert [text.step for text in desk.texts(*asked) if text.attempts] == asked
    assert "welcome" not in desk.read()[before:]


def test_rule_24_what_hangs_on_no_visit_begins_again_with_the_record(desk: Desk) -> None:
    """Check-ins go on where they were; those that staff withdrew, and the welcome, do not."""
    desk.switches_on("relapse-prevention-nicotine")
    enroll = partial(visits.enroll, desk.world.services, _person(desk).id, actor="desk")
    enroll("daily-check-in", on=date(2026, 11, 30))
    enroll("relapse-prevention-nicotine")
    visits.withdraw(
        desk.world.services, _person(desk).id, "relapse-prevention-nicotine", actor="desk"
    )
    desk.waits_until("2026-12-01 12:00")
    before = desk.read()
    _closes_and_reopens(desk)
    desk.waits_until("2026-12-02 20:00")
    after = desk.read()[len(before) :]
    assert set(after) == {"daily_0_10", "checkin_missed"}
    assert after.count("daily_0_10") == 2


def test_rule_3_two_dosing_slots_of_a_day_are_told_once(desk: Desk) -> None:
    """One set of texts, for the earlier, and nobody is called about the later one's."""
    desk.imports("2026-12-10T09:00", "2026-12-10T11:00")
    desk.waits_until("2026-12-03 10:00")
    desk.says("C")
    desk.waits_until("2026-12-08 12:00")
    desk.says("N")
    desk.waits_until("2026-12-09 10:00")
    desk.says("C")
    desk.waits_until("2026-12-09 16:30")
    desk.says("Y")
    desk.waits_until("2026-12-10 08:55")
    assert desk.read() == ["visit_7d", "visit_48h", "visit_24h_prep", "visit_eve_ride"]
    assert sorted(desk.why("visit_24h_prep")) == [("delivered", None), ("skipped", "same_day")]
    assert desk.calls() == []


def test_rule_3_the_later_slot_is_told_when_the_earlier_is_cancelled(desk: Desk) -> None:
    """Its food text, with its own last meal, and one of each only."""
    desk.imports("2026-12-10T09:00", "2026-12-10T11:00")
    desk.waits_until("2026-12-07 12:00")
    desk.imports("2026-12-10T09:00", status="cancelled")
    desk.waits_until("2026-12-10 10:55")
    assert desk.read().count("visit_24h_prep") == 1
    [food] = [text for text in desk.texts("visit_24h_prep") if text.attempts]
    assert food.anchor_at == at("2026-12-10 11:00")
    assert "not_reminded" not in desk.calls()


@pytest.mark.parametrize(("fluids", "calls"), [(0, False), (1, True)])
def test_rule_3_two_routes_of_a_day_are_told_the_longer_fast(
    desk: Desk, fluids: int, calls: bool
) -> None:
    """A lozenge at one and an IV at three; called where the lozenge's last drink is earlier."""
    desk.world.execute(
        "UPDATE clinic SET version = version + 1, settings = jsonb_set(settings,"
        " '{fasting,routes}', jsonb_build_object('lozenge', jsonb_build_object("
        "'solids_hours', 2, 'fluids_hours', CAST(:fluids AS int))))",
        fluids=fluids,
    )
    desk.imports("2026-12-10T13:00", route="lozenge")
    desk.imports("2026-12-10T15:00", route="iv", first=2)
    desk.waits_until("2026-12-09 16:30")
    [food] = [body for body in desk.words() if "No food after" in body]
    assert "No food after 9 AM; only water until 1 PM" in food
    assert ("instruction_not_delivered" in desk.calls()) is calls


def test_rule_4_silence_at_night_is_called_while_somebody_is_there(desk: Desk) -> None:
    """Nobody answers the food text for Thursday's dose at eight: called on Wednesday."""
    desk.imports("2026-12-10T08:00")
    desk.waits_until("2026-12-08 12:00")
    desk.says("N")
    desk.waits_until("2026-12-09 15:30")
    assert "no_answer" not in desk.calls()
    desk.waits_until("2026-12-09 16:30")
    assert desk.call_by("no_answer") == "Wed 09 17:00"


@pytest.mark.parametrize(("route", "last_meal"), [("iv", "4 AM"), ("im", "7 AM"), ("", "4 AM")])
def test_the_last_meal_told_is_that_of_the_visits_route(
    desk: Desk, route: str, last_meal: str
) -> None:
    """Three hours before an injection, six before all else, and before what nobody entered."""
    desk.world.execute(
        "UPDATE clinic SET version = version + 1, settings = jsonb_set(settings,"
        " '{fasting,routes}', '{\"im\": {\"solids_hours\": 3}}')"
    )
    desk.imports("2026-12-10T10:00", route=route)
    desk.waits_until("2026-12-09 13:00")
    [food] = [body for body in desk.words() if "No food after" in body]
    assert f"No food after {last_meal}" in food


@pytest.mark.parametrize(
    ("before", "after", "calls"),
    [("im", "iv", ["instruction_not_delivered"]), ("iv", "im", []), ("im", "im", [])],
)
def test_a_longer_fast_after_the_food_text_is_called(
    desk: Desk, before: str, after: str, calls: list[str]
) -> None:
    """The patient was told to stop eating at 11, and by the new route it is 8: before that."""
    desk.world.execute(
        "UPDATE clinic SET version = version + 1, settings = jsonb_set(settings,"
        " '{fasting,routes}', '{\"im\": {\"solids_hours\": 3}}')"
    )
    desk.imports("2026-12-10T14:00", route=before)
    desk.waits_until("2026-12-09 15:00")
    assert "visit_24h_prep" in desk.read()
    had = desk.calls()
    desk.imports("2026-12-10T14:00", route=after)
    desk.imports("2026-12-10T14:00", route=after)
    assert [one for one in desk.calls() if one not in had] == calls
    if calls:
        assert desk.call_by("instruction_not_delivered") == "Wed 09 17:00"
    assert desk.read().count("visit_24h_prep") == 1


@pytest.mark.parametrize(("hours", "calls"), [(8, ["instruction_not_delivered"]), (4, [])])
def test_a_longer_fast_by_the_clinics_file_is_called_where_the_shorter_was_told(
    desk: Desk, hours: int, calls: list[str]
) -> None:
    """P0 was told to stop at 8; the text to P1, whose dose is later, will have the new hours."""
    desk.admits()
    desk.imports("2026-12-10T14:00")
    desk.imports("2026-12-11T14:00", first=2, patient="P1")
    desk.waits_until("2026-12-09 15:00")
    had = desk.calls()
    with desk.world.database.transaction() as session:
        settings = clinics.by_id(session, desk.world.clinic_id).file.to_json()
    fasting = {**settings["fasting"], "solids_hours": hours}
    file = approved(desk.world, ClinicFile.from_json({**settings, "fasting": fasting}))
    compared = clinicfiles.compare(desk.world.services, file)
    assert compared is not None
    assert compared.told_shorter == len(calls)
    assert compared.reached == {"visit_24h_prep": 1}
    done = clinic_files.apply(desk.world.services, file, actor="test")
    assert done.told_shorter == len(calls)
    assert [one for one in desk.calls() if one not in had] == calls
    if calls:
        assert desk.call_by("instruction_not_delivered") == "Wed 09 17:00"
    assert not clinic_files.apply(desk.world.services, file, actor="test").told_shorter
