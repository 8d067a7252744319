"""Numbers as answers on a scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.lexicon import lexicon
from messages.replies import Hint, Intent, Severity, hear, read
from tests.messages.reply_cases import prompt, reading

WIDE = "craving_scale"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("7", "7"),
        (" 7. ", "7"),
        ("7!!", "7"),
        ("0", "0"),
        ("10", "10"),
        ("7/10", "7"),
        ("7 / 10", "7"),
        ("7 out of 10", "7"),
        ("un 7 de 10", "7"),
        ("10/10", "10"),
        ("I'm at a 6 today", "6"),
        ("it's a 4", "4"),
        ("about 5", "5"),
        ("hoy 4", "4"),
        ("como un 3", "3"),
        ("seven", "7"),
        ("Siete", "7"),
        ("7 7", "7"),
        ("number 3, thanks", "3"),
        ("#7"[1:], "7"),
        ("*7*", "7"),
        ("\u200b7", "7"),
        ("\uff17", "7"),
    ],
)
def test_one_clear_number_is_a_score(body, value):
    """In the ways people write one."""
    found = reading(body, WIDE)
    assert (found.intent, found.value, found.prompt_id) == (Intent.score, value, WIDE)
    assert (found.number, found.severity, found.hint) == (value, None, None)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("forty five", "45"),
        ("Forty-five", "45"),
        ("about twenty two", "22"),
        ("treinta y cinco", "35"),
        ("thirty", "30"),
        ("veintiocho", "28"),
        ("treinta y una", "31"),
    ],
)
def test_tens_and_ones_are_one_number(body, value):
    """Neither of the two words by itself is the answer."""
    found = reading(body, "scale:0-60")
    assert (found.intent, found.value) == (Intent.score, value)


@pytest.mark.parametrize(
    ("body", "value"), [("seventy five", "75"), ("noventa y nueve", "99"), ("sesenta y una", "61")]
)
def test_a_number_in_words_off_the_scale_is_kept_as_it_is(body, value):
    """And never as the part of it that would fit."""
    found = reading(body, "scale:0-60")
    assert (found.intent, found.value) == (Intent.score_out_of_range, value)


@pytest.mark.parametrize(
    "body",
    [
        *("ciento treinta", "one hundred and thirty", "doscientos cuarenta", "mil treinta"),
        *("cuarenta por ciento", "forty five percent", "three hundred"),
    ],
)
def test_no_part_of_a_greater_number_is_recorded(body):
    """Nor a share of a hundred: a person reads it."""
    found = reading(body, "scale:0-60")
    assert (found.intent, found.number) == (Intent.unclear, None)


@pytest.mark.parametrize("body", ["11", "100", "-3", "10.5", "-0.5", "10+", "7.5+", "1,000"])
def test_a_number_off_the_scale_is_never_clamped(body):
    """It is kept as written, bound to the question, and asked again."""
    found = reading(body, WIDE)
    assert (found.intent, found.value, found.prompt_id) == ("score_out_of_range", body, WIDE)
    assert found.severity is Severity.next_business_day


@pytest.mark.parametrize("body", ["7, maybe 9", "3 maybe 8", "3/7", "5 8", "7 or 9"])
def test_two_numbers_are_nobodys_guess(body):
    """A person decides, or the patient is asked."""
    found = reading(body, WIDE)
    assert (found.intent, found.value, found.prompt_id) == (Intent.unclear, None, None)


_SEVEN_OR_EIGHT = (
    "7 or 8",
    "7-8",
    "between 7 and 8",
    "siete u ocho",
    "7 maybe 8",
    "7, maybe 8",
    "7 maybe a 8",
    "7... maybe 8",
    "seven maybe eight",
    "7 or maybe 8",
    "about a 7, maybe even an 8",
    "7 tal vez 8",
    "7, tal vez un 8",
    "7 quizas 8",
    "7 quizá 8",
    "7 o quizas 8",
    "siete a lo mejor ocho",
)


@pytest.mark.parametrize("body", _SEVEN_OR_EIGHT)
def test_of_a_narrow_range_the_higher_number_counts(body):
    """Where higher is worse, which the question about an urge says; elsewhere it is asked."""
    assert reading(body, WIDE).value == "8"
    assert reading(body, "scale:0-10").hint is Hint.two_numbers


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("its a nine sitting next to the store", "9"),
        ("como un ocho pero ya baja", "8"),
        ("it was an 8 this morning but now its a 4", "4"),
        ("not a 3 like before, im at a 9", "9"),
    ],
)
def test_the_number_that_words_point_at_answers(body, value):
    """Figures or words, within a sentence; what was so before is not what was asked."""
    assert reading(body, WIDE).value == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        *(("two and a half", "2.5"), ("uno y medio", "1.5"), ("7.5", "7.5"), ("7,5", "7.5")),
        *(("0.5", "0.5"), ("9.50", "9.5"), ("6.5/10", "6.5"), ("6.5 out of 10", "6.5")),
        *(("siete y medio de diez", "7.5"), ("im at a 6.5 today, long shift", "6.5")),
    ],
)
def test_a_half_answers_a_scale_that_it_lies_on(body, value):
    """It is recorded as it was meant: neither rounded nor asked about again."""
    found = reading(body, WIDE)
    assert (found.intent, found.value, found.prompt_id) == (Intent.score, value, WIDE)


@pytest.mark.parametrize("body", ["6 or 6.5", "6.5 y 8", "6.5 mg", "6.5 hours of sleep"])
def test_a_half_beside_another_number_or_a_unit_is_no_answer(body):
    """As with whole numbers."""
    assert reading(body, WIDE).number is None


@pytest.mark.parametrize(
    "body",
    [
        *("see you at 3", "8 am", "8:30", "8 a.m.", "3 pills", "2 kids sick", "7 days", "5mg"),
        *("call 212-555-0100", "12/1", "on the 5th", "988", "$5", "50%", "2125550100"),
    ],
)
def test_other_numbers_are_no_scores(body):
    """Times, dates, amounts and phone numbers answer no scale."""
    assert reading(body, WIDE).intent not in {Intent.score, Intent.score_out_of_range}


def test_a_leading_number_with_words_counts_and_is_read_by_a_person():
    """Neither the number nor the words are lost."""
    found = reading("8 having a really rough day", WIDE)
    assert (found.intent, found.value, found.prompt_id) == (Intent.score, "8", WIDE)
    assert (found.also, found.hint) == ((Intent.unclear,), Hint.more_words)
    assert found.severity is Severity.next_business_day


def test_a_bare_number_without_a_question_is_kept_unbound():
    """A late answer goes to a person with its value."""
    found = reading("8")
    assert (found.intent, found.value, found.prompt_id) == (Intent.score, "8", None)


@pytest.mark.parametrize(
    ("body", "contexts", "prompt_id", "ambiguous"),
    [
        ("5", ("craving_scale", "scale:0-7"), None, True),
        ("9", ("craving_scale", "scale:0-7"), "craving_scale", False),
        ("12", ("craving_scale", "scale:0-7"), None, True),
        ("2", ("side_effect_check",), "side_effect_check", False),
        ("5", ("craving_scale", "appointment_reminder", "yes_no"), "craving_scale", False),
        ("5", ("yes_no",), None, False),
    ],
)
def test_a_number_binds_to_the_one_question_it_fits(body, contexts, prompt_id, ambiguous):
    """Two that fit mean that somebody asks."""
    found = reading(body, *contexts)
    assert (found.prompt_id, found.ambiguous, found.value) == (prompt_id, ambiguous, body)


@given(low=st.integers(0, 5), size=st.integers(1, 60), number=st.integers(0, 999))
def test_in_range_and_out_of_range_divide_all_integers(low, size, number):
    """For any scale a clinic may set."""
    high = low + size
    found = read(str(number), prompts=[prompt(f"scale:{low}-{high}")])
    inside = low <= number <= high
    expected = Intent.score if inside else Intent.score_out_of_range
    if number in {911, 988}:
        assert found.intent is not Intent.score
    else:
        assert (found.intent, found.value) == (expected, str(number))


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        ("10 I want to die", Intent.crisis),
        ("2 feeling dizzy", Intent.side_effect),
        ("3 chest pain", Intent.medical_emergency),
    ],
)
def test_graver_words_outrank_a_number_and_lose_none(body, intent):
    """The check-in is answered as well."""
    found = reading(body, WIDE)
    assert (found.intent, found.also, found.prompt_id) == (intent, (Intent.score,), WIDE)
    assert found.number == body.split()[0]


def test_zero_means_zero_on_the_evening_check():
    """0-3 is the range of the side-effect check."""
    assert reading("0", "side_effect_check").value == "0"
    assert reading("4", "side_effect_check").intent is Intent.score_out_of_range


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("yesterday 8 today 5", "5"),
        ("was a 9 yesterday but today its down to 4", "4"),
        ("ayer 8 hoy 5", "5"),
        ("hoy 5, ayer fue 8", "5"),
    ],
)
def test_of_two_numbers_the_one_of_today_counts(body, value):
    """The word of time that stands nearest says which day a number is about."""
    found = reading(body, WIDE)
    assert (found.intent, found.value) == (Intent.score, value)


@pytest.mark.parametrize("body", ["is 10 good or bad?", "what is a 3?", "is 7 high?"])
def test_a_number_that_is_asked_about_is_no_answer(body):
    """The question goes to a person, and nothing is recorded."""
    found = reading(body, WIDE)
    assert (found.intent, found.number) == (Intent.question_for_staff, None)


@pytest.mark.parametrize("body", ["5 stop", "5. stop please", "3. and stop w the robot texts"])
def test_a_stop_after_a_number_stops(body):
    """And the number is kept for a person to see."""
    found = reading(body, WIDE)
    assert (found.intent, found.opt_out) == (Intent.stop, True)


@pytest.mark.parametrize(
    ("body", "intent", "value"),
    [
        ("menos 2", "score_out_of_range", "-2"),
        ("negative 5", "score_out_of_range", "-5"),
        ("minus 3 haha", "score_out_of_range", "-3"),
        ("mas o menos 4", "score", "4"),
    ],
)
def test_a_number_below_nothing_is_kept_with_its_sign(body, intent, value):
    """ "Minus two" is no two; "more or less four" is four."""
    found = reading(body, WIDE)
    assert (found.intent, found.value) == (intent, value)


@pytest.mark.parametrize(
    "body",
    [
        *("5 cigarettes", "smoked 5", "had 5 today", "about 5 cigs", "five smokes"),
        *("me fume 5", "cinco cigarros", "hoy 5 puchos"),
    ],
)
def test_how_many_were_smoked_is_an_answer_and_no_lapse(body):
    """Where that was asked; the protocol says what a number asks for."""
    found = reading(body, "scale:0-60")
    assert (found.intent, found.value, found.also, found.severity) == (Intent.score, "5", (), None)


@pytest.mark.parametrize("body", ["smoked 5", "me fume 5"])
def test_unasked_the_same_words_tell_of_a_lapse(body):
    """And beside a question about something else."""
    assert reading(body).intent is Intent.use_disclosed
    assert reading(body, WIDE).intent is Intent.use_disclosed


@pytest.mark.parametrize("body", ["smoked 4 and took 30 pills", "3, i want to die"])
def test_danger_beside_a_count_pages(body):
    """A count that is all a text says answers; any more is read as ever."""
    assert reading(body, "scale:0-60").severity is Severity.page_now


@pytest.mark.parametrize(
    ("body", "context"),
    [
        *(("none", WIDE), ("No cravings today", WIDE), ("nada", WIDE), ("cero ganas", WIDE)),
        *(("no urges", WIDE), ("sin antojos hoy", WIDE)),
        *(("no cigs today", "scale:0-60"), ("no fume hoy", "scale:0-60")),
    ],
)
def test_none_at_all_is_the_zero_of_its_question(body, context):
    """The question itself calls its 0 so, and nobody is told of a lapse."""
    found = reading(body, context)
    assert (found.intent, found.value, found.also) == (Intent.score, "0", ())


@pytest.mark.parametrize("body", ["no", "none", "nada"])
def test_none_answers_no_scale_beside_another_question(body):
    """It may be a no to that one."""
    assert reading(body, WIDE, "yes_no").value is None


@pytest.mark.parametrize(
    "body", ["easy one today", "a rough one", "no one", "cada uno", "that one"]
)
def test_one_that_stands_for_something_is_no_number(body):
    """Whatever was asked."""
    assert reading(body, WIDE).intent is not Intent.score


def test_a_pronoun_beside_a_number_takes_nothing_from_it():
    """ "One" was a second number, and the answer was lost."""
    found = reading("8. rough one. called my sponsor already", WIDE)
    assert (found.intent, found.value) == (Intent.score, "8")


@pytest.mark.parametrize(
    ("body", "value"), [("a hundred", "100"), ("a million", "1000000"), ("cien", "100")]
)
def test_a_number_far_beyond_the_scale_is_kept(body, value):
    """It is asked again, and a person reads it; after a dose it says how well somebody is."""
    found = reading(body, WIDE)
    assert (found.intent, found.value) == (Intent.score_out_of_range, value)
    assert reading(body, "side_effect_check").intent is not Intent.score_out_of_range


@pytest.mark.parametrize(
    ("body", "context"),
    [
        *(
            ("2 packs a day", "scale:0-60"),
            ("smoked at 4pm", "scale:0-60"),
            ("day 3", "scale:0-60"),
        ),
        *(("he hit 4 times", "scale:0-60"), ("no cravings today", "scale:0-60")),
        *(("no cigarettes today", WIDE), ("sin ganas de nada", WIDE), ("bad sx today", WIDE)),
    ],
)
def test_other_units_and_other_questions_are_no_count(body, context):
    """A pack is twenty, a craving is no cigarette, and joy in nothing is no craving of 0."""
    assert reading(body, context).intent is not Intent.score


@pytest.mark.parametrize(
    ("body", "value"),
    [("one day", "1"), ("just the one", "1"), ("uno de 7", "1"), ("ninguno", "0")],
)
def test_words_for_one_still_count_days(body, value):
    """What stands for something elsewhere is the answer there."""
    assert reading(body, "scale:0-7").value == value


@pytest.mark.parametrize(
    ("body", "value"), [("sixish", "6"), ("like a sevenish", "7"), ("6ish", "6")]
)
def test_a_number_that_is_only_about_right_is_one(body, value):
    """So people say a number that they do not swear to."""
    found = reading(body, "craving_scale")
    assert (found.intent, found.value) == (Intent.score, value)


@pytest.mark.parametrize("hour", ["8pm", "8am", "11pm"])
def test_an_hour_is_no_pulse(hour):
    """An 8 may stand for a b, and 8pm is no bpm."""
    assert hour in hear(f"at {hour}", (), lexicon()).spoken.words


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("was an 8 this morning down to a 4 now", "4"),
        ("9 yesterday, 4 today", "4"),
        ("im at a three, was a five this morning", "3"),
    ],
)
def test_of_several_numbers_and_nothing_else_the_one_of_now_answers(body, value):
    """A person reads it as well."""
    found = reading(body, WIDE)
    assert (found.intent, found.value) == (Intent.score, value)
    assert found.severity is Severity.next_business_day


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("3, no, wait, 4. yes, 4", "3"),
        ("8 no hold on 3", "8"),
        ("3, no, esperate, 4. si, 4", "3"),
        ("8, wait u asked about cravings not pain? cravings is 2. pain is 8", "8"),
        ("ocho ayer, cuatro hoy, dos manana", "8"),
    ],
)
def test_a_number_that_is_taken_back_or_over_is_not_recorded(body, wrong):
    """Whoever is in doubt is asked."""
    assert reading(body, WIDE).number != wrong


@pytest.mark.parametrize(
    ("body", "value"),
    [("6\u00bd", "6.5"), ("3 1/2", "3.5"), ("tres y 1/2", "3.5"), ("seis coma cinco", "6.5")],
)
def test_a_half_is_part_of_its_number(body, value):
    """Neither the whole number nor the 1 of the half is recorded."""
    found = reading(body, WIDE)
    assert (found.intent, found.value) == (Intent.score, value)


@pytest.mark.parametrize(("body", "value"), [("cero coma cero", "0"), ("tres coma cero", "3")])
def test_nothing_behind_the_point_is_the_number_itself(body, value):
    """No more is said by it."""
    assert reading(body, WIDE).value == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("a dozen", "12"),
        ("half a dozen", "6"),
        ("una docena", "12"),
    ],
)
def test_a_dozen_is_a_count(body, value):
    """Where something is counted; a craving is no dozen."""
    assert reading(body, "scale:0-60").value == value
    assert reading(body, WIDE).number != value or value == "6"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        *(("a pack", "20"), ("1 pack", "20"), ("about half a pack", "10"), ("2 packs today", "40")),
        *(("pack and a half", "30"), ("smoked a pack n a half", "30"), ("una cajetilla", "20")),
        *(("media cajetilla", "10"), ("dos cajetillas", "40"), ("docena y media", "18")),
    ],
)
def test_a_pack_is_twenty_where_cigarettes_are_counted(body, value):
    """Of a text that says nothing else; a craving is no pack."""
    found = reading(body, "scale:0-60")
    assert (found.intent, found.value) == (Intent.score, value)
    assert reading(body, WIDE).number != value


@pytest.mark.parametrize(
    "body",
    [
        *("a couple packs maybe", "una cajetilla y pico", "just shy of a pack", "not a pack"),
        *("un tercio de cajetilla", "pack plus 5", "more than a pack", "2 packs a day to 5 cigs"),
    ],
)
def test_a_part_of_a_pack_that_nobody_counted_is_asked_about(body):
    """Nor is one counted that is denied, or told of beside another number."""
    assert reading(body, "scale:0-60").number is None


@pytest.mark.parametrize(
    ("body", "value"),
    [
        *(("two i meant 1", "1"), ("9 meant to hit 6, fat thumbs", "6"), ("99 jk 9", "9")),
        *(("1000 lol jk 3", "3"), ("15 jk like a 2", "2"), ("4, perdon, era 7", "7")),
        *(("perd\u00f3n, quise poner 3 no 8", "3"), ("meant 3 not 8", "3")),
        *(("4 no wait sorry fat thumbs, 7", "7"), ("el cuatro, digo el cinco", "5")),
        *(("cuatro, digo, cinco", "5"), ("bajo de 7 a 4", "4"), ("dropped from an 8 to a 3", "3")),
    ],
)
def test_words_that_set_a_number_right_tell_which_is_meant(body, value):
    """Slips may be told beside them: thumbs, and laughter."""
    found = reading(body, WIDE)
    assert (found.intent, found.value, found.hint) == (Intent.score, value, None)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        *(("4 no wait idk 7 or something", "7"), ("7 no 6", "6")),
        *(("from 0 to 10 its hard to say", "10"), ("6.5 lol 7", "6"), ("2 jaja 5", "5")),
    ],
)
def test_no_number_sets_another_right_without_such_words(body, wrong):
    """Laughter and thumbs alone say nothing of which."""
    assert reading(body, WIDE).number != wrong


@pytest.mark.parametrize("body", ["4 stars", "four stars", "cuatro estrellas"])
def test_stars_are_given_where_a_scale_ends_at_five(body):
    """Elsewhere they are stars."""
    assert reading(body, "scale:1-5").value == "4"
    assert reading(body, WIDE).number is None


@pytest.mark.parametrize("body", ["\U0001f389 90 d\u00edas \U0001f389", "3 pills", "20 minutes"])
def test_an_amount_that_nobody_asked_for_is_no_score(body):
    """With no question open a bare number alone is one."""
    assert reading(body).number is None


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("Three and three quarters, to be precise", "3.75"),
        ("cinco y un cuarto", "5.25"),
        ("six and a quarter", "6.25"),
    ],
)
def test_quarters_belong_to_their_number(body, number):
    """None is rounded to a whole one."""
    found = reading(body, WIDE)
    assert (found.intent, found.number) == (Intent.score, number)


@pytest.mark.parametrize("body", ["7 no 6", "id say 6... 7... no 6", "it was 6 no 7", "1 no 2"])
def test_a_no_between_two_numbers_is_asked_about(body):
    """To some it takes back the first, to others it denies the second."""
    assert reading(body, WIDE).number is None


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("ask me again when im home sept 3", None),
        ("4. home on sept 3rd", "4"),
        ("un 6 y vuelvo el 3 de enero", "6"),
        ("el 5 de mayo", None),
    ],
)
def test_the_day_of_a_month_is_no_answer(body, number):
    """It says when somebody is back."""
    assert reading(body, WIDE).number == number
