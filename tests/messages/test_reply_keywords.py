"""Stops, starts and calls for help."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messages.keywords import carrier_acts_on
from messages.lexicon import lexicon
from messages.replies import Hint, Intent, Severity, ends_texts
from tests.messages.reply_cases import reading

STOPS = ["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"]
OTHER_STOPS = ["alto", "parar", "pare", "cancelar", "baja", "arret"]
NOISE = st.text(
    st.sampled_from(" \t\n.,!?;:-_*'\"()[]~\u200b\u200c\u200d\u2060\ufeff\u00ad🛑🙏😡👋"),
    max_size=4,
)


@st.composite
def disguised(draw, words):
    """One of the words in any case, letters apart or full-width, with noise around and between."""
    word = draw(st.sampled_from(words))
    letters = [
        draw(st.sampled_from([letter, letter.upper(), chr(ord(letter.upper()) + 0xFEE0)]))
        for letter in word
    ]
    return draw(NOISE) + "".join(letter + draw(NOISE) for letter in letters)


@example(body=": a'lto")
@example(body="\U0001f621 a 'lto")
@given(body=disguised(STOPS + OTHER_STOPS))
def test_nothing_around_or_inside_a_keyword_loses_a_stop(body):
    """Case, spaces, punctuation, emoji, full-width and invisible letters (rule 7)."""
    found = reading(body)
    assert (found.intent, found.opt_out) == (Intent.stop, True)


@pytest.mark.parametrize("word", [*STOPS, *OTHER_STOPS, "opt out", "stop all"])
def test_every_stop_word_stops_and_is_kept(word):
    """The word itself decides what the carrier did and what else it may have meant."""
    found = reading(word.title())
    assert (found.intent, found.value, found.opt_out) == ("stop", word.replace(" ", ""), True)


@pytest.mark.parametrize(
    "body",
    [
        "Stop please",
        "please stop",
        "Please stop texting me",
        "STOP STOP STOP",
        "stop sending me these",
        "Stop all messages",
        "don't text me anymore",
        "do not contact me again",
        "no more texts please",
        "take me off your list",
        "remove me from this list",
        "Remove my number",
        "unsubscribe me",
        "I want to opt out of these",
        "opt me out",
        "I don't want these texts",
        "quit texting me",
        "leave me alone",
        "cancel my texts",
        "I revoke my consent",
        "no me manden más mensajes",
        "Ya no me escriban",
        "dejen de mandarme mensajes",
        "no quiero recibir más textos",
        "quiero darme de baja",
        "borren mi número",
        "no más mensajes por favor",
        "alto por favor",
    ],
)
def test_a_stop_in_a_sentence_is_a_stop(body):
    """Any reasonable wording revokes consent (rule 8)."""
    found = reading(body)
    assert (found.intent, found.opt_out) == (Intent.stop, True)


@pytest.mark.parametrize(
    "body",
    [
        "Stop by at 3?",
        "I'll stop by tomorrow",
        "at the bus stop",
        "I can't stop crying",
        "I quit smoking",
        "End of the day works",
        "the end",
        "cancel my appointment",
        "I need to cancel tomorrow",
        "yes",
        "info on parking?",
        "baja por la calle 3",
        "",
    ],
)
def test_everyday_words_do_not_stop(body):
    """A patient who is opted out by accident misses the food text."""
    assert not reading(body).opt_out


@pytest.mark.parametrize(
    "body",
    [
        *("no texts after 8pm please, I have a newborn", "stop texting me after 8pm"),
        *("no messages before 9am please", "no texts past 9 pls", "dont text me before 9am"),
    ],
)
def test_whoever_names_hours_asks_for_no_end(body):
    """Texts may go on in others: a person reads it, and sets the patient's hours."""
    found = reading(body)
    assert not found.opt_out
    assert found.severity is not None


@pytest.mark.parametrize(
    "body",
    ["don't text me before 9", "Please stop texting me so early", "no me manden antes de las 9"],
)
def test_a_doubtful_stop_goes_to_a_person_today(body):
    """Neither ignored nor taken for more than it says (rule 8)."""
    found = reading(body)
    assert (found.opt_out, found.severity) == (False, Severity.call_today)
    assert found.intent in {Intent.unclear, Intent.question_for_staff}


@pytest.mark.parametrize("word", ["ALTO", "alta", "Bajo", "baja", "BAJA."])
@pytest.mark.parametrize("context", ["craving_scale", "side_effect_check", "scale:0-7"])
def test_high_and_low_are_no_stops_while_a_scale_is_open(word, context):
    """Care rule 17: ask once, and ALTO gets a same-day item."""
    found = reading(word, context)
    assert (found.intent, found.opt_out, found.hint) == ("unclear", False, Hint.scale_or_stop)
    high = word.lower().startswith("alt")
    assert (found.severity is Severity.call_today) == high


@pytest.mark.parametrize("context", ["appointment_reminder", "yes_no", "none"])
def test_alto_stops_where_no_scale_is_open(context):
    """It is the Spanish word for stop."""
    assert reading("ALTO", context).opt_out


@pytest.mark.parametrize("word", ["CANCEL", "end", "Quit", "cancelar"])
def test_a_stop_that_may_have_been_an_answer_is_marked(word):
    """It stops all the same, and a person asks what was meant (care rule 17)."""
    asked = reading(word, "appointment_reminder")
    assert (asked.opt_out, asked.hint) == (True, Hint.maybe_answer)
    assert reading(word).hint is None


@pytest.mark.parametrize("word", ["STOP", "unsubscribe"])
def test_a_plain_stop_means_nothing_else(word):
    """No item for staff where there is no doubt."""
    assert reading(word, "appointment_reminder").hint is None


@pytest.mark.parametrize("body", ["START", "start.", "UnStop", "un stop"])
def test_start_words(body):
    """They lift a stop given by keyword."""
    found = reading(body)
    assert (found.intent, found.opt_in) == (Intent.start, True)


@pytest.mark.parametrize(
    "body",
    [
        "can you start sending me the reminders again",
        "put me back on the texts, and i want to die",
        "i want my reminders back. been so alone, the pills are counted out on the table",
    ],
)
def test_a_wish_to_be_texted_again_starts_nothing(body):
    """Whatever else the text says or resembles: a person asks."""
    found = reading(body)
    assert not found.opt_in
    assert found.severity is not None


@pytest.mark.parametrize(
    "body",
    [
        "stop texting me til my exam is over",
        "stop texting me for 2 weeks",
        "take me off the texts this month",
        "parenle a los mensajes hasta que vuelva, me voy un mes a mi pueblo",
    ],
)
@pytest.mark.parametrize("context", [(), ("craving_scale",)])
def test_a_stop_that_names_its_end_is_a_pause_that_may_be_a_stop(body, context):
    """A person who calls settles today what was meant; until then nothing goes."""
    found = reading(body, *context)
    assert (found.intent, found.opt_out) == (Intent.pause, False)
    assert found.severity is Severity.call_today
    assert ends_texts(body)


@pytest.mark.parametrize(
    "body",
    [
        "stop texting me for now",
        "no me escriban mas por ahora",
    ],
)
def test_a_stop_whose_end_nobody_is_sure_of_is_a_stop(body):
    """It is looked at the same day, as it names an end."""
    found = reading(body)
    assert (found.opt_out, found.severity) == (True, Severity.call_today)


@pytest.mark.parametrize(
    ("body", "context", "first"),
    [
        ("10. put me back on the texts", "craving_scale", Intent.score),
        ("C. put me back on the texts", "appointment_reminder", Intent.confirm),
    ],
)
def test_a_wish_to_be_texted_again_stands_behind_an_answer(body, context, first):
    """So that the answer is recorded, and a person asks."""
    found = reading(body, context)
    assert (found.intent, found.prompt_id, found.opt_in) == (first, context, False)
    assert Intent.start in found.also


@pytest.mark.parametrize("body", ["C, pause the questions", "R. and pause the check ins please"])
def test_a_pause_is_heard_beside_an_answer(body):
    """It rests check-ins, and the answer is recorded."""
    assert Intent.pause in reading(body, "appointment_reminder").also


@pytest.mark.parametrize("context", ["craving_scale", "side_effect_check"])
def test_high_in_spanish_starts_nothing_while_a_scale_is_open(context):
    """Care rule 17: it may be the answer."""
    assert not reading("alta", context).opt_in


@pytest.mark.parametrize(
    "body",
    [
        "no more texts, not for a while, not ever",
        "Stop texting me. I'm moving next week",
        "2nd survey this week, take me off the texts",
        "ni por una semana ni por un dia, no me manden mas mensajes",
        "it was nice for a while, stop texting me",
    ],
)
def test_a_stop_without_an_end_is_a_stop(body):
    """However it speaks of time."""
    assert reading(body).opt_out


@pytest.mark.parametrize("body", ["yes", "YES", "Si", "sí", "y", "ok start"])
@pytest.mark.parametrize("context", [(), ("appointment_reminder",), ("craving_scale",)])
def test_yes_never_starts(body, context):
    """Care rule 20: a bare YES gives no consent and lifts no stop."""
    assert not reading(body, *context).opt_in


@pytest.mark.parametrize("body", ["HELP", "help!", "Info", "AYUDA", "ayuda?", "menu", "Opciones"])
def test_help_words(body):
    """Answered once, by one party."""
    assert reading(body).intent is Intent.help


@pytest.mark.parametrize("body", ["wrong number", "You have the wrong person", "número equivocado"])
def test_wrong_number_stops(body):
    """Care rule 21: stop, and a person looks at what went there."""
    found = reading(body)
    assert (found.intent, found.opt_out) == (Intent.wrong_number, True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("STOP", "stop"),
        (" stop ", "stop"),
        ("Cancel", "stop"),
        ("OptOut", "stop"),
        ("YES", "start"),
        ("unstop", "start"),
        ("Info", "help"),
        ("Stop!", None),
        ("opt out", None),
        ("ALTO", None),
        ("stop please", None),
        ("", None),
    ],
)
def test_we_know_what_the_carrier_answers_itself(body, kind):
    """Only its exact words: everything else is ours to confirm (rule 10)."""
    assert carrier_acts_on(body) == kind


def test_the_carriers_stop_words_are_ours_too():
    """A word that the carrier blocks on and we miss would be a patient lost without notice."""
    assert lexicon().carrier["stop"] <= lexicon().keywords["stop"].keys()


@pytest.mark.parametrize("body", ["wrong #", "wrng number", "wrong numba", "wrong # bud"])
def test_a_wrong_number_is_one_however_it_is_spelled(body):
    """Also with the sign for it."""
    found = reading(body)
    assert (found.intent, found.opt_out) == (Intent.wrong_number, True)


THEIRS = (
    *("this is my number", "this is still my phone", "i still have this number", "its still me"),
    *("yes this is still my number", "still my number", "same number new phone company"),
    *("I kept my number", "not a wrong number", "new phone same number", "this number is mine"),
    *("es mi número", "sigue siendo mi número", "todavía es mi número", "mismo número"),
    *("sí sigue siendo mi número", "nuevo teléfono mismo número"),
)
NOT_THEIRS = (
    *("this is not my number", "not my number anymore", "this is my number now"),
    *("this is my number not hers", "no longer my number", "this isnt the right number"),
    *("i just got this number last week", "its mine, stop", "same number, dont text me anymore"),
    *("este numero ahora es mio", "this number is mine now", "now this is my number"),
    *("ya no es mi número", "no es mi número", "este es mi número ahora, no conozco a Ana"),
)


@pytest.mark.parametrize("body", THEIRS)
def test_whoever_says_that_the_number_is_theirs_stops_nothing(body: str) -> None:
    """Staff asked, or the welcome did; much that says the opposite is made of the same words."""
    found = reading(body)
    assert not found.opt_out
    assert found.intent not in {Intent.stop, Intent.wrong_number}
    assert found.severity in {Severity.next_business_day, Severity.call_today}


@pytest.mark.parametrize("body", NOT_THEIRS)
def test_whoever_has_the_number_now_or_wants_no_texts_is_left_alone(body: str) -> None:
    """Nearly the same words, and a stop all the same."""
    assert reading(body).opt_out


@pytest.mark.parametrize(
    ("kept", "stop"),
    [
        ("no me borren de la lista porfa", "b\u00f3rrenme de la lista porfa"),
        (
            "por correo ya no me manden nada, por texto s\u00ed est\u00e1 bien",
            "ya no me manden nada",
        ),
        ("don't u dare stop textin me", "u better stop textin me"),
        ("I do NOT want to opt out, my thumb slipped", "I do want to opt out"),
        ("quit sending me these every day, once a week is plenty", "quit sending me these"),
        ("I never should have shut these off", "shut these off"),
        ("ese b\u00f3rrame era para mi hermana", "b\u00f3rrame"),
        ("por qu\u00e9 ya no me escriben", "ya no me escriban"),
        ("s\u00e1quenme una cita con el dentista", "s\u00e1quenme de su lista"),
    ],
)
def test_whoever_wants_texts_is_not_stopped_by_words_about_their_end(kept, stop):
    """They ask for fewer, by another way, or not to be left out."""
    assert not reading(kept).opt_out
    assert reading(stop).opt_out


@pytest.mark.parametrize(
    ("kept", "stop"),
    [
        ("Leave me alone is what i told my dealer today", "leave me alone"),
        ("i told my ex do not contact me again", "do not contact me again"),
        ("had to get off the bus and puke", "get off my phone"),
        ("i have thoughts and they dont go away", "just go away"),
        ("he'd report me to immigration", "im reporting you as spam, stop"),
        (
            "if these come at 6am again im throwin the phone off a cliff. 9 is fine",
            "take this phone off your list",
        ),
        ("dont write anything about Thursday", "dont write me anything"),
        ("remove me from the group chat tina", "remove me from your texts"),
        ("reca\u00ed con el cristal, dos d\u00edas. Ya par\u00e9", "ya pare de mandarme mensajes"),
    ],
)
def test_what_is_said_to_somebody_else_stops_nothing(kept, stop):
    """To a dealer, a driver or a friend."""
    assert not reading(kept).opt_out
    assert reading(stop).opt_out


@pytest.mark.parametrize(
    "body",
    [
        *("cancel my subscription to these messages", "You can't text me here any more."),
        *("after this visit I'd like the messages to end", "turn off", "nomore txts"),
        *("ya no voy a necesitar los textos", "por mensaje nunca m\u00e1s", "\U0001f6d1\U0001f6d1"),
    ],
)
def test_an_end_that_is_asked_for_in_other_words_is_a_stop(body):
    """In any reasonable wording."""
    assert reading(body).opt_out


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("tried to ring and got the wrong number, whats the desk line?", "u got the wrong number"),
        ("sent the wrong number before its a 2", "you sent it to the wrong number"),
        (
            "se confundieron, mi cita es el martes, \u00bfme lo revisan?",
            "se confundieron de n\u00famero",
        ),
    ],
)
def test_a_wrong_number_of_the_patients_own_making_is_none(ours, theirs):
    """They dialed or typed it, and the texts reach the right phone."""
    assert not reading(ours).opt_out
    assert reading(theirs).opt_out


@pytest.mark.parametrize("body", ["Wrong Maria.", "not Maria", "incorrect recipient"])
def test_another_name_alone_is_a_wrong_number(body):
    """Nobody says more to a stranger."""
    assert reading(body).intent is Intent.wrong_number
