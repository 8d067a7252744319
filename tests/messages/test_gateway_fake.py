"""The shipped in-memory carrier, on which the flow's tests and the simulator stand."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.gateway import (
    Accepted,
    CarrierUnavailable,
    Gateway,
    NotProcessed,
    OutboundText,
    OutcomeUnknown,
    Refused,
    SendOutcome,
)
from messages.gateways.fake import (
    ACCEPT,
    FakeGateway,
    Script,
    lose_answer,
    refuse,
    throttle,
    unreachable,
)

START = datetime(2026, 11, 23, 17, tzinfo=UTC)
ANN, BOB, CLINIC = "+12125550100", "+12125550101", "+12125550110"


class Clock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - START).total_seconds()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def fake(**settings) -> tuple[FakeGateway, Clock]:
    clock = Clock()
    return FakeGateway(clock=clock, monotonic=clock.seconds, **settings), clock


def send(gateway: Gateway, to: str = ANN, *, write_before: float = 1e9) -> SendOutcome:
    text = OutboundText(to=to, body="Hi", from_number=CLINIC, validity_seconds=60)
    return asyncio.run(gateway.send(text, write_before=write_before))


def test_a_send_is_accepted_and_listed():
    """Unscripted, the carrier takes a text, and its list shows it."""
    gateway, _ = fake()
    outcome = send(gateway)
    [listed] = asyncio.run(gateway.find(to=ANN))
    assert outcome == Accepted(sid=listed.sid, status="queued")
    assert (listed.body, listed.from_number, listed.created_at) == ("Hi", CLINIC, START)
    assert asyncio.run(gateway.find(to=BOB)) == []


def test_scripts_go_by_recipient_then_anybody_then_standing():
    """The most particular script wins, and each queued one is used once."""
    gateway, _ = fake()
    gateway.always(ANN, refuse(21610))
    gateway.script(throttle(3.0))
    gateway.script(unreachable("dns"), to=ANN)
    assert send(gateway) == NotProcessed(reason="dns")
    assert send(gateway) == NotProcessed(reason="throttled", retry_after=3.0)
    assert send(gateway) == Refused(code=21610, http_status=400)
    assert isinstance(send(gateway, BOB), Accepted)
    gateway.always(ANN, None)
    assert isinstance(send(gateway), Accepted)


@pytest.mark.parametrize("creates", [True, False])
def test_a_lost_answer_says_nothing_about_the_ledger(creates):
    """The caller hears the same whether the message exists or not."""
    gateway, _ = fake()
    gateway.script(lose_answer(creates=creates))
    assert send(gateway) == OutcomeUnknown(reason="timeout")
    assert len(gateway.created(ANN)) == creates
    assert len(gateway.calls) == 1


def test_past_the_guard_nothing_reaches_the_carrier():
    """The guard is honoured, and uses up no script."""
    gateway, clock = fake()
    gateway.script(refuse(21211))
    clock.advance(6)
    assert send(gateway, write_before=5.0) == NotProcessed(reason="guard")
    assert (gateway.calls, gateway.created()) == ([], [])
    assert send(gateway, write_before=6.0) == Refused(code=21211, http_status=400)


def test_the_list_lags():
    """A message is at the carrier before its list shows it; a fetch by sid does not lag."""
    gateway, clock = fake(list_lag=timedelta(seconds=30))
    gateway.script(lose_answer(creates=True, appears_after=timedelta(seconds=60)))
    send(gateway)
    [made] = gateway.created()
    assert asyncio.run(gateway.fetch(made.sid)) == made
    clock.advance(89)
    assert asyncio.run(gateway.find(to=ANN)) == []
    clock.advance(1)
    assert asyncio.run(gateway.find(to=ANN)) == [made]


def test_the_list_is_newest_first_and_limited():
    """As the real one."""
    gateway, clock = fake()
    sids = []
    for _ in range(5):
        sids.append(send(gateway).sid)
        clock.advance(60)
    assert [text.sid for text in asyncio.run(gateway.find(to=ANN, limit=3))] == sids[:1:-1]


def test_an_inbound_text_is_a_webhook_and_is_listed():
    """Push and pull show the same sid."""
    gateway, clock = fake()
    send(gateway, CLINIC)
    text = gateway.receive(from_number=ANN, to=CLINIC, body="C", opt_out_type="STOP")
    assert (text.body, text.from_number, text.opt_out_type) == ("C", ANN, "STOP")
    [pulled] = asyncio.run(gateway.received(to=CLINIC, since=START))
    assert (pulled.sid, pulled.direction) == (text.sid, "inbound")
    later = START + timedelta(seconds=1)
    assert asyncio.run(gateway.received(to=CLINIC, since=later)) == []
    assert clock.now == START


def test_a_report_moves_the_ledger_and_returns_the_callback():
    """The callback and a later fetch tell the same."""
    gateway, clock = fake()
    sid = send(gateway).sid
    clock.advance(2)
    report = gateway.report(sid, "undelivered", 30003)
    assert (report.sid, report.status, report.error_code) == (sid, "undelivered", 30003)
    fetched = asyncio.run(gateway.fetch(sid))
    assert fetched is not None
    assert (fetched.status, fetched.error_code, fetched.sent_at) == ("undelivered", 30003, clock())


def test_an_outage_fails_questions():
    """Nothing may be concluded from it."""
    gateway, _ = fake()
    gateway.outage = True
    for question in (
        gateway.find(to=ANN),
        gateway.received(to=CLINIC, since=START),
        gateway.fetch("SM1"),
        gateway.redact("SM1"),
        gateway.cancel("SM1"),
    ):
        with pytest.raises(CarrierUnavailable):
            asyncio.run(question)


def test_redact_and_cancel_change_the_ledger():
    """A text can be cancelled only while the carrier holds it."""
    gateway, _ = fake()
    held, gone = send(gateway).sid, send(gateway).sid
    gateway.report(gone, "sent")
    assert asyncio.run(gateway.cancel(held))
    assert not asyncio.run(gateway.cancel(gone))
    assert not asyncio.run(gateway.cancel("SM1"))
    assert asyncio.run(gateway.redact(gone))
    assert not asyncio.run(gateway.redact("SM1"))
    assert [(text.status, text.body) for text in gateway.created()] == [
        ("canceled", "Hi"),
        ("sent", ""),
    ]


def test_a_crash_after_the_write_leaves_the_message_at_the_carrier():
    """A test can stop the sender at each point, and the ledger shows what had happened."""

    class Crashed(BaseException):
        pass

    def crash_at(point: str) -> FakeGateway:
        def crash(name: str) -> None:
            if name == point:
                raise Crashed

        gateway, _ = fake(crashpoint=crash)
        with pytest.raises(Crashed):
            send(gateway)
        return gateway

    assert len(crash_at("send.after_connect").created()) == 0
    assert len(crash_at("send.after_write").created()) == 1
    assert len(crash_at("send.after_response").created()) == 1


def test_a_closed_fake_sends_nothing():
    """As the real one."""
    gateway, _ = fake()
    asyncio.run(gateway.close())
    assert send(gateway) == NotProcessed(reason="closed")
    with pytest.raises(CarrierUnavailable):
        asyncio.run(gateway.find(to=ANN))


SCRIPTS = st.sampled_from(
    [ACCEPT, refuse(21610), throttle(), lose_answer(creates=True), lose_answer(creates=False)]
)


@given(steps=st.lists(st.tuples(st.sampled_from([ANN, BOB]), SCRIPTS), max_size=12))
def test_the_same_story_is_told_twice(steps: list[tuple[str, Script]]):
    """Two runs of one script agree in every sid and outcome; the ledger counts what was made."""

    async def story() -> tuple[list[SendOutcome], dict]:
        gateway, _ = fake()
        outcomes = []
        for to, script in steps:
            gateway.script(script, to=to)
            text = OutboundText(to=to, body="Hi", from_number=CLINIC, validity_seconds=60)
            outcomes.append(await gateway.send(text, write_before=1e9))
        return outcomes, gateway.ledger

    first, second = asyncio.run(story()), asyncio.run(story())
    assert first == second
    assert len(first[1]) == sum(script.creates for _, script in steps)
