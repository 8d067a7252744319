"""Sweeps and unknowns: what a dead process or a silent carrier left behind is settled."""

from datetime import timedelta
from uuid import UUID

import pytest

from messages.gateways.fake import lose_answer
from records import intake, outcomes
from records.outcomes import AcceptedRow
from tests.support.world import World
from worker.steps import reconcile


@pytest.fixture
def unknown(world: World) -> tuple[World, UUID]:
    """A text whose answer was lost, though the carrier made it."""
    world.gateway.script(lose_answer(creates=True))
    [message_id] = world.due()
    world.send()
    return world, message_id


def _look(world: World) -> None:
    world.execute("UPDATE attempt SET next_look_at = now() WHERE outcome = 'unknown'")
    reconcile.settle_unknown(world.services, world.carrier)


def test_an_unknown_found_on_the_list_is_accepted(unknown: tuple[World, UUID]) -> None:
    """The carrier's list says that it went."""
    world, message_id = unknown
    _look(world)
    message = world.message(message_id)
    assert (message.status, message.sid) == ("accepted", world.gateway.created()[0].sid)


def test_nobody_looks_before_the_grace_is_over(unknown: tuple[World, UUID]) -> None:
    """Send guard, delivery delay and list lag must have passed."""
    world, message_id = unknown
    reconcile.settle_unknown(world.services, world.carrier)
    assert world.message(message_id).status == "unknown"


def test_an_unknown_absent_twice_is_planned_again(world: World) -> None:
    """Two looks that find nothing: the text is sent anew, once."""
    world.gateway.script(lose_answer(creates=False))
    [message_id] = world.due()
    world.send()
    _look(world)
    assert world.message(message_id).status == "unknown"
    _look(world)
    assert world.message(message_id).status == "planned"
    world.send()
    assert world.message(message_id).status == "accepted"
    assert len(world.gateway.created()) == 1


def test_the_second_look_is_apart_from_the_first_however_long_that_took(world: World) -> None:
    """A list that lags is to be given a minute, and many numbers take longer to be listed."""
    world.gateway.script(lose_answer(creates=False))
    world.due()
    world.send()
    world.execute("UPDATE attempt SET next_look_at = now()")
    about = {"clinic_id": world.clinic_id, "recheck_seconds": 60, "limit": 10}
    with world.database.transaction() as session:
        [attempt] = outcomes.take_unknown(session, **about)
    world.execute("UPDATE attempt SET next_look_at = now() - interval '1 hour'")
    with world.database.transaction() as session:
        outcomes.absent(session, attempt, recheck_seconds=60)
        assert outcomes.take_unknown(session, **about) == []


def test_an_unknown_whose_time_is_over_fails_in_front_of_a_person(world: World) -> None:
    """Never guessed: it may have been sent."""
    world.gateway.script(lose_answer(creates=False))
    [message_id] = world.due()
    world.send()
    world.advance(hours=7)
    _look(world)
    _look(world)
    message = world.message(message_id)
    assert (message.status, message.reason) == ("failed", "outcome_unknown")


def test_prefer_silence_never_sends_an_unknown_again(world: World) -> None:
    """A step may rather be silent than repeat."""
    world.gateway.script(lose_answer(creates=False))
    [message_id] = world.due(policy="prefer_silence")
    world.send()
    _look(world)
    _look(world)
    assert world.message(message_id).status == "failed"


def test_an_unknown_stays_unknown_while_the_carrier_cannot_be_asked(
    unknown: tuple[World, UUID],
) -> None:
    """From a list that fails nothing is concluded."""
    world, message_id = unknown
    world.gateway.outage = True
    _look(world)
    _look(world)
    assert world.message(message_id).status == "unknown"


def test_late_truth_corrects_a_row_that_was_given_up(world: World) -> None:
    """The answer comes after all: the row says so."""
    world.gateway.script(lose_answer(creates=False))
    [message_id] = world.due()
    world.send()
    world.advance(hours=7)
    _look(world)
    _look(world)
    row = AcceptedRow(message_id=message_id, number=1, sid="SM" + "1" * 32)
    with world.database.transaction() as session:
        outcomes.accept(session, [row], now=world.now)
    message = world.message(message_id)
    assert (message.status, message.final_at, message.reason) == ("accepted", None, None)


def test_a_patient_whom_somebody_holds_keeps_the_sweep_from_nothing(world: World) -> None:
    """It waited for them with texts in its hands that whoever holds them may want."""
    [message_id] = world.due(patient={"status": "held", "held_until": world.now})
    world.execute("UPDATE message SET status = 'claimed', lease_until = now() - interval '1 s'")
    patient_id = world.message(message_id).patient_id
    assert patient_id is not None
    with world.database.transaction() as session:
        intake.lock_patient(session, patient_id)
        assert reconcile.sweep(world.services) == {"claims_returned": 1}
    assert reconcile.sweep(world.services) == {"holds_ended": 1}


def test_a_claim_that_ran_out_is_planned_again(world: World) -> None:
    """Nothing was sent for it."""
    [message_id] = world.due()
    world.execute("UPDATE message SET status = 'claimed', lease_until = now() - interval '1 s'")
    assert reconcile.sweep(world.services)["claims_returned"] == 1
    assert world.message(message_id).status == "planned"


def test_a_submission_of_a_dead_worker_becomes_unknown(world: World) -> None:
    """Maybe sent: it is looked for, not posted again."""
    [message_id] = world.due()
    world.send()
    world.execute(
        "UPDATE message SET status = 'submitting', sid = NULL, lease_until = now() - interval '1 s'"
    )
    world.execute("UPDATE attempt SET outcome = NULL, closed_at = NULL, sid = NULL")
    assert reconcile.sweep(world.services)["became_unknown"] == 1
    assert world.message(message_id).status == "unknown"
    _look(world)
    assert world.message(message_id).status == "accepted"
    assert len(world.gateway.created()) == 1


def test_a_look_alike_of_another_row_is_not_adopted(world: World) -> None:
    """A SID that belongs to an attempt belongs to it alone."""
    phone = "+12125550133"
    [first] = world.due(patient={"phone": phone})
    world.send()
    world.gateway.script(lose_answer(creates=False))
    [second] = world.due(patient={"phone": phone})
    world.send()
    _look(world)
    assert world.message(first).status == "accepted"
    assert world.message(second).status == "unknown"


def test_what_is_too_late_expires_although_its_sender_rests(world: World) -> None:
    """A pause or a breaker does not keep a row for ever."""
    [message_id] = world.due()
    world.execute("UPDATE clinic SET paused_at = now()")
    world.advance(hours=7)
    reconcile.sweep(world.services)
    message = world.message(message_id)
    assert (message.status, message.reason) == ("expired", "too_late")


def test_after_72_hours_without_a_word_the_row_is_closed_as_it_stands(world: World) -> None:
    """It keeps its status and gets the reason `no_receipt`."""
    [message_id] = world.due()
    world.send()
    world.advance(hours=73)
    reconcile.sweep(world.services)
    message = world.message(message_id)
    assert (message.status, message.reason) == ("accepted", "no_receipt")
    assert message.final_at is not None


def test_a_silent_message_is_asked_about(world: World) -> None:
    """After a quarter of an hour the carrier is asked, and its word is a receipt."""
    [message_id] = world.due()
    world.send()
    sid = world.gateway.created()[0].sid
    world.gateway.report(sid, "delivered")
    world.advance(minutes=16)
    reconcile.fetch_silent(world.services, world.carrier)
    rows = world.execute("SELECT status, message_id FROM receipt")
    assert rows == [("delivered", message_id)]
    assert timedelta(0) <= world.now - world.message(message_id).due_at
