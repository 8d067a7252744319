"""The command line in this process: settings of the test's own, a clock that stands at a Monday."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.session import services
from messages.gateway import InboundText
from records.vault import new_key
from tests.support.commands import run_here
from tests.support.databases import Databases, OwnDatabase
from tests.support.world import MONDAY_MORNING, NUMBER, settings_for
from worker.steps import receive, replies

CLINIC = """
id: riverside
name: Riverside Ketamine & Recovery Center
sms_name: Riverside Care
phone: "+12125550100"
timezone: America/New_York
languages: [en, es]
staffed_hours: {mon: ["08:00-17:00"], tue: ["08:00-17:00"], wed: ["08:00-17:00"],
  thu: ["08:00-17:00"], fri: ["08:00-17:00"]}
sender: {messaging_service_sid: MG00000000000000000000000000000000, numbers: ["+12125550110"]}
lead: {name: Kim, phone: "+12125550191", email: kim@clinic.test}
after_hours: none
protocols: [assessment-visit, dosing-visit, after-dose, integration, daily-check-in]
"""
PATIENTS = (
    "patient_id,clinic,first_name,phone,language,timezone,"
    "consent_method,consented_at,consent_purposes\n"
    "P1,riverside,Ana,(212) 555-0121,es,America/New_York,"
    "paper,2026-11-01,visits;check_ins;health_questions\n"
    "P2,riverside,Ben,+12125550122,en,America/Los_Angeles,"
    "web_form,2026-11-02T10:00:00Z,visits\n"
)
VISITS = """appointment_id,patient_id,kind,route,starts_at,ends_at,status,location
A1,P1,dosing,iv,2026-12-10T09:00,2026-12-10T11:00,booked,Suite 4
A2,P2,integration,,2026-12-03T09:00-05:00,2026-12-03T10:00-05:00,booked,Suite 4
"""
# One for all, so that what one test's commands sealed can be opened in a copy.
_KEY = new_key()
# Nothing in a copy may be later than the test that gets it.
_FILLED_IN = timedelta(seconds=20)
_NAMES = (
    "DATABASE_URL",
    "REDIS_URL",
    "PUBLIC_URL",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_API_URL",
    "AFTERCARE_ENCRYPTION_KEYS",
    "AFTERCARE_SECRET_KEY",
)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """The only one of them."""
        [only] = self.rows
        return only


Run = Callable[..., Ran]
#: Runs the commands that bring a clinic into a database, from files that it writes to a folder.
Fill = Callable[[Run, Path], object]


def environment(database_url: str, *, at: datetime = MONDAY_MORNING, **more: str) -> dict[str, str]:
    """Return the settings of a command, with the clock at Monday morning."""
    settings = settings_for(database_url).model_dump(by_alias=True)
    plain = {name: settings[name] for name in _NAMES}
    values = {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in plain.items()
        if name != "AFTERCARE_ENCRYPTION_KEYS"
    }
    offset = (at - datetime.now(UTC)).total_seconds()
    return {
        **values,
        "AFTERCARE_ENCRYPTION_KEYS": _KEY,
        "AFTERCARE_CLOCK_OFFSET": str(offset),
        # A port that nobody listens on, whatever else runs on this machine.
        "AFTERCARE_PORT": "1",
        **more,
    }


def run_command(*arguments: object, stdin: str | None = None) -> Ran:
    """Run `aftercare` with these arguments in this process."""
    result = run_here([str(word) for word in arguments], stdin=stdin)
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def run() -> Run:
    """Run `aftercare` with these arguments in this process."""
    return run_command


@pytest.fixture
def database(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[OwnDatabase]:
    """A database of this test's own.

    For a test that asks for `clinic` it is a copy of one that the clinic was brought into, once for
    all tests. A module may name further fixtures in FILLED, with the commands that fill theirs.
    """
    filled: dict[str, Fill] = {"clinic": set_up, **getattr(request.module, "FILLED", {})}
    asked = [name for name in filled if name in request.fixturenames]
    if not asked:
        with databases.migrated() as own:
            yield own
        return
    fill = filled[asked[-1]]
    with databases.filled(
        f"{fill.__module__}.{fill.__qualname__}", lambda own: _run_in(own, tmp_path, fill)
    ) as own:
        yield own


def _run_in(own: OwnDatabase, folder: Path, fill: Fill) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for name, value in environment(own.url).items():
            patched.setenv(name, value)
        fill(run_command, folder)


@pytest.fixture
def settings_env(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of one installation; its folder is the current one, and has no .env."""
    monkeypatch.chdir(tmp_path)
    for name, value in environment(database_url, at=MONDAY_MORNING + _FILLED_IN).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def heard_from(*phones: str) -> None:
    """Have a text come in from each of these numbers, which proves that they are the patients'."""
    with services() as running:
        for number, phone in enumerate(phones):
            text = InboundText(
                sid=f"SM{number:032x}",
                to=NUMBER,
                from_number=phone,
                body="HI",
                num_media=0,
                messaging_service_sid=None,
                opt_out_type=None,
                account_sid=running.settings.twilio_account_sid,
                raw={"Body": "HI"},
            )
            receive.store(running, text, source="push", received_at=running.now)
        replies.run(running)


def write_files(folder: Path, described: str = CLINIC) -> tuple[Path, Path, Path]:
    """Write the three files of a clinic; return their paths."""
    return (
        write(folder, "clinic.yaml", described),
        write(folder, "patients.csv", PATIENTS),
        write(folder, "appointments.csv", VISITS),
    )


def set_up(run: Run, folder: Path, described: str = CLINIC) -> Path:
    """Apply a clinic's file there, then bring in its two patients and visits; return the folder."""
    file, patients, visits = write_files(folder, described)
    for arguments in (
        ("clinic", "apply", file),
        ("import", "patients", patients),
        ("import", "appointments", visits),
    ):
        ran = run(*arguments)
        assert ran.code == 0, ran.err
    return folder


@pytest.fixture
def clinic(settings_env: Path) -> Path:
    """A folder with the files of the clinic that is in the database, its patients and visits."""
    write_files(settings_env)
    return settings_env
