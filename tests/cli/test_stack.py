"""The supervisor: everything starts, what dies comes back, nothing stays behind."""

import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from cli.stack import Options, Stack, StackError
from cli.statefolder import StateFolder, StateFolderError
from tests.support.processes import Processes, http_status, wait_until

pytestmark = pytest.mark.timeout(240)

# A supervisor in a process of its own: it prints who it started, and lives until it is told.
_SUPERVISOR = """
import json, sys, time
from pathlib import Path
from cli.stack import Stack
from cli.statefolder import StateFolder
from cli.embedded import THROWAWAY_SETTINGS
from cli.stack import Options
stack = Stack(
    StateFolder(Path(sys.argv[1])),
    Options(postgres=THROWAWAY_SETTINGS),
    say=lambda line: print(line, flush=True),
)
try:
    stack.start()
    pids = {child.name: child.process.pid for child in stack.children}
    pids |= {"postgres": stack.postgres.pid, "valkey": stack.redis.pid}
    print(json.dumps({"pids": pids, "web": stack.web_url}), flush=True)
    while True:
        stack.watch()
        time.sleep(0.1)
except KeyboardInterrupt:
    pass
finally:
    stack.stop()
"""


def _start(processes: Processes, folder: Path, **env: str):
    supervisor = processes.python("-c", _SUPERVISOR, str(folder), env=env)
    told = supervisor.wait_for_line(r'^\{"pids".*\}$', 60)
    return supervisor, json.loads(told[0])


def _alive(pids: dict[str, int]) -> dict[str, int]:
    """Return those that still run; a zombie has ended."""
    return {
        name: pid
        for name, pid in pids.items()
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    }


def test_a_part_that_dies_is_started_again_and_all_ends_in_order(
    processes: Processes, tmp_path: Path
) -> None:
    """Web and the database are killed; Ctrl-C then leaves no process and a readable log."""
    supervisor, told = _start(processes, tmp_path / "state", AFTERCARE_MODE="live")
    pids = told["pids"]
    assert pids.keys() == {"carrier", "web", "worker", "beat", "postgres", "valkey"}
    os.kill(pids["web"], signal.SIGKILL)
    supervisor.wait_for_line(r"web ended \(SIGKILL\); starting it again")
    supervisor.wait_for_http(f"{told['web']}/readyz")
    os.kill(pids["postgres"], signal.SIGKILL)
    supervisor.wait_for_line("postgres server ended; starting it again")
    supervisor.wait_for_http(f"{told['web']}/readyz")
    started = {str(child.pid): child.pid for child in psutil.Process(supervisor.pid).children()}
    assert len(started) == 6

    supervisor.send(signal.SIGINT)
    assert supervisor.wait() == 0
    assert _alive(pids | started) == {}
    assert "Warm shutdown" in (tmp_path / "state" / "logs" / "worker.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_killed_supervisor_leaves_nothing_running(processes: Processes, tmp_path: Path) -> None:
    """Also when nobody gets to clean up."""
    supervisor, told = _start(processes, tmp_path / "state")
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not _alive(told["pids"]), 20, what="the end of every process")
    assert http_status(told["web"]) is None


def test_the_state_folder_is_closed_to_others_and_used_by_one(tmp_path: Path) -> None:
    """Keys are made once; a second supervisor is told who is there."""
    folder = StateFolder(tmp_path / "state")
    keys = folder.keys()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "kept.json").stat().st_mode & 0o777 == 0o600
    folder.lock()
    folder.lock()
    with pytest.raises(StateFolderError, match=f"process {os.getpid()} runs there"):
        StateFolder(tmp_path / "state").lock()
    folder.unlock()
    again = StateFolder(tmp_path / "state")
    assert again.keys() == keys
    again.remove()
    assert not (tmp_path / "state").exists()


def test_the_command_in_the_state_folder_has_the_settings(tmp_path: Path) -> None:
    """So that a user looks around with `.state/aftercare messages`, whatever their shell has."""
    folder = StateFolder(tmp_path / "state")
    path = folder.write_command({"AFTERCARE_SECRET_KEY": "it's a secret"})
    assert path.stat().st_mode & 0o777 == 0o700
    assert "export AFTERCARE_SECRET_KEY='it'\"'\"'s a secret'" in path.read_text()


def test_a_part_that_does_not_start_is_named_with_its_last_words(
    tmp_path: Path,
) -> None:
    """And what was started before is stopped."""
    options = Options(sandbox=("--no-such-option",))
    stack = Stack(StateFolder(tmp_path / "state"), options)
    with pytest.raises(StackError, match=r"(?s)carrier ended .*no-such-option"):
        stack.start()
    assert not stack.postgres.is_running
    assert not stack.redis.is_running
