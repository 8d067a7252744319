"""Few words under what our last texts were about: an answer there, and often a plea elsewhere."""

import pytest

from messages.reading import Topic
from messages.replies import Intent, Reading, Severity, read
from messages.templates import shipped
from tests.messages.reply_cases import prompt, reading

MEDICINES, RIDE, FOOD, FORM = Topic.MEDICINES, Topic.RIDE, Topic.FOOD, Topic.FORM


def under(topic: Topic, body: str, context: str = "none") -> Reading:
    """Read a text with a question open, if any, and one of our texts about this."""
    asked = () if context == "none" else (prompt(context, context),)
    return read(body, prompts=asked, topics={topic})


@pytest.mark.parametrize(
    "body",
    [
        *("took them all", "yes took them all", "i took all of them", "took my meds", "every day"),
        *("all of them", "didn't miss any", "yes i took them as prescribed", "all taken"),
        *("me las tomé todas", "sí me las tomé", "todas", "todos los dias", "tomé mis pastillas"),
    ],
)
def test_medicines_that_were_taken_are_a_yes_where_that_was_asked(body: str) -> None:
    """The very words that page for an overdose where nobody asked."""
    found = under(MEDICINES, body, "yes_no")
    assert (found.intent, found.severity, found.prompt_id) == (Intent.confirm, None, "yes_no")


@pytest.mark.parametrize(
    "body", ["i took all my meds", "yes took all my pills", "tomé todas mis pastillas"]
)
def test_all_of_the_medicines_is_a_yes_that_a_person_looks_at(body: str) -> None:
    """Asked, it is hardly ever more; whoever reads it the same day sees what was asked."""
    found = under(MEDICINES, body, "yes_no")
    assert (found.intent, found.severity) == (Intent.confirm, Severity.call_today)


@pytest.mark.parametrize(
    "body",
    [
        *("took them all at once", "took them all to end it", "i took a whole bottle"),
        *("took all my pills and i dont want to wake up", "me las tomé todas para no despertar"),
        *("took them all, cant stay awake",),
    ],
)
def test_more_than_taken_pages_also_where_that_was_asked(body: str) -> None:
    """Only a text that is nothing but the answer is one."""
    assert under(MEDICINES, body, "yes_no").severity is Severity.page_now


@pytest.mark.parametrize(
    "body",
    [
        *("took them all", "me las tomé todas", "i took all my pills", "i took the pills"),
        *("me tomé las pastillas", "tomé mis pastillas"),
    ],
)
def test_all_of_them_pages_where_nobody_asked(body: str) -> None:
    """Also beside a question about something else."""
    assert reading(body).severity is Severity.page_now
    assert under(RIDE, body, "yes_no").severity is Severity.page_now


@pytest.mark.parametrize(
    "body",
    [
        *("i took my meds this morning", "took my meds", "i took my pills already"),
        *("tomé mis pastillas en la mañana", "ya me tomé la medicina"),
    ],
)
def test_medicines_of_every_day_page_nobody(body: str) -> None:
    """Many write so before a visit; a person reads it the same day."""
    assert reading(body).severity is Severity.call_today


@pytest.mark.parametrize(
    "body",
    [
        *("i'll drive", "driving myself", "i can drive myself home", "i have my car", "myself"),
        *("yo manejo", "voy a manejar", "traigo mi carro"),
    ],
)
def test_whoever_means_to_drive_has_no_ride_home(body: str) -> None:
    """It was read as a yes: nobody asked them how they get home."""
    found = under(RIDE, body, "yes_no")
    assert (found.intent, found.prompt_id) == (Intent.decline_reschedule, "yes_no")


@pytest.mark.parametrize("body", ["my mom is driving", "my husband will drive", "mi esposa maneja"])
def test_somebody_else_who_drives_is_a_ride(body: str) -> None:
    """Nearly the same words."""
    assert under(RIDE, body, "yes_no").intent is Intent.confirm


@pytest.mark.parametrize(
    "body", ["I ate already", "C but i had a banana", "comí algo", "tomé café"]
)
def test_food_before_a_dose_is_told_the_same_day(body: str) -> None:
    """After the text that names the last meal: staff decide about the dose."""
    assert under(FOOD, body, "appointment_reminder").severity is Severity.call_today


@pytest.mark.parametrize(
    "body", ["C", "C thanks, havent eaten", "can i eat before?", "no he comido"]
)
def test_who_has_not_eaten_is_not_called_for_it(body: str) -> None:
    """Nor who asks: that is a question."""
    assert under(FOOD, body, "appointment_reminder").severity is not Severity.page_now
    assert "unclear" not in under(FOOD, body, "appointment_reminder").also


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        *((said, None) for said in ("done", "i did it yesterday", "already did it", "later")),
        *((said, None) for said in ("ya lo hice", "ya lo llené ayer", "mañana")),
        ("i will do it tonight", Severity.call_today),
        ("voy a hacerlo hoy", Severity.call_today),
    ],
)
def test_a_form_is_filled_in_or_will_be(body: str, severity: Severity | None) -> None:
    """What somebody is going to do, a person reads all the same."""
    found = under(FORM, body)
    assert (found.intent, found.severity) == (Intent.thanks_no_action, severity)


@pytest.mark.parametrize("body", ["i will do it tonight", "voy a hacerlo hoy"])
def test_what_will_be_done_tonight_pages_where_no_form_was_asked_for(body: str) -> None:
    """Nobody knows what it is."""
    assert reading(body).severity is Severity.page_now
    assert under(MEDICINES, body).severity is Severity.page_now


@pytest.mark.parametrize(
    "body", ["i will end it tonight", "done with life", "i did it, i took the pills"]
)
def test_danger_pages_also_under_a_form(body: str) -> None:
    """A plea is one whatever was asked."""
    assert under(FORM, body).severity is Severity.page_now


@pytest.mark.parametrize("body", ["too many", "way too many", "demasiados"])
def test_too_many_of_what_is_counted_is_no_overdose(body: str) -> None:
    """It is asked for as a number once more."""
    found = reading(body, "scale:0-60")
    assert (found.intent, found.severity) == (Intent.unclear, Severity.next_business_day)


def test_too_many_pages_where_nothing_is_counted() -> None:
    """And where it says of what."""
    assert reading("too many pills", "scale:0-60").severity is Severity.page_now
    assert reading("i took too many").severity is Severity.page_now


def test_topics_are_those_of_the_shipped_texts() -> None:
    """Each kind of them is some text's."""
    found = {each.topic for each in shipped().templates.values()}
    assert found - {None} == set(Topic)


AFTER_A_DOSE = {
    Topic.EVENING: {
        "0": ("fine", "0 fine", "im good", "all good", "great thanks", "bien", "todo bien"),
        "1": ("a bit off", "1 a bit off", "a little off", "algo raro", "1 algo raro"),
        "2": ("unwell", "2 unwell", "not great", "mal", "2 mal"),
        "3": ("please call me", "call me", "quiero llamada", "llámenme"),
    },
    Topic.MORNING: {
        "0": ("yes", "0 yes", "yep", "back to normal", "good", "ya", "sí", "como siempre"),
        "1": ("almost", "1 almost", "almost there", "casi", "ya casi"),
        "2": ("no", "2 no", "not yet", "still off", "todavía no"),
        "3": ("please call me", "quiero llamada"),
    },
}


@pytest.mark.parametrize(
    ("topic", "number", "body"),
    [
        (topic, number, body)
        for topic, options in AFTER_A_DOSE.items()
        for number, bodies in options.items()
        for body in bodies
    ],
)
def test_an_option_told_by_its_words_is_its_number(topic: Topic, number: str, body: str) -> None:
    """The text itself calls its numbers so; it was no answer, and the patient counted as silent."""
    found = under(topic, body, "side_effect_check")
    assert (found.intent, found.value, found.severity) == (Intent.score, number, None)
    assert found.prompt_id == "side_effect_check"


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("ok", None),
        ("tired", Severity.call_today),
        ("a bit out of it", Severity.call_today),
        ("fine but my head hurts", Severity.call_today),
        ("0 unwell", Severity.next_business_day),
        ("fine, want to die", Severity.page_now),
        ("unwell and cant breathe", Severity.page_now),
        ("bad. i want to kill myself", Severity.page_now),
    ],
)
def test_what_is_more_or_less_than_an_option_is_read_like_any_text(
    body: str, severity: Severity | None
) -> None:
    """Also where a number and words contradict each other."""
    assert under(Topic.EVENING, body, "side_effect_check").severity is severity


def test_where_nobody_is_there_a_wish_for_a_call_is_no_number() -> None:
    """The text of closed hours offers none (care rule 11)."""
    found = under(Topic.EVENING, "call me", "scale:0-2")
    assert (found.intent, found.severity) == (Intent.callback_request, Severity.call_today)


def test_beside_another_question_a_word_is_no_number() -> None:
    """Yes may be to the visit."""
    asked = (prompt("side_effect_check", "a"), prompt("appointment_reminder", "b"))
    assert read("yes", prompts=asked, topics={Topic.MORNING}).value is None
