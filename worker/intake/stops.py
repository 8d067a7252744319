"""A stop goes with the patient: whoever stopped texts on the old number has on the new one too."""

from datetime import datetime

from records import conversation, patients
from records.base import Session
from records.patients import Patient


def take_along(
    session: Session,
    person: Patient,
    old_number: bytes,
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Stop the patient's new number as the old one was.

    What a keyword took away on the old number it takes away on the new one: their START from there
    gives that back, and would else give back nothing.
    """
    patients.opt_out(
        session,
        clinic_id=person.clinic_id,
        blind=person.phone_blind,
        reason=reason,
        occurred_at=now,
    )
    taken = conversation.last_keyword_revocation(session, person.id, old_number)
    if taken is not None:
        patients.record_consent(
            session,
            person,
            action="revoke",
            purposes=taken.purposes,
            method=taken.method,
            actor=actor,
            occurred_at=now,
        )
