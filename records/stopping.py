"""A stop is a stop: what ends, at once, everything unsent for a number or a patient.

Rows claimed by a worker end too; the intent's compare-and-set then finds nothing to send.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from records import patients

_UNSENT = "m.status IN ('planned', 'claimed') AND m.priority > 0"

_CANCEL_OF_NUMBER = text(f"""
    UPDATE message m SET status = 'cancelled', reason = :reason, final_at = :now,
        claim_token = NULL, lease_until = NULL
    FROM patient p
    WHERE p.id = m.patient_id AND p.clinic_id = m.clinic_id AND p.clinic_id = :clinic
      AND p.phone_blind = :blind AND {_UNSENT}
""")

_CANCEL_OF_PATIENT = text(f"""
    UPDATE message m SET status = 'cancelled', reason = :reason, final_at = :now,
        claim_token = NULL, lease_until = NULL
    WHERE m.patient_id = :patient AND {_UNSENT}
""")

_RECIPIENT = text("SELECT clinic_id, recipient_blind FROM message WHERE id = :id")


def cancel_unsent_of_number(
    session: Session, *, clinic_id: UUID, blind: bytes, reason: str, now: datetime
) -> int:
    """Cancel every unsent text to this number in this clinic; return how many."""
    values = {"clinic": clinic_id, "blind": blind, "reason": reason, "now": now}
    return int(getattr(session.execute(_CANCEL_OF_NUMBER, values), "rowcount", 0))


def cancel_unsent_of_patient(
    session: Session, patient_id: UUID, *, reason: str, now: datetime
) -> int:
    """Cancel every unsent text to this patient; return how many."""
    values = {"patient": patient_id, "reason": reason, "now": now}
    return int(getattr(session.execute(_CANCEL_OF_PATIENT, values), "rowcount", 0))


def stop_recipient_of(session: Session, message_id: UUID, *, reason: str, now: datetime) -> None:
    """Remember that the recipient of this message must not be texted; cancel what is unsent.

    A stop that stands already keeps its reason: the carrier refuses what the patient has stopped,
    and START must go on to lift that.
    """
    row = session.execute(_RECIPIENT, {"id": message_id}).one()
    clinic_id, blind = row.clinic_id, row.recipient_blind
    patients.opt_out(session, clinic_id=clinic_id, blind=blind, reason=reason, occurred_at=now)
    told = "number_suspended" if reason.startswith(patients.SUSPENDED) else "stopped"
    cancel_unsent_of_number(session, clinic_id=clinic_id, blind=blind, reason=told, now=now)
