"""Lists: newest first, filters, pages by token, lag."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.sandbox.conftest import NUMBER, PHONE


def test_pages_cover_everything_once_newest_first(lab):
    """Following next_page_uri gives each text once, also when new ones arrive meanwhile."""
    sids = [lab.send(body=f"text {index}").json()["sid"] for index in range(7)]
    page = lab.client.messages.page(page_size=3)
    seen = [message.sid for message in page]
    lab.send(body="arrives while paging")
    while page.next_page_url:
        page = page.next_page()
        seen += [message.sid for message in page]
    assert seen == sids[::-1]


def test_a_page_leads_back(lab):
    """previous_page_uri shows the page before."""
    for index in range(5):
        lab.send(body=f"text {index}")
    first = lab.http.get(lab.messages_url, params={"PageSize": 2}, timeout=10).json()
    second = lab.http.get(lab.url + first["next_page_uri"], timeout=10).json()
    back = lab.http.get(lab.url + second["previous_page_uri"], timeout=10).json()
    assert [m["sid"] for m in back["messages"]] == [m["sid"] for m in first["messages"]]
    assert (second["page"], second["start"], second["end"]) == (1, 2, 3)


def test_the_list_document_has_the_fields_of_the_2010_api(lab):
    """Every paging field is there even when the list is empty."""
    document = lab.http.get(lab.messages_url, timeout=10).json()
    assert set(document) == {
        *("end", "first_page_uri", "messages", "next_page_uri", "page", "page_size"),
        *("previous_page_uri", "start", "uri"),
    }
    assert (document["page_size"], document["next_page_uri"]) == (50, None)


def test_lists_filter_by_either_party(lab):
    """To and From find the outbound and the inbound texts of a number."""
    sent = lab.send().json()["sid"]
    lab.send(to="+12125550124")
    received = lab.text("hello")["sid"]
    assert [m.sid for m in lab.client.messages.list(to=PHONE)] == [sent]
    assert [m.sid for m in lab.client.messages.list(to=NUMBER)] == [received]
    assert [m.sid for m in lab.client.messages.list(from_=PHONE)] == [received]
    assert [m.sid for m in lab.client.messages.list(to=NUMBER, from_="+12125550199")] == []


def test_date_filters_see_only_what_was_sent(lab):
    """A text that has not been sent has no DateSent and is missing from a dated list."""
    lab.api("PATCH", "/settings", {"delays": {"queued": 60}})
    lab.send()
    lab.api("PATCH", "/settings", {"delays": {"queued": 0, "sending": 0, "sent": 0}})
    sent = lab.told("/status").json()["sid"]
    lab.loop.run(_until(lambda: "sent" in lab.product.statuses()))
    now = datetime.now(tz=UTC)
    listed = lab.client.messages.list
    assert [m.sid for m in listed(to=PHONE, date_sent_after=now - timedelta(hours=1))] == [sent]
    assert [m.sid for m in listed(to=PHONE, date_sent=now.date())] == [sent]
    assert listed(to=PHONE, date_sent_before=now - timedelta(hours=1)) == []
    assert listed(to=PHONE, date_sent_after=now + timedelta(hours=1)) == []
    assert len(listed(to=PHONE)) == 2


def test_a_bad_date_is_refused(lab):
    """DateSent that is no date is 400."""
    answer = lab.http.get(lab.messages_url, params={"DateSent>": "yesterday"}, timeout=10)
    assert answer.status_code == 400


def test_a_page_is_never_longer_than_a_thousand(lab):
    """PageSize is capped."""
    document = lab.http.get(lab.messages_url, params={"PageSize": 5000}, timeout=10).json()
    assert document["page_size"] == 1000


def test_list_lag_hides_young_texts_from_lists_only(lab):
    """A lagging list misses a text that a fetch by SID finds."""
    sid = lab.send().json()["sid"]
    lab.fault("list_lag", seconds=60)
    assert lab.client.messages.list(to=PHONE) == []
    assert lab.client.messages(sid).fetch().sid == sid
    assert lab.api("GET", "/faults")["fired"] == {"list_lag": 1}


async def _until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError
