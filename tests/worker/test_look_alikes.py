"""Texts on the carrier's list that look like ours and are not: none of them is taken for it."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from messages.gateway import CarrierText
from messages.gateways.fake import lose_answer
from tests.support.world import NUMBER, World
from worker.steps import reconcile

_BODY = "body"


def _listed(world: World, message_id: UUID, **more: object) -> CarrierText:
    """Put a text on the list: the same words to the same number at the same time, but for that."""
    message = world.message(message_id)
    assert message.recipient is not None
    assert message.body is not None
    phone = world.vault.open("message", "recipient", message_id, message.recipient)
    words = world.vault.open("message", "body", message_id, message.body)
    values = {"to": phone, "body": words, **more}
    text = world.gateway.receive(from_number=phone, to=NUMBER, body=words)
    made = world.gateway.ledger[text.sid]
    like = replace(made, direction="outbound-api", from_number=NUMBER, status="delivered")
    world.gateway.ledger[text.sid] = replace(like, **values)  # type: ignore[arg-type]
    return world.gateway.ledger[text.sid]


@pytest.mark.parametrize(
    "other",
    ["words", "direction", "an hour before", "an hour after"],
)
def test_what_only_looks_like_it_is_not_adopted(world: World, other: str) -> None:
    """It was asked for once and never made: it goes again, although the list shows sixty others."""
    world.gateway.script(lose_answer(creates=False))
    [message_id] = world.due()
    world.send()
    hour = timedelta(hours=1)
    differs = {
        "words": {_BODY: "See you at noon."},
        "direction": {"direction": "inbound"},
        "an hour before": {"created_at": world.now - hour},
        "an hour after": {"created_at": world.now + hour},
    }[other]
    strangers = {_listed(world, message_id, **differs).sid for _ in range(60)}
    for _ in range(2):
        world.execute("UPDATE attempt SET next_look_at = now() WHERE outcome = 'unknown'")
        reconcile.settle_unknown(world.services, world.carrier)
    world.send()
    message = world.message(message_id)
    assert message.status == "accepted"
    assert message.sid not in strangers
    assert len(world.gateway.calls) == 2


def test_the_same_words_by_hand_in_the_same_minute_are_adopted(world: World) -> None:
    """Nobody can tell them apart; the patient has them once, and so they are not sent again."""
    world.gateway.script(lose_answer(creates=False))
    [message_id] = world.due()
    world.send()
    by_hand = _listed(world, message_id)
    world.execute("UPDATE attempt SET next_look_at = now() WHERE outcome = 'unknown'")
    reconcile.settle_unknown(world.services, world.carrier)
    assert world.message(message_id).sid == by_hand.sid
    assert len(world.gateway.calls) == 1
