"""The same words in everyday talk and in danger: the one wakes nobody, the other pages."""

import pytest

from messages.replies import Intent, Severity
from tests.messages.reply_cases import reading


@pytest.mark.parametrize(
    ("everyday", "danger"),
    [
        ("my cat had a seizure, vet has her", "my kid had a seizure"),
        ("mi perrita convulsionó anoche", "mi perro me despertó, convulsioné"),
        ("el perro se desmayó de gordo", "mi mamá se desmayó"),
        ("cant breathe thru my nose lol just a head cold", "cant breathe thru my nose or mouth"),
        ("I didn't fall or pass out or anything", "I fell and passed out"),
        ("puking is over, no blood or anything", "puking, theres blood, no joke"),
        ("my neighbor had a stroke last week", "my neighbor had a stroke last minute"),
        ("pulse gets to like 150 on the treadmill", "pulse gets to like 150 in bed"),
        ("media cara dormida pero es del dentista", "media cara dormida de repente"),
        ("me ahogo en deudas, hay plan de pagos?", "me ahogo"),
        ("tiene tos pero no es para ambulancia", "ambulancia ya"),
        ("mi papá murió de infarto a los 50", "mi papá tiene un infarto"),
        ("tell nurse jo she stabbed me like a pro", "she stabbed me"),
        ("i had seizures in 2016", "i had seizures today"),
    ],
)
def test_bodies_at_the_vet_the_dentist_and_the_gym_are_in_no_danger(everyday, danger):
    """An animal, a cold, what is over and what did not happen."""
    assert reading(everyday).severity is not Severity.page_now
    assert reading(danger).severity is Severity.page_now


@pytest.mark.parametrize(
    ("everyday", "danger"),
    [
        ("did the class at church, got to narcan a dummy", "had to narcan my brother"),
        ("le puse narcan a un muñeco en el curso", "le puse narcan a mi hermano"),
        ("hice el taller de sobredosis en la iglesia", "creo que es sobredosis"),
        ("qué hago si un día alguien tiene una sobredosis", "mi primo tiene una sobredosis"),
        ("el brazo donde me picaron quedó moradito", "quedó moradito y no responde"),
    ],
)
def test_a_course_of_first_aid_is_no_overdose(everyday, danger):
    """Who learns what to do has nobody before them to do it for."""
    assert reading(everyday).severity is not Severity.page_now
    assert reading(danger).severity is Severity.page_now


@pytest.mark.parametrize(
    ("everyday", "danger"),
    [
        ("wife just hit me with the dad joke of the year", "wife just hit me with the frying pan"),
        ("he beat me again... at dominoes", "he beat me again"),
        ("had a nightmare my brother was choking me", "my brother was choking me last night"),
        ("my husband locked me in the escape room lol", "my husband locked me in the closet"),
        ("me pegó duro lo del divorcio", "me pegó duro anoche mi marido"),
        ("me asaltaron con el precio de los aguacates", "me asaltaron en la calle"),
        ("me dejó el ojo morado la pelota de beis", "me dejó el ojo morado otra vez"),
        ("ya casi me toca", "me toca cuando duermo"),
        ("si no llega mi primo lo mato jaja", "si llega mi primo lo mato hoy"),
        ("jury duty on a homicide", "im feeling homicidal"),
    ],
)
def test_what_nobody_did_to_anybody_wakes_nobody(everyday, danger):
    """A joke, a game, a price, a dream, and one's turn in a line."""
    assert reading(everyday).severity is not Severity.page_now
    assert reading(danger).severity is Severity.page_now


@pytest.mark.parametrize(
    ("everyday", "danger"),
    [
        ("call the landline, this ones about dead", "im about dead and i want it"),
        ("dont trust myself w/ my check", "dont trust myself tonight"),
        ("C see u on the other side of the weekend", "see u on the other side mom"),
        ("carta de despedida al alcohol, la llevo el lunes?", "ya escribí la carta de despedida"),
        ("mi jefe nos trae con la soga al cuello", "ya tengo la soga al cuello"),
        ("toy atascao en el puente", "estoy en el puente"),
        ("me mató la nostalgia ver las fotos", "me mato esta noche"),
        ("me quemé tantito con el comal", "me quemé con el cigarro a propósito"),
        ("burned my arm on the oven rack", "burned my arm on purpose"),
        ("ya no voy a necesitar los textos, gracias", "ya no voy a necesitar nada"),
    ],
)
def test_words_of_an_end_that_mean_none_wake_nobody(everyday, danger):
    """What stands beside them says what they mean."""
    assert reading(everyday).severity is not Severity.page_now
    assert reading(danger).severity is Severity.page_now


@pytest.mark.parametrize(
    ("over", "now"),
    [
        ("i tried to end it in 2009, i tell it at meetings now", "i tried to end it tonight"),
        ("ten years ago i tried to end it all. 90 days today", "i tried to end it all today"),
        ("tried to hang myself at 19. im 44 now w two kids", "tried to hang myself at 9"),
        ("ten years back i overdosed in a bathroom", "i overdosed in the bathroom"),
        ("my ex used to beat me, he's in Oregon", "my ex beat me, hes still here"),
        ("mi ex me golpeaba. eso fue en 2011", "mi ex me golpeó anoche"),
        ("hace diez años intenté quitarme la vida", "anoche intenté quitarme la vida"),
        (
            "mi carnal se quitó la vida hace un año hoy",
            "mi carnal se quitó la vida, acabo de verlo",
        ),
        ("i tried to end it in 2009", "i tried to end it in 2009 and im doing it again tonight"),
    ],
)
def test_what_was_long_ago_is_read_today_and_pages_nobody(over, now):
    """Somebody still reads it: who tells of it may be telling why now."""
    assert reading(over).severity is Severity.call_today
    assert reading(now).severity is Severity.page_now


@pytest.mark.parametrize(
    "body",
    [
        "6, walking on eggshells wont cut it no more he broke my finger",
        "do i put him in the tub or not hes purple round the ears",
    ],
)
def test_what_ends_a_sentence_denies_nothing_behind_it(body):
    """ "No more" and "or not" end one where somebody is named next."""
    assert reading(body, "craving_scale").severity is Severity.page_now
    assert reading("no more he said no more thoughts of killing myself").severity is not None


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        ("my husband found the texts and hit me for it", Intent.crisis),
        ("yes ill be there if I havent offed myself by then", Intent.crisis),
        ("its not that i wanna die. more like id delete the whole save file", Intent.crisis),
        ("watching Frozen real loud so they don't hear him raping me again", Intent.crisis),
        ("late. water broke in the uber", Intent.medical_emergency),
        ("car wreck on way to you. driver not moving", Intent.medical_emergency),
        ("no agarro aire, me silba el pecho", Intent.medical_emergency),
        ("vomité dos veces, era como asiento de café", Intent.medical_emergency),
        ("los dolores cada 4 minutos con siete meses ya son?", Intent.medical_emergency),
        ("ando bien lento, llevo como 12 de las azules con cerveza", Intent.overdose),
        ("ya ni para que sigo, estarían mejor", Intent.crisis),
    ],
)
def test_danger_that_holds_its_own_no_or_no_word_for_it_pages(body, intent):
    """ "No agarro aire" denies nothing, and twelve of the blue ones are pills."""
    found = reading(body)
    assert (found.severity, found.intent) == (Severity.page_now, intent)


@pytest.mark.parametrize(
    ("over", "back"),
    [
        ("i tried to end it in 2009", "i tried to end it in 2009, thinking about it again"),
        ("i tried to end it in 2009", "i tried to end it in 2009. tonight i finish it"),
        ("hace diez años intenté matarme", "hace diez años intenté matarme y otra vez ando igual"),
        ("hace diez años intenté matarme", "hace diez años intenté matarme, sigo pensando en eso"),
        ("ten years ago i overdosed", "ten years ago i overdosed. last night too"),
        ("my ex used to beat me", "my ex used to beat me and he got out of jail"),
        ("my ex used to beat me", "my ex used to beat me. he showed up at my door"),
        ("mi ex me golpeaba en 2011", "mi ex me golpeaba en 2011 y ya salió, anda afuera"),
        ("my dog had a seizure", "my dog had a seizure and so did i"),
        ("mi perro convulsionó", "mi perro convulsionó y yo también"),
    ],
)
def test_what_is_over_pages_once_it_is_back(over: str, back: str) -> None:
    """What was, or was another's, a person reads at most the same day."""
    assert reading(over).severity is not Severity.page_now
    assert reading(back).severity is Severity.page_now
