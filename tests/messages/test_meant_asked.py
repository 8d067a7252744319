"""Few words under our texts about visits, plans and numbers: what each of them says there."""

from dataclasses import replace

import pytest

from messages.reading import Topic
from messages.replies import Intent, Severity, read
from tests.messages.reply_cases import prompt, reading
from tests.messages.test_meant import under

MEDICINES, RIDE, FOOD, FORM = Topic.MEDICINES, Topic.RIDE, Topic.FOOD, Topic.FORM
HEALTH, READY, PLAN, NEXT = Topic.HEALTH, Topic.HOME, Topic.PLAN, Topic.NEXT


WEEK, SLEEP, VISIT = Topic.WEEK, Topic.SLEEP, Topic.VISIT


VISIT_ASKED = "appointment_reminder"


@pytest.mark.parametrize(
    "body",
    [
        *("all good", "im good", "good", "feeling great", "i don't think so", "not that i know of"),
        *("no health changes", "same as always", "nothing new", "healthy as a horse"),
        *("todo bien", "todo igual", "nada nuevo", "sin cambios"),
    ],
)
def test_who_is_fine_has_no_health_news(body: str) -> None:
    """ "All good" was a yes to news, and called; "I don't think so" was a visit to be changed."""
    found = under(HEALTH, body, "yes_no")
    assert (found.intent, found.severity) == (Intent.decline_reschedule, None)
    assert found.prompt_id == "yes_no"


@pytest.mark.parametrize(
    "body", ["started lexapro", "new meds", "flu", "i stopped my meds", "tengo gripa"]
)
def test_news_about_health_are_looked_at_the_same_day(body: str) -> None:
    """No plain yes, and so they waited for the next day, which may be the dose's."""
    assert under(HEALTH, body, "yes_no").severity is Severity.call_today


@pytest.mark.parametrize("body", ["no new meds", "had a flu shot", "N", "sin medicina nueva"])
def test_no_news_call_nobody(body: str) -> None:
    """Nearly the same words."""
    assert under(HEALTH, body, "yes_no").severity is not Severity.call_today


def test_a_c_says_nothing_of_health() -> None:
    """It confirms the visit, where that can be confirmed."""
    assert under(HEALTH, "C", "yes_no").intent is Intent.unclear
    asked = (prompt(VISIT_ASKED, "visit"), prompt("yes_no", "health", minutes=60))
    assert read("C", prompts=asked, topics={HEALTH, VISIT}).prompt_id == "visit"


def test_all_good_keeps_a_visit_that_was_asked_about_since() -> None:
    """It may be to either, and the later one is what somebody sees."""
    asked = (prompt("yes_no", "health"), prompt(VISIT_ASKED, "visit", minutes=60))
    found = read("all good", prompts=asked, topics={HEALTH, FOOD})
    assert (found.intent, found.prompt_id) == (Intent.confirm, "visit")


@pytest.mark.parametrize(
    ("body", "intent", "severity"),
    [
        *(
            (said, Intent.confirm, None)
            for said in ("my husband", "a friend", "all set", "mi mamá")
        ),
        *((said, Intent.confirm, Severity.call_today) for said in ("uber", "taking a taxi")),
        *((said, Intent.decline_reschedule, None) for said in ("i'll walk", "bus", "i drove here")),
        *((said, Intent.decline_reschedule, None) for said in ("i don't need one", "i live close")),
        *((said, Intent.decline_reschedule, None) for said in ("caminando", "vivo cerca")),
        ("i won't drive", Intent.unclear, Severity.next_business_day),
    ],
)
def test_the_way_home_is_told_by_who_or_what_it_is(
    body: str, intent: Intent, severity: Severity | None
) -> None:
    """ "I'll walk" and "I don't need one" were a ride, and "my husband" was none."""
    found = under(RIDE, body, "yes_no")
    assert (found.intent, found.severity) == (intent, severity)


def test_of_two_questions_words_answer_the_one_that_they_are_about() -> None:
    """The health question of two days ago is still open."""
    health, ride = prompt("yes_no", "health"), prompt("yes_no", "ride", minutes=600)
    asked = (replace(health, topic=HEALTH), replace(ride, topic=RIDE))
    for body, answered in (("my husband", "ride"), ("i'll drive", "ride"), ("all set", "ride")):
        assert read(body, prompts=asked, topics={HEALTH, RIDE}).prompt_id == answered


@pytest.mark.parametrize(
    "body", ["my husband hit me", "alone and scared", "i drove off a bridge", "my husband?"]
)
def test_more_than_the_way_home_is_read_like_any_text(body: str) -> None:
    """A ride is nothing but the words of one."""
    assert under(RIDE, body, "yes_no").prompt_id is None


@pytest.mark.parametrize(
    "body",
    [
        *("she's on her way", "ok waiting for her", "just me", "no reading", "my cuff doesnt work"),
        *("yes but shes not here yet", "he hasnt arrived yet", "viene en camino", "estoy sola"),
    ],
)
def test_who_or_what_is_missing_before_a_dose_at_home_is_a_no(body: str) -> None:
    """ "She's on her way" was a yes to whether she is there."""
    found = under(READY, body, "yes_no")
    assert (found.intent, found.prompt_id) == (Intent.decline_reschedule, "yes_no")


@pytest.mark.parametrize("body", ["my wife is here", "i took it", "i already started"])
def test_nothing_but_a_clear_yes_clears_a_dose_at_home(body: str) -> None:
    """Half of an answer, or one that only resembles a yes: somebody calls before the dose."""
    assert under(READY, body, "yes_no").prompt_id is None


@pytest.mark.parametrize("body", ["Y", "yes", "yes both", "yes im not alone", "sí"])
def test_a_clear_yes_clears_a_dose_at_home(body: str) -> None:
    """As ever."""
    assert under(READY, body, "yes_no").intent is Intent.confirm


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("plan is set", None),
        *((said, Severity.call_today) for said in ("i have a plan", "i know what im going to do")),
        *((said, Severity.call_today) for said in ("ya tengo un plan", "i planned everything")),
        *((said, Severity.page_now) for said in ("i have a plan to end it", "i have a plan. bye")),
    ],
)
def test_a_plan_is_one_for_the_weekend_where_that_was_asked(
    body: str, severity: Severity | None
) -> None:
    """A person looks the same day; more than the answer pages, as it does where nobody asked."""
    found = under(PLAN, body, "yes_no")
    assert (found.severity, found.intent is Intent.confirm) == (
        severity,
        severity is not Severity.page_now,
    )
    assert reading("i have a plan").severity is Severity.page_now


@pytest.mark.parametrize("body", ["no food", "ok no food after 430", "water only", "i wont eat"])
def test_who_repeats_what_to_eat_gives_no_visit_up(body: str) -> None:
    """Its other texts were held; nothing is confirmed by it either."""
    found = under(FOOD, body, VISIT_ASKED)
    assert (found.intent, found.severity) == (Intent.thanks_no_action, None)


@pytest.mark.parametrize(
    "body",
    [
        *("can i take my meds", "coffee ok?", "im diabetic", "i have to take my meds with food"),
        *("soy diabética", "puedo tomar café?"),
    ],
)
def test_what_must_be_known_before_the_fast_is_for_the_same_day(body: str) -> None:
    """The next working day may be the dose's."""
    found = under(FOOD, body, VISIT_ASKED)
    assert (found.intent, found.severity) == (Intent.question_for_staff, Severity.call_today)


@pytest.mark.parametrize("body", ["i wont eat ever again", "no food no water i want it over"])
def test_more_than_a_fast_is_read_like_any_text(body: str) -> None:
    """Nothing is confirmed by it."""
    assert under(FOOD, body, VISIT_ASKED).intent is not Intent.confirm


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        *((said, Intent.confirm) for said in ("no changes", "no change", "not running late")),
        *((said, Intent.unclear) for said in ("nothing to talk about", "nothing", "wrong one")),
        *((said, Intent.unclear) for said in ("i didn't book this", "not my first visit")),
        *((said, Intent.unclear) for said in ("i dont have a visit", "yo no hice esa cita")),
        *((said, Intent.decline_reschedule) for said in ("keep my original time",)),
        *((said, Intent.decline_reschedule) for said in ("i didnt ask to move it",)),
    ],
)
def test_few_words_about_a_visit_stop_no_texts_and_change_no_other(
    body: str, intent: Intent
) -> None:
    """ "I didn't book this" ended all texts, and "keep my original time" confirmed the new one."""
    found = under(VISIT, body, VISIT_ASKED)
    assert (found.intent, found.opt_out) == (intent, False)


@pytest.mark.parametrize("body", ["wrong number", "this is not my number", "im not ana"])
def test_a_stranger_who_is_asked_about_a_visit_is_one(body: str) -> None:
    """Their texts stop."""
    assert under(VISIT, body, VISIT_ASKED).opt_out


@pytest.mark.parametrize(
    "body",
    [
        *("link doesn't work", "the link is broken", "cant open it", "cant join", "no wifi"),
        *("el link no funciona", "no puedo abrir el enlace"),
    ],
)
def test_a_link_that_does_not_open_gives_no_visit_up(body: str) -> None:
    """It held the visit and promised a call about another time."""
    for asked in ((VISIT, VISIT_ASKED), (HEALTH, "yes_no"), (FORM, "none")):
        found = under(asked[0], body, asked[1])
        assert found.intent is Intent.question_for_staff
        today = Severity.call_today if asked[0] is VISIT else Severity.next_business_day
        assert found.severity is today


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        *((said, Intent.decline_reschedule) for said in ("missed one", "i forgot", "most days")),
        *((said, Intent.decline_reschedule) for said in ("i'm out", "stopped", "se me acabaron")),
        ("took everything", Intent.confirm),
    ],
)
def test_medicines_that_were_missed_are_a_no_and_no_stop(body: str, intent: Intent) -> None:
    """ "I'm out" ended all texts, and "took everything" paged."""
    found = under(MEDICINES, body, "yes_no")
    assert (found.intent, found.opt_out, found.prompt_id) == (intent, False, "yes_no")


@pytest.mark.parametrize("body", ["QUIT", "stop", "stop texting me"])
def test_a_stop_is_one_under_medicines_too(body: str) -> None:
    """Care rule 17."""
    assert under(MEDICINES, body, "yes_no").opt_out


@pytest.mark.parametrize(
    "body", ["took everything to die", "i stopped wanting to live", "im out of here forever"]
)
def test_more_than_missed_medicines_pages(body: str) -> None:
    """Nearly the same words."""
    assert under(MEDICINES, body, "yes_no").severity is Severity.page_now


@pytest.mark.parametrize("body", ["not now", "next month", "i dont need it", "ahorita no"])
def test_not_now_is_a_no_to_another_visit(body: str) -> None:
    """ "I don't need it" ended all texts, and "not now" was called about a visit to be changed."""
    found = under(NEXT, body, "yes_no")
    assert (found.intent, found.severity, found.opt_out) == (Intent.decline_reschedule, None, False)


@pytest.mark.parametrize("body", ["7 good days", "every day on plan", "stayed on plan", "not once"])
def test_days_on_plan_are_no_days_off_it(body: str) -> None:
    """ "7 good days" was recorded as seven bad ones."""
    assert under(WEEK, body, "scale:0-7").value == "0"


def test_days_off_plan_are_counted_as_ever() -> None:
    """Nearly the same words."""
    assert under(WEEK, "7 bad days", "scale:0-7").value == "7"
    assert under(WEEK, "2", "scale:0-7").value == "2"


def test_bad_nights_are_not_recorded_as_good_ones() -> None:
    """The question is asked once more."""
    assert under(SLEEP, "2 bad", "scale:0-7").intent is Intent.unclear
    assert under(SLEEP, "2 nights", "scale:0-7").value == "2"


def test_once_is_one_in_english_and_eleven_in_spanish() -> None:
    """The patient's own language tells."""
    asked = (prompt("scale:0-60"),)

    def value(body: str, language: str) -> str | None:
        return read(body, prompts=asked, topics={Topic.COUNT}, language=language).value

    assert value("once", "en") == "1"
    assert value("once", "es") == "11"
    assert value("just once", "es") == "1"


@pytest.mark.parametrize(
    "body", ["i put the wrong number", "oops typed the wrong number", "puse el numero equivocado"]
)
def test_a_slip_of_the_finger_is_no_wrong_number(body: str) -> None:
    """It ended all texts."""
    found = reading(body, "craving_scale")
    assert (found.intent, found.opt_out) == (Intent.unclear, False)


def test_a_number_just_given_was_the_wrong_one() -> None:
    """Else "wrong number" is a stranger's."""
    assert not read("wrong number", number_given=True).opt_out
    assert read("wrong number").opt_out
    assert read("wrong number, im not ana", number_given=True).opt_out


@pytest.mark.parametrize("body", ["i did", "already did", "i already answered", "ya contesté"])
def test_who_has_answered_tells_of_no_lapse(body: str) -> None:
    """ "I did!" after "we missed your check-in"."""
    assert reading(body, "craving_scale").intent is Intent.unclear


@pytest.mark.parametrize("body", ["i did heroin", "i did it. goodbye", "i did it, i used"])
def test_who_did_something_is_read_like_anybody(body: str) -> None:
    """Nearly the same words."""
    assert reading(body, "craving_scale").severity in {Severity.call_today, Severity.page_now}


@pytest.mark.parametrize("body", ["i dont want to talk", "no i don't want to talk"])
def test_who_does_not_want_to_talk_asks_for_no_call(body: str) -> None:
    """The text says "Want to talk? Call"."""
    assert reading(body, "craving_scale").intent is not Intent.callback_request
    assert reading("i want to talk", "craving_scale").intent is Intent.callback_request


def test_an_emergency_that_is_over_pages_nobody() -> None:
    """An excuse, as people give it after a visit that they missed; a person reads it today."""
    assert reading("had an emergency").severity is Severity.call_today
    assert reading("had an emergency and now i cant breathe").severity is Severity.page_now
    assert reading("emergency").severity is Severity.page_now


def test_a_form_that_took_ten_minutes_is_no_overdose() -> None:
    """The text says how long it takes."""
    assert under(FORM, "took 10 min").severity is None
    assert under(FORM, "took 10 pills").severity is Severity.page_now
    assert under(FORM, "skip").intent is Intent.unclear


def test_what_went_away_is_no_stop() -> None:
    """A symptom, mostly."""
    assert not reading("it went away").opt_out
    assert reading("go away").opt_out
