"""The tests' own tools: a closed network, processes that end, servers that go with their run."""

import asyncio
import os
import re
import signal
import socket
import textwrap
from pathlib import Path

import psutil
import pytest

from tests.support import network
from tests.support.processes import Processes, wait_until

# Kept free for documentation, so nobody is there even if the guard failed.
_OUTSIDE = ("192.0.2.1", 80)


def _forgiven() -> None:
    """Take the attempts that a test made on purpose off the list."""
    network.attempts.clear()


def test_a_connection_beyond_this_machine_is_refused() -> None:
    """Whoever tries, by whatever library."""
    with socket.socket() as outside, pytest.raises(network.OutsideConnectionError):
        outside.connect(_OUTSIDE)
    with pytest.raises(network.OutsideConnectionError):
        asyncio.run(asyncio.open_connection(*_OUTSIDE))
    _forgiven()


def test_a_name_is_not_looked_up() -> None:
    """A lookup tells the name server what a test does."""
    with pytest.raises(network.OutsideConnectionError):
        socket.getaddrinfo("api.example.org", 443)
    assert network.attempts == ["look up 'api.example.org'"]
    _forgiven()


def test_this_machine_may_be_talked_to() -> None:
    """Our own servers are all on it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_a_process_of_a_test_is_guarded_too(processes: Processes) -> None:
    """A worker that a test starts cannot text anybody."""
    program = "import socket; socket.create_connection(('192.0.2.1', 80))"
    process = processes.python("-c", program)
    assert process.wait() == 1
    assert "tests stay on this machine" in process.output


def test_a_process_ends_with_all_it_started(tmp_path: Path) -> None:
    """Also what it started itself, and also what ignores SIGTERM."""
    program = textwrap.dedent("""
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print("child", child.pid, flush=True)
        time.sleep(60)
    """)
    with Processes(tmp_path) as own:
        child = int(own.python("-c", program).wait_for_line(r"^child (\d+)$").group(1))
    wait_until(lambda: not _runs(child), 5)


def test_a_process_that_ends_too_early_tells_its_output(processes: Processes) -> None:
    """A test that waits for a line says what came instead, at once."""
    process = processes.python("-c", "print('no setting'); raise SystemExit(2)")
    with pytest.raises(AssertionError, match=r"(?s)ended with 2 before .*no setting"):
        process.wait_for_line("ready")


def test_settings_of_the_developer_do_not_reach_a_process(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that passes only with somebody's .env or shell is no test."""
    monkeypatch.setenv("DATABASE_URL", "somebody's")
    process = processes.python("-c", "import os; print(os.environ.get('DATABASE_URL'))")
    process.wait()
    assert process.output == "None\n"


def test_the_servers_of_a_run_end_when_the_run_is_killed(processes: Processes) -> None:
    """`kill -9` of pytest leaves no PostgreSQL and no Valkey."""
    program = textwrap.dedent("""
        import time
        from tests.support import services
        services.announce_run()
        services.ask()
        print("host", (services.run_folder() / "host.pid").read_text(), flush=True)
        print("folder", services.run_folder(), flush=True)
        time.sleep(60)
    """)
    run = processes.python("-c", program)
    folder = Path(run.wait_for_line(r"^folder (.+)$").group(1))
    found = re.search(r"^host (\d+)$", run.output, re.MULTILINE)
    assert found is not None
    host = psutil.Process(int(found.group(1)))
    servers = host.children(recursive=True)
    assert {"postgres", "valkey-server"} <= {server.name() for server in servers}
    run.send(signal.SIGKILL)
    wait_until(lambda: not any(_runs(process.pid) for process in (host, *servers)), 30)
    wait_until(lambda: not folder.exists(), 5)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_test_has_a_database_number_of_its_own(redis_url: str) -> None:
    """The address ends in it."""
    assert redis_url.rpartition("/")[2].isdigit()
    assert os.environ.get("REDIS_URL") is None
