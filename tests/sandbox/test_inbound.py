"""Texts from phones: the webhook, the keywords, the block list, and what the product answers."""

import pytest
from twilio.request_validator import RequestValidator

from sandbox.config import DEFAULT_ACCOUNT, DEFAULT_TOKEN
from sandbox.inbound import HELP, START, STOP, keyword, replies_in
from tests.sandbox.conftest import NUMBER, PHONE, SERVICE


def _bodies(lab, phone=PHONE):
    return [m["body"] for m in lab.api("GET", f"/phones/{phone}")["messages"]]


def test_a_reply_goes_to_whoever_texted_last(lab):
    """Without `to` the reply answers the last conversation, service and all."""
    lab.send()
    answer = lab.text("Yes please")
    form = lab.product.forms("/inbound")[0]
    assert answer["to"] == NUMBER
    assert (form["From"], form["To"], form["Body"]) == (PHONE, NUMBER, "Yes please")
    assert form["MessagingServiceSid"] == SERVICE


def test_the_form_is_twilios(lab):
    """The whole parameter set is there, with the three equal SIDs."""
    sid = lab.text("Hi", to=NUMBER)["sid"]
    form = lab.product.forms("/inbound")[0]
    assert form["SmsMessageSid"] == form["SmsSid"] == form["MessageSid"] == sid
    assert (form["SmsStatus"], form["NumMedia"], form["NumSegments"]) == ("received", "0", "1")
    assert (form["AccountSid"], form["ApiVersion"]) == (DEFAULT_ACCOUNT, "2010-04-01")
    assert {"ToCountry", "ToState", "ToCity", "ToZip", "FromCountry", "FromZip"} <= set(form)
    assert "OptOutType" not in form


def test_the_sdk_validates_an_inbound_text(lab):
    """Empty values count in the signature too."""
    lab.text("  spaces kept  ", to=NUMBER)
    got = lab.product.received[0]
    validator = RequestValidator(DEFAULT_TOKEN)
    assert validator.validate(got.url, got.form, got.headers["X-Twilio-Signature"])


def test_a_phone_that_nobody_texted_must_say_to_whom(lab):
    """Without a conversation `to` is needed."""
    answer = lab.api("POST", "/phones/+12125550177/texts", {"body": "hi"}, 400)
    assert "say `to`" in answer["error"]


def test_a_service_resolves_to_one_of_its_numbers(open_lab):
    """`to` may be a service; the number is the one this phone knows."""
    pool = tuple(f"+1212555011{last}" for last in range(4))
    lab = open_lab(services={SERVICE: pool})
    sid = lab.send().json()["sid"]
    lab.idle()
    known = lab.server.carrier.store.messages[sid].sender
    assert known in pool
    assert lab.text("hello", to=SERVICE)["to"] == known
    assert lab.send().status_code == 201
    assert {m.sender for m in lab.server.carrier.store.by_to[PHONE]} == {known}


def test_media_are_listed(lab):
    """A picture comes as NumMedia, MediaUrl0 and MediaContentType0, with an MM sid."""
    sid = lab.text("", to=NUMBER, media=["https://media.test/1"])["sid"]
    form = lab.product.forms("/inbound")[0]
    assert sid.startswith("MM")
    assert (form["NumMedia"], form["MediaUrl0"], form["Body"]) == ("1", "https://media.test/1", "")


@pytest.mark.parametrize("word", sorted(STOP))
def test_every_stop_word_blocks(lab, word):
    """The eight words block in any case and are forwarded all the same; later sends get 21610."""
    lab.send()
    lab.text(f" {word.lower()} ")
    assert lab.product.forms("/inbound")[0]["Body"] == f" {word.lower()} "
    answer = lab.send()
    assert (answer.status_code, answer.json()["code"]) == (400, 21610)
    assert lab.send(From=NUMBER).json()["code"] == 21610
    assert lab.send(to="+12125550124").status_code == 201
    assert len(lab.log("blocked")) == 2


def test_more_than_the_word_does_not_block(lab):
    """Only the whole body counts, as with Twilio."""
    lab.send()
    for body in ("Stop please", "opt out", "stop texting me", "ALTO", "stop."):
        assert keyword(body) is None
        lab.text(body)
    assert lab.send().status_code == 201


def test_stop_is_answered_once_by_the_carrier(lab):
    """The auto-reply is on the phone and in the log as the carrier's own, and comes once."""
    lab.send()
    lab.text("STOP")
    lab.text("STOP")
    own = [m for m in lab.api("GET", f"/phones/{PHONE}")["messages"] if m["by_carrier"]]
    assert len(own) == 1
    assert own[0]["direction"] == "outbound-reply"
    assert [entry["by"] for entry in lab.log("auto-reply")] == ["carrier"]
    assert lab.api("GET", f"/phones/{PHONE}")["blocked_by"] == sorted([NUMBER, SERVICE])


@pytest.mark.parametrize("word", sorted(START))
def test_start_lifts_the_block(lab, word):
    """START, YES and UNSTOP lift it, with an auto-reply."""
    lab.send()
    lab.text("STOP")
    lab.text(word)
    assert lab.send().status_code == 201
    assert [entry["keyword"] for entry in lab.log("auto-reply")] == ["STOP", "START"]
    assert lab.api("GET", "/blocks") == {"blocks": []}


def test_yes_without_a_block_is_an_ordinary_text(lab):
    """Nobody who is not opted out gets an auto-reply to YES."""
    lab.send()
    lab.text("YES")
    assert lab.log("auto-reply") == []


@pytest.mark.parametrize("word", sorted(HELP))
def test_help_is_answered(lab, word):
    """HELP and INFO get Twilio's default text."""
    lab.send()
    lab.text(word)
    assert _bodies(lab)[-1] == "Reply STOP to unsubscribe. Msg&Data Rates May Apply."


def test_a_block_on_one_service_leaves_another_alone(open_lab):
    """A stop counts for the pair of phone and service."""
    other = "MG" + "1" * 32
    lab = open_lab(services={SERVICE: (NUMBER,), other: ("+12125550111",)})
    lab.send()
    lab.text("STOP")
    assert lab.send(MessagingServiceSid=other).status_code == 201
    assert lab.send().status_code == 400


def test_an_unconfigured_service_is_blocked_too(open_lab):
    """A service nobody configured sends from the default number and is stopped with it."""
    lab = open_lab(services={})
    lab.send()
    lab.text("STOP")
    assert lab.send().json()["code"] == 21610


def test_in_app_mode_the_carrier_keeps_out(open_lab):
    """With keywords left to the app nothing is blocked and nothing answered."""
    lab = open_lab(keywords="app")
    lab.send()
    for word in ("STOP", "HELP", "START"):
        lab.text(word)
    assert lab.send().status_code == 201
    assert lab.log("auto-reply") == []
    assert len(lab.product.forms("/inbound")) == 3


def test_a_block_can_show_by_callback_only(open_lab):
    """With async_optout a service's text is taken and fails with 21610 later."""
    lab = open_lab(async_optout=True)
    lab.send()
    lab.text("STOP")
    sid = lab.told("/status").json()["sid"]
    lab.idle()
    last = lab.product.forms("/status")[-1]
    assert (last["MessageSid"], last["MessageStatus"], last["ErrorCode"]) == (
        sid,
        "failed",
        "21610",
    )
    assert lab.send(From=NUMBER).json()["code"] == 21610


def test_advanced_optout_names_the_keyword(open_lab):
    """OptOutType comes only where Advanced Opt-Out is on."""
    lab = open_lab(advanced_optout=True)
    lab.send()
    lab.text("stop")
    lab.text("hello")
    first, second = lab.product.forms("/inbound")
    assert first["OptOutType"] == "STOP"
    assert "OptOutType" not in second


def test_the_fallback_address_gets_what_the_first_refused(open_lab, product):
    """A failed webhook goes to the fallback, with ErrorCode and ErrorUrl, signed for it."""
    lab = open_lab(fallback_url=product.url("/fallback"))
    product.answers["/inbound"] = [500]
    assert lab.text("hi", to=NUMBER)["webhook"]["status"] == 204
    got = product.received[-1]
    assert got.form["ErrorUrl"] == product.url("/inbound")
    assert got.form["ErrorCode"] == "11200"
    validator = RequestValidator(DEFAULT_TOKEN)
    assert validator.validate(got.url, got.form, got.headers["X-Twilio-Signature"])


def test_each_number_can_have_its_own_address(open_lab, product):
    """A number's own address wins over its service's and the default."""
    own = {NUMBER: product.url("/number"), SERVICE: product.url("/service")}
    lab = open_lab(services={SERVICE: (NUMBER, "+12125550111")}, inbound_urls=own)
    lab.text("a", to=NUMBER)
    lab.text("b", to="+12125550111")
    lab.text("c", to="+12125550112")
    assert [got.url.rpartition("/")[2] for got in product.received] == [
        "number",
        "service",
        "inbound",
    ]


def test_twiml_replies_are_sent(lab):
    """A <Message> in the answer becomes a text to the phone."""
    lab.product.answers["/inbound"] = [
        '<?xml version="1.0"?><Response><Message>Thanks &amp; bye</Message></Response>'
    ]
    lab.text("hi", to=NUMBER)
    assert _bodies(lab) == ["hi", "Thanks & bye"]
    assert replies_in("<Response/>") == replies_in("<Message") == replies_in("") == []


def test_a_lost_inbound_text_is_in_the_list_all_the_same(lab):
    """A missed webhook can be found by polling the list."""
    lab.fault("lose_inbound", count=1)
    answer = lab.text("hello", to=NUMBER)
    assert answer["webhook"]["failure"] == "lost"
    assert lab.product.received == []
    assert lab.client.messages.list(to=NUMBER)[0].body == "hello"


def test_an_inbound_text_can_come_twice(lab):
    """A doubled webhook has the same SID; a redelivery too."""
    lab.fault("duplicate_inbound", count=1, phone=PHONE)
    sid = lab.text("hello", to=NUMBER)["sid"]
    lab.api("POST", f"/messages/{sid}/redeliver")
    assert [form["MessageSid"] for form in lab.product.forms()] == [sid] * 3


def test_inbound_is_signed_with_the_account_of_the_conversation(open_lab):
    """With two accounts, the one that texted the phone signs its replies."""
    other = "AC" + "2" * 32
    lab = open_lab(accounts={DEFAULT_ACCOUNT: DEFAULT_TOKEN, other: "other-token"})
    lab.http.auth = (other, "other-token")
    lab.messages_url = lab.messages_url.replace(DEFAULT_ACCOUNT, other)
    lab.send()
    lab.text("hi")
    got = lab.product.received[0]
    assert got.form["AccountSid"] == other
    signature = got.headers["X-Twilio-Signature"]
    assert RequestValidator("other-token").validate(got.url, got.form, signature)
