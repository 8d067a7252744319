"""Who signs in, who is away, who has left: open items go back to the queue with them."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from argon2 import PasswordHasher

from records import audit, clinics, followups, intake
from records.base import Session, new_id
from records.clinics import Staff, StaffAbsence
from worker.refusal import RefusedError
from worker.services import Services

#: NIST SP 800-63B asks for at least 8; without a second factor 15, which nobody types at 02:00.
SHORTEST_PASSWORD = 10
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Role(StrEnum):
    """What somebody may do in the console: a crisis is ended by a clinician only (care rule 10)."""

    COORDINATOR = "coordinator"
    CLINICIAN = "clinician"
    ADMIN = "admin"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What an absence or a disabling did: for how many clinics, and how many items returned."""

    clinics: int
    returned: int


def add(
    services: Services, clinic_id: UUID, *, email: str, role: Role, password: str, actor: str
) -> UUID:
    """Add somebody who may sign in; one who was disabled comes back with this role and password.

    Raises RefusedError for an address in use, or one or a password that can't be.
    """
    address = email.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise RefusedError("That is no e-mail address. Write it as sam@clinic.example.")
    if len(password) < SHORTEST_PASSWORD:
        raise RefusedError(f"The password is too short. Use at least {SHORTEST_PASSWORD} letters.")
    hashed = PasswordHasher().hash(password)
    with services.database.transaction() as session:
        intake.take_turn(session, f"staff:{clinic_id}")
        member = intake.staff_member(session, clinic_id, address)
        if member is not None and member.disabled_at is None:
            raise RefusedError(
                "Somebody with this address works at this clinic already. To change their role or "
                "password: `aftercare staff disable EMAIL`, then `aftercare staff add EMAIL`."
            )
        if member is None:
            member = Staff(id=new_id(), clinic_id=clinic_id, email=address, session_epoch=1)
            session.add(member)
        else:
            member.session_epoch += 1
        member.role, member.password_hash, member.disabled_at = role.value, hashed, None
        session.flush()
        _record(session, services, member, actor, "staff.added", {"role": role.value})
        return member.id


def away(services: Services, *, email: str, first: date, last: date, actor: str) -> Leaving:
    """Note that somebody is away on these days (clinic's calendar, both included).

    Open items return to the queue now if the first day has come, else on it. Raises RefusedError.
    """
    if last < first:
        raise RefusedError("The last day lies before the first.")
    with services.database.transaction() as session:
        members = _members(session, email)
        returned = 0
        for member in members:
            zone = clinics.by_id(session, member.clinic_id).file.zone
            starts_at = datetime.combine(first, time(), zone)
            ends_at = datetime.combine(last + timedelta(days=1), time(), zone)
            if ends_at <= services.now:
                raise RefusedError("Those days have passed already.")
            session.add(
                StaffAbsence(
                    clinic_id=member.clinic_id,
                    staff_id=member.id,
                    starts_at=starts_at,
                    ends_at=ends_at,
                )
            )
            if starts_at <= services.now:
                returned += _return_items(session, services, member, actor)
            details = {"from": first.isoformat(), "to": last.isoformat()}
            _record(session, services, member, actor, "staff.away", details)
        return Leaving(clinics=len(members), returned=returned)


def return_items_of_absent(services: Services) -> Counter[str]:
    """Give back to the queue what is with somebody whose absence has begun (care rule 13).

    What they take while they are away stays theirs.
    """
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        for member, since in intake.away_with_items(session, now=services.now):
            counts["returned"] += _return_items(session, services, member, "system", before=since)
    return +counts


def disable(services: Services, *, email: str, actor: str) -> Leaving:
    """End somebody's access at once, in every clinic; open items return to the queue.

    Raises RefusedError.
    """
    with services.database.transaction() as session:
        members = _members(session, email)
        returned = 0
        for member in members:
            member.disabled_at = services.now
            # Cookies given before stop working.
            member.session_epoch += 1
            returned += _return_items(session, services, member, actor)
            _record(session, services, member, actor, "staff.disabled", {})
        return Leaving(clinics=len(members), returned=returned)


def _members(session: Session, email: str) -> list[Staff]:
    found = [
        member for member in clinics.staff_by_email(session, email) if member.disabled_at is None
    ]
    if not found:
        raise RefusedError("Nobody with this address signs in here. Check the address.")
    return found


def _return_items(
    session: Session,
    services: Services,
    member: Staff,
    actor: str,
    *,
    before: datetime | None = None,
) -> int:
    items = followups.return_to_queue(session, member.id, now=services.now, before=before)
    for item in items:
        followups.tell(
            session, item.clinic_id, item.id, at=services.now, actor=actor, action="returned"
        )
    return len(items)


def _record(
    session: Session,
    services: Services,
    member: Staff,
    actor: str,
    action: str,
    details: dict[str, str],
) -> None:
    audit.record(
        session,
        services.vault,
        clinic_id=member.clinic_id,
        now=services.now,
        actor=actor,
        action=action,
        subject=f"staff:{member.id}",
        details=details,
    )
