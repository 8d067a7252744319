"""A clinic's file that a second person approved, for tests of what the file then does."""

from uuid import UUID

from records.clinics import Staff
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
        approve(world, file, propose(world, file, lee), ray)
    return file


def propose(world: World, file: ClinicFile, by: Staff) -> UUID:
    """Propose a clinic's file as one person."""
    return signoff.propose(world.services, world.clinic_id, _wanted(world, file), by=by)


def approve(
    world: World, file: ClinicFile, proposal: UUID, by: Staff, *languages: str
) -> signoff.Standing:
    """Approve it as another, for these languages or for all."""
    return signoff.approve(
        world.services,
        world.clinic_id,
        _wanted(world, file),
        proposal_id=proposal,
        by=by,
        languages=languages,
    )


def _wanted(world: World, file: ClinicFile) -> signoff.Wanted:
    compared = clinicfiles.compare(world.services, file)
    assert compared is not None
    return compared.wanted


def clinician(world: World, name: str) -> Staff:
    """Return a clinician of the world's clinic, added if there is none of the name."""
    services, clinic_id, email = world.services, world.clinic_id, f"{name}@clinic.test"
    if not world.execute("SELECT 1 FROM staff WHERE email = :email", email=email):
        role = Role.CLINICIAN
        staff.add(services, clinic_id, email=email, role=role, password=_PASSWORD, actor="test")
    return signoff.proven(services, clinic_id, email=email, password=_PASSWORD)
