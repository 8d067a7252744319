"""A whole Aftercare on one machine: servers, carrier, worker, beat and web as child processes.

The demo, the benchmarks and the acceptance tests start it. It reads no `.env`: every process gets
an explicit environment. What dies is started again, and nothing outlives the supervisor, however
that ends. Use it from the main thread: Linux ties a child to the thread that started it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.embedded import EmbeddedPostgres, EmbeddedRedis
from cli.errors import CommandError
from cli.server import Server, end, free_port, spawn
from cli.statefolder import StateFolder
from records import migrate, progress
from records.base import Database, DBAPIError

ROOT = Path(__file__).parent.parent
DATABASE, OWNER, PROCESS = "aftercare", "aftercare", "aftercare_process"

# What a program needs of the machine; no setting of the user's shell reaches a child.
_KEPT = ("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")
_START_SECONDS = 60.0
# Above the worker's own limit for finishing a text that is on its way (25 s).
_STOP_SECONDS = 40.0
_LOOK_SECONDS = 0.05
_LIVED_LONG_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0

# A proxy of the machine must not be asked for an address on it.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StackError(CommandError):
    """A part did not start; the message has its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a stack may be told. A port of None is a free one, chosen once per folder.

    `settings` are added to every process's environment; `sandbox` are words for its command line.
    """

    web_port: int | None = None
    sandbox_port: int | None = None
    workers: int = 1
    beats: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    sandbox: Sequence[str] = ()
    postgres: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Child:
    """One process of ours: how it is started, how one knows that it is ready, and its life so far.

    `seconds` is what it is given to end by itself.
    """

    name: str
    command: Sequence[str]
    is_ready: Callable[[float], bool]
    seconds: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    again_at: float | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def age(self) -> float:
        """Seconds since it was last started."""
        return time.monotonic() - self.started


class Stack:
    """Everything, started in order and stopped in order.

    `say` is handed one sentence about each thing that a person should know: a part that died.
    """

    def __init__(
        self,
        folder: StateFolder,
        options: Options | None = None,
        *,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self.options = options or Options()
        # May be set until the processes start: seconds that every process adds to its clock.
        self.clock_offset = 0.0
        self._say = say
        self.postgres = EmbeddedPostgres(folder.path, settings=self.options.postgres)
        self.redis = EmbeddedRedis()
        self.web_port = self.options.web_port or free_port()
        self.sandbox_port = self.options.sandbox_port or free_port()
        self.children: list[Child] = []
        self._database: Database | None = None
        self._environment: dict[str, str] = {}

    @property
    def web_url(self) -> str:
        """The console's address."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def sandbox_url(self) -> str:
        """The carrier's address: its API, and the page with the phones."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def sandbox_log(self) -> Path:
        """The carrier's own log, a JSON object a line."""
        return self.folder.logs / "carrier.jsonl"

    @property
    def settings(self) -> dict[str, str]:
        """The settings of every process, named as in docs/operations.md. Ask after `start`."""
        return {
            "DATABASE_URL": self.postgres.url(DATABASE, PROCESS),
            "REDIS_URL": self.redis.url,
            "AFTERCARE_MODE": "sandbox",
            "PUBLIC_URL": self.web_url,
            "TWILIO_API_URL": self.sandbox_url,
            "AFTERCARE_HOST": "127.0.0.1",
            "AFTERCARE_PORT": str(self.web_port),
            "AFTERCARE_WORKER_METRICS_PORT": "0",
            "AFTERCARE_CLOCK_OFFSET": f"{self.clock_offset:.3f}",
            **self.folder.keys(),
            **self.options.settings,
        }

    @property
    def owner_url(self) -> str:
        """The address of the database's owner, who migrates."""
        return self.postgres.url(DATABASE, OWNER)

    def start(self) -> Self:
        """Start everything and wait until it works. Raises StackError, and leaves nothing."""
        try:
            self.start_servers()
            self.spawn_processes()
            self.await_processes()
        except BaseException:
            self.kill()
            raise
        return self

    def start_servers(self) -> None:
        """Start both servers and bring the schema to the newest version."""
        self.folder.lock()
        self.postgres.start()
        self.redis.start()
        self.postgres.ensure_role(OWNER, "CREATEDB CREATEROLE")
        self.postgres.ensure_database(DATABASE, OWNER)
        migrate.upgrade(self.owner_url, self.settings["DATABASE_URL"])
        self._database = Database.connect(
            self.settings["DATABASE_URL"], application="supervisor", pool_size=1
        )

    def spawn_processes(self) -> None:
        """Start the carrier, web, the workers and beat, and wait for none of them."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        python = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self._environment = {**kept, **python, **self.settings}
        self.folder.write_command({"PYTHONPATH": str(ROOT), **self.settings})
        self.children = self._wanted()
        for child in self.children:
            # A run's log is about that run.
            (self.folder.logs / f"{child.name}.log").unlink(missing_ok=True)
            self._spawn(child)

    def await_processes(self) -> None:
        """Wait until each process works. Raises StackError with the last words of one that died."""
        self._await(self.children)

    def child(self, name: str) -> Child:
        """Return the process of that name: carrier, web, worker, worker-2, beat, ..."""
        return next(child for child in self.children if child.name == name)

    def restart(self, name: str) -> None:
        """Start a process that was ended from outside, and wait until it works."""
        child = self.child(name)
        self._spawn(child)
        self._await([child])

    def watch(self) -> None:
        """Look once at everything; what has died is started again, with growing pauses."""
        for server in (self.postgres, self.redis):
            if not server.is_running:
                self._revive(server)
        for child in self.children:
            if not child.is_running:
                self._mourn(child)

    def stop(self) -> None:
        """Stop in order, the worker's texts first; safe to call twice."""
        for child in self._in_stopping_order():
            if child.process is not None:
                end(
                    child.process,
                    (signal.SIGTERM, child.seconds),
                    (signal.SIGKILL, _STOP_SECONDS),
                )
        self._stop_servers()

    def kill(self) -> None:
        """Stop at once: nothing is lost by that, a text on its way is looked for later."""
        for child in self.children:
            if child.process is not None:
                end(child.process, (signal.SIGKILL, _STOP_SECONDS))
        self._stop_servers()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wanted(self) -> list[Child]:
        ours = (sys.executable, "-m", "cli.main")
        carrier = Child(name="carrier", command=self._carrier_command(), is_ready=self._carries)
        web = Child(name="web", command=(*ours, "web"), is_ready=self._serves)
        workers = [
            Child(
                name=_numbered("worker", number),
                command=(*ours, "worker"),
                is_ready=self._marked(f"worker:{socket.gethostname()}"),
                seconds=_STOP_SECONDS,
            )
            for number in range(1, self.options.workers + 1)
        ]
        beats = [
            Child(
                name=_numbered("beat", number),
                command=(*ours, "beat"),
                is_ready=self._marked("beat"),
            )
            for number in range(1, self.options.beats + 1)
        ]
        return [carrier, web, *workers, *beats]

    def _carrier_command(self) -> tuple[str, ...]:
        keys = self.folder.keys()
        account = f"{keys['TWILIO_ACCOUNT_SID']}:{keys['TWILIO_AUTH_TOKEN']}"
        port, log = str(self.sandbox_port), str(self.sandbox_log)
        inbound = f"{self.web_url}/twilio/inbound#rc=3&rp=all"
        command = (sys.executable, "-m", "sandbox", "--port", port, "--log", log)
        return (*command, "--account", account, "--inbound-url", inbound, *self.options.sandbox)

    def _spawn(self, child: Child) -> None:
        log = self.folder.logs / f"{child.name}.log"
        child.again_at = None
        child.started = time.monotonic()
        with log.open("ab") as output:
            child.process = spawn(
                child.command,
                # Nothing may stay behind; what the worker had on its way is looked for later.
                death_signal=signal.SIGKILL,
                # Not the checkout, which may hold somebody's `.env`.
                cwd=self.folder.logs,
                env=self._environment,
                output=output,
            )

    def _await(self, children: Sequence[Child]) -> None:
        until = time.monotonic() + _START_SECONDS
        waiting = list(children)
        while waiting:
            waiting = [child for child in waiting if not self._has_started(child, until)]
            time.sleep(_LOOK_SECONDS)

    def _has_started(self, child: Child, until: float) -> bool:
        if child.is_running and child.is_ready(child.age):
            return True
        if child.is_running and time.monotonic() < until:
            return False
        what = "is not ready" if child.is_running else f"ended ({_how(child)})"
        raise StackError(f"{child.name} {what}. Its log ends:\n{self.folder.log_tail(child.name)}")

    def _serves(self, _age: float) -> bool:
        return answers(f"{self.web_url}/readyz")

    def _carries(self, _age: float) -> bool:
        return answers(f"{self.sandbox_url}/sandbox/stats")

    def _marked(self, name: str) -> Callable[[float], bool]:
        """Return what asks whether `name` got something done since the process was started."""

        def is_marked(age: float) -> bool:
            if self._database is None:
                return False
            try:
                with self._database.transaction() as session:
                    return progress.ages(session).get(name, float("inf")) < age
            except DBAPIError:
                return False

        return is_marked

    def _revive(self, server: Server) -> None:
        self._say(f"The {server.name} server ended; starting it again.")
        server.start()

    def _mourn(self, child: Child) -> None:
        now = time.monotonic()
        if child.again_at is None:
            child.deaths = 1 if child.age > _LIVED_LONG_SECONDS else child.deaths + 1
            pause = min(2.0 ** (child.deaths - 1) - 1, _LONGEST_PAUSE_SECONDS)
            child.again_at = now + pause
            when = f"in {pause:.0f} s" if pause else "again"
            self._say(f"{child.name} ended ({_how(child)}); starting it {when}.")
        if now >= child.again_at:
            self._spawn(child)

    def _in_stopping_order(self) -> list[Child]:
        order = ("beat", "worker", "web", "carrier")
        return sorted(self.children, key=lambda child: order.index(child.name.partition("-")[0]))

    def _stop_servers(self) -> None:
        self.children = []
        if self._database is not None:
            self._database.close()
            self._database = None
        self.redis.stop()
        self.postgres.stop()
        self.folder.unlock()


def answers(url: str, *, seconds: float = 2.0) -> bool:
    """Whether an address on this machine answers with 200."""
    try:
        with _opener.open(url, timeout=seconds) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _how(child: Child) -> str:
    code = child.process.poll() if child.process is not None else None
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
