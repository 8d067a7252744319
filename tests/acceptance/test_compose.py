"""docker-compose.yml, service by service, as processes: its commands, its settings, its checks.

No Docker is needed. What the file says is taken as it stands; only the hosts `db` and `redis`, the
folder of the secrets and the names of the images' programs become those of this machine.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import secret_files
from cli.embedded import EmbeddedPostgres, postgres_install, redis_server
from cli.server import free_port
from tests.acceptance.house import ACCOUNT, TOKEN, Carrier
from tests.support.processes import ROOT, Processes, RunningProcess, environment, wait_until
from tests.support.services import quick_place

_COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


class Composed:
    """The services of the compose file on this machine."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes = processes
        self._secrets = folder / "secrets"
        secret_files.write(self._secrets)
        (self._secrets / "twilio_account_sid").write_text(ACCOUNT)
        (self._secrets / "twilio_auth_token").write_text(TOKEN)
        self.redis_port, self.web_port = free_port(), free_port()
        self.carrier = Carrier(processes, folder, f"http://127.0.0.1:{self.web_port}/in", "0")
        self.postgres = EmbeddedPostgres(
            settings=_settings(_COMPOSE["services"]["db"]["command"]), place=quick_place()
        )

    def start(self, name: str) -> RunningProcess:
        """Start a service of ours, or redis, by its own command."""
        command = _COMPOSE["services"][name]["command"]
        if name == "redis":
            words = [str(redis_server()), *command[1:], "--port", str(self.redis_port)]
            return self._processes.start(*words, "--bind", "127.0.0.1")
        return self._processes.aftercare(*command, env=self.environment(name))

    def environment(self, name: str) -> dict[str, str]:
        """Return a service's environment, as Docker would make it from the file and a `.env`."""
        dot_env = {
            "AFTERCARE_MODE": "sandbox",
            "PUBLIC_URL": f"http://127.0.0.1:{self.web_port}",
            "TWILIO_API_URL": self.carrier.url,
        }
        given: dict[str, str | None] = _COMPOSE["services"][name]["environment"]
        filled = {key: _filled(value, key, dot_env) for key, value in given.items()}
        mapped = {key: self._mapped(value) for key, value in filled.items() if value is not None}
        # Each container has an address of its own; here they share one.
        here = {"AFTERCARE_HOST": "127.0.0.1", "AFTERCARE_PORT": str(self.web_port)}
        return {**mapped, **here, "AFTERCARE_WORKER_METRICS_PORT": "0"}

    def prepare_database(self) -> None:
        """Do what PostgreSQL's image does with POSTGRES_USER, POSTGRES_DB and the password."""
        service = _COMPOSE["services"]["db"]["environment"]
        self.postgres.ensure_role(service["POSTGRES_USER"], "SUPERUSER")
        self.postgres.ensure_database(service["POSTGRES_DB"], service["POSTGRES_USER"])
        for name in ("database_owner_url", "database_url"):
            path = self._secrets / name
            url = path.read_text().replace("@db:5432/", f"@127.0.0.1:{self.postgres.port}/")
            if name == "database_owner_url":
                password = self.postgres.password(service["POSTGRES_USER"])
                url = re.sub(r":[0-9a-f]+@", f":{password}@", url)
            path.chmod(0o600)
            path.write_text(url)

    def check(self, name: str) -> int:
        """Run a service's healthcheck once; return its exit code."""
        kind, program, *words = _COMPOSE["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        env = environment({})
        if program == "aftercare":
            command = [sys.executable, "-m", "cli.main", *words]
            env = environment(self.environment(name))
        else:
            command = [str(postgres_install() / "bin" / program), *words]
            env["PGPORT"] = str(self.postgres.port)
        return subprocess.run(
            command, env=env, cwd=ROOT, capture_output=True, check=False
        ).returncode

    def is_healthy(self, name: str) -> bool:
        return self.check(name) == 0

    def _mapped(self, value: str) -> str:
        return (
            value.replace("/run/secrets/", f"{self._secrets}/")
            .replace("redis://redis:6379", f"redis://127.0.0.1:{self.redis_port}")
            .replace("@db:5432", f"@127.0.0.1:{self.postgres.port}")
        )


def _settings(command: list[str]) -> dict[str, str]:
    """Return what `postgres -c name=value ...` sets."""
    assert command[0] == "postgres"
    return dict(word.split("=", 1) for word in command if "=" in word)


def _filled(value: str | None, key: str, dot_env: dict[str, str]) -> str | None:
    """Return a value of the file with `${NAME:-default}` and `NAME:` filled in from `.env`."""
    if value is None:
        return dot_env.get(key)
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: dot_env[found[1]], str(value))


@pytest.fixture
def composed(processes: Processes, tmp_path: Path) -> Iterator[Composed]:
    composed = Composed(processes, tmp_path)
    with composed.postgres:
        composed.prepare_database()
        yield composed


def test_every_service_of_the_compose_file_starts_and_its_healthcheck_tells(
    composed: Composed,
) -> None:
    """Each is healthy while it works, and not before it started or after it died."""
    assert composed.is_healthy("db")
    redis = composed.start("redis")
    redis.wait_for_line("Ready to accept connections")
    assert composed.start("migrate").wait() == 0
    ours = ("worker", "beat", "web")
    assert [composed.check(name) for name in ours] == [1, 1, 1]

    started = {name: composed.start(name) for name in ours}
    for name in ours:
        wait_until(lambda name=name: composed.is_healthy(name), 30, what=f"{name} is healthy")
    started["web"].kill()
    assert composed.check("web") == 1
    for name in ("beat", "worker"):
        assert started[name].terminate() == 0, started[name].output
