"""The embedded PostgreSQL and Valkey: they start, keep, crash, come back, and never stay behind."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest
import redis

from cli.embedded import THROWAWAY_SETTINGS, EmbeddedError, EmbeddedPostgres, EmbeddedRedis
from cli.footing import Footing, is_open_to_all, sweep, unprivileged
from cli.server import free_port, spawn
from tests.support.processes import ROOT, Processes, wait_until


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has waited for yet is gone for all purposes.
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def _value(dsn: str, statement: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return row[0]


def _keep_seven(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")


def test_postgres_sorts_and_encodes_alike_on_every_machine(own_postgres: EmbeddedPostgres) -> None:
    """UTF-8 and PostgreSQL's built-in locale, whatever the machine's locale is."""
    facts = _value(
        own_postgres.dsn(),
        "SELECT concat_ws(' ', current_setting('server_encoding'), datlocprovider, datlocale)"
        " FROM pg_database WHERE datname = 'postgres'",
    )
    assert facts == "UTF8 b C.UTF-8"


def test_postgres_wants_a_password(own_postgres: EmbeddedPostgres) -> None:
    """Another user of this machine, who can reach the port, gets no further."""
    address = f"postgresql://postgres@127.0.0.1:{own_postgres.port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(address)


def test_rows_survive_a_crash_at_the_same_port(own_postgres: EmbeddedPostgres) -> None:
    """An immediate restart is a crash: committed rows are there, the address still holds."""
    before = own_postgres.pid
    _keep_seven(own_postgres.dsn())
    own_postgres.restart("immediate")
    assert own_postgres.pid != before
    assert _value(own_postgres.dsn(), "SELECT n FROM kept") == 7


def test_a_role_signs_in_with_its_own_password(own_postgres: EmbeddedPostgres) -> None:
    """Roles and databases are made once, and a second request changes nothing."""
    for _ in range(2):
        own_postgres.ensure_role("owner", "CREATEROLE")
        own_postgres.ensure_database("clinic", "owner")
    assert _value(own_postgres.dsn("clinic", "owner"), "SELECT current_user::text") == "owner"


def test_a_given_folder_keeps_its_data_until_removed(tmp_path: Path) -> None:
    """A second start finds the rows; after `remove` there is nothing."""
    with EmbeddedPostgres(tmp_path, settings=THROWAWAY_SETTINGS) as first:
        _keep_seven(first.dsn())
    with EmbeddedPostgres(tmp_path, settings=THROWAWAY_SETTINGS) as second:
        assert _value(second.dsn(), "SELECT n FROM kept") == 7
        data = second.data_dir
    second.remove()
    assert not data.exists()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """Two demos on one folder would destroy it; the second is told to stop the first."""
    with EmbeddedPostgres(tmp_path, settings=THROWAWAY_SETTINGS):
        other = EmbeddedPostgres(tmp_path, settings=THROWAWAY_SETTINGS)
        with pytest.raises(EmbeddedError, match="Another process is using"):
            other.start()
        with pytest.raises(EmbeddedError, match="Another process is using"):
            other.remove()
    other.remove()


def test_a_server_that_cannot_start_says_why_and_leaves_nothing() -> None:
    """The last words of the server are in the error, its folders are gone."""
    server = EmbeddedPostgres(settings={"shared_buffers": "nonsense"})
    base = server.footing.base
    with pytest.raises(EmbeddedError, match="shared_buffers"):
        server.start()
    assert not base.exists()


def test_a_port_that_is_taken_is_named() -> None:
    """With a port of the caller's choice there is no second try."""
    with EmbeddedRedis() as first, pytest.raises(EmbeddedError, match="in use"):
        EmbeddedRedis(port=first.port).start()


def test_valkey_goes_and_comes_back_at_the_same_address(own_redis: EmbeddedRedis) -> None:
    """A client that reconnects finds an empty Valkey at the old address."""
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("nudge", 1)
        own_redis.kill()
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
        own_redis.start()
        assert client.get("nudge") is None


def test_a_paused_valkey_keeps_connections_and_answers_nothing(own_redis: EmbeddedRedis) -> None:
    """The half-open outage: a client only notices by its own timeout."""
    with redis.Redis.from_url(own_redis.url, socket_timeout=0.2, retry=None) as client:
        client.ping()
        own_redis.pause()
        with pytest.raises(redis.exceptions.TimeoutError):
            client.ping()
        own_redis.resume()
        client.ping()


def test_a_paused_valkey_can_be_stopped() -> None:
    """A frozen process hears no signal, so it is thawed first."""
    with EmbeddedRedis() as server:
        pid = server.pid
        server.pause()
    assert not _alive(pid)


def test_a_server_that_is_named_but_missing_is_refused() -> None:
    """The name from the settings is in the error."""
    with pytest.raises(EmbeddedError, match="no-such-server"):
        EmbeddedRedis(server="no-such-server").start()


def test_servers_do_not_outlive_a_starter_that_is_killed(processes: Processes) -> None:
    """`kill -9` of the starter ends PostgreSQL and Valkey; a later start deletes their folders."""
    script = textwrap.dedent("""
        import time
        from cli.embedded import EmbeddedPostgres, EmbeddedRedis, THROWAWAY_SETTINGS
        with EmbeddedPostgres(settings=THROWAWAY_SETTINGS) as postgres, EmbeddedRedis() as redis:
            for server in (postgres, redis):
                print("server", server.pid, server.footing.base.parent, flush=True)
            print("ready", flush=True)
            time.sleep(60)
    """)
    starter = processes.python("-c", script)
    starter.wait_for_line("^ready$")
    found = re.findall(r"^server (\d+) (.+)$", starter.output, re.MULTILINE)
    starter.send(signal.SIGKILL)
    wait_until(lambda: not any(_alive(int(pid)) for pid, _ in found), what="their end")
    folders = [Path(folder) for _, folder in found]
    for folder in folders:
        os.utime(folder, (0, 0))
    sweep()
    assert [folder for folder in folders if folder.exists()] == []


def test_what_a_killed_run_left_is_swept_away() -> None:
    """A folder whose starter is gone goes with the next start; a living one stays."""
    with EmbeddedRedis() as living:
        dead = Footing.make("dead", None, unprivileged())
        old = dead.base.parent
        for folder in (old, living.footing.base.parent):
            os.utime(folder, (0, 0))
        sweep()
        assert not old.exists()
        assert living.footing.base.exists()


def test_a_spawned_program_does_not_hear_the_terminals_ctrl_c() -> None:
    """It leads a session of its own; whoever started it decides when it ends."""
    child = spawn([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        wait_until(lambda: os.getsid(child.pid) == child.pid, 5)
        assert os.getpgid(child.pid) != os.getpgid(0)
    finally:
        child.kill()
        child.wait()


def test_a_program_whose_parent_has_gone_never_starts() -> None:
    """The launcher compares its parent with the one it was told: too late is not at all."""
    nobody = "1" if os.getppid() != 1 else "2"
    launcher = ROOT / "cli" / "launcher.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", launcher, nobody, "15", "-1", "-1", "echo", "started"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_root_steps_down_and_opens_no_door(tmp_path: Path) -> None:
    """Data wanted behind a closed door, programs behind another: both doors stay closed."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not is_open_to_all(closed)
    with EmbeddedPostgres(closed, settings=THROWAWAY_SETTINGS) as server:
        assert is_open_to_all(server.footing.base.parent)
        assert Path(f"/proc/{server.pid}").stat().st_uid == 65534
        assert _value(server.dsn(), "SELECT 1") == 1
    assert closed.stat().st_mode & 0o777 == 0o700
    server.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_programs_behind_a_closed_door_are_linked_where_the_account_can_read(
    tmp_path: Path,
) -> None:
    """A virtual environment in root's home stays closed; its programs run all the same."""
    closed = tmp_path / "closed"
    (closed / "tool").mkdir(parents=True)
    closed.chmod(0o700)
    (closed / "tool" / "run").write_text("#!/bin/sh\necho ran\n")
    (closed / "tool" / "run").chmod(0o755)
    account = unprivileged()
    assert account is not None
    footing = Footing.make("tool", None, account)
    try:
        program = footing.reachable(closed / "tool") / "run"
        assert program != closed / "tool" / "run"
        done = subprocess.run(
            [program],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
        )
        assert done.stdout == "ran\n"
    finally:
        footing.release()


def test_a_free_port_is_never_lent_to_a_connection_that_goes_out() -> None:
    """A server that is started again finds it free, however many others the machine runs."""
    with socket.socket() as listening, contextlib.ExitStack() as connections:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        lent = set()
        for _ in range(32):
            going_out = connections.enter_context(
                socket.create_connection(listening.getsockname(), timeout=10)
            )
            lent.add(going_out.getsockname()[1])
    found = {free_port() for _ in range(32)}
    assert max(found) < min(lent)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(EmbeddedError, match=f"Every port from {port} to {port} is taken"):
            free_port([port])
