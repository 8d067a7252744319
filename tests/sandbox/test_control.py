"""The control API and the page of virtual phones."""

import asyncio
import re

import pytest
import requests

from tests.sandbox.conftest import NUMBER, PHONE, SERVICE

EVIL = "<script>alert(1)</script><b>&\"'"


def test_phones_are_listed_latest_first(lab):
    """A phone appears with its first text; the one heard of last comes first."""
    lab.send()
    lab.send(to="+12125550124")
    lab.text("hi")
    assert [p["number"] for p in lab.api("GET", "/phones")["phones"]] == [PHONE, "+12125550124"]


def test_a_conversation_holds_both_sides_in_order(lab):
    """Texts of both directions, oldest first, with statuses as they are now."""
    lab.send(body="one")
    lab.text("two")
    lab.send(body="three")
    lab.loop.run(_sleep(0.1))
    texts = lab.api("GET", f"/phones/{PHONE}")["messages"]
    assert [(m["body"], m["direction"], m["status"]) for m in texts] == [
        ("one", "outbound-api", "delivered"),
        ("two", "inbound", "received"),
        ("three", "outbound-api", "delivered"),
    ]


def test_the_page_shows_phones_and_escapes_everything(lab):
    """What anybody wrote is text, never markup; no request leaves the page's own host."""
    lab.send(body=EVIL)
    lab.text(EVIL)
    lab.fault("lose_callbacks")
    page = requests.get(lab.url + "/", timeout=5)
    assert page.text.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;&amp;") == 2
    assert "<script>alert" not in page.text
    assert PHONE in page.text
    assert "lose_callbacks" in page.text
    assert not re.search(r"(src|href)=|https?://(?!127)", page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_empty_page_says_what_to_expect(lab):
    """Before the first text the page explains itself."""
    assert "No phone has been texted yet" in requests.get(lab.url, timeout=5).text


def test_the_page_shows_one_phone_when_asked(lab):
    """?phone= narrows the page, and an opted-out phone and a failed text are marked."""
    lab.api("PUT", f"/phones/{PHONE}/outcome", {"status": "failed", "error_code": 30005})
    lab.send()
    lab.text("STOP")
    lab.send(to="+12125550124")
    lab.loop.run(_sleep(0.05))
    page = requests.get(lab.url + "/?phone=%2B12125550123", timeout=5).text
    assert "+12125550124" not in page
    assert "opted out" in page
    assert "failed 30005" in page
    assert "from the carrier itself" in page


def test_settings_can_change_while_it_runs(lab):
    """A good change is taken and shown."""
    shown = lab.api("PATCH", "/settings", {"keywords": "app", "patience": 3, "inbound_url": ""})
    assert (shown["keywords"], shown["patience"], shown["inbound_url"]) == ("app", 3.0, None)
    assert lab.api("GET", "/settings")["services"] == {SERVICE: [NUMBER]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "colour: not a setting"),
        ({"inbound_url": "ftp://x"}, "not an http(s) address"),
        ({"keywords": "nobody"}, "keywords: one of carrier, app"),
        ({"callbacks": 1}, "true or false"),
        ({"delays": {"queued": "soon"}}, "a number of seconds"),
        ({"delays": {"later": 1}}, "delays: an object of"),
        ({"outcome": {"status": "lost"}}, "status: one of"),
        ({"outcome": {"status": "failed", "error_code": "x"}}, "error_code: a number"),
        ({"patience": 1, "clock_offset": "x"}, "a number of seconds"),
    ],
)
def test_a_bad_setting_changes_nothing(lab, change, said):
    """The answer names the setting; none of the change is taken."""
    before = lab.api("GET", "/settings")
    assert said in lab.api("PATCH", "/settings", change, 400)["error"]
    assert lab.api("GET", "/settings") == before


def test_bad_control_requests_say_what_to_mend(lab):
    """No JSON, the wrong JSON, no body, nothing there."""
    url = f"{lab.url}/sandbox/phones/{PHONE}/texts"
    assert "not JSON" in requests.post(url, data="{", timeout=5).json()["error"]
    assert "JSON object" in requests.post(url, data="[]", timeout=5).json()["error"]
    assert "body" in requests.post(url, json={}, timeout=5).json()["error"]
    assert "body: a string" in requests.post(url, json={"body": 5}, timeout=5).json()["error"]
    lab.api("POST", "/messages/SM0/redeliver", status=404)
    lab.api("GET", "/idle?timeout=x", status=400)


def test_idle_gives_up_in_time(lab):
    """While something is on its way, idle answers 408 after its timeout."""
    lab.api("PATCH", "/settings", {"delays": {"queued": 30}})
    lab.told("/status")
    assert lab.api("GET", "/idle?timeout=0.05", status=408) == {"idle": False}


def test_reset_forgets_everything_but_the_settings(lab):
    """After a reset the sandbox is as new."""
    lab.send()
    lab.text("STOP")
    lab.fault("drop")
    lab.client.http_client.timeout = 5
    lab.api("POST", "/reset", status=204)
    assert lab.api("GET", "/phones") == {"phones": []}
    assert lab.api("GET", "/log") == {"entries": []}
    assert lab.api("GET", "/blocks") == {"blocks": []}
    assert lab.api("GET", "/faults") == {"active": [], "fired": {}}
    assert lab.send().status_code == 201


def test_services_can_be_added_while_it_runs(lab):
    """A second clinic's service sends from its own numbers."""
    other = "MG" + "2" * 32
    lab.api("PATCH", "/settings", {"services": {other: ["(212) 555-0130"]}})
    sid = lab.send(MessagingServiceSid=other).json()["sid"]
    lab.loop.run(_sleep(0.05))
    assert lab.client.messages(sid).fetch().from_ == "+12125550130"
    lab.api("PATCH", "/settings", {"services": {other: ["nobody"]}}, 400)
    lab.api("PATCH", "/settings", {"services": [other]}, 400)


def test_the_account_and_its_numbers_can_be_asked_for(lab):
    """What a set-up check wants to know: the account is active, the number is there."""
    assert lab.client.api.accounts(lab.client.username).fetch().status == "active"
    found = lab.client.incoming_phone_numbers.list(phone_number=NUMBER)
    assert [(n.phone_number, n.sms_url) for n in found] == [(NUMBER, lab.product.url("/inbound"))]
    assert lab.client.incoming_phone_numbers.list(phone_number="+12125550199") == []


def test_a_service_says_where_it_takes_what_comes_in(lab):
    """At Twilio on another host, by which the SDK asks; here at the same one."""
    lab.api("PATCH", "/settings", {"fallback_url": "https://static.clinic.test/reply.xml"})
    url = f"{lab.url}/v1/Services/{SERVICE}"
    found = lab.http.get(url, timeout=10).json()
    assert found["inbound_request_url"] == lab.product.url("/inbound")
    assert found["fallback_url"] == "https://static.clinic.test/reply.xml"
    assert found["use_inbound_webhook_on_number"] is False
    lab.api("PATCH", "/settings", {"webhook_on_number": True})
    assert lab.http.get(url, timeout=10).json()["use_inbound_webhook_on_number"] is True
    missing = lab.http.get(f"{lab.url}/v1/Services/MG{'9' * 32}", timeout=10)
    assert (missing.status_code, missing.json()["code"]) == (404, 20404)
    assert lab.http.get(url, timeout=10, auth=("AC", "wrong")).status_code == 401


async def _sleep(seconds):
    await asyncio.sleep(seconds)
