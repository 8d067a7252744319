"""`python -m sandbox` as a process: it says where it is, serves, and goes when told."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox.__main__ import _parser, config_from
from sandbox.config import DEFAULT_ACCOUNT, DEFAULT_TOKEN, Keywords

ROOT = Path(__file__).parents[2]


@contextmanager
def _running(*options):
    command = [sys.executable, "-m", "sandbox", "--port", "0", *options]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_serves_and_ends(tmp_path, ending):
    """The line names address and account; on a signal the log is written and the exit is 0."""
    path = tmp_path / "log.jsonl"
    with _running("--log", str(path), "--no-callbacks") as (process, ready):
        assert ready["url"] == f"http://127.0.0.1:{ready['port']}"
        answer = requests.post(
            f"{ready['url']}/2010-04-01/Accounts/{ready['account']}/Messages.json",
            data={"To": "+12125550123", "From": "+12125550110", "Body": "x"},
            auth=(DEFAULT_ACCOUNT, DEFAULT_TOKEN),
            timeout=10,
        )
        process.send_signal(ending)
        assert process.wait(10) == 0
        assert process.communicate() == ("", "")
    assert json.loads(path.read_text())["sid"] == answer.json()["sid"]


def test_a_killed_sandbox_loses_at_most_50_ms_of_its_log(tmp_path):
    """What was logged 50 ms before a SIGKILL is on the disk."""
    path = tmp_path / "log.jsonl"
    with _running("--log", str(path)) as (process, ready):
        requests.post(
            f"{ready['url']}/2010-04-01/Accounts/{ready['account']}/Messages.json",
            data={"To": "+12125550123", "From": "+12125550110", "Body": "x"},
            auth=(DEFAULT_ACCOUNT, DEFAULT_TOKEN),
            timeout=10,
        )
        requests.get(f"{ready['url']}/sandbox/idle", timeout=10)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert json.loads(path.read_text().splitlines()[0])["kind"] == "create"


def test_a_taken_port_is_said(unused_port):
    """Exit 1 and a sentence, no traceback."""
    with _running() as (_, ready):
        second = subprocess.run(
            [sys.executable, "-m", "sandbox", "--port", str(ready["port"])],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert second.returncode == 1
    assert f"cannot start on port {ready['port']}" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_options_make_the_configuration():
    """Accounts, services, addresses and switches arrive where they belong."""
    service = "MG" + "0" * 32
    config = config_from(
        _parser().parse_args(
            [
                "--account",
                "AC1:secret",
                "--service",
                f"{service}=+12125550110,+12125550111",
                "--inbound-url",
                "http://127.0.0.1:8000/twilio/inbound#rc=3&rp=all",
                "--inbound",
                "+12125550112=http://127.0.0.1:8000/other",
                "--keywords",
                "app",
                "--speed",
                "10",
            ]
        )
    )
    assert config.accounts == {"AC1": "secret"}
    assert config.services == {service: ("+12125550110", "+12125550111")}
    assert config.inbound_address("+12125550112", None) == "http://127.0.0.1:8000/other"
    assert config.keywords is Keywords.APP
    assert config.delays.delivered == pytest.approx(0.05)


@pytest.mark.parametrize(
    "options",
    [
        ["--account", "nobody"],
        ["--service", "MG1"],
        ["--default-number", "12"],
        ["--inbound-url", "nowhere"],
        ["--inbound", "nowhere"],
    ],
)
def test_bad_options_exit_2(options, capsys):
    """argparse says what is wrong."""
    with pytest.raises(SystemExit) as caught:
        _parser().parse_args(options)
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err
