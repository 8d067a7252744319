"""A clinic's file that a second person approved, for tests of what the file then does."""

from uuid import UUID

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
    if compared is not None and compared.safety:
        lee, ray = clinician(world, "lee"), clinician(world, "ray")
        approve(world, propose(world, file, lee), ray)
    return file


def propose(world: World, file: ClinicFile, by: Staff) -> UUID:
    """Propose a clinic's file as one person."""
    compared = clinicfiles.compare(world.services, file)
    assert compared is not None
    return signoff.propose(
        world.services,
        world.clinic_id,
        subject=CLINIC_FILE,
        source=clinicfiles.as_source(file),
        safety=compared.safety,
        base_number=None,
        base_settings=compared.seen,
        by=by,
    )


def approve(world: World, proposal: UUID, by: Staff, *languages: str) -> None:
    """Approve it as another, for these languages or for all."""
    signoff.approve(
        world.services,
        world.clinic_id,
        subject=CLINIC_FILE,
        proposal_id=proposal,
        by=by,
        languages=languages,
    )


def clinician(world: World, name: str) -> Staff:
    """Return a clinician of the world's clinic, added if there is none of the name."""
    services, clinic_id, email = world.services, world.clinic_id, f"{name}@clinic.test"
    if not world.execute("SELECT 1 FROM staff WHERE email = :email", email=email):
        role = Role.CLINICIAN
        staff.add(services, clinic_id, email=email, role=role, password=_PASSWORD, actor="test")
    return signoff.proven(services, clinic_id, email=email, password=_PASSWORD)
