"""What Twilio posts to us: signatures, inbound texts and status callbacks."""

import base64
import hmac
from hashlib import sha1, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.gateway import BadWebhook
from messages.gateways.twilio import parse_inbound, parse_status, verify_signature

# The vector out of Twilio's documentation.
VECTOR_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
VECTOR = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
VECTOR_SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="

TOKEN = "12345"
URL = "https://clinic.example/twilio/status?message=m1&attempt=2"
INBOUND = {
    "ToCountry": "US",
    "MessageSid": "SM" + "2" * 32,
    "SmsSid": "SM" + "2" * 32,
    "SmsStatus": "received",
    "NumMedia": "0",
    "NumSegments": "1",
    "Body": " Sí, confirmo ",
    "To": "+12125550110",
    "From": "+12125550100",
    "AccountSid": "AC" + "0" * 32,
    "ApiVersion": "2010-04-01",
}
STATUS = {
    "MessageSid": "SM" + "2" * 32,
    "MessageStatus": "undelivered",
    "ErrorCode": "30003",
    "To": "+12125550100",
    "From": "+12125550110",
    "AccountSid": "AC" + "0" * 32,
}


def signed(url: str, params: dict, token: str = TOKEN, digest=sha1) -> str:
    """Sign as Twilio documents it, independently of the SDK."""
    text = url
    for name in sorted(params):
        value = params[name]
        for item in sorted({value} if isinstance(value, str) else set(value)):
            text += name + item
    return base64.b64encode(hmac.new(token.encode(), text.encode(), digest).digest()).decode()


def test_twilios_own_vector_passes():
    """The documented example is accepted."""
    assert verify_signature([TOKEN], VECTOR_URL, VECTOR, VECTOR_SIGNATURE)


def test_either_of_two_tokens_passes():
    """While a token is being rotated, both are good."""
    good = signed(URL, INBOUND)
    assert verify_signature(["new", TOKEN], URL, INBOUND, good)
    assert verify_signature([TOKEN, "old"], URL, INBOUND, good)
    assert not verify_signature(["new", "newer"], URL, INBOUND, good)


@pytest.mark.parametrize("tokens", [[], [""], ["", ""]])
def test_no_token_or_an_empty_one_verifies_nothing(tokens):
    """A blank setting is not a secret that anybody could sign with."""
    assert not verify_signature(tokens, URL, INBOUND, signed(URL, INBOUND, ""))


@pytest.mark.parametrize(
    "change",
    [
        {"Body": "Sí, confirmo"},
        {"Body": " sí, confirmo "},
        {"To": "+12125550111"},
        {"Extra": ""},
        {"Extra": "1"},
    ],
)
def test_a_changed_form_fails(change):
    """A trimmed, altered or added value breaks the signature."""
    assert not verify_signature([TOKEN], URL, INBOUND | change, signed(URL, INBOUND))


@pytest.mark.parametrize(
    "url",
    [
        "http://clinic.example/twilio/status?message=m1&attempt=2",
        "https://clinic.example/twilio/status?attempt=2&message=m1",
        "https://clinic.example/twilio/status?message=m1&attempt=3",
        "https://clinic.example/twilio/status/?message=m1&attempt=2",
        "https://clinic.example/twilio/status",
        "https://other.example/twilio/status?message=m1&attempt=2",
    ],
)
def test_a_changed_address_fails(url):
    """The callback's message and attempt are part of what was signed."""
    assert not verify_signature([TOKEN], url, INBOUND, signed(URL, INBOUND))


def test_a_port_that_is_not_ours_fails():
    """Only our own port and the scheme's may be left out or put in."""
    theirs = URL.replace("clinic.example", "clinic.example:8443")
    assert not verify_signature([TOKEN], URL, INBOUND, signed(theirs, INBOUND))


@pytest.mark.parametrize("signature", ["", " ", "é", "\ud800", "RSOY", "=" * 28])
def test_a_wrong_signature_fails(signature):
    """Whatever a header may hold is an answer of no, never an exception."""
    assert not verify_signature([TOKEN], URL, INBOUND, signature)


def test_a_form_that_was_never_signed_fails():
    """Half a surrogate pair can't be signed, and an empty signature does not match it."""
    for signature in ("", signed(URL, INBOUND)):
        assert not verify_signature([TOKEN], URL, INBOUND | {"Body": "\ud800"}, signature)


def test_only_sha1_is_accepted():
    """A caller who signs with another algorithm, even with our token, is refused."""
    assert not verify_signature([TOKEN], URL, INBOUND, signed(URL, INBOUND, digest=sha256))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://clinic.example/a?b=1", "https://clinic.example:443/a?b=1"),
        ("https://clinic.example:443/a", "https://clinic.example/a"),
        ("http://clinic.example/a", "http://clinic.example:80/a"),
        ("https://clinic.example:8443/a", "https://clinic.example/a"),
        ("https://user:pw@clinic.example:8443/a", "https://user:pw@clinic.example/a"),
        ("http://[::1]:8000/a", "http://[::1]/a"),
    ],
)
def test_twilio_may_sign_with_or_without_the_port(ours, theirs):
    """Twilio is not consistent about ports, so both forms are accepted."""
    assert verify_signature([TOKEN], ours, INBOUND, signed(theirs, INBOUND))
    assert verify_signature([TOKEN], ours, INBOUND, signed(ours, INBOUND))


def test_a_name_sent_twice_is_signed_with_both_values():
    """Values of one name are sorted and counted once."""
    params = {"A": ["2", "1", "2"], "B": "x"}
    assert verify_signature([TOKEN], URL, params, signed(URL, params))
    assert not verify_signature([TOKEN], URL, {"A": ["2"], "B": "x"}, signed(URL, params))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(params=st.dictionaries(TEXTS, TEXTS, max_size=6), token=TEXTS.filter(bool))
def test_any_form_verifies_with_its_own_token_only(params, token):
    """Whatever the parameters, the signature holds for them and for no other token."""
    signature = signed(URL, params, token)
    assert verify_signature([token], URL, params, signature)
    assert not verify_signature([token + "x"], URL, params, signature)


def test_an_inbound_text_is_read_as_it_came():
    """The body keeps its spaces and letters, and unknown parameters stay."""
    text = parse_inbound(INBOUND | {"OptOutType": "STOP", "NewThing": "1"})
    assert text.body == " Sí, confirmo "
    assert (text.sid, text.from_number, text.to) == (
        INBOUND["MessageSid"],
        "+12125550100",
        "+12125550110",
    )
    assert (text.num_media, text.opt_out_type, text.messaging_service_sid) == (0, "STOP", None)
    assert text.raw["NewThing"] == "1"
    assert "5550100" not in repr(text)
    assert "confirmo" not in repr(text)


@pytest.mark.parametrize("body", [{"Body": ""}, {}])
def test_an_empty_body_is_a_text_all_the_same(body):
    """A picture without words has no body."""
    form = {name: value for name, value in INBOUND.items() if name != "Body"} | body
    text = parse_inbound(form | {"NumMedia": "2"})
    assert (text.body, text.num_media) == ("", 2)


def test_an_older_name_of_the_sid_is_understood():
    """SmsSid and SmsMessageSid stand for MessageSid."""
    form = {name: value for name, value in INBOUND.items() if name != "MessageSid"}
    assert parse_inbound(form).sid == INBOUND["SmsSid"]


@pytest.mark.parametrize("field", ["From", "To", "AccountSid"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_inbound_text_without_a_needed_field_is_a_bad_webhook(field, value):
    """The error names the field, and no value of any."""
    form = {name: text for name, text in INBOUND.items() if name != field}
    with pytest.raises(BadWebhook, match=field) as raised:
        parse_inbound(form if value is None else form | {field: value})
    assert raised.value.field == field
    assert "555" not in str(raised.value)


def test_a_status_is_read_with_its_error_code():
    """The carrier's word and its code come through."""
    report = parse_status(STATUS | {"RawDlrDoneDate": "2611231700"})
    assert (report.sid, report.status, report.error_code) == (
        STATUS["MessageSid"],
        "undelivered",
        30003,
    )
    assert report.raw["RawDlrDoneDate"] == "2611231700"
    assert "5550100" not in repr(report)


@pytest.mark.parametrize("code", [None, "", "none", "-1", "3e4", "²", "9" * 40])
def test_an_odd_error_code_is_no_code(code):
    """A status is worth storing even with nonsense beside it."""
    form = {name: value for name, value in STATUS.items() if name != "ErrorCode"}
    report = parse_status(form if code is None else form | {"ErrorCode": code})
    assert report.error_code is None


def test_an_unknown_status_word_is_no_error():
    """Twilio adds words without notice."""
    assert parse_status(STATUS | {"MessageStatus": "teleported"}).status == "teleported"


@pytest.mark.parametrize("field", ["MessageSid", "MessageStatus", "AccountSid"])
def test_a_status_without_a_needed_field_is_a_bad_webhook(field):
    """Without a sid or a status there is nothing to store."""
    form = {name: value for name, value in STATUS.items() if name != field}
    with pytest.raises(BadWebhook, match=field):
        parse_status(form)


def test_a_form_of_lists_is_read_too():
    """A web framework may hand over lists; Twilio sends each name once."""
    form = {name: [value] for name, value in INBOUND.items()}
    assert parse_inbound(form) == parse_inbound(INBOUND)
