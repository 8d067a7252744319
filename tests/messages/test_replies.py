"""Short answers, and the prompt they belong to."""

from dataclasses import replace

import pytest

from messages import replies
from messages.reading import Hint, Severity, Topic
from messages.replies import Intent, read
from tests.messages.reply_cases import prompt, reading

VISIT, YES_NO = "appointment_reminder", "yes_no"


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        *((body, "confirm") for body in ("C", "c.", "Confirm", "confirmed", "CONFIRMO", "yes")),
        *((body, "confirm") for body in ("Si", "sí gracias", "ok", "OK thanks", "C thank you!")),
        *((body, "confirm") for body in ("I'll be there", "see you tomorrow", "all set", "👍🏽")),
        *(
            (body, "decline_reschedule")
            for body in ("R", "r!", "Reschedule", "no", "can't make it")
        ),
        *((body, "decline_reschedule") for body in ("need to change my appointment", "N")),
        *((body, "decline_reschedule") for body in ("cancel my appointment", "no puedo ir")),
        *((body, "decline_reschedule") for body in ("I won't make it", "quiero cambiar mi cita")),
        *((body, "running_late") for body in ("L", "running late", "10 min late", "voy tarde")),
    ],
)
def test_answers_to_a_visit(body, intent):
    """C, R, L and words that clearly say the same, bound to the reminder."""
    found = reading(body, VISIT)
    assert (str(found.intent), found.prompt_id, found.ambiguous) == (intent, VISIT, False)


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        *((body, "confirm") for body in ("Y", "y", "yes", "Yes please", "S", "si", "Sí", "👍")),
        *((body, "confirm") for body in ("yeah", "yep", "sure", "claro que sí", "yes I do")),
        *((body, "confirm") for body in ("hell yeah", "seh")),
        *((body, "decline_reschedule") for body in ("nothin diff", "todo igualito")),
        *((body, "decline_reschedule") for body in ("N", "no", "Nope", "no gracias", "no i dont")),
    ],
)
def test_answers_to_yes_or_no(body, intent):
    """Yes and no in both languages."""
    found = reading(body, YES_NO)
    assert (str(found.intent), found.prompt_id) == (intent, YES_NO)


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        ("C", "confirm"),
        ("R", "decline_reschedule"),
        ("L", "running_late"),
        ("B", "callback_request"),
    ],
)
def test_letters_without_a_question_keep_their_meaning_unbound(body, intent):
    """A person finds out which visit."""
    found = reading(body)
    assert (str(found.intent), found.prompt_id, found.ambiguous) == (intent, None, False)


@pytest.mark.parametrize("body", ["yes", "no", "Y", "SI", "n"])
@pytest.mark.parametrize("contexts", [(), ("craving_scale",), ("none",)])
def test_yes_and_no_without_their_question_are_unclear(body, contexts):
    """Nothing is guessed."""
    found = reading(body, *contexts)
    assert (found.intent, found.prompt_id) == (Intent.unclear, None)


def test_ok_is_no_yes():
    """ "OK" to "is your ride set?" may only mean that it was read; to a visit it agrees."""
    assert reading("ok", YES_NO).intent is Intent.thanks_no_action
    assert reading("ok", VISIT).intent is Intent.confirm
    assert reading("ok").intent is Intent.thanks_no_action


@pytest.mark.parametrize("body", ["yes", "Y", "no", "N", "si"])
def test_yes_and_no_answer_the_yes_or_no_question_first(body):
    """It asked for just that; the reminder beside it asked for C or R."""
    assert reading(body, VISIT, YES_NO).prompt_id == YES_NO


@pytest.mark.parametrize("body", ["C", "R", "confirm"])
def test_c_and_r_answer_the_reminder(body):
    """A ride question open beside it changes nothing."""
    assert reading(body, YES_NO, VISIT).prompt_id == VISIT


def test_two_visits_open_make_c_ambiguous():
    """Which one is asked, not guessed."""
    prompts = [prompt(VISIT, "a", subject="v1"), prompt(VISIT, "b", subject="v2")]
    found = read("C", prompts=prompts)
    assert (found.intent, found.prompt_id, found.ambiguous) == (Intent.confirm, None, True)


def test_two_reminders_of_one_visit_are_one_question():
    """C answers the later one."""
    prompts = [
        prompt(VISIT, "later", subject="v1", minutes=5),
        prompt(VISIT, "sooner", subject="v1"),
    ]
    found = read("C", prompts=prompts)
    assert (found.prompt_id, found.ambiguous) == ("later", False)


def test_two_yes_or_no_questions_of_one_visit_stay_two():
    """Health news and the ride are different questions."""
    prompts = [
        prompt(YES_NO, "health", subject="v1"),
        prompt(YES_NO, "ride", subject="v1", minutes=5),
    ]
    found = read("Y", prompts=prompts)
    assert (found.intent, found.prompt_id, found.ambiguous) == (Intent.confirm, None, True)


@pytest.mark.parametrize("body", ["C?", "yes?", "R?", "¿C?"])
def test_an_answer_with_a_question_mark_is_a_question(body):
    """A person answers it."""
    found = reading(body, VISIT)
    assert (found.intent, found.prompt_id) == (Intent.question_for_staff, None)


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        ("can I eat before?", "question_for_staff"),
        ("what time is it", "question_for_staff"),
        ("Hola, ¿puedo comer?", "question_for_staff"),
        ("I have a question", "question_for_staff"),
        ("Who is this?", "question_for_staff"),
        ("B", "callback_request"),
        ("call me please", "callback_request"),
        ("Can someone call me", "callback_request"),
        ("llámeme", "callback_request"),
        ("PAUSE", "pause"),
        ("pausa", "pause"),
        ("thanks!", "thanks_no_action"),
        ("Thank you so much", "thanks_no_action"),
        ("muchas gracias", "thanks_no_action"),
        ("got it", "thanks_no_action"),
        ("👍", "thanks_no_action"),
        ("the blue one over there", "unclear"),
        ("", "unclear"),
        ("🤷", "unclear"),
        ("asdf", "unclear"),
        ("YES", "unclear"),
    ],
)
def test_what_answers_nothing(body, intent):
    """Everything else is known, or goes to a person."""
    assert str(reading(body).intent) == intent


def test_what_nobody_understands_goes_to_a_person():
    """No reply is lost."""
    assert reading("my lamp is green").severity is replies.Severity.next_business_day


@pytest.mark.parametrize(
    ("body", "intent", "also"),
    [
        ("running late, can I still come?", "running_late", ["question_for_staff"]),
        ("feeling dizzy, please call me", "side_effect", ["callback_request"]),
        ("can't make it, I threw up", "side_effect", ["decline_reschedule"]),
        ("C thanks", "confirm", []),
    ],
)
def test_a_text_that_says_two_things_loses_neither(body, intent, also):
    """The graver is the intent, the other stands beside it."""
    found = reading(body, VISIT)
    assert (str(found.intent), [str(one) for one in found.also]) == (intent, also)


@pytest.mark.parametrize(
    ("body", "own", "expected"),
    [
        ("C", "es", "es"),
        ("C", "en", "en"),
        ("7", "es", "es"),
        ("no puedo ir mañana", "en", "es"),
        ("I can't make it", "es", "en"),
        ("hola tengo una cita", "en", "es"),
        ("zzz", "es", "es"),
    ],
)
def test_the_language_is_that_of_the_text(body, own, expected):
    """One letter shows none, so the patient's own stands."""
    assert reading(body, VISIT, language=own).language == expected


def test_intents_and_contexts_are_those_of_the_contract():
    """Operators' scripts read these names."""
    assert {str(intent) for intent in Intent} == {
        *("confirm", "decline_reschedule", "running_late", "stop", "start", "help", "score"),
        *("score_out_of_range", "side_effect", "crisis", "overdose", "medical_emergency"),
        *("use_disclosed", "question_for_staff", "callback_request", "thanks_no_action"),
        *("wrong_number", "pause", "unclear"),
    }


@pytest.mark.parametrize("body", ["all good", "I'm good", "todo bien", "estoy bien", "good to go"])
def test_how_somebody_is_answers_what_was_asked(body):
    """A visit is kept and a yes said by it where these were asked; else it needs nobody."""
    assert reading(body, "appointment_reminder").intent is Intent.confirm
    assert reading(body, "yes_no").intent is Intent.confirm
    for asked in ((), ("side_effect_check",), ("craving_scale",)):
        found = reading(body, *asked)
        assert (found.intent, found.severity) == (Intent.thanks_no_action, None)


@pytest.mark.parametrize("body", ["no change", "no changes", "sin cambios"])
def test_no_changes_is_no_to_a_question_about_changes(body):
    """Where a yes or no was asked for, that answer stands before what a visit would mean."""
    assert reading(body, "yes_no").intent is Intent.decline_reschedule


def test_im_ok_worries_nobody():
    """It stood among the words of worry, and each such answer was a call."""
    assert reading("I'm ok", "side_effect_check").severity is None


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        *(("N wait Y", Intent.confirm), ("no. i mean yes. yes ride", Intent.confirm)),
        *(("No, wait, yes. My bad", Intent.confirm), ("no, digo si", Intent.confirm)),
        ("Y wait no, she bailed on me", Intent.decline_reschedule),
        ("yes... actually no", Intent.decline_reschedule),
    ],
)
def test_of_yes_and_no_the_one_counts_that_sets_the_other_right(body, intent):
    """The first is left out, and nobody has to ask."""
    found = reading(body, "yes_no")
    assert (found.intent, found.also, found.prompt_id) == (intent, (), "yes_no")


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        *(("R no perdon C, C!", Intent.confirm), ("R sorry meant C, fat thumbs", Intent.confirm)),
        *(("C wait no R", Intent.decline_reschedule), ("C oops R", Intent.decline_reschedule)),
        ("C... no, perdon, R, me llamaron a trabajar", Intent.decline_reschedule),
        ("C digo R, ya tenia compromiso", Intent.decline_reschedule),
    ],
)
def test_of_c_and_r_the_one_counts_that_sets_the_other_right(body, intent):
    """A visit is kept or given up by it as by the letter alone."""
    found = reading(body, "appointment_reminder")
    assert (found.intent, found.also) == (intent, ())


@pytest.mark.parametrize("body", ["C or R idk", "c r", "yes no maybe", "C wait", "yes or no"])
def test_two_answers_without_such_words_give_no_visit_up(body):
    """Nor do words that are followed by no other answer."""
    assert reading(body, "appointment_reminder").intent is not Intent.decline_reschedule


@pytest.mark.parametrize("context", ["appointment_reminder", "yes_no"])
@pytest.mark.parametrize(
    "body",
    [
        *("we'll see", "well see how it goes", "y/n", "Y N", "yes no", "si no", "si/no", "y no"),
        *("si no llueve", "si me dan permiso", "si consigo raite", "pues ahi vemos", "ya veremos"),
    ],
)
def test_what_leaves_it_open_agrees_to_nothing(body, context):
    """ "We'll see" confirmed the visit, and nobody read it."""
    found = reading(body, context)
    assert (found.intent, found.severity) == (Intent.unclear, Severity.next_business_day)


@pytest.mark.parametrize("context", ["appointment_reminder", "yes_no"])
@pytest.mark.parametrize(
    "body",
    [
        *("yes unless it snows", "yes if my boss lets me", "yes, as long as the bus runs"),
        *("si, siempre y cuando me lleven", "si voy, a menos que me toque trabajar"),
    ],
)
def test_a_yes_on_a_condition_is_read_by_a_person_as_well(body, context):
    """It is taken down, for the answer is yes; who knows of the condition can help with it."""
    found = reading(body, context)
    assert (found.intent, found.hint) == (Intent.confirm, Hint.more_words)


@pytest.mark.parametrize(
    "body",
    [
        *("yes, call me if anything changes", "yes, ill let you know if anything changes"),
        *(
            "yes unless I hear otherwise",
            "ill be there if it kills me",
            "yes if that's ok with you",
        ),
        *("si dios quiere", "si no hay problema", "si voy", "si ya voy para alla", "si puedo"),
    ],
)
def test_a_condition_that_is_none_leaves_a_yes_clear(body):
    """Politeness, and figures of speech."""
    found = reading(body, "appointment_reminder")
    assert (found.intent, found.hint) == (Intent.confirm, None)


@pytest.mark.parametrize("body", ["yeah no", "yeah nah", "yeah, no sorry"])
def test_an_english_yeah_no_is_a_no(body):
    """It confirmed the visit."""
    assert reading(body, "appointment_reminder").intent is Intent.decline_reschedule


def test_a_yes_on_a_condition_clears_no_dose_at_home():
    """Only a clear yes does."""
    home = replace(prompt("yes_no"), topic=Topic.HOME)
    found = read("yes if my sister gets here", prompts=[home], topics={Topic.HOME})
    assert found.intent is Intent.unclear
