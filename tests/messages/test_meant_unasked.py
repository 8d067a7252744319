"""Few words under a text of ours that asks nothing, and danger beside the same words."""

import pytest

from messages.reading import Topic
from messages.replies import Intent, Reading, Severity, read
from tests.messages.reply_cases import prompt, reading

T = Topic
TODAY, SOON, PAGE = Severity.call_today, Severity.next_business_day, Severity.page_now
CALL, THANKS, UNCLEAR = Intent.callback_request, Intent.thanks_no_action, Intent.unclear


def under(topic: Topic, body: str, *contexts: str, language: str = "en") -> Reading:
    """Read a text after one about this, with these questions open."""
    asked = [prompt(context, context) for context in contexts]
    return read(body, prompts=asked, topics={topic}, language=language)


def _said(found: Reading) -> tuple[Intent, Severity | None, bool]:
    return found.intent, found.severity, found.opt_out


MEANT: dict[tuple[Topic, Intent, Severity | None], tuple[str, ...]] = {
    (T.WELCOME, THANKS, None): (
        *("yes", "Y", "sure", "C", "received", "it reached me", "I agree", "im here", "ji"),
        *("si", "sí", "me llegó", "acepto", "soy yo", "aquí estoy", "hla"),
    ),
    (T.WELCOME, UNCLEAR, TODAY): (
        "no",
        "no thanks",
        "No thank you",
        "no gracias",
        "i didnt sign up",
    ),
    (T.WELCOME, Intent.pause, TODAY): (
        *("no check-ins please", "just reminders please", "solo recordatorios"),
        "solo citas por favor",
    ),
    (T.UNBOOKED, CALL, TODAY): (
        *("yes please", "yes", "book it", "id like to book", "sign me up", "lets do it", "B"),
        *("si por favor", "claro", "quiero cita", "agéndeme", "dale", "nobody answers"),
    ),
    (T.UNBOOKED, UNCLEAR, TODAY): (
        *("thursday works for me", "any day", "10am", "not interested", "no more", "cancel it"),
        *("el jueves", "cualquier dia", "ya no quiero", "no me interesa"),
        "i dont want to come back",
    ),
    (T.UNBOOKED, UNCLEAR, SOON): ("no", "no thanks", "maybe later", "already booked", "ahora no"),
    (T.UNBOOKED, THANKS, None): ("ok", "i'll call you", "yo les llamo", "will do"),
    (T.MISSED, CALL, TODAY): (
        *("rebook please", "yes", "i need support", "otra cita por favor", "necesito apoyo"),
    ),
    (T.MISSED, UNCLEAR, TODAY): (
        *("no", "im not ok", "I was there!", "i cancelled", "no longer interested", "my dad died"),
        *(
            "i didnt have an appointment",
            "i got scared",
            "yo si fui",
            "yo cancelé",
            "no tenía cita",
        ),
    ),
    (T.MISSED, UNCLEAR, SOON): ("sorry", "i forgot", "perdón se me olvidó"),
    (T.MISSED, Intent.help, TODAY): ("help", "AYUDA"),
    (T.CANCELLED, CALL, TODAY): ("yes please", "book another", "otra hora por favor"),
    (T.CANCELLED, UNCLEAR, TODAY): (
        *("C", "I didn't cancel", "i cant wait that long", "no", "yo no cancelé", "la necesito"),
    ),
    (T.CANCELLED, Intent.question_for_staff, TODAY): ("so can i eat", "why?", "ya puedo comer"),
    (T.COACH, THANKS, None): (
        *("thanks i needed that", "will try", "tomorrow is a new day", "un día a la vez"),
        "mañana será otro día",
    ),
    (T.COACH, UNCLEAR, TODAY): ("its getting harder", "i dont care", "not helping", "es difícil"),
    (T.CALL, CALL, TODAY): (
        *("its urgent", "cant wait", "nobody called", "call this number", "i missed your call"),
        *("es urgente", "no me llamaron", "a este número", "sigo esperando"),
    ),
    (T.CALL, UNCLEAR, TODAY): (
        *("not before 5", "im at work", "dont call", "leave a message", "text me", "worse"),
        *("después de las 3", "no me llamen", "no dejen mensaje", "ya no", "peor"),
    ),
    (T.CALL, THANKS, None): ("yes", "never mind", "sí", "olvídelo", "sounds good"),
    (T.CHANGE, UNCLEAR, TODAY): ("thursday", "never mind", "keep it as is", "el jueves", "no"),
    (T.REST, UNCLEAR, TODAY): (
        *("i meant all", "all of them", "i didnt ask for that", "todos", "yo no pedí eso"),
    ),
    (T.REST, Intent.start, SOON): ("never mind", "olvídelo"),
    (T.LATE, Intent.running_late, TODAY): ("10 more minutes", "5 min", "5 minutos"),
    (T.LATE, THANKS, None): ("sorry", "perdón"),
    (T.CLOSED, CALL, TODAY): ("its urgent", "i cant wait", "es urgente", "llame y nadie contesta"),
    (T.CLOSED, THANKS, None): ("not urgent", "tomorrow is fine", "no es urgente", "puede esperar"),
}


@pytest.mark.parametrize(
    ("topic", "body", "meant"),
    [
        (topic, body, (intent, severity))
        for (topic, intent, severity), bodies in MEANT.items()
        for body in bodies
    ],
)
def test_what_answers_a_text_that_asks_nothing_is_read_under_it(
    topic: Topic, body: str, meant: tuple[Intent, Severity | None]
) -> None:
    """Most waited for the next day as unclear, some ended all texts, and some nobody saw."""
    assert _said(under(topic, body)) == (*meant, False)


@pytest.mark.parametrize("topic", sorted(set(T)))
@pytest.mark.parametrize(
    "body",
    [
        *("yes i took them all at once", "no i want to die", "sorry, i swallowed the whole bottle"),
        *("sí me quiero morir", "perdón ya me tomé todas las pastillas para no despertar"),
        *(
            "its urgent i cant breathe",
            "im ok now but my chest is crushing",
            "thanks for everything, goodbye forever",
        ),
    ],
)
def test_danger_beside_such_words_pages_under_every_text(topic: Topic, body: str) -> None:
    """Only a text that is nothing but the words of a list is read so."""
    assert under(topic, body).severity is PAGE


@pytest.mark.parametrize("topic", sorted(set(T) - {T.DANGER}))
@pytest.mark.parametrize(
    "body", ["STOP", "stop texting me", "no more texts", "unsubscribe", "no quiero textos", "ALTO"]
)
def test_a_clear_stop_is_one_under_every_text(topic: Topic, body: str) -> None:
    """Any reasonable wording counts."""
    assert under(topic, body).opt_out


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        *(
            (T.WELCOME, said)
            for said in ("wrong number", "se equivocaron", "i did not ask for this")
        ),
        *((T.UNBOOKED, said) for said in ("leave me alone", "dejenme en paz", "cancel")),
        *((T.MISSED, said) for said in ("wrong number", "take me off your list")),
        *((T.CALL, said) for said in ("stop", "cancel my texts")),
    ],
)
def test_what_ends_texts_ends_them_also_there(topic: Topic, body: str) -> None:
    """These say it of the texts, or of the number."""
    assert under(topic, body).opt_out


def test_a_question_that_is_open_keeps_its_yes_and_its_no() -> None:
    """A welcome and the first reminder go in one minute; who may want a call gets it."""
    assert under(T.WELCOME, "yes", "appointment_reminder").prompt_id == "appointment_reminder"
    assert under(T.WELCOME, "no", "yes_no").intent is Intent.decline_reschedule
    assert under(T.CLOSED, "yes", "yes_no").prompt_id == "yes_no"
    found = under(T.UNBOOKED, "yes please", "appointment_reminder")
    assert (found.intent, found.prompt_id) == (CALL, None)
    asked = (prompt("side_effect_check"),)
    both = read("yes", prompts=asked, topics={T.MORNING, T.UNBOOKED})
    assert (both.intent, both.severity, both.value) == (CALL, TODAY, None)
    found = under(T.UNBOOKED, "no", "yes_no")
    assert (found.intent, found.severity, found.prompt_id) == (UNCLEAR, TODAY, None)


def test_a_number_that_answers_a_question_is_read_by_nobody_more() -> None:
    """The call that is promised has nothing to do with it."""
    found = under(T.CALL, "4", "craving_scale")
    assert (found.intent, found.severity, found.prompt_id) == (Intent.score, None, "craving_scale")


@pytest.mark.parametrize("body", ["no responde", "picked up again", "she wont answer me"])
def test_somebody_else_who_does_not_answer_is_no_wish_for_a_call(body: str) -> None:
    """Nor is whoever bought something."""
    assert reading(body).intent is not CALL


@pytest.mark.parametrize(
    "body",
    [
        *("i called 988", "called 911", "I texted 988", "im calling 988", "im at the er"),
        *("an ambulance is here", "police are here", "they are coming", "someone is with me"),
        *("ya llamé al 911", "ya llame al 988", "estoy en urgencias", "ya llegó la ambulancia"),
        *("ya vienen", "voy al hospital", "i dont need help", "no necesito ayuda"),
    ],
)
def test_what_was_done_under_an_answer_to_danger_pages_nobody_again(body: str) -> None:
    """It joins the open item (tests/worker/test_stories_danger.py)."""
    assert _said(under(T.DANGER, body)) == (UNCLEAR, SOON, False)


@pytest.mark.parametrize("body", ["i called 988", "an ambulance is here", "ya llamé al 911"])
def test_the_same_pages_where_nobody_knows_of_the_danger(body: str) -> None:
    """So it does once a clinician has ended the item."""
    assert reading(body).severity is PAGE


@pytest.mark.parametrize(
    "body",
    [
        *("i called 988 and they hung up, i have the pills here", "called 911 hes not breathing"),
        *("im at the er parking lot with a gun", "ambulance is here but i took more pills"),
        *(
            "ya llamé al 911 pero no respira",
            "leave me alone, i want to die",
            "i called 988. goodbye",
        ),
        *("dejenme en paz ya me quiero morir", "wrong number, i took all my pills"),
    ],
)
def test_danger_beside_what_was_done_pages_again(body: str) -> None:
    """Nothing that was done rules danger out."""
    assert under(T.DANGER, body).severity is PAGE


@pytest.mark.parametrize(
    "body",
    [
        *("wrong person", "wrong number", "not me", "that wasnt me", "meant for someone else"),
        *("leave me alone", "just leave me alone please", "go away", "fuck off", "shut up"),
        *("se equivocaron", "número equivocado", "no soy yo", "déjenme en paz", "callense"),
    ],
)
def test_a_word_of_being_misread_ends_no_texts_under_an_answer_to_danger(body: str) -> None:
    """It ended them all, and the breach of a number that is the patient's own was assessed."""
    assert _said(under(T.DANGER, body)) == (UNCLEAR, TODAY, False)
    assert reading(body).opt_out


@pytest.mark.parametrize(
    "body",
    [
        *("STOP", "stop texting me", "unsubscribe", "do not text me", "no more texts", "cancel"),
        *(
            "alto",
            "no me escriban",
            "no quiero más textos",
            "ya no me escriban",
            "leave me alone and stop texting me",
        ),
    ],
)
def test_a_clear_stop_is_one_also_under_an_answer_to_danger(body: str) -> None:
    """That is the law."""
    assert under(T.DANGER, body).opt_out


@pytest.mark.parametrize("body", ["no i dont", "me dejaron en espera"])
def test_nothing_about_a_visit_is_made_of_a_likeness_under_danger(body: str) -> None:
    """ "In danger now?" was asked."""
    assert _said(under(T.DANGER, body)) == (UNCLEAR, SOON, False)


VISIT_TEXTS = (
    (T.VISIT, ("appointment_reminder",)),
    (T.FOOD, ("appointment_reminder",)),
    (T.RIDE, ("yes_no", "appointment_reminder")),
    (T.HEALTH, ("yes_no", "appointment_reminder")),
)


@pytest.mark.parametrize(("topic", "contexts"), VISIT_TEXTS)
@pytest.mark.parametrize(
    "body",
    [
        *(
            "cancel it",
            "cancel this one",
            "please cancel",
            "Cancel please",
            "cancel that",
            "cancel my visit",
        ),
        *(
            "can you cancel it?",
            "i need to cancel it",
            "cancélela",
            "por favor cancele",
            "cancelarla",
        ),
    ],
)
def test_what_is_to_be_cancelled_under_a_text_about_a_visit_is_the_visit(
    topic: Topic, contexts: tuple[str, ...], body: str
) -> None:
    """It ended all texts, and nobody heard that the patient does not come."""
    found = under(topic, body, *contexts)
    assert _said(found) == (Intent.decline_reschedule, TODAY, False)
    assert found.prompt_id == "appointment_reminder"


@pytest.mark.parametrize(("topic", "contexts"), VISIT_TEXTS)
@pytest.mark.parametrize(
    "body",
    [
        *("CANCEL", "cancelar", "cancel these texts", "cancel all texts", "please cancel my texts"),
        *("cancel the messages", "cancelen los textos"),
    ],
)
def test_who_cancels_texts_is_texted_no_more(
    topic: Topic, contexts: tuple[str, ...], body: str
) -> None:
    """Care rule 17: the bare word stops, and so does whoever names the texts."""
    assert under(topic, body, *contexts).opt_out


@pytest.mark.parametrize("body", ["cancel my subscription", "cancel everything"])
def test_what_may_be_all_texts_is_stopped_or_asked_about(body: str) -> None:
    """A person asks today, or nothing goes any more."""
    found = under(T.VISIT, body, "appointment_reminder")
    assert found.opt_out or found.severity is TODAY
