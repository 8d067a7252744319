"""What a clinic's audit trail says of a patient, whichever step did it."""

from collections.abc import Mapping

from records import audit
from records.base import Session
from records.patients import Patient
from worker.services import Services


def note(
    session: Session,
    services: Services,
    person: Patient,
    actor: str,
    action: str,
    details: Mapping[str, object],
) -> None:
    """Add to the trail of a patient's clinic that somebody did something about them."""
    audit.record(
        session,
        services.vault,
        clinic_id=person.clinic_id,
        now=services.now,
        actor=actor,
        action=action,
        subject=f"patient:{person.id}",
        details=details,
    )
