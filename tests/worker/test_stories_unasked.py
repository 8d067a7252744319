"""Stories of what people answer to texts of ours that ask nothing."""

import json
from datetime import timedelta

import pytest

from records.patients import OptOut
from schedules.facts import Dose, VisitStatus
from tests.support.world import World, phone_of
from tests.worker.desk import Desk
from worker.steps import people

HEADER = (
    "patient_id,clinic,first_name,phone,language,timezone,"
    "consent_method,consented_at,consent_purposes"
)
ANA = "P9,riverside,Ana,{phone},en,America/New_York,paper,{since},visits;check_ins"


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    made.switches_on("integration-unbooked", "no-show", "no-show-dosing")
    return made


def _offered(desk: Desk) -> None:
    """Have a dose on Wednesday, and the next morning the offer to book what follows it."""
    desk.imports("2026-12-02T08:00")
    desk.waits_until("2026-12-02 10:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    desk.waits_until("2026-12-03 10:00")
    # They are read together: the second is no later than the first.
    assert {"followup_unbooked", "after_morning"} <= set(desk.read())


@pytest.mark.parametrize("words", ["yes please", "book it", "sí por favor", "agéndeme"])
def test_who_takes_the_offer_of_a_visit_is_called_the_same_day(desk: Desk, words: str) -> None:
    """As B would; it waited for the next working day as unclear."""
    _offered(desk)
    desk.says(words)
    assert desk.item("callback").severity == "call_today"
    assert desk.answers[-1] == "callback_ack"


def test_who_names_a_day_is_read_the_same_day(desk: Desk) -> None:
    """What nobody understands is read before somebody calls."""
    _offered(desk)
    desk.says("thursday works for me")
    assert desk.item("unclear_reply").severity == "call_today"


def test_who_is_not_interested_is_asked_whether_that_means_the_texts(desk: Desk) -> None:
    """It ended all texts."""
    _offered(desk)
    desk.says("not interested")
    assert desk.rows(OptOut) == []
    assert desk.item("unclear_reply").severity == "call_today"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        *(("i was there!", "unclear_reply"), ("no", "unclear_reply"), ("help", "unclear_reply")),
        *(("i didnt have an appointment", "unclear_reply"), ("rebook please", "callback")),
    ],
)
def test_what_answers_a_missed_visit_is_read_the_same_day(
    desk: Desk, words: str, reason: str
) -> None:
    """ "We hope you're OK" went out, and "no" came."""
    desk.imports("2026-12-02T08:00")
    desk.waits_until("2026-12-02 08:30")
    desk.records(VisitStatus.NO_SHOW)
    desk.waits_until("2026-12-02 10:00")
    assert desk.read()[-1] == "no_show"
    desk.says(words)
    assert desk.item(reason).severity == "call_today"
    assert desk.rows(OptOut) == []


@pytest.mark.parametrize(
    ("words", "calls"),
    [("ok thanks", 1), ("yes", 1), ("never mind", 1), ("after 5 please", 2), ("call me now", 1)],
)
def test_what_answers_the_promise_of_a_call(desk: Desk, words: str, calls: int) -> None:
    """ "After 5" has to be read before somebody calls; "yes" needs nobody more."""
    desk.says("call me")
    assert desk.answers == ["callback_ack"]
    desk.goes_on(minutes=2)
    desk.says(words)
    assert len(desk.calls()) == calls
    assert all(row.severity == "call_today" for row in _items(desk))


def _items(desk: Desk):
    return desk.world.execute("SELECT severity FROM follow_up WHERE status <> 'resolved'")


def test_what_answers_an_earlier_text_is_read_by_itself(desk: Desk) -> None:
    """A text has its topic while it is the last, and half a day."""
    desk.says("call me")
    desk.goes_on(minutes=2)
    desk.imports("2026-12-03T10:00")
    desk.waits_until("2026-12-01 11:00")
    assert "visit_48h" in desk.read()
    desk.says("blue skies over the garden")
    assert desk.item("unclear_reply").severity == "next_business_day"


@pytest.mark.parametrize(
    ("words", "said"), [("yes", None), ("HI", None), ("sí", None), ("no thanks", "call_today")]
)
def test_a_yes_to_a_welcome_proves_the_number_and_needs_nobody(
    world: World, words: str, said: str | None
) -> None:
    """And whoever declines it is asked the same day what they want."""
    desk = Desk(world)
    row = ANA.format(phone=phone_of(9), since="2026-11-29")
    people.import_patients(world.services, f"{HEADER}\n{row}".encode(), actor="desk")
    desk.goes_on()
    assert desk.read() == ["welcome"]
    desk.says(words, phone=phone_of(9))
    assert desk.patient().proved_at is not None
    assert [row.severity for row in _items(desk)] == ([said] if said else [])


def test_cancel_it_holds_the_visit_and_no_text_ends(desk: Desk) -> None:
    """It ended all texts, and nobody heard that the patient does not come."""
    desk.imports("2026-12-04T10:00")
    desk.waits_until("2026-12-03 12:00")
    desk.says("cancel it")
    assert desk.visit().change_requested_at is not None
    assert desk.item("change_requested").severity == "call_today"
    assert (desk.rows(OptOut), desk.answers) == ([], ["change_ack"])
    desk.goes_on(minutes=2)
    desk.says("please cancel it")
    assert desk.rows(OptOut) == []
    desk.says("CANCEL")
    assert len(desk.rows(OptOut)) == 1


def test_a_text_in_the_clinics_own_words_is_still_about_the_same(desk: Desk) -> None:
    """What its answers mean goes by what it is for."""
    words = {"visit_48h": {"en": "{sms_name}: visit {when}. {link} Any news? Reply Y or N."}}
    desk.world.execute(
        "UPDATE clinic SET settings = settings || CAST(:own AS jsonb), version = version + 1",
        own=json.dumps({"wording": words}),
    )
    desk.imports("2026-12-02T10:00")
    desk.goes_on(minutes=1)
    assert "Any news?" in desk.words()[-1]
    desk.says("all good")
    [row] = desk.world.execute("SELECT value_text FROM check_in WHERE item = 'visit_48h'")
    assert row.value_text == "decline_reschedule"


def test_what_a_protocol_makes_a_question_of_is_answered_as_one(desk: Desk) -> None:
    """Its own rule says what a yes asks for."""
    _offered(desk)
    desk.world.execute(
        "UPDATE message SET expects = 'yes_no', answer_until = :until"
        " WHERE template = 'followup_unbooked' AND attempts > 0",
        until=desk.world.now + timedelta(days=1),
    )
    desk.says("yes")
    answered = desk.world.execute("SELECT template FROM message WHERE answered_at IS NOT NULL")
    assert [row.template for row in answered] == ["followup_unbooked"]
