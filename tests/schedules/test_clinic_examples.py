"""The sample files: loadable, fictitious, and near enough to `now` to be seen at work."""

import csv
import importlib.util
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.clinic import read_clinic
from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    PatientFacts,
    PlannedText,
    VisitStatus,
)
from schedules.loader import shipped
from schedules.planner import plan_patient

EXAMPLES = Path(__file__).parents[2] / "examples"
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=NEW_YORK)

REQUIRED = {
    "patients": "patient_id clinic first_name phone language timezone consent_method consented_at "
    "consent_purposes",
    "appointments": "appointment_id patient_id kind route starts_at ends_at status location",
}
OPTIONAL = {
    "patients": "consent_version sms_risk_ack substances quit_date check_in_time phone_shared "
    "voicemail_ok safe_hours emergency_contact care_team birth_date status",
    "appointments": "provider modality join_link setting dose_number",
}


def script() -> ModuleType:
    """The generator, which lies beside its data and in no package."""
    spec = importlib.util.spec_from_file_location("make_examples", EXAMPLES / "make_examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = script()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def built(name: str, now: datetime = NOW) -> list[dict[str, str]]:
    return rows(MAKE.build(now, NEW_YORK)[f"{name}.csv"])


def sources(name: str) -> list[list[dict[str, str]]]:
    """The generated and the committed sample."""
    committed = (EXAMPLES / f"sample_{name}.csv").read_text(encoding="utf-8")
    return [built(name), rows(committed)]


@pytest.mark.parametrize("name", ["patients", "appointments"])
def test_the_columns_are_those_of_the_contract(name):
    """Every required column, in order, and no unknown one."""
    required, optional = REQUIRED[name].split(), OPTIONAL[name].split()
    for sample in sources(name):
        columns = list(sample[0])
        assert columns[: len(required)] == required
        assert set(columns[len(required) :]) <= set(optional)
        assert all(None not in row and None not in row.values() for row in sample)


def test_every_number_is_fictitious_and_stands_once():
    """555-0101 to 555-0139, apart from the clinic's own numbers."""
    clinic = read_clinic(
        (EXAMPLES / "clinic.yaml").read_text(encoding="utf-8"), "clinic.yaml", sandbox=True
    )
    taken = {clinic.phone, *clinic.heard_numbers, *(person.phone for person in clinic.on_call)}
    phones = [row["phone"] for sample in sources("patients") for row in sample]
    assert len(set(phones)) == len(phones)
    assert not taken & set(phones)
    assert all(re.fullmatch(r"\+1212555013\d|\+121255501[0-2]\d", phone) for phone in phones)


def test_patients_live_all_over_the_country_and_read_two_languages():
    """Seven zones, both languages, and each visit belongs to a patient."""
    patients = built("patients")
    assert {row["language"] for row in patients} == {"en", "es"}
    assert {row["timezone"].rpartition("/")[2] for row in patients} == {
        "New_York",
        "Chicago",
        "Denver",
        "Phoenix",
        "Los_Angeles",
        "Anchorage",
        "Honolulu",
    }
    known = {row["patient_id"] for row in patients}
    for name in ("appointments", "enrollments"):
        assert {row["patient_id"] for row in built(name)} <= known
    visits = {row["appointment_id"] for row in built("appointments")}
    assert {row["appointment_id"] for row in built("events")} <= visits


def test_visits_of_every_kind_route_and_status_are_there():
    """What the contract names is shown."""
    visits = built("appointments")
    assert {row["kind"] for row in visits} == {"assessment", "dosing", "integration", "followup"}
    assert {row["route"] for row in visits} == {"iv", "im", "lozenge", ""}
    assert {row["status"] for row in visits} == {
        "booked",
        "checked_out",
        "fulfilled",
        "cancelled",
        "no_show",
    }
    assert [row["dose"] for row in built("events")] == ["given", "given"]


@settings(max_examples=40, deadline=None)
@given(seconds=st.integers(0, 365 * 86_400))
def test_texts_of_every_kind_are_due_soon_after_any_now(seconds):
    """48 h, 24 h and 2 h before a visit each lie between 25 s and 145 s ahead."""
    now = datetime(2026, 11, 23, 15, tzinfo=UTC) + timedelta(seconds=seconds)
    soon = set()
    for visit in built("appointments", now):
        starts = datetime.fromisoformat(visit["starts_at"])
        for hours in (48, 24, 2):
            ahead = starts - timedelta(hours=hours) - now
            if timedelta(seconds=25) <= ahead <= timedelta(seconds=145):
                soon.add((visit["kind"], hours))
    assert soon >= {
        ("assessment", 48),
        ("dosing", 48),
        ("dosing", 24),
        ("dosing", 2),
        ("integration", 24),
        ("integration", 2),
    }


def planned(now: datetime) -> list[PlannedText]:
    """What the planner makes of the sample with the shipped protocols, imported at `now`."""
    clinic = read_clinic(
        (EXAMPLES / "clinic.yaml").read_text(encoding="utf-8"), "clinic.yaml", sandbox=True
    )
    facts = ClinicFacts(zone=clinic.zone, window=clinic.window(), staffed=clinic.staffed())
    texts: list[PlannedText] = []
    for person in built("patients", now):
        visits = [v for v in built("appointments", now) if v["patient_id"] == person["patient_id"]]
        enrolled = [e for e in built("enrollments", now) if e["patient_id"] == person["patient_id"]]
        texts += plan_patient(
            [*_by_visit(visits, now), *_by_hand(enrolled, now)],
            PatientFacts(
                id=person["patient_id"],
                language=person["language"],
                zone=ZoneInfo(person["timezone"]),
                purposes=frozenset(person["consent_purposes"].split(";")),
                check_in_time=(
                    time.fromisoformat(person["check_in_time"]) if person["check_in_time"] else None
                ),
            ),
            facts,
            now=now,
            appointments=[_visit(visit, now) for visit in visits],
        )
    return texts


def _visit(row: dict[str, str], now: datetime) -> AppointmentFacts:
    return AppointmentFacts(
        id=row["appointment_id"],
        kind=row["kind"],
        route=row["route"] or None,
        setting=row["setting"],
        modality=row["modality"],
        starts_at=datetime.fromisoformat(row["starts_at"]),
        ends_at=datetime.fromisoformat(row["ends_at"]),
        status=VisitStatus(row["status"]),
        booked_at=now,
        checked_out_at=(
            datetime.fromisoformat(row["ends_at"]) if row["status"] == "checked_out" else None
        ),
        dose=Dose.GIVEN if row["status"] == "checked_out" else None,
    )


def _by_visit(visits: list[dict[str, str]], now: datetime) -> Iterator[EnrollmentFacts]:
    for visit in visits:
        for protocol in shipped().values():
            meant = protocol.visits
            if meant and meant.matches(visit["kind"], visit["route"] or None, visit["setting"]):
                yield EnrollmentFacts(
                    id=f"{protocol.id}/{visit['appointment_id']}",
                    protocol=protocol,
                    enrolled_at=now,
                    appointment=_visit(visit, now),
                )


def _by_hand(rows_: list[dict[str, str]], now: datetime) -> Iterator[EnrollmentFacts]:
    for row in rows_:
        yield EnrollmentFacts(
            id=f"{row['protocol']}/{row['patient_id']}",
            protocol=shipped()[row["protocol"]],
            enrolled_at=now,
            anchor_day=date.fromisoformat(row["on"]),
        )


@pytest.mark.parametrize(
    "day", ["2026-11-23", "2026-11-26", "2026-11-28", "2026-12-24", "2027-03-13", "2026-10-31"]
)
def test_the_shipped_protocols_send_one_of_everything_within_two_minutes(day):
    """On a weekday, a holiday, a weekend and before both clock changes."""
    now = datetime.fromisoformat(f"{day}T09:59:30").replace(tzinfo=NEW_YORK)
    texts = planned(now)
    going = {
        text.template
        for text in texts
        if text.skip_reason is None and text.due_at <= now + timedelta(seconds=150)
    }
    assert going >= {
        "assess_48h",
        "visit_7d",
        "visit_48h",
        "visit_24h_prep",
        "visit_2h_ride",
        "followup_24h",
        "followup_2h",
        "daily_0_10",
    }
    evening = [text for text in texts if text.template == "after_evening"]
    assert [text.due_at.astimezone(NEW_YORK).hour for text in evening if not text.skip_reason] == [
        17
    ]


def test_check_ins_are_due_in_the_same_minute_where_the_patient_lives():
    """The chosen hour is the patient's own clock, in New York and Chicago."""
    hours = {row["patient_id"]: row["check_in_time"] for row in built("patients")}
    enrolled = [row["patient_id"] for row in built("enrollments")]
    assert [hours[patient_id] for patient_id in enrolled] == ["09:01", "10:01", "10:01"]


def test_every_visit_ends_after_it_starts_on_a_whole_minute():
    """Also over a clock change, and in the committed sample with its far-off dates."""
    for sample in [
        *sources("appointments"),
        built("appointments", datetime(2027, 3, 13, 15, 0, 30, tzinfo=UTC)),
    ]:
        for visit in sample:
            starts, ends = (datetime.fromisoformat(visit[k]) for k in ("starts_at", "ends_at"))
            assert starts < ends
            assert starts.second == 0


def test_the_script_writes_its_files_and_names_them(tmp_path):
    """The command that `make demo` runs."""
    run = subprocess.run(
        [sys.executable, EXAMPLES / "make_examples.py", tmp_path / "new", "--now", NOW.isoformat()],
        capture_output=True,
        text=True,
        check=True,
    )
    names = [Path(line).name for line in run.stdout.splitlines()]
    assert names == ["patients.csv", "appointments.csv", "events.csv", "enrollments.csv"]
    written = (tmp_path / "new" / "patients.csv").read_text(encoding="utf-8")
    assert rows(written) == built("patients")
