"""Replies: every text ends in a recorded answer or in front of a person, on a real database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from records import patients
from records.appointments import Appointment
from records.checkins import CheckIn
from records.followups import FollowUp, FollowUpEvent
from records.inbox import Inbound
from records.outbox import Message
from tests.support.databases import OwnDatabase
from tests.support.world import World, make_due, make_visits, phone_of
from tests.worker.talk import Talk, hide_column
from worker.steps import consents, replies, send

STRANGER = "+12125550177"
DAY = timedelta(days=1)


@pytest.fixture
def talk(world: World) -> Talk:
    """A world with a phone."""
    return Talk(world)


@pytest.fixture
def visit(talk: Talk) -> Talk:
    """Somebody was just asked to confirm a dosing visit in a week."""
    talk.asked("visit_7d", starts_in=timedelta(days=8), send_before=timedelta(days=7))
    return talk


@pytest.fixture
def daily(talk: Talk) -> Talk:
    """Somebody was just asked for today's number."""
    talk.daily()
    return talk


# --- stories: who writes what, minute by minute, and what that leaves -----------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Texts from one phone, and what must be there afterwards."""

    texts: tuple[str, ...]
    answers: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    severity: str | None = None
    patient: dict[str, Any] | None = None
    apart: timedelta = timedelta(minutes=5)


NIGHT = timedelta(hours=12)

UNPROMPTED: dict[str, Story] = {
    "thanks": Story(texts=("Thank you!",)),
    "what resembles thanks": Story(
        texts=("my daughter made the honor roll today just wanted to tell somebody",),
        reasons=("unclear_reply",),
    ),
    "a question": Story(texts=("Can I take my vitamins?",), reasons=("question",)),
    "words nobody understands": Story(
        texts=("purple monkey dishwasher",),
        reasons=("unclear_reply",),
        severity="next_business_day",
    ),
    "please call": Story(
        texts=("call me",), answers=("callback_ack",), reasons=("callback",), severity="call_today"
    ),
    "pause": Story(texts=("PAUSE",), answers=("pause_ack",), reasons=("paused",)),
    "help is answered by the carrier": Story(texts=("HELP",)),
    "help in Spanish is answered by us": Story(texts=("AYUDA",), answers=("help",)),
    "what asks for help in other words is answered and read": Story(
        texts=("how do these texts work, what can i reply here",),
        answers=("help",),
        reasons=("question",),
    ),
    "a stop that names its end is a pause that may be a stop, and a call today": Story(
        texts=("stop texting me til my exam is over",),
        reasons=("paused", "unclear_reply"),
        severity="call_today",
    ),
    "a stop whose end nobody is sure of is a stop, and a call today": Story(
        texts=("stop texting me for now",),
        answers=("optout_confirm_words",),
        reasons=("opted_out",),
        severity="call_today",
    ),
    "a wish to be texted again loses nothing beside it": Story(
        texts=("start texting me again, i see things that arent there",),
        answers=("high_score_ack",),
        reasons=("question", "side_effect"),
    ),
    "a wish to be texted again in danger lifts no stop": Story(
        texts=("STOP", "put me back on the texts, i want to die"),
        answers=("crisis_reply_noalert",),
        reasons=("crisis", "opted_out", "question"),
    ),
    "an everyday time beside a stop takes nothing from it": Story(
        texts=("Stop texting me. I'm moving next week",),
        answers=("optout_confirm_words",),
        reasons=("opted_out",),
    ),
    "stop is confirmed by the carrier": Story(texts=("STOP",), reasons=("opted_out",)),
    "another keyword is confirmed by us, once": Story(
        texts=("parar", "parar", "STOP"), answers=("optout_confirm",), reasons=("opted_out",)
    ),
    "a stop in a sentence": Story(
        texts=("please stop texting me",), answers=("optout_confirm_words",), reasons=("opted_out",)
    ),
    "stop and start": Story(texts=("STOP", "START"), reasons=("opted_out",)),
    "start that lifts nothing goes to a person": Story(
        texts=("please stop texting me", "START"),
        answers=("optout_confirm_words",),
        reasons=("opted_out", "question"),
    ),
    "a wrong number": Story(
        texts=("wrong number",),
        answers=("wrong_number_ack",),
        reasons=("wrong_number",),
        severity="call_today",
    ),
    "a crisis": Story(
        texts=("I want to kill myself",),
        answers=("crisis_reply_noalert",),
        reasons=("crisis",),
        severity="page_now",
    ),
    "an overdose": Story(
        texts=("my friend overdosed",),
        answers=("overdose_reply_noalert",),
        reasons=("overdose",),
        severity="page_now",
    ),
    "an emergency": Story(
        texts=("chest pain and i cant breathe",),
        answers=("emergency_reply_noalert",),
        reasons=("medical_emergency",),
        severity="page_now",
    ),
    "a second crisis text joins and is not answered again": Story(
        texts=("I want to die", "i want to kill myself"),
        answers=("crisis_reply_noalert",),
        reasons=("crisis",),
    ),
    "a crisis text after 15 minutes is answered again": Story(
        texts=("I want to die", "i want to kill myself"),
        answers=("crisis_reply_noalert", "crisis_reply_noalert"),
        reasons=("crisis",),
        apart=timedelta(minutes=16),
    ),
    "another danger is answered at once": Story(
        texts=("I want to die", "i took the whole bottle"),
        answers=("crisis_reply_noalert", "overdose_reply_noalert"),
        reasons=("crisis",),
    ),
    "abuse is answered with nothing that shows": Story(
        texts=("he hit me and i am scared to go home",),
        answers=("neutral_ack",),
        reasons=("crisis",),
        severity="page_now",
    ),
    "a crisis after a stop is answered all the same": Story(
        texts=("STOP", "i want to kill myself"),
        answers=("crisis_reply_noalert",),
        reasons=("opted_out", "crisis"),
    ),
    "four questions in an hour get three answers": Story(
        texts=("call me", "call me please", "call me", "call me"),
        answers=("callback_ack",) * 3,
        reasons=("callback",),
    ),
    "nothing answers a number that stopped": Story(
        texts=("STOP", "call me"), reasons=("opted_out", "callback")
    ),
    "a text from a closed record": Story(
        texts=("call me",),
        answers=("closed_line",),
        reasons=("unclear_reply",),
        patient={"status": "closed", "status_reason": "discharged"},
    ),
    "a text from the phone of somebody who died": Story(
        texts=("who is this",),
        reasons=("unclear_reply",),
        severity="call_today",
        patient={"status": "closed", "status_reason": "deceased"},
    ),
}


@pytest.mark.parametrize("name", UNPROMPTED)
def test_a_text_without_a_question(talk: Talk, name: str) -> None:
    """One row of the table: texts, answers, follow-ups."""
    story = UNPROMPTED[name]
    talk.someone(**(story.patient or {}))
    _tell(talk, story)


@pytest.mark.parametrize("stop", ["STOP", "please stop texting me", "wrong number"])
@pytest.mark.parametrize(
    ("said", "severity"),
    [("HELP", "next_business_day"), ("AYUDA", "next_business_day"), ("help!", "call_today")],
)
def test_help_from_a_number_that_stopped_reaches_a_person(
    talk: Talk, stop: str, said: str, severity: str
) -> None:
    """Nothing may be answered there, also where the carrier would: HELP was written and lost."""
    talk.someone()
    talk.says(stop)
    answered = talk.answers
    talk.world.advance(hours=3)
    row = talk.says(said)

    assert talk.answers == answered
    assert talk.item("unclear_reply").severity == severity
    assert row.follow_up_id is not None


def test_help_beyond_the_answers_of_an_hour_reaches_a_person(talk: Talk) -> None:
    """Three are answered; whoever writes a fourth time may mean it."""
    talk.someone()
    for _ in range(3):
        talk.says("AYUDA")
        talk.world.advance(minutes=2)
    assert talk.reasons == []
    talk.says("help!")

    assert talk.answers == ["help"] * 3
    assert talk.item("unclear_reply").severity == "call_today"


def test_help_from_a_number_out_of_service_reaches_a_person(daily: Talk) -> None:
    """It is texted nothing until somebody has looked."""
    [text] = [row for row in daily.world.texts() if row.step == "daily_0_10" and row.attempts]
    with daily.world.database.transaction() as session:
        patients.opt_out(
            session,
            clinic_id=daily.world.clinic_id,
            blind=text.recipient_blind or b"",
            reason="suspended_30005",
            occurred_at=daily.world.now,
        )
    daily.world.advance(hours=3)
    daily.says("HELP")

    assert (daily.answers, daily.reasons) == ([], ["unclear_reply"])


def test_an_unknown_number_is_acknowledged_once_and_shown_to_a_person(talk: Talk) -> None:
    """Nothing says who we are to whom; the item has no patient."""
    talk.someone()
    for body in ("who is this?", "hello??"):
        assert talk.says(body, phone=STRANGER).patient_id is None
    assert talk.answers == ["neutral_ack"]
    item = talk.item("unknown_number")
    assert (item.patient_id, item.times_joined) == (None, 1)


def test_a_crisis_text_from_an_unknown_number_is_answered_and_paged(talk: Talk) -> None:
    """Care rule 9: tried once even to an unknown number, and it really goes."""
    talk.says("i want to kill myself", phone=STRANGER)
    assert talk.item("crisis").severity == "page_now"
    # Nobody takes the page here: the reply waits its three seconds.
    talk.world.advance(seconds=3)
    talk.world.send()
    assert [text.to for text in talk.world.gateway.created()] == [STRANGER]


def test_two_patients_on_a_phone_need_a_person(talk: Talk) -> None:
    """Care rule 22: a reply is nobody's; both conversations get the item, no text names one."""
    first, second = [*talk.someone(), *talk.someone(first=1, phone=phone_of(0))]
    row = talk.says("purple monkey")
    assert row.patient_id is None
    assert {item.patient_id for item in talk.rows(FollowUp)} == {first, second}
    assert talk.answers == []


@pytest.mark.parametrize(
    "unreached", ["status = 'closed', status_reason = 'transferred'", "calls_only = true"]
)
def test_an_answer_is_that_of_the_one_who_is_texted_on_a_number(
    daily: Talk, unreached: str
) -> None:
    """An old record on a number, or somebody who is only called, takes no answer from anybody."""
    daily.someone(first=1, phone=phone_of(0))
    daily.world.execute(f"UPDATE patient SET {unreached} WHERE id = :id", id=daily.patient(1).id)
    row = daily.says("10")
    assert (row.patient_id, daily.patient(0).proved_at) == (daily.patient(0).id, daily.world.now)
    assert (daily.check_in().status, daily.check_in().value) == ("answered", 10)
    assert {item.patient_id for item in daily.rows(FollowUp)} == {daily.patient(0).id}
    assert daily.reasons == ["page_score"]


def test_danger_from_a_number_counts_for_a_record_that_is_not_texted_too(talk: Talk) -> None:
    """Care rule 22: who of them wrote it, whoever is paged finds out."""
    talk.someone()
    talk.someone(first=1, phone=phone_of(0))
    talk.world.execute("UPDATE patient SET calls_only = true WHERE id = :id", id=talk.patient(1).id)
    talk.says("i want to die")
    assert talk.reasons == ["crisis", "crisis"]


def test_a_worrying_answer_of_two_patients_is_as_urgent_as_of_one(daily: Talk) -> None:
    """Whose it is a person finds out, as soon as the number asks for; it is nobody's silence."""
    daily.someone(first=1, phone=phone_of(0))
    daily.says("10")
    worst = [item for item in daily.rows(FollowUp) if item.reason == "page_score"]
    assert [item.severity for item in worst] == ["page_now", "page_now"]
    assert {item.patient_id for item in worst} == {daily.patient(0).id, daily.patient(1).id}
    assert (daily.check_in().status, daily.check_in().value) == ("unclear", None)


def test_a_safety_text_from_a_shared_phone_counts_for_both(talk: Talk) -> None:
    """Two items that page, one reply."""
    talk.someone()
    talk.someone(first=1, phone=phone_of(0))
    talk.says("i want to die")
    assert talk.reasons == ["crisis", "crisis"]
    assert talk.answers == ["crisis_reply_noalert"]


def test_a_pause_in_the_words_of_a_stop_rests_for_both_on_a_shared_phone(talk: Talk) -> None:
    """As a stop would: whose it is, and what was meant, a person asks today."""
    talk.someone()
    talk.someone(first=1, phone=phone_of(0))
    talk.says("stop texting me til my exam is over")
    both = [talk.patient(0), talk.patient(1)]
    assert {person.status_reason for person in both} == {"unclear_stop"}
    calls = [item for item in talk.rows(FollowUp) if item.reason == "unclear_reply"]
    assert {(item.patient_id, item.severity) for item in calls} == {
        (person.id, "call_today") for person in both
    }


def test_a_stop_from_a_number_that_was_out_of_service_stays(daily: Talk) -> None:
    """The next reply proves the number, and that took the stop with it."""
    world = daily.world
    world.execute(
        "INSERT INTO opt_out (clinic_id, phone_blind, reason, occurred_at)"
        " SELECT clinic_id, phone_blind, 'suspended_30006', :now FROM patient",
        now=world.now,
    )
    assert daily.says("stop texting me").opt_change == "stop"
    assert daily.answers == ["optout_confirm_words"]
    daily.says("thanks")
    standing = "SELECT reason FROM opt_out WHERE lifted_at IS NULL"
    assert world.execute(standing) == [("words",)]


def test_a_number_out_of_service_takes_the_place_of_no_stop(daily: Talk) -> None:
    """What a late callback says of the number is lifted by a reply; a STOP is not."""
    world = daily.world
    daily.says("STOP")
    with world.database.transaction() as session:
        blind = daily.patient().phone_blind
        patients.opt_out(
            session,
            clinic_id=world.clinic_id,
            blind=blind,
            reason="suspended_30005",
            occurred_at=world.now,
        )
    daily.says("thanks")
    standing = "SELECT reason FROM opt_out WHERE lifted_at IS NULL"
    assert world.execute(standing) == [("keyword",)]


@pytest.mark.parametrize("body", ["please stop texting", "STOP", "START", "wrong number"])
def test_rule_24_whatever_comes_from_the_phone_of_who_died_goes_to_the_lead(
    talk: Talk, body: str
) -> None:
    """A widow who asks for no more texts is called by somebody who knows, and texted nothing."""
    talk.someone(status="closed", status_reason="deceased")
    talk.says(body)
    [item] = talk.rows(FollowUp)
    assert (item.reason, item.severity) == ("unclear_reply", "call_today")
    assert talk.answers == []


def test_start_from_a_shared_phone_is_left_to_a_person(talk: Talk) -> None:
    """One of two people can't consent for the other."""
    talk.someone()
    talk.someone(first=1, phone=phone_of(0))
    talk.says("STOP")
    assert talk.says("START").opt_change == "start_refused"
    assert talk.reasons.count("question") == 2


# --- visits ---------------------------------------------------------------------------------------

VISIT: dict[str, Story] = {
    "C": Story(texts=("C",), answers=("confirm_ack",)),
    "c with words around it": Story(texts=("ok, c.",), answers=("confirm_ack",)),
    "a bare yes answers C or R": Story(texts=("Yes",), answers=("confirm_ack",)),
    "R": Story(texts=("R",), answers=("change_ack",), reasons=("change_requested",)),
    "R after C": Story(
        texts=("C", "R"), answers=("confirm_ack", "change_ack"), reasons=("change_requested",)
    ),
    "C after R leaves it to staff": Story(
        texts=("R", "C"), answers=("change_ack",), reasons=("change_requested",)
    ),
    "running late": Story(texts=("L",), answers=("late_ack",), reasons=("running_late",)),
    "bare cancel stops, and may mean the visit": Story(
        texts=("CANCEL",),
        reasons=("may_have_meant_something_else", "opted_out"),
    ),
    "cancelar is ours to confirm": Story(
        texts=("cancelar",),
        answers=("optout_confirm_visit",),
        reasons=("may_have_meant_something_else", "opted_out"),
    ),
}


@pytest.mark.parametrize("name", VISIT)
def test_a_text_after_a_reminder(visit: Talk, name: str) -> None:
    """One row of the table."""
    _tell(visit, VISIT[name])


def test_c_confirms_the_start_that_the_text_spoke_of(visit: Talk) -> None:
    """The visit is confirmed, the question answered, the plan asked for anew."""
    row = visit.says("C")
    [asked] = [each for each in visit.rows(Message) if each.id == row.prompt_message_id]
    booked = visit.visit()
    assert booked.confirmed_start == booked.starts_at == asked.anchor_at
    assert (asked.step, asked.answered_at) == ("visit_7d", row.received_at)
    check_in = visit.check_in()
    assert (check_in.status, check_in.value_text) == ("answered", "confirm")
    assert _plan_wanted(visit)


def test_r_holds_the_reminders_until_staff_decide(visit: Talk) -> None:
    """A later R reverses a C (care rule 1)."""
    visit.says("C")
    visit.world.advance(minutes=3)
    visit.says("R")
    booked = visit.visit()
    assert booked.change_requested_at == visit.world.now
    assert booked.confirmed_start is None
    visit.world.plan()
    assert _planned(visit) == []


def test_an_answer_names_a_time_at_which_somebody_can_call(visit: Talk) -> None:
    """{window} is the item's own clock, in the patient's language."""
    visit.says("R")
    visit.world.send()
    assert "We'll call you today by" in visit.world.gateway.created()[-1].body


def test_a_confirmation_of_a_moved_visit_goes_to_a_person(visit: Talk) -> None:
    """C to the old time is worth nothing; they may come at the wrong hour."""
    visit.world.execute(
        "UPDATE appointment SET starts_at = starts_at + interval '1 day', revision = 2"
    )
    visit.says("C")
    assert visit.visit().confirmed_start is None
    assert (visit.reasons, visit.item("unclear_reply").severity) == (
        ["unclear_reply"],
        "call_today",
    )


def _second_visit(visit: Talk) -> None:
    world, start = visit.world, visit.world.now + timedelta(days=3)
    people = [visit.patient().id]
    with world.database.transaction() as session:
        own = (session, world.vault, world.clinic_id, people, start)
        second = make_visits(*own, label="second")
        rows = (session, world.clinic_id, world.sender_id, people, second)
        make_due(*rows, due_at=world.now, starts_at=start)
    visit.send_due("visit-7d")


def test_two_visits_that_an_alarmed_patient_gives_up_are_held(visit: Talk) -> None:
    """Somebody is paged for how they are, and neither visit goes on as if they came (rule 12)."""
    _second_visit(visit)
    row = visit.says("cant make it, disconnected and scared")
    assert row.ambiguous
    assert visit.item("side_effect").severity == "page_now"
    assert all(each.change_requested_at for each in visit.rows(Appointment))


def test_two_visits_that_fit_are_asked_about(visit: Talk) -> None:
    """C could mean either: nothing is confirmed, a person sees it."""
    _second_visit(visit)
    row = visit.says("C")
    assert (row.ambiguous, row.prompt_message_id) == (True, None)
    assert (visit.answers, visit.reasons) == (["which_one"], ["unclear_reply"])
    assert [each.confirmed_start for each in visit.rows(Appointment)] == [None, None]


YES_NO: dict[str, tuple[str, str, list[str], list[str]]] = {
    "health news": ("visit_48h", "Y", ["health_news"], ["callback_ack"]),
    "no health news": ("visit_48h", "N", [], []),
    "no ride": ("visit_2h_ride", "N", ["ride_missing"], ["callback_ack"]),
    "a ride": ("visit_2h_ride", "y", [], []),
    "means to drive": ("visit_2h_ride", "i'll drive", ["ride_missing"], ["callback_ack"]),
}


@pytest.mark.parametrize("name", YES_NO)
def test_yes_and_no_follow_the_rules_of_the_step(talk: Talk, name: str) -> None:
    """Y is worrying to the health question and reassuring to the ride question."""
    step, body, reasons, answers = YES_NO[name]
    before = {"visit_48h": timedelta(hours=48), "visit_2h_ride": timedelta(hours=2)}[step]
    talk.asked(step, starts_in=timedelta(days=3, hours=5), send_before=before)
    talk.says(body)
    assert (talk.reasons, talk.answers) == (reasons, answers)
    [asked] = [m for m in talk.rows(Message) if m.step == step]
    assert asked.answered_at is not None


def test_no_text_names_a_time_that_is_as_good_as_over(talk: Talk) -> None:
    """The call about a missing ride is due in a minute; "by 1:01 PM" would be no promise."""
    talk.asked(
        "visit_2h_ride", starts_in=timedelta(days=3, hours=5), send_before=timedelta(hours=2)
    )
    talk.world.advance(minutes=59, seconds=30)
    talk.says("N")
    talk.world.send()
    due = talk.item("ride_missing").due_at
    assert due - talk.world.now < timedelta(minutes=1)
    local = (talk.world.now + timedelta(minutes=10)).astimezone(ZoneInfo("America/New_York"))
    assert f"{local:%-I:%M}" in talk.world.gateway.created()[-1].body


def test_a_missing_ride_is_due_before_the_visit(talk: Talk) -> None:
    """The rule's own deadline beats the severity's clock."""
    talk.asked(
        "visit_2h_ride", starts_in=timedelta(days=3, hours=5), send_before=timedelta(hours=2)
    )
    talk.says("N")
    assert talk.item("ride_missing").due_at <= talk.visit().starts_at - timedelta(hours=1)


# --- numbers --------------------------------------------------------------------------------------

NUMBERS: dict[str, Story] = {
    "a low number": Story(texts=("3",)),
    "a high number": Story(
        texts=("8",), answers=("high_score_ack",), reasons=("high_score",), severity="call_today"
    ),
    "ten": Story(
        texts=("10",), answers=("high_score_ack",), reasons=("page_score",), severity="page_now"
    ),
    "out of range is asked again": Story(texts=("12",), answers=("reask",)),
    "out of range twice goes to a person": Story(
        texts=("12", "13"), answers=("reask",), reasons=("unclear_reply",)
    ),
    "out of range, then a number": Story(texts=("12", "3"), answers=("reask",)),
    "words are asked again and shown to a person": Story(
        texts=("so so i guess",), answers=("reask",), reasons=("unclear_reply",)
    ),
    "ALTO is high, no stop": Story(
        texts=("ALTO",),
        answers=("scale_or_stop",),
        reasons=("unclear_reply",),
        severity="call_today",
    ),
    "a number and danger": Story(
        texts=("8 and i want to die",),
        answers=("crisis_reply_noalert",),
        reasons=("crisis",),
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_text_after_the_daily_question(daily: Talk, name: str) -> None:
    """One row of the table; it is evening in New York, and on-call covers it."""
    _tell(daily, NUMBERS[name])


def test_a_number_is_recorded_as_the_answer(daily: Talk) -> None:
    """Value, time and source stand on the check-in; the nudge is not needed any more."""
    row = daily.says("4")
    check_in = daily.check_in()
    assert (check_in.status, check_in.value, check_in.inbound_id) == ("answered", 4, row.id)
    daily.world.plan()
    daily.world.advance(hours=2, minutes=5)
    daily.world.send()
    assert len([t for t in daily.world.gateway.created() if "check-in" in t.body]) == 1


def test_a_rise_over_the_own_median_is_seen(daily: Talk) -> None:
    """2, 2, 2, then 5: next business day (the clinical brief, section 3)."""
    for number in ("2", "2", "2", "5"):
        daily.says(number)
        daily.world.advance(days=1)
        daily.world.plan()
        daily.world.send()
        daily.delivered()
    assert daily.reasons == ["rising_score"]


def test_an_answer_to_the_nudge_answers_the_question(daily: Talk) -> None:
    """One question, asked twice, has one answer, and no digit fits two prompts."""
    daily.world.plan()
    daily.world.advance(hours=2)
    daily.send_due("daily_0_10.nudge")
    row = daily.says("4")
    assert (row.intent, row.ambiguous) == ("score", False)
    assert sorted(each.status for each in daily.rows(CheckIn)) == ["answered", "void"]
    asked = [m for m in daily.rows(Message) if m.expects == "craving_scale" and m.attempts]
    assert all(m.answered_at for m in asked)


def test_a_reply_that_beats_our_own_commit_is_bound(talk: Talk) -> None:
    """The patient answers while the row still says submitting: the answer opens its check-in."""
    talk.daily()
    talk.world.execute("UPDATE message SET status = 'submitting' WHERE status = 'delivered'")
    assert talk.says("4").prompt_message_id is not None
    assert talk.check_in().value == 4


def test_pause_stops_check_ins_for_a_week_and_visits_go_on(daily: Talk) -> None:
    """Care rule 20."""
    daily.says("PAUSE")
    assert daily.patient().paused_until == daily.world.now + timedelta(days=7)
    daily.world.plan()
    until = daily.patient().paused_until
    assert all(row.due_at >= until for row in _planned(daily) if row.nudge_for is None)
    daily.world.advance(hours=2)
    daily.world.send()
    assert [text.body[:30] for text in daily.world.gateway.created()][2:] == []
    assert daily.item("paused").severity == "digest"


def test_a_pause_loses_no_answer_beside_it(daily: Talk) -> None:
    """A 10 pages, whatever else is asked for."""
    daily.says("10, pause the questions for a week please")
    assert daily.check_in().value == 10
    assert daily.patient().paused_until == daily.world.now + timedelta(days=7)
    assert {"page_score", "paused"} <= set(daily.reasons)


def test_an_opioid_patients_pause_is_called_the_same_day(talk: Talk) -> None:
    """In the first 28 days (care rule 20)."""
    talk.someone()
    _set_profile(talk, '{"substances": "opioid"}')
    talk.world.execute(
        "INSERT INTO enrollment (id, clinic_id, patient_id, protocol, status, created_at)"
        " SELECT uuidv7(), clinic_id, id, 'daily-check-in', 'active', :now FROM patient",
        now=talk.world.now - 3 * DAY,
    )
    talk.says("pause")
    assert talk.item("paused").severity == "call_today"


def test_a_substance_of_the_clinics_own_can_make_silence_urgent(talk: Talk) -> None:
    """What code does for one substance, it does for any of which the clinic says so."""
    own = '{"substances": {"cannabis": {"also": ["weed"], "silence_is_urgent": true}}}'
    talk.world.execute(
        "UPDATE clinic SET version = version + 1, settings = settings || CAST(:own AS jsonb)",
        own=own,
    )
    talk.someone()
    _set_profile(talk, '{"substances": ["weed"]}')
    talk.world.execute(
        "INSERT INTO enrollment (id, clinic_id, patient_id, protocol, status, created_at)"
        " SELECT uuidv7(), clinic_id, id, 'daily-check-in', 'active', :now FROM patient",
        now=talk.world.now - 3 * DAY,
    )
    talk.says("pause")
    assert talk.item("paused").severity == "call_today"


# --- hours and languages --------------------------------------------------------------------------


def test_at_night_nobody_promises_a_call(talk: Talk) -> None:
    """With nobody covered the answer says when we open (care rule 11)."""
    talk.someone()
    _nobody_on_call(talk)
    talk.world.advance(hours=10)
    talk.says("call me")
    talk.says("what about tomorrow, same food rules?")
    assert talk.answers == ["after_hours_ack"], "once for what is written in one go"
    talk.world.advance(minutes=20)
    talk.says("and can i drive?")
    assert talk.answers == ["after_hours_ack", "after_hours_ack"]


def test_an_evening_side_effect_gets_the_closed_wording(talk: Talk) -> None:
    """`unwell_closed` goes past every gate (care rule 11)."""
    talk.someone()
    _nobody_on_call(talk)
    talk.world.advance(hours=10)
    talk.says("i threw up four times")
    assert talk.answers == ["unwell_closed"]


@pytest.mark.parametrize("words", ["alone", "yes", "very sleepy", "estoy sola"])
def test_who_names_what_the_closed_wording_names_is_paged(talk: Talk, words: str) -> None:
    """ "Alone, confused, very sleepy or worse? Call 911": it waited for the next day."""
    talk.someone()
    _nobody_on_call(talk)
    talk.world.advance(hours=10)
    talk.says("i threw up four times")
    talk.says(words)
    assert talk.item("medical_emergency").severity == "page_now"
    assert talk.answers == ["unwell_closed", "emergency_reply_noalert"]


def test_a_safety_reply_speaks_the_language_of_the_text(talk: Talk) -> None:
    """Care rule 23: an English record, a Spanish text."""
    talk.someone(language="en")
    talk.says("ya no quiero vivir, quiero morir")
    # Nobody takes the page here: the reply waits its three seconds.
    talk.world.advance(seconds=3)
    talk.world.send()
    assert "Llame al 988" in talk.world.gateway.created()[-1].body


def test_the_crisis_reply_says_honestly_when_somebody_reads(talk: Talk) -> None:
    """No team sentence without a page; {until} is the page's own clock in staffed hours."""
    talk.someone()
    talk.says("i want to kill myself")
    # Nobody takes the page here: the reply waits its three seconds.
    talk.world.advance(seconds=3)
    talk.world.send()
    [text] = talk.world.gateway.created()
    assert "until today at 10:10 AM" in text.body
    assert "alerted" not in text.body


def test_a_safety_reply_passes_every_gate_of_ours(talk: Talk) -> None:
    """Held, stopped, clinic paused, breaker open: it is sent (care rule 9)."""
    talk.someone(status="held")
    talk.says("STOP")
    talk.world.execute("UPDATE clinic SET paused_at = now()")
    talk.world.execute(
        "UPDATE sender SET breaker_until = :until, tokens = 0, segments_per_second = 0.001",
        until=talk.world.now + DAY,
    )
    talk.says("i want to kill myself")
    # Nobody takes the page here: the reply waits its three seconds.
    talk.world.advance(seconds=3)
    send.run_safety(talk.world.services, talk.world.carrier, talk.world.sender_id)
    assert talk.world.carrier.drain(20)
    assert len(talk.world.gateway.created()) == 1


def test_a_confirmation_of_a_stop_reaches_the_stopped_number(talk: Talk) -> None:
    """Exactly one text after the stop, within its five minutes."""
    talk.someone()
    talk.says("parar")
    talk.world.send()
    [text] = talk.world.gateway.created()
    assert text.body.startswith("Riverside Care: you're opted out and won't get more texts.")


@pytest.mark.parametrize("said", ["parar", "please stop texting me", "wrong number"])
def test_a_stop_handled_late_is_not_confirmed_at_night(talk: Talk, said: str) -> None:
    """Workers were away, or the pull found it: the stop stands, and staff see it."""
    [patient] = talk.someone()
    talk.receive(said)
    talk.world.advance(hours=15)
    replies.run(talk.world.services)

    assert (talk.answers, talk.patient().purposes) == ([], [])
    assert [item.patient_id for item in talk.rows(FollowUp)] == [patient]


def test_a_confirmation_of_a_stop_that_waited_too_long_does_not_go(talk: Talk) -> None:
    """It was written in time, and nobody could send it."""
    talk.someone()
    talk.says("parar")
    talk.world.advance(minutes=6)
    talk.world.send()

    assert talk.world.gateway.created() == []
    assert [row.status for row in talk.rows(Message)] == ["expired"]


def test_where_the_app_answers_keywords_each_is_answered_once(talk: Talk) -> None:
    """`optout_handled_by: app`: STOP, HELP and START are ours."""
    talk.someone()
    _app_answers(talk)
    for body in ("HELP", "STOP", "START"):
        talk.says(body)
        talk.world.send()
    assert talk.answers == ["help", "optout_confirm", "start_confirm"]


def _app_answers(talk: Talk) -> None:
    talk.world.execute(
        "UPDATE clinic SET version = version + 1,"
        " settings = jsonb_set(settings, '{optout_handled_by}', '\"app\"')"
    )


_PAUSED = "UPDATE patient SET paused_until = timestamptz '2027-06-01'"
_HELD = "UPDATE patient SET status = 'held', status_reason = 'unclear_stop'"
_CALLS_ONLY = "UPDATE patient SET calls_only = true"


@pytest.mark.parametrize("rest", [_PAUSED, _HELD, _CALLS_ONLY])
@pytest.mark.parametrize("stopped", [True, False])
def test_a_start_after_which_texts_rest_goes_to_a_person(
    talk: Talk, rest: str, *, stopped: bool
) -> None:
    """Nobody is told that texts are on again while none goes."""
    talk.someone()
    _app_answers(talk)
    if stopped:
        talk.says("STOP")
    talk.world.execute(rest)
    talk.world.advance(minutes=1)
    row = talk.says("START")

    assert row.opt_change == ("start" if stopped else "start_idle")
    assert "start_confirm" not in talk.answers
    assert row.follow_up_id == talk.rows(FollowUp)[-1].id
    assert talk.reasons[-1] == "question"


def test_a_start_that_gives_no_consent_back_goes_to_a_person(talk: Talk) -> None:
    """The keyword stop is lifted; staff had recorded since that check-ins are not wanted."""
    [patient] = talk.someone()
    _app_answers(talk)
    talk.says("STOP")
    consents.revoke(
        talk.world.services, patient, purposes=["check_ins"], method="voice", actor="kim"
    )
    row = talk.says("START")

    assert (row.opt_change, talk.patient().purposes) == ("start", [])
    assert talk.answers == ["optout_confirm"]
    assert talk.reasons == ["opted_out", "question"]


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_poison_row_stops_no_other(talk: Talk) -> None:
    """The first text can't be opened; the second is handled, the first ends before a person."""
    talk.someone()
    poison = talk.receive("call me")
    talk.world.execute("UPDATE inbound SET from_number = '\\x0100'")
    talk.world.advance(seconds=1)
    fine = talk.receive("call me", phone=STRANGER)
    counts = replies.run(talk.world.services)
    assert counts == {"handled": 1, "postponed": 1}
    assert fine.id is not None
    assert talk.inbound(fine.id).handled_at is not None
    for _ in range(2):
        talk.world.advance(minutes=5)
        replies.run(talk.world.services)
    assert poison.id is not None
    row = talk.inbound(poison.id)
    assert (row.handled_at is not None, row.tries) == (True, 3)
    assert talk.item("reading_failed").severity == "page_now"
    assert replies.run(talk.world.services) == {}


def test_a_text_that_can_never_be_read_reaches_a_person(talk: Talk, database: OwnDatabase) -> None:
    """Three failures of the reading, and the raw text is in front of staff."""
    talk.someone()
    back = hide_column(database, "message", "nudge_for")
    talk.receive("C")
    for _ in range(3):
        replies.run(talk.world.services)
        talk.world.advance(minutes=5)
    back()
    assert talk.reasons == ["reading_failed"]


def test_urgent_texts_are_handled_first(talk: Talk) -> None:
    """A crisis is not queued behind a hundred thanks."""
    talk.someone()
    for _ in range(5):
        talk.receive("thanks")
    talk.world.advance(seconds=5)
    crisis = talk.receive("i want to die", phone=STRANGER)
    replies.run(talk.world.services, limit=1)
    handled = [row.id for row in talk.rows(Inbound) if row.handled_at]
    assert handled == [crisis.id]


def test_texts_of_one_number_are_handled_in_order(visit: Talk) -> None:
    """C, then R a second later: R holds, however many workers there are."""
    visit.receive("C")
    visit.world.advance(seconds=1)
    visit.receive("R")
    replies.run(visit.world.services)
    assert visit.visit().change_requested_at is not None
    assert visit.visit().confirmed_start is None


def test_a_reply_proves_the_number(talk: Talk) -> None:
    """Care rule 26: one reply from it is proof, a wrong number is none."""
    talk.someone(proved_at=None)
    talk.says("thanks")
    assert talk.patient().proved_at == talk.world.now


def test_a_wrong_number_proves_nothing(talk: Talk) -> None:
    """Somebody else has this phone."""
    talk.someone(proved_at=None)
    talk.says("wrong number")
    assert talk.patient().proved_at is None


def test_a_joined_safety_item_wakes_up(talk: Talk) -> None:
    """An acknowledged crisis is open again with a new clock when they write again (rule 10)."""
    talk.someone()
    talk.says("i want to die")
    talk.world.execute(
        "UPDATE follow_up SET status = 'acknowledged', acknowledged_at = :now", now=talk.world.now
    )
    talk.world.advance(minutes=20)
    talk.says("i have the pills here, i want to die")
    [item] = talk.rows(FollowUp)
    assert (item.status, item.times_joined) == ("open", 1)
    assert item.due_at > talk.world.now
    actions = [event.action.split(":")[0] for event in talk.rows(FollowUpEvent)]
    assert actions == ["opened", "joined"]


def _tell(talk: Talk, story: Story) -> None:
    for body in story.texts:
        row = talk.says(body)
        assert row.handled_at is not None, row.reading_error
        talk.world.advance(seconds=story.apart.total_seconds())
    assert tuple(talk.answers) == story.answers
    assert sorted(talk.reasons) == sorted(story.reasons)
    if story.severity is not None:
        assert talk.rows(FollowUp)[-1].severity == story.severity


def _planned(talk: Talk) -> list[Message]:
    return [row for row in talk.world.texts() if (row.status, row.kind) == ("planned", "started")]


def _plan_wanted(talk: Talk) -> bool:
    waiting = "SELECT count(*) FROM enrollment WHERE plan_requested_at IS NOT NULL"
    return bool(talk.world.execute(waiting)[0][0])


def _set_profile(talk: Talk, profile: str) -> None:
    patient = talk.patient()
    sealed = talk.world.vault.seal("patient", "profile", patient.id, profile)
    talk.world.execute("UPDATE patient SET profile = :profile", profile=sealed)


def _nobody_on_call(talk: Talk) -> None:
    talk.world.execute(
        "UPDATE clinic SET version = version + 1,"
        " settings = jsonb_set(settings, '{after_hours}', '\"none\"')"
    )
