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
        ("0 unwell", Severity.call_today),
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


#: What a yes or a no is told by, in the words of the text that asks for it.
YES_AND_NO = {
    (Topic.MEDICINES, True): (
        *("todo como estaba previsto", "como me dijeron", "si me las estoy tomando", "sin falta"),
        *("me las tomo todos los dias", "cada noche"),
    ),
    (Topic.MEDICINES, False): (
        *("casi todas", "no todas", "se me olvido una", "no las tome", "ya no las tomo"),
        *("se me acabaron", "me falta la de hoy", "missed one", "most of them", "ran out"),
    ),
    (Topic.RIDE, True): (
        *("mi esposa", "si mi hermana Rosa", "un amigo", "mi hijo", "raite", "el me lleva"),
        *("my wife", "a friend", "my sister Rosa"),
    ),
    (Topic.RIDE, False): (
        *("caminando", "me voy caminando", "en camion", "en mi carro", "me regreso sola"),
        *("walking", "taking the bus", "in my car"),
    ),
    (Topic.HEALTH, False): (
        *("todo bien", "todo bien gracias", "gracias a dios todo bien", "bien", "las mismas"),
        *("nada de nada", "all good", "good thanks", "same meds"),
    ),
    (Topic.PLAN, True): (
        *("ya tengo mi plan", "trabajar", "descansar", "me quedo en casa", "voy a la iglesia"),
        *("my plan is set", "working", "going to church"),
    ),
    (Topic.NEXT, False): (
        *("ahora no", "ahorita no", "mas adelante", "el proximo mes", "estoy bien", "ya no"),
        *("not now", "maybe later", "im good"),
    ),
    (Topic.HOME, False): ("alta", "me salio alta", "baja", "estoy sola", "high", "im alone"),
}


@pytest.mark.parametrize(
    ("topic", "yes", "body"),
    [(topic, yes, body) for (topic, yes), bodies in YES_AND_NO.items() for body in bodies],
)
def test_a_yes_or_a_no_in_the_words_of_its_text(topic: Topic, yes: bool, body: str) -> None:
    """It went to a person, ended all texts ("baja"), or was recorded as its opposite."""
    found = under(topic, body, "yes_no")
    intent = Intent.confirm if yes else Intent.decline_reschedule
    assert (found.intent, found.prompt_id, found.severity) == (intent, "yes_no", None)
    assert not found.opt_out


@pytest.mark.parametrize(
    ("topic", "body", "intent"),
    [
        (Topic.MEDICINES, "si he tomado todas mis medicinas", Intent.confirm),
        (Topic.MEDICINES, "me las tomo todas", Intent.confirm),
        (Topic.MEDICINES, "i take all my meds", Intent.confirm),
        (Topic.MEDICINES, "me las voy a tomar ahorita", Intent.unclear),
        (Topic.MEDICINES, "im going to take them now", Intent.unclear),
        (Topic.HEALTH, "solo tome tylenol", Intent.unclear),
        (Topic.HEALTH, "just took tylenol", Intent.unclear),
        (Topic.PLAN, "si tengo un plan", Intent.confirm),
        (Topic.PLAN, "i have a plan", Intent.confirm),
        (Topic.PLAN, "my plan is to stay home", Intent.confirm),
        (Topic.NEXT, "ya no quiero", Intent.decline_reschedule),
        (Topic.FORM, "esta noche lo hago", Intent.thanks_no_action),
        (Topic.FORM, "doing it tonight", Intent.thanks_no_action),
        (Topic.FORM, "no quiero hacerlo", Intent.unclear),
        (Topic.CRAVING, "si quiero descansar", Intent.pause),
        (Topic.CRAVING, "i want to rest", Intent.pause),
        (Topic.EVENING, "estoy manejando", Intent.unclear),
        (Topic.EVENING, "im driving", Intent.unclear),
        (Topic.MORNING, "confundida", Intent.side_effect),
        (Topic.FOOD, "me tomo mis pastillas", Intent.question_for_staff),
        (Topic.FOOD, "y mis pastillas", Intent.question_for_staff),
    ],
)
def test_what_may_mean_more_is_looked_at_the_same_day(
    topic: Topic, body: str, intent: Intent
) -> None:
    """Most of it paged; asked in these words, it is hardly ever that."""
    context = shipped_context(topic)
    found = under(topic, body, context)
    assert (found.intent, found.severity) == (intent, Severity.call_today)
    assert not found.opt_out


def shipped_context(topic: Topic) -> str:
    """Return how an answer to a text about this is read."""
    return next(
        each.expects or "none" for each in shipped().templates.values() if each.topic is topic
    )


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        (Topic.MEDICINES, "me las voy a tomar todas"),
        (Topic.MEDICINES, "me tome todo el frasco"),
        (Topic.MEDICINES, "he tomado todas mis pastillas y ya no quiero vivir"),
        (Topic.PLAN, "tengo un plan para matarme"),
        (Topic.PLAN, "i have a plan to end my life"),
        (Topic.FORM, "esta noche me mato"),
        (Topic.CRAVING, "si quiero descansar para siempre, ya no quiero vivir"),
        (Topic.CRAVING, "lo peor, me quiero morir"),
        (Topic.HEALTH, "todo bien pero no puedo respirar"),
        (Topic.HOME, "estoy sola y me quiero matar"),
        (Topic.EVENING, "gracias a dios bien pero me quiero morir"),
        (Topic.FOOD, "no he comido nada y me desmaye"),
    ],
)
def test_danger_beside_the_words_of_a_text_pages(topic: Topic, body: str) -> None:
    """Only a text that is nothing but the answer is one."""
    assert under(topic, body, shipped_context(topic)).severity is Severity.page_now


@pytest.mark.parametrize(
    "body", ["tengo un plan", "i have a plan", "esta noche lo hago", "me las tomo todas"]
)
def test_the_same_words_page_where_nothing_of_the_kind_was_asked(body: str) -> None:
    """They are those of somebody who means to die."""
    assert reading(body, language="es").severity is Severity.page_now
    assert under(RIDE, body, "yes_no").severity is Severity.page_now


@pytest.mark.parametrize(
    ("topic", "number", "body"),
    [
        *((Topic.CRAVING, "10", said) for said in ("lo peor", "hoy lo peor", "the strongest")),
        *((Topic.CRAVING, "0", said) for said in ("hoy nada", "ni ganas")),
        *((Topic.COUNT, "3", said) for said in ("3 veces", "tres veces", "3 times")),
        *((Topic.COUNT, "1", said) for said in ("una vez", "solo una", "one time")),
        *((Topic.COUNT, "0", said) for said in ("ninguna vez", "no consumi", "0 veces")),
        *((Topic.CONFIDENCE, "10", said) for said in ("del todo", "totalmente", "fully")),
        *((Topic.CONFIDENCE, "0", said) for said in ("nada", "not at all")),
        *((Topic.SLEEP, "7", said) for said in ("todas", "todas las noches", "all of them")),
        *((Topic.SLEEP, "0", said) for said in ("ninguna noche", "nada")),
        *((Topic.WEEK, "0", said) for said in ("ninguna jornada", "segui mi plan", "no me sali")),
        *((Topic.EVENING, "0", said) for said in ("gracias a dios bien", "bien y usted?")),
        *((Topic.EVENING, "1", said) for said in ("raro pero bien", "ahi mas o menos")),
        *((Topic.EVENING, "2", said) for said in ("bien mal", "mal mal")),
        (Topic.EVENING, "3", "si quiero llamada"),
        (Topic.MORNING, "0", "ya amaneci bien"),
    ],
)
def test_the_ends_of_a_scale_may_be_told_in_its_words(topic: Topic, number: str, body: str) -> None:
    """Texts call them so; nobody was told of the worst day, and the patient counted as silent."""
    found = under(topic, body, shipped_context(topic))
    assert (found.intent, found.value) == (Intent.score, number)


@pytest.mark.parametrize(
    "body",
    [
        "una",
        "uno de los peores",
        "lo peor que me ha pasado fue eso",
        "todas mal",
        "3 veces al dia 2",
    ],
)
def test_less_than_an_end_of_a_scale_is_no_number(body: str) -> None:
    """What nobody can tell, a person reads."""
    assert under(Topic.SLEEP, body, "scale:0-7").value in {None, "1"}
    assert under(Topic.CRAVING, body, "craving_scale").value is None


@pytest.mark.parametrize(
    "body",
    ["no he comido nada", "no voy a comer", "solo agua", "en ayunas", "i havent eaten", "no food"],
)
def test_whoever_has_not_eaten_gives_no_visit_up(body: str) -> None:
    """The very thing that the text asks for held all reminders; it confirms nothing either."""
    found = under(FOOD, body, "appointment_reminder")
    assert (found.intent, found.prompt_id) == (Intent.thanks_no_action, None)


@pytest.mark.parametrize("body", ["no voy", "no puedo comer ni ir", "no voy a ir"])
def test_whoever_does_not_come_gives_the_visit_up_also_under_food(body: str) -> None:
    """Nearly the same words."""
    assert under(FOOD, body, "appointment_reminder").intent is Intent.decline_reschedule


@pytest.mark.parametrize(
    "body",
    [
        *("no me abre el enlace", "no puedo entrar", "no me deja entrar", "link doesnt work"),
        *("no tengo id", "no tengo papeles", "dont have an id"),
    ],
)
def test_what_hinders_somebody_gives_no_visit_up(body: str) -> None:
    """They want to come; before a visit somebody helps the same day."""
    found = reading(body, "appointment_reminder")
    assert (found.intent, found.severity) == (Intent.question_for_staff, Severity.call_today)
    assert found.prompt_id is None


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("hola soy Maria", Severity.next_business_day),
        ("hola soy Jesus Martinez", Severity.next_business_day),
        ("this is John", Severity.next_business_day),
        ("hola soy Xochitl", Severity.call_today),
        ("this is John Brown", Severity.call_today),
    ],
)
def test_whoever_says_their_name_stops_nothing(body: str, severity: Severity) -> None:
    """So many answer a welcome; it was a wrong number, and listed as a breach."""
    found = reading(body, language="es")
    assert (found.opt_out, found.intent) == (False, Intent.unclear)
    assert found.severity in {severity, Severity.next_business_day}


@pytest.mark.parametrize(
    "body",
    ["hola yo no soy Maria", "hola soy otra persona", "soy el nuevo dueno de este numero"],
)
def test_whoever_is_somebody_else_stops_all_texts(body: str) -> None:
    """Nearly the same words."""
    assert reading(body, language="es").opt_out


@pytest.mark.parametrize("body", ["quiero recibir textos", "si quiero textos", "i want the texts"])
def test_texts_that_are_wanted_are_no_stop(body: str) -> None:
    """Asked whether they wanted a number or no texts; a person sees the wish."""
    found = reading(body, "craving_scale")
    assert (found.opt_out, found.intent) == (False, Intent.start)


@pytest.mark.parametrize(
    "body", ["no quiero recibir textos", "ya no quiero textos", "i dont want the texts", "no texts"]
)
def test_texts_that_are_not_wanted_are_a_stop(body: str) -> None:
    """Nearly the same words."""
    assert reading(body, "craving_scale").opt_out


@pytest.mark.parametrize("body", ["no acepto", "no lo acepto", "i dont accept"])
def test_whoever_does_not_agree_to_texts_stops_them(body: str) -> None:
    """A welcome says what the patient agrees to. Asked something else, it is a no to that."""
    assert reading(body).opt_out
    assert not reading(body, "yes_no").opt_out


@pytest.mark.parametrize("context", ["yes_no", "craving_scale", "appointment_reminder"])
def test_no_more_of_what_was_asked_about_is_no_stop(context: str) -> None:
    """Unasked, it is one."""
    assert not reading("ya no", context).opt_out
    assert reading("ya no").opt_out


@pytest.mark.parametrize("body", ["no estoy segura", "todavia no estoy segura", "not sure yet"])
def test_whoever_is_not_sure_of_what_was_asked_pages_nobody(body: str) -> None:
    """In Spanish the same word says "not safe": unasked, and beside more, it pages."""
    assert reading(body, "yes_no").severity is Severity.call_today
    assert reading("no estoy segura").severity is Severity.page_now
    assert reading("no estoy segura en mi casa", "yes_no").severity is Severity.page_now


@pytest.mark.parametrize(
    "body",
    [
        *("tuve una emergencia", "tuve una emergencia familiar", "fue una emergencia"),
        *("tuve que ir a emergencias con mi hijo", "i had an emergency"),
    ],
)
def test_an_emergency_that_is_over_is_a_call_for_today(body: str) -> None:
    """Why somebody did not come; they were told to call 911."""
    assert reading(body, language="es").severity is Severity.call_today


@pytest.mark.parametrize(
    "body",
    ["tengo una emergencia", "tuve una emergencia y no puedo respirar", "es una emergencia"],
)
def test_an_emergency_now_pages(body: str) -> None:
    """Nearly the same words."""
    assert reading(body, language="es").severity is Severity.page_now


@pytest.mark.parametrize(
    "body", ["no quiero llamada", "no me llamen", "no quiero hablar", "i dont want a call"]
)
def test_whoever_wants_no_call_is_promised_none(body: str) -> None:
    """It was read as a wish for one."""
    found = reading(body, "side_effect_check")
    assert Intent.callback_request not in {found.intent, *found.also}


@pytest.mark.parametrize("body", ["no quiero pausa", "yo no pedi pausa", "i dont want a pause"])
def test_whoever_wants_no_pause_gets_none(body: str) -> None:
    """It paused check-ins for a week."""
    assert Intent.pause not in {reading(body).intent, *reading(body).also}


@pytest.mark.parametrize(
    "body", ["ya me toca", "no es esa", "le voy a echar ganas", "fue un error"]
)
def test_everyday_words_page_nobody_and_stop_nothing(body: str) -> None:
    """ "It is my turn", "not that one", "I'll do my best": two paged or stopped all texts."""
    found = reading(body, language="es")
    assert not found.opt_out
    assert found.severity is not Severity.page_now


def test_who_is_touched_pages() -> None:
    """Nearly the same words as "it is my turn"."""
    assert reading("mi tio ya me toca").severity is Severity.page_now
    assert reading("el me toca").severity is Severity.page_now
