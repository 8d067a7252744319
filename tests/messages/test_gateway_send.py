"""The result table of a send, over the real client, a hostile carrier and two event loops."""

import asyncio
import gc
import logging
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp.abc import AbstractResolver
from hypothesis import given
from hypothesis import strategies as st

from messages.gateway import (
    Accepted,
    NotProcessed,
    OutboundText,
    OutcomeUnknown,
    Refused,
    SendOutcome,
)
from messages.gateways import fake
from messages.gateways.http import Timeouts
from messages.gateways.twilio import _create_form
from tests.messages import scripted_carrier as scripted
from tests.messages.gateway_under_test import ACCOUNT, QUICK, TEXT, gateway_to, send
from tests.messages.scripted_carrier import SID, Behaviour, answers, carrier

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return "asyncio", {"use_uvloop": request.param}


def envelope(code: int, status: int) -> Behaviour:
    told = f"The 'To' number {TEXT.to} is not valid"
    body = {"code": code, "message": told, "more_info": "https://x", "status": status}
    return answers(status, body)


# What the carrier does, what the same is called in the fake, and what we make of it.
TABLE: dict[str, tuple[Behaviour, fake.Script, SendOutcome]] = {
    "created": (scripted.accept, fake.ACCEPT, Accepted(sid=SID, status="queued", segments=1)),
    "refused": (
        envelope(21211, 400),
        fake.refuse(21211),
        Refused(code=21211, http_status=400),
    ),
    "opted out": (
        envelope(21610, 400),
        fake.refuse(21610),
        Refused(code=21610, http_status=400),
    ),
    "bad credentials": (
        envelope(20003, 401),
        fake.refuse(20003, 401),
        Refused(code=20003, http_status=401),
    ),
    "account forbidden": (
        envelope(20005, 403),
        fake.refuse(20005, 403),
        Refused(code=20005, http_status=403),
    ),
    "wrong path": (
        envelope(20404, 404),
        fake.refuse(20404, 404),
        Refused(code=20404, http_status=404),
    ),
    "refused by RFC 9457": (
        answers(400, {"type": "https://x", "title": "Bad", "status": 400, "code": 21602}),
        fake.refuse(21602),
        Refused(code=21602, http_status=400),
    ),
    "refused with a code that no column holds": (
        envelope(2**31, 400),
        fake.refuse(None),
        Refused(code=None, http_status=400),
    ),
    "refused without an envelope": (
        answers(403, "<html>Forbidden</html>"),
        fake.refuse(None, 403),
        Refused(code=None, http_status=403),
    ),
    "throttled": (
        answers(429, {"code": 20429}, {"Retry-After": "2"}),
        fake.throttle(2.0),
        NotProcessed(reason="throttled", retry_after=2.0),
    ),
    "throttled until a date": (
        answers(
            429,
            "",
            {
                "Date": "Mon, 23 Nov 2026 17:00:00 GMT",
                "Retry-After": "Mon, 23 Nov 2026 17:00:07 GMT",
            },
        ),
        fake.throttle(7.0),
        NotProcessed(reason="throttled", retry_after=7.0),
    ),
    "throttled with nonsense": (
        answers(429, "", {"Retry-After": "nan"}),
        fake.throttle(),
        NotProcessed(reason="throttled"),
    ),
    "request timed out at a front end": (
        answers(408, "<html>"),
        fake.lose_answer(creates=False, reason="unexpected_status", http_status=408),
        OutcomeUnknown(reason="unexpected_status", http_status=408),
    ),
    "redirected": (
        answers(307, "", {"Location": "/elsewhere"}),
        fake.lose_answer(creates=False, reason="unexpected_status", http_status=307),
        OutcomeUnknown(reason="unexpected_status", http_status=307),
    ),
    **{
        f"server error {status}": (
            answers(status, {"code": 20500, "message": "x", "status": status}),
            fake.lose_answer(creates=True, reason="server_error", http_status=status),
            OutcomeUnknown(reason="server_error", http_status=status),
        )
        for status in (500, 502, 503, 504)
    },
    "HTML 200": (
        answers(200, "<html>Welcome to the hotel Wi-Fi</html>"),
        fake.lose_answer(creates=False, reason="garbled", http_status=200),
        OutcomeUnknown(reason="garbled", http_status=200),
    ),
    "truncated JSON": (
        answers(201, '{"sid": "SM111'),
        fake.lose_answer(creates=True, reason="garbled", http_status=201),
        OutcomeUnknown(reason="garbled", http_status=201),
    ),
    "bytes that are no text": (
        answers(201, b"\xff\xfe\x00\xd8"),
        fake.lose_answer(creates=True, reason="garbled", http_status=201),
        OutcomeUnknown(reason="garbled", http_status=201),
    ),
    "201 without a sid": (
        answers(201, {"status": "queued"}),
        fake.lose_answer(creates=True, reason="no_sid", http_status=201),
        OutcomeUnknown(reason="no_sid", http_status=201),
    ),
    "201 with a sid of something else": (
        answers(201, {"sid": "CA" + "1" * 32}),
        fake.lose_answer(creates=True, reason="no_sid", http_status=201),
        OutcomeUnknown(reason="no_sid", http_status=201),
    ),
    "empty 201": (
        answers(201, ""),
        fake.lose_answer(creates=True, reason="garbled", http_status=201),
        OutcomeUnknown(reason="garbled", http_status=201),
    ),
    "read timeout": (
        scripted.hang,
        fake.lose_answer(creates=True),
        OutcomeUnknown(reason="timeout"),
    ),
    "dripping head": (
        scripted.drip,
        fake.lose_answer(creates=True),
        OutcomeUnknown(reason="timeout"),
    ),
    "dripping body": (
        scripted.drip_body,
        fake.lose_answer(creates=True, http_status=201),
        OutcomeUnknown(reason="timeout", http_status=201),
    ),
    "closed after the request": (
        scripted.disconnect,
        fake.lose_answer(creates=True, reason="disconnected"),
        OutcomeUnknown(reason="disconnected"),
    ),
    "reset after the request": (
        scripted.reset,
        fake.lose_answer(creates=True, reason="disconnected"),
        OutcomeUnknown(reason="disconnected"),
    ),
    "half an answer": (
        scripted.half_an_answer,
        fake.lose_answer(creates=True, reason="truncated", http_status=201),
        OutcomeUnknown(reason="truncated", http_status=201),
    ),
    "reset in the answer": (
        scripted.reset_in_the_answer,
        fake.lose_answer(creates=True, reason="truncated", http_status=201),
        OutcomeUnknown(reason="truncated", http_status=201),
    ),
    "nonsense": (
        scripted.nonsense,
        fake.lose_answer(creates=True, reason="garbled"),
        OutcomeUnknown(reason="garbled"),
    ),
}


# Long enough that a machine that stalls for a second has still written the request.
AWAITED = Timeouts(connect=5, read=1.2, total=1.8)


@pytest.mark.parametrize("row", TABLE)
async def test_every_answer_becomes_the_outcome_of_the_table(row, caplog):
    """One request is written, whatever happens to it, and its outcome is the table's."""
    caplog.set_level(logging.DEBUG)
    behaviour, _, expected = TABLE[row]
    # Short limits only where one is awaited: a busy machine must not turn an answer into silence.
    waits = isinstance(expected, OutcomeUnknown) and expected.reason == "timeout"
    limits = AWAITED if waits else Timeouts()
    async with carrier() as there, gateway_to(there.url, timeouts=limits) as gateway:
        there.will(behaviour)
        outcome = await send(gateway)
        await asyncio.sleep(0.02)
        assert len(there.requests) == 1
    assert outcome == expected
    assert TEXT.to[-4:] not in caplog.text
    assert "Riverside" not in caplog.text + repr(outcome)


@pytest.mark.parametrize("row", TABLE)
def test_the_fake_speaks_the_same_outcomes(row):
    """What the real gateway can return, the fake can be told to return."""
    _, script, expected = TABLE[row]
    gateway = fake.FakeGateway(clock=lambda: datetime(2026, 11, 23, 17, tzinfo=UTC))
    gateway.script(script)
    outcome = asyncio.run(gateway.send(TEXT, write_before=time.monotonic() + 5))
    if isinstance(expected, Accepted):
        assert isinstance(outcome, Accepted)
    else:
        assert outcome == expected


async def test_the_request_is_the_one_twilio_documents():
    """The form, path, credentials and headers arrive as the API wants them."""
    async with carrier() as there, gateway_to(there.url + "/prefix/") as gateway:
        await send(gateway)
    [request] = there.requests
    assert request.method == "POST"
    assert request.path == f"/prefix/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert request.form == {
        "To": TEXT.to,
        "Body": TEXT.body,
        "ValidityPeriod": "3600",
        "MessagingServiceSid": TEXT.messaging_service_sid,
        "StatusCallback": TEXT.status_callback,
    }
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["user-agent"].startswith("twilio-python/")


async def test_a_sender_number_goes_as_from():
    """A clinic without a messaging service sends from a number."""
    text = OutboundText(to=TEXT.to, body="Hi", from_number="+12125550110", validity_seconds=60)
    async with carrier() as there, gateway_to(there.url) as gateway:
        await gateway.send(text, write_before=time.monotonic() + 5)
    form = {"To": TEXT.to, "Body": "Hi", "ValidityPeriod": "60", "From": "+12125550110"}
    assert there.requests[0].form == form


async def test_a_refused_connection_was_not_processed():
    """Nobody listens: the text may be tried again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with gateway_to(url) as gateway:
            assert await send(gateway) == NotProcessed(reason="refused_connection")


class NoSuchName(AbstractResolver):
    """A resolver that knows no name, so that the test asks no name server."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self):
        pass


class SlowResolver(NoSuchName):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("resolver", "reason"), [(NoSuchName, "dns"), (SlowResolver, "connect_timeout")]
)
async def test_an_unknown_host_was_not_processed(resolver, reason):
    """The name does not resolve, or not in time: the text may be tried again."""
    async with gateway_to("http://carrier.invalid", timeouts=QUICK) as gateway:
        gateway._http._open().creates.connector._resolver = resolver()
        assert await send(gateway) == NotProcessed(reason=reason)


async def test_a_certificate_we_do_not_trust_was_not_processed(tmp_path):
    """TLS fails before the request: nothing was sent."""
    async with carrier(scripted.self_signed(tmp_path)) as there, gateway_to(there.url) as gateway:
        assert await send(gateway) == NotProcessed(reason="tls")
        assert there.bytes_received == 0


async def test_a_handshake_that_never_ends_was_not_processed():
    """A TLS handshake that hangs runs into the connect limit, and nothing was sent."""
    async with carrier() as there:
        there.on_connect = scripted.hang
        url = there.url.replace("http:", "https:")
        async with gateway_to(url, timeouts=QUICK) as gateway:
            assert await send(gateway) == NotProcessed(reason="connect_timeout")


async def test_a_full_pool_was_not_processed():
    """More sends than connections wait for one, and give up before anything was written."""
    settings = {"in_flight": 1, "timeouts": QUICK}
    async with carrier() as there, gateway_to(there.url, **settings) as gateway:
        there.will(scripted.drip)
        first, second = await asyncio.gather(send(gateway), send(gateway))
        assert first == OutcomeUnknown(reason="timeout")
        assert second == NotProcessed(reason="connect_timeout")
        assert len(there.requests) == 1


async def test_an_urgent_text_and_a_list_wait_for_no_connection_of_other_texts():
    """Each of these waits for a carrier that has become slow: danger is answered, and heard of."""
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def slow(peer):
        asked.set()
        await let_go.wait()
        await scripted.accept(peer)

    async with carrier() as there, gateway_to(there.url, in_flight=1) as gateway:
        there.will(slow, scripted.accept, answers(200, {"messages": []}))
        first = asyncio.create_task(send(gateway))
        await asked.wait()
        urgent = replace(TEXT, urgent=True)
        outcome = await gateway.send(urgent, write_before=time.monotonic() + 5)
        assert isinstance(outcome, Accepted)
        assert await gateway.find(to=TEXT.to) == []
        assert not first.done()
        let_go.set()
        assert isinstance(await first, Accepted)


async def test_a_closed_gateway_sends_nothing():
    """After closing, and after closing twice, a send is not processed."""
    async with carrier() as there:
        async with gateway_to(there.url) as gateway:
            await send(gateway)
            await gateway.close()
            assert await send(gateway) == NotProcessed(reason="closed")
        assert len(there.requests) == 1
    gc.collect()


async def test_the_environment_does_not_steer_where_texts_go(monkeypatch):
    """Proxies, regions, edges and netrc files of the machine are not heeded."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    async with carrier() as there, gateway_to(there.url) as gateway:
        assert isinstance(await send(gateway), Accepted)
        there.will(answers(200, {"messages": []}))
        assert await gateway.find(to=TEXT.to) == []


async def test_half_a_surrogate_pair_is_refused_here():
    """A body that is no text is our own definite no, and nothing is sent."""
    text = OutboundText(to=TEXT.to, body="\ud83d", from_number="+12125550110", validity_seconds=60)
    async with carrier() as there, gateway_to(there.url) as gateway:
        outcome = await gateway.send(text, write_before=time.monotonic() + 5)
        assert outcome == Refused(code=21618, http_status=0)
        assert there.connections == 0


def test_no_value_shows_a_number_or_a_body():
    """What ends up in logs holds neither."""
    assert TEXT.to not in repr(TEXT)
    assert "Riverside" not in repr(TEXT)


def _parsed(form: bytes) -> dict[str, str]:
    return dict(scripted.parse_qsl(form.decode("ascii"), keep_blank_values=True))


@given(body=st.text(st.characters(exclude_categories=["Cs"])), callback=st.text(min_size=1))
def test_any_body_survives_the_form(body, callback):
    """Whatever the letters, the carrier reads what we wrote."""
    if any(0xD800 <= ord(letter) < 0xE000 for letter in callback):
        return
    text = OutboundText(to=TEXT.to, body=body, status_callback=callback, validity_seconds=60)
    assert _parsed(_create_form(text)) == {
        "To": TEXT.to,
        "Body": body,
        "ValidityPeriod": "60",
        "StatusCallback": callback,
    }
