"""Starting a server as a child that never outlives us, and ending it by its process id.

`spawn` also serves the demo's supervisor, which starts worker, beat and web with it.
"""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cli.footing import Account, EmbeddedError, Footing, unprivileged

_LAUNCHER = Path(__file__).with_name("launcher.py")
_START_SECONDS = 60.0
_KILL_SECONDS = 10.0
_PORT_TRIES = 5
# Linux lends those from 32,768 on to connections that go out, others those from 49,152 on.
_PORTS = range(10_000, 32_000)


def spawn(
    command: Sequence[str | Path],
    *,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    stdin: int | None = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own that ends when we do, even by SIGKILL.

    Call it from the main thread: Linux sends `death_signal` when the thread that started the
    program ends. A Ctrl-C in the terminal does not reach the program, so that we decide in which
    order things end. `output` takes both standard output and standard error.
    """
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    tie = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_LAUNCHER), *tie, *map(str, command)],
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=stdin,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
        umask=0o077 if account else -1,
    )


def end(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn and wait its seconds, until the process has ended."""
    for number, seconds in steps:
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def free_port(among: Sequence[int] = _PORTS) -> int:
    """Return a port of 127.0.0.1 that was free a moment ago.

    It is none of those that a system lends to connections that go out: a server that is started
    again some time later, or takes a while to listen, still finds it free.

    Raises EmbeddedError where none `among` them is free.
    """
    for port in random.SystemRandom().sample(among, len(among)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise EmbeddedError(
        f"Every port from {among[0]} to {among[-1]} is taken; end some processes that listen there."
    )


class Server:
    """What the embedded servers share: a place, an account, a port that stays, one process."""

    name = "server"

    def __init__(self, folder: Path | None, port: int | None, place: Path | None) -> None:
        self._folder = folder
        self._place = place
        self._footing: Footing | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = port
        self._port_stays = port is not None
        self._made_by = os.getpid()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1, the same for the object's life."""
        if self._port is None:
            raise EmbeddedError(f"The embedded {self.name} has not been started yet.")
        return self._port

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise EmbeddedError(f"The embedded {self.name} is not running.")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def footing(self) -> Footing:
        """The account and the folders it stands on, made when first asked for."""
        if self._footing is None:
            self._footing = Footing.make(self.name, self._folder, unprivileged(), self._place)
        return self._footing

    @property
    def log_file(self) -> Path:
        return self.footing.base / f"{self.name}.log"

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines that the server wrote."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text("utf-8", "replace").splitlines()[-lines:])

    def start(self) -> Self:
        """Start it and wait until it answers; nothing is done when it runs already.

        Raises EmbeddedError with the server's last words.
        """
        if self.is_running:
            return self
        self.footing.lock()
        atexit.register(self._stop_at_exit)
        # Somebody may take a free port between our asking and the server's; then we ask again.
        for _ in range(1 if self._port_stays else _PORT_TRIES):
            if self._try_to_start():
                self._port_stays = True
                return self
            if "in use" not in self.log_tail():
                break
        tail = self.log_tail()
        self.stop()
        raise EmbeddedError(f"The embedded {self.name} did not start:\n{tail}")

    def stop(self) -> None:
        """End it and wait for that; temporary data go too. Safe to call twice."""
        self._halt()
        atexit.unregister(self._stop_at_exit)
        if self._footing is not None:
            self._footing.release()
            if self._footing.temporary:
                self._footing = None

    def kill(self) -> None:
        """End it as a power cut would; `start` brings it back at its port, with its data."""
        self._end((signal.SIGKILL, _KILL_SECONDS))

    def remove(self) -> None:
        """Stop it and delete its data. Raises EmbeddedError while another process uses them."""
        self.stop()
        footing = self.footing
        footing.lock()
        footing.remove()
        footing.release()
        self._footing = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _launch(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _halt(self) -> None:
        raise NotImplementedError

    def _stop_at_exit(self) -> None:
        # A fork of ours that ends must not take the server with it.
        if os.getpid() == self._made_by:
            self.stop()

    def _try_to_start(self) -> bool:
        if not self._port_stays:
            self._port = free_port()
        self._process = self._launch()
        until = time.monotonic() + _START_SECONDS
        while self.is_running and time.monotonic() < until:
            if self._is_ready():
                return True
            time.sleep(0.01)
        return False

    def _end(self, *steps: tuple[signal.Signals, float]) -> None:
        if self._process is not None:
            end(self._process, *steps)
            self._process = None
