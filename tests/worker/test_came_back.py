"""Texts that went out, did not arrive and are tried again: only while the plan wants them still."""

from uuid import UUID

import pytest

from messages.gateways.fake import lose_answer
from records import receipts as kept
from records.outbox import Message
from tests.support.world import World
from worker.steps import receipts, reconcile, visits


@pytest.fixture
def clinic(world: World) -> World:
    """The world with its protocols published."""
    world.publish_protocols()
    return world


def _look_twice(world: World) -> None:
    for _ in range(2):
        world.execute("UPDATE attempt SET next_look_at = now() WHERE outcome = 'unknown'")
        reconcile.settle_unknown(world.services, world.carrier)


def _comes_back(world: World, text: Message) -> None:
    row = kept.row(
        world.vault,
        clinic_id=world.clinic_id,
        message_id=text.id,
        attempt=1,
        sid=str(text.sid),
        status="undelivered",
        error_code=30008,
        source="push",
        payload="{}",
        received_at=world.now,
    )
    with world.database.transaction() as session:
        kept.store(session, [row])
    receipts.run(world.services)


def _asked(world: World) -> tuple[UUID, Message]:
    """Ask the daily question at five; return whom, and the text."""
    patient_id = world.enroll_by_hand()
    world.plan()
    world.advance(hours=7)
    world.send()
    [text] = [each for each in world.texts() if each.attempts]
    return patient_id, text


def _end(world: World, patient_id: UUID) -> None:
    visits.withdraw(world.services, patient_id, "daily-check-in", actor="desk")
    world.plan()


def test_a_lost_text_goes_no_more_once_staff_ended_what_it_is_of(clinic: World) -> None:
    """While nobody knew whether it went it was history for the plan, and then it was not."""
    clinic.gateway.script(lose_answer(creates=False))
    patient_id, text = _asked(clinic)
    _end(clinic, patient_id)
    _look_twice(clinic)
    assert clinic.message(text.id).status == "planned"
    clinic.send()
    clinic.plan()
    clinic.advance(minutes=1)
    clinic.send()
    message = clinic.message(text.id)
    assert (message.status, message.reason) == ("skipped", "enrollment_ended")
    assert clinic.gateway.created() == []


def test_a_text_that_came_back_goes_no_more_once_staff_ended_what_it_is_of(clinic: World) -> None:
    """The carrier's word that it did not arrive may come hours later."""
    patient_id, text = _asked(clinic)
    _end(clinic, patient_id)
    _comes_back(clinic, text)
    assert clinic.message(text.id).status == "planned"
    clinic.advance(minutes=10)
    clinic.send()
    clinic.plan()
    clinic.advance(minutes=1)
    clinic.send()
    assert clinic.message(text.id).status == "skipped"
    assert len(clinic.gateway.created()) == 1


def test_a_text_that_came_back_waits_for_the_plan_and_goes_if_it_is_wanted(clinic: World) -> None:
    """Nothing has changed meanwhile: it is tried once more."""
    _, text = _asked(clinic)
    _comes_back(clinic, text)
    clinic.advance(minutes=10)
    clinic.send()
    waits = clinic.message(text.id)
    assert (waits.status, waits.reason) == ("planned", "plan_first")
    clinic.plan()
    clinic.advance(minutes=1)
    clinic.send()
    assert clinic.message(text.id).status == "accepted"
    assert len(clinic.gateway.created()) == 2


def test_a_question_that_was_answered_is_not_asked_again(clinic: World) -> None:
    """It reached the patient, whatever the carrier's list fails to show."""
    clinic.gateway.script(lose_answer(creates=False))
    _, text = _asked(clinic)
    clinic.execute(
        "UPDATE message SET answered_at = :now WHERE id = :id", now=clinic.now, id=text.id
    )
    _look_twice(clinic)
    clinic.plan()
    clinic.send()
    message = clinic.message(text.id)
    assert (message.status, message.reason) == ("skipped", "answered")
    assert clinic.gateway.created() == []
