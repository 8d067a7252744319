"""Signing, connection overrides and retries, against Twilio's documented rules."""

import asyncio
import string
from urllib.parse import parse_qsl, urlencode

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from sandbox.webhooks import Overrides, is_web_address, overrides, sign

# The one place with numbers beyond 555-01xx: the signature is over exactly these.
DOC_PARAMS = {
    "Digits": "1234",
    "To": "+18005551212",
    "From": "+14158675309",
    "Caller": "+14158675309",
    "CallSid": "CA1234567890ABCDE",
}


def test_the_documented_vector():
    """The example of Twilio's security page comes out."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign("12345", url, DOC_PARAMS) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@given(
    params=st.dictionaries(
        st.text(string.ascii_letters, min_size=1, max_size=8), st.text(max_size=20)
    ),
    token=st.text(string.hexdigits, min_size=1, max_size=32),
)
def test_any_form_is_signed_as_the_sdk_expects(params, token):
    """Empty values, spaces and letters of any script sign as the SDK validates."""
    url = "https://example.test/twilio/inbound?a=b%20c"
    assert RequestValidator(token).validate(url, params, sign(token, url, params))


def test_repeated_names_are_signed_once_each_value_sorted():
    """A name that comes twice contributes its distinct values in order."""
    pairs = [("b", "2"), ("a", "2"), ("a", "1"), ("a", "2")]
    assert sign("t", "https://x.test", pairs) == sign("t", "https://x.test", {"a": "1a2", "b": "2"})


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", Overrides()),
        ("#rc=3&rp=all", Overrides(retries=3, policy=frozenset({"ct", "rt", "4xx", "5xx"}))),
        ("#rc=5&rp=5xx,rt", Overrides(retries=5, policy=frozenset({"rt", "5xx"}))),
        ("#ct=200&rt=300&tt=400", Overrides(connect=0.2, read=0.3, total=0.4)),
        ("#rc=6&ct=99&rt=15001&rp=odd", Overrides()),
        ("#rc=x&e=ashburn", Overrides()),
    ],
)
def test_the_fragment_is_read_within_twilios_bounds(fragment, expected):
    """What is out of bounds or unknown leaves Twilio's default."""
    assert overrides("https://x.test/a?b=1" + fragment) == ("https://x.test/a?b=1", expected)


def test_web_addresses():
    """http(s) with a host, without underscore or blank."""
    assert is_web_address("http://127.0.0.1:8000/twilio/status?message=1#rc=3")
    for bad in (
        "ftp://x.test",
        "https://",
        "https://a_b.test",
        "x.test",
        "https://a b",
        "http://x:y",
    ):
        assert not is_web_address(bad)


def _inbound(lab, fragment, answers):
    lab.product.answers["/inbound"] = answers
    lab.api("PATCH", "/settings", {"inbound_url": lab.product.url("/inbound" + fragment)})
    return lab.text("hello", to="+12125550110")["webhook"]


def test_by_default_a_5xx_is_not_tried_again(lab):
    """Twilio's default policy tries again on connect failures alone."""
    assert _inbound(lab, "", [500]) == {"failure": "5xx", "status": 500, "attempts": 1}


def test_rp_all_tries_again_with_the_same_token(lab):
    """With rp=all a 5xx and a 4xx are tried again; the idempotency token stays."""
    result = _inbound(lab, "#rc=3&rp=all", [503, 404, 204])
    assert result == {"failure": None, "status": 204, "attempts": 3}
    tokens = {got.headers["I-Twilio-Idempotency-Token"] for got in lab.product.received}
    assert (len(lab.product.received), len(tokens)) == (3, 1)


def test_rc_bounds_the_retries(lab):
    """rc=2 means three attempts."""
    assert _inbound(lab, "#rc=2&rp=5xx", [500] * 9)["attempts"] == 3


def test_rc_0_means_one_attempt(lab):
    """rc=0 switches retries off."""
    assert _inbound(lab, "#rc=0&rp=all", [500] * 9)["attempts"] == 1


def test_a_refused_connection_is_tried_again_by_default(lab, unused_port):
    """ct is the default policy, with one retry."""
    lab.api("PATCH", "/settings", {"inbound_url": f"http://127.0.0.1:{unused_port}/"})
    result = lab.text("hello", to="+12125550110")["webhook"]
    assert result == {"failure": "ct", "status": None, "attempts": 2}


def test_a_read_timeout_is_its_own_kind_of_failure(lab):
    """rt=100 gives up after 100 ms; rp=rt tries again."""

    async def slow(_):
        await asyncio.sleep(0.5)
        return web.Response()

    assert _inbound(lab, "#rt=100&rc=1&rp=rt", [slow, 200])["attempts"] == 2
    assert _inbound(lab, "#rt=100&rc=1", [slow, 200])["failure"] == "rt"


def test_the_total_time_includes_retries(lab):
    """tt ends the attempts, however many rc would allow."""

    async def slow(_):
        await asyncio.sleep(0.2)
        return web.Response(status=500)

    result = _inbound(lab, "#tt=300&rc=5&rp=all", [slow] * 6)
    assert result["attempts"] <= 2


def test_redirects_are_not_followed(lab):
    """A redirect would turn the POST into a GET and drop the parameters."""

    def moved(_):
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    assert _inbound(lab, "#rc=1&rp=all", [moved])["failure"] == "3xx"
    assert len(lab.product.received) == 1


def test_the_address_goes_out_as_it_was_signed(lab):
    """Percent-encoding, double slashes and empty parameters are left alone."""
    odd = "/inbound//x?a=%2f%20b&c=&d=é"
    lab.api("PATCH", "/settings", {"inbound_url": lab.product.url(odd.replace("é", "%C3%A9"))})
    lab.text("hello", to="+12125550110")
    got = lab.product.received[0]
    token = lab.server.carrier.config.accounts[lab.server.carrier.default_account]
    assert got.url.endswith("/inbound//x?a=%2f%20b&c=&d=%C3%A9")
    assert got.headers["X-Twilio-Signature"] == sign(token, got.url, got.form)


def test_bodies_survive_the_form(lab):
    """Emoji, plus signs, ampersands and line breaks arrive as written."""
    body = "¿Sí? + 5 & more = 10% 🙂\nsecond line "
    lab.text(body, to="+12125550110")
    assert lab.product.forms()[0]["Body"] == body
    assert dict(parse_qsl(urlencode({"b": body})))["b"] == body
