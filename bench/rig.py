"""What is measured on: servers, databases, the carrier and our processes, all ended at the end.

PostgreSQL runs on its stock settings with fsync on; its data lie on the disk of this machine.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg

from cli.embedded import EmbeddedPostgres, EmbeddedRedis
from cli.server import end, free_port, spawn
from messages.templates import shipped
from records.base import Database
from records.keys import open_vault
from records.migrate import upgrade
from records.vault import new_key
from worker.clock import SystemClock
from worker.services import Services
from worker.settings import Settings, load

ROOT = Path(__file__).parent.parent
ACCOUNT, TOKEN = "AC" + "0" * 32, "sandbox-auth-token"
_OWNER, _PROCESS = "aftercare", "aftercare_process"
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
_END = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))


class BenchError(Exception):
    """A measurement did not come about, or its result is not what was to be measured."""


def wait_for(fact: Callable[[], bool], seconds: float, what: str, *, every: float = 0.05) -> None:
    """Wait until `fact()` is true. Raises BenchError, naming `what`."""
    until = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > until:
            raise BenchError(f"still not after {seconds:g} s: {what}")
        time.sleep(every)


class Child:
    """A process of ours, with its output in a file."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        python = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as output:
            # Not in the source folder: a developer's .env there is none of our settings.
            self._process = spawn(
                [sys.executable, *command],
                death_signal=signal.SIGKILL,
                cwd=log.parent,
                env={**kept, **python, **env},
                output=output,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """What it wrote so far."""
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, fact: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until `fact()` is true while it runs; its last words are in the error."""
        wait_for(lambda: fact() or self._process.poll() is not None, seconds, what)
        if not fact():
            raise BenchError(f"it ended before {what}:\n{self.output[-3000:]}")

    def stop(self) -> None:
        """End it."""
        end(self._process, *_END)


def call(url: str, body: Mapping[str, Any] | None = None, method: str | None = None) -> Any:
    """Ask the sandbox's own API; return its JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(request, timeout=40) as answer:
        raw = answer.read()
    return json.loads(raw) if raw else None


def http_ok(url: str) -> bool:
    """Return whether that address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A sandbox that runs, with its own log as the witness."""

    child: Child
    url: str
    log: Path

    def latency(self, milliseconds: int) -> None:
        """Have it take so long for each text; 0 for as fast as it can."""
        call(f"{self.url}/sandbox/faults", method="DELETE")
        if milliseconds:
            call(f"{self.url}/sandbox/faults", {"kind": "latency", "ms": milliseconds})

    def created(self) -> list[dict[str, Any]]:
        """Return an entry for each text it took since it was started, the oldest first."""
        return self.logged("create")

    def logged(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries of one kind in its log, the oldest first."""
        time.sleep(0.1)
        lines = self.log.read_text("utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDatabase:
    """A database with the addresses of both roles."""

    name: str
    url: str
    superuser_dsn: str

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser; return its rows if it has any."""
        with psycopg.connect(self.superuser_dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


class Rig:
    """The servers of one run."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._numbers = iter(range(1_000_000))
        self.keys, self.secret = new_key(), secrets.token_hex(16)
        self.port = free_port()

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.postgres = self._stack.enter_context(EmbeddedPostgres())
        self.redis = self._stack.enter_context(EmbeddedRedis(databases=256))
        self.postgres.ensure_role(_OWNER, "CREATEDB CREATEROLE")
        self.postgres.ensure_database("migrated", _OWNER)
        upgrade(
            self.postgres.url("migrated", _OWNER),
            self.postgres.url("migrated", _PROCESS),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def number(self) -> int:
        """Return a number that was not used yet in this run."""
        return next(self._numbers)

    def database(self, template: str = "migrated", name: str | None = None) -> OwnDatabase:
        """Make a copy of a database; `migrated` has the schema and no rows."""
        name = name or f"bench_{self.number()}"
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as connection:
            copy = f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{_OWNER}"'
            connection.execute(f"{copy} STRATEGY FILE_COPY".encode())
        return OwnDatabase(
            name=name,
            url=self.postgres.url(name, _PROCESS),
            superuser_dsn=self.postgres.dsn(name),
        )

    def drop(self, database: OwnDatabase) -> None:
        """Drop a database; connections that are left are cut."""
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{database.name}" WITH (FORCE)'.encode())

    def redis_url(self) -> str:
        """Return the address of a numbered database that was not used yet."""
        return self.redis.url_of(self.number() % 255 + 1)

    def environment(
        self, database: OwnDatabase, *, carrier: str, redis: str, **more: str
    ) -> dict[str, str]:
        """Return the settings of our processes."""
        return {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis,
            "AFTERCARE_MODE": "sandbox",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "TWILIO_API_URL": carrier,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "AFTERCARE_ENCRYPTION_KEYS": self.keys,
            "AFTERCARE_SECRET_KEY": self.secret,
            "AFTERCARE_PORT": str(self.port),
            "AFTERCARE_WORKER_METRICS_PORT": "0",
            "AFTERCARE_CLOCK_OFFSET": "0",
            **more,
        }

    def settings(self, database: OwnDatabase) -> Settings:
        """Return settings for steps that run in this process."""
        nowhere = {"carrier": "http://127.0.0.1:9", "redis": "redis://127.0.0.1:9/0"}
        values: dict[str, Any] = dict(self.environment(database, **nowhere))
        return load(_env_file=None, **values)

    @contextmanager
    def services(self, database: OwnDatabase) -> Iterator[Services]:
        """Yield services without nudges, to run a step in this process."""
        settings = self.settings(database)
        connected = Database.connect(database.url, application="bench")
        try:
            with connected.transaction() as session:
                vault = open_vault(session, settings.keys)
            yield Services(
                settings=settings,
                database=connected,
                vault=vault,
                clock=SystemClock(),
                catalog=shipped(),
            )
        finally:
            connected.close()

    @contextmanager
    def child(self, command: Sequence[str], env: Mapping[str, str]) -> Iterator[Child]:
        """Yield a Python process that is ended after the block."""
        child = Child(command, env, self.folder / f"process-{self.number()}.log")
        try:
            yield child
        finally:
            child.stop()

    @contextmanager
    def carrier(self, *options: str) -> Iterator[Carrier]:
        """Yield a sandbox that posts no status callbacks."""
        log = self.folder / f"carrier-{self.number()}.jsonl"
        command = ["-m", "sandbox", "--port", "0", "--uvloop", "--no-callbacks", "--log", str(log)]
        with self.child([*command, *options], {}) as child:
            child.wait_for(lambda: '"url"' in child.output, 30, "the carrier answers")
            ready = json.loads(child.output.splitlines()[0])
            yield Carrier(child=child, url=ready["url"], log=log)

    @contextmanager
    def working(self, database: OwnDatabase, env: Mapping[str, str]) -> Iterator[Child]:
        """Yield our worker, with beat beside it, once beat's ticks reach the database."""
        with self.child(process("worker"), env) as worker, self.child(process("beat"), env):
            asked = "SELECT count(*) FROM progress WHERE name = 'tick:beat'"
            worker.wait_for(lambda: database.execute(asked)[0][0] > 0, 40, "beat's first tick")
            yield worker

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run a helper process to its end; return the JSON it printed last."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        done = subprocess.run(
            [sys.executable, *command],
            env={**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **(env or {})},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def process(name: str) -> list[str]:
    """Return how to start one of our processes: worker, beat or web."""
    return ["-m", "cli.main", name]
