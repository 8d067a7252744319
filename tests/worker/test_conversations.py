"""Conversations as they happen: who writes what and when, and what each text leaves behind.

Each goes through the real receive and replies steps. Below the table: in whatever order texts
reach us, late or twice, the record is the same.
"""

from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records import patients
from records.base import new_id
from records.checkins import CheckIn
from records.clinics import Staff
from records.followups import FollowUp
from records.inbox import Inbound
from tests.support.databases import Databases
from tests.support.world import World, phone_of
from tests.worker.talk import Talk
from worker.steps import followup_actions as actions
from worker.steps import people, receive, replies

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was asked before, the texts as (minutes since the one before, words), what is left.

    `read` is each text's reading, `answers` our texts by template, `calls` the follow-ups.
    """

    after: str
    says: tuple[tuple[int, str], ...]
    read: tuple[str, ...]
    answers: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    left: str = ""


CONVERSATIONS = {
    "a number is corrected downwards": Conversation(
        after="daily",
        says=((0, "8"), (1, "sorry, 3")),
        read=("score 8", "score 3"),
        answers=("high_score_ack",),
        calls=("high_score",),
        left="3 answered",
    ),
    "a number is corrected upwards": Conversation(
        after="daily",
        says=((0, "3"), (2, "oops 8")),
        read=("score 3", "score 8"),
        answers=("high_score_ack",),
        calls=("high_score",),
        left="8 answered",
    ),
    "a second number that corrects nothing goes to a person": Conversation(
        after="daily",
        says=((0, "3"), (2, "5")),
        read=("score 3", "score 5"),
        answers=("after_hours_ack",),
        calls=("unclear_reply",),
        left="3 answered",
    ),
    "a worrying second number is called about at once": Conversation(
        after="daily",
        says=((0, "3"), (2, "9")),
        read=("score 3", "score 9"),
        answers=("high_score_ack",),
        calls=("unclear_reply", "high_score"),
        left="3 answered",
    ),
    "a correction after hours of silence corrects nothing": Conversation(
        after="daily",
        says=((0, "3"), (90, "sorry, 5")),
        read=("score 3", "score 5"),
        answers=("after_hours_ack",),
        calls=("unclear_reply",),
        left="3 answered",
    ),
    "high or stop, then a number": Conversation(
        after="diaria",
        says=((0, "ALTO"), (3, "9")),
        read=("unclear", "score 9"),
        answers=("scale_or_stop", "high_score_ack"),
        calls=("unclear_reply", "high_score"),
        left="9 answered",
    ),
    "high or stop, then nothing": Conversation(
        after="diaria",
        says=((0, "ALTO"),),
        read=("unclear",),
        answers=("scale_or_stop",),
        calls=("unclear_reply",),
        left="open, held",
    ),
    "high or stop: it was a stop": Conversation(
        after="diaria",
        says=((0, "BAJA"), (1, "no quiero mas mensajes")),
        read=("unclear", "stop"),
        answers=("optout_confirm",),
        calls=("unclear_reply", "opted_out"),
        left="open, stopped",
    ),
    "yes, then another time": Conversation(
        after="visit",
        says=((0, "C"), (30, "R")),
        read=("confirm", "decline_reschedule"),
        answers=("confirm_ack", "change_ack"),
        calls=("change_requested",),
        left="to be changed",
    ),
    "another time, then yes: a person decides": Conversation(
        after="visit",
        says=((0, "R"), (30, "C")),
        read=("decline_reschedule", "confirm"),
        answers=("change_ack",),
        calls=("change_requested",),
        left="to be changed",
    ),
    "stop, and start again": Conversation(
        after="visit",
        says=((0, "STOP"), (60, "START")),
        read=("stop stop", "start"),
        calls=("opted_out",),
    ),
    "danger in two texts": Conversation(
        after="none",
        says=((0, "i want to"), (1, "die")),
        read=("unclear", "crisis self_harm"),
        answers=("crisis_reply_noalert",),
        calls=("unclear_reply", "crisis"),
    ),
    "confirmed, thanked, and running late": Conversation(
        after="visit",
        says=((0, "C"), (1, "thank you"), (60, "running late, sorry")),
        read=("confirm", "thanks_no_action", "running_late"),
        answers=("confirm_ack", "late_ack"),
        calls=("running_late",),
        left="confirmed",
    ),
    "words, asked again, a number": Conversation(
        after="daily",
        says=((0, "purple monkey"), (2, "4")),
        read=("unclear", "score 4"),
        answers=("reask",),
        calls=("unclear_reply",),
        left="4 answered",
    ),
}


def _begun(world: World, after: str) -> Talk:
    talk = Talk(world)
    if after == "visit":
        talk.asked("visit_7d", starts_in=timedelta(days=8), send_before=timedelta(days=7))
    elif after == "none":
        talk.someone()
    else:
        talk.daily(language="es" if after == "diaria" else "en")
    return talk


def _left(talk: Talk) -> str:
    """Return in words what the record says."""
    said = [
        _of_question(row) for row in talk.rows(CheckIn) if row.context != "appointment_reminder"
    ]
    for row in talk.world.execute("SELECT * FROM appointment"):
        said += ["to be changed"] if row.change_requested_at else []
        said += ["confirmed"] if row.confirmed_start == row.starts_at else []
    said += ["held"] if talk.patient().status == "held" else []
    said += ["stopped"] if _stopped(talk) else []
    return ", ".join(said)


def _of_question(row: CheckIn) -> str:
    return row.status if row.value is None else f"{row.value} {row.status}"


def _stopped(talk: Talk) -> bool:
    world = talk.world
    with world.database.transaction() as session:
        blind = world.vault.blind("phone", phone_of(0))
        found = patients.opted_out(session, clinic_id=world.clinic_id, blind=blind)
        return found is not None


def _reading(row: Inbound) -> str:
    return f"{row.intent} {row.value}" if row.value else str(row.intent)


@pytest.mark.parametrize("told", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation_leaves_what_it_says(world: World, told: Conversation) -> None:
    """Rows, answers, follow-ups and the record are those of the table."""
    talk = _begun(world, told.after)
    for minutes, words in told.says:
        world.advance(minutes=minutes)
        talk.says(words)

    assert tuple(map(_reading, talk.rows(Inbound))) == told.read
    assert tuple(talk.answers) == told.answers
    assert tuple(talk.reasons) == told.calls
    assert _left(talk) == told.left


def test_texts_held_for_an_unclear_word_go_once_it_is_clear(world: World) -> None:
    """A number ends the hold; what is still in time is planned again."""
    talk = _begun(world, "diaria")
    talk.says("ALTO")
    world.plan()
    assert [row.status for row in world.texts() if not row.attempts and row.kind == "started"]
    assert "planned" not in {row.status for row in world.texts() if row.kind == "started"}

    world.advance(minutes=5)
    talk.says("9")
    world.plan()
    assert "planned" in {row.status for row in world.texts() if row.kind == "started"}


def test_staff_who_resolve_the_item_end_the_hold(world: World) -> None:
    """They have asked the patient what was meant."""
    talk = _begun(world, "diaria")
    talk.says("ALTO")
    [item] = talk.rows(FollowUp)
    with world.database.transaction() as session:
        staff = Staff(
            id=new_id(), clinic_id=world.clinic_id, email="kim@clinic.test", role="coordinator"
        )
        staff.password_hash = ""
        session.add(staff)
    actions.resolve(world.services, item.id, outcome="reached", actor=actions.actor_of(staff))

    assert talk.patient().status == "active"


def test_a_hold_of_staff_outlasts_an_unclear_word(world: World) -> None:
    """What staff hold, no answer lifts."""
    talk = _begun(world, "diaria")
    people.hold(world.services, talk.patient().id, reason=people.Reason.HOSPITAL, actor="desk")
    talk.says("ALTO")
    talk.says("9")

    assert (talk.patient().status, talk.patient().status_reason) == ("held", "hospital")


# --- one result, in whatever order texts reach us ------------------------------------------------

_OF_A_NUMBER = ("8", "3", "sorry, 3", "oops 9", "sorry, 5", "STOP")
_OF_A_VISIT = ("C", "R", "yes", "need to reschedule", "STOP")


@st.composite
def _orders(draw: Any) -> tuple[str, list[str], list[int], list[bool]]:
    """Draw what was asked, the texts, an order of arrival with repeats, and when they are read."""
    after = draw(st.sampled_from(["daily", "visit"]))
    words = _OF_A_NUMBER if after == "daily" else _OF_A_VISIT
    said = draw(st.lists(st.sampled_from(words), min_size=2, max_size=4, unique=True))
    arrivals = list(range(len(said)))
    again = draw(st.lists(st.sampled_from(arrivals), max_size=2))
    arrived = draw(st.permutations([*arrivals, *again]))
    read = draw(st.lists(st.booleans(), min_size=len(arrived), max_size=len(arrived)))
    return after, said, arrived, read


def _result(
    databases: Databases, after: str, said: list[str], arrived: list[int], read: list[bool]
) -> tuple[object, ...]:
    """Let the texts arrive so; return the record, and whether anybody has to be called at all."""
    with databases.migrated() as own, World(own.url) as world:
        talk = _begun(world, after)
        texts = [talk.sms(words) for words in said]
        times = [world.now + MINUTE * after for after in accumulate([1] * len(said))]
        world.advance(minutes=len(said) + 1)
        for number, now in zip(arrived, read, strict=True):
            receive.store(world.services, texts[number], source="pull", received_at=times[number])
            if now:
                replies.run(world.services)
        replies.run(world.services)
        rows = talk.rows(Inbound)
        assert all(row.handled_at for row in rows)
        return len(rows), _left(talk), bool(talk.rows(FollowUp))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(drawn=_orders())
def test_shuffled_repeated_and_delayed_texts_give_one_result(
    databases: Databases, drawn: tuple[str, list[str], list[int], list[bool]]
) -> None:
    """What was written when decides, not when it reached us."""
    after, said, arrived, read = drawn
    in_order = list(range(len(said)))

    expected = _result(databases, after, said, in_order, [True] * len(said))
    assert _result(databases, after, said, arrived, read) == expected
