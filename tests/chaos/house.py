"""A whole installation under chaos: two workers, two beats, web, and a carrier with its own log.

Texts fall due and patients write at a steady rate while faults strike. The carrier takes 100 ms for
a text and pushes its log to the disk: that log is the witness of what was sent.
"""

import json
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

import psycopg
from sqlalchemy import insert

from cli.embedded import THROWAWAY_SETTINGS
from cli.stack import DATABASE, OWNER, Child, Options, Stack
from cli.statefolder import StateFolder
from records.base import Database, DBAPIError
from records.keys import open_vault
from records.patients import Patient
from records.vault import Vault
from tests.acceptance.house import MORNING, phone_of
from tests.support.wire import Wire
from tests.support.world import NUMBER, make_clinic, make_due, make_visits, patient_row
from worker.crashpoints import VARIABLE

LATENCY_MS = 100
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Patients' numbers begin here, beyond the clinic's own.
_FIRST = 2000
_BODIES = ("C", "R", "thanks", "what time?", "3", "call me")

_TRIES = 5


class House:
    """Everything that runs, what may be done to it, and the one who counts."""

    def __init__(self, folder: Path, seed: int) -> None:
        options = Options(
            workers=2,
            beats=2,
            sandbox=("--fsync", "--speed", "4", "--default-number", NUMBER),
            postgres=THROWAWAY_SETTINGS,
            settings={"AFTERCARE_REQUESTS_IN_FLIGHT": "64"},
        )
        self.folder = folder
        self.stack = Stack(StateFolder(folder), options)
        self.stack.clock_offset = (MORNING - datetime.now(UTC)).total_seconds()
        self.to_postgres: Wire
        self.to_redis: Wire
        self._wires = ExitStack()
        self.random = random.Random(seed)
        self.clinic_id: UUID
        self.sender_id: UUID
        self._commands: dict[str, Sequence[str]] = {}
        self.burst: Callable[[int], None] = lambda _: None

    def __enter__(self) -> Self:
        stack = self.stack
        try:
            stack.start_servers()
            database = self.database()
            with database.transaction() as session:
                vault = open_vault(session, _keys(stack))
                self.clinic_id, self.sender_id = make_clinic(session, key="oak", rate=300)
            database.close()
            self.vault: Vault = vault
            self._lay_wires()
            stack.spawn_processes()
            stack.await_processes()
        except BaseException:
            stack.kill()
            raise
        self._commands = {child.name: child.command for child in stack.children}
        self.fault("latency", ms=LATENCY_MS)
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.kill()
        self._wires.close()

    def _lay_wires(self) -> None:
        """Have the processes reach both servers by wires that may be cut."""
        stack = self.stack
        settings = dict(stack.options.settings)
        self.to_postgres = Wire(stack.postgres.port, postgres=True)
        self.to_redis = Wire(stack.redis.port)
        for name, wire, port in (
            ("DATABASE_URL", self.to_postgres, stack.postgres.port),
            ("REDIS_URL", self.to_redis, stack.redis.port),
        ):
            self._wires.enter_context(wire)
            settings[name] = stack.settings[name].replace(f":{port}/", f":{wire.port}/")
        stack.options = replace(stack.options, settings=settings)

    @property
    def now(self) -> datetime:
        """What time it is for patients."""
        return datetime.now(UTC) + timedelta(seconds=self.stack.clock_offset)

    def database(self) -> Database:
        """Return a new connection as the processes have it."""
        url = self.stack.settings["DATABASE_URL"]
        return Database.connect(url, application="chaos-desk", pool_size=2)

    # --- processes ---

    def kill(self, name: str) -> int:
        """`kill -9` a process; return the code that its end shows."""
        process = self.stack.child(name).process
        assert process is not None
        process.kill()
        return process.wait(10)

    def run(self, name: str, crash_at: str | None = None) -> None:
        """Start a process that has ended, armed to die at a crashpoint if one is named."""
        child = self.stack.child(name)
        child.command = self._commands[name]
        if crash_at is not None:
            child.command = ("/usr/bin/env", f"{VARIABLE}={crash_at}", *self._commands[name])
        self.stack._spawn(child)

    def code(self, name: str) -> int | None:
        """Return how a process ended, None while it runs."""
        process = self.stack.child(name).process
        return process.poll() if process is not None else None

    def children(self, kind: str) -> list[Child]:
        """Return the workers, the beats or web."""
        return [each for each in self.stack.children if each.name.partition("-")[0] == kind]

    def stop(self) -> None:
        """End all processes but the servers and the carrier: what is counted shall stand still."""
        for kind in ("beat", "worker", "web"):
            for child in self.children(kind):
                self.kill(child.name)

    def revive(self) -> None:
        """Start whatever has ended, servers and processes, without any crashpoint."""
        for server in (self.stack.postgres, self.stack.redis):
            if not server.is_running:
                server.start()
        for child in self.stack.children:
            if not child.is_running:
                self.run(child.name)

    # --- the carrier ---

    def ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        """Ask the sandbox's own API."""
        data = None if document is None else json.dumps(document).encode()
        url = self.stack.sandbox_url + path
        request = urllib.request.Request(url, data=data, method=method)
        with _opener.open(request, timeout=20) as answer:
            read: dict[str, Any] = json.loads(answer.read() or b"{}")
        return read

    def fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on at the carrier."""
        self.ask("POST", "/sandbox/faults", {"kind": kind, **options})

    def heal(self, *, latency: bool = True) -> None:
        """Switch all faults of the carrier off; what remains is that it is slow."""
        self.ask("DELETE", "/sandbox/faults")
        if latency:
            self.fault("latency", ms=LATENCY_MS)

    def fired(self) -> Counter[str]:
        """Return how often each of the carrier's faults has struck so far."""
        return Counter(self.ask("GET", "/sandbox/faults")["fired"])

    def seen(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the entries of the carrier's log."""
        time.sleep(0.2)
        lines = self.stack.sandbox_log.read_text("utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["kind"] in kinds]

    # --- the database, as its owner ---

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows if it has any.

        The workers write the same rows meanwhile: the one whom a deadlock ends tries again, as
        their own steps do.
        """
        for _ in range(_TRIES):
            with suppress(psycopg.errors.DeadlockDetected):
                return self._sql(statement, values)
        return self._sql(statement, values)

    def _sql(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        dsn = self.stack.postgres.dsn(DATABASE, OWNER)
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def hasten(self, turn: str) -> None:
        """Have the next tick find that it is this sweep's turn."""
        self.sql("UPDATE progress SET at = at - interval '1 hour' WHERE name = %s", f"turn:{turn}")

    def unsettled(self, *, due_before: datetime) -> int:
        """Count texts due by then that nobody can say the end of."""
        question = (
            "SELECT count(*) FROM message WHERE due_at <= %s AND (status IN ('claimed',"
            " 'submitting', 'unknown') OR status = 'planned' AND next_at <= %s)"
        )
        return int(self.sql(question, due_before, self.now)[0][0])


def _keys(stack: Stack) -> tuple[str, ...]:
    return tuple(stack.folder.keys()["AFTERCARE_ENCRYPTION_KEYS"].split(","))


class Desk(threading.Thread):
    """Makes texts fall due and patients write, at a steady rate, whatever happens around it."""

    def __init__(self, house: House, *, texts_per_second: int, replies_per_second: float) -> None:
        super().__init__(name="desk", daemon=True)
        self._house = house
        self._rate, self._replies = texts_per_second, replies_per_second
        self._random = random.Random(house.random.random())
        self._over = threading.Event()
        self._wanted = 0
        self._lock = threading.Lock()
        # Ids are chosen before the commit, so that one whose answer was lost is not made twice.
        self.due: dict[UUID, datetime] = {}
        self.written: list[str] = []
        self.failures: Counter[str] = Counter()

    def burst(self, count: int) -> None:
        """Have so many texts fall due at once."""
        with self._lock:
            self._wanted += count

    def stop(self) -> None:
        self._over.set()
        self.join(60)

    def run(self) -> None:
        database = self._house.database()
        people, owed = 0, 0.0
        while not self._over.wait(0.5):
            with self._lock:
                count, self._wanted = self._wanted + max(1, round(self._rate / 2)), 0
            self._fall_due(database, people, count)
            people += count
            owed += self._replies / 2
            while owed >= 1:
                owed -= 1
                self._write(self._random.randrange(people))
        database.close()

    def _fall_due(self, database: Database, first: int, count: int) -> None:
        house = self._house
        now = house.now
        rows = [
            patient_row(house.vault, house.clinic_id, n, phone=phone_of(_FIRST + n))
            for n in range(first, first + count)
        ]
        # A few are useful for some seconds only: under a fault they have to end unsent.
        useful = timedelta(seconds=20) if self._random.random() < 0.1 else timedelta(hours=6)
        people = [row["id"] for row in rows]
        starts_at = now + timedelta(days=7)
        while not self._over.is_set():
            try:
                with database.transaction() as session:
                    if session.get(Patient, (people[0], house.clinic_id)) is None:
                        session.execute(insert(Patient), rows)
                        clinic = (house.clinic_id, people, starts_at)
                        visits = make_visits(session, house.vault, *clinic, label=f"V{first}-")
                        ids = make_due(
                            session,
                            *(house.clinic_id, house.sender_id, people, visits),
                            due_at=now,
                            starts_at=starts_at,
                            latest_at=now + useful,
                        )
            except (DBAPIError, OSError) as error:
                self.failures[type(error).__name__] += 1
                time.sleep(0.3)
            else:
                self.due.update(dict.fromkeys(ids, now))
                return

    def _write(self, number: int) -> None:
        path = f"/sandbox/phones/{quote(phone_of(_FIRST + number))}/texts"
        body = self._random.choice(_BODIES)
        with suppress(OSError):
            answer = self._house.ask("POST", path, {"body": body, "to": NUMBER})
            self.written.append(answer["sid"])
