"""What an unclear word holds back, and that the order in which texts reach us changes nothing.

Conversations as they happen, through the signed webhook and the carrier, are the table of
`tests/stories/conversations.txt`; here the receive and replies steps are called one by one.
"""

from datetime import timedelta
from itertools import accumulate
from typing import Any

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


def _coordinator(world: World) -> actions.Actor:
    with world.database.transaction() as session:
        staff = Staff(
            id=new_id(), clinic_id=world.clinic_id, email="kim@clinic.test", role="coordinator"
        )
        staff.password_hash = ""
        session.add(staff)
    return actions.actor_of(staff)


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
    actions.resolve(world.services, item.id, outcome="reached", actor=_coordinator(world))

    assert talk.patient().status == "active"


def test_a_pause_in_the_words_of_a_stop_starts_nothing_until_somebody_asked(world: World) -> None:
    """Texts about visits rest too; the pause of check-ins runs on when staff have asked."""
    talk = _begun(world, "diaria")
    talk.says("stop texting me til my exam is over")
    world.plan()
    assert not _stopped(talk)
    assert (talk.patient().status, talk.patient().status_reason) == ("held", "unclear_stop")
    assert "planned" not in {row.status for row in world.texts() if row.kind == "started"}

    items = {item.reason: item for item in talk.rows(FollowUp)}
    assert items["unclear_reply"].severity == "call_today"
    actions.resolve(
        world.services, items["unclear_reply"].id, outcome="reached", actor=_coordinator(world)
    )
    assert talk.patient().status == "active"
    assert talk.patient().paused_until is not None


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
