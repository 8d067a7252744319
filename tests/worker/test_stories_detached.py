"""Stories of care rule 12, and of an R after a move: what a text means beside what was asked."""

import pytest

from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.desk import Desk, at


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient whose dose ended on Wednesday at ten."""
    made = Desk(world)
    made.admits()
    made.imports("2026-12-02T08:00")
    made.waits_until("2026-12-02 10:00")
    made.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    return made


def _item(desk: Desk) -> tuple[str, str]:
    [row] = desk.world.execute(
        "SELECT severity, due_at FROM follow_up WHERE reason = 'side_effect'"
    )
    return row.severity, row.due_at


def test_rule_12_detached_soon_after_a_dose_is_rechecked_within_the_hour(desk: Desk) -> None:
    """Expected for six hours: logged, and a person looks again at one."""
    desk.waits_until("2026-12-02 12:00")
    desk.says("still feeling detached")
    assert _item(desk) == ("call_today", at("2026-12-02 13:00"))


def test_rule_12_the_recheck_of_the_night_pages_when_its_hour_is_over(world: World) -> None:
    """A call of today would ring nobody before the morning."""
    made = Desk(world)
    made.admits()
    made.imports("2026-12-02T18:00")
    made.waits_until("2026-12-02 22:00")
    made.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    made.waits_until("2026-12-03 02:00")
    made.says("still feeling detached")
    assert _item(made) == ("page_now", at("2026-12-03 03:00"))
    [row] = world.execute("SELECT climbs_at FROM follow_up WHERE reason = 'side_effect'")
    assert row.climbs_at == at("2026-12-03 03:00")


@pytest.mark.parametrize(
    "words",
    ["i feel detached and im alone", "nothing feels real, i'm scared", "detached and confused"],
)
def test_rule_12_alone_frightened_or_confused_is_paged(desk: Desk, words: str) -> None:
    """At any hour after the dose."""
    desk.waits_until("2026-12-02 11:00")
    desk.says(words)
    assert _item(desk)[0] == "page_now"


@pytest.mark.parametrize(
    ("when", "answer"), [("17:30", "unwell_closed"), ("12:00", "high_score_ack")]
)
def test_rule_12_whoever_is_alone_is_answered_that_and_not_asked_for_a_number(
    desk: Desk, when: str, answer: str
) -> None:
    """Nor does a second item ask what the text meant, whether a question waits for a number."""
    desk.world.execute(
        'UPDATE clinic SET settings = settings || \'{"after_hours": "none", "on_call": []}\''
    )
    desk.waits_until(f"2026-12-02 {when}")
    asked = [text for text in desk.texts("after_evening") if text.attempts]
    assert bool(asked) == (when == "17:30")
    said = desk.says("detached and im alone")
    answers = desk.world.execute("SELECT template FROM message WHERE inbound_id = :id", id=said.id)
    assert [row.template for row in answers] == [answer]
    assert _item(desk)[0] == "page_now"
    assert desk.world.execute("SELECT 1 FROM follow_up WHERE reason = 'unclear_reply'") == []


def test_rule_12_after_six_hours_it_is_what_the_words_say(desk: Desk) -> None:
    """Not real, seven hours on: the reading pages, and nothing softens it."""
    desk.waits_until("2026-12-02 17:00")
    desk.says("nothing feels real")
    assert _item(desk)[0] == "page_now"


def test_rule_1_an_r_after_a_move_is_about_the_new_time(world: World) -> None:
    """Two questions about the old time stand unanswered; the one about the new time is meant."""
    desk = Desk(world)
    desk.admits()
    desk.has_imported_before()
    desk.imports("2026-12-10T10:00")
    desk.waits_until("2026-12-03 10:00")
    desk.imports("2026-12-14T10:00")
    desk.says("C")
    row = desk.says("R")
    [asked] = [text for text in desk.texts("visit_moved") if text.attempts]
    assert row.prompt_message_id == asked.id
    desk.goes_on()
    assert desk.visit().change_requested_at is not None
