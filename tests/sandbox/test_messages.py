"""The REST resource Messages: create, fetch, redact, cancel, delete, and every refusal."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from sandbox.config import DEFAULT_ACCOUNT, DEFAULT_TOKEN, Delays
from tests.sandbox.conftest import NUMBER, PHONE, SERVICE

OTHER = "AC" + "1" * 32


def test_a_service_text_is_accepted_without_sender_and_segments(lab):
    """A text by messaging service starts as accepted, from null, num_segments "0"."""
    answer = lab.send()
    document = answer.json()
    assert answer.status_code == 201
    assert re.fullmatch(r"SM[0-9a-f]{32}", document["sid"])
    assert (document["status"], document["from"], document["num_segments"]) == (
        "accepted",
        None,
        "0",
    )
    assert document["messaging_service_sid"] == SERVICE
    assert document["date_sent"] is None
    assert answer.headers["Twilio-Request-Id"].startswith("RQ")


def test_a_from_text_is_queued_with_sender_and_segments(lab):
    """A text by number starts as queued and knows its sender and its segments."""
    document = lab.send(From=NUMBER, body="x" * 161).json()
    assert (document["status"], document["from"], document["num_segments"]) == (
        "queued",
        NUMBER,
        "2",
    )
    assert document["messaging_service_sid"] is None


def test_the_sdk_creates_and_fetches(lab):
    """The twilio SDK understands what the sandbox answers."""
    made = lab.client.messages.create(
        to=PHONE, messaging_service_sid=SERVICE, body="Hi", validity_period=600
    )
    lab.idle()
    fetched = lab.client.messages(made.sid).fetch()
    assert fetched.body == "Hi"
    assert fetched.date_created.tzinfo is not None
    assert fetched.direction == "outbound-api"


def test_unknown_parameters_are_tolerated(lab):
    """Parameters of a newer API do not disturb."""
    assert lab.send(MessageIntent="appointment", RiskCheck="enable").status_code == 201


def test_national_numbers_are_normalised(lab):
    """A US number written the national way is taken, as Twilio does."""
    assert lab.send(to="(212) 555-0123").json()["to"] == PHONE


@pytest.mark.parametrize(
    ("form", "http", "code"),
    [
        ({"To": ""}, 400, 21604),
        ({"To": "hello"}, 400, 21211),
        ({"To": "+1212555"}, 400, 21211),
        ({"To": "+11115550123"}, 400, 21211),
        ({"Body": ""}, 400, 21602),
        ({"Body": "x" * 1601}, 400, 21617),
        ({"MessagingServiceSid": ""}, 400, 21603),
        ({"MessagingServiceSid": "MG1"}, 400, 21705),
        ({"MessagingServiceSid": "", "From": "nobody"}, 400, 21212),
        ({"MessagingServiceSid": "", "From": PHONE}, 400, 21266),
        ({"StatusCallback": "not-a-url"}, 400, 21609),
        ({"StatusCallback": "http://under_score.test/"}, 400, 21609),
        ({"ValidityPeriod": "0"}, 400, 20001),
        ({"ValidityPeriod": "36001"}, 400, 20001),
        ({"To": "+15005550001"}, 400, 21211),
        ({"To": "+15005550002"}, 400, 21612),
        ({"To": "+15005550003"}, 400, 21408),
        ({"To": "+15005550004"}, 400, 21610),
        ({"To": "+15005550009"}, 400, 21614),
        ({"MessagingServiceSid": "", "From": "+15005550001"}, 400, 21212),
        ({"MessagingServiceSid": "", "From": "+15005550007"}, 400, 21606),
        ({"MessagingServiceSid": "", "From": "+15005550008"}, 400, 21611),
    ],
)
def test_what_twilio_refuses_is_refused(lab, form, http, code):
    """Each refusal has Twilio's code in Twilio's envelope, and no text is made."""
    answer = lab.send(**form)
    document = answer.json()
    assert (answer.status_code, document["code"], document["status"]) == (http, code, http)
    assert set(document) == {"code", "message", "more_info", "status"}
    assert document["more_info"].endswith(f"/{code}")
    assert lab.api("GET", "/stats")["messages"] == 0


def test_the_magic_sender_is_good(lab):
    """+15005550006 sends."""
    assert lab.send(From="+15005550006").status_code == 201


def test_a_service_without_numbers_is_refused(open_lab):
    """A messaging service that has no sender answers 21703."""
    assert open_lab(services={SERVICE: ()}).send().json()["code"] == 21703


def test_with_a_list_of_numbers_another_sender_is_refused(open_lab):
    """--number makes the sandbox strict about From."""
    lab = open_lab(numbers=("+12125550111",))
    assert lab.send(From="+12125550112").json()["code"] == 21606
    assert lab.send(From="+12125550111").status_code == 201


@pytest.mark.parametrize(
    ("auth", "account", "http", "code"),
    [
        (None, DEFAULT_ACCOUNT, 401, 20003),
        ((DEFAULT_ACCOUNT, "wrong"), DEFAULT_ACCOUNT, 401, 20003),
        ((OTHER, DEFAULT_TOKEN), OTHER, 401, 20003),
        ((DEFAULT_ACCOUNT, DEFAULT_TOKEN), OTHER, 404, 20404),
    ],
)
def test_credentials_are_checked(lab, auth, account, http, code):
    """Wrong credentials are 401 with 20003; a right one sees only its own account."""
    url = f"{lab.url}/2010-04-01/Accounts/{account}/Messages.json"
    answer = requests.post(url, data={"To": PHONE}, auth=auth, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (http, code)


def test_several_accounts_do_not_see_each_other(open_lab):
    """Each configured account has its own texts."""
    lab = open_lab(accounts={DEFAULT_ACCOUNT: DEFAULT_TOKEN, OTHER: "second"})
    sid = lab.send().json()["sid"]
    base = f"{lab.url}/2010-04-01/Accounts/{OTHER}/Messages"
    mine = requests.get(f"{base}.json", auth=(OTHER, "second"), timeout=10)
    other = requests.get(f"{base}/{sid}.json", auth=(OTHER, "second"), timeout=10)
    assert mine.json()["messages"] == []
    assert other.status_code == 404


def test_an_unknown_path_is_20404(lab):
    """What the sandbox does not have answers as Twilio does, not as a web framework."""
    answer = lab.http.get(f"{lab.url}/2010-04-01/Accounts/{DEFAULT_ACCOUNT}/Faxes.json", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_a_body_that_is_not_utf8_is_refused(lab):
    """Bytes that are no UTF-8 get 400, not a crash."""
    assert lab.http.post(lab.messages_url, data=b"Body=\xff\xfe", timeout=10).status_code == 400


def test_redaction_empties_the_body_but_not_the_phone(lab):
    """Body="" redacts at the carrier; what a handset received it keeps."""
    sid = lab.client.messages.create(to=PHONE, messaging_service_sid=SERVICE, body="Secret").sid
    lab.client.messages(sid).update(body="")
    assert lab.client.messages(sid).fetch().body == ""
    assert lab.api("GET", f"/phones/{PHONE}")["messages"][0]["body"] == "Secret"


def test_a_waiting_text_can_be_cancelled(open_lab):
    """Status=canceled ends a text that was not sent yet, and tells the callback."""
    lab = open_lab(delays=Delays(queued=30))
    sid = lab.told("/status").json()["sid"]
    assert lab.client.messages(sid).update(status="canceled").status == "canceled"
    assert lab.client.messages(sid).fetch().status == "canceled"
    lab.idle()
    assert lab.product.statuses() == ["canceled"]


def test_a_sent_text_cannot_be_cancelled(lab):
    """Too late is 30409."""
    sid = lab.told("/status").json()["sid"]
    lab.idle()
    with pytest.raises(TwilioRestException) as caught:
        lab.client.messages(sid).update(status="canceled")
    assert caught.value.code == 30409


def test_a_scheduled_text_waits_and_can_be_cancelled(lab):
    """SendAt with a service makes a scheduled text; outside its window it is 35114."""
    later = datetime.now(tz=UTC) + timedelta(hours=1)
    made = lab.client.messages.create(
        to=PHONE, messaging_service_sid=SERVICE, body="Hi", schedule_type="fixed", send_at=later
    )
    assert made.status == "scheduled"
    assert lab.client.messages(made.sid).update(status="canceled").status == "canceled"
    soon = (datetime.now(tz=UTC) + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert lab.send(ScheduleType="fixed", SendAt=soon).json()["code"] == 35114


def test_a_delivered_text_can_be_deleted_and_a_moving_one_not(open_lab):
    """DELETE is 204 at the end of the way and 20009 on it."""
    lab = open_lab(delays=Delays(queued=30))
    moving = lab.send().json()["sid"]
    with pytest.raises(TwilioRestException) as caught:
        lab.client.messages(moving).delete()
    assert caught.value.code == 20009
    lab.client.messages(moving).update(status="canceled")
    assert lab.client.messages(moving).delete() is True
    with pytest.raises(TwilioRestException) as gone:
        lab.client.messages(moving).fetch()
    assert (gone.value.status, gone.value.code) == (404, 20404)


def test_dates_follow_the_clock_offset(open_lab, monkeypatch):
    """AFTERCARE_CLOCK_OFFSET shifts every date that is printed, the HTTP Date too."""
    monkeypatch.setenv("AFTERCARE_CLOCK_OFFSET", "86400")
    answer = open_lab().send()
    tomorrow = datetime.now(tz=UTC) + timedelta(days=1)
    for shown in (answer.json()["date_created"], answer.headers["Date"].replace("GMT", "+0000")):
        at = datetime.strptime(shown, "%a, %d %b %Y %H:%M:%S %z")
        assert abs(at - tomorrow) < timedelta(seconds=10)
