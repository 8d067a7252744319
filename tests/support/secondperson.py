"""A clinic's file that a second person approved, for tests of what the file then does."""

from records.clinics import Staff
from records.publishing import CLINIC_FILE
from schedules.clinic import ClinicFile
from tests.support.world import World
from worker import clinicfiles, signoff
from worker.steps import staff
from worker.steps.staff import Role

_PASSWORD = "a long enough password"


def approved(world: World, file: ClinicFile) -> ClinicFile:
    """Have one clinician propose a file and another approve it; return it, to be applied."""
    compared = clinicfiles.compare(world.services, file)
    if compared is None or not compared.safety:
        return file
    lee, ray = _clinician(world, "lee"), _clinician(world, "ray")
    proposal = signoff.propose(
        world.services,
        world.clinic_id,
        subject=CLINIC_FILE,
        source=clinicfiles.as_source(file),
        safety=compared.safety,
        base_number=None,
        base_settings=compared.seen,
        by=lee,
    )
    signoff.approve(
        world.services, world.clinic_id, subject=CLINIC_FILE, proposal_id=proposal, by=ray
    )
    return file


def _clinician(world: World, name: str) -> Staff:
    email = f"{name}@clinic.test"
    known = world.execute("SELECT 1 FROM staff WHERE email = :email", email=email)
    if not known:
        staff.add(
            world.services,
            world.clinic_id,
            email=email,
            role=Role.CLINICIAN,
            password=_PASSWORD,
            actor="test",
        )
    return signoff.proven(world.services, world.clinic_id, email=email, password=_PASSWORD)
