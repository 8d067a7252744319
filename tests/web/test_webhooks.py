"""The carrier's webhooks: signed and kept, or refused and nothing kept."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from records.base import Database, DBAPIError
from records.callbacks import Callback
from records.clinics import Clinic
from tests.web.house import (
    ACCOUNT,
    NOW,
    NUMBER,
    PUBLIC_URL,
    SERVICE,
    TOKEN,
    House,
    inbound_form,
    post,
    signature,
    status_form,
)
from tests.web.served import Client, served
from web.groupcommit import GroupCommit
from web.webhooks import LARGEST_BODY, parse_form, store_callbacks

INBOUND, STATUS = "/twilio/inbound", "/twilio/status"
TABLES = ("inbound", "receipt", "stray_webhook", "message", "follow_up", "audit_event")


def kept(house: House) -> int:
    return sum(house.count(table) for table in TABLES)


def test_signed_text_is_stored_and_answered_with_nothing_to_say(
    house: House, clinic: Clinic, client: Client
) -> None:
    """A signed text is one row of the clinic, answered by an empty TwiML document."""
    answer = post(client, INBOUND, inbound_form("Yes, C"))

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.text.endswith("<Response/>")
    assert house.count("inbound", f"clinic_id = '{clinic.id}'") == 1
    assert house.nudged == ["replies"]


def test_body_is_sealed_exactly_as_it_was_written(
    house: House, clinic: Clinic, client: Client
) -> None:
    """Blanks, emoji and 1,600 letters come back as they were; the column shows none of it."""
    body = "  hola\n🙂 áé & = + %41 " + "x" * 1570 + "  "
    post(client, INBOUND, inbound_form(body))

    [(row_id, sealed)] = house.rows("SELECT id, body FROM inbound")
    assert b"hola" not in sealed
    assert house.services.vault.open("inbound", "body", row_id, sealed) == body


@pytest.mark.parametrize("form", [inbound_form(""), {**inbound_form(), "Body": ""}])
def test_empty_body_is_a_text_too(
    house: House, clinic: Clinic, client: Client, form: dict[str, str]
) -> None:
    """A picture without words is stored like any text."""
    assert post(client, INBOUND, form).status_code == 200
    assert house.count("inbound") == 1


def test_absent_body_is_a_text_too(house: House, clinic: Clinic, client: Client) -> None:
    """A media message may come without the field at all."""
    form = inbound_form()
    del form["Body"]

    assert post(client, INBOUND, form).status_code == 200
    assert house.count("inbound") == 1


def test_repeated_and_unknown_keys_are_part_of_what_is_signed(
    house: House, clinic: Clinic, client: Client
) -> None:
    """A parameter that came twice, or that nobody knows yet, passes and is kept."""
    pairs = [*inbound_form().items(), ("New", "b"), ("New", "a"), ("New", "b"), ("Blank", "")]

    assert post(client, INBOUND, pairs).status_code == 200
    assert house.count("inbound") == 1


@pytest.mark.parametrize("path", [INBOUND, STATUS, "/twilio/voice/patient"])
@pytest.mark.parametrize(
    "headers", [{"X-Twilio-Signature": ""}, {"X-Twilio-Signature": "bm90IHNpZ25lZA=="}]
)
def test_unsigned_call_is_refused_and_leaves_nothing(
    house: House, clinic: Clinic, client: Client, path: str, headers: dict[str, str]
) -> None:
    """Without the right signature the answer is 403 and no table has a row."""
    assert post(client, path, inbound_form(), **headers).status_code == 403
    assert kept(house) == 0
    assert house.nudged == []


def test_missing_signature_header_is_refused(house: House, clinic: Clinic, client: Client) -> None:
    """No header at all is as bad as a wrong one."""
    assert client.post(INBOUND, data=inbound_form()).status_code == 403
    assert kept(house) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"Body": "STOP"},
        {"Body": "C "},
        {"From": "+12125550199"},
        {"Extra": "1"},
        {"Extra": ""},
    ],
)
def test_changed_parameter_is_refused(
    house: House, clinic: Clinic, client: Client, changed: dict[str, str]
) -> None:
    """Whatever is altered, trimmed or added after signing, nothing is stored."""
    signed = signature(INBOUND, list(inbound_form("C").items()))
    form = {**inbound_form("C"), **changed}

    assert post(client, INBOUND, form, **{"X-Twilio-Signature": signed}).status_code == 403
    assert kept(house) == 0


def test_left_out_parameter_is_refused(house: House, clinic: Clinic, client: Client) -> None:
    """A parameter taken away breaks the signature."""
    signed = signature(INBOUND, list(inbound_form().items()))
    form = inbound_form()
    del form["NumMedia"]

    assert post(client, INBOUND, form, **{"X-Twilio-Signature": signed}).status_code == 403


@pytest.mark.parametrize(
    ("path", "base"),
    [
        (f"{STATUS}?message=1&attempt=1", "https://texts.clinic.test"),
        (f"{STATUS}?message=1&attempt=1", "http://other.clinic.test"),
        (f"{STATUS}?attempt=1&message=1", PUBLIC_URL),
        (f"{STATUS}?message=1&attempt=2", PUBLIC_URL),
        (f"{STATUS}/?message=1&attempt=1", PUBLIC_URL),
        (STATUS, PUBLIC_URL),
    ],
)
def test_address_must_be_the_one_signed(
    house: House, clinic: Clinic, client: Client, path: str, base: str
) -> None:
    """Scheme, host, path, and the query with its order are all part of the signature."""
    form = status_form()
    signed = signature(path, list(form.items()), base=base)
    called = f"{STATUS}?message=1&attempt=1"

    assert post(client, called, form, **{"X-Twilio-Signature": signed}).status_code == 403
    assert kept(house) == 0


def test_host_header_and_forwarded_headers_change_nothing(
    house: House, clinic: Clinic, client: Client
) -> None:
    """The signed address is PUBLIC_URL's, whatever a proxy or a caller says it is."""
    spoofed = {"Host": "evil.test", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.test"}

    assert post(client, INBOUND, inbound_form(), **spoofed).status_code == 200


def test_query_is_compared_with_its_own_escapes(
    house: House, clinic: Clinic, client: Client
) -> None:
    """A percent sign in the address stays as it was sent."""
    path = f"{STATUS}?message=%7Babc%7D&attempt=1"

    assert post(client, path, status_form()).status_code == 204


def test_previous_token_is_good_while_tokens_rotate(house: House, clinic: Clinic) -> None:
    """Both tokens are accepted while TWILIO_AUTH_TOKEN_PREVIOUS is set."""

    services = house.with_settings(
        TWILIO_AUTH_TOKEN="the new one", TWILIO_AUTH_TOKEN_PREVIOUS=TOKEN
    )
    with served(services) as client:
        assert post(client, INBOUND, inbound_form()).status_code == 200


def test_other_account_is_refused(house: House, clinic: Clinic, client: Client) -> None:
    """A form that names another account is not ours, although it is signed."""
    form = inbound_form(AccountSid="AC" + "9" * 32)

    assert post(client, INBOUND, form).status_code == 403
    assert post(client, STATUS, status_form(AccountSid="")).status_code == 403
    assert kept(house) == 0


def test_oversized_body_is_refused(house: House, clinic: Clinic, client: Client) -> None:
    """More than 64 KiB is read by nobody."""
    answer = post(client, INBOUND, inbound_form("x" * LARGEST_BODY))

    assert answer.status_code == 413
    assert kept(house) == 0


def test_too_many_fields_are_refused(house: House, clinic: Clinic, client: Client) -> None:
    """A form of thousands of fields is no webhook of the carrier's."""
    pairs = [(f"f{number}", "") for number in range(2000)]

    assert post(client, INBOUND, pairs).status_code == 403


@pytest.mark.parametrize("path", [INBOUND, STATUS])
def test_get_is_no_webhook(client: Client, path: str) -> None:
    """Only POST is routed."""
    assert client.get(path).status_code == 405


def test_replayed_text_is_one_row(house: House, clinic: Clinic, client: Client) -> None:
    """The same MessageSid, five times and two at once, is one row with one answer each."""
    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(lambda _: post(client, INBOUND, inbound_form()).status_code, range(5))
        )

    assert answers == [200] * 5
    assert house.count("inbound") == 1


def test_text_to_an_unknown_number_is_kept_as_stray(house: House, client: Client) -> None:
    """A signed text that fits no clinic is kept, sealed, and answered."""
    answer = post(client, INBOUND, inbound_form("hello"))

    assert answer.status_code == 200
    [(row_id, kind, payload)] = house.rows("SELECT id, kind, payload FROM stray_webhook")
    assert kind == "inbound"
    opened = house.services.vault.open("stray_webhook", "payload", row_id, payload)
    assert json.loads(opened)["Body"] == "hello"


def test_signed_webhook_without_a_sid_is_kept_as_stray(
    house: House, clinic: Clinic, client: Client
) -> None:
    """What lacks a field that a row needs is kept all the same, once."""
    form = {"AccountSid": ACCOUNT, "Body": "hello"}

    assert post(client, INBOUND, form).status_code == 200
    assert post(client, INBOUND, form).status_code == 200
    assert post(client, STATUS, form).status_code == 204
    assert house.count("stray_webhook") == 2


def test_failed_commit_of_a_text_asks_the_carrier_to_come_again(
    house: House, clinic: Clinic, client: Client
) -> None:
    """With the database gone the answer is 503; once it is back the same text is stored."""
    url = "postgresql+psycopg://nobody:nothing@127.0.0.1:1/none"
    broken = house.with_settings(DATABASE_URL=url)

    gone = Database.connect(url, application="test")
    with served(replace(broken, database=gone)) as without_database:
        assert post(without_database, INBOUND, inbound_form()).status_code == 503
        assert post(without_database, STATUS, status_form()).status_code == 503
    gone.close()

    assert post(client, INBOUND, inbound_form()).status_code == 200
    assert house.count("inbound") == 1


def test_receipt_is_stored_with_its_message_and_attempt(
    house: House, clinic: Clinic, client: Client
) -> None:
    """A callback's address names the message and the attempt; the form is kept sealed."""
    message = house.message(house.patient(clinic))
    path = f"{STATUS}?message={message.id}&attempt=2"

    answer = post(client, path, status_form("undelivered", ErrorCode="30005"))

    assert (answer.status_code, answer.content) == (204, b"")
    [row] = house.rows(
        "SELECT id, message_id, attempt, status, error_code, source, payload, applied_at"
        " FROM receipt"
    )
    assert (row.message_id, row.attempt, row.status) == (message.id, 2, "undelivered")
    assert (row.error_code, row.source, row.applied_at) == (30005, "callback", None)
    payload = house.services.vault.open("receipt", "payload", row.id, row.payload)
    assert json.loads(payload)["MessageStatus"] == "undelivered"
    assert house.nudged == ["receipts"]


def test_repeated_receipt_is_one_row(house: House, clinic: Clinic, client: Client) -> None:
    """The carrier may say the same twice; another status is another row."""
    for status in ("sent", "sent", "delivered", "sent"):
        assert post(client, STATUS, status_form(status)).status_code == 204

    assert house.count("receipt") == 2


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?message=nonsense&attempt=x",
        "?message=&attempt=",
        "?message=01a20900-0000-7000-8000-000000000000",
    ],
)
def test_unknown_message_is_stored_for_the_clinic_that_sends_from_there(
    house: House, clinic: Clinic, client: Client, query: str
) -> None:
    """A malformed or strange message id is no error: the sender's clinic keeps the receipt."""
    assert post(client, STATUS + query, status_form()).status_code == 204
    [row] = house.rows("SELECT clinic_id, message_id, attempt FROM receipt")
    assert (row.clinic_id, row.message_id, row.attempt) == (clinic.id, None, None)


def test_unknown_message_is_found_by_the_carriers_id(
    house: House, clinic: Clinic, client: Client
) -> None:
    """The clinic is the one whose text bears that SID, even if another number is named."""
    sid = "SM" + "c" * 32
    house.message(house.patient(clinic), sid=sid)

    post(client, STATUS, status_form(sid=sid, From="+12125550199"))

    assert house.count("receipt", f"clinic_id = '{clinic.id}'") == 1


def test_unknown_message_is_found_by_the_messaging_service(
    house: House, clinic: Clinic, client: Client
) -> None:
    """Without a known From, the messaging service tells the clinic."""
    form = status_form(From="", MessagingServiceSid=SERVICE)

    assert post(client, STATUS, form).status_code == 204
    assert house.count("receipt", f"clinic_id = '{clinic.id}'") == 1


def test_receipt_of_nobody_is_kept_as_stray(house: House, client: Client) -> None:
    """A signed callback that fits no clinic is kept, each status once."""
    for status in ("sent", "delivered", "delivered"):
        assert post(client, STATUS, status_form(status)).status_code == 204

    assert house.count("receipt") == 0
    assert house.count("stray_webhook", "kind = 'status'") == 2


def test_unknown_status_word_is_stored(house: House, clinic: Clinic, client: Client) -> None:
    """Carriers add words: each is kept as it came and is no error."""
    assert post(client, STATUS, status_form("teleported", ErrorCode="soon")).status_code == 204
    assert house.rows("SELECT status, error_code FROM receipt") == [("teleported", None)]


@pytest.mark.parametrize("attempt", ["99999", "-1", "1e3", "9" * 40, "\u0661"])
def test_absurd_attempt_is_left_out(
    house: House, clinic: Clinic, client: Client, attempt: str
) -> None:
    """An attempt that can't be a number of ours doesn't keep the receipt from being stored."""

    message = house.message(house.patient(clinic))
    path = f"{STATUS}?message={message.id}&attempt={quote(attempt)}"

    assert post(client, path, status_form()).status_code == 204
    assert house.rows("SELECT attempt FROM receipt") == [(None,)]


def test_bad_receipt_does_not_take_its_group_along(house: House, clinic: Clinic) -> None:
    """What the database refuses is refused alone; the rest of its group is committed."""

    commits = GroupCommit(partial(store_callbacks, house.services), name="callbacks")
    good = [_callback(f"SM{number:032}") for number in range(5)]
    bad = _callback("SM" + "9" * 32, status="with\0nul")

    async def store() -> list[BaseException | None]:
        waiting = [asyncio.create_task(commits.store(each)) for each in (*good, bad)]
        await asyncio.sleep(0)
        commits.start()
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(store())
    commits.stop()

    assert outcomes[:5] == [None] * 5
    assert isinstance(outcomes[5], DBAPIError)
    assert house.count("receipt") == 5


def test_many_receipts_share_one_transaction(house: House, clinic: Clinic) -> None:
    """What waits together is committed together, and each handler is told."""

    commits = GroupCommit(partial(store_callbacks, house.services), name="callbacks")

    async def store() -> None:
        waiting = [asyncio.create_task(commits.store(_callback(f"SM{n:032}"))) for n in range(300)]
        await asyncio.sleep(0)
        commits.start()
        await asyncio.gather(*waiting)

    asyncio.run(store())
    commits.stop()

    assert house.rows("SELECT count(*), count(DISTINCT xmin::text) FROM receipt") == [(300, 1)]
    assert house.nudged == ["receipts"]


def test_failing_nudge_is_no_error(house: House, clinic: Clinic) -> None:
    """The broker may be gone: the rows are there, and the tick looks every second."""

    def broken(_step: str, *_ids: str) -> None:
        raise ConnectionError

    with served(replace(house.services, nudge=broken)) as client:
        assert post(client, STATUS, status_form()).status_code == 204
    assert house.count("receipt") == 1


def test_open_hours_connect_a_patients_call(house: House, clinic: Clinic, client: Client) -> None:
    """A caller hears a neutral greeting, 911 and 988, and is put through to the clinic."""
    answer = post(client, "/twilio/voice/patient", inbound_form())

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert "9 1 1" in answer.text
    assert "9 8 8" in answer.text
    assert "+12125550100</Dial>" in answer.text
    assert "Recovery" not in answer.text


def test_closed_hours_tell_when_the_clinic_opens(
    house: House, clinic: Clinic, client: Client
) -> None:
    """In the evening nobody is rung: the opening is told in both languages."""
    house.clock.at = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    answer = post(client, "/twilio/voice/patient", inbound_form())

    assert "<Dial" not in answer.text
    assert "opens tomorrow at 8 AM" in answer.text
    assert "abre mañana a las 8 am" in answer.text


def test_call_to_an_unknown_number_still_hears_where_help_is(house: House, client: Client) -> None:
    """A number of no clinic names nobody, but 911 and 988."""
    answer = post(client, "/twilio/voice/patient", inbound_form(To="+12125550177"))

    assert "9 8 8" in answer.text
    assert "<Dial" not in answer.text


def test_form_is_read_as_it_was_signed() -> None:
    """Nothing is stripped, empty values stay, repeated keys become a list."""
    assert parse_form(b"a=&b=+x+&c=1&c=2&c=1&d=%F0%9F%99%82&e") == {
        "a": "",
        "b": " x ",
        "c": ["1", "2", "1"],
        "d": "🙂",
        "e": "",
    }


def _callback(sid: str, status: str = "delivered") -> Any:

    return Callback(
        message_id=None,
        attempt=None,
        sid=sid,
        status=status,
        error_code=None,
        from_number=NUMBER,
        messaging_service_sid=None,
        payload="{}",
        received_at=NOW,
    )
