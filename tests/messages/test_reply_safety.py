"""What must reach a person at once, and what must not wake one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.replies import Hint, Intent, Severity, read
from tests.messages.reply_cases import reading

CRISIS = [
    *("I want to die", "i wanna die", "want to kill myself", "kms", "im gonna kill my self"),
    *("I don't want to be here anymore", "dont wanna live", "unalive myself", "end it all"),
    *("I just want to end it", "better off without me", "no reason to live", "im suicidal"),
    *("Goodbye and thanks for everything", "hope I don't wake up", "I won't wake up"),
    *("I've been thinking about ending my life", "sucide", "wish i was dead"),
    *("going to hang myself", "i have a gun and i'm ready", "jump off a bridge"),
    *("I cut myself", "relapsed on cutting", "i want to hurt myself after work", "burned myself"),
    *("I can't go on anymore", "tired of living", "life isn't worth living"),
    *("quiero morir", "me quiero matar", "quitarme la vida", "Ya no quiero vivir"),
    *("no vale la pena vivir", "me corté", "quiero hacerme daño", "voy a matarme"),
    *("estarían mejor sin mí", "Adiós y gracias por todo", "no, quiero morir"),
    *("I want to... die", "i want\nto die", "I WANT TO DIE!!!", "i\u200b want to die"),
    *("I, want to, die", "what if I kill myself?"),
]
OVERDOSE = [
    *("I took too much", "took too many", "my friend OD'd", "he overdosed", "took all my pills"),
    *("nodding off", "his lips are blue", "blue lips", "she won't wake up", "barely breathing"),
    *("mixed my pills with vodka", "double dose", "took a bunch of pills", "cant wake him up"),
    *("sobredosis", "me pasé", "no despierta", "tomé demasiadas", "casi no respira"),
    *("doble dosis", "i might not wake up"),
]
EMERGENCY = [
    *("911", "chest pain", "my chest is really tight", "I can't breathe", "cant breath"),
    *("passed out", "having a seizure", "her face is drooping", "one side of me is numb"),
    *("my throat is swelling", "lips swollen", "need an ambulance", "shaking and sweating"),
    *("dolor de pecho", "no puedo respirar", "se desmayó", "convulsión", "me falta el aire"),
    *("trouble breathing", "heart attack", "short of breath"),
]
HARM = ["I'm going to kill him", "gonna hurt someone", "lo voy a matar", "ill kill her"]
ABUSE = [
    *("he hit me", "my husband beats me", "afraid to go home", "i'm being followed"),
    *("she's following me", "I don't feel safe at home", "me pega", "tengo miedo", "me siguen"),
    *("he tried to kill me", "can't talk he's here", "mi esposo me golpea"),
]
EVERYDAY = [
    *("this traffic is killing me", "My back is killing me", "dying to see you", "I'm done"),
    *("I won't make it", "i give up, where do I park", "dead tired", "to die for", "kill time"),
    *("died laughing", "my phone died", "I'm going to kill it at work", "shoot me a text"),
    *("i cut myself shaving", "hit me up", "took too many photos", "suicide squad was good"),
    *("I can't breathe I'm laughing so hard", "overdosed on coffee", "that's unreal"),
    *("I won't wake up in time", "ran 10 kms today", "shot myself in the foot"),
    *("can't wait to see you", "muero de risa", "me muero de hambre", "me corté el pelo"),
    *("no responde al teléfono", "my killer schedule", "I'll cut it short", "it hit me today"),
    *("seeing things more clearly", "im not real sure", "see you tomorrow!", "that's odd"),
]


def cases(*groups):
    return [(body, *expected) for bodies, *expected in groups for body in bodies]


@pytest.mark.parametrize(
    ("body", "intent", "value"),
    cases(
        (CRISIS, Intent.crisis, "self_harm"),
        (OVERDOSE, Intent.overdose, None),
        (EMERGENCY, Intent.medical_emergency, None),
        (HARM, Intent.crisis, "harm_to_others"),
        (ABUSE, Intent.crisis, "abuse"),
    ),
)
@pytest.mark.parametrize("context", [(), ("craving_scale",), ("appointment_reminder", "yes_no")])
def test_danger_is_paged_whatever_was_asked(body, intent, value, context):
    """In both languages, with and without apostrophes, accents and pauses."""
    found = reading(body, *context)
    assert (found.intent, found.value, found.severity) == (intent, value, Severity.page_now)
    assert found.urgent


@pytest.mark.parametrize(
    ("body", "beside"),
    [
        ("R. i want to kill myself", Intent.decline_reschedule),
        ("C. also i stood on the balcony rail, i want to die", Intent.confirm),
        ("no puedo ir, me quiero morir", Intent.decline_reschedule),
    ],
)
def test_danger_decides_nothing_about_the_visit_it_names(body, beside):
    """Whoever reads the page sees it; nothing is confirmed or given up."""
    found = reading(body, "appointment_reminder")
    assert (found.intent, found.prompt_id, found.ambiguous) == (Intent.crisis, None, False)
    assert beside in found.also


@pytest.mark.parametrize("body", EVERYDAY)
def test_everyday_phrases_wake_nobody(body):
    """A false page at night teaches staff to ignore pages."""
    found = reading(body, "appointment_reminder")
    assert (found.urgent, found.severity is Severity.page_now) == (False, False)
    assert found.intent not in {Intent.crisis, Intent.overdose, Intent.medical_emergency}


@pytest.mark.parametrize(
    "body",
    [
        *("Not suicidal, just sad", "I don't want to die", "I'd never kill myself"),
        *("i am not going to hurt myself", "no quiero morir", "no chest pain"),
    ],
)
def test_a_denial_is_read_by_a_person_today(body):
    """Detection never rules a risk out."""
    found = reading(body)
    assert (found.urgent, found.severity, found.hint) == (False, Severity.call_today, Hint.denied)


def test_an_answer_with_a_denial_is_recorded_and_read():
    """The number counts, and somebody looks the same day."""
    found = reading("2, not suicidal", "craving_scale")
    assert (found.intent, found.number, found.severity) == ("score", "2", Severity.call_today)
    assert Intent.unclear in found.also


def test_one_denial_does_not_hide_another_sentence():
    """A denied phrase and a plain one: the plain one counts."""
    assert reading("I don't want to die but I took all my pills").intent is Intent.overdose
    assert reading("I'm not suicidal. I just want to end it all").intent is Intent.crisis


def test_a_crisis_that_also_stops_does_both():
    """Page, one reply, then silence."""
    found = reading("stop texting me I want to die")
    assert (found.intent, found.also, found.opt_out) == (Intent.crisis, (Intent.stop,), True)


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        ("chest pain and I want to die", Intent.medical_emergency),
        ("overdosed because I want to die", Intent.overdose),
        ("he hit me and I want to die", Intent.crisis),
    ],
)
def test_the_order_is_emergency_overdose_self_harm_violence(body, intent):
    """What kills first is answered first."""
    found = reading(body)
    assert (found.intent, found.urgent) == (intent, True)


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("threw up twice", Severity.call_today),
        ("I feel dizzy and nauseous", Severity.call_today),
        ("bad headache", Severity.call_today),
        ("me siento mal", Severity.call_today),
        ("mareada y con náuseas", Severity.call_today),
        ("I'm outside my body", Severity.page_now),
        ("hearing voices", Severity.page_now),
        ("nothing feels real", Severity.page_now),
        ("no me siento real", Severity.page_now),
    ],
)
def test_symptoms_are_called_and_dissociation_is_paged(body, severity):
    """Severe dissociation long after a visit can't wait until tomorrow."""
    found = reading(body, "side_effect_check")
    assert (found.intent, found.severity) == (Intent.side_effect, severity)


@pytest.mark.parametrize("body", ["I relapsed", "I slipped last night", "i used again", "recaí"])
def test_a_lapse_reaches_a_person_the_same_day(body):
    """Before the next visit in any case."""
    found = reading(body)
    assert (found.intent, found.severity) == (Intent.use_disclosed, Severity.call_today)


@pytest.mark.parametrize(
    "body", ["I need help", "I can't cope", "hate my life", "estoy desesperada"]
)
def test_words_that_may_mean_danger_are_read_today(body):
    """Over-triage to a human glance is cheap."""
    found = reading(body)
    assert (found.severity, found.hint) == (Severity.call_today, Hint.possible_risk)


@pytest.mark.parametrize(
    ("body", "expected"),
    [("I want to die", "en"), ("quiero morir", "es"), ("sobredosis", "es"), ("he hit me", "en")],
)
@pytest.mark.parametrize("own", ["en", "es"])
def test_a_safety_reply_can_use_the_language_of_the_text(body, expected, own):
    """Care rule 23, whatever language the patient is filed under."""
    assert reading(body, language=own).language == expected


@given(body=st.text(max_size=400))
def test_any_text_has_a_reading(body):
    """A reading that raises would leave a reply to chance."""
    found = read(body)
    assert found.intent in set(Intent)


@given(
    before=st.sampled_from(["", "hi ", "Listen: ", "2 ", "ok so ", "C. ", "😀 "]),
    phrase=st.sampled_from(["I want to die", "cant breathe", "took too many pills", "he hit me"]),
    after=st.sampled_from(["", ".", " lol", " jk", " thanks", "?", " STOP", "\nC", " 😀"]),
)
def test_words_around_danger_never_hide_it(before, phrase, after):
    """ "jk" does not close a crisis."""
    assert reading(before + phrase + after, "appointment_reminder").urgent


@pytest.mark.parametrize(
    "body",
    [
        *("my wife overdosed", "overdose. my wife. hurry", "i think im having a heart attack"),
        *("manden una ambulancia", "creo que es sobredosis", "he was just hit by a car"),
        *("yes my ex shot me", "si, me dispararon anoche", "she overdosed last night"),
        *("about to jump out the window", "this is a heart attack", "mi hijo tuvo una sobredosis"),
        *("my roommate tried to stab me", "death cant come soon enough", "quieren violarme"),
        *("can i take more, already took 9", "not hopeless. he came at me with the bat again"),
    ],
)
def test_what_is_happening_now_pages(body):
    """The narrow forms of words that mostly tell of what is over, whatever was asked."""
    for context in ("none", "appointment_reminder", "side_effect_check"):
        found = reading(body) if context == "none" else reading(body, context)
        assert found.severity is Severity.page_now


@pytest.mark.parametrize(
    "body",
    [
        *("yes i set myself on fire", "C cut my finger off", "yes im shot", "yes house is on fire"),
        *("si me ahorque", "si y me dieron un balazo", "si le dispararon a mi hermano"),
        *("si mi nina se quemo con aceite", "mi hijo se quiere matar", "mi hijo se colgo"),
        *("my girl overdosed come now", "got shot", "hit by a car", "dad had a heart attack"),
        *("jumped off the roof", "elephant sitting on my chest", "the baby is coming now"),
        *("ya mate a mi vecino", "me mata si le digo", "auxilio", "i was robbed at gunpoint"),
    ],
)
def test_danger_pages_also_behind_a_yes(body):
    """A patient may answer first; in these words nothing else is meant."""
    assert reading(body, "appointment_reminder").severity is Severity.page_now


@pytest.mark.parametrize(
    "body", ["no i cant breathe", "no i got shot", "no im gonna kill him", "no hes hitting me"]
)
def test_a_no_before_somebody_answers_and_denies_nothing(body):
    """It says no to the question that was asked."""
    assert reading(body, "yes_no").severity is Severity.page_now


@pytest.mark.parametrize(
    "body", ["no he pensado en matarme", "no i never wanted to kill myself", "no im not suicidal"]
)
def test_a_denial_behind_a_no_is_one(body):
    """Its own words deny it."""
    found = reading(body, "yes_no")
    assert (found.urgent, found.hint) == (False, Hint.denied)


@pytest.mark.parametrize(
    "body",
    [
        "My mom's overdose was in 2011, I light a candle for her each May, all good here",
        "where can i get narcan for free? just to keep in the truck for the crew",
        "se nos murió mi abuelita y hay que llevarla al panteón el jueves, no puedo ir",
    ],
)
def test_words_of_danger_about_what_is_over_bring_a_person_and_no_page(body):
    """A person reads them the same day at the latest."""
    found = reading(body)
    assert (found.urgent, found.severity) == (False, Severity.call_today)


@pytest.mark.parametrize(
    "body",
    [
        *("dying to be gone", "not happy to be alive", "se rompieron mis gafas, no veo nada"),
        *("they narcanned me last week", "mi esposa me obliga", "mi esposo me pega mas que antes"),
    ],
)
def test_no_everyday_phrase_hides_danger_beside_it(body):
    """Excuses are narrow: what only sounds like one pages."""
    assert reading(body).severity is Severity.page_now
