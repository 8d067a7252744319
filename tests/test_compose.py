"""docker-compose.yml and Dockerfile keep what the operators' guide promises."""

import re
from typing import Any

import pytest
import yaml

from cli import secret_files
from tests.support.source import ROOT

_COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_OURS = ("migrate", "worker", "beat", "web")
_LASTING = sorted(set(_SERVICES) - {"migrate"})

every_service = pytest.mark.parametrize("name", sorted(_SERVICES))
every_service_of_ours = pytest.mark.parametrize("name", _OURS)
every_lasting_service = pytest.mark.parametrize("name", _LASTING)


def _seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_the_services_are_the_promised_ones() -> None:
    """Scripts of operators name them."""
    assert sorted(_SERVICES) == ["beat", "db", "migrate", "redis", "web", "worker"]


@every_service
def test_a_service_runs_without_rights(name: str) -> None:
    """No root, no capability, nothing to write to but what is named."""
    service = _SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@every_service
def test_a_service_bounds_its_log(name: str) -> None:
    """A disk full of logs stops the database."""
    assert {"max-size", "max-file"} <= _SERVICES[name]["logging"]["options"].keys()


@every_lasting_service
def test_a_lasting_service_restarts_and_is_watched(name: str) -> None:
    """What ends comes back; what hangs is seen."""
    service = _SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert _seconds(service["healthcheck"]["timeout"]) < _seconds(
        service["healthcheck"]["interval"]
    )


@pytest.mark.parametrize("name", ["worker", "beat", "web"])
def test_health_is_asked_of_aftercare(name: str) -> None:
    """Progress, not a pid."""
    assert _SERVICES[name]["healthcheck"]["test"] == ["CMD", "aftercare", "health", name]
    assert _SERVICES[name]["command"] == [name]


@every_service_of_ours
def test_our_services_have_time_to_finish_a_text(name: str) -> None:
    """The worker's soft shutdown takes up to 25 s; a text on its way must not be cut off."""
    assert _seconds(_SERVICES[name]["stop_grace_period"]) >= 40


@pytest.mark.parametrize("name", ["worker", "beat", "web"])
def test_processes_wait_for_what_they_need(name: str) -> None:
    """A healthy database, a healthy broker, and the newest schema."""
    assert _SERVICES[name]["depends_on"] == {
        "db": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }


def test_only_migrate_knows_the_owner() -> None:
    """The processes' login owns nothing, so it may not learn the owner's password either."""
    knowing = {
        name
        for name, service in _SERVICES.items()
        if {"database_owner_url", "database_owner_password"} & set(service.get("secrets", ()))
    }
    assert knowing == {"db", "migrate"}


def test_ports_are_open_to_this_machine_only() -> None:
    """TLS ends in the operator's proxy, which stands before them."""
    published = [port for service in _SERVICES.values() for port in service.get("ports", ())]
    assert published == [port for port in published if port.startswith("127.0.0.1:")]


@every_service
def test_secrets_are_files_that_make_secrets_writes(name: str) -> None:
    """Every secret a service names exists, and no environment variable holds one."""
    service = _SERVICES[name]
    named = set(service.get("secrets", ()))
    files = {
        value.removeprefix("/run/secrets/")
        for key, value in service.get("environment", {}).items()
        if key.endswith("_FILE")
    }
    assert files == named
    assert named <= set(_COMPOSE["secrets"])


def test_the_secrets_are_those_that_make_secrets_writes() -> None:
    """Neither knows one that the other does not."""
    assert set(_COMPOSE["secrets"]) == set(secret_files.new_values())


@every_service_of_ours
def test_every_setting_stands_in_the_example(name: str) -> None:
    """A name that is misspelt here would be silently ignored."""
    example = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    named = {key.removesuffix("_FILE") for key in _SERVICES[name]["environment"]}
    assert named - example == set()


def test_web_hears_which_proxy_it_may_believe() -> None:
    """The proxy stands before the published port, so that .env says who it is."""
    assert _SERVICES["web"]["environment"]["AFTERCARE_TRUSTED_PROXIES"] is None


def test_the_image_runs_without_rights_and_without_a_compiler() -> None:
    """The last stage has a numbered user, and installs nothing."""
    last = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[-1]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK|apt-get|\bpip\b|gcc", last, re.MULTILINE) is None
