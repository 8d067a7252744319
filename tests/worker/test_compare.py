"""The nightly comparison with the carrier's own list."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from messages.gateway import CarrierText, OutboundText
from messages.gateways.fake import lose_answer
from tests.support.world import World
from worker.steps import compare, receipts, reconcile


def _to_the_night(world: World) -> None:
    """Move on to 04:00 in New York, when the day before is over for the carrier too."""
    tomorrow = world.now.date() + timedelta(days=1)
    at = datetime(tomorrow.year, tomorrow.month, tomorrow.day, 9, 30, tzinfo=UTC)
    world.advance(seconds=(at - world.now).total_seconds())


def _sent(world: World, count: int = 1) -> list[UUID]:
    ids = world.due(count)
    world.send()
    for text in world.gateway.created():
        world.gateway.report(text.sid, "sent")
    return ids


def test_a_day_that_agrees_is_counted_once(world: World) -> None:
    """The list is read once a night, whoever asks again."""
    _sent(world, 3)
    _to_the_night(world)
    assert compare.run(world.services, world.carrier)["listed"] == 3
    assert not compare.run(world.services, world.carrier)


def test_nothing_is_compared_before_the_night(world: World) -> None:
    """Yesterday's list is asked for when its day is over everywhere."""
    _sent(world)
    world.advance(hours=10)
    assert not compare.run(world.services, world.carrier)


def test_a_last_word_that_never_came_is_told(world: World) -> None:
    """The callback was lost; the list knows that it arrived."""
    [message_id] = _sent(world)
    world.gateway.report(world.gateway.created()[0].sid, "delivered")
    _to_the_night(world)
    assert compare.run(world.services, world.carrier)["told"] == 1
    receipts.run(world.services)
    assert world.message(message_id).status == "delivered"


def test_a_text_given_up_as_lost_is_found(world: World) -> None:
    """It went after all, and its row says so."""
    world.gateway.script(lose_answer(creates=True, appears_after=timedelta(hours=12)))
    [message_id] = world.due()
    world.send()
    world.advance(hours=7)
    for _ in range(2):
        world.execute("UPDATE attempt SET next_look_at = now() WHERE outcome = 'unknown'")
        reconcile.settle_unknown(world.services, world.carrier)
    assert world.message(message_id).reason == "outcome_unknown"
    made = world.gateway.created()[0].sid
    world.gateway.report(made, "sent")
    world.gateway.ledger[made] = _at(world, made, hours=-7)
    _to_the_night(world)
    counts = compare.run(world.services, world.carrier)
    assert (counts["found"], counts["strange"]) == (1, 0)
    assert (world.message(message_id).status, world.message(message_id).sid) == ("accepted", made)


def _at(world: World, sid: str, *, hours: float) -> CarrierText:
    return replace(world.gateway.ledger[sid], sent_at=world.now + timedelta(hours=hours))


def test_a_text_that_no_row_sent_is_called_strange(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else uses the account: the log says so, without a number or a word of it."""
    text = OutboundText(
        to="+12125550177", body="Hello", from_number="+12125550110", validity_seconds=60
    )
    world.carrier.call(world.gateway.send(text, write_before=float("inf")))
    world.gateway.report(world.gateway.created()[0].sid, "delivered")
    _to_the_night(world)
    assert compare.run(world.services, world.carrier)["strange"] == 1
    told = capsys.readouterr()
    assert "carrier_and_record_differ" in told.out + told.err
    assert "Hello" not in told.out + told.err


def test_a_text_that_the_carrier_has_not_is_called_missing(world: World) -> None:
    """Our row says accepted; the carrier, asked for it, has never heard of it."""
    _sent(world, 2)
    del world.gateway.ledger[world.gateway.created()[0].sid]
    _to_the_night(world)
    assert compare.run(world.services, world.carrier)["missing"] == 1


def test_a_list_that_fails_is_asked_for_again(world: World) -> None:
    """From a list that fails nothing is concluded, and the night is not over."""
    _sent(world)
    _to_the_night(world)
    world.gateway.outage = True
    assert compare.run(world.services, world.carrier) == {"put_off": 1}
    world.gateway.outage = False
    assert compare.run(world.services, world.carrier)["listed"] == 1
