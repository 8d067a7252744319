"""The receipts step: statuses never regress, in whatever order the carrier's words come."""

from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages.gateways.fake import lose_answer
from records import receipts as kept
from tests.support.world import World, make_clinic, make_due, make_patients, make_visits, phone_of
from tests.worker.talk import Talk
from worker.steps import consents, receipts, receive, replies
from worker.steps.receive import Received


def _store(
    world: World, message_id: UUID | None, sid: str, status: str, code: int | None = None
) -> None:
    row = kept.row(
        world.vault,
        clinic_id=world.clinic_id,
        message_id=message_id,
        attempt=1 if message_id else None,
        sid=sid,
        status=status,
        error_code=code,
        source="push",
        payload="{}",
        received_at=world.now,
    )
    with world.database.transaction() as session:
        kept.store(session, [row])


def _sent(world: World) -> tuple[UUID, str]:
    [message_id] = world.due()
    world.send()
    return message_id, world.gateway.created()[-1].sid


def test_a_delivered_text_is_final_and_needs_no_review(world: World) -> None:
    """Sent, then delivered."""
    message_id, sid = _sent(world)
    _store(world, message_id, sid, "sent")
    _store(world, message_id, sid, "delivered")
    receipts.run(world.services)
    message = world.message(message_id)
    assert message.status == "delivered"
    assert message.final_at == message.reviewed_at == world.now


def test_a_receipt_settles_an_attempt_whose_answer_was_lost(world: World) -> None:
    """It carries our id and attempt, so the row is found without a SID."""
    world.gateway.script(lose_answer(creates=True))
    message_id, sid = _sent(world)
    assert world.message(message_id).status == "unknown"
    _store(world, message_id, sid, "sent")
    receipts.run(world.services)
    message = world.message(message_id)
    assert (message.status, message.sid) == ("sent", sid)
    assert [each.outcome for each in world.attempts(message_id)] == ["accepted"]


def test_a_receipt_known_by_its_sid_alone_finds_its_message(world: World) -> None:
    """A status pulled from the carrier's list carries no id of ours."""
    message_id, sid = _sent(world)
    _store(world, None, sid, "delivered")
    receipts.run(world.services)
    assert world.message(message_id).status == "delivered"


def test_a_receipt_of_a_stranger_waits_and_does_not_stop_others(world: World) -> None:
    """It may be early; the others are applied."""
    message_id, sid = _sent(world)
    _store(world, None, "SM" + "9" * 32, "delivered")
    _store(world, message_id, sid, "delivered")
    receipts.run(world.services)
    assert world.message(message_id).status == "delivered"
    assert world.execute("SELECT count(*) FROM receipt WHERE applied_at IS NULL")[0][0] == 1


def test_the_same_receipt_twice_is_one_row(world: World) -> None:
    """Webhooks repeat themselves."""
    message_id, sid = _sent(world)
    _store(world, message_id, sid, "sent")
    _store(world, message_id, sid, "sent")
    assert world.execute("SELECT count(*) FROM receipt")[0][0] == 1


def test_an_opt_out_told_by_a_receipt_is_remembered(world: World) -> None:
    """failed with 21610 may come by callback instead of at the call."""
    message_id, sid = _sent(world)
    _store(world, message_id, sid, "failed", 21610)
    receipts.run(world.services)
    message = world.message(message_id)
    assert (message.status, message.reason, message.error_code) == ("failed", "code_21610", 21610)
    assert world.execute("SELECT reason FROM opt_out")[0][0] == "carrier_21610"


def _writes(world: World, body: str) -> str | None:
    """Let the patient write a minute later; return what that changed."""
    world.advance(minutes=1)
    written = Talk(world).sms(body, sid=f"SM{body.lower():0>32}")
    found = receive.store(world.services, written, source="push", received_at=world.now)
    replies.run(world.services)
    assert isinstance(found, Received)
    return found.opt_change


def _stop_in_force(world: World) -> str | None:
    rows = world.execute("SELECT reason FROM opt_out WHERE lifted_at IS NULL")
    return str(rows[0][0]) if rows else None


@pytest.mark.parametrize(("stop", "did"), [(True, "start"), (False, "start_idle")])
def test_a_late_opt_out_of_a_text_before_a_start_changes_nothing(
    world: World, *, stop: bool, did: str
) -> None:
    """START has opened the number since, also where the webhook of the STOP was lost."""
    message_id, sid = _sent(world)
    if stop:
        _writes(world, "STOP")
    assert _writes(world, "START") == did
    _store(world, message_id, sid, "failed", 21610)
    receipts.run(world.services)
    assert world.message(message_id).error_code == 21610
    assert _stop_in_force(world) is None


def test_an_opt_out_of_a_text_after_a_start_is_remembered(world: World) -> None:
    """That START did not open the number."""
    world.due()
    _writes(world, "START")
    world.send()
    [text] = world.texts()
    _store(world, text.id, str(text.sid), "failed", 21610)
    receipts.run(world.services)
    assert _stop_in_force(world) == "carrier_21610"


def test_a_number_that_wrote_since_is_not_out_of_service(world: World) -> None:
    """The carrier's word on a text comes after the reply of whoever has the number."""
    message_id, sid = _sent(world)
    _writes(world, "hello")
    _store(world, message_id, sid, "undelivered", 30005)
    receipts.run(world.services)
    assert _stop_in_force(world) is None


def test_a_number_that_wrote_in_the_same_second_is_not_out_of_service(world: World) -> None:
    """The carrier's list tells of a quick reply by whole seconds, as if it came before the text."""
    world.advance(seconds=0.7)
    message_id, sid = _sent(world)
    quick = Talk(world).sms("hello")
    at = world.now.replace(microsecond=0)
    receive.store(world.services, quick, source="pull", received_at=at)
    _store(world, message_id, sid, "undelivered", 30005)
    receipts.run(world.services)
    assert _stop_in_force(world) is None


def test_a_number_that_staff_vouched_for_since_is_not_out_of_service(world: World) -> None:
    """Of two texts that came back the second is told of only after staff looked at the number."""
    [first] = world.due()
    world.send()
    receipt = world.gateway.created()[-1]
    _store(world, first, receipt.sid, "undelivered", 30005)
    receipts.run(world.services)
    assert _stop_in_force(world) == "suspended_30005"
    world.advance(minutes=1)
    consents.grant(
        world.services, Talk(world).patient().id, purposes=["visits"], method="call", actor="kim"
    )
    _store(world, first, receipt.sid, "failed", 30005)
    receipts.run(world.services)
    assert _stop_in_force(world) is None


def test_an_unknown_status_is_kept_and_changes_nothing(world: World) -> None:
    """The carrier may say a new word any day."""
    message_id, sid = _sent(world)
    _store(world, message_id, sid, "teleported")
    receipts.run(world.services)
    assert world.message(message_id).status == "accepted"
    assert world.execute("SELECT count(*) FROM receipt WHERE applied_at IS NULL")[0][0] == 0


@given(order=st.permutations(["queued", "sending", "sent", "delivered"]), at_once=st.booleans())
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_of_receipts_ends_delivered(
    world: World, order: list[str], at_once: bool
) -> None:
    """Together or one by one, repeated or not."""
    message_id, sid = _sent(world)
    for status in order:
        _store(world, message_id, sid, status)
        if not at_once:
            receipts.run(world.services)
    receipts.run(world.services)
    assert world.message(message_id).status == "delivered"


def test_an_unregistered_campaign_told_by_a_receipt_opens_the_breaker(world: World) -> None:
    """30034 comes by callback as a rule: the row waits, and so does the sender."""
    message_id, sid = _sent(world)
    _store(world, message_id, sid, "undelivered", 30034)
    receipts.run(world.services)
    message = world.message(message_id)
    assert (message.status, message.reason, message.sid) == ("planned", "account", None)
    assert world.execute("SELECT breaker_reason FROM sender")[0][0] == "code_30034"


@pytest.mark.parametrize("late", ["queued", "sent", "failed", "undelivered"])
def test_what_is_told_late_of_a_text_that_came_back_does_not_end_its_retry(
    world: World, late: str
) -> None:
    """Callbacks come in any order; the retry was taken for gone, and the text was lost."""
    message_id, sid = _sent(world)
    _store(world, message_id, sid, "undelivered", 30008)
    receipts.run(world.services)
    assert world.message(message_id).status == "planned"
    _store(world, message_id, sid, late)
    receipts.run(world.services)
    assert world.message(message_id).status == "planned"
    world.advance(hours=1)
    world.send()
    second = world.gateway.created()[-1].sid
    message = world.message(message_id)
    assert second != sid
    assert (message.status, message.sid, message.attempts) == ("accepted", second, 2)


def test_a_text_that_arrived_after_all_is_not_sent_again(world: World) -> None:
    """Whenever that is told, and whatever was told before."""
    message_id, sid = _sent(world)
    _store(world, message_id, sid, "undelivered", 30008)
    receipts.run(world.services)
    _store(world, message_id, sid, "delivered")
    receipts.run(world.services)
    assert world.message(message_id).status == "delivered"
    world.advance(hours=1)
    world.send()
    assert len(world.gateway.created()) == 1


def test_a_text_refused_for_now_by_a_receipt_is_tried_later_and_not_for_ever(world: World) -> None:
    """30008 says once more; the third time it is over."""
    message_id, sid = _sent(world)
    for _ in range(4):
        _store(world, message_id, sid, "failed", 30008)
        receipts.run(world.services)
        if world.message(message_id).status != "planned":
            break
        world.advance(hours=1)
        world.send()
        created = world.gateway.created()
        sid = created[-1].sid
        rows = world.attempts(message_id)
        assert len(created) == len(rows) <= 3
    assert world.message(message_id).status == "failed"


def _one_of_two_lost(world: World) -> tuple[UUID, UUID, str]:
    """Send a text that is taken and one whose answer is lost; return both, and the first's SID."""
    taken, lost = world.due(2)
    world.gateway.script(lose_answer(creates=False), to=phone_of(1))
    world.send()
    assert (world.message(taken).status, world.message(lost).status) == ("accepted", "unknown")
    return taken, lost, world.message(taken).sid or ""


def test_a_receipt_with_another_texts_sid_goes_to_that_one_and_holds_no_other(
    world: World,
) -> None:
    """A look at the list gave one of two equal texts the SID whose receipt names the other."""
    taken, lost, sid = _one_of_two_lost(world)
    _store(world, lost, sid, "delivered")
    ids = world.due(2)
    world.send()
    for each in ids:
        _store(world, each, world.message(each).sid or "", "delivered")
    for _ in range(2):
        receipts.run(world.services)
    assert {world.message(each).status for each in [taken, *ids]} == {"delivered"}
    assert world.message(lost).status == "unknown"
    assert world.execute("SELECT count(*) FROM receipt WHERE applied_at IS NULL") == [(0,)]


def test_a_receipt_that_no_text_can_take_is_set_aside_and_its_row_stays(world: World) -> None:
    """Another clinic's text has its SID: it is applied to nothing, once."""
    _, lost, _ = _one_of_two_lost(world)
    sid, starts_at = "SM" + "7" * 32, world.now
    with world.database.transaction() as session:
        clinic_id, sender_id = make_clinic(session, key="other", number="+12125550119")
        people = make_patients(session, world.vault, clinic_id, 1, first=5)
        visits = make_visits(session, world.vault, clinic_id, people, starts_at)
        values = {"due_at": world.now, "starts_at": starts_at, "sid": sid, "status": "delivered"}
        make_due(session, clinic_id, sender_id, people, visits, **values)
    _store(world, lost, sid, "delivered")
    receipts.run(world.services)
    assert world.message(lost).status == "unknown"
    [row] = world.execute("SELECT message_id, applied_at FROM receipt")
    assert row == (lost, world.now)
