"""The carrier's fallback, asked over its REST API: by `doctor`, and before a live start."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cli.carrier_checks import inbound_fallback, said_by
from cli.checks import Verdict
from messages.gateway import CarrierUnavailable, InboundRoute
from sandbox.config import DEFAULT_ACCOUNT, DEFAULT_TOKEN
from schedules.clinic import ClinicFile
from tests.sandbox.conftest import SERVICE, Lab, Product, loop, open_lab, product  # noqa: F401
from tests.support.world import NUMBER, World, settings_for
from worker.settings import Settings, SettingsError
from worker.wiring import refuse_unsafe

STATIC = "https://static.clinic.test/reply.xml"
PUBLIC = "https://texts.clinic.test"
SET_UP = {"inbound_url": f"{PUBLIC}/twilio/inbound#rc=3&rp=all", "fallback_url": STATIC}
OpenLab = Callable[..., Lab]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A clinic that texts from one number."""
    with World(database_url) as made:
        yield made


def at(lab: Lab, database_url: str, **more: Any) -> Settings:
    values = {"TWILIO_ACCOUNT_SID": DEFAULT_ACCOUNT, "TWILIO_AUTH_TOKEN": DEFAULT_TOKEN}
    return settings_for(database_url, PUBLIC_URL=PUBLIC, TWILIO_API_URL=lab.url, **values, **more)


def found(world: World, settings: Settings, *, check: str = "fallback") -> list[Any]:
    findings = list(inbound_fallback(world.database, settings, look=lambda _url: None))
    return [each for each in findings if each.check.startswith(check)]


def texts_by_a_service(world: World) -> None:
    sender = {"messaging_service_sid": SERVICE, "numbers": [NUMBER], "segments_per_second": 1}
    world.execute(
        "UPDATE clinic SET version = version + 1,"
        " settings = jsonb_set(settings, '{sender}', CAST(:sender AS jsonb))",
        sender=json.dumps(sender),
    )


@pytest.mark.parametrize("by_service", [False, True], ids=["a number", "a service"])
@pytest.mark.parametrize(
    ("fallback_url", "said"),
    [
        (None, "has no fallback address"),
        (f"{PUBLIC}/static.xml", "lies on our own host texts.clinic.test"),
        ("http://static.clinic.test/reply.xml", "is not https"),
        (STATIC, "what it says can't be seen from here"),
    ],
    ids=["none", "our own host", "not https", "another host"],
)
def test_doctor_asks_the_carrier_for_the_fallback(
    world: World,
    database_url: str,
    open_lab: OpenLab,  # noqa: F811
    fallback_url: str | None,
    said: str,
    by_service: bool,
) -> None:
    """Of the service or of the number, whichever the clinic texts from."""
    if by_service:
        texts_by_a_service(world)
    lab = open_lab(**{**SET_UP, "fallback_url": fallback_url})
    [finding] = found(world, at(lab, database_url))
    assert said in finding.message
    assert found(world, at(lab, database_url), check="inbound") == []


def test_a_service_may_leave_it_to_its_numbers(
    world: World,
    database_url: str,
    open_lab: OpenLab,  # noqa: F811
) -> None:
    """Then the service's own fallback counts for nothing."""
    texts_by_a_service(world)
    lab = open_lab(**{**SET_UP, "fallback_url": None}, webhook_on_number=True)
    [finding] = found(world, at(lab, database_url))
    assert NUMBER in finding.message


def test_a_number_of_another_account_is_named(
    world: World,
    database_url: str,
    open_lab: OpenLab,  # noqa: F811
) -> None:
    """No text to it ever comes in."""
    lab = open_lab(**SET_UP, services={}, default_number="+12125550111")
    [finding] = found(world, at(lab, database_url))
    assert f"the account has no {NUMBER}" in finding.message


def test_texts_that_go_elsewhere_are_found(
    world: World,
    database_url: str,
    open_lab: OpenLab,  # noqa: F811
) -> None:
    """The request URL is not that of PUBLIC_URL."""
    lab = open_lab(**{**SET_UP, "inbound_url": "https://old.clinic.test/twilio/inbound"})
    [finding] = found(world, at(lab, database_url), check="inbound")
    assert "posted to https://old.clinic.test" in finding.message


@pytest.mark.parametrize(
    ("reply", "verdict", "said"),
    [
        ("Emergency: call 911. Crisis: call or text 988", Verdict.OK, "names 911 and 988"),
        ("We are closed. Emergency: 911", Verdict.WRONG, "does not name 988"),
        ("", Verdict.WRONG, "does not name 911 and 988"),
        (404, Verdict.NOTE, "can't be seen from here"),
    ],
)
def test_doctor_reads_what_the_fallback_says(
    world: World,
    database_url: str,
    open_lab: OpenLab,  # noqa: F811
    product: Product,  # noqa: F811
    reply: str | int,
    verdict: Verdict,
    said: str,
) -> None:
    """It posts an empty form there, as the carrier posts a patient's."""
    product.answers["/static"] = [reply]
    settings = at(open_lab(**SET_UP), database_url).model_copy(update={"mode": "live"})

    def look(url: str) -> str | None:
        assert url == STATIC
        return said_by(product.url("/static"))

    [finding] = inbound_fallback(world.database, settings, look=look)
    assert (finding.verdict, said in finding.message) == (verdict, True)
    assert [got.pairs for got in product.received] == [[]]


def test_a_carrier_that_is_away_leaves_it_unsaid(world: World, database_url: str) -> None:
    """Nothing is concluded from its silence."""
    settings = settings_for(database_url, TWILIO_API_URL="http://127.0.0.1:1")
    [finding] = found(world, settings)
    assert (finding.verdict, "can't be checked" in finding.message) == (Verdict.NOTE, True)


# --- live -----------------------------------------------------------------------------------------

LIVE = {
    "AFTERCARE_MODE": "live",
    "PUBLIC_URL": PUBLIC,
    "TWILIO_API_URL": "https://api.twilio.com",
    "SMTP_URL": "smtp://mail.clinic.test",
    "AFTERCARE_PAGE_WEBHOOK_URL": "https://page.clinic.test/",
    "AFTERCARE_PAGE_WEBHOOK_SECRET": "shared",
}


def told(**route: Any) -> Callable[[Settings, ClinicFile], Sequence[InboundRoute]]:
    def asking(_settings: Settings, _file: ClinicFile) -> Sequence[InboundRoute]:
        return [InboundRoute(owner=NUMBER, **route)]

    return asking


@pytest.mark.parametrize(
    ("route", "fault"),
    [
        ({}, "no fallback address"),
        ({"fallback_url": f"{PUBLIC}/x"}, "our own host"),
        ({"fallback_url": "https://TEXTS.clinic.test/x"}, "our own host"),
        ({"fallback_url": "https://texts.clinic.test:8443/x"}, "our own host"),
        ({"known": False}, "the account has no"),
    ],
)
def test_a_live_worker_does_not_start_without_a_fallback(
    world: World, database_url: str, route: dict[str, Any], fault: str
) -> None:
    """Care rule 14: a plea at that hour would be told nothing."""
    services = replace(world.services, settings=settings_for(database_url, **LIVE))
    with pytest.raises(SettingsError, match=fault):
        refuse_unsafe(services.settings, services, asking=told(**route))


def test_a_live_worker_starts_with_one(world: World, database_url: str) -> None:
    """And where an application of the carrier's decides, since nobody can tell."""
    services = replace(world.services, settings=settings_for(database_url, **LIVE))
    refuse_unsafe(services.settings, services, asking=told(fallback_url=STATIC))
    refuse_unsafe(services.settings, services, asking=told(elsewhere=True))


def test_a_carrier_that_is_away_keeps_no_worker_from_starting(
    world: World, database_url: str
) -> None:
    """It pages by other ways meanwhile."""

    def away(_settings: Settings, _file: ClinicFile) -> Sequence[InboundRoute]:
        raise CarrierUnavailable("list numbers", "timeout")

    services = replace(world.services, settings=settings_for(database_url, **LIVE))
    refuse_unsafe(services.settings, services, asking=away)


def test_other_modes_start_without_asking(world: World) -> None:
    """The sandbox has none."""

    def never(_settings: Settings, _file: ClinicFile) -> Sequence[InboundRoute]:
        raise AssertionError("nobody was to be asked")

    refuse_unsafe(world.settings, world.services, asking=never)
