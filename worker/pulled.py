"""How far patients' texts are surely stored: what a question's silence has to wait for.

worker.steps.receive pull() -> progress -> here -> worker.steps.checkins
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from records import clinics, progress
from records.base import Session
from worker.replying import hearing
from worker.services import Services

# A pull that is older than this may have missed what a patient wrote.
_PULL_AGE = timedelta(minutes=5)
_NEVER = datetime.min.replace(tzinfo=UTC)


def clinics_out_of_reach(services: Services) -> list[UUID]:
    """Return clinics whose texts may lie at the carrier unread; their questions wait a while."""
    with services.database.transaction() as session:
        behind = _pulled_through(session, services)
    oldest = services.now - _PULL_AGE
    return [clinic for clinic, through in behind.items() if through < oldest]


def _pulled_through(session: Session, services: Services) -> dict[UUID, datetime]:
    """Return up to when each clinic's inbound texts are surely stored, where pulls run.

    Where they do, a number that was never read to its end holds its clinic back like any other.
    """
    through: dict[UUID, datetime] = {}
    ran = False
    for clinic_id, number in clinics.heard_numbers(session):
        kept = progress.details(session, hearing.cursor_name(services, number)).get("through")
        at = datetime.fromisoformat(kept) if kept else _NEVER
        through[clinic_id] = min(at, through.get(clinic_id, at))
        ran = ran or bool(kept)
    return through if ran else {}
