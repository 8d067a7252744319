"""Stories of care rule 5: booked, moved and cancelled, told by a text in time or by a person."""

import pytest

from messages.gateways.fake import refuse
from schedules.facts import VisitStatus
from tests.support.world import World, phone_of
from tests.worker.desk import Desk, at


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    return made


def test_the_first_import_tells_nobody_and_the_next_one_does(desk: Desk) -> None:
    """The texts of a course that is under way would come as a surprise to everybody in it."""
    desk.imports("2026-12-16T08:00")
    assert desk.read() == []
    desk.imports("2026-12-16T08:00", "2026-12-23T08:00")
    assert desk.read() == ["visit_booked"]
    assert "Wed Dec 23 at 8 AM" in desk.words()[0]


def test_a_quiet_import_tells_nobody(desk: Desk) -> None:
    """Neither a booking nor a move nor a cancellation: staff have told them."""
    desk.has_imported_before()
    desk.imports("2026-12-16T08:00", quiet=True)
    desk.imports("2026-12-17T08:00", quiet=True)
    desk.imports("2026-12-17T08:00", status="cancelled", quiet=True)
    assert desk.read() == []
    assert desk.calls() == []


def test_a_booking_at_night_is_told_in_the_morning(desk: Desk) -> None:
    """At the next allowed minute, and C confirms it."""
    desk.has_imported_before()
    desk.waits_until("2026-11-30 22:00")
    desk.imports("2026-12-16T08:00")
    assert desk.due("visit_booked") == ["Tue 01 09:00"]
    desk.waits_until("2026-12-01 09:00")
    assert desk.read() == ["visit_booked"]
    desk.says("C")
    assert desk.visit().confirmed_start == at("2026-12-16 08:00")
    desk.goes_on()
    assert desk.why("visit_7d") == [("skipped", "confirmed")]


def test_a_visit_booked_too_late_for_its_reminders_is_told_once(desk: Desk) -> None:
    """The booked text stands for the request to confirm; health news is asked beside it."""
    desk.has_imported_before()
    desk.imports("2026-12-01T09:30", kind="integration", route="")
    assert desk.read() == ["visit_booked"]
    assert desk.why("followup_24h") == [("skipped", "late_booking")]
    desk.imports("2026-12-02T09:00", first=2)
    assert sorted(desk.read()) == ["visit_48h", "visit_booked", "visit_booked"]


def test_a_first_dose_moved_by_two_days_on_its_eve(desk: Desk) -> None:
    """Told at once, confirmed, asked of health and told of food for Wednesday; then changed."""
    desk.has_imported_before()
    desk.imports("2026-12-07T08:00", dose_number=1)
    desk.waits_until("2026-12-06 15:00")
    assert "visit_24h_prep" in desk.read()
    desk.imports("2026-12-09T08:00", dose_number=1)
    assert desk.read()[-1] == "visit_moved"
    [moved] = [words for words in desk.words() if "moved to" in words]
    assert "Wed Dec 9 at 8 AM" in moved
    assert "Ignore the earlier time and food notes" in moved
    assert "instruction_not_delivered" not in desk.calls()
    desk.says("C")
    assert desk.visit().confirmed_start == at("2026-12-09 08:00")
    # A confirmation ends no other text: Monday asks of health, Tuesday tells of Wednesday's food.
    desk.waits_until("2026-12-08 09:00")
    assert desk.read()[-2:] == ["visit_48h", "visit_24h_prep"]
    health, food = desk.words()[-2:]
    assert "Wed Dec 9 at 8 AM" in health
    assert "tomorrow 8 AM. No food after 2 AM; only water until 6 AM" in food
    assert desk.visit().dose_number == 1
    desk.says("R")
    desk.goes_on()
    assert "change_requested" in desk.calls()
    assert desk.call_by("change_requested") == "Tue 08 11:00"
    # Until staff have decided, nothing more about this visit goes.
    assert {status for status, _ in desk.why("visit_2h_ride")} == {"skipped"}
    assert desk.visit().dose_number == 1


def test_the_time_that_staff_then_give_is_told_as_news_of_the_same_dose(desk: Desk) -> None:
    """Friday at one: each instruction is told for Friday, and it is still the first."""
    desk.has_imported_before()
    desk.imports("2026-12-09T08:00", dose_number=1)
    desk.waits_until("2026-12-02 10:00")
    desk.says("R")
    desk.goes_on(hours=1)
    desk.imports("2026-12-11T13:00", dose_number=1)
    assert desk.read()[-1] == "visit_moved"
    assert not desk.visit().change_requested_at
    desk.says("C")
    for until, answer in (("2026-12-09 13:00", "N"), ("2026-12-10 13:00", "C")):
        desk.waits_until(until)
        desk.says(answer)
    assert "No food after 7 AM" in desk.words()[-1]
    desk.waits_until("2026-12-11 11:00")
    assert desk.read()[-3:] == ["visit_48h", "visit_24h_prep", "visit_2h_ride"]
    desk.says("N")
    assert desk.visit().dose_number == 1
    # "No" to the ride on the day itself is called now.
    assert desk.call_by("ride_missing") == "Fri 11 11:00"


def test_a_move_told_too_late_by_text_is_called_at_once(desk: Desk) -> None:
    """Moved at nine in the evening: at two in the night the patient stops eating for nothing."""
    desk.imports("2026-12-07T08:00")
    desk.has_imported_before()
    desk.waits_until("2026-12-06 21:00")
    assert "visit_24h_prep" in desk.read()
    calls = desk.calls()
    desk.imports("2026-12-09T08:00")
    assert desk.due("visit_moved") == ["Mon 07 09:00"]
    assert "instruction_not_delivered" in desk.calls()
    assert "instruction_not_delivered" not in calls
    assert desk.call_by("instruction_not_delivered") == "Mon 07 00:00"


def test_a_move_of_which_no_text_had_spoken_needs_no_call(desk: Desk) -> None:
    """Nobody was told an old time that could be kept by mistake."""
    desk.has_imported_before()
    desk.imports("2026-12-14T08:00", quiet=True)
    desk.waits_until("2026-11-30 22:00")
    desk.imports("2026-12-15T08:00")
    assert desk.due("visit_moved") == ["Tue 01 09:00"]
    assert desk.calls() == []


def test_a_move_that_does_not_arrive_is_called_before_the_old_food_time(desk: Desk) -> None:
    """The carrier refuses it, three days ahead."""
    desk.has_imported_before()
    desk.imports("2026-12-03T08:00")
    desk.goes_on(minutes=10)
    desk.world.gateway.always(phone_of(0), refuse(21211))
    desk.imports("2026-12-04T08:00")
    assert "instruction_not_delivered" in desk.calls()


def test_a_move_to_a_sooner_day_that_is_not_proved_is_called_before_it(desk: Desk) -> None:
    """Friday was told; of Thursday the carrier says nothing. Thursday's visit does not wait."""
    desk.has_imported_before()
    desk.imports("2026-12-11T10:00", kind="assessment", route="")
    desk.waits_until("2026-12-09 11:00")
    desk.arrives = False
    desk.imports("2026-12-10T14:00", kind="assessment", route="")
    assert desk.calls() == []
    desk.waits_until("2026-12-10 11:30")
    assert desk.call_by("instruction_not_delivered") == "Thu 10 12:00"


def test_a_move_to_a_sooner_hour_that_is_refused_is_called_at_once(desk: Desk) -> None:
    """At half past nine, from four o'clock to eleven: two hours later it would be over."""
    desk.has_imported_before()
    desk.imports("2026-12-11T16:00", kind="assessment", route="")
    desk.waits_until("2026-12-11 09:30")
    desk.world.gateway.always(phone_of(0), refuse(21211))
    desk.imports("2026-12-11T11:00", kind="assessment", route="")
    assert desk.call_by("instruction_not_delivered") == "Fri 11 09:30"


def test_a_dose_moved_to_a_sooner_day_is_to_be_known_before_its_own_fast(desk: Desk) -> None:
    """From Friday to Thursday at two: no food from eight on, so the call is due at six."""
    desk.has_imported_before()
    desk.imports("2026-12-11T14:00")
    desk.waits_until("2026-12-09 12:00")
    desk.imports("2026-12-10T14:00")
    [news] = desk.texts("visit_moved")
    assert news.prove_by == at("2026-12-10 05:00")


def test_each_move_is_told_even_back_to_where_it_was(desk: Desk) -> None:
    """Whoever was told Tuesday and then Thursday must hear of Tuesday again."""
    desk.has_imported_before()
    desk.imports("2026-12-15T08:00")
    for day in ("2026-12-17", "2026-12-15"):
        desk.goes_on(minutes=20)
        desk.imports(f"{day}T08:00")
    assert desk.read() == ["visit_booked", "visit_moved", "visit_moved"]
    assert "Tue Dec 15" in desk.words()[-1]
    desk.goes_on(minutes=20)
    assert len(desk.read()) == 3


def test_a_move_at_night_taken_on_before_morning_is_told_once(desk: Desk) -> None:
    """Only where the visit stands when the text goes."""
    desk.has_imported_before()
    desk.imports("2026-12-15T08:00")
    desk.waits_until("2026-11-30 22:00")
    desk.imports("2026-12-16T08:00")
    desk.goes_on(hours=1)
    desk.imports("2026-12-17T08:00")
    desk.waits_until("2026-12-01 10:00")
    assert desk.read() == ["visit_booked", "visit_moved"]
    assert "Thu Dec 17" in desk.words()[-1]


def test_a_cancelled_visit_is_told_and_booked_again_is_told_again(desk: Desk) -> None:
    """By the desk's event as by a file; nothing else about it goes."""
    desk.has_imported_before()
    desk.imports("2026-12-09T08:00")
    desk.records(VisitStatus.CANCELLED)
    assert desk.read() == ["visit_booked", "visit_cancelled"]
    assert "will not take place" in desk.words()[-1]
    assert desk.calls() == []
    desk.goes_on(minutes=5)
    desk.records(VisitStatus.BOOKED)
    assert desk.read() == ["visit_booked", "visit_cancelled", "visit_booked"]


@pytest.mark.parametrize("by", ["file", "event"])
def test_a_visit_booked_again_has_its_food_told_again(desk: Desk, by: str) -> None:
    """Told, told to ignore it, and booked again for the very same time: on the eve."""
    desk.has_imported_before()
    desk.imports("2026-12-07T13:00")
    desk.waits_until("2026-12-06 13:30")
    assert desk.read()[-1] == "visit_24h_prep"
    for status in ("cancelled", "booked"):
        if by == "file":
            desk.imports("2026-12-07T13:00", status=status)
        else:
            desk.records(VisitStatus(status))
        desk.goes_on(minutes=30)
    assert desk.read()[-3:] == ["visit_cancelled", "visit_booked", "visit_24h_prep"]
    assert "No food after 7 AM" in desk.words()[-1]
    desk.waits_until("2026-12-07 12:55")
    assert desk.read().count("visit_24h_prep") == 2


def test_a_visit_booked_again_too_late_for_its_food_text_is_called(desk: Desk) -> None:
    """In the morning nobody may be texted before food has to end."""
    desk.has_imported_before()
    desk.imports("2026-12-07T13:00")
    desk.waits_until("2026-12-06 19:00")
    assert "instruction_not_delivered" not in desk.calls()
    desk.records(VisitStatus.CANCELLED)
    desk.waits_until("2026-12-06 21:00")
    desk.records(VisitStatus.BOOKED)
    assert desk.read().count("visit_24h_prep") == 1
    assert "instruction_not_delivered" in desk.calls()


def test_a_visit_moved_and_back_has_its_food_told_again(desk: Desk) -> None:
    """The news of the move said to ignore the food notes, so that the first ones hold no more."""
    desk.has_imported_before()
    desk.imports("2026-12-07T13:00")
    desk.waits_until("2026-12-06 13:30")
    desk.imports("2026-12-08T13:00")
    desk.goes_on(minutes=30)
    desk.imports("2026-12-07T13:00")
    desk.goes_on(minutes=10)
    assert desk.read()[-2:] == ["visit_moved", "visit_24h_prep"]
    assert desk.read().count("visit_24h_prep") == 2
    assert "No food after 7 AM" in desk.words()[-1]


def test_a_cancellation_on_the_eve_at_night_is_called(desk: Desk) -> None:
    """The text would come after the patient has gone without breakfast."""
    desk.has_imported_before()
    desk.imports("2026-12-07T10:00")
    desk.waits_until("2026-12-06 21:00")
    desk.imports("2026-12-07T10:00", status="cancelled")
    assert "instruction_not_delivered" in desk.calls()
    desk.waits_until("2026-12-07 09:00")
    assert desk.read()[-1] == "visit_cancelled"


def test_who_stopped_texts_is_called_about_a_move(desk: Desk) -> None:
    """The move of a visit of which a text spoke before."""
    desk.has_imported_before()
    desk.imports("2026-12-09T08:00")
    desk.says("STOP")
    desk.goes_on(minutes=1)
    desk.imports("2026-12-10T08:00")
    assert desk.read() == ["visit_booked"]
    assert "instruction_not_delivered" in desk.calls()


def test_news_uses_up_no_place_of_the_day(desk: Desk) -> None:
    """Care rule 8: booked, moved and cancelled are not counted."""
    desk.has_imported_before()
    desk.imports("2026-12-07T08:00", "2026-12-15T08:00", "2026-12-16T08:00")
    assert desk.read() == ["visit_booked"] * 3 + ["visit_7d"]
