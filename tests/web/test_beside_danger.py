"""Stories of texts that answer a question beside danger, from the webhook to what is read.

The rule stands in docs/understanding.md: danger is answered, by care rules 9, 11 and 12, and a
clear answer is kept beside it.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from records.appointments import Appointment
from records.followups import FollowUp
from records.outbox import Message
from tests.compliance.line import Line
from tests.stories.table import wording
from tests.support.world import World
from tests.web.served import served


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    """A patient was asked for today's number; it is five, and somebody is on call."""
    with World(database_url) as world, served(world.services) as client:
        made = Line(world, client)
        made.asks_daily()
        yield made


def _said_back(line: Line) -> str:
    """Return which text answered last, and in which language."""
    return wording(line.reads()[-1])


def _answer(line: Line) -> tuple[str, int | None]:
    check_in = line.check_in()
    return check_in.status, None if check_in.value is None else int(check_in.value)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("3 and I want to die", "crisis_reply_noalert"),
        ("3 me quiero morir", "crisis_reply_noalert [es]"),
        ("3 and i dont want to be here anymore", "crisis_reply_noalert"),
        ("3 y no quiero vivir", "crisis_reply_noalert [es]"),
        ("3, disconnected and scared", "high_score_ack"),
        ("3 and i feel detached and alone", "high_score_ack"),
        ("3 desconectada y sola", "high_score_ack [es]"),
        ("3, siento que estoy fuera de mi cuerpo y tengo miedo", "high_score_ack [es]"),
    ],
)
def test_danger_beside_a_number_is_answered_and_the_number_kept(
    line: Line, body: str, answer: str
) -> None:
    """In the language of the text, whoever wrote it; nothing asks for a number again."""
    line.says(body)

    assert _said_back(line) == answer
    assert line.answers == [answer.removesuffix(" [es]")]
    assert _answer(line) == ("answered", 3)
    [page] = [item for item in line.rows(FollowUp) if item.severity == "page_now"]
    assert page.reason in {"crisis", "side_effect"}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("7 i took too much", "overdose_reply_noalert"),
        ("2 cant breathe", "emergency_reply_noalert"),
    ],
)
def test_a_number_that_may_be_an_amount_is_for_a_person(line: Line, body: str, answer: str) -> None:
    """Seven may be pills, and two the hours it lasts: neither is a number on the scale."""
    line.says(body)

    assert _said_back(line) == answer
    assert _answer(line) == ("unclear", None)


def test_a_high_number_beside_alarm_calls_as_well(line: Line) -> None:
    """Somebody is paged for how they are, and what the number asks for is not lost."""
    line.says("8, disconnected and scared")

    assert sorted(line.reasons) == ["high_score", "side_effect"]
    assert line.item("side_effect").severity == "page_now"
    assert _answer(line) == ("answered", 8)


def test_the_answer_to_alarm_goes_ahead_of_all_else(line: Line) -> None:
    """It is a safety reply: first in the queue, with no gate, after a stop and on a hold."""
    line.says("stop")
    line.world.execute("UPDATE patient SET status = 'held', paused_until = :at", at=line.world.now)
    line.says("3 desconectada y sola")

    assert _said_back(line) == "high_score_ack [es]"
    [row] = [each for each in line.rows(Message) if each.template == "high_score_ack"]
    assert (row.kind, row.priority, row.status) == ("safety", 0, "accepted")


def test_alarm_is_answered_once_a_quarter_of_an_hour(line: Line) -> None:
    """Each text pages; the same answer goes again when the last is older (care rule 10)."""
    line.says("3, disconnected and scared")
    line.says("disconnected and so scared")
    assert len(line.answers) == 1
    line.world.advance(minutes=16)
    line.says("still floating, alone")

    assert line.answers == ["high_score_ack"] * 2


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("3, disconnected and scared", "unwell_closed"),
        ("3 desconectada y sola", "unwell_closed [es]"),
    ],
)
def test_nobody_is_promised_a_call_where_nobody_is_there(
    line: Line, body: str, answer: str
) -> None:
    """With nobody on call at night the answer says when to call 911 (care rule 11)."""
    line.world.execute(
        "UPDATE clinic SET version = version + 1,"
        ' settings = settings || \'{"after_hours": "none", "on_call": []}\''
    )
    line.world.advance(hours=2)
    line.says(body)

    assert _said_back(line) == answer
    assert _answer(line) == ("answered", 3)


def _asked(line: Line, step: str, *, starts_in: timedelta, before: int) -> None:
    """Book a visit, and send this text of it so many hours before."""
    line.world.book(starts_in=starts_in)
    line.world.advance(seconds=starts_in.total_seconds() - 3600 * before)
    line.world.plan()
    line.send_due(step)


@pytest.mark.parametrize("body", ["N, disconnected and scared", "no, desconectada y con miedo"])
def test_no_ride_is_kept_beside_alarm(database_url: str, body: str) -> None:
    """The question before a dose has its answer, and its call, though alarm is answered first."""
    with World(database_url) as world, served(world.services) as client:
        line = Line(world, client)
        _asked(line, "visit_2h_ride", starts_in=timedelta(days=1, hours=2), before=2)
        line.says(body)

        assert _answer(line)[0] == "answered"
        assert "ride_missing" in line.reasons
        assert "side_effect" in line.reasons
        assert line.answers == ["high_score_ack"]


def test_a_visit_is_not_confirmed_beside_alarm(database_url: str) -> None:
    """Whoever is called decides whether they come; the answer is to how they are."""
    with World(database_url) as world, served(world.services) as client:
        line = Line(world, client)
        _asked(line, "visit_7d", starts_in=timedelta(days=8), before=7 * 24)
        line.says("C but im floating and scared")

        assert line.rows(Appointment)[0].confirmed_start is None
        assert line.answers == ["high_score_ack"]
        assert line.item("side_effect").severity == "page_now"


def test_the_phone_of_a_patient_who_died_is_texted_nothing(line: Line) -> None:
    """Somebody else writes from it: the lead calls them (care rule 24)."""
    line.world.execute("UPDATE patient SET status = 'closed', status_reason = 'deceased'")
    before = len(line.reads())
    line.says("disconnected and scared")

    assert len(line.reads()) == before
    assert line.item("unclear_reply").severity == "call_today"
