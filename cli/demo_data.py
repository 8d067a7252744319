"""The demo's sample clinic: the example files, brought in by the steps behind the public commands.

examples/make_examples.py -> .state/examples/*.csv -> clinic apply, import, event, enroll, staff
"""

import csv
import secrets
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from cli.errors import CommandError
from cli.session import the_patient, the_visit
from schedules.clinic import ClinicFile, read_clinic
from schedules.facts import Dose, VisitStatus
from worker.refusal import RefusedError
from worker.services import Services
from worker.signoff import NeedsApprovalError
from worker.steps import clinics as clinic_step
from worker.steps import events, people, staff, visits

EXAMPLES = Path(__file__).parent.parent / "examples"
EMAIL = "kim@clinic.test"
_ACTOR = "cli:demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The files written for this morning. `names` and `numbers` go by the patients' ids."""

    folder: Path
    names: Mapping[str, str]
    numbers: Mapping[str, str]
    visits: int


def sample_clinic() -> ClinicFile:
    """Return the sample clinic's file. Raises CommandError without a checkout around us."""
    path = EXAMPLES / "clinic.yaml"
    if not path.exists():
        raise CommandError(f"{path} is missing. The demo runs in a checkout of the repository.")
    return read_clinic(path.read_text("utf-8"), str(path), sandbox=True)


def write_sample(folder: Path, now: datetime) -> Sample:
    """Write the example files around `now` (aware) into `folder`."""
    made = subprocess.run(
        [sys.executable, EXAMPLES / "make_examples.py", folder, "--now", now.isoformat()],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise CommandError(f"The examples could not be made:\n{made.stderr}")
    rows = _rows(folder / "patients.csv")
    return Sample(
        folder=folder,
        names={row["patient_id"]: row["first_name"] for row in rows},
        numbers={row["patient_id"]: row["phone"] for row in rows},
        visits=len(_rows(folder / "appointments.csv")),
    )


def bring_in(services: Services, sample: Sample, password: str) -> None:
    """Bring the sample in; what is there already stays, and its visits move to this morning."""
    try:
        clinic = clinic_step.apply(services, sample_clinic(), actor=_ACTOR)
    except NeedsApprovalError as error:
        raise CommandError(
            "The sample clinic's safety content has changed since this data was made, and no "
            "clinician here approves it. Start over with `make demo RESET=1`."
        ) from error
    if clinic.created:
        report = people.import_patients(
            services, (sample.folder / "patients.csv").read_bytes(), actor=_ACTOR
        )
        _refuse_faults(report.faults)
    # Quiet: the sample's dates follow the clock, which is no news to tell anybody.
    report = visits.import_appointments(
        services, (sample.folder / "appointments.csv").read_bytes(), actor=_ACTOR, quiet=True
    )
    _refuse_faults(report.faults)
    _record_events(services, sample)
    _enroll(services, sample)
    # Kim has been there since the first run, with the password kept then.
    with suppress(RefusedError):
        staff.add(
            services,
            clinic.clinic_id,
            email=EMAIL,
            role=staff.Role.CLINICIAN,
            password=password,
            actor=_ACTOR,
        )


def new_password() -> str:
    """Return a password that can be read aloud and typed."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(3))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _refuse_faults(faults: object) -> None:
    if faults:
        raise CommandError(f"The examples have faults: {faults}")


def _record_events(services: Services, sample: Sample) -> None:
    for row in _rows(sample.folder / "events.csv"):
        events.record_event(
            services,
            the_visit(services, row["appointment_id"]),
            VisitStatus(row["event"]),
            at=datetime.fromisoformat(row["at"]),
            dose=Dose(row["dose"]),
            actor=_ACTOR,
        )


def _enroll(services: Services, sample: Sample) -> None:
    for row in _rows(sample.folder / "enrollments.csv"):
        patient = the_patient(services, row["patient_id"])
        # Since an earlier run they may follow it already.
        with suppress(RefusedError):
            visits.enroll(
                services,
                patient.id,
                row["protocol"],
                on=date.fromisoformat(row["on"]),
                actor=_ACTOR,
            )
