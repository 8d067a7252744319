"""A publish that is killed: nobody is half on one version, and running it again completes it.

Nor is a visit forgotten when it is killed, or a clinic's file that was applied: the workers go on.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert

from records.base import new_id
from records.enrollments import Enrollment
from schedules.loader import shipped_files
from tests.support.world import CLINIC, NUMBER, World, make_patients, make_visits
from worker import dispatch, matching

_PATIENTS = 320
DAILY = shipped_files()["daily-check-in.yaml"]
DOSING = shipped_files()["dosing-visit.yaml"]


@pytest.fixture
def crowd(world: World) -> World:
    """More patients than a batch holds, each with two weeks of check-ins."""
    world.publish_protocols()
    with world.database.transaction() as session:
        people = make_patients(session, world.vault, world.clinic_id, _PATIENTS)
        rows: list[dict[str, Any]] = [
            {
                "id": new_id(),
                "clinic_id": world.clinic_id,
                "patient_id": one,
                "protocol": "daily-check-in",
                "anchor_day": world.now.date(),
                "created_at": world.now,
                "plan_requested_at": func.clock_timestamp(),
            }
            for one in people
        ]
        session.execute(insert(Enrollment).values(rows))
    world.plan()
    return world


def _environment(world: World, **more: str) -> dict[str, str]:
    values = world.settings.model_dump(by_alias=True)
    plain = {
        name: values[name].get_secret_value()
        if hasattr(values[name], "get_secret_value")
        else str(values[name])
        for name in (
            "DATABASE_URL",
            "REDIS_URL",
            "PUBLIC_URL",
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_API_URL",
            "AFTERCARE_SECRET_KEY",
            "AFTERCARE_CLOCK_OFFSET",
        )
    }
    keys = ",".join(one.get_secret_value() for one in values["AFTERCARE_ENCRYPTION_KEYS"])
    return {**os.environ, **plain, "AFTERCARE_ENCRYPTION_KEYS": keys, **more}


def _publish(world: World, file: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return _protocols(world, "publish", str(file), "--yes", **more)


def _protocols(world: World, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return _command(world, "protocols", *words, **more)


def _command(world: World, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        env=_environment(world, **more),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def _versions(world: World) -> Counter[tuple[int, ...]]:
    """Count the patients by the set of versions that their unsent texts follow."""
    rows = world.execute(
        "SELECT array_agg(DISTINCT protocol_number) FROM message"
        " WHERE status = 'planned' GROUP BY patient_id"
    )
    return Counter(tuple(row[0]) for row in rows)


@pytest.mark.parametrize(
    "place", ["publish.before_commit", "publish.after_commit", "plan.before_commit:2"]
)
def test_a_killed_publish_leaves_whole_patients_and_is_completed(
    crowd: World, tmp_path: Path, place: str
) -> None:
    """By kill -9 before the version, after it, and in the middle of the patients."""
    file = tmp_path / "daily.yaml"
    file.write_text(DAILY.replace("at 17:00 or", "at 16:00 or"))
    texts = sorted((one.enrollment_id, one.step, one.occurrence) for one in crowd.texts())
    killed = _publish(crowd, file, AFTERCARE_CRASH_AT=place)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    between = _versions(crowd)
    assert set(between) <= {(1,), (2,)}
    assert sum(between.values()) == _PATIENTS
    if place.startswith("plan"):
        assert set(between) == {(1,), (2,)}
        told = _protocols(crowd, "history", "daily-check-in").stderr
        assert f"Version 2 is in force, and {between[1,]} patients are not planned by it" in told
        assert "aftercare protocols rollback daily-check-in --to 2" in told
    done = _publish(crowd, file)
    assert done.returncode == 0, done.stderr
    if place != "publish.before_commit":
        assert f"already; {between[1,]} patients were brought up to it now" in done.stdout
    assert _versions(crowd) == {(2,): _PATIENTS}
    assert sorted((one.enrollment_id, one.step, one.occurrence) for one in crowd.texts()) == texts
    hours = {one.due_at.hour for one in crowd.texts() if one.status == "planned"}
    assert hours == {21}
    assert crowd.execute("SELECT max(number) FROM protocol_version")[0][0] == 2


@pytest.fixture
def unmatched(world: World) -> World:
    """A clinic with published protocols, and a coming visit for which nobody is enrolled yet."""
    world.publish_protocols()
    person = world.admit()
    starts = world.now + timedelta(days=9)
    with world.database.transaction() as session:
        make_visits(session, world.vault, world.clinic_id, [person], starts)
    return world


def _reminded(world: World) -> set[str]:
    """Do what a worker's tick says, and return of which steps texts are planned."""
    assert ("match",) in dispatch.find_work(world.services, by_beat=False)
    assert matching.run(world.services)["began"] > 0
    assert matching.run(world.services) == {}
    world.plan()
    return {each.step for each in world.texts() if each.status == "planned"}


def test_visits_of_a_version_whose_publish_was_killed_are_reminded_of(
    unmatched: World, tmp_path: Path
) -> None:
    """By kill -9 between the version and the visits that it is for; nobody publishes again."""
    file = tmp_path / "dosing.yaml"
    file.write_text(DOSING.replace("title: Dosing visit", "title: Injection", 1))
    killed = _publish(unmatched, file, AFTERCARE_CRASH_AT="publish.after_commit")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert unmatched.execute("SELECT max(number) FROM protocol_version")[0][0] == 2
    assert unmatched.execute("SELECT count(*) FROM enrollment")[0][0] == 0
    assert "visit_48h" in _reminded(unmatched)


def test_visits_of_a_file_whose_apply_was_killed_are_reminded_of(
    unmatched: World, tmp_path: Path
) -> None:
    """By kill -9 between the clinic's file and the visits that its protocols are for."""
    file = tmp_path / "clinic.yaml"
    file.write_text(CLINIC.format(key="riverside", number=NUMBER, opens="09:00", closes="19:00"))
    words = ("clinic", "apply", str(file), "--yes")
    killed = _command(unmatched, *words, AFTERCARE_CRASH_AT="apply.after_commit")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert unmatched.execute("SELECT version FROM clinic")[0][0] > 1
    assert unmatched.execute("SELECT count(*) FROM enrollment")[0][0] == 0
    assert "visit_48h" in _reminded(unmatched)
