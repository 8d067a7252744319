"""A visit whose route changed once its food text had gone: a fast that became longer is told.

The text is not sent twice for one start, so that a person calls, before food must end by the new
route (care rule 2). A fast that became shorter harms nobody.
"""

from datetime import datetime, timedelta

from records import intake
from records.appointments import Appointment
from records.base import Session
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, wanted
from worker.opening import open_follow_ups


def tell_if_longer(
    session: Session, visit: Appointment, was: str | None, file: ClinicFile, *, now: datetime
) -> None:
    """Open a call where the food text that a patient had names a fast too short for the route."""
    ahead = visit.kind == "dosing" and visit.status == "booked" and visit.starts_at > now
    if not ahead or visit.route == was:
        return
    told, needed = file.fasting.hours(was), file.fasting.hours(visit.route)
    if needed[0] <= told[0] and needed[1] <= told[1]:
        return
    if not intake.was_told_of_food(session, visit.id, visit.starts_at):
        return
    item = wanted(
        FollowUpReason.INSTRUCTION_NOT_DELIVERED,
        now=now,
        staffed=file.staffed(),
        before=visit.starts_at - timedelta(hours=needed[0]),
        about=f"{visit.id}:{visit.route}",
    )
    open_follow_ups(
        session,
        visit.clinic_id,
        visit.patient_id,
        [item],
        source_kind="appointment",
        source_id=visit.id,
        now=now,
    )
