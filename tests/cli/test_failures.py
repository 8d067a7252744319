"""What goes wrong ends in a sentence and a code, never in a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli import errors
from tests.cli.conftest import Run, environment, write
from tests.support.databases import Databases
from tests.support.processes import ROOT

_DEAD = "postgresql+psycopg://aftercare:secret-word@127.0.0.1:1/none"


def test_a_missing_setting_is_named_with_its_mend(
    settings_env: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, on standard error."""
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    ran = run("messages")
    assert (ran.code, ran.out) == (2, "")
    assert "TWILIO_AUTH_TOKEN is missing: set it in the environment or in .env" in ran.err
    assert "Traceback" not in ran.err


def test_a_setting_whose_file_is_empty_is_missing(
    settings_env: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody could sign as the carrier by an empty token; the file is named."""
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    file = write(settings_env, "token", "\n")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN_FILE", str(file))
    ran = run("messages")
    assert ran.code == 2
    assert f"TWILIO_AUTH_TOKEN is missing: {file}, which TWILIO_AUTH_TOKEN_FILE names" in ran.err


def test_a_secret_of_blanks_is_refused(
    settings_env: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody could sign a page's answer by it."""
    monkeypatch.setenv("AFTERCARE_PAGE_WEBHOOK_SECRET", " ")
    ran = run("messages")
    assert (ran.code, "AFTERCARE_PAGE_WEBHOOK_SECRET: is empty" in ran.err) == (2, True)


def test_sandbox_mode_with_twilios_host_is_refused(
    settings_env: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody texts real people by mistake."""
    monkeypatch.setenv("TWILIO_API_URL", "https://api.twilio.com")
    ran = run("worker")
    assert ran.code == 2
    assert "sandbox mode never calls" in ran.err


def test_a_database_that_does_not_answer_is_a_failure(
    settings_env: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1, and the password in the address stays out of it."""
    monkeypatch.setenv("DATABASE_URL", _DEAD)
    ran = run("followups")
    assert ran.code == 1
    assert "The database does not answer" in ran.err
    assert "secret-word" not in ran.err


def test_a_database_without_a_schema_says_what_to_run(
    databases: Databases, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thing that everybody forgets."""
    monkeypatch.chdir(tmp_path)
    with databases.empty() as empty:
        for name, value in environment(empty.owner_url).items():
            monkeypatch.setenv(name, value)
        ran = run("messages")
        assert ran.code == 1
        assert "aftercare db upgrade" in ran.err


def test_db_upgrade_needs_only_the_addresses(
    databases: Databases, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migrating container knows no other secret; twice is once."""
    monkeypatch.chdir(tmp_path)
    with databases.empty() as empty:
        monkeypatch.setenv("DATABASE_OWNER_URL", empty.owner_url)
        monkeypatch.setenv("DATABASE_URL", empty.url)
        first, second = run("db", "upgrade"), run("db", "upgrade")
        assert (first.code, second.code) == (0, 0)
        assert "from nothing to" in first.out
        assert "already" in second.out


def test_db_upgrade_without_an_address_is_bad_usage(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the sentence names the setting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("DATABASE_OWNER_URL", raising=False)
    ran = run("db", "upgrade")
    assert (ran.code, "DATABASE_URL is missing" in ran.err) == (2, True)


def test_doctor_lists_every_fault_of_the_settings(
    settings_env: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them at once, since each costs a restart."""
    monkeypatch.delenv("PUBLIC_URL")
    monkeypatch.setenv("AFTERCARE_PORT", "99999999")
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert {row["verdict"] for row in ran.rows} == {"wrong"}
    assert {row["message"].split(" ")[0].rstrip(":") for row in ran.rows} == {
        "PUBLIC_URL",
        "AFTERCARE_PORT",
    }


def test_doctor_finds_what_is_down_and_says_how_to_mend_it(clinic: Path, run: Run) -> None:
    """Nothing runs here but the database."""
    ran = run("doctor", "--json")
    assert ran.code == 1
    found = {row["check"]: row for row in ran.rows}
    assert {name for name, row in found.items() if row["verdict"] == "wrong"} == {
        "worker",
        "carrier",
        "redis",
        "public address",
    }
    assert found["database"]["verdict"] == "ok"
    assert all(row["mend"] for row in ran.rows if row["verdict"] == "wrong")


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("127.0.0.1, proxy.example.org", '"proxy.example.org" is no address and no network'),
        ("10.0.0.300", "write each as 127.0.0.1 or 172.18.0.0/16, with commas between them"),
        ("172.18.0.1/16", "the network around it is 172.18.0.0/16"),
        ("*", '"*" is no address'),
        ("0.0.0.0/0", '"0.0.0.0/0" is everybody'),
        ("::/0", '"::/0" is everybody'),
    ],
)
def test_proxies_that_cannot_be_read_are_named_with_the_mend(
    settings_env: Path, run: Run, monkeypatch: pytest.MonkeyPatch, value: str, fault: str
) -> None:
    """At the start of web and by doctor alike: what is misspelt would silently be nobody."""
    monkeypatch.setenv("AFTERCARE_TRUSTED_PROXIES", value)
    started, asked = run("web"), run("doctor")
    assert (started.code, asked.code) == (2, 1)
    for said in (started.err, asked.out):
        assert "AFTERCARE_TRUSTED_PROXIES: " in said
        assert fault in said


def test_doctor_asks_for_the_proxy_that_ends_tls(
    clinic: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An https address stands behind one; a note, since texts go without its name."""
    proxies = "AFTERCARE_TRUSTED_PROXIES"

    def told() -> list[tuple[str, bool]]:
        rows = [row for row in run("doctor", "--json").rows if row["check"] == "proxy"]
        return [(row["verdict"], proxies in row["mend"]) for row in rows]

    assert told() == []
    monkeypatch.setenv("PUBLIC_URL", "https://127.0.0.1:9")
    assert told() == [("note", True)]
    monkeypatch.setenv(proxies, "172.18.0.1, 10.0.0.0/24")
    assert told() == [("ok", False)]
    assert "believed of 172.18.0.1, 10.0.0.0/24" in run("doctor").out


def test_doctor_finds_an_armed_crashpoint(
    clinic: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test's variable in a real installation would kill its worker."""
    monkeypatch.setenv("AFTERCARE_CRASH_AT", "send.after_intent")
    found = {row["check"]: row["verdict"] for row in run("doctor", "--json").rows}
    assert found["AFTERCARE_CRASH_AT"] == "wrong"


@pytest.mark.parametrize("process", ["worker", "beat", "web"])
def test_health_of_what_does_not_run_is_1(clinic: Path, run: Run, process: str) -> None:
    """Compose restarts on it."""
    ran = run("health", process)
    assert (ran.code, ran.out) == (1, "")


def test_a_fault_of_the_program_is_told_without_its_words() -> None:
    """The words of an exception may name a patient; its kind and its place do not."""
    with pytest.raises(KeyError) as caught:
        {}["+12125550121"]
    said = errors.unforeseen(caught.value)
    assert "KeyError" in said
    assert "test_failures.py:" in said
    assert "0121" not in said


def test_a_reader_that_leaves_is_no_fault(clinic: Path) -> None:
    """`aftercare messages --json | head -1` says nothing on standard error."""
    done = subprocess.run(
        f"{sys.executable} -m cli.main protocols show dosing-visit | head -1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stderr, done.stdout.count("\n")) == ("", 1)
