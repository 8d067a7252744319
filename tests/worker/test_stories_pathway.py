"""Stories of the weeks after a dose: what the patient reads, and which person does what when."""

import json
from datetime import date

import pytest

from records import patients
from records.patients import Patient
from schedules.clinic import ClinicFile
from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.desk import NEW_YORK, Desk
from worker.refusal import RefusedError
from worker.steps import clinics, visits

IN_TWO_DAYS = "2026-12-02T08:00"


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    made.switches_on("integration-unbooked", "no-show", "no-show-dosing", "booster")
    return made


def _dosed(desk: Desk, *, route: str = "iv") -> None:
    """Have a dose on Wednesday at 8, checked out at 10."""
    desk.imports(IN_TWO_DAYS, route=route)
    desk.waits_until("2026-12-02 10:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)


def test_a_dose_with_nothing_booked_after_it(desk: Desk) -> None:
    """Care rule 7: asked twice, then a person calls at 48 hours, within staffed hours."""
    _dosed(desk)
    desk.waits_until("2026-12-04 09:00")
    asked = ["after_evening", "followup_unbooked", "after_morning", "followup_unbooked"]
    assert [one for one in desk.read() if one in asked] == asked
    assert "visit_unbooked" not in desk.calls()
    desk.waits_until("2026-12-04 10:00")
    assert "visit_unbooked" in desk.calls()
    assert desk.call_by("visit_unbooked") == "Fri 04 12:00"


def test_booking_the_visit_ends_the_item_and_its_nudge(desk: Desk) -> None:
    """Care rule 7: nobody has to close it."""
    _dosed(desk)
    desk.waits_until("2026-12-04 10:00")
    assert "visit_unbooked" in desk.calls()
    desk.imports("2026-12-08T10:00", kind="integration", route="", first=2)
    assert "visit_unbooked" not in desk.calls()
    rows = desk.world.execute("SELECT outcome FROM follow_up WHERE reason = 'visit_unbooked'")
    assert rows == [("no_longer_needed",)]


def test_booked_in_time_nobody_is_asked(desk: Desk) -> None:
    """The texts that were planned say why they did not go."""
    _dosed(desk)
    desk.imports("2026-12-03T16:00", kind="integration", route="", first=2)
    desk.waits_until("2026-12-04 12:00")
    assert "followup_unbooked" not in desk.read()
    assert set(desk.why("unbooked_20h")) == {("skipped", "booked")}
    assert "visit_unbooked" not in desk.calls()


def test_after_a_lozenge_there_is_more_time(desk: Desk) -> None:
    """Care rule 7: asked on day 3, called on day 5."""
    _dosed(desk, route="lozenge")
    desk.waits_until("2026-12-05 10:00")
    assert desk.read().count("followup_unbooked") == 1
    desk.waits_until("2026-12-07 08:00")
    assert "visit_unbooked" not in desk.calls()
    desk.waits_until("2026-12-07 09:00")
    assert "visit_unbooked" in desk.calls()
    assert desk.read().count("followup_unbooked") == 1


def test_a_resolved_task_is_not_opened_again(desk: Desk) -> None:
    """Once a dose: the coordinator has called."""
    _dosed(desk)
    desk.waits_until("2026-12-04 10:00")
    desk.world.execute("UPDATE follow_up SET status = 'resolved', outcome = 'called'")
    desk.waits_until("2026-12-05 09:00")
    assert "visit_unbooked" not in desk.calls()


def test_a_day_after_the_call_the_lead_hears_of_it(desk: Desk) -> None:
    """72 hours after the dose nothing is booked: an item of its own."""
    _dosed(desk)
    desk.waits_until("2026-12-04 10:00")
    assert desk.calls().count("visit_unbooked") == 1
    desk.waits_until("2026-12-05 10:00")
    assert desk.calls().count("visit_unbooked") == 2


def test_a_patient_who_does_not_come(desk: Desk) -> None:
    """Nothing by the clock alone; recorded, a text and a call the same day."""
    desk.imports(IN_TWO_DAYS)
    desk.waits_until("2026-12-02 09:00")
    assert "no_show" not in desk.read()
    desk.records(VisitStatus.NO_SHOW)
    desk.waits_until("2026-12-02 10:00")
    assert desk.read()[-1] == "no_show"
    assert "visit_missed" in desk.calls()
    desk.imports("2026-12-09T08:00", first=2)
    assert "visit_missed" not in desk.calls()


def test_a_no_show_entered_by_mistake_is_taken_back(desk: Desk) -> None:
    """Before the text goes: the patient sat in the waiting room."""
    desk.imports(IN_TWO_DAYS)
    desk.waits_until("2026-12-02 09:00")
    desk.records(VisitStatus.NO_SHOW)
    desk.records(VisitStatus.ARRIVED)
    desk.waits_until("2026-12-02 11:00")
    assert "no_show" not in desk.read()
    assert "visit_missed" not in desk.calls()


def test_a_booster_is_offered_and_a_yes_is_called(desk: Desk) -> None:
    """Four weeks after the last dose."""
    _dosed(desk)
    visits.enroll(desk.world.services, _person(desk).id, "booster", actor="desk")
    desk.waits_until("2026-12-03 12:00")
    desk.goes_on(days=27, hours=-1)
    assert desk.read()[-1] == "plan_next"
    desk.says("Y")
    assert "callback" in desk.calls()


def _person(desk: Desk) -> Patient:
    with desk.world.database.transaction() as session:
        [person] = patients.find(session, desk.world.vault, "P0")
        return person


def _follows(desk: Desk, pathway: str, *, since: date) -> None:
    desk.switches_on(pathway)
    visits.enroll(desk.world.services, _person(desk).id, pathway, actor="desk", on=since)


def test_two_days_without_medicines_are_called_the_same_day(desk: Desk) -> None:
    """One is looked at the next day; the second running makes the item more urgent."""
    _follows(desk, "relapse-prevention-opioids", since=date(2026, 11, 30))
    desk.waits_until("2026-11-30 12:00")
    assert desk.read() == ["medicines_taken"]
    desk.says("N")
    severity = "SELECT severity FROM follow_up WHERE reason = 'medicines_missed'"
    assert desk.world.execute(severity) == [("next_business_day",)]
    desk.waits_until("2026-12-03 12:00")
    desk.says("N")
    assert desk.world.execute(severity) == [("call_today",)]


@pytest.mark.parametrize("said", ["took them all", "me las tomé todas"])
def test_medicines_that_were_all_taken_are_a_yes_and_no_overdose(desk: Desk, said: str) -> None:
    """They answer what was asked; the same words page where nobody asked."""
    _follows(desk, "relapse-prevention-opioids", since=date(2026, 11, 30))
    desk.waits_until("2026-11-30 12:00")
    assert desk.read() == ["medicines_taken"]
    desk.says(said)
    assert desk.world.execute("SELECT reason FROM follow_up") == []
    answers = "SELECT value_text FROM check_in WHERE status = 'answered'"
    assert desk.world.execute(answers) == [("confirm",)]
    desk.goes_on(hours=1)
    desk.says(said)
    assert desk.world.execute("SELECT reason FROM follow_up") == [("overdose",)]


def test_a_lapse_brings_the_daily_question_back(desk: Desk) -> None:
    """Day 21's answer tells of days off plan; from day 22 on there is a question a day."""
    _follows(desk, "relapse-prevention", since=date(2026, 11, 10))
    desk.waits_until("2026-11-30 17:00")
    assert desk.read() == ["weekly_days"]
    assert desk.due("daily") == []
    desk.says("3")
    assert "off_plan" in desk.calls()
    desk.goes_on()
    # Thursday is the third day of the week's own question of confidence.
    assert desk.due("daily") == [
        f"{day} 17:00" for day in ("Tue 01", "Wed 02", "Fri 04", "Sat 05", "Sun 06")
    ]


def test_the_lozenge_at_home_stays_off_until_somebody_answers_for_it(desk: Desk) -> None:
    """Named in the clinic's file it is refused; with its gate named it is published."""
    [(settings,)] = desk.world.execute("SELECT settings FROM clinic")
    wanted = {**settings, "protocols": [*settings["protocols"], "dosing-at-home"]}
    with pytest.raises(RefusedError, match="home-dosing"):
        clinics.apply(desk.world.services, ClinicFile.from_json(wanted), actor="desk")
    desk.switches_on("dosing-at-home")
    enrolled = "SELECT count(*) FROM enrollment WHERE protocol = 'dosing-at-home'"
    _at_home(desk, "2026-12-09T08:00")
    assert desk.world.execute(enrolled) == [(0,)]
    _names_who_answers(desk)
    _at_home(desk, "2026-12-10T08:00")
    assert desk.world.execute(enrolled) == [(1,)]


def _at_home(desk: Desk, start: str, *, status: str = "booked") -> None:
    header = "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location,setting"
    end = f"{start[:11]}{int(start[11:13]) + 2:02}{start[13:]}"
    row = f"H1,P0,dosing,lozenge,{start},{end},{status},,home"
    report = visits.import_appointments(
        desk.world.services, f"{header}\n{row}".encode(), actor="desk"
    )
    assert report.bad == 0


def _opens_the_gate(desk: Desk) -> None:
    desk.switches_on("dosing-at-home")
    _names_who_answers(desk)


def _names_who_answers(desk: Desk) -> None:
    desk.world.execute(
        "UPDATE clinic SET settings = jsonb_set(settings, '{gates}', CAST(:gates AS jsonb))",
        gates=json.dumps({"home-dosing": "Dr. Lee, 2026-11-02"}),
    )


@pytest.fixture
def home(desk: Desk) -> Desk:
    """The same clinic, with a session at home on Wednesday at 11."""
    _opens_the_gate(desk)
    _at_home(desk, "2026-12-02T11:00")
    desk.goes_on()
    return desk


def test_two_hours_after_a_session_at_home_began_a_person_phones(home: Desk) -> None:
    """Asked the day before and an hour ahead; nobody saw them leave, so somebody calls."""
    home.waits_until("2026-12-02 10:00")
    assert home.read() == ["visit_24h_prep", "home_ready"]
    home.says("Y")
    home.waits_until("2026-12-02 12:00")
    assert "callback" not in home.calls()
    home.waits_until("2026-12-02 13:00")
    assert "callback" in home.calls()


@pytest.mark.parametrize("words", ["she's on her way", "yes but she isnt here yet", "just me"])
def test_whoever_waits_for_their_support_person_is_paged_about(home: Desk, words: str) -> None:
    """ "She's on her way" was taken for a yes, and the dose for cleared."""
    home.waits_until("2026-12-02 10:05")
    home.says(words)
    assert "not_ready" in home.calls()


@pytest.mark.parametrize("words", ["my wife is here", "i took it"])
def test_half_a_yes_clears_no_dose_at_home(home: Desk, words: str) -> None:
    """Somebody is paged ten minutes before, as for silence."""
    home.waits_until("2026-12-02 10:05")
    home.says(words)
    assert "not_ready" not in home.calls()
    home.waits_until("2026-12-02 10:50")
    assert "not_ready" in home.calls()


@pytest.mark.parametrize("gone", [VisitStatus.CANCELLED, VisitStatus.NO_SHOW])
def test_nobody_phones_about_a_session_at_home_that_did_not_take_place(
    home: Desk, gone: VisitStatus
) -> None:
    """Recorded before the call falls due: it is not opened."""
    home.waits_until("2026-12-02 11:00")
    home.records(gone, visit="H1")
    home.waits_until("2026-12-02 14:00")
    assert "callback" not in home.calls()


@pytest.mark.parametrize("gone", [VisitStatus.CANCELLED, VisitStatus.NO_SHOW])
def test_the_call_about_a_session_at_home_ends_when_it_did_not_take_place(
    home: Desk, gone: VisitStatus
) -> None:
    """Recorded after the call was opened: nobody has to close it."""
    home.waits_until("2026-12-02 13:00")
    assert "callback" in home.calls()
    home.records(gone, visit="H1")
    assert "callback" not in home.calls()


def test_the_call_about_a_session_at_home_moves_with_it(home: Desk) -> None:
    """To two hours after its new start, also when it had been opened for the old one."""
    home.waits_until("2026-12-02 13:00")
    assert home.calls().count("callback") == 1
    _at_home(home, "2026-12-03T11:00")
    home.goes_on()
    assert "callback" not in home.calls()
    home.waits_until("2026-12-03 12:00")
    assert "callback" not in home.calls()
    home.waits_until("2026-12-03 13:00")
    assert home.calls().count("callback") == 1


def test_before_an_early_session_at_home_somebody_is_paged_in_time_and_not_days_ahead(
    desk: Desk,
) -> None:
    """At 07:00 for 08:00, where no text may go; a session that moves away pages nobody."""
    _opens_the_gate(desk)
    _at_home(desk, "2026-12-04T08:00")
    desk.goes_on()
    assert _pages(desk) == ["Fri 04 07:00"]
    desk.goes_on(minutes=5)
    _at_home(desk, "2026-12-03T08:00")
    desk.goes_on()
    assert _pages(desk) == ["Thu 03 07:00"]
    desk.goes_on(minutes=5)
    _at_home(desk, "2026-12-03T08:00", status="cancelled")
    desk.goes_on()
    assert _pages(desk) == []


def _pages(desk: Desk) -> list[str]:
    """Return when somebody is first paged about readiness, in New York."""
    rows = desk.world.execute(
        "SELECT climbs_at FROM follow_up WHERE status <> 'resolved' AND reason = 'not_ready'"
    )
    return [row.climbs_at.astimezone(NEW_YORK).strftime("%a %d %H:%M") for row in rows]


def test_a_no_show_taken_back_after_the_call_was_opened_ends_it(desk: Desk) -> None:
    """The patient sat in the waiting room all along."""
    desk.imports(IN_TWO_DAYS)
    desk.waits_until("2026-12-02 09:00")
    desk.records(VisitStatus.NO_SHOW)
    desk.waits_until("2026-12-02 10:00")
    assert "visit_missed" in desk.calls()
    desk.records(VisitStatus.ARRIVED)
    assert "visit_missed" not in desk.calls()
