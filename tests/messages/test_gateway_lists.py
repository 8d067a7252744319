"""What the gateway asks of the carrier: lists, fetches, redactions and cancellations."""

import logging
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone

import pytest

from messages.gateway import CarrierText, CarrierUnavailable
from messages.gateways.http import CarrierHttp, Timeouts
from messages.gateways.twilio import TwilioGateway
from tests.messages import scripted_carrier as scripted
from tests.messages.scripted_carrier import SID, ScriptedCarrier, answers, carrier

pytestmark = pytest.mark.anyio

ACCOUNT = "AC" + "0" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
PATIENT, CLINIC = "+12125550100", "+12125550110"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@asynccontextmanager
async def at_carrier(
    timeouts: Timeouts | None = None,
) -> AsyncIterator[tuple[ScriptedCarrier, TwilioGateway]]:
    async with carrier() as there:
        gateway = TwilioGateway(
            account_sid=ACCOUNT,
            auth_token="not-a-real-token",
            api_url=there.url,
            timeouts=timeouts,
        )
        try:
            yield there, gateway
        finally:
            await gateway.close()


def message(number: int, **changes) -> dict:
    return {
        "sid": f"SM{number:032x}",
        "to": PATIENT,
        "from": CLINIC,
        "messaging_service_sid": None,
        "body": f"Text {number}",
        "status": "delivered",
        "error_code": None,
        "date_created": f"Mon, 23 Nov 2026 17:{number:02}:00 +0000",
        "date_sent": f"Mon, 23 Nov 2026 17:{number:02}:05 +0000",
        "direction": "outbound-api",
        "num_segments": "1",
        **changes,
    }


def page(*messages: dict, following: str | None = None) -> dict:
    return {
        "messages": list(messages),
        "next_page_uri": following,
        "previous_page_uri": None,
        "first_page_uri": "/x",
        "page": 0,
        "page_size": 50,
        "start": 0,
        "end": 1,
        "uri": "/x",
    }


async def test_find_asks_by_recipient_without_a_date():
    """A queued text has no sent date: a date filter would hide it."""
    async with at_carrier() as (there, gateway):
        there.will(
            answers(200, page(message(1, date_sent=None, status="queued", **{"from": None})))
        )
        [found] = await gateway.find(to=PATIENT)
        [request] = there.requests
    assert (request.method, request.path) == ("GET", PATH + ".json")
    assert request.query == {"To": [PATIENT], "PageSize": ["50"]}
    assert request.headers["authorization"].startswith("Basic ")
    assert found == CarrierText(
        sid=f"SM{1:032x}",
        to=PATIENT,
        from_number=None,
        messaging_service_sid=None,
        body="Text 1",
        status="queued",
        error_code=None,
        created_at=datetime(2026, 11, 23, 17, 1, tzinfo=UTC),
        sent_at=None,
        direction="outbound-api",
        segments=1,
    )


async def test_find_follows_pages_newest_first():
    """Pages are followed at our own base address, up to the limit."""
    following = f"{PATH}.json?To=%2B12125550100&PageSize=2&Page=1&PageToken=PASM2"
    async with at_carrier() as (there, gateway):
        there.will(
            answers(200, page(message(3), message(5), following=following)),
            answers(200, page(message(4), message(1))),
        )
        found = await gateway.find(to=PATIENT)
        assert there.requests[1].query["PageToken"] == ["PASM2"]
    assert [text.body for text in found] == ["Text 5", "Text 4", "Text 3", "Text 1"]


async def test_find_stops_at_the_limit():
    """No page is asked for beyond what the caller wants."""
    async with at_carrier() as (there, gateway):
        there.will(answers(200, page(message(3), message(2), following=PATH + ".json?Page=1")))
        assert len(await gateway.find(to=PATIENT, limit=2)) == 2
        assert there.requests[0].query["PageSize"] == ["2"]
        assert len(there.requests) == 1


async def test_find_leaves_out_what_came_in():
    """Only what was sent can settle what we may have sent."""
    async with at_carrier() as (there, gateway):
        there.will(answers(200, page(message(1, direction="inbound"), message(2))))
        assert [text.body for text in await gateway.find(to=PATIENT)] == ["Text 2"]


async def test_received_asks_for_whole_days_and_filters_the_rest():
    """The carrier knows days in GMT; what is older on the same day is dropped here."""
    eastern = timezone(timedelta(hours=-5))
    since = datetime(2026, 11, 22, 22, 10, tzinfo=eastern)  # The 23rd at 03:10 in GMT.
    inbound = {"direction": "inbound", "to": CLINIC, "from": PATIENT, "status": "received"}
    before = message(1, **inbound) | {"date_sent": "Mon, 23 Nov 2026 03:09:59 +0000"}
    at = message(2, **inbound) | {"date_sent": "Mon, 23 Nov 2026 03:10:00 +0000"}
    undated = message(3, **inbound) | {"date_sent": None, "date_created": None}
    async with at_carrier() as (there, gateway):
        there.will(answers(200, page(before, at, undated, message(4, to=CLINIC))))
        found = await gateway.received(to=CLINIC, since=since)
        assert there.requests[0].query == {
            "To": [CLINIC],
            "DateSent>": ["2026-11-23"],
            "PageSize": ["1000"],
        }
    assert [text.body for text in found] == ["Text 2", "Text 3"]


FAILURES = {
    "server error": (answers(500, {"code": 20500, "message": f"about {PATIENT}"}), 500),
    "bad credentials": (answers(401, {"code": 20003, "message": "no", "status": 401}), 401),
    "throttled": (answers(429, {"code": 20429, "message": "no", "status": 429}), 429),
    "RFC 9457": (answers(503, {"type": "t", "title": PATIENT, "status": 503, "code": 1}), 503),
    "HTML": (answers(200, "<html>"), None),
    "not a list": (answers(200, {"a": 1, "b": 2}), None),
    "bad date": (answers(200, page(message(1, date_created="Mon, 99 Nov 2026 17:00:00"))), None),
    "silence": (scripted.hang, None),
    "nonsense": (scripted.nonsense, None),
}


QUESTIONS = ["find", "received", "fetch", "redact", "cancel"]
# What is told in answer to a redaction or a cancellation is not read any further.
ASKED = [
    (row, question)
    for row in FAILURES
    for question in QUESTIONS
    if not (row == "not a list" and question in ("redact", "cancel"))
]


@pytest.mark.parametrize(("row", "question"), ASKED)
async def test_a_failed_question_is_carrier_unavailable(row, question, caplog):
    """Nothing may be concluded from an error, and the error gives nobody away."""
    caplog.set_level(logging.DEBUG)
    behaviour, status = FAILURES[row]
    since = datetime(2026, 11, 23, tzinfo=UTC)
    limits = Timeouts(read=0.2) if row == "silence" else None
    async with at_carrier(limits) as (there, gateway):
        if row == "bad date" and question not in ("find", "received"):
            behaviour = answers(200, message(1, date_created="Mon, 99 Nov 2026 17:00:00"))
        # aiohttp asks a second time when the connection breaks, which is harmless for a question.
        there.will(behaviour, behaviour)
        asked = {
            "find": lambda: gateway.find(to=PATIENT),
            "received": lambda: gateway.received(to=CLINIC, since=since),
            "fetch": lambda: gateway.fetch(SID),
            "redact": lambda: gateway.redact(SID),
            "cancel": lambda: gateway.cancel(SID),
        }
        with pytest.raises(CarrierUnavailable) as raised:
            await asked[question]()
    assert raised.value.http_status == status
    assert (raised.value.reason == "timeout") == (row == "silence")
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    told = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert "5550100" not in told
    assert "Text 1" not in told


async def test_a_refused_connection_is_carrier_unavailable():
    """The reason names the phase."""
    gateway = TwilioGateway(
        account_sid=ACCOUNT, auth_token="x", api_url="http://127.0.0.1:1", timeouts=Timeouts()
    )
    with pytest.raises(CarrierUnavailable, match="refused_connection"):
        await gateway.find(to=PATIENT)
    await gateway.close()


async def test_a_closed_gateway_is_carrier_unavailable():
    """After closing, nothing is asked."""
    async with at_carrier() as (there, gateway):
        await gateway.close()
        with pytest.raises(CarrierUnavailable):
            await gateway.find(to=PATIENT)
        assert there.connections == 0


async def test_fetch_returns_one_message_or_none():
    """A sid nobody knows is no error."""
    async with at_carrier() as (there, gateway):
        there.will(
            answers(200, message(7, status="undelivered", error_code=30003)),
            answers(404, {"code": 20404, "message": "not found", "status": 404}),
        )
        found = await gateway.fetch(SID)
        assert found is not None
        assert (found.status, found.error_code) == ("undelivered", 30003)
        assert await gateway.fetch(SID) is None
        assert there.requests[0].path == f"{PATH}/{SID}.json"


async def test_what_is_no_sid_is_never_put_in_an_address():
    """A sid out of a callback goes into a path only if it is one."""
    async with at_carrier() as (there, gateway):
        for odd in ("", "SM1", "../Calls", SID + "/Media", SID + "\n"):
            assert await gateway.fetch(odd) is None
            assert not await gateway.redact(odd)
            assert not await gateway.cancel(odd)
        assert there.connections == 0


async def test_redact_and_cancel_say_what_twilio_wants():
    """An empty body redacts, a status of canceled cancels."""
    async with at_carrier() as (there, gateway):
        there.will(answers(200, message(1)), answers(200, message(1)))
        assert await gateway.redact(SID)
        assert await gateway.cancel(SID)
        assert [request.form for request in there.requests] == [
            {"Body": ""},
            {"Status": "canceled"},
        ]
        assert {request.path for request in there.requests} == {f"{PATH}/{SID}.json"}


async def test_too_late_to_cancel_is_no_error():
    """30409 means the text is on its way."""
    async with at_carrier() as (there, gateway):
        there.will(answers(400, {"code": 30409, "message": "too late", "status": 400}))
        assert not await gateway.cancel(SID)


async def test_nothing_of_the_last_request_is_kept():
    """The SDK's own client keeps the last request and answer in memory; ours does not."""
    async with at_carrier() as (there, gateway):
        there.will(answers(200, page(message(1))))
        await gateway.find(to=PATIENT)
        assert gateway._http._test_only_last_request is None
        assert gateway._http._test_only_last_response is None


async def test_pages_without_end_are_given_up(monkeypatch):
    """A carrier whose pages never end does not hold a worker for ever."""
    monkeypatch.setattr("messages.gateways.asking.LIST_SECONDS", 0.3)
    async with at_carrier() as (there, gateway):
        endless = scripted.slowly(0.02, answers(200, page(following=PATH + ".json?Page=1")))
        there.will(*[endless] * 100)
        started = time.monotonic()
        with pytest.raises(CarrierUnavailable):
            await gateway.find(to=PATIENT)
        assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("api_url", "host"),
    [
        ("https://api.twilio.com", "https://messaging.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", "https://messaging.dublin.ie1.twilio.com"),
        ("http://127.0.0.1:9099", "http://127.0.0.1:9099"),
    ],
)
def test_services_are_asked_for_beside_the_api(api_url, host):
    """At Twilio on another host, in the sandbox on the same one; never anywhere else."""
    http = CarrierHttp(api_url=api_url)
    path = "/v1/Services/MG1"
    assert str(http._rewritten(f"https://messaging.twilio.com{path}", None)) == host + path
    with pytest.raises(ValueError, match="outside"):
        http._rewritten(f"https://messaging.twilio.com.evil.test{path}", None)
