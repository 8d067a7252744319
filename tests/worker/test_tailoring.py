"""What one patient wants otherwise: from their row in the file to the texts that go."""

from datetime import time, timedelta

import pytest

from records import patients
from records.patients import Patient
from tests.support.world import World, phone_of
from worker.steps import people

HEADER = (
    "patient_id,clinic,first_name,phone,language,timezone,"
    "consent_method,consented_at,consent_purposes"
)
ROBIN = (
    "P0,riverside,Robin,+12125550120,en,America/New_York,"
    "form,2026-01-01T00:00-05:00,visits;check_ins;health_questions"
)


@pytest.fixture
def clinic(world: World) -> World:
    """The world with its protocols published and one patient, P0, who follows the check-in."""
    world.publish_protocols()
    world.enroll_by_hand()
    return world


def _import(world: World, columns: str, cells: str) -> list[str]:
    content = f"{HEADER},{columns}\n{ROBIN},{cells}".encode()
    report = people.import_patients(world.services, content, actor="test")
    return [fault.reason for fault in report.faults]


def _person(world: World) -> Patient:
    with world.database.transaction() as session:
        [person] = patients.find(session, world.vault, "P0")
        return person


def test_safe_hours_move_the_texts_and_hold_them_at_the_claim(clinic: World) -> None:
    """Planned within them, and a text that was delayed beyond them is not sent after all."""
    assert _import(clinic, "safe_hours", "10:00-12:00") == []
    assert (_person(clinic).safe_from, _person(clinic).safe_until) == (time(10), time(12))
    clinic.plan()
    hours = {text.due_at.hour for text in clinic.texts() if text.status == "planned"}
    assert hours == {16}  # 11:59 in New York.
    clinic.due(patient={"safe_from": time(8), "safe_until": time(9, 30)})
    clinic.send()
    [waits] = [text for text in clinic.texts() if text.step == "visit-7d"]
    assert waits.attempts == 0


@pytest.mark.parametrize("cell", ["mornings", "18:00-09:00"])
def test_safe_hours_are_a_span_of_a_day(clinic: World, cell: str) -> None:
    """What can't be read is refused: ignoring it would text at unsafe hours."""
    [reason] = _import(clinic, "safe_hours", cell)
    assert "09:00-17:00" in reason


def test_a_step_is_switched_off_by_the_patients_row(clinic: World) -> None:
    """And on again by an empty cell."""
    _import(clinic, "steps_off", "visit_7d;daily-check-in/daily_0_10")
    clinic.plan()
    assert {text.reason for text in clinic.texts()} == {"step_off"}
    _import(clinic, "steps_off", "")
    clinic.plan()
    assert {text.status for text in clinic.texts()} == {"planned"}


def test_a_shared_phone_is_asked_for_numbers_only_by_leave(clinic: World) -> None:
    """Care rule 22."""
    _import(clinic, "phone_shared,shared_opt_in", "yes,")
    clinic.plan()
    assert {text.reason for text in clinic.texts()} == {"phone_shared"}
    _import(clinic, "phone_shared,shared_opt_in", "yes,yes")
    clinic.plan()
    assert {text.status for text in clinic.texts()} == {"planned"}


def test_the_second_patient_on_a_number_waits_for_staff(clinic: World) -> None:
    """Care rule 22: the first goes on as before; a closed record no longer holds the number."""
    second = clinic.enroll_by_hand(phone=phone_of(0))
    clinic.plan()
    mine = [text for text in clinic.texts() if text.patient_id == second]
    assert {(text.status, text.reason) for text in mine} == {("skipped", "number_taken")}
    others = [text for text in clinic.texts() if text.patient_id != second]
    assert {text.status for text in others} == {"planned"}
    clinic.execute("UPDATE patient SET status = 'closed' WHERE id <> :id", id=second)
    clinic.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
    clinic.plan()
    mine = [text for text in clinic.texts() if text.patient_id == second]
    assert {text.status for text in mine} == {"planned"}


def test_an_own_hour_is_the_patients_own(clinic: World) -> None:
    """Half past six instead of five."""
    _import(clinic, "check_in_time", "18:30")
    clinic.plan()
    local = {(text.due_at - timedelta(hours=5)).time() for text in clinic.texts()}
    assert local == {time(18, 30)}
