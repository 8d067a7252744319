"""Answers told the way people tell them: in a story, in slang, beside another thing."""

import pytest

from messages.replies import Intent, Severity
from tests.messages.reply_cases import reading

APPOINTMENT = "appointment_reminder"


@pytest.mark.parametrize(
    "body",
    [
        "got the day off n everything so we good see yall at 1030",
        "ill take a shot at 10am, yes confirm me",
        "my shift got moved but im still good for wednesday put me down",
        "simon ahi estare",
    ],
)
def test_a_yes_inside_a_story_confirms(body):
    """The words that say yes are clear, whatever stands before them."""
    assert reading(body, APPOINTMENT).intent is Intent.confirm


@pytest.mark.parametrize(
    "body",
    [
        "hopefully ill be there",
        "if my ride shows up ill be there",
        "will i see you at 10?",
        "C or R idk",
        "a ver si ahi estare",
    ],
)
def test_a_doubt_confirms_nothing(body):
    """A visit changes by clear words only; the rest a person asks about."""
    assert reading(body, APPOINTMENT).intent is not Intent.confirm


@pytest.mark.parametrize("body", ["yes and no lol", "yes or no"])
def test_yes_and_no_together_answer_nothing(body):
    """Neither half is picked."""
    assert reading(body, "yes_no").intent is Intent.unclear


@pytest.mark.parametrize(
    "body",
    [
        "babysitter quit so wed is a no go",
        "can we do any day next week but not tues",
        "me sale imposible a esa hora",
        "fijese que no se va a poder",
    ],
)
def test_a_visit_that_cannot_be_is_declined(body):
    """Reasons first, the no last: the office offers another time."""
    assert reading(body, APPOINTMENT).intent is Intent.decline_reschedule


@pytest.mark.parametrize(
    "body",
    [
        "stawp",
        "i said STOP like 4 times",
        "blockin u",
        "0 interest in getting these. stop them",
        "me salgo de los mensajes",
        "ya parenle",
        "yes ill be there but no more texts after that",
    ],
)
def test_a_stop_in_odd_words_stops(body):
    """Any reasonable wording counts (47 CFR 64.1200(a)(10))."""
    assert reading(body, APPOINTMENT).opt_out


@pytest.mark.parametrize(
    "body",
    ["my daughter will drop me off", "missed my stop on the bus", "i just want everything to stop"],
)
def test_everyday_words_for_stopping_stop_nothing(body):
    """A bus stop, a lift, and a wish that it all would end are no opt-out."""
    assert not reading(body).opt_out


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        ("turn em back on plz", Intent.start),
        ("quiero que me vuelvan a mandar los mensajes", Intent.start),
        ("this aint keisha", Intent.wrong_number),
        ("este telefono es de una panaderia", Intent.wrong_number),
        ("gimme a couple weeks off these", Intent.pause),
        ("denme un descansito de las preguntas", Intent.pause),
        ("echenme una llamada", Intent.callback_request),
        ("id rather talk about it than text", Intent.callback_request),
        ("62 days gone cuz of one tall can", Intent.use_disclosed),
        ("le entre otra vez al foco", Intent.use_disclosed),
        ("se me fueron las patas con el tequila", Intent.use_disclosed),
    ],
)
def test_slang_of_both_languages_is_understood(body, intent):
    """Each is said as people say it, not as a form would."""
    assert reading(body).intent is intent


def test_start_that_is_refused_starts_nothing():
    """Consent comes back by clear words only."""
    assert reading("dont start texting me again").intent is not Intent.start


@pytest.mark.parametrize(
    "body",
    ["overdosed on tacos last nite", "OD'd on turkey yesterday lol", "shoot me the address again"],
)
def test_food_and_figures_of_speech_page_nobody(body):
    """A false page at night teaches staff to ignore pages."""
    assert reading(body).severity is not Severity.page_now


@pytest.mark.parametrize("end", ["", " lol", " jk", " haha"])
@pytest.mark.parametrize("body", ["i overdosed on pills", "cant breathe", "gonna kill him"])
def test_a_laugh_excuses_no_danger(body, end):
    """People laugh things off."""
    assert reading(body + end).severity is Severity.page_now
