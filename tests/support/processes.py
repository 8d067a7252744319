"""Real processes in tests: started, watched, killed, and surely gone when the test is over."""

import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from cli.server import spawn

ROOT = Path(__file__).parent.parent.parent
_GUARDED = Path(__file__).parent / "guarded"
# What a program needs of the machine; settings come from the test alone.
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "COVERAGE_PROCESS_START")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: these settings, and a guard against leaving here."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    python = {"PYTHONPATH": f"{_GUARDED}{os.pathsep}{ROOT}", "PYTHONUNBUFFERED": "1"}
    return {**kept, **python, **settings}


def wait_until(fact: Callable[[], bool], seconds: float = 20.0, *, what: str = "") -> None:
    """Wait until `fact()` is true. Raises TimeoutError, naming `what`."""
    until = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > until:
            raise TimeoutError(f"still not after {seconds:g} s: {what or fact}")
        time.sleep(0.02)


class RunningProcess:
    """A process of a test, in a process group of its own, with its output in a file."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.command = list(command)
        self._log = log
        with log.open("wb") as output:
            self._process = spawn(
                self.command,
                death_signal=signal.SIGKILL,
                cwd=ROOT,
                env=environment(env),
                output=output,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal, None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it wrote so far, standard output and standard error together."""
        return self._log.read_text("utf-8", "replace")

    def wait(self, seconds: float = 30.0) -> int:
        """Wait for its end and return the exit code."""
        self._watch(lambda: self.code is not None, seconds, "its end", running=False)
        return self._process.wait()

    def wait_for_line(self, pattern: str, seconds: float = 30.0) -> re.Match[str]:
        """Wait until a line of the output matches; return the match. Fails at once if it ends."""
        found: list[re.Match[str]] = []

        def seen() -> bool:
            match = re.search(pattern, self.output, re.MULTILINE)
            found.extend([match] if match else [])
            return bool(found)

        self._watch(seen, seconds, f"a line like {pattern!r}")
        return found[0]

    def wait_for_http(self, url: str, status: int = 200, seconds: float = 30.0) -> None:
        """Wait until that address answers with that status."""
        self._watch(lambda: http_status(url) == status, seconds, f"{status} from {url}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself."""
        if self.code is None:
            self._process.send_signal(number)

    def terminate(self, seconds: float = 40.0) -> int:
        """Ask it to end, as a supervisor does; return the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> None:
        """`kill -9` for it and all that it started, and wait until it is gone."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            # macOS says this of a group of which only a zombie is left.
            pass
        self._process.wait()

    def pause(self) -> None:
        """Freeze it, as a machine that swaps or a debugger does."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def _watch(
        self, fact: Callable[[], bool], seconds: float, what: str, *, running: bool = True
    ) -> None:
        try:
            wait_until(lambda: fact() or (running and self.code is not None), seconds)
        except TimeoutError:
            raise AssertionError(self._story(f"waited {seconds:g} s for {what}")) from None
        if not fact():
            raise AssertionError(self._story(f"ended with {self.code} before {what}"))

    def _story(self, happened: str) -> str:
        return f"{' '.join(self.command)}\n{happened}; its output:\n{self.output[-8000:]}"


class Processes:
    """Starts a test's processes and ends every one of them with the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[RunningProcess] = []

    def start(self, *command: str | Path, env: Mapping[str, str] | None = None) -> RunningProcess:
        """Start a command; its environment is `env` and what `environment` adds."""
        log = self._folder / f"process-{len(self._all)}.log"
        process = RunningProcess([str(word) for word in command], env or {}, log)
        self._all.append(process)
        return process

    def python(self, *arguments: str, env: Mapping[str, str] | None = None) -> RunningProcess:
        """Start this interpreter, for instance with `-m cli.main worker`."""
        return self.start(sys.executable, *arguments, env=env)

    def aftercare(self, *arguments: str, env: Mapping[str, str] | None = None) -> RunningProcess:
        """Start the `aftercare` command."""
        return self.python("-m", "cli.main", *arguments, env=env)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._all):
            process.kill()


# A proxy of the machine must not be asked for an address on it.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http_status(url: str, seconds: float = 2.0) -> int | None:
    """Return the status that an address answers with, None while nobody answers."""
    try:
        with _opener.open(url, timeout=seconds) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None
