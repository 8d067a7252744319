"""A clinic's lead as the owner of what protocols and care rules leave to them.

`lead` in the clinic's file is a person on the ladder; an item's owner is somebody who signs in.
They are one where the e-mail addresses are the same, in whatever case.
"""

from datetime import datetime
from uuid import UUID

from records import clinics, intake
from records.base import Session
from records.clinics import Staff
from worker.presence import MAY_ACT


def account_of_lead(session: Session, clinic_id: UUID, *, now: datetime) -> Staff | None:
    """Return the clinic's lead as somebody who signs in.

    None where they can't have an item now: the file names no lead or no address of theirs, nobody
    with it signs in, or they have left, are away, or may only look. The item is then everybody's.
    """
    lead = clinics.by_id(session, clinic_id).file.lead
    if lead is None or lead.email is None:
        return None
    for member in clinics.staff_by_email(session, lead.email):
        able = member.disabled_at is None and member.role in MAY_ACT
        if member.clinic_id == clinic_id and able:
            return None if clinics.is_away(session, member.id, at=now) else member
    return None


def give_open_items(session: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime) -> None:
    """Make the lead the owner of what is open about a patient whose record is closed (rule 24).

    An item that somebody has stays theirs; where the lead can't have one it stays everybody's.
    """
    lead = account_of_lead(session, clinic_id, now=now)
    if lead is None:
        return
    for item in intake.open_items_of_patient(session, patient_id):
        if item.owner_id is None and item.taken_by is None:
            item.owner_id = lead.id
