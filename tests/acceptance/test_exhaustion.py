"""A worker that may open no more files: it recovers, or it dies and its rows are found."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.acceptance.conftest import Make
from tests.acceptance.house import Installation
from tests.acceptance.rows import rows
from tests.support.processes import RunningProcess

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("prlimit") is None, reason="only Linux can do this"),
    pytest.mark.skipif(not os.environ.get("AFTERCARE_LONG"), reason="AFTERCARE_LONG=1 runs it"),
]


def _limit(process: RunningProcess, files: int | str) -> None:
    command = ["prlimit", "--pid", str(process.pid), f"--nofile={files}:"]
    subprocess.run(command, check=True, capture_output=True)


def _open_files(process: RunningProcess) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def test_a_worker_without_file_descriptors_loses_and_doubles_nothing(make: Make) -> None:
    """Every new connection fails amid a burst; then there is room again."""
    house = make()
    with rows(house) as oak:
        [_, worker, _] = house.start("web", "worker", "beat")
        [first] = oak.due(1)
        house.wait_for_texts(1, first)
        soft, _hard = psutil.Process(worker.pid).rlimit(psutil.RLIMIT_NOFILE)
        house.carrier.fault("latency", ms=300)
        _limit(worker, _open_files(worker) + 1)
        phones = oak.due(300)
        # The carrier listens and is well: no socket for it could be made here.
        refused = "SELECT count(*) FROM message_history WHERE reason = 'connect'"
        house.wait_for(
            lambda: "Too many open files" in worker.output or house.ask(refused)[0][0] > 0,
            "connections that could not be made",
            40,
        )
        house.carrier.heal()
        if worker.code is None:
            _limit(worker, soft)
        else:
            house.start("worker")
        _all_went_once(house, [first, *phones])


def _all_went_once(house: Installation, phones: list[str]) -> None:
    lapse = "UPDATE message SET lease_until = now() WHERE status = 'claimed'"

    def all_there() -> bool:
        house.do(f"{lapse} AND lease_until < now() + interval '45 s'")
        return len(house.carrier.texts_by_number()) == len(phones)

    house.wait_for(all_there, "all texts", 90)
    house.wait_for(
        lambda: house.statuses().keys() <= {"accepted", "sent", "delivered"}, "an end for each", 60
    )
    assert house.carrier.texts_by_number() == dict.fromkeys(phones, 1)
