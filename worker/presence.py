"""Who of a clinic's staff is there at an instant: the roster, less who is away or has left."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from records import pages
from records.base import Session
from records.casework import staff_of
from schedules.clinic_parts import key_of
from schedules.ladder import Absent, Person

#: Roles that can do something about an item.
MAY_ACT = frozenset({"coordinator", "clinician", "admin"})
#: Whose decision it is whether a dose is given after a lapse, and how a crisis ends.
MAY_DECIDE = frozenset({"clinician"})
_AN_INSTANT = timedelta(microseconds=1)


def absent_at(session: Session, clinic_id: UUID, at: datetime) -> Absent:
    """Return who of a clinic's staff is away at an instant, and who has left."""
    away = pages.absences(session, clinic_id, since=at, until=at + _AN_INSTANT)
    return Absent(
        away=frozenset(key for key, _, _ in away), gone=pages.staff_gone(session, clinic_id)
    )


def desk_of(session: Session, clinic_id: UUID, *, roles: Collection[str] = MAY_ACT) -> list[Person]:
    """Return a clinic's console users with one of these roles."""
    return [
        Person(key=key_of(each.email, ""), name=each.email, email=each.email)
        for each in staff_of(session, clinic_id)
        if each.role in roles
    ]
