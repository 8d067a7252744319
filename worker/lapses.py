"""A lapse that was told before a dose becomes a clinician's, in time for the dose.

`open_follow_ups` asks when the item opens, the rounds ask again each minute: a dose may be booked
or moved while the item stands, its owner may go away, and the hours left may run out.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from records import appointments, clinics, followups, pages
from records.base import Session
from records.casework import staff_by_id, staff_of
from records.clinics import Clinic, Staff
from records.followups import FollowUp
from schedules import ladder, roster
from schedules.clinic import ClinicFile
from schedules.clinic_parts import key_of
from schedules.followups import LAPSES, WantedFollowUp
from schedules.lapses import DoseAhead, before_dose
from schedules.staffing import Severity
from worker import presence
from worker.presence import MAY_DECIDE
from worker.services import Services

SYSTEM = "system"
#: What the story of an item says when it became a clinician's by itself.
TO_CLINICIAN = "assigned:clinician"


def in_time(
    session: Session, clinic_id: UUID, patient_id: UUID, wanted: WantedFollowUp, now: datetime
) -> tuple[WantedFollowUp, datetime | None]:
    """Return a wanted item with the clock that a dose ahead asks for, and that dose's start.

    What goes to the digest alone, such as a count of cigarettes, decides about no dose.
    """
    about_lapse = not LAPSES.isdisjoint({wanted.reason, *wanted.also})
    if not about_lapse or wanted.severity is Severity.DIGEST:
        return wanted, None
    starts_at = appointments.next_dose(session, patient_id, now=now)
    if starts_at is None:
        return wanted, None
    file = clinics.by_id(session, clinic_id).file
    severity, due_at = before_dose(
        wanted.severity,
        wanted.due_at,
        dose=_dose(file, starts_at),
        now=now,
        staffed=file.staffed(),
    )
    return replace(wanted, severity=severity, due_at=due_at), starts_at


def _dose(file: ClinicFile, starts_at: datetime) -> DoseAhead:
    # The longest fast of any route: too early is no harm here.
    fasting = timedelta(hours=file.fasting.hours(None)[0])
    return DoseAhead(starts_at=starts_at, food_at=starts_at - fasting)


def give_to_clinician(session: Session, item: FollowUp, *, now: datetime) -> bool:
    """Make a clinician its owner where none has it; return whether that changed anything.

    With no clinician there, it stays whose it is, or everybody's: `aftercare doctor` tells of it.
    """
    if item.taken_by is not None:
        return False  # Somebody on call who has no sign-in, and whom the clinic put on its ladder.
    owner = staff_by_id(session, item.owner_id) if item.owner_id else None
    if owner is not None and owner.role in MAY_DECIDE:
        return False
    found = clinician_for(session, clinics.by_id(session, item.clinic_id), at=item.due_at, now=now)
    if found is None:
        return False
    item.owner_id = found.id
    if item.status == "acknowledged":
        # Who had it can't decide this: it is the clinician's to acknowledge.
        item.status, item.acknowledged_at = "open", None
        pages.close_of_item(session, item.id, now=now)
        followups.page_anew(item, now)
    followups.tell(session, item.clinic_id, item.id, at=now, actor=SYSTEM, action=TO_CLINICIAN)
    return True


def clinician_for(session: Session, clinic: Clinic, *, at: datetime, now: datetime) -> Staff | None:
    """Return the clinician who is to decide: one who is there now and when the item is due.

    Whoever is on duty then comes first, then others on the ladder, who have a phone, then by
    address.
    """
    absent = presence.absent_at(session, clinic.id, at)
    duty = [one.key for one in ladder.on_duty(clinic.file, at, absent)]
    known = [ladder.person_of(one).key for one in roster.contacts(clinic.file)]
    order = list(dict.fromkeys([*duty, *known]))
    here = [
        staff
        for staff in staff_of(session, clinic.id)
        if staff.role == "clinician"
        and staff.email.lower() not in absent.away
        and not clinics.is_away(session, staff.id, at=now)
    ]

    def place(staff: Staff) -> tuple[int, str]:
        key = key_of(staff.email, "")
        return order.index(key) if key in order else len(order), key

    return min(here, key=place, default=None)


def look_again(session: Session, services: Services, clinic: Clinic) -> int:
    """Bring each open item about a lapse up to what the patient's next dose asks for now."""
    now = services.now
    found = followups.lapses_before_doses(
        session, clinic.id, [str(reason) for reason in LAPSES], now=now
    )
    return sum(_look_again(session, clinic.file, each, start, now) for each, start in found)


def _look_again(
    session: Session, file: ClinicFile, item_id: UUID, starts_at: datetime | None, now: datetime
) -> bool:
    item = followups.by_id(session, item_id)
    if item is None or item.status == "resolved":
        return False
    changed = item.dose_at != starts_at
    item.dose_at = starts_at
    if starts_at is None:
        return changed
    changed |= give_to_clinician(session, item, now=now)
    if item.snoozed_until is None or item.snoozed_until <= now:
        changed |= _hasten(item, file, _dose(file, starts_at), now)
    return changed


def _hasten(item: FollowUp, file: ClinicFile, dose: DoseAhead, now: datetime) -> bool:
    """Give the item the clock it needs by now; one that runs is never put back."""
    before = Severity(item.severity)
    severity, due_at = before_dose(before, item.due_at, dose=dose, now=now, staffed=file.staffed())
    if (severity, due_at) == (before, item.due_at):
        return False
    if severity is Severity.PAGE_NOW and before is not Severity.PAGE_NOW:
        item.severity, item.due_at = severity.value, min(item.due_at, due_at)
        followups.page_anew(item, now)
        return True
    if item.status == "acknowledged" or due_at >= item.due_at:
        return False
    item.severity, item.due_at = severity.value, due_at
    followups.page_anew(item, now)
    return True
