"""The carrier's lists of numbers that were given up: an address first, then a file elsewhere."""

from datetime import date

import pytest

from messages.gateway import CarrierUnavailable
from messages.gateways.http import CarrierHttp
from tests.messages.gateway_under_test import QUICK, gateway_to
from tests.messages.scripted_carrier import ScriptedCarrier, answers, carrier

pytestmark = pytest.mark.anyio

DAY = date(2026, 11, 29)
FILE = "12125550100\n+12125550101\n2125550102\r\n\nnumber\n"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def _leads_to(there: ScriptedCarrier, path: str = "/file.txt?signature=a%2Fb"):
    return answers(307, {"redirect_to": there.url + path})


async def _read(there: ScriptedCarrier) -> list[str] | None:
    async with gateway_to(there.url, timeouts=QUICK) as gateway:
        listed = await gateway.deactivated(day=DAY)
        return None if listed is None else list(listed)


async def _fails(there: ScriptedCarrier) -> CarrierUnavailable:
    with pytest.raises(CarrierUnavailable) as raised:
        await _read(there)
    return raised.value


async def test_a_day_is_asked_for_and_its_file_read():
    """Numbers come as E.164 however a line writes them; what is none is left out."""
    async with carrier() as there:
        there.will(_leads_to(there), answers(200, FILE))
        assert await _read(there) == ["+12125550100", "+12125550101", "+12125550102"]
        asked, file = there.requests
        assert (asked.path, asked.query) == ("/v1/Deactivations", {"Date": ["2026-11-29"]})
        assert (file.path, file.query) == ("/file.txt", {"signature": ["a/b"]})


async def test_the_file_is_asked_for_without_our_credentials():
    """It lies on somebody else's host."""
    async with carrier() as there:
        there.will(_leads_to(there), answers(200, FILE))
        await _read(there)
        asked, file = there.requests
        names = [{name.lower() for name in each.headers} for each in (asked, file)]
        assert ["authorization" in each for each in names] == [True, False]


async def test_an_empty_file_is_an_empty_list():
    """On some day nobody may give up a number."""
    async with carrier() as there:
        there.will(_leads_to(there), answers(200, "\n"))
        assert await _read(there) == []


@pytest.mark.parametrize("code", [30113, 30114])
async def test_a_day_without_a_list_is_none(code):
    """Too old, or not there yet: that is no trouble of the carrier's."""
    async with carrier() as there:
        there.will(answers(400, {"code": code, "status": 400, "message": "m"}))
        assert await _read(there) is None


async def test_a_refusal_is_no_empty_list():
    """Bad credentials must not count as a day on which nobody was listed."""
    async with carrier() as there:
        there.will(answers(401, {"code": 20003, "status": 401, "message": "m"}))
        assert (await _fails(there)).http_status == 401


@pytest.mark.parametrize(
    ("status", "file", "reason"),
    [
        (403, "<Error><Code>AccessDenied</Code></Error>", "file refused"),
        (200, "<Error><Code>AccessDenied</Code></Error>", "the answer could not be read"),
        (302, "", "file refused"),
    ],
    ids=["refused", "no numbers", "another redirect"],
)
async def test_a_file_that_is_no_list_is_no_empty_list(status, file, reason):
    """What a store of files says instead is trouble, and no redirect is followed."""
    async with carrier() as there:
        there.will(_leads_to(there), answers(status, file))
        assert (await _fails(there)).reason == reason


@pytest.mark.parametrize("address", [None, "", "http://127.0.0.2:9/file.txt", "file:///etc/passwd"])
async def test_an_address_that_is_not_safe_is_never_asked(address):
    """Only TLS, or the carrier's own host: whoever answers could lead us anywhere."""
    async with carrier() as there:
        there.will(answers(307, {"redirect_to": address}))
        assert (await _fails(there)).reason == "the answer could not be read"
        assert len(there.requests) == 1


async def test_a_file_without_end_is_given_up():
    """A worker must not fill its memory with it."""
    async with carrier() as there:
        there.will(answers(200, FILE), answers(200, FILE))
        http = CarrierHttp(api_url=there.url, in_flight=1)
        try:
            whole = await http.download(f"{there.url}/file.txt", len(FILE))
            assert whole.body == FILE.encode()
            with pytest.raises(ValueError, match="longer than any"):
                await http.download(f"{there.url}/file.txt", len(FILE) - 1)
        finally:
            await http.close()
