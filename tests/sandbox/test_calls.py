"""Voice calls for paging staff: ringing, TwiML, pressed keys, status callbacks."""

import time

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from sandbox.config import DEFAULT_TOKEN
from tests.sandbox.conftest import NUMBER, PHONE

GATHER = (
    '<Response><Gather numDigits="1" action="/voice/taken?page=7" timeout="2">'
    "<Say>A patient needs you. Press 1.</Say></Gather><Say>Nobody took it.</Say></Response>"
)


def _call(lab, **options):
    options.setdefault("url", lab.product.url("/voice/page?page=7"))
    return lab.client.calls.create(to=PHONE, from_=NUMBER, **options)


def _until(check):
    for _ in range(400):
        if check():
            return
        time.sleep(0.01)
    raise AssertionError


def _state(lab, sid):
    return lab.api("GET", f"/calls/{sid}")


def test_a_paged_person_presses_a_key(lab):
    """The phone rings, hears the message, presses 1, and the Gather's action gets the digit."""
    lab.product.answers["/voice/page"] = [GATHER]
    lab.product.answers["/voice/taken"] = ["<Response><Say>Thank you.</Say></Response>"]
    call = _call(lab)
    assert call.status == "queued"
    _until(lambda: _state(lab, call.sid)["said"])
    lab.api("POST", f"/calls/{call.sid}/digits", {"digits": "1"}, 201)
    _until(lambda: _state(lab, call.sid)["status"] == "completed")
    assert _state(lab, call.sid)["said"] == ["A patient needs you. Press 1.", "Thank you."]
    taken = lab.product.received[-1]
    assert taken.url == lab.product.url("/voice/taken?page=7")
    assert (taken.form["Digits"], taken.form["CallSid"]) == ("1", call.sid)
    assert taken.form["CallStatus"] == "in-progress"
    validator = RequestValidator(DEFAULT_TOKEN)
    for got in lab.product.received:
        assert validator.validate(got.url, got.form, got.headers["X-Twilio-Signature"])


def test_keys_pressed_by_habit(lab):
    """A phone with a habit presses its keys as soon as it answers."""
    lab.api("PUT", f"/phones/{PHONE}/habit", {"does": "answer", "digits": "1"})
    lab.product.answers["/voice/page"] = [GATHER]
    call = _call(lab)
    lab.idle()
    assert lab.product.forms("/voice/taken")[0]["Digits"] == "1"
    assert [entry["digits"] for entry in lab.log("digits")] == ["1"]
    assert lab.client.calls(call.sid).fetch().status == "completed"


def test_without_a_key_the_call_goes_on(lab):
    """A Gather that nobody answers times out, and the verbs after it run."""
    document = GATHER.replace('timeout="2"', 'timeout="0"')
    call = _call(lab, twiml=document, url=None)
    lab.idle()
    assert _state(lab, call.sid)["said"] == ["A patient needs you. Press 1.", "Nobody took it."]
    assert lab.product.received == []


@pytest.mark.parametrize("does", ["busy", "no-answer", "failed"])
def test_a_phone_may_not_answer(lab, does):
    """Busy, no answer and failed end the call without a word."""
    lab.api("PUT", f"/phones/{PHONE}/habit", {"does": does})
    call = _call(lab, status_callback=lab.product.url("/call-status"))
    lab.idle()
    assert lab.client.calls(call.sid).fetch().status == does
    assert lab.product.forms("/voice") == []
    assert [form["CallStatus"] for form in lab.product.forms("/call-status")] == [does]


def test_status_callbacks_for_the_events_asked_for(lab):
    """initiated, ringing, answered and completed come with their numbers."""
    _call(
        lab,
        twiml="<Response><Say>Hi</Say></Response>",
        url=None,
        status_callback=lab.product.url("/call-status"),
        status_callback_event=["initiated", "ringing", "answered", "completed"],
    )
    lab.idle()
    forms = sorted(lab.product.forms("/call-status"), key=lambda form: form["SequenceNumber"])
    assert [form["CallStatus"] for form in forms] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert forms[-1]["CallDuration"] == "0"
    assert forms[-1]["CallbackSource"] == "call-progress-events"


def test_redirect_hangup_and_bad_twiml(lab):
    """Redirect leads on, Hangup ends, broken XML is an application error as with Twilio."""
    lab.product.answers["/voice/page"] = ["<Response><Redirect>/voice/next</Redirect></Response>"]
    lab.product.answers["/voice/next"] = [
        "<Response><Say>Bye</Say><Hangup/><Say>never</Say></Response>",
        "<Response><Say>",
    ]
    first = _call(lab)
    lab.idle()
    second = _call(lab, url=lab.product.url("/voice/next"))
    lab.idle()
    assert _state(lab, first.sid)["said"] == ["Bye"]
    assert _state(lab, second.sid)["said"] == ["An application error has occurred."]


def test_a_call_can_be_ended_from_either_side(lab):
    """The REST update and the phone both hang up; afterwards it is 21220."""
    first = _call(lab, twiml=GATHER, url=None)
    _until(lambda: _state(lab, first.sid)["said"])
    assert lab.client.calls(first.sid).update(status="completed").status == "completed"
    second = _call(lab, twiml=GATHER, url=None)
    _until(lambda: _state(lab, second.sid)["said"])
    lab.api("POST", f"/calls/{second.sid}/hangup")
    lab.idle()
    with pytest.raises(TwilioRestException) as caught:
        lab.client.calls(second.sid).update(status="completed")
    assert caught.value.code == 21220


def test_calls_are_listed_newest_first(lab):
    """The SDK lists calls with filters."""
    sids = [_call(lab, twiml="<Response/>", url=None).sid for _ in range(3)]
    lab.idle()
    assert [call.sid for call in lab.client.calls.list(to=PHONE)] == sids[::-1]
    assert [call.sid for call in lab.client.calls.list(to=PHONE, page_size=1)] == sids[::-1]
    assert lab.client.calls.list(status="busy") == []
    assert len(lab.api("GET", "/calls")["calls"]) == 3


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"From": NUMBER, "Url": "http://x.test"}, 21201),
        ({"To": PHONE, "Url": "http://x.test"}, 21213),
        ({"To": PHONE, "From": NUMBER}, 21205),
        ({"To": PHONE, "From": NUMBER, "Twiml": "<Response/>", "StatusCallback": "x"}, 21609),
        ({"To": "who", "From": NUMBER, "Twiml": "<Response/>"}, 21211),
    ],
)
def test_bad_calls_are_refused(lab, form, code):
    """Each with Twilio's code."""
    assert lab.http.post(lab.calls_url, data=form, timeout=5).json()["code"] == code


def test_a_patient_calls_the_texting_number(lab):
    """An inbound call asks the voice address what to say."""
    lab.api("POST", f"/phones/{PHONE}/calls", {}, 400)
    lab.api("PATCH", "/settings", {"voice_url": lab.product.url("/voice/in")})
    lab.product.answers["/voice/in"] = ["<Response><Say>Please call the clinic.</Say></Response>"]
    call = lab.api("POST", f"/phones/{PHONE}/calls", {"to": NUMBER}, 201)
    lab.idle()
    assert _state(lab, call["sid"])["said"] == ["Please call the clinic."]
    form = lab.product.forms("/voice/in")[0]
    assert (form["From"], form["To"], form["Direction"]) == (PHONE, NUMBER, "inbound")


def test_only_keys_can_be_pressed(lab):
    """Letters are refused, and a call that is not there is 404."""
    call = _call(lab, twiml="<Response/>", url=None)
    lab.api("POST", f"/calls/{call.sid}/digits", {"digits": "one"}, 400)
    lab.api("POST", "/calls/CA0/digits", {"digits": "1"}, 404)
    lab.idle()
