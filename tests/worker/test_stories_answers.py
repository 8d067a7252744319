"""Stories of what people answer in the words of our own texts, and whom that needs."""

import pytest

from records.patients import OptOut
from tests.support.world import World
from tests.worker.desk import Desk
from tests.worker.talk import Talk
from worker.steps import staff_texts


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    return made


def _joined(desk: Desk, reason: str) -> tuple[str, int]:
    item = desk.item(reason)
    return item.severity, item.times_joined


@pytest.mark.parametrize(
    "words",
    ["yes", "Yeah", "maybe", "no one answers", "they put me on hold", "i cant call", "sí", "alone"],
)
def test_who_says_that_the_danger_goes_on_is_paged_about_again(desk: Desk, words: str) -> None:
    """ "In danger now?" went out; "on hold" paused check-ins, and a yes was one to health news."""
    desk.imports("2026-12-02T10:00")
    desk.goes_on(minutes=1)
    assert desk.read() == ["visit_48h"]
    desk.says("i want to die")
    desk.world.advance(minutes=2)
    row = desk.says(words)
    assert _joined(desk, "crisis") == ("page_now", 1)
    assert (row.intent, row.urgent) == ("crisis", True)
    # Answered less than 15 min ago, it is answered once; and no question about a visit by it.
    assert desk.answers == ["crisis_reply_noalert"]
    assert desk.check_ins("visit_48h") == [("open", None)]


def test_who_is_still_in_danger_after_a_while_is_answered_again(desk: Desk) -> None:
    """Care rule 10: after 15 min."""
    desk.says("i want to die")
    desk.world.advance(minutes=20)
    desk.says("yes")
    assert desk.answers == ["crisis_reply_noalert"] * 2


@pytest.mark.parametrize(
    ("words", "minutes"), [("im ok", 2), ("sorry that was a joke", 2), ("no", 2), ("yes", 90)]
)
def test_who_is_in_no_danger_or_answers_much_later_is_not_paged_about_again(
    desk: Desk, words: str, minutes: int
) -> None:
    """It joins the item: whoever has that reads it there."""
    desk.says("i want to die")
    paged = desk.world.execute("SELECT climbs_at, joined_at FROM follow_up")
    desk.world.advance(minutes=minutes)
    desk.says(words)
    assert _joined(desk, "crisis") == ("page_now", 1)
    assert desk.world.execute("SELECT climbs_at, joined_at FROM follow_up") == paged


def test_a_yes_to_a_question_that_was_asked_since_answers_that(desk: Desk) -> None:
    """The health question of noon, five minutes after an answer to chest pain."""
    desk.imports("2026-12-02T12:00")
    desk.waits_until("2026-11-30 11:57")
    desk.says("chest pain and i cant breathe")
    desk.waits_until("2026-11-30 12:03")
    assert desk.read() == ["visit_48h"]
    desk.says("yes")
    assert _joined(desk, "medical_emergency") == ("page_now", 1)
    assert desk.world.execute("SELECT joined_at FROM follow_up WHERE severity = 'page_now'") == [
        (None,)
    ]
    assert "health_news" in desk.calls()


def test_a_yes_to_nothing_pages_nobody(desk: Desk) -> None:
    """No danger was answered before it."""
    desk.says("yes")
    desk.says("no one answers")
    assert set(desk.reasons) == {"unclear_reply", "callback"}


@pytest.mark.parametrize("words", ["wrong number", "oops wrong number", "i put the wrong number"])
def test_who_calls_a_number_wrong_that_they_just_gave_keeps_their_texts(
    world: World, words: str
) -> None:
    """All texts ended, and what went to the number counted as a breach; now somebody asks."""
    talk = Talk(world)
    talk.daily()
    talk.says("8")
    world.advance(minutes=2)
    talk.says(words)
    assert talk.rows(OptOut) == []
    assert talk.item("unclear_reply").severity == "call_today"
    world.advance(hours=2)
    talk.says("wrong number")
    assert [row.reason for row in talk.rows(OptOut)] == ["wrong_number"]


def test_a_stranger_who_is_asked_for_a_number_is_one(world: World) -> None:
    """Nobody gave a number before."""
    talk = Talk(world)
    talk.daily()
    talk.says("wrong number")
    assert [row.reason for row in talk.rows(OptOut)] == ["wrong_number"]


@pytest.mark.parametrize("words", ["all good", "i don't think so", "nothing new", "no changes"])
def test_who_has_no_health_news_is_not_called(desk: Desk, words: str) -> None:
    """ "All good" opened health news, or confirmed the visit and left the question open."""
    desk.imports("2026-12-10T14:00")
    desk.waits_until("2026-12-08 15:00")
    assert desk.read() == ["visit_7d", "visit_48h"]
    desk.says(words)
    assert desk.check_ins("visit_48h") == [("answered", None)]
    assert desk.reasons == []
    desk.waits_until("2026-12-09 13:00")
    assert desk.reasons == []


def test_who_repeats_what_to_eat_still_gets_the_other_texts(desk: Desk) -> None:
    """ "No food" held the visit, so that nobody was asked about the way home."""
    desk.imports("2026-12-10T14:00")
    desk.waits_until("2026-12-09 14:05")
    desk.says("ok no food after 8")
    desk.waits_until("2026-12-10 12:05")
    assert desk.read()[-1] == "visit_2h_ride"
    assert "change_requested" not in desk.reasons


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        ("my husband", None),
        ("all set", None),
        ("uber", "unclear_reply"),
        ("i'll walk", "ride_missing"),
        ("i don't need one", "ride_missing"),
    ],
)
def test_the_way_home_in_a_few_words(desk: Desk, words: str, needs: str | None) -> None:
    """While the health question of two days ago and the visit are still open."""
    desk.imports("2026-12-10T14:00")
    desk.waits_until("2026-12-10 12:05")
    desk.world.execute("UPDATE follow_up SET status = 'resolved'")
    desk.says(words)
    desk.goes_on(minutes=1)
    assert desk.calls() == ([needs] if needs else [])
    assert desk.check_ins("visit_2h_ride") == [("answered", None)]
    if needs:
        assert desk.call_by(needs) <= "Thu 10 14:00"


@pytest.mark.parametrize("words", ["cant join", "the link doesn't work", "what time again?"])
def test_what_is_asked_before_a_visit_is_due_before_it(desk: Desk, words: str) -> None:
    """It held the visit, or was to be read the next day."""
    desk.imports("2026-12-02T14:00", kind="integration")
    desk.waits_until("2026-12-02 13:30")
    desk.says(words)
    assert desk.call_by("question") == "Wed 02 14:00"
    assert desk.visit().change_requested_at is None


def test_what_is_asked_long_before_a_visit_is_due_as_ever(desk: Desk) -> None:
    """The next working day."""
    desk.imports("2026-12-10T14:00")
    desk.waits_until("2026-12-03 10:05")
    desk.says("what time again?")
    assert desk.call_by("question").startswith("Fri 04")


@pytest.mark.parametrize("words", ["yes please", "that works", "no", "what time?"])
def test_an_answer_to_staff_is_read_the_same_day(world: World, words: str) -> None:
    """ "We have an earlier time tomorrow": the yes was to be read by the end of the next day."""
    talk = Talk(world)
    [patient] = talk.someone()
    staff_texts.write(world.services, patient, "We have an earlier time tomorrow", actor="test")
    world.send()
    talk.delivered()
    world.advance(minutes=5)
    talk.says(words)
    assert talk.item("conversation").severity == "call_today"


@pytest.mark.parametrize("words", ["ok", "thank you"])
def test_thanks_to_staff_need_nobody(world: World, words: str) -> None:
    """Whoever has the conversation ends it."""
    talk = Talk(world)
    [patient] = talk.someone()
    staff_texts.write(world.services, patient, "See you at 10 then", actor="test")
    world.send()
    talk.delivered()
    talk.says(words)
    assert talk.item("conversation").severity == "next_business_day"


def test_danger_told_to_staff_pages(world: World) -> None:
    """As ever."""
    talk = Talk(world)
    [patient] = talk.someone()
    staff_texts.write(world.services, patient, "How is it going?", actor="test")
    world.send()
    talk.delivered()
    talk.says("i dont want to live")
    assert talk.item("crisis").severity == "page_now"


def _asked_of_health(desk: Desk) -> None:
    desk.imports("2026-12-02T10:00")
    desk.goes_on(minutes=1)
    assert desk.read() == ["visit_48h"]


def test_a_yes_or_no_is_asked_for_once_more_and_the_words_are_read(desk: Desk) -> None:
    """They answer neither; whoever writes a plain Y or N then has answered."""
    _asked_of_health(desk)
    desk.says("the blue one on the shelf")
    assert desk.answers == ["reask_yes_no"]
    assert desk.calls() == ["unclear_reply"]
    desk.says("banana bread")
    assert desk.answers == ["reask_yes_no"]
    assert desk.item("unclear_reply").times_joined == 1
    desk.says("N")
    assert desk.check_ins("visit_48h") == [("answered", None)]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        *(("i want to die", "crisis_reply"), ("call me", "callback_ack"), ("who is this", None)),
        *(("what time is it?", None), ("im not sure", None), ("STOP", None), ("thanks", None)),
        ("i feel sick and dizzy", "high_score_ack"),
    ],
)
def test_nobody_is_asked_again_who_says_something(
    desk: Desk, words: str, answer: str | None
) -> None:
    """Danger, a stop, a question, a wish for a call, a symptom, and what a person reads today."""
    _asked_of_health(desk)
    desk.says(words)
    assert "reask_yes_no" not in desk.answers
    assert answer is None or any(each.startswith(answer) for each in desk.answers)


def test_silence_after_the_second_asking_is_called_about_before_the_visit(desk: Desk) -> None:
    """As any silence is: the words that nobody understood are no answer."""
    _asked_of_health(desk)
    desk.says("the blue one on the shelf")
    desk.waits_until("2026-12-01 12:00")
    assert {"no_answer", "unclear_reply"} <= set(desk.calls())


def test_an_older_question_is_not_asked_again_where_another_was_asked_since(world: World) -> None:
    """Nobody knows which of the two the words are about."""
    desk = Desk(world)
    desk.admits()
    desk.has_imported_before()
    desk.imports("2026-12-02T10:00")
    desk.goes_on(minutes=1)
    desk.waits_until("2026-12-01 12:00")
    assert desk.read()[-1] != "visit_48h"
    desk.says("the blue one on the shelf")
    assert "reask_yes_no" not in desk.answers
