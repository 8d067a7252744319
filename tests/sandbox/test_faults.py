"""Faults on request, as a client on the other side of a real socket sees them."""

import time

import pytest
import requests

from sandbox.config import DEFAULT_ACCOUNT
from tests.sandbox.conftest import PHONE


def _made(lab):
    return len(lab.log("create"))


def test_latency_holds_the_create_back(lab):
    """The create answers so many milliseconds later; the list is not slowed."""
    lab.fault("latency", ms=150)
    began = time.monotonic()
    assert lab.send().status_code == 201
    assert time.monotonic() - began >= 0.15
    lab.client.messages.list(to=PHONE)
    assert lab.api("GET", "/faults")["fired"] == {"latency": 1}


def test_latency_after_the_effect_lets_a_text_exist_before_its_answer(lab):
    """With when=after the text is made first, and a caller that gives up has sent it."""
    lab.fault("latency", ms=400, when="after")
    with pytest.raises(requests.ReadTimeout):
        lab.http.post(
            lab.messages_url, data={"To": PHONE, "From": "+12125550110", "Body": "x"}, timeout=0.1
        )
    assert _made(lab) == 1


def test_429_is_never_created_and_may_say_when_to_return(lab):
    """429 carries 20429, Retry-After where asked, and makes nothing."""
    lab.fault("status", status=429, retry_after=7, count=1, created=True)
    lab.fault("status", status=429, count=1)
    first, second = lab.send(), lab.send()
    assert (first.status_code, first.json()["code"]) == (429, 20429)
    assert first.headers["Retry-After"] == "7"
    assert "Retry-After" not in second.headers
    assert _made(lab) == 0
    assert lab.send().status_code == 201


@pytest.mark.parametrize(("created", "made"), [(True, 1), (False, 0)])
def test_a_5xx_may_have_created_the_text_or_not(lab, created, made):
    """The same answer for both, which is the point."""
    lab.fault("status", status=503, created=created, count=1)
    answer = lab.send()
    assert (answer.status_code, answer.json()["code"]) == (503, 20503)
    assert _made(lab) == made


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_dropped_connection_has_created_the_text(lab, how):
    """The request was read and obeyed, the answer never comes."""
    lab.fault("drop", how=how, count=1)
    with pytest.raises(requests.ConnectionError):
        lab.send()
    assert _made(lab) == 1


def test_a_drop_can_come_before_the_effect(lab):
    """created=false drops without making the text."""
    lab.fault("drop", created=False, count=1)
    with pytest.raises(requests.ConnectionError):
        lab.send()
    assert _made(lab) == 0


def test_a_dripping_answer_comes_byte_by_byte(lab):
    """The answer is right, and slow."""
    lab.fault("drip", interval=0, count=1)
    assert lab.send().json()["to"] == PHONE
    lab.fault("drip", count=1)
    form = {"To": PHONE, "From": "+12125550110", "Body": "x"}
    with pytest.raises(requests.RequestException):
        lab.http.post(lab.messages_url, data=form, timeout=0.2)


@pytest.mark.parametrize(
    ("style", "body"), [("truncated", b'{"account_sid"'), ("empty", b""), ("no_sid", b'{"status"')]
)
def test_a_garbled_201(lab, style, body):
    """201 with half a document, none, or one without SID; the text exists."""
    lab.fault("garbled", style=style, count=1)
    answer = lab.send()
    assert answer.status_code == 201
    assert answer.content.startswith(body)
    assert _made(lab) == 1


def test_html_with_200(lab):
    """A proxy's page instead of Twilio's answer."""
    lab.fault("html", count=1)
    answer = lab.send()
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (
        200,
        "text/html",
    )
    assert _made(lab) == 1


@pytest.mark.parametrize(("created", "made"), [(True, 1), (False, 0)])
def test_a_hanging_request_never_answers(lab, created, made):
    """The connection stands open and silent until the caller gives up."""
    lab.fault("hang", created=created, count=1)
    with pytest.raises(requests.ReadTimeout):
        lab.http.post(
            lab.messages_url, data={"To": PHONE, "From": "+12125550110", "Body": "x"}, timeout=0.15
        )
    assert _made(lab) == made


def test_bad_credentials_and_suspension_meet_every_request(lab):
    """401 with 20003 and 403 with 20005, for creates, lists and calls alike."""
    for kind, http, code in (("bad_credentials", 401, 20003), ("suspended", 403, 20005)):
        fault = lab.fault(kind)
        for answer in (
            lab.send(),
            lab.http.get(lab.messages_url, timeout=5),
            lab.http.post(lab.calls_url, timeout=5),
        ):
            assert (answer.status_code, answer.json()["code"]) == (http, code)
        lab.api("DELETE", f"/faults/{fault['id']}", status=204)
    assert lab.send().status_code == 201


def test_a_fault_can_strike_other_requests(lab):
    """`on` chooses list, fetch, update, delete, calls or any."""
    lab.fault("status", status=500, on="list", count=1)
    assert lab.send().status_code == 201
    assert lab.http.get(lab.messages_url, timeout=5).status_code == 500
    lab.fault("status", status=502, on="any", count=2)
    assert lab.http.get(lab.messages_url, timeout=5).status_code == 502
    assert lab.http.get(lab.calls_url, timeout=5).status_code == 502


def test_counts_probability_and_duration(lab):
    """A fault ends with its count or its time, strikes by its chance, and is counted."""
    lab.fault("status", status=500, count=2)
    assert [lab.send().status_code for _ in range(3)] == [500, 500, 201]
    lab.fault("status", status=500, duration=0.05)
    time.sleep(0.06)
    assert lab.send().status_code == 201
    lab.fault("status", status=500, probability=0.5)
    codes = [lab.send().status_code for _ in range(40)]
    assert {201, 500} == set(codes)
    fired = lab.api("GET", "/faults")["fired"]["status"]
    assert fired == 2 + codes.count(500)


def test_faults_can_be_cleared(lab):
    """DELETE ends one or all; the counts stay."""
    lab.fault("status", status=500)
    lab.send()
    lab.api("DELETE", "/faults", status=204)
    assert lab.send().status_code == 201
    assert lab.api("GET", "/faults") == {"active": [], "fired": {"status": 1}}
    lab.api("DELETE", "/faults/99", status=404)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "gremlins"}, "kind: one of latency"),
        ({"kind": "drop", "ms": 5}, "ms: not an option of drop"),
        ({"kind": "latency", "ms": "fast"}, "ms: a number"),
        ({"kind": "latency", "count": -1}, "count: a number"),
        ({"kind": "drop", "how": "gently"}, "how: one of close, reset"),
        ({"kind": "status", "on": "create", "created": "yes"}, "created: true or false"),
    ],
)
def test_a_fault_that_is_not_understood_is_refused(lab, fault, said):
    """The answer names what is wrong; nothing is switched on."""
    assert said in lab.api("POST", "/faults", fault, 400)["error"]
    assert lab.api("GET", "/faults")["active"] == []


def test_the_sandbox_stops_while_a_request_hangs(open_lab):
    """A hanging request does not keep the sandbox from stopping."""
    lab = open_lab()
    lab.fault("hang")
    with pytest.raises(requests.RequestException):
        requests.post(
            f"{lab.url}/2010-04-01/Accounts/{DEFAULT_ACCOUNT}/Messages.json",
            data={"To": PHONE},
            auth=lab.http.auth,
            timeout=0.05,
        )
    began = time.monotonic()
    lab.loop.run(lab.server.stop())
    assert time.monotonic() - began < 5
