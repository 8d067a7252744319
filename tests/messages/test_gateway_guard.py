"""The write guard: past it no byte of a request leaves, however the time went by."""

import asyncio
import time

import pytest

from messages.gateway import Accepted, NotProcessed, SendOutcome
from messages.gateways.http import CarrierHttp, GuardedBody, GuardPassed
from messages.gateways.twilio import TwilioGateway
from tests.messages import scripted_carrier as scripted
from tests.messages.gateway_under_test import ACCOUNT, TEXT, TOKEN, gateway_to, send
from tests.messages.scripted_carrier import carrier

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return "asyncio", {"use_uvloop": request.param}


async def test_past_the_guard_no_connection_is_even_opened():
    """A text that is late before it starts costs the carrier nothing."""
    async with carrier() as there, gateway_to(there.url) as gateway:
        assert await send(gateway, within=-0.001) == NotProcessed(reason="guard")
        assert there.connections == 0


async def test_the_guard_is_checked_after_waiting_for_a_connection():
    """Acquiring the connection took longer than the guard: no byte of the request goes out."""
    async with carrier() as there, gateway_to(there.url, in_flight=1) as gateway:
        there.will(scripted.slowly(1))
        first = asyncio.create_task(send(gateway))
        await asyncio.sleep(0.5)
        before = there.bytes_received
        second = await send(gateway, within=0.05)
        assert isinstance(await first, Accepted)
        await asyncio.sleep(0.02)
        assert second == NotProcessed(reason="guard")
        assert len(there.requests) == 1
        assert there.bytes_received == before


async def test_the_guard_is_checked_after_a_slow_handshake(tmp_path):
    """A new connection that was slow to come up is not written to past the guard."""
    trusted = scripted.self_signed(tmp_path)
    async with carrier(trusted) as there:
        gateway = TwilioGateway(account_sid=ACCOUNT, auth_token=TOKEN, api_url=there.url)
        session = gateway._http._open().creates
        session.connector._ssl = scripted.trusting(tmp_path)
        # The stall is in our own loop: the handshake is through, and then the process freezes.
        gateway._http.crashpoint = lambda name: (
            time.sleep(0.1) if name == "send.after_connect" else None
        )
        assert await send(gateway, within=0.05) == NotProcessed(reason="guard")
        await gateway.close()
        await asyncio.sleep(0.02)
        assert (there.connections, there.bytes_received) == (1, 0)


async def test_a_frozen_process_writes_nothing_past_the_guard():
    """The last check comes after the connection is there: time that passed before it counts."""
    now = [0.0]

    def freeze(name: str) -> None:
        if name == "send.after_connect":
            now[0] += 6.0

    async with (
        carrier() as there,
        gateway_to(there.url, crashpoint=freeze, monotonic=lambda: now[0]) as gateway,
    ):
        outcome = await gateway.send(TEXT, write_before=5.0)
        await asyncio.sleep(0.02)
        assert outcome == NotProcessed(reason="guard")
        assert (there.connections, there.bytes_received) == (1, 0)


async def test_guarded_sends_leave_the_pool_usable():
    """A stopped write costs its connection, not its place in the pool."""
    now = [0.0]
    late = [True]

    def freeze(name: str) -> None:
        if name == "send.after_connect" and late[0]:
            now[0] += 6.0

    async with (
        carrier() as there,
        gateway_to(there.url, in_flight=2, crashpoint=freeze, monotonic=lambda: now[0]) as gateway,
    ):
        for _ in range(5):
            outcome = await gateway.send(TEXT, write_before=now[0] + 5)
            assert outcome == NotProcessed(reason="guard")
        late[0] = False
        assert isinstance(await gateway.send(TEXT, write_before=now[0] + 5), Accepted)
        assert len(there.requests) == 1


async def test_crashpoints_come_in_order():
    """Each point is passed once, and the carrier has the request only after the write."""
    passed: list[tuple[str, int]] = []
    async with carrier() as there:
        note = lambda name: passed.append((name, len(there.requests)))  # noqa: E731
        async with gateway_to(there.url, crashpoint=note) as gateway:
            await send(gateway)
    assert passed == [
        ("send.after_connect", 0),
        ("send.after_write", 0),
        ("send.after_response", 1),
    ]


async def test_a_connection_the_carrier_closed_between_texts_is_not_used():
    """An idle connection that went away is noticed before the next text, not by losing it."""
    async with carrier() as there, gateway_to(there.url) as gateway:
        there.will(scripted.accept_then_close)
        assert isinstance(await send(gateway), Accepted)
        await asyncio.sleep(0.02)
        assert isinstance(await send(gateway), Accepted)
        assert there.connections == 2


async def test_a_cancelled_send_leaves_no_connection_behind():
    """A cancellation is passed on, and its connection is closed."""
    async with carrier() as there, gateway_to(there.url, in_flight=1) as gateway:
        there.will(scripted.hang)
        task = asyncio.create_task(send(gateway))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(await send(gateway), Accepted)
        assert there.connections == 2


async def test_a_cancellation_before_the_write_writes_nothing():
    """Once the caller is gone, a writer that was only scheduled stays silent."""
    async with carrier() as there:
        task: asyncio.Task[SendOutcome]
        stop = lambda name: task.cancel() if name == "send.after_connect" else None  # noqa: E731
        async with gateway_to(there.url, in_flight=1) as gateway:
            await send(gateway)
            seen = there.bytes_received
            gateway._http.crashpoint = stop
            task = asyncio.create_task(send(gateway))
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.02)
            # The cancellation came in the very step that writes: all of it went, or nothing.
            assert len(there.requests) in (1, 2)
            assert (there.bytes_received == seen) == (len(there.requests) == 1)


class OpenWriter:
    """A writer over an open connection; it notes what it was given, and may break."""

    def __init__(self, breaks: bool = False) -> None:
        self.transport = self
        self.given: list[bytes] = []
        self._breaks = breaks

    def is_closing(self) -> bool:
        return False

    async def write(self, chunk: bytes) -> None:
        self.given.append(chunk)
        if self._breaks:
            raise ConnectionResetError


def guarded_body() -> GuardedBody:
    client = CarrierHttp(api_url="http://127.0.0.1:1")
    return GuardedBody(b"To=1", time.monotonic() + 5, client)


async def test_a_sealed_body_is_never_written():
    """Once the outcome is told, a writer that was only scheduled writes nothing."""
    body, writer = guarded_body(), OpenWriter()
    body.seal()
    with pytest.raises(GuardPassed):
        await body.write_with_length(writer, None)
    assert (body.written, writer.given) == (False, [])


async def test_a_write_that_breaks_counts_as_written():
    """Some of it may have left: only a write that was never begun is provably none."""
    body, writer = guarded_body(), OpenWriter(breaks=True)
    with pytest.raises(ConnectionResetError):
        await body.write_with_length(writer, None)
    assert (body.written, writer.given) == (True, [b"To=1"])


async def test_a_closing_connection_is_not_written_to():
    """A connection lost between acquiring and writing costs no unknown outcome."""
    body, writer = guarded_body(), OpenWriter()
    writer.is_closing = lambda: True
    with pytest.raises(GuardPassed):
        await body.write_with_length(writer, None)
    assert (body.written, body.stopped) == (False, "connection_lost")


async def test_a_hundred_at_once_are_each_written_once():
    """The pool carries as many sends as it has connections, and each is one request."""
    async with carrier() as there, gateway_to(there.url, in_flight=100) as gateway:
        there.will(*[scripted.slowly(0.05)] * 100)
        outcomes = await asyncio.gather(*(send(gateway) for _ in range(100)))
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert len(there.requests) == 100
