"""Stories of few words, in Spanish: what people answer to the very words of our texts."""

import pytest

from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.desk import Desk
from tests.worker.talk import Talk


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient who is texted in Spanish, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits(language="es")
    return made


def _answers(desk: Talk, item: str) -> list[tuple[str, str | None, int | None]]:
    rows = desk.world.execute(
        "SELECT status, value_text, value FROM check_in WHERE item = :item", item=item
    )
    return [
        (row.status, row.value_text, None if row.value is None else int(row.value)) for row in rows
    ]


def _is_held(desk: Desk) -> bool:
    return desk.visit().change_requested_at is not None


def test_whoever_answers_a_welcome_with_their_name_is_texted_on(desk: Desk) -> None:
    """It was taken for a wrong number: all texts ended, and a breach was to be assessed."""
    desk.imports("2026-12-04T10:00")
    desk.says("hola soy Maria")
    desk.waits_until("2026-12-02 11:00")
    assert "visit_48h" in desk.read()
    assert not {"wrong_number", "breach_assessment"} & set(desk.calls())


def test_whoever_refuses_a_welcome_is_texted_no_more(desk: Desk) -> None:
    """It went to a person the next day, and texts went on."""
    desk.imports("2026-12-04T10:00")
    desk.says("no acepto")
    desk.waits_until("2026-12-03 11:00")
    assert "visit_48h" not in desk.read()
    assert desk.answers == ["optout_confirm_words"]


@pytest.mark.parametrize(
    ("said", "item", "recorded", "called"),
    [
        ("todo bien", "visit_48h", "decline_reschedule", False),
        ("me cambiaron la medicina, si", "visit_48h", None, True),
    ],
)
def test_all_is_well_is_no_news_of_health(
    desk: Desk, said: str, item: str, recorded: str | None, called: bool
) -> None:
    """It was a yes to news, and called the same day."""
    desk.imports("2026-12-04T10:00")
    desk.waits_until("2026-12-02 11:00")
    desk.says(said)
    desk.waits_until("2026-12-03 10:00")
    answered = [(status, text) for status, text, _ in _answers(desk, item)]
    assert answered == [("answered", recorded)] if recorded else answered
    assert ({"health_news", "no_answer"} & set(desk.calls()) != set()) is called


@pytest.mark.parametrize(
    ("said", "held"),
    [
        *(("no he comido nada", False), ("solo agua", False), ("y cafe", False)),
        *(("no me abre el enlace", False), ("no tengo id", False), ("no puedo ir", True)),
    ],
)
def test_what_answers_the_food_text_and_gives_no_visit_up(
    desk: Desk, said: str, held: bool
) -> None:
    """Whoever had eaten nothing lost the reminder of the ride home."""
    desk.imports("2026-12-04T10:00")
    desk.waits_until("2026-12-02 11:00")
    desk.says("N")
    desk.waits_until("2026-12-03 11:00")
    desk.says(said)
    desk.goes_on(minutes=2)
    assert _is_held(desk) is held
    assert desk.visit().confirmed_start is None
    desk.waits_until("2026-12-04 08:05")
    assert bool({"visit_2h_ride", "visit_eve_ride"} & set(desk.read())) is not held


def test_not_after_all_takes_a_confirmation_back(desk: Desk) -> None:
    """ "Siempre no" is Mexico's way to say so; it reached somebody the next day."""
    desk.imports("2026-12-02T10:00")
    desk.waits_until("2026-12-01 11:00")
    desk.says("C")
    desk.says("siempre no")
    assert (_is_held(desk), desk.visit().confirmed_start) == (True, None)
    assert "change_requested" in desk.calls()


def test_after_all_answers_no_question_of_health(desk: Desk) -> None:
    """Whoever comes after all says so of the visit; what was given up staff decide."""
    desk.imports("2026-12-02T10:00")
    desk.waits_until("2026-12-01 11:00")
    desk.says("R")
    desk.says("siempre si voy")
    assert "change_requested" in desk.calls()
    assert "health_news" not in desk.calls()


@pytest.mark.parametrize(
    ("said", "recorded", "called"),
    [
        ("mi esposa", "confirm", False),
        ("me voy caminando", "decline_reschedule", True),
        ("en mi carro", "decline_reschedule", True),
    ],
)
def test_a_ride_home_is_told_by_who_drives(
    desk: Desk, said: str, recorded: str, called: bool
) -> None:
    """Whoever walked home, or took the own car, had a ride; a wife was none."""
    desk.imports("2026-12-03T14:00")
    desk.waits_until("2026-12-01 15:00")
    desk.says("N")
    desk.waits_until("2026-12-03 12:05")
    desk.says(said)
    desk.goes_on(minutes=2)
    assert _answers(desk, "visit_2h_ride") == [("answered", recorded, None)]
    assert ("ride_missing" in desk.calls()) is called


@pytest.mark.parametrize(
    ("said", "number", "called"),
    [
        ("gracias a dios bien", 0, False),
        ("bien, y usted?", 0, False),
        ("no manejo", None, False),
        ("estoy manejando", None, True),
        ("confundida", None, True),
    ],
)
def test_the_evening_after_a_dose(desk: Desk, said: str, number: int | None, called: bool) -> None:
    """Well is well in their words; who drives then, or is confused, is called."""
    desk.imports("2026-12-02T08:00")
    desk.waits_until("2026-12-02 10:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    desk.waits_until("2026-12-02 17:05")
    before = desk.reasons
    desk.says(said)
    desk.goes_on(minutes=2)
    assert [value for _, _, value in _answers(desk, "after_evening")] == [number]
    rows = desk.world.execute("SELECT severity FROM follow_up ORDER BY opened_at, id")
    assert [row.severity for row in rows][len(before) :] == (["call_today"] if called else [])


def test_the_worst_is_the_end_of_the_scale_and_pages(world: World) -> None:
    """The question itself calls its ten so; it was asked again, and a person read it tomorrow."""
    talk = Talk(world)
    talk.daily(language="es")
    talk.says("lo peor")
    assert _answers(talk, "daily_0_10") == [("answered", "score", 10)]
    assert talk.reasons == ["page_score"]


def test_whoever_wants_to_rest_after_a_nudge_is_looked_at_and_pages_nobody(world: World) -> None:
    """ "PAUSA si quiere descansar", answered in its words, was taken for a wish to die."""
    talk = Talk(world)
    talk.daily(language="es")
    world.advance(hours=2)
    world.plan()
    talk.send_due()
    talk.says("si quiero descansar")
    assert talk.answers == ["pause_ack"]
    assert {row.severity for row in talk.world.execute("SELECT severity FROM follow_up")} <= {
        "call_today",
        "next_business_day",
    }
    world.advance(minutes=1)
    talk.says("ya no quiero vivir")
    assert "crisis" in talk.reasons


@pytest.mark.parametrize("said", ["soy suicida", "me llevaron en ambulancia no respira"])
def test_a_word_that_english_knows_makes_no_text_english(world: World, said: str) -> None:
    """Care rule 23: whoever pleads in Spanish is answered in Spanish."""
    talk = Talk(world)
    talk.someone(language="es")
    talk.says(said)
    [answer] = talk.world.execute("SELECT language, kind FROM message")
    assert (answer.language, answer.kind) == ("es", "safety")
