"""Which clinics a file may be about."""

from records import clinics
from worker.intake.patients import KnownClinic
from worker.intake.table import near
from worker.refusal import RefusedError
from worker.services import Services


def clinics_meant(services: Services, key: str | None) -> list[KnownClinic]:
    """Return the clinic with this key, or all. Raises RefusedError where there is none."""
    with services.database.transaction() as session:
        everyone = clinics.all_clinics(session)
        if key is not None and key not in {row.key for row in everyone}:
            keys = [row.key for row in everyone]
            raise RefusedError(f'There is no clinic "{key}"; {near(key, keys)}')
        return [
            KnownClinic(id=row.id, key=row.key, file=row.file)
            for row in everyone
            if key in {None, row.key} and row.can_be_read
        ]
