"""The folder in which a whole Aftercare on one machine keeps its keys, its data and its logs.

Only its owner may enter it. One supervisor at a time uses it; a second one is told so.
"""

import fcntl
import json
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from cli.embedded import EmbeddedPostgres
from cli.errors import CommandError
from records.vault import new_key

_KEPT = "kept.json"


class StateFolderError(CommandError):
    """The state folder cannot be used; the message says what to do."""


class StateFolder:
    """Keys made once, small facts kept between runs, a log file for each process."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        self.logs = self.path / "logs"
        self.logs.mkdir(exist_ok=True)
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Claim the folder for this process; safe to call twice.

        Raises StateFolderError when another process has it.
        """
        if self._lock is not None:
            return
        lock = (self.path / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            number = lock.read().strip() or "unknown"
            lock.close()
            raise StateFolderError(
                f"{self.path} is in use: process {number} runs there. "
                "Stop it with Ctrl-C in its terminal first."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def unlock(self) -> None:
        """Let another process have it; safe to call twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Delete everything that was kept, the database too, also where root keeps it outside.

        Raises StateFolderError while another process uses the folder.
        """
        self.lock()
        if (self.path / "postgres").exists():
            EmbeddedPostgres(self.path).remove()
        self.unlock()
        shutil.rmtree(self.path)

    def kept(self) -> dict[str, Any]:
        """Return what was kept; empty on the first run."""
        try:
            found: dict[str, Any] = json.loads((self.path / _KEPT).read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def keep(self, **facts: Any) -> None:
        """Keep these facts beside those of before."""
        self.write(_KEPT, json.dumps({**self.kept(), **facts}, indent=2))

    def keys(self) -> Mapping[str, str]:
        """Return the secrets of this installation, made when first asked for."""
        kept: Mapping[str, str] = self.kept().get("keys", {})
        if not kept:
            kept = {
                "AFTERCARE_ENCRYPTION_KEYS": new_key(),
                "AFTERCARE_SECRET_KEY": secrets.token_urlsafe(32),
                "TWILIO_ACCOUNT_SID": f"AC{secrets.token_hex(16)}",
                "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
            }
            self.keep(keys=kept)
        return kept

    def write(self, name: str, text: str, *, executable: bool = False) -> Path:
        """Write a file that only its owner can read; whoever looks sees the old or the new one."""
        path, half = self.path / name, self.path / f"{name}.half"
        half.unlink(missing_ok=True)
        mode = 0o700 if executable else 0o600
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
        half.rename(path)
        return path

    def write_command(self, environment: Mapping[str, str]) -> Path:
        """Write `aftercare` into the folder: the command, with this installation's settings."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        lines = [
            "#!/bin/sh",
            "# `aftercare` with the settings of the installation in this folder.",
            *exports,
            f'exec {shlex.quote(sys.executable)} -m cli.main "$@"',
        ]
        return self.write("aftercare", "\n".join(lines) + "\n", executable=True)

    def log_tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a process's log."""
        path = self.logs / f"{name}.log"
        if not path.exists():
            return ""
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:])
