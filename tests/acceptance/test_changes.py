"""What changes before or after a text went: a visit moves, is cancelled, a patient stops."""

import re
from datetime import datetime, timedelta

import pytest

from tests.acceptance.conftest import Make
from tests.acceptance.house import MORNING, Installation, patient, phone_of, visit

# Ten processes on a loaded machine take their time.
pytestmark = pytest.mark.timeout(240)

SOON = MORNING + timedelta(hours=46)


def _steps(house: Installation, number: int) -> dict[tuple[str, int], tuple[str, str | None]]:
    """Return the status and the reason of each text of a visit, by step and round."""
    rows = house.ask(
        "SELECT m.step, m.round, m.status, m.reason FROM message m "
        "JOIN appointment a ON a.id = m.appointment_id WHERE a.external_id = %s",
        f"V{number}",
    )
    return {(step, round_): (status, reason) for step, round_, status, reason in rows}


def _said_to(house: Installation, number: str) -> list[str]:
    return [entry["body"] for entry in house.carrier.seen("create", to=number)]


def _hour(body: str) -> str:
    found = re.search(r"\w+ Dec 3 at \d+ AM", body)
    return found[0] if found else ""


def _at_rest(house: Installation, number: int) -> bool:
    statuses = {status for status, _ in _steps(house, number).values()}
    return statuses <= {"delivered", "skipped", "cancelled"}


def _dosing(number: int, starts_at: datetime, **more: str) -> dict[str, str]:
    return visit(number, starts_at, kind="dosing", route="iv", **more)


def test_a_moved_visit_is_reminded_anew_and_a_cancelled_one_is_not(make: Make) -> None:
    """Both after the first reminder went; what was planned for the old time goes with it."""
    house = make()
    moving, cancelled = phone_of(1), phone_of(2)
    visits = [_dosing(1, SOON), _dosing(2, SOON)]
    house.import_files([patient(1), patient(2)], visits, clinic=True)
    house.start("web", "worker", "beat")
    house.wait_for_texts(1, moving)
    house.wait_for_texts(1, cancelled)
    house.wait_for(lambda: house.statuses()["delivered"] == 2, "two receipts")
    assert _steps(house, 1)["visit_24h_prep", 1][0] == "planned"

    later = SOON + timedelta(hours=1)
    house.import_files(visits=[_dosing(1, later), _dosing(2, SOON, status="cancelled")])
    house.wait_for(lambda: _steps(house, 1).get(("visit_48h", 2), [""])[0] == "delivered", "anew")
    house.wait_for(
        lambda: _steps(house, 2)["visit_24h_prep", 1][1] == "visit_cancelled", "no further text"
    )
    # The same file again changes nothing, and nothing of the cancelled visit is left to go.
    house.import_files(visits=[_dosing(1, later)])
    house.wait_for(lambda: _at_rest(house, 2), "an end for each text of the cancelled visit")
    reminders = [
        body for body in _said_to(house, moving) if "Anything new with your health" in body
    ]
    assert [_hour(body) for body in reminders] == ["Thu Dec 3 at 8 AM", "Thu Dec 3 at 9 AM"]
    [reminder, *news] = _said_to(house, cancelled)
    assert "Anything new with your health" in reminder
    assert all("will not take place" in body for body in news)
    assert all(len(set(said)) == len(said) for said in (_said_to(house, moving), news))


def test_a_stop_ends_texts_that_a_worker_has_already_claimed(make: Make) -> None:
    """The carrier is slow, so that half of a chunk is claimed and waits for its turn."""
    house = make()
    people = [patient(number) for number in range(128)]
    visits = [visit(number, SOON) for number in range(128)]
    house.import_files(people, visits, clinic=True)
    house.start("web")
    house.carrier.fault("latency", ms=4000)
    house.start("worker", "beat", AFTERCARE_REQUESTS_IN_FLIGHT="64")
    house.wait_for(lambda: house.statuses()["submitting"] == 64, "64 texts on their way")
    [(claimed, _)] = house.ask(
        "SELECT a.external_id, m.status FROM message m JOIN appointment a "
        "ON a.id = m.appointment_id WHERE m.status = 'claimed' LIMIT 1"
    )
    number = phone_of(int(claimed.removeprefix("V")))

    house.carrier.write(number, "STOP")

    assert _steps(house, int(claimed.removeprefix("V"))) == {
        ("assess_48h", 1): ("cancelled", "stopped")
    }
    house.carrier.heal()
    house.wait_for(lambda: sum(house.carrier.texts_by_number().values()) == 127, "all others")
    house.wait_for(lambda: house.statuses()["delivered"] == 127, "their receipts")
    assert number not in house.carrier.texts_by_number()
    assert set(house.carrier.texts_by_number().values()) == {1}
