"""The processes as compose starts them: a text goes out, health is green, doctor is content."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from cli.server import free_port
from tests.cli.conftest import CLINIC, PATIENTS, VISITS, environment, write
from tests.support.databases import OwnDatabase
from tests.support.processes import ROOT, Processes, http_status, wait_until
from tests.support.processes import environment as process_environment

_ACCOUNT = "AC" + "0" * 32
_SERVICE = "MG" + "0" * 32


@pytest.fixture
def installation(
    database_url: str, redis_url: str, tmp_path: Path, processes: Processes
) -> dict[str, str]:
    """Settings that lead to a sandbox carrier and to a web process of this test's own."""
    web = f"http://127.0.0.1:{free_port()}"
    carrier = processes.aftercare(
        *("sandbox", "--port", "0", "--account", f"{_ACCOUNT}:token"),
        *("--service", f"{_SERVICE}=+12125550110", "--speed", "50"),
        *("--inbound-url", f"{web}/twilio/inbound"),
    )
    ready = json.loads(carrier.wait_for_line(r'^\{"url".*\}$')[0])
    return environment(
        database_url,
        REDIS_URL=redis_url,
        PUBLIC_URL=web,
        TWILIO_API_URL=ready["url"],
        AFTERCARE_PORT=web.rsplit(":", 1)[1],
        AFTERCARE_WORKER_METRICS_PORT="0",
    )


def _aftercare(env: Mapping[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, words)],
        cwd=ROOT,
        env=process_environment(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _statuses(database: OwnDatabase) -> set[str]:
    # Asked directly: a command for each look would take longer than the text.
    with psycopg.connect(database.owner_dsn) as connection:
        return {row[0] for row in connection.execute("SELECT status FROM message")}


def test_a_clinics_own_files_end_in_a_delivered_text(
    installation: dict[str, str], database: OwnDatabase, processes: Processes, tmp_path: Path
) -> None:
    """Apply, import, three processes: what is due goes out; each process ends when told to."""
    due = VISITS.replace("A2,P2", "A3,P1").replace("2026-12-10", "2026-12-02")
    for words in (
        ("clinic", "apply", write(tmp_path, "clinic.yaml", CLINIC)),
        ("import", "patients", write(tmp_path, "patients.csv", PATIENTS)),
        ("import", "appointments", write(tmp_path, "appointments.csv", due)),
    ):
        done = _aftercare(installation, *words)
        assert done.returncode == 0, done.stderr
    running = {
        name: processes.aftercare(name, env=installation) for name in ("web", "worker", "beat")
    }
    running["web"].wait_for_http(f"{installation['PUBLIC_URL']}/readyz")
    for name in running:
        wait_until(lambda name=name: _aftercare(installation, "health", name).returncode == 0, 60)
    # The health question of the visit in two days was due an hour ago, and still goes.
    try:
        wait_until(lambda: "delivered" in _statuses(database), 60)
    except TimeoutError:
        outputs = {name: process.output for name, process in running.items()}
        pytest.fail(f"{_statuses(database)} {outputs}")
    doctor = _aftercare(installation, "doctor")
    assert doctor.returncode == 0, doctor.stdout
    for name, process in running.items():
        # uvicorn ends by the signal it was given; Celery's two end with 0.
        assert process.terminate() in {0, -15}, (name, process.output)
    assert http_status(f"{installation['PUBLIC_URL']}/healthz") is None
    said = "".join(process.output for process in running.values())
    assert "5550121" not in said
    assert "Traceback" not in said
