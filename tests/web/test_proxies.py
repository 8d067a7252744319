"""Behind a proxy: whose wrong passwords are counted, and what of a proxy's word is believed."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from records.clinics import Clinic
from tests.web.house import PASSWORD, House, inbound_form, post
from tests.web.served import Client, served
from web.proxies import ForwardedClient, client_of

KIM = "kim@clinic.test"
OFFICE, GUESSER = "198.51.100.7", "203.0.113.9"
PROXIES = (ip_network("127.0.0.1"), ip_network("10.0.0.0/24"))


def sign_in(client: Client, forwarded: str, password: str) -> int:
    """Sign in with what a proxy says of the client."""
    client._session.headers["X-Forwarded-For"] = forwarded
    return client.sign_in(KIM, password).status_code


def test_a_guesser_behind_the_proxy_keeps_nobody_else_out(house: House, clinic: Clinic) -> None:
    """Who is paged at 02:00 signs in while somebody else guesses at their password."""
    house.staff(clinic, KIM)
    with served(house.with_settings(AFTERCARE_TRUSTED_PROXIES="127.0.0.1")) as client:
        guesses = [sign_in(client, GUESSER, "wrong") for _ in range(6)]
        assert guesses == [401] * 5 + [429]
        assert sign_in(client, OFFICE, PASSWORD) == 303


@pytest.mark.parametrize("proxies", ["", "127.0.0.1", "10.0.0.0/8"])
def test_a_header_of_the_guessers_own_gains_nothing(
    house: House, clinic: Clinic, proxies: str
) -> None:
    """With a proxy named it adds whom it heard; with none, or another, nothing is believed."""
    house.staff(clinic, KIM)
    heard = f", {GUESSER}" if proxies == "127.0.0.1" else ""
    with served(house.with_settings(AFTERCARE_TRUSTED_PROXIES=proxies)) as client:
        guesses = [sign_in(client, f"192.0.2.{n}{heard}", "wrong") for n in range(6)]
    assert guesses == [401] * 5 + [429]


def test_a_proxy_that_is_not_named_is_told_of_once(house: House, logged: list[Any]) -> None:
    """So that a wrong name is noticed; the address is not told, since it may be a client's."""
    with served(house.with_settings(AFTERCARE_TRUSTED_PROXIES="10.0.0.1")) as client:
        for _ in range(3):
            client.get("/healthz", headers={"X-Forwarded-For": GUESSER})
    told = [line for line in logged if line["event"] == "forwarded_header_not_believed"]
    assert told == [{"event": "forwarded_header_not_believed", "named": 1, "log_level": "warning"}]


def test_no_address_of_a_client_is_logged(house: House, logged: list[Any], clinic: Clinic) -> None:
    """Neither of who signs in, nor of who does not."""
    house.staff(clinic, KIM)
    with served(house.with_settings(AFTERCARE_TRUSTED_PROXIES="127.0.0.1")) as client:
        assert sign_in(client, OFFICE, "wrong") == 401
        assert sign_in(client, OFFICE, PASSWORD) == 303
    assert {line["event"] for line in logged} >= {"sign_in_refused", "signed_in"}
    assert OFFICE not in repr(logged)


def test_the_signature_goes_by_the_public_address_alone(house: House, clinic: Clinic) -> None:
    """Scheme and host that a trusted proxy names change nothing, nor do they for the cookie."""
    said = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-For": OFFICE,
    }
    with served(house.with_settings(AFTERCARE_TRUSTED_PROXIES="127.0.0.1")) as client:
        assert post(client, "/twilio/inbound", inbound_form(), **said).status_code == 200
        cookie = client.get("/sign-in", headers=said).headers["set-cookie"].lower()
    assert house.count("inbound") == 1
    assert "secure" not in cookie


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("192.0.2.1 ,203.0.113.9,  10.0.0.4 , ::ffff:10.0.0.5", "203.0.113.9"),
        ("junk, , 203.0.113.9, 10.0.0.4", "203.0.113.9"),
        ("", "127.0.0.1"),
        (",", "127.0.0.1"),
        ("unknown", "127.0.0.1"),
        ("203.0.113.9, unknown", "127.0.0.1"),
        ("203.0.113.9, _hidden, 10.0.0.4", "127.0.0.1"),
        ("203.0.113.9,", "127.0.0.1"),
        ("203.0.113.900", "127.0.0.1"),
        ("[203.0.113.9", "127.0.0.1"),
        ("203.0.113.9:port", "127.0.0.1"),
        ("²03.0.113.9", "127.0.0.1"),
        ("10.0.0.4, 127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_last_trusted_proxy_heard(forwarded: str, client: str) -> None:
    """Read from the right; what can't be read there, or is a proxy throughout, is the peer."""
    found = client_of("127.0.0.1", forwarded, PROXIES)
    assert found == client


def test_several_headers_are_one_list() -> None:
    """Some proxies add a line of their own below what the client wrote."""
    lines = [b"192.0.2.1", b"203.0.113.9, 10.0.0.4"]
    scope: dict[str, Any] = {
        "type": "http",
        "client": ("::ffff:127.0.0.1", 4711),
        "headers": [(b"x-forwarded-for", line) for line in lines],
    }

    async def app(*_: Any) -> None: ...

    asyncio.run(ForwardedClient(app, proxies=PROXIES)(scope, app, app))
    assert scope["client"] == ("203.0.113.9", 0)
