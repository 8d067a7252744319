"""Who signs in and as what, who is away, who has left: open items return to the queue with them."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from records import audit, clinics, followups, intake
from records.base import Session, new_id
from records.clinics import Staff, StaffAbsence
from schedules.clinic import ClinicFile
from schedules.clinic_parts import key_of
from schedules.followups import SAFETY
from worker import passwords
from worker.presence import MAY_ACT, MAY_DECIDE, desk_of
from worker.refusal import RefusedError
from worker.services import Services

_A_DAY = timedelta(days=1)
# When an absence begins and ends.
_Span = tuple[datetime, datetime]
# RFC 5321; the sign-in form takes no longer one.
_LONGEST_ADDRESS = 254
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

    `was_until`: the last day that was noted before, where an absence is now shorter. `bare`: the
    clinics, by key, that have no clinician any more.
    """

    clinics: int
    returned: int
    was_until: date | None = None
    bare: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody of a clinic's staff as a list shows them; `away` are first and last days."""

    id: UUID
    clinic: str
    email: str
    role: str
    status: Literal["here", "away", "disabled"]
    away: tuple[tuple[date, date], ...]
    added_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRole:
    """What another role did, and what it left behind; nothing where it was theirs already.

    `undecided`: items that stay with them and that only a clinician ends. `named_as`: where the
    clinic's file has them paged all the same. `bare`: whether the clinic has no clinician any more.
    """

    clinic: str
    before: Role
    returned: int = 0
    undecided: tuple[UUID, ...] = ()
    named_as: tuple[str, ...] = ()
    bare: bool = False


def add(
    services: Services, clinic_id: UUID, *, email: str, role: Role, password: str, actor: str
) -> UUID:
    """Add somebody who may sign in; one who was disabled comes back with this role and password.

    Raises RefusedError for an address in use, or one or a password that can't be.
    """
    address = email.strip().lower()
    if len(address) > _LONGEST_ADDRESS or not _EMAIL.fullmatch(address):
        raise RefusedError("That is no e-mail address. Write it as sam@clinic.example.")
    hashed = passwords.hash_password(password)
    with services.database.transaction() as session:
        intake.take_turn(session, f"staff:{clinic_id}")
        member = intake.staff_member(session, clinic_id, address)
        if member is not None and member.disabled_at is None:
            raise RefusedError(
                "Somebody with this address works at this clinic already. To change their role or "
                "password: `aftercare staff role EMAIL ROLE`, `aftercare staff password EMAIL`."
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


def listed(services: Services, clinic_id: UUID | None = None) -> list[Member]:
    """Return the staff of a clinic, or of all, by address; also whose access has ended."""
    with services.database.transaction() as session:
        found, everybody = [], intake.everybody(session, clinic_id)
        ids = [each.id for each in everybody]
        absences = intake.absences_of_all(session, ids, since=services.now)
        for each in everybody:
            clinic = clinics.by_id(session, each.clinic_id)
            noted = absences.get(each.id, [])
            zone = clinic.file_if_any.zone if clinic.file_if_any else ZoneInfo("UTC")
            is_away = any(one.starts_at <= services.now < one.ends_at for one in noted)
            gone = each.disabled_at is not None
            found.append(
                Member(
                    id=each.id,
                    clinic=clinic.key,
                    email=each.email,
                    role=each.role,
                    status="disabled" if gone else "away" if is_away else "here",
                    away=tuple(_day_span(one, zone) for one in noted if one.ends_at > services.now),
                    added_at=each.created_at,
                    disabled_at=each.disabled_at,
                )
            )
        return found


def set_password(
    services: Services, *, email: str, password: str, clinic_id: UUID | None, actor: str
) -> tuple[list[str], list[str]]:
    """Give somebody a new password, at one clinic or (None) wherever they work.

    All their sessions end, at other clinics too: whoever knew the old password is out. Returns the
    keys of the clinics with the new password, and of those with the old. Raises RefusedError.
    """
    hashed = passwords.hash_password(password)
    changed, kept = list[str](), list[str]()
    with services.database.transaction() as session:
        _members(session, email, clinic_id)
        for member in _members(session, email):
            member.session_epoch += 1
            new = clinic_id in {None, member.clinic_id}
            if new:
                member.password_hash = hashed
            (changed if new else kept).append(clinics.by_id(session, member.clinic_id).key)
            action = "staff.password_changed" if new else "staff.signed_out"
            _record(session, services, member, actor, action, {})
    return changed, kept


def set_role(
    services: Services, *, email: str, role: Role, clinic_id: UUID | None, actor: str
) -> NewRole:
    """Give somebody another role at a clinic; None: at the only one where they work.

    It holds from their next request on, since a session asks for the role each time: nobody is
    signed out. What the new role may not have returns to the queue. Raises RefusedError.
    """
    with services.database.transaction() as session:
        member = _only_member(session, email, clinic_id)
        clinic, before = clinics.by_id(session, member.clinic_id), Role(member.role)
        if before is role:
            return NewRole(clinic=clinic.key, before=before)
        member.role = role.value
        _record(session, services, member, actor, "staff.role_changed", _from_to(before, role))
        session.flush()
        if not (_lost(MAY_ACT, before, role) or _lost(MAY_DECIDE, before, role)):
            return NewRole(clinic=clinic.key, before=before)
        returned = _return_items(
            session, services, member, actor, lapses_alone=not _lost(MAY_ACT, before, role)
        )
        return NewRole(
            clinic=clinic.key,
            before=before,
            returned=returned,
            undecided=tuple(followups.left_with(session, member.id, SAFETY)),
            named_as=_named_as(clinic.file_if_any, member.email),
            bare=_is_bare(session, member, before),
        )


def _lost(may: Collection[str], before: Role, after: Role) -> bool:
    return before in may and after not in may


def _from_to(before: Role, after: Role) -> dict[str, str]:
    return {"from": before.value, "to": after.value}


def _named_as(file: ClinicFile | None, email: str) -> tuple[str, ...]:
    """Return under which keys of a clinic's file somebody is paged or phones."""
    if file is None:
        return ()
    places = {
        "on_call": file.on_call,
        "lead": (file.lead,),
        "closed_day_caller": (file.closed_day_caller,),
    }
    mine = key_of(email, "")
    return tuple(
        name for name, people in places.items() if any(one and one.key == mine for one in people)
    )


def _is_bare(session: Session, member: Staff, before: Role) -> bool:
    """Whether the clinic of somebody who was a clinician has none any more."""
    return before in MAY_DECIDE and not desk_of(session, member.clinic_id, roles=MAY_DECIDE)


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
    noted = intake.absences_of(session, member.id, since=now)
    return [_day_span(each, zone) for each in noted if each.ends_at > now]


def _day_span(absence: StaffAbsence, zone: ZoneInfo) -> tuple[date, date]:
    """Return the first and the last day of an absence."""
    span = (absence.starts_at, absence.ends_at)
    return absence.starts_at.astimezone(zone).date(), _last_day(span, zone)


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
        returned, bare = 0, list[str]()
        for member in members:
            member.disabled_at = services.now
            # Cookies given before stop working.
            member.session_epoch += 1
            returned += _return_items(session, services, member, actor)
            _record(session, services, member, actor, "staff.disabled", {})
            session.flush()
            if _is_bare(session, member, Role(member.role)):
                bare.append(clinics.by_id(session, member.clinic_id).key)
        return Leaving(clinics=len(members), returned=returned, bare=tuple(bare))


def _members(session: Session, email: str, clinic_id: UUID | None = None) -> list[Staff]:
    """Lock and return somebody's accounts, at a clinic or at all. Raises RefusedError."""
    everything = intake.staff_members(session, email)
    found = [each for each in everything if clinic_id in {None, each.clinic_id}]
    here = [each for each in found if each.disabled_at is None]
    if here:
        return here
    if found:
        mend = "To give it anew: `aftercare staff add EMAIL --role ROLE --clinic ID`."
        raise RefusedError(f"Their access has ended. {mend}")
    where = "at this clinic" if everything else "here"
    raise RefusedError(
        f"Nobody with this address signs in {where}. Check it with `aftercare staff list`."
    )


def _only_member(session: Session, email: str, clinic_id: UUID | None) -> Staff:
    members = _members(session, email, clinic_id)
    if len(members) > 1:
        told = sorted(
            f"{clinics.by_id(session, each.clinic_id).key} as {each.role}" for each in members
        )
        raise RefusedError(f"They work at {', '.join(told)}. Say with --clinic at which.")
    return members[0]


def _return_items(
    session: Session,
    services: Services,
    member: Staff,
    actor: str,
    *,
    before: datetime | None = None,
    lapses_alone: bool = False,
) -> int:
    items = followups.return_to_queue(
        session, member.id, now=services.now, before=before, lapses_alone=lapses_alone
    )
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
