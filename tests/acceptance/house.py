"""A clinic's whole installation out of real processes, for the acceptance tests.

It is used as its owner would: files are imported by commands, patients write on the sandbox's
phones. The carrier's own log is the witness of what was sent.
"""

import csv
import io
import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg

from cli.server import free_port
from records.vault import new_key
from tests.support.commands import run_here
from tests.support.databases import OwnDatabase
from tests.support.processes import Processes, RunningProcess, http_status, wait_until

SERVICE = "MG" + "5" * 32
ACCOUNT, TOKEN = "AC" + "7" * 32, "token-of-the-acceptance-tests"
NUMBER = "+12125550110"
ZONE = ZoneInfo("America/New_York")
# A Tuesday, 10:00 at the clinic: texts may go, and staff are there.
MORNING = datetime(2026, 12, 1, 10, 0, tzinfo=ZONE)

CLINIC = """
id: oak
name: Oak Street Clinic
sms_name: Oak Street
phone: "+12125550100"
timezone: America/New_York
languages: [en, es]
send_window: {{from: "09:00", to: "20:00"}}
staffed_hours: {{mon: ["08:00-17:00"], tue: ["08:00-17:00"], wed: ["08:00-17:00"],
  thu: ["08:00-17:00"], fri: ["08:00-17:00"]}}
holidays: {{country: US, subdivision: NY}}
sender: {{messaging_service_sid: {service}, numbers: ["{number}"], segments_per_second: {rate}}}
on_call: [{{name: Sam, phone: "+12125550190", email: sam@clinic.test, hours: always}}]
lead: {{name: Kim, phone: "+12125550191", email: kim@clinic.test}}
after_hours: on_call
unknown: {{policy: verify_then_retry, grace_seconds: 15, recheck_seconds: 5}}
protocols: [assessment-visit, dosing-visit, after-dose, integration, daily-check-in]
"""

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def phone_of(number: int) -> str:
    """Return the made-up number of patient `number`: 555-01xx in one area code after another."""
    area, line = divmod(number, 100)
    return f"+1{201 + area}55501{line:02d}"


def patient(number: int, **more: str) -> dict[str, str]:
    """Return a row of patients.csv: somebody who agreed to everything."""
    return {
        "patient_id": f"P{number}",
        "clinic": "oak",
        "first_name": "Robin",
        "phone": phone_of(number),
        "language": "en",
        "timezone": "America/New_York",
        "consent_method": "written",
        "consented_at": "2026-11-01T09:00:00-05:00",
        "consent_purposes": "visits;check_ins;health_questions",
        **more,
    }


def visit(number: int, starts_at: datetime, **more: str) -> dict[str, str]:
    """Return a row of appointments.csv: a first visit, whose reminder goes at once when late."""
    return {
        "appointment_id": f"V{number}",
        "patient_id": f"P{number}",
        "kind": "assessment",
        "route": "",
        "starts_at": starts_at.isoformat(timespec="minutes"),
        "ends_at": (starts_at + timedelta(hours=1)).isoformat(timespec="minutes"),
        "status": "booked",
        "location": "Suite 2",
        **more,
    }


def as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as the file a clinic would export."""
    text = io.StringIO()
    columns = list(dict.fromkeys(column for row in rows for column in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class Carrier:
    """The sandbox carrier as a process, and what it has seen."""

    def __init__(self, processes: Processes, folder: Path, inbound: str, clock_offset: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "carrier.jsonl"
        words = ["--port", str(self.port), "--log", str(self._log), "--account"]
        words += [
            f"{ACCOUNT}:{TOKEN}",
            "--service",
            f"{SERVICE}={NUMBER}",
            "--inbound-url",
            inbound,
        ]
        env = {"AFTERCARE_CLOCK_OFFSET": clock_offset}
        self.process = processes.python("-m", "sandbox", *words, env=env)

    def seen(self, kind: str, **match: str) -> list[dict[str, Any]]:
        """Return the log's entries of a kind whose fields are these."""
        # The last line may be half written yet.
        lines = self._log.read_text("utf-8").split("\n")[:-1] if self._log.exists() else []
        entries = [json.loads(line) for line in lines if f'"kind":"{kind}"' in line]
        return [each for each in entries if all(each.get(k) == v for k, v in match.items())]

    def texts_by_number(self) -> Counter[str]:
        """Return how many texts the carrier took for each number."""
        return Counter(entry["to"] for entry in self.seen("create"))

    def write(self, number: str, body: str) -> dict[str, Any]:
        """Send a text from a phone and wait for the webhook's answer."""
        path = f"/sandbox/phones/{quote(number)}/texts"
        return self.ask("POST", path, {"body": body, "to": NUMBER, "wait": True})

    def fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on."""
        self.ask("POST", "/sandbox/faults", {"kind": kind, **options})

    def heal(self) -> None:
        """Switch all faults off."""
        self.ask("DELETE", "/sandbox/faults")

    def ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        """Ask the sandbox's own API."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        with _opener.open(request, timeout=10) as answer:
            read: dict[str, Any] = json.loads(answer.read() or b"{}")
        return read


class Installation:
    """A clinic's database, carrier and processes; `now` is the instant it seems to be.

    A coordinator's commands run in this process, unless the test asks for `real_commands`.
    """

    def __init__(
        self,
        processes: Processes,
        folder: Path,
        database: OwnDatabase,
        redis_url: str,
        *,
        now: datetime = MORNING,
        rate: int = 1000,
        real_commands: bool = False,
    ) -> None:
        self.processes = processes
        self.folder = folder
        self._database = database
        self._redis_url = redis_url
        self._rate = rate
        self._real_commands = real_commands
        self._keys = new_key()
        self.web_port = free_port()
        self._settings: dict[str, str] = {}
        self.set_clock(now)
        inbound = f"{self.web_url}/twilio/inbound#rc=3&rp=all"
        self.carrier = Carrier(processes, folder, inbound, self.clock_offset)

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def set_clock(self, now: datetime) -> None:
        """Let it seem to be `now` to what is started from here on."""
        self.clock_offset = f"{(now - datetime.now(UTC)).total_seconds():.3f}"

    @property
    def now(self) -> datetime:
        """The instant that it seems to be."""
        return datetime.now(UTC) + timedelta(seconds=float(self.clock_offset))

    @property
    def settings(self) -> dict[str, str]:
        """The settings of every process."""
        return {
            "DATABASE_URL": self._database.url,
            "REDIS_URL": self._redis_url,
            "AFTERCARE_MODE": "sandbox",
            "PUBLIC_URL": self.web_url,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_URL": self.carrier.url,
            "AFTERCARE_ENCRYPTION_KEYS": self._keys,
            "AFTERCARE_SECRET_KEY": "secret-of-the-acceptance-tests",
            "AFTERCARE_PORT": str(self.web_port),
            "AFTERCARE_WORKER_METRICS_PORT": "0",
            "AFTERCARE_CLOCK_OFFSET": self.clock_offset,
            **self._settings,
        }

    def start(self, *commands: str, **settings: str) -> list[RunningProcess]:
        """Start these commands of `aftercare` (worker, beat, web); wait only for web."""
        self.carrier.process.wait_for_line(r'"url"')
        env = {**self.settings, **settings}
        started: dict[int, RunningProcess] = {}
        # What the carrier tells a web that does not listen yet is lost: the web comes first.
        for number in sorted(range(len(commands)), key=lambda number: commands[number] != "web"):
            started[number] = self.processes.aftercare(commands[number], env=env)
            if commands[number] == "web":
                started[number].wait_for_http(f"{self.web_url}/readyz")
        return [started[number] for number in range(len(commands))]

    def run(self, *words: str) -> str:
        """Run a command of `aftercare` and return what it printed; it must succeed."""
        if self._real_commands:
            process = self.processes.aftercare(*words, env=self.settings)
            assert process.wait(30) == 0, process.output
            return process.output
        ran = run_here(words, settings=self.settings)
        assert ran.exit_code == 0, ran.output
        return ran.output

    def records(self, command: str) -> list[dict[str, Any]]:
        """Run a command with --json; return its records."""
        lines = self.run(command, "--json").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def import_files(
        self,
        patients: Sequence[Mapping[str, str]] = (),
        visits: Sequence[Mapping[str, str]] = (),
        *,
        clinic: bool = False,
    ) -> None:
        """Bring files in by the commands that a clinic uses.

        Whoever agreed to texts was welcomed and answered a day ago, so that what a test counts is
        what it is about.
        """
        if clinic:
            file = self.folder / "clinic.yaml"
            file.write_text(CLINIC.format(service=SERVICE, number=NUMBER, rate=self._rate))
            self.run("clinic", "apply", str(file))
        for name, rows in (("patients", patients), ("appointments", visits)):
            if rows:
                file = self.folder / f"{name}.csv"
                file.write_text(as_csv(rows))
                self.run("import", name, str(file), *(["--quiet"] if rows is patients else []))
            if rows is patients:
                self.do(
                    "UPDATE patient SET proved_at = %s"
                    " WHERE proved_at IS NULL AND purposes <> '{}'",
                    MORNING - timedelta(days=1),
                )

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database, as its owner."""
        with psycopg.connect(self._database.owner_dsn) as connection:
            return list(connection.execute(question.encode(), values or None))

    def do(self, statement: str, *values: object) -> int:
        """Change rows as the owner; return how many."""
        with psycopg.connect(self._database.owner_dsn, autocommit=True) as connection:
            return connection.execute(statement.encode(), values or None).rowcount

    def statuses(self) -> Counter[str]:
        """Return how many texts there are of each status."""
        return Counter(dict(self.ask("SELECT status, count(*) FROM message GROUP BY status")))

    def wait_for(self, fact: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        """Wait for a fact. Raises AssertionError with the processes' last words."""
        try:
            wait_until(lambda: bool(fact()), seconds, what=what)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.statuses()}") from None

    def wait_for_texts(self, count: int, number: str, seconds: float = 30.0) -> None:
        """Wait until the carrier has taken so many texts for a number."""
        self.wait_for(
            lambda: self.carrier.texts_by_number()[number] >= count,
            f"{count} texts to {number}",
            seconds,
        )

    def wait_for_worker(self, seconds: float = 30.0) -> None:
        """Wait until a worker says that it makes progress."""
        self.wait_for(
            lambda: self.ask("SELECT 1 FROM progress WHERE name LIKE 'worker:%%'"),
            "a worker's progress",
            seconds,
        )


def answers(url: str) -> bool:
    """Whether an address answers with 200."""
    return http_status(url) == 200


def numbers(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the numbers of rows of patients.csv."""
    return [row["phone"] for row in rows]
