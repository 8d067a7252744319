"""What the machine's walks seldom reach: each of these once lost, held up or forgot something."""

from dataclasses import replace
from uuid import UUID

from messages.gateways.fake import lose_answer, refuse, throttle
from records import outcomes
from records.callbacks import Callback
from records.outcomes import AcceptedRow
from tests.support.world import NUMBER, World
from web.webhooks import store_callbacks
from worker.steps import receipts, reconcile


def _look_twice(world: World) -> None:
    for _ in range(2):
        world.execute("UPDATE attempt SET next_look_at = now() WHERE outcome = 'unknown'")
        reconcile.settle_unknown(world.services, world.carrier)


def _callback(world: World, sid: str, message_id: UUID | None = None, attempt: int = 1) -> Callback:
    return Callback(
        message_id=message_id,
        attempt=attempt if message_id else None,
        sid=sid,
        status="delivered",
        error_code=None,
        from_number=NUMBER,
        messaging_service_sid=None,
        payload="{}",
        received_at=world.now,
    )


def test_a_throttled_try_does_not_count_as_one_that_may_have_sent(world: World) -> None:
    """Three 429s and then a lost answer: the text was never sent, and goes."""
    world.gateway.script(throttle(), throttle(), throttle(), lose_answer(creates=False))
    [message_id] = world.due()
    for _ in range(4):
        world.send()
        world.advance(minutes=5)
    assert world.message(message_id).status == "unknown"
    _look_twice(world)
    assert world.message(message_id).status == "planned"
    world.send()
    assert world.message(message_id).status == "accepted"


def test_a_throttled_try_does_not_count_as_a_refusal(world: World) -> None:
    """21612 is final the second time it is said, and not when a 429 came before it."""
    world.gateway.script(throttle(), refuse(21612), refuse(21612))
    [message_id] = world.due()
    endings = []
    for _ in range(3):
        world.send()
        message = world.message(message_id)
        endings.append((message.status, message.reason))
        world.advance(hours=1)
    assert endings == [
        ("planned", "throttled"),
        ("planned", "try_later"),
        ("failed", "number_refused"),
    ]


def test_a_throttled_try_does_not_count_as_one_that_did_not_arrive(world: World) -> None:
    """A burst of 429s went before: the handset that was off is tried again all the same."""
    world.gateway.script(throttle(), throttle(), throttle())
    [message_id] = world.due()
    for _ in range(4):
        world.send()
        world.advance(minutes=5)
    callback = _callback(world, world.message(message_id).sid or "", message_id, attempt=4)
    store_callbacks(world.services, [replace(callback, status="undelivered", error_code=30008)])
    receipts.run(world.services)
    message = world.message(message_id)
    assert (message.status, message.reason, message.attempts) == ("planned", "try_later", 4)


def test_a_text_that_was_maybe_sent_three_times_goes_to_a_person(world: World) -> None:
    """The limit is on tries whose text may exist."""
    world.gateway.script(*[lose_answer(creates=False)] * 4)
    [message_id] = world.due()
    for _ in range(3):
        world.send()
        _look_twice(world)
    message = world.message(message_id)
    assert (message.status, message.reason, message.attempts) == ("failed", "outcome_unknown", 3)


def test_receipts_of_strangers_do_not_stand_before_our_own(world: World) -> None:
    """Other software on the account may send from our number with our address for receipts."""
    [message_id] = world.due()
    world.send()
    strangers = [_callback(world, f"SM{n:032x}") for n in range(100, 105)]
    store_callbacks(world.services, strangers)
    world.advance(seconds=1)
    sid = world.message(message_id).sid or ""
    store_callbacks(world.services, [_callback(world, sid, message_id)])
    receipts.run(world.services, limit=3)
    assert world.message(message_id).status == "delivered"


def test_an_attempt_lost_beside_an_acceptance_does_not_block_its_recipient(world: World) -> None:
    """The first try's truth comes late, while a second is on its way in a worker that dies."""
    phone = "+12125550133"
    [message_id] = world.due(patient={"phone": phone})
    world.gateway.script(lose_answer(creates=False))
    world.send()
    _look_twice(world)
    world.send()
    # As it was before the second answer was written, which never happens: the worker is dead.
    world.execute(
        "UPDATE attempt SET outcome = NULL, sid = NULL, closed_at = NULL WHERE number = 2"
    )
    world.execute(
        "UPDATE message SET status = 'submitting', sid = NULL, accepted_at = NULL,"
        " lease_until = now() - interval '1 s'"
    )
    with world.database.transaction() as session:
        row = AcceptedRow(message_id=message_id, number=1, sid="SM" + "1" * 32)
        outcomes.accept(session, [row], now=world.now)
    for _ in range(3):
        reconcile.sweep(world.services)
        _look_twice(world)
    assert world.execute("SELECT number FROM attempt WHERE closed_at IS NULL") == []
    [second] = world.due(patient={"phone": phone})
    world.send()
    assert world.message(second).status == "accepted"


def test_a_text_the_carrier_has_forgotten_does_not_keep_others_from_being_asked_about(
    world: World,
) -> None:
    """Whoever has been asked about goes to the end of the queue."""
    ids = world.due(2)
    world.send()
    world.advance(minutes=1)
    forgotten, known = (world.message(each).sid or "" for each in ids)
    del world.gateway.ledger[forgotten]
    world.gateway.report(known, "delivered")
    world.advance(minutes=20)
    world.execute(
        "UPDATE message SET accepted_at = accepted_at - interval '1 minute' WHERE sid = :sid",
        sid=forgotten,
    )
    for _ in range(2):
        reconcile.fetch_silent(world.services, world.carrier, limit=1)
        world.advance(minutes=5)
    receipts.run(world.services)
    assert world.message(ids[1]).status == "delivered"


def test_a_text_the_carrier_cannot_be_asked_about_keeps_no_other_from_being_asked_about(
    world: World,
) -> None:
    """It stood before all others for three days, and what became of them was never known."""
    ids = world.due(3)
    world.send()
    sids = [world.message(each).sid or "" for each in ids]
    world.gateway.untold.add(sids[0])
    for sid in sids[1:]:
        world.gateway.report(sid, "delivered")
    world.advance(minutes=20)
    reconcile.fetch_silent(world.services, world.carrier)
    receipts.run(world.services)
    assert [world.message(each).status for each in ids] == ["accepted", "delivered", "delivered"]


def test_a_number_the_carrier_cannot_be_asked_about_leaves_no_other_in_doubt(world: World) -> None:
    """While a text is in doubt its recipient gets nothing else."""
    world.gateway.script(*[lose_answer(creates=True)] * 3)
    world.due(3)
    world.send()
    first = next(iter({each.to for each in world.gateway.calls}))
    world.gateway.untold.add(first)
    _look_twice(world)
    assert world.statuses() == {"unknown": 1, "accepted": 2}


def test_one_recipient_who_cannot_be_texted_does_not_stop_the_others(world: World) -> None:
    """21266 is about one number (our own, by a slip); the rest of the clinic still works."""
    own, other = "+12125550133", "+12125550134"
    world.gateway.always(own, refuse(21266))
    [refused] = world.due(patient={"phone": own})
    world.send()
    assert world.execute("SELECT breaker_until FROM sender")[0][0] is None
    [good] = world.due(patient={"phone": other})
    world.send()
    assert world.message(good).status == "accepted"
    waits = []
    for _ in range(3):
        waits.append((world.message(refused).next_at - world.now).total_seconds())
        world.advance(seconds=waits[-1])
        world.send()
    assert waits == [5, 15, 60]
