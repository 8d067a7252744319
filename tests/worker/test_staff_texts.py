"""A message from staff: by the same gates, sealed until it goes, and questions rest meanwhile."""

from datetime import timedelta
from uuid import UUID

import pytest

from records.followups import FollowUp
from records.outbox import Message
from tests.support.world import World
from tests.worker.talk import Talk
from worker.refusal import RefusedError
from worker.steps import followup_actions as actions
from worker.steps import staff_texts

WORDS = "We have an earlier time for you tomorrow. Call us?"


@pytest.fixture
def talk(world: World) -> Talk:
    return Talk(world)


def write(talk: Talk, patient: UUID, words: str = WORDS, **more: object) -> UUID:
    return staff_texts.write(talk.world.services, patient, words, actor="test", **more)


def test_a_message_goes_with_the_clinics_name(talk: Talk) -> None:
    """As it was written; the row shows none of it before it is rendered."""
    [patient] = talk.someone()
    write(talk, patient)
    [row] = talk.rows(Message)
    assert WORDS not in str(row.params)
    talk.world.send()
    [text] = talk.world.gateway.created()
    assert text.body == f"Riverside Care: {WORDS}"


def test_a_message_for_later_waits(talk: Talk) -> None:
    """And one for the night goes when texts may go."""
    [patient] = talk.someone()
    write(talk, patient, at=talk.world.now + timedelta(hours=12))
    talk.world.advance(hours=12)
    talk.world.send()
    assert talk.world.gateway.created() == []
    talk.world.advance(hours=11)
    talk.world.send()
    assert len(talk.world.gateway.created()) == 1


def test_questions_rest_while_the_conversation_is_open(talk: Talk) -> None:
    """Ending the item lets them go on; a pause that the patient asked for stays."""
    patient = talk.daily()
    write(talk, patient)
    until = talk.world.now + timedelta(hours=24)
    assert talk.patient().paused_until == until
    [item] = [row for row in talk.rows(FollowUp) if row.reason == "conversation"]
    actor = actions.Actor(
        label="test", staff_id=_staff(talk), clinic_id=talk.world.clinic_id, role="admin"
    )
    actions.resolve(talk.world.services, item.id, outcome="handled", actor=actor)
    assert talk.patient().paused_until == talk.world.now
    talk.says("PAUSE")
    paused = talk.patient().paused_until
    write(talk, patient)
    assert talk.patient().paused_until == paused


def _staff(talk: Talk) -> UUID:
    from tests.worker.duty import Duty  # noqa: PLC0415

    return Duty(world=talk.world).staff("lee@clinic.test")


@pytest.mark.parametrize("words", ["", "x" * 301, "Your ketamine dose is ready"])
def test_words_that_must_not_go_are_refused(talk: Talk, words: str) -> None:
    """Anybody may see a phone."""
    [patient] = talk.someone()
    with pytest.raises(RefusedError):
        write(talk, patient, words)
    assert talk.rows(Message) == []


def test_who_stopped_or_is_held_is_called_instead(talk: Talk) -> None:
    """The same gates, told at once."""
    [stopped] = talk.someone()
    talk.says("STOP")
    with pytest.raises(RefusedError, match="stopped texts"):
        write(talk, stopped)
    [held] = talk.someone(first=1, status="held")
    with pytest.raises(RefusedError, match="held or closed"):
        write(talk, held)


def test_a_wrong_number_asks_what_was_disclosed(talk: Talk) -> None:
    """Texts that went there since the patient was last heard are assessed as a breach."""
    [patient] = talk.someone()
    talk.says("wrong number")
    assert talk.reasons == ["wrong_number"]
    [other] = talk.someone(first=1)
    write(talk, other)
    talk.world.send()
    talk.delivered()
    from tests.support.world import phone_of  # noqa: PLC0415

    talk.says("wrong number", phone=phone_of(1))
    assert talk.reasons.count("breach_assessment") == 1
    assert patient != other
