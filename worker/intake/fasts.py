"""A fast that became longer once its food text had gone: by another route, or other hours.

The text is not sent twice for one start, so that a person calls, before food must end as it is now
(care rule 2). A fast that became shorter harms nobody.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from records import intake
from records.appointments import Appointment
from records.base import Session
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, wanted
from worker.opening import open_follow_ups

_Hours = tuple[float, float]


def tell_if_longer(
    session: Session, visit: Appointment, was: str | None, file: ClinicFile, *, now: datetime
) -> None:
    """Open a call where the food text that a patient had names a fast too short for the route."""
    ahead = visit.kind == "dosing" and visit.status == "booked" and visit.starts_at > now
    if not ahead or visit.route == was:
        return
    told, needed = file.fasting.hours(was), file.fasting.hours(visit.route)
    if _longer(told, needed) and intake.was_told_of_food(session, visit.id, visit.starts_at):
        _call(session, visit, needed, file, now=now)


def told_shorter(
    session: Session, clinic_id: UUID, before: ClinicFile, after: ClinicFile, *, now: datetime
) -> list[Appointment]:
    """Return the doses ahead of whose fast a text went, and for which `after` asks a longer one."""
    if before.fasting == after.fasting:
        return []
    return [
        visit
        for visit in intake.all_told_of_food(session, clinic_id, now=now)
        if _longer(before.fasting.hours(visit.route), after.fasting.hours(visit.route))
    ]


def tell_all(
    session: Session, visits: Sequence[Appointment], file: ClinicFile, *, now: datetime
) -> None:
    """Open a call about each of these visits."""
    for visit in visits:
        _call(session, visit, file.fasting.hours(visit.route), file, now=now)


def _longer(told: _Hours, needed: _Hours) -> bool:
    return needed[0] > told[0] or needed[1] > told[1]


def _call(
    session: Session, visit: Appointment, needed: _Hours, file: ClinicFile, *, now: datetime
) -> None:
    item = wanted(
        FollowUpReason.INSTRUCTION_NOT_DELIVERED,
        now=now,
        staffed=file.staffed(),
        before=visit.starts_at - timedelta(hours=needed[0]),
        about=f"{visit.id}:{visit.route}:{needed[0]:g}/{needed[1]:g}",
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
