"""What a text resembles: it adds danger and doubt, and takes nothing away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.reading import Hint, Intent, Severity
from messages.resemblance import thresholds
from tests.messages.reply_cases import reading

# Said in words that no list holds, and not a row of the corpora.
VEILED = [
    "i already told my sister where the spare key is and who feeds the cats after friday",
    "grandma fell asleep after her tablets and her mouth is a funny color, she wont answer",
    "ya deje la carta en la mesa, que mis hijos me perdonen, hoy termina todo",
]


@pytest.mark.parametrize("body", VEILED)
def test_danger_in_words_of_its_own_reaches_a_person(body: str) -> None:
    """By a page, or by somebody who reads it the same day."""
    assert reading(body).severity in {Severity.page_now, Severity.call_today}


@pytest.mark.parametrize(
    "body",
    [
        "see you tuesday",
        "C",
        "7",
        "running about 10 min late",
        "gracias, nos vemos el martes",
        "can i bring my own pillow",
        "my phone was dead sorry, yes i confirm",
    ],
)
def test_plain_answers_page_nobody(body: str) -> None:
    """A likeness to danger must be strong before it wakes somebody."""
    assert reading(body, "appointment_reminder").severity is not Severity.page_now


@pytest.mark.parametrize("body", ["i dont want to die", "no quiero morir", "no chest pain"])
def test_what_is_denied_is_not_overruled(body: str) -> None:
    """A person reads a denial the same day; a likeness makes no page of it."""
    assert reading(body).severity is Severity.call_today


def test_an_answer_by_likeness_needs_its_question() -> None:
    """Without an open question about the visit nothing is confirmed or given up."""
    body = "got a sitter and the day off so count me in for that"
    assert reading(body).intent not in {Intent.confirm, Intent.decline_reschedule}


def test_what_a_word_in_passing_says_stands_behind_what_the_text_resembles() -> None:
    """A wish that is put as a question is a wish, and staff see the question all the same."""
    body = "my boss added a double shift, could we do the weekend instead?"
    found = reading(body, "appointment_reminder")
    assert found.intent is Intent.decline_reschedule
    assert Intent.question_for_staff in found.also
    assert found.severity is Severity.call_today


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ("threw up all morning but ill be there", Intent.side_effect),
        ("cant make it today the bus is running late", Intent.decline_reschedule),
    ],
)
def test_no_likeness_stands_before_a_symptom_or_a_visit_given_up(body: str, first: Intent) -> None:
    """What is answered first is what the patient needs most."""
    assert reading(body, "appointment_reminder").intent is first


@pytest.mark.parametrize(
    "body",
    [
        "ok my son killed himself",
        "hi this is maria, cuide a mis hijas por favor",
        "gracias por el recordatorio, se nos fue mi tio de sobredosis",
    ],
)
def test_where_the_lists_hear_worry_no_likeness_confirms_or_stops(body: str) -> None:
    """A person reads it today or at once; no visit is confirmed by it, and no number stopped."""
    found = reading(body, "appointment_reminder")
    assert found.severity in {Severity.call_today, Severity.page_now}
    assert not found.opt_out
    assert found.intent not in {Intent.confirm, Intent.wrong_number}


@pytest.mark.parametrize("body", ["C or R idk what my boss will say", "will i see you at 10?"])
def test_no_likeness_decides_what_the_patient_left_open(body: str) -> None:
    """A question or a doubt is no yes, whatever it resembles."""
    assert reading(body, "appointment_reminder").intent not in {
        Intent.confirm,
        Intent.decline_reschedule,
    }


def test_somebody_who_cannot_come_is_called_though_nothing_was_asked() -> None:
    """By likeness nothing is bound to a visit: a person calls."""
    found = reading("my boss added a double shift so can we do the weekend instead of this one")
    assert (found.intent, found.prompt_id) == (Intent.decline_reschedule, None)
    assert found.severity is Severity.call_today


@given(body=st.text(max_size=300))
def test_any_text_is_read(body: str) -> None:
    """Letters of any alphabet, or none: the second reader never fails."""
    assert reading(body, "craving_scale").intent in set(Intent)


def test_thresholds_rise_with_what_they_do() -> None:
    """Fewer texts page than are looked at, and fewer stop than are asked about."""
    limits = thresholds()
    assert 0 < limits.look < limits.page < min(limits.page_short, limits.page_joined)
    assert limits.page_joined < 1
    assert limits.surely < limits.surely_tiny < 1
    assert 0 < limits.maybe_stop < limits.stop < limits.stop_short < 1
    assert limits.maybe_stop < limits.wrong_number < 1
    assert limits.other < limits.other_tiny < limits.nobody_looks < 1
    assert limits.page_short < limits.page_tiny < 1


@pytest.mark.parametrize("context", [(), ("appointment_reminder",), ("yes_no",)])
@pytest.mark.parametrize(
    "body", ["wrong", "wrong place", "leave me", "hopefully", "un-confirm", "got fired", "later"]
)
def test_a_word_or_two_of_which_no_reader_is_sure_decide_nothing(
    body: str, context: tuple[str, ...]
) -> None:
    """No visit is confirmed, nobody is stopped, by what two words resemble."""
    found = reading(body, *context)
    assert found.intent is not Intent.confirm
    assert not found.opt_out


@pytest.mark.parametrize("body", ["heck yea", "afirmativo jefa"])
def test_a_yes_in_two_words_that_no_list_knows_is_one_and_is_read(body: str) -> None:
    """Where the readers are sure, and something was asked that a yes answers."""
    found = reading(body, "yes_no")
    assert (found.intent, found.severity) == (Intent.confirm, Severity.next_business_day)
    assert reading(body).intent is not Intent.confirm


@pytest.mark.parametrize("body", ["wobbly legs", "brain fog", "bien mareada"])
def test_a_symptom_of_two_words_is_understood(body: str) -> None:
    """No list can hold them all."""
    assert reading(body, "side_effect_check").intent is Intent.side_effect


@pytest.mark.parametrize(
    "body",
    [
        "i said stop but i was drunk. please put me back on the texts",
        "hey i told yall to quit texting me, i was mad. plz text me again",
    ],
)
def test_a_stop_that_is_taken_back_is_a_wish_to_be_texted(body: str) -> None:
    """It lifts nothing and stops nothing: a person reads it today."""
    found = reading(body)
    assert (found.opt_out, found.opt_in) == (False, False)
    assert Intent.start in {found.intent, *found.also}
    assert found.severity is Severity.call_today


@pytest.mark.parametrize("body", ["help please im so scared", "necesito ayuda"])
def test_a_cry_for_help_is_not_answered_as_the_word_is(body: str) -> None:
    """HELP tells how texts work; somebody in need is for a person, today at least."""
    found = reading(body)
    assert found.intent is not Intent.help
    assert found.severity in {Severity.call_today, Severity.page_now}


@pytest.mark.parametrize(
    "body",
    [
        "my daughter made the honor roll today just wanted to tell somebody",
        # It may be a farewell.
        "thank you for everything",
    ],
)
def test_what_only_resembles_thanks_is_still_read_by_a_person(body: str) -> None:
    """Nobody looks at thanks, so that they have to be sure."""
    found = reading(body)
    assert (found.intent, found.hint) == (Intent.thanks_no_action, Hint.resembles)
    assert found.severity is Severity.next_business_day
    assert reading("Thank you!").severity is None


@pytest.mark.parametrize(
    ("body", "besides"),
    [
        ("4, and could my sister sit in with me", Intent.question_for_staff),
        ("3 today. would be good if somebody rang me about the bill", Intent.callback_request),
        ("4. my head has been pounding since the last one", Intent.side_effect),
        ("2, pero la verdad el sabado me tome unas cervezas", Intent.use_disclosed),
    ],
)
def test_what_a_text_says_besides_its_number_reaches_a_person(body: str, besides: Intent) -> None:
    """The number is not all of it, in words that no list holds."""
    found = reading(body, "craving_scale")
    assert Intent.score in {found.intent, *found.also}
    assert besides in {found.intent, *found.also}
    assert found.severity is not None


@pytest.mark.parametrize(
    "body", ["could you please switch these messages off?", "me pueden quitar de los mensajes?"]
)
def test_a_stop_put_as_a_question_is_a_stop(body: str) -> None:
    """People ask politely for what they may demand."""
    assert reading(body).opt_out


@pytest.mark.parametrize(
    "body", ["do i stop the lozenge before the next one?", "do i quit the antibiotics first?"]
)
def test_a_question_about_stopping_something_is_none(body: str) -> None:
    """Only texts are ended by a likeness."""
    assert not reading(body).opt_out


@pytest.mark.parametrize(
    ("body", "intent"),
    [("voi retrazado", Intent.running_late), ("gotta bail", Intent.decline_reschedule)],
)
def test_two_words_surely_say_that_somebody_is_late_or_stays_away(
    body: str, intent: Intent
) -> None:
    """A person calls; a question does neither."""
    found = reading(body, "appointment_reminder")
    assert (found.intent, found.severity) == (intent, Severity.call_today)
    assert reading(f"{body}?", "appointment_reminder").intent is not intent


@pytest.mark.parametrize(
    "body", ["Who's Tracy? No Tracy here", "nombre igual pero no soy yo, hay otra Lupita Reyes"]
)
def test_a_stranger_who_asks_is_a_wrong_number(body: str) -> None:
    """Surely, or a person asks."""
    found = reading(body)
    assert found.severity is Severity.call_today
    assert found.intent in {Intent.wrong_number, Intent.question_for_staff}


def test_a_stop_beside_an_answer_is_a_stop() -> None:
    """The number is recorded too."""
    found = reading("0. I dont need these no more, thanks", "craving_scale")
    assert (found.opt_out, found.number) == (True, "0")


def test_a_patient_who_asks_who_writes_is_none_of_a_strangers() -> None:
    """Their number stays texted."""
    assert not reading("new phone, who's this? is this the clinic?").opt_out
