"""Status callbacks: order, parameters, outcomes, and their faults."""

import asyncio
import re

import pytest
from twilio.request_validator import RequestValidator

from sandbox.config import DEFAULT_ACCOUNT, DEFAULT_TOKEN, Delays
from tests.sandbox.conftest import NUMBER, PHONE, SERVICE

WAY = ["queued", "sending", "sent", "delivered"]


def test_a_service_text_is_told_of_all_but_the_initial_status(lab):
    """No callback comes for accepted; the others come in order."""
    lab.told("/status")
    lab.idle()
    assert lab.product.statuses() == WAY


def test_a_from_text_is_told_of_all_but_queued(lab):
    """No callback comes for the initial queued."""
    lab.told("/status", From=NUMBER)
    lab.idle()
    assert lab.product.statuses() == WAY[1:]


def test_the_parameters_are_twilios(lab):
    """Each callback carries Twilio's parameter set, RawDlrDoneDate only with the report."""
    sid = lab.told("/status").json()["sid"]
    lab.idle()
    sent, delivered = lab.product.forms()[-2:]
    assert sent == {
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": "sent",
        "SmsStatus": "sent",
        "AccountSid": DEFAULT_ACCOUNT,
        "From": NUMBER,
        "To": PHONE,
        "ApiVersion": "2010-04-01",
        "MessagingServiceSid": SERVICE,
    }
    assert re.fullmatch(r"\d{10}", delivered["RawDlrDoneDate"])


def test_the_sdk_validates_every_callback(lab):
    """Signed over the address without its fragment, as the SDK's validator expects."""
    lab.told("/status?message=42&attempt=1#rc=3&rp=all")
    lab.idle()
    validator = RequestValidator(DEFAULT_TOKEN)
    assert len(lab.product.received) == len(WAY)
    for got in lab.product.received:
        assert got.url == lab.product.url("/status?message=42&attempt=1")
        assert validator.validate(got.url, got.form, got.headers["X-Twilio-Signature"])
        assert not validator.validate(got.url + "3", got.form, got.headers["X-Twilio-Signature"])


@pytest.mark.parametrize(
    ("outcome", "way", "code"),
    [
        ({"status": "undelivered", "error_code": 30005}, [*WAY[:3], "undelivered"], "30005"),
        ({"status": "failed", "error_code": 30034}, ["queued", "failed"], "30034"),
        ({"status": "failed"}, ["queued", "failed"], "30008"),
        ({"status": "sent"}, WAY[:3], None),
        ({"status": "delivered"}, WAY, None),
    ],
)
def test_a_recipient_can_end_otherwise(lab, outcome, way, code):
    """The outcome set for a phone decides the way of its texts, and of nobody else's."""
    lab.api("PUT", f"/phones/{PHONE}/outcome", outcome)
    sid = lab.told("/status").json()["sid"]
    lab.idle()
    assert lab.product.statuses() == way
    assert lab.product.forms()[-1].get("ErrorCode") == code
    fetched = lab.client.messages(sid).fetch()
    assert fetched.status == way[-1]
    assert fetched.error_code == (int(code) if code else None)
    assert lab.send(to="+12125550124").status_code == 201


def test_an_outcome_can_be_taken_back(lab):
    """DELETE returns a phone to the default outcome."""
    lab.api("PUT", f"/phones/{PHONE}/outcome", {"status": "failed"})
    lab.api("DELETE", f"/phones/{PHONE}/outcome", status=204)
    lab.told("/status")
    lab.idle()
    assert lab.product.statuses() == WAY


def test_an_unknown_outcome_is_refused(lab):
    """A wrong outcome is named."""
    answer = lab.api("PUT", f"/phones/{PHONE}/outcome", {"status": "vanished"}, 400)
    assert "delivered, undelivered, failed, sent" in answer["error"]


def test_a_text_that_waits_beyond_its_validity_fails(open_lab):
    """The validity period is checked when the text leaves the queue: 30036."""
    lab = open_lab(delays=Delays(queued=0.01, sending=1.05, failed=0.01))
    lab.told("/status", ValidityPeriod="1")
    lab.idle()
    assert lab.product.statuses() == ["queued", "failed"]
    assert lab.product.forms()[-1]["ErrorCode"] == "30036"


def test_without_callbacks_statuses_still_advance(open_lab):
    """With callbacks switched off nothing is posted, and a fetch tells the truth."""
    lab = open_lab(callbacks=False)
    sid = lab.told("/status").json()["sid"]
    lab.loop.run(_sleep(0.1))
    assert lab.client.messages(sid).fetch().status == "delivered"
    assert lab.product.received == []


def test_a_service_can_have_a_callback_of_its_own(open_lab, product):
    """A service's callback serves texts that name none."""
    lab = open_lab(status_callback=product.url("/service"))
    lab.send()
    lab.idle()
    assert len(product.forms("/service")) == len(WAY)


def test_lost_callbacks_are_lost_and_logged(lab):
    """A lost callback never arrives; the log says so."""
    lab.fault("lose_callbacks", count=2)
    lab.told("/status")
    lab.idle()
    assert lab.product.statuses() == WAY[2:]
    assert [entry["failure"] for entry in lab.log("callback") if "failure" in entry] == ["lost"] * 2


def test_doubled_callbacks_come_twice_as_two_deliveries(lab):
    """Each status arrives twice, with another idempotency token."""
    lab.fault("duplicate_callbacks")
    lab.told("/status")
    lab.idle()
    assert lab.product.statuses() == [status for status in WAY for _ in range(2)]
    tokens = [got.headers["I-Twilio-Idempotency-Token"] for got in lab.product.received]
    assert len(set(tokens)) == len(tokens)


@pytest.mark.parametrize("order", ["random", "reverse"])
def test_shuffled_callbacks_never_come_in_order(lab, order):
    """All arrive, in another order than they happened."""
    lab.fault("shuffle_callbacks", order=order)
    lab.told("/status")
    lab.idle()
    assert sorted(lab.product.statuses()) == sorted(WAY)
    assert lab.product.statuses() != WAY
    if order == "reverse":
        assert lab.product.statuses() == WAY[::-1]


def test_early_callbacks_arrive_before_the_201(lab):
    """The callbacks are through before the create is answered, which still says accepted."""
    lab.fault("early_callbacks", count=1)
    answer = lab.told("/status")
    assert lab.product.statuses() == WAY
    assert answer.json()["status"] == "accepted"


def test_delayed_callbacks_wait(lab):
    """delay_callbacks holds each callback for so many milliseconds."""
    lab.fault("delay_callbacks", ms=150, count=1)
    lab.told("/status")
    lab.idle()
    assert lab.product.statuses() == WAY
    assert lab.log("callback")[0]["t"] - lab.log("create")[0]["t"] >= 0.15


def test_a_fault_can_be_for_one_phone_only(lab):
    """`phone` narrows a fault to one recipient."""
    lab.fault("lose_callbacks", phone="+12125550124")
    lab.told("/status")
    lab.told("/status", to="+12125550124")
    lab.idle()
    assert lab.product.statuses() == WAY


async def _sleep(seconds):
    await asyncio.sleep(seconds)
