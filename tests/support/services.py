"""One PostgreSQL and one Valkey for a test run, shared by all of pytest's workers.

The first test that asks starts a host process (`python -m tests.support.services`), which starts
both servers and waits. pytest's controlling process ends it when the run is over; should that
process be killed, the host sees it gone; should the host be killed, the kernel ends the servers.
A run of pure tests starts nothing.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from cli.embedded import THROWAWAY_SETTINGS, EmbeddedPostgres, EmbeddedRedis
from tests.support.locks import held

OWNER = "aftercare"
PROCESS = "aftercare_process"
# A number for each test that asks, so that a straggler of one test cannot meet the next.
REDIS_DATABASES = 1024

_ROOT = Path(__file__).parent.parent.parent
_RUN = "AFTERCARE_TEST_RUN"
_CONTROLLER = "AFTERCARE_TEST_CONTROLLER"
_START_SECONDS = 90.0
_STOP_SECONDS = 60.0
_ROOM_BYTES = 2 * 1024**3
# The host outlives the test that started it; a dropped Popen would warn about that.
_hosts: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """How to reach the run's servers."""

    postgres_port: int
    passwords: dict[str, str]
    redis: str

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address for psycopg."""
        return (
            f"postgresql://{user}:{self.passwords[user]}@127.0.0.1:{self.postgres_port}/{database}"
        )

    def url(self, database: str, user: str) -> str:
        """Return the address for SQLAlchemy, as DATABASE_URL has it."""
        return self.dsn(database, user).replace("postgresql:", "postgresql+psycopg:", 1)

    def redis_url(self, number: int) -> str:
        """Return the address of one numbered database."""
        return f"{self.redis}/{number}"


def quick_place() -> Path | None:
    """Return a file system in memory with room for databases, or None.

    Copying the template takes 20 ms there and 60 to 500 ms on this kind of machine's disk.
    """
    place = Path("/dev/shm")
    if not os.access(place, os.W_OK):
        return None
    facts = os.statvfs(place)
    # Where programs may not be run, root's account could not be given a copy of PostgreSQL's.
    roomy = facts.f_bavail * facts.f_frsize > _ROOM_BYTES and not facts.f_flag & os.ST_NOEXEC
    return place if roomy else None


def announce_run() -> None:
    """Choose the run's folder, in the controlling process; its workers inherit the name."""
    os.environ[_RUN] = tempfile.mktemp(prefix="aftercare-run-")
    os.environ[_CONTROLLER] = str(os.getpid())


def run_folder() -> Path:
    """Return the folder that the processes of this run share."""
    folder = Path(os.environ[_RUN])
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def ask() -> Services:
    """Return the run's servers, started if this is the first call of the run."""
    folder = run_folder()
    with held(folder / "services.lock"):
        answer = folder / "services.json"
        if not answer.exists():
            _start_host(folder, answer)
    return Services(**json.loads(answer.read_text()))


def end_run() -> None:
    """End the run's servers and wait for that; called once, by the controlling process."""
    folder = Path(os.environ[_RUN])
    pid_file = folder / "host.pid"
    if pid_file.exists():
        _end_host(int(pid_file.read_text()), folder)
    shutil.rmtree(folder, ignore_errors=True)


def _start_host(folder: Path, answer: Path) -> None:
    log = folder / "host.log"
    if log.exists():
        raise RuntimeError(f"The test servers did not start:\n{log.read_text()}")
    with log.open("wb") as output:
        host = subprocess.Popen(
            [sys.executable, "-m", "tests.support.services", str(folder), os.environ[_CONTROLLER]],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _hosts.append(host)
    (folder / "host.pid").write_text(str(host.pid))
    until = time.monotonic() + _START_SECONDS
    while not answer.exists():
        if host.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"The test servers did not start:\n{log.read_text()}")
        time.sleep(0.02)


def _end_host(pid: int, folder: Path) -> None:
    # The host keeps this lock for its life. While we hold it there is nobody to end, and the
    # number may have become somebody else's.
    with (folder / "host.lock").open("ab") as lock:
        until = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < until and not _taken(lock.fileno()):
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.02)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        # Somebody who kills pytest may never ask how it ended: then it stays as a zombie.
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _host(folder: Path, controller: int) -> None:
    """Start both servers, tell how to reach them, and keep them while the run lives."""
    settings = {**THROWAWAY_SETTINGS, "max_connections": "300"}
    redis = EmbeddedRedis(databases=REDIS_DATABASES)
    with EmbeddedPostgres(settings=settings, place=quick_place()) as postgres, redis:
        # As in production: the owner may make roles, the processes' login comes with migrating.
        postgres.ensure_role(OWNER, "CREATEDB CREATEROLE")
        services = Services(
            postgres_port=postgres.port,
            passwords={user: postgres.password(user) for user in ("postgres", OWNER, PROCESS)},
            redis=redis.url_of(0).removesuffix("/0"),
        )
        half = folder / "services.half"
        half.write_text(json.dumps(asdict(services)))
        half.rename(folder / "services.json")
        while _is_alive(controller):
            time.sleep(0.25)


def main(folder: Path, controller: int) -> None:
    """Be the host process."""
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        if not ending:
            # Only once: a second signal must not cut the servers' shutdown short.
            ending = True
            sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    with held(folder / "host.lock"):
        _host(folder, controller)
    # It was killed, so nobody else will clean up.
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
