"""The ways a page leaves: an e-mail and a webhook over real sockets, with what goes wrong there."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from records.base import new_id
from schedules.ladder import Channel
from tests.support.mail import mail_server
from tests.support.world import settings_for
from worker.paging.transports import (
    SIGNATURE_HEADER,
    Job,
    Result,
    Transport,
    signature,
    transports,
)
from worker.settings import SettingsError

URL = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def job(channel: Channel, address: str | None = "sam@clinic.test") -> Job:
    return Job(
        delivery_id=new_id(),
        page_id=new_id(),
        clinic_id=new_id(),
        channel=channel,
        address=address,
        text="text",
        subject="PAGE: Riverside Care: someone needs you NOW.",
        letter="Sign in and take it: http://127.0.0.1:9/follow-ups/1\n",
        document={"event": "page", "summary": "¡ahora!"},
        from_number="+12125550110",
        messaging_service_sid=None,
    )


def transport(channel: Channel, **settings: Any) -> Transport:
    return transports(settings_for(URL, **settings))[channel]


@dataclass(slots=True, kw_only=True)
class Service:
    """A paging service that answers with this status."""

    status: int = 202
    url: str = ""
    headers: list[Message] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def paging_service(status: int = 202) -> Iterator[Service]:
    service = Service(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            service.headers.append(self.headers)
            service.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(service.status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_page_is_an_e_mail() -> None:
    """From the address in SMTP_URL, marked as a machine's, with the way to the item."""
    with mail_server() as box:
        sent = transport(Channel.EMAIL, SMTP_URL=box.url)(job(Channel.EMAIL))
        [letter] = box.to("sam@clinic.test")
    assert sent.result is Result.ACCEPTED
    assert letter["From"] == "aftercare@clinic.test"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "take it" in str(letter.get_payload())


@pytest.mark.parametrize(
    ("refusal", "result"),
    [("550 no such user", Result.REFUSED), ("450 try later", Result.AGAIN)],
)
def test_an_address_that_bounces_is_no_error_of_ours(refusal: str, result: Result) -> None:
    """A firm no ends the delivery, a temporary one is tried again; no address is in the word."""
    with mail_server() as box:
        box.refusal = refusal
        sent = transport(Channel.EMAIL, SMTP_URL=box.url)(job(Channel.EMAIL))
    assert (sent.result, sent.error) == (result, f"smtp_{refusal[:3]}")


def test_a_mail_server_that_is_away_is_tried_again() -> None:
    """Nothing listens there."""
    sent = transport(Channel.EMAIL, SMTP_URL="smtp://127.0.0.1:9")(job(Channel.EMAIL))
    assert (sent.result, sent.error) == (Result.AGAIN, "ConnectionRefusedError")


def test_a_webhook_is_signed_over_time_and_body() -> None:
    """Whoever knows the secret can check it, and a repeat bears the same key."""
    with paging_service() as service:
        given = {
            "AFTERCARE_PAGE_WEBHOOK_URL": service.url,
            "AFTERCARE_PAGE_WEBHOOK_SECRET": "shared",
        }
        one = job(Channel.WEBHOOK, None)
        assert transport(Channel.WEBHOOK, **given)(one).result is Result.ACCEPTED
    [headers], [body] = service.headers, service.bodies
    at = int(headers[SIGNATURE_HEADER].partition("t=")[2].partition(",")[0])
    assert headers[SIGNATURE_HEADER] == signature("shared", at, body)
    assert headers["Idempotency-Key"] == str(one.delivery_id)
    assert json.loads(body) == {"event": "page", "summary": "¡ahora!"}


@pytest.mark.parametrize(
    ("status", "result"),
    [(400, Result.REFUSED), (302, Result.AGAIN), (429, Result.AGAIN), (503, Result.AGAIN)],
)
def test_what_a_paging_service_answers(status: int, result: Result) -> None:
    """No redirect is followed: what is signed for one address is not for another."""
    with paging_service(status) as service:
        given = {
            "AFTERCARE_PAGE_WEBHOOK_URL": service.url,
            "AFTERCARE_PAGE_WEBHOOK_SECRET": "shared",
        }
        sent = transport(Channel.WEBHOOK, **given)(job(Channel.WEBHOOK, None))
    assert (sent.result, sent.error) == (result, f"status_{status}")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"SMTP_URL": "mail.clinic.test"}, "SMTP_URL"),
        ({"AFTERCARE_PAGE_WEBHOOK_URL": "http://127.0.0.1:9"}, "_SECRET is missing"),
        ({"AFTERCARE_PAGE_TWILIO_ACCOUNT_SID": "AC" + "2" * 32}, "second account needs all"),
    ],
)
def test_half_a_way_to_page_is_refused_at_the_start(given: dict[str, str], fault: str) -> None:
    """A path that would fail at night is named when the process starts."""
    with pytest.raises(SettingsError, match=fault):
        settings_for(URL, **given)
