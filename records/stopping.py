"""A stop is a stop: what ends, at once, everything unsent for a number or a patient.

Rows claimed by a worker end too; the intent's compare-and-set then finds nothing to send.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
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

# When it was proved counts for the number that the patient has now.
_RECIPIENT = text("""
    SELECT m.clinic_id, m.recipient_blind AS blind, m.submitted_at,
           CASE WHEN p.phone_blind = m.recipient_blind THEN p.proved_at END AS proved_at
    FROM message m LEFT JOIN patient p ON p.id = m.patient_id AND p.clinic_id = m.clinic_id
    WHERE m.id = :id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The number a text went to, when it went, and when that number was proved last."""

    clinic_id: UUID
    blind: bytes
    submitted_at: datetime | None
    proved_at: datetime | None


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


def recipient_of(session: Session, message_id: UUID) -> Recipient:
    """Return the number that this message went to; the message must exist."""
    row = session.execute(_RECIPIENT, {"id": message_id}).mappings().one()
    return Recipient(**row)


def stop_recipient(
    session: Session, to: Recipient, *, reason: str, occurred_at: datetime, now: datetime
) -> None:
    """Remember that this recipient must not be texted; cancel what is unsent.

    A stop that stands already keeps its reason: the carrier refuses what the patient has stopped,
    and START must go on to lift that.
    """
    number: dict[str, Any] = {"clinic_id": to.clinic_id, "blind": to.blind}
    patients.opt_out(session, **number, reason=reason, occurred_at=occurred_at)
    told = "number_suspended" if reason.startswith(patients.SUSPENDED) else "stopped"
    cancel_unsent_of_number(session, **number, reason=told, now=now)
