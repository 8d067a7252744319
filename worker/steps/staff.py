"""Who signs in, who is away, who has left: open items go back to the queue with them."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher

from records import audit, clinics, followups, intake
from records.base import Session, new_id
from records.clinics import Staff, StaffAbsence
from worker.refusal import RefusedError
from worker.services import Services

#: NIST SP 800-63B asks for at least 8; without a second factor 15, which nobody types at 02:00.
SHORTEST_PASSWORD = 10
_A_DAY = timedelta(days=1)
# When an absence begins and ends.
_Span = tuple[datetime, datetime]
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Role(StrEnum):
    """What somebody may do in the console: a crisis is ended by a clinician only (care rule 10)."""

    COORDINATOR = "coordinator"
    CLINICIAN = "clinician"
    ADMIN = "admin"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What an absence or a disabling did: for how many clinics, and how many items returned.

    `was_until`: the last day that was noted before, where an absence is now shorter.
    """

    clinics: int
    returned: int
    was_until: date | None = None


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

    From the first day on it takes the place of an absence that it meets. Open items return to the
    queue now if the first day has come, else on it. Raises RefusedError.
    """
    if last < first:
        raise RefusedError("The last day lies before the first.")
    with services.database.transaction() as session:
        members = _members(session, email)
        returned, was_until = 0, last
        for member in members:
            zone = clinics.by_id(session, member.clinic_id).file.zone
            starts_at, ends_at = _midnight(first, zone), _midnight(last + _A_DAY, zone)
            if ends_at <= services.now:
                raise RefusedError("Those days have passed already.")
            met = _note_absence(session, member, starts_at, ends_at)
            if starts_at <= services.now:
                # Of somebody away already all from before is back, and the rest they took since.
                standing = [each for each in met if each[0] <= services.now < each[1]]
                since = min((each[0] for each in standing), default=None)
                returned += _return_items(session, services, member, actor, before=since)
            was_until = max([was_until, *(_last_day(each, zone) for each in met)])
            details = {"from": first.isoformat(), "to": last.isoformat()}
            _record(session, services, member, actor, "staff.away", details)
        shorter = was_until if was_until > last else None
        return Leaving(clinics=len(members), returned=returned, was_until=shorter)


def _note_absence(
    session: Session, member: Staff, starts_at: datetime, ends_at: datetime
) -> list[_Span]:
    """Note an absence, and return those that it meets or follows on: with them it becomes one.

    One absence has one beginning, and what is taken after it stays with whoever is away.
    """
    noted = intake.absences_of(session, member.id, since=starts_at, until=ends_at)
    met = [(each.starts_at, each.ends_at) for each in noted]
    for each in noted:
        session.delete(each)
    begins_at = min([starts_at, *(each[0] for each in met)])
    session.add(
        StaffAbsence(
            clinic_id=member.clinic_id, staff_id=member.id, starts_at=begins_at, ends_at=ends_at
        )
    )
    return met


def back(services: Services, *, email: str, first: date | None, actor: str) -> int:
    """End the absence in which a day lies (clinic's calendar), from that day on; None: from now.

    Other absences stay as they are, and so does what went back to the queue. Returns for how many
    clinics. Raises RefusedError where nobody is away then.
    """
    with services.database.transaction() as session:
        ended, noted = 0, list[tuple[date, date]]()
        for member in _members(session, email):
            zone = clinics.by_id(session, member.clinic_id).file.zone
            at = services.now if first is None else _midnight(first, zone)
            noted += _days(session, member, services.now)
            if _end_absence(session, member, at):
                ended += 1
                details = {"from": at.astimezone(zone).date().isoformat()}
                _record(session, services, member, actor, "staff.back", details)
        if not ended:
            known = ", ".join(f"{days[0]} to {days[1]}" for days in noted) or "no absence"
            raise RefusedError(
                f"They are not away then. Noted: {known}. Give a day of it as --from."
            )
        return ended


def _end_absence(session: Session, member: Staff, at: datetime) -> bool:
    """End what covers this instant, and say whether anything did; what begins then is no more."""
    noted = intake.absences_of(session, member.id, since=at)
    covering = [each for each in noted if each.starts_at <= at < each.ends_at]
    for each in covering:
        if each.starts_at == at:
            session.delete(each)
        else:
            each.ends_at = at
    return bool(covering)


def away_days(services: Services, *, email: str) -> list[tuple[date, date]]:
    """Return the first and last day of each absence that somebody is not back from.

    Raises RefusedError.
    """
    with services.database.transaction() as session:
        return [
            days
            for member in _members(session, email)
            for days in _days(session, member, services.now)
        ]


def _days(session: Session, member: Staff, now: datetime) -> list[tuple[date, date]]:
    zone = clinics.by_id(session, member.clinic_id).file.zone
    return [
        (each.starts_at.astimezone(zone).date(), _last_day((each.starts_at, each.ends_at), zone))
        for each in intake.absences_of(session, member.id, since=now)
        if each.ends_at > now
    ]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _last_day(span: _Span, zone: ZoneInfo) -> date:
    return (span[1].astimezone(zone) - timedelta.resolution).date()


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
