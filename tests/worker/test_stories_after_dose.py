"""Stories of the questions after a dose, as shipped: each answer, at each hour, and who acts on it.

Five patients had a dose on Monday and left at one. Each answers otherwise, and the last not at all.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from uuid import UUID

import pytest

from records.patients import Patient
from schedules.facts import Dose, VisitStatus
from tests.support.world import World, phone_of
from tests.worker.desk import NEW_YORK, Desk, at
from worker.steps import events, followups, visits

HEADER = "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location,setting"

#: What each of them writes; the fifth is silent.
WRITES = ("0", "1", "2", "3")
#: The same in the words of the two texts.
EVENING_WORDS = ("fine", "a bit off", "unwell", "please call me")
MORNING_WORDS = ("yes", "1 almost", "no", "call me")
SILENT = 4
NOBODY: dict[str, object] = {"on_call": [], "after_hours": "none"}
WEEK = ("mon", "tue", "wed", "thu", "fri")
LATE_SHIFT = {"staffed_hours": {day: ["08:00-21:00"] for day in WEEK}}
ON_CALL: dict[str, object] = {}
#: Whom a text or silence brought what, by the patient's number.
Items = dict[int, list[tuple[str, str, str]]]


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic and five patients, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits(5)
    return made


def _doses(
    desk: Desk, file: Mapping[str, object], *, day: str = "2026-11-30", place: str = "clinic"
) -> None:
    """Have all five checked out at one o'clock with a dose given, in a clinic with such hours."""
    _visits(desk, file, day=day, place=place)
    desk.waits_until(f"{day} 13:00")
    for number in range(5):
        desk.records(VisitStatus.CHECKED_OUT, visit=f"A{number}", dose=Dose.GIVEN)
    _nothing_is_open(desk)


def _visits(
    desk: Desk, file: Mapping[str, object], *, day: str = "2026-11-30", place: str = "clinic"
) -> None:
    """Book a dose from eleven to one for all five, in a clinic with such hours."""
    desk.world.execute(
        "UPDATE clinic SET settings = settings || CAST(:file AS jsonb)", file=json.dumps(file)
    )
    desk.world.clock.at = at(f"{day} 10:00").astimezone(UTC)
    rows = [
        f"A{number},P{number},dosing,lozenge,{day}T11:00,{day}T13:00,booked,Suite 4,{place}"
        for number in range(5)
    ]
    report = visits.import_appointments(
        desk.world.services, "\n".join([HEADER, *rows]).encode(), actor="desk", quiet=True
    )
    assert report.bad == 0


def _arrived(desk: Desk, file: Mapping[str, object]) -> None:
    """Have the first of them arrive at eleven, of whom nobody records anything else."""
    _visits(desk, file)
    desk.waits_until("2026-11-30 11:00")
    desk.records(VisitStatus.ARRIVED, visit="A0")


def _nothing_is_open(desk: Desk) -> None:
    desk.world.execute("UPDATE follow_up SET status = 'resolved'")


def _all_answer(desk: Desk, writes: Sequence[str] = WRITES) -> None:
    for number, words in enumerate(writes):
        desk.says(words, phone=phone_of(number))
    desk.goes_on()


def _items(desk: Desk) -> Items:
    """Return the open items as reason, severity and due time, by patient."""
    rows = desk.world.execute(
        "SELECT reason, severity, due_at, patient_id FROM follow_up WHERE status <> 'resolved'"
        " ORDER BY reason"
    )
    numbers, found = _numbers(desk), Items()
    for row in rows:
        due = row.due_at.astimezone(NEW_YORK).strftime("%a %H:%M")
        found.setdefault(numbers[row.patient_id], []).append((row.reason, row.severity, due))
    return found


def _told(desk: Desk) -> dict[int, list[str]]:
    """Return what each was answered at once."""
    rows = desk.world.execute(
        "SELECT template, patient_id FROM message WHERE kind <> 'started' ORDER BY created_at"
    )
    numbers, found = _numbers(desk), dict[int, list[str]]()
    for row in rows:
        found.setdefault(numbers[row.patient_id], []).append(row.template)
    return found


def _numbers(desk: Desk) -> dict[UUID, int]:
    return {person.id: number for number, person in enumerate(desk.rows(Patient))}


@pytest.mark.parametrize(
    ("file", "unwell", "call_me", "told"),
    [
        (LATE_SHIFT, ("call_today", "Mon 19:00"), ("page_now", "Mon 17:10"), "high_score_ack"),
        (ON_CALL, ("page_now", "Mon 17:15"), ("page_now", "Mon 17:15"), "high_score_ack"),
        # Offered no call, they are told where help is tonight, and read at the opening.
        (NOBODY, ("call_today", "Tue 10:00"), ("page_now", "Tue 08:00"), "unwell_closed"),
    ],
    ids=["staffed", "on call", "nobody"],
)
def test_every_answer_of_the_evening(
    desk: Desk,
    file: Mapping[str, object],
    unwell: tuple[str, str],
    call_me: tuple[str, str],
    told: str,
) -> None:
    """0 and 1 are expected, 2 is called tonight where anybody can, 3 is paged, silence waits."""
    _doses(desk, file)
    desk.waits_until("2026-11-30 17:00")
    assert desk.read()[-5:] == ["after_evening"] * 5
    assert ("please call me" in desk.words()[-1]) is (file is not NOBODY)
    _all_answer(desk)
    wanted = {2: [("side_effect", *unwell)], 3: [("callback", *call_me)]}
    assert _items(desk) == wanted
    assert _told(desk) == {2: [told], 3: [told]}
    desk.waits_until("2026-12-01 09:00")
    # The morning asks whoever was silent.
    assert _items(desk) == wanted


def test_answers_of_the_evening_in_its_own_words_are_as_good_as_its_numbers(desk: Desk) -> None:
    """Whoever writes "unwell" is paged about like who writes 2, and "fine" is no silence."""
    _doses(desk, ON_CALL)
    desk.waits_until("2026-11-30 17:00")
    _all_answer(desk, EVENING_WORDS)
    unwell, call_me = ("page_now", "Mon 17:15"), ("page_now", "Mon 17:15")
    assert _items(desk) == {2: [("side_effect", *unwell)], 3: [("callback", *call_me)]}
    assert _told(desk) == {2: ["high_score_ack"], 3: ["high_score_ack"]}


@pytest.mark.parametrize("writes", [WRITES, MORNING_WORDS], ids=["numbers", "words"])
def test_every_answer_of_the_morning(desk: Desk, writes: Sequence[str]) -> None:
    """0 is well, 1 is looked at again at five, 2 is called, 3 is paged, silence called at one."""
    _doses(desk, ON_CALL)
    desk.waits_until("2026-12-01 09:30")
    assert desk.read()[-5:] == ["after_morning"] * 5
    _nothing_is_open(desk)
    _all_answer(desk, writes)
    wanted = {
        1: [("side_effect", "next_business_day", "Tue 17:00")],
        2: [("side_effect", "call_today", "Tue 11:30")],
        3: [("callback", "page_now", "Tue 09:40")],
    }
    assert _items(desk) == wanted
    desk.waits_until("2026-12-01 13:00")
    assert _items(desk) == {**wanted, SILENT: [("no_answer", "call_today", "Tue 15:00")]}


@pytest.mark.parametrize(
    ("file", "unwell", "call_me"),
    [
        (ON_CALL, ("page_now", "Sat 09:45"), ("page_now", "Sat 09:45")),
        (NOBODY, ("call_today", "Mon 10:00"), ("page_now", "Mon 08:00")),
    ],
    ids=["on call", "nobody"],
)
def test_every_answer_of_a_morning_on_which_the_clinic_is_closed(
    desk: Desk, file: Mapping[str, object], unwell: tuple[str, str], call_me: tuple[str, str]
) -> None:
    """Friday's dose: whoever is on call is paged on Saturday; with nobody, Monday calls."""
    _doses(desk, file, day="2026-12-04")
    desk.waits_until("2026-12-05 09:30")
    _nothing_is_open(desk)
    _all_answer(desk)
    desk.waits_until("2026-12-05 13:00")
    assert _items(desk) == {
        1: [("side_effect", "next_business_day", "Sat 17:00")],
        2: [("side_effect", *unwell)],
        3: [("callback", *call_me)],
        SILENT: [("no_answer", "call_today", "Mon 10:00")],
    }


def test_almost_well_is_looked_at_again_before_a_clinic_closes(desk: Desk) -> None:
    """Where work ends at four, the second look falls due then."""
    _doses(desk, {"staffed_hours": {day: ["08:00-16:00"] for day in WEEK}})
    desk.waits_until("2026-12-01 09:30")
    desk.says("1", phone=phone_of(0))
    assert _items(desk) == {0: [("side_effect", "next_business_day", "Tue 16:00")]}


def test_after_a_session_at_home_silence_is_called_the_same_night(desk: Desk) -> None:
    """Two hours after the question, by whoever is on call; the answers mean what they mean."""
    desk.switches_on("dosing-at-home")
    _doses(desk, {"gates": {"home-dosing": "Dr. Lee, 2026-11-02"}}, place="home")
    desk.waits_until("2026-11-30 17:00")
    assert desk.read()[-5:] == ["after_evening"] * 5
    _all_answer(desk)
    evening = {
        2: [("side_effect", "page_now", "Mon 17:15")],
        3: [("callback", "page_now", "Mon 17:15")],
    }
    assert _items(desk) == evening
    desk.waits_until("2026-11-30 19:00")
    assert _items(desk) == {**evening, SILENT: [("no_answer", "page_now", "Mon 19:15")]}
    desk.waits_until("2026-12-01 09:30")
    _nothing_is_open(desk)
    _all_answer(desk)
    assert _items(desk) == {
        1: [("side_effect", "next_business_day", "Tue 17:00")],
        2: [("side_effect", "call_today", "Tue 11:30")],
        3: [("callback", "page_now", "Tue 09:40")],
    }


def test_a_good_morning_that_cannot_be_said_is_a_call_the_next_day(desk: Desk) -> None:
    """Nobody knows their zone: nothing goes that evening, and a person asks by one the next day."""
    desk.world.execute("UPDATE patient SET timezone = NULL")
    _doses(desk, {})
    desk.waits_until("2026-11-30 20:00")
    assert desk.read()[-5:] == ["after_evening"] * 5
    assert set(desk.why("after_morning")) == {("skipped", "no_allowed_minute")}
    # It is known as soon as they have left, and they are called in the morning.
    calls = desk.world.execute("SELECT due_at FROM follow_up WHERE reason = 'check_not_delivered'")
    assert [one.due_at for one in calls] == [at("2026-12-01 11:30")] * 5
    # The evening's answers count until the morning, since nothing was asked in between.
    desk.waits_until("2026-12-01 08:30")
    desk.says("2", phone=phone_of(0))
    desk.goes_on()
    assert "side_effect" in {reason for reason, *_ in _items(desk)[0]}
    assert "after_morning" not in desk.read()


def test_whoever_was_forgotten_at_the_desk_is_asked_the_same_evening(desk: Desk) -> None:
    """They arrived, and at closing nobody had recorded how it ended; the others did not come."""
    _arrived(desk, ON_CALL)
    desk.waits_until("2026-11-30 16:59")
    assert "after_evening" not in desk.read()
    desk.goes_on(minutes=1)
    assert desk.read().count("after_evening") == 1
    assert desk.due("evening_unrecorded", "delivered") == ["Mon 30 17:00"]
    asked = desk.texts("evening_unrecorded")
    assert {_numbers(desk)[each.patient_id] for each in asked if each.patient_id} == {0}
    # The lead is asked at the same minute what was.
    followups.ask_about_visits(desk.world.services)
    assert "visit_event_missing" in desk.calls()
    _nothing_is_open(desk)
    desk.says("3", phone=phone_of(0))
    desk.goes_on()
    assert _items(desk)[0] == [("callback", "page_now", "Mon 17:15")]
    # Nobody said that there was a dose: the morning waits for that.
    desk.waits_until("2026-12-01 10:00")
    assert "after_morning" not in desk.read()
    assert [each.status for each in desk.texts("evening_unrecorded")] == ["delivered"]


def test_a_check_out_entered_after_the_question_asks_no_second_one_that_evening(
    desk: Desk,
) -> None:
    """Entered at six, that they left at one with a dose: the morning is asked as usual."""
    _arrived(desk, ON_CALL)
    desk.waits_until("2026-11-30 18:00")
    events.record_event(
        desk.world.services,
        desk.visit("A0").id,
        VisitStatus.CHECKED_OUT,
        actor="desk",
        at=at("2026-11-30 13:00"),
        dose=Dose.GIVEN,
    )
    desk.waits_until("2026-11-30 20:00")
    assert desk.read().count("after_evening") == 1
    assert desk.why("after_evening") == [("skipped", "same_day")]
    assert "check_not_delivered" not in desk.calls()
    desk.waits_until("2026-12-01 09:30")
    assert desk.read().count("after_morning") == 1


@pytest.mark.parametrize(
    ("dose", "asked"), [(Dose.GIVEN, "after_evening"), (Dose.NOT_GIVEN, None)], ids=str
)
def test_what_is_recorded_before_closing_asks_as_ever(
    desk: Desk, dose: Dose, asked: str | None
) -> None:
    """At five to five the desk remembers: one question in the evening, or none without a dose."""
    _arrived(desk, ON_CALL)
    desk.waits_until("2026-11-30 16:55")
    desk.records(VisitStatus.CHECKED_OUT, visit="A0", dose=dose)
    desk.waits_until("2026-11-30 19:45")
    assert desk.texts("evening_unrecorded") == []
    assert desk.read().count("after_evening") == (asked is not None)


@pytest.mark.parametrize("dose", [Dose.GIVEN, Dose.NOT_GIVEN])
def test_what_is_recorded_before_the_question_went_withdraws_it(desk: Desk, dose: Dose) -> None:
    """The text waits for seven, since the patient works until then, and the desk is earlier."""
    desk.world.execute("UPDATE patient SET safe_from = '19:00', safe_until = '20:00'")
    _arrived(desk, ON_CALL)
    desk.waits_until("2026-11-30 17:30")
    assert desk.due("evening_unrecorded") == ["Mon 30 19:00"]
    desk.records(VisitStatus.CHECKED_OUT, visit="A0", dose=dose)
    desk.waits_until("2026-11-30 19:45")
    assert desk.why("evening_unrecorded") == [("cancelled", "not_planned")]
    assert desk.read().count("after_evening") == (dose is Dose.GIVEN)
    # After a dose the morning is called: it has no minute within these hours.
    assert ("check_not_delivered" in desk.calls()) == (dose is Dose.GIVEN)


def test_where_no_minute_of_the_evening_is_left_somebody_calls(desk: Desk) -> None:
    """The clinic closes at nine, when nothing may be texted any more: not before, and at once."""
    _arrived(desk, LATE_SHIFT)
    desk.waits_until("2026-11-30 20:59")
    assert "check_not_delivered" not in desk.calls()
    desk.goes_on(minutes=1)
    assert "after_evening" not in desk.read()
    assert desk.why("evening_unrecorded") == [("skipped", "no_allowed_minute")]
    assert "check_not_delivered" in desk.calls()
