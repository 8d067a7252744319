"""How far a clinic's set-up has come, as its rows tell."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What there is of each: whoever decides, a page taken, a change unsigned, an answer, a record.

    `answered`: a patient, or staff as one, has answered from a number that we texted.
    """

    clinician: bool
    page_taken: bool
    unsigned: bool
    answered: bool
    patient: bool


_PROGRESS = text("""
    SELECT
      EXISTS (SELECT 1 FROM staff WHERE clinic_id = :clinic AND role = 'clinician'
              AND disabled_at IS NULL) AS clinician,
      EXISTS (SELECT 1 FROM page WHERE clinic_id = :clinic AND kind = 'test'
              AND acknowledged_at IS NOT NULL) AS page_taken,
      EXISTS (SELECT 1 FROM proposal WHERE clinic_id = :clinic
              AND closed_at IS NULL) AS unsigned,
      EXISTS (SELECT 1 FROM patient WHERE clinic_id = :clinic
              AND proved_at IS NOT NULL) AS answered,
      EXISTS (SELECT 1 FROM patient WHERE clinic_id = :clinic) AS patient
""")


def progress(session: Session, clinic_id: UUID) -> Progress:
    """Return how far a clinic has come."""
    row = session.execute(_PROGRESS, {"clinic": clinic_id}).mappings().one()
    return Progress(**row)
