"""Who is paged when: the ladder an item climbs until somebody acknowledges it and ends it.

Pure: an item's clocks, the clinic's file and who is away go in; whom to page now and the one next
clock come out. The paging step asks for each item whose clock has come, and again after every
page, so that an item that is not resolved always has a next clock. Times between rungs are time
that passes, whatever the clocks on the wall do; times of day are the clinic's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from schedules import lapses
from schedules.clinic import AfterHours, ClinicFile, Contact
from schedules.staffing import PAGE_MINUTES_AFTER_HOURS, PAGE_MINUTES_STAFFED, Severity
from schedules.windows import first_instant

#: How long a rung is given before the next one is paged (the clinical brief, section 4; judgement).
FIRST_WAIT_STAFFED = timedelta(minutes=PAGE_MINUTES_STAFFED)
FIRST_WAIT_AFTER_HOURS = timedelta(minutes=PAGE_MINUTES_AFTER_HOURS)
RUNG_WAIT = timedelta(minutes=10)
#: Care rule 10: a page that was taken and has no outcome is paged to its owner again after this.
OUTCOME_WAIT = timedelta(minutes=30)
#: What was to be called today climbs in longer steps, in staffed hours only.
CALL_RUNG_WAIT = timedelta(minutes=30)
#: Where nobody has looked at the next business day's items by then, the lead hears of it.
LEAD_HEARS_AT = time(16)
#: Care rule 11: when nobody has acknowledged by then, the patient is told so, once.
NO_ACKNOWLEDGEMENT = timedelta(minutes=20)
_A_MINUTE = timedelta(minutes=1)


class Channel(StrEnum):
    """A way to reach staff."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    WEBHOOK = "webhook"


class Why(StrEnum):
    """Why somebody is paged."""

    OPENED = "opened"
    CLIMBED = "climbed"
    JOINED = "joined"
    NO_OUTCOME = "no_outcome"
    DUE = "due"
    CLOSED = "closed"
    NOBODY = "nobody"


#: What each severity is paged by. Only what can't wait rings a phone at night.
CHANNELS = {
    Severity.PAGE_NOW: frozenset(Channel),
    Severity.CALL_TODAY: frozenset({Channel.SMS, Channel.EMAIL, Channel.WEBHOOK}),
    Severity.NEXT_BUSINESS_DAY: frozenset({Channel.EMAIL}),
    Severity.DIGEST: frozenset({Channel.EMAIL}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be paged. `key` is their e-mail address in lower case, or their name."""

    key: str
    name: str = field(compare=False)
    phone: str | None = field(default=None, repr=False, compare=False)
    email: str | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Keys of those who are away now, and of those whose access has ended."""

    away: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """An item's clocks.

    A run of pages begins at `run_at`: when the item opened, was joined by a new safety text, was
    handed over, or stood without an outcome. `rung` counts the rungs paged in this run, and
    `acknowledged_at` is when this run was acknowledged. `owner` is who has the item. `joined`: a
    new safety text came since the last page. `silence`: it is about somebody who says nothing.
    `dose_at` is the start of a dose on which a clinician has to decide first.
    """

    severity: Severity
    due_at: datetime
    run_at: datetime
    rung: int = 0
    acknowledged_at: datetime | None = None
    owner: Person | None = None
    joined: bool = False
    silence: bool = False
    dose_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Whom to page now (perhaps nobody), and the item's next clock."""

    whom: tuple[Person, ...]
    why: Why
    next_at: datetime
    run_at: datetime
    rung: int
    acknowledged_at: datetime | None = None
    channels: frozenset[Channel] = frozenset(Channel)


Rungs = tuple[tuple[Person, ...], ...]


def person_of(contact: Contact) -> Person:
    """Return a contact of the clinic's file as somebody who can be paged."""
    return Person(
        key=contact.key,
        name=contact.name,
        phone=contact.phone,
        email=contact.email,
    )


def on_duty(file: ClinicFile, at: datetime, absent: Absent) -> tuple[Person, ...]:
    """Name who takes pages at an instant, in the file's order; nobody outside covered hours."""
    nobody_after_hours = file.after_hours is AfterHours.NONE and not file.staffed().is_staffed(at)
    if nobody_after_hours:
        return ()
    out = absent.away | absent.gone
    people = (person_of(contact) for contact in file.on_call_at(at))
    return tuple(person for person in people if person.key not in out)


def rungs(
    file: ClinicFile,
    *,
    at: datetime,
    owner: Person | None = None,
    desk: Sequence[Person] = (),
    absent: Absent | None = None,
    at_visit: bool = False,
) -> Rungs:
    """Give the ladder at an instant: the owner, who is on duty, one after the other, the lead.

    `desk` are the console's users, who stand in while staffed hours have nobody on duty, and
    `at_visit` before a visit that begins outside them. Where everybody is away those on file are
    paged all the same: somebody who is away may still act. Whose access ended is never paged.
    Empty when there is nobody at all.
    """
    absent = absent or Absent()
    out = absent.away | absent.gone
    ladder = [(person,) for person in on_duty(file, at, absent)]
    lead = person_of(file.lead) if file.lead is not None else None
    last = (lead,) if lead is not None and lead.key not in out else ()
    if not ladder:
        at_work = at_visit or file.staffed().is_staffed(at)
        here = [one for one in desk if one.key not in out] if at_work else []
        together = tuple(dict.fromkeys((*here, *last)))
        ladder = [together] if together else []
    elif last:
        ladder.append(last)
    if owner is not None and owner.key not in out:
        ladder.insert(0, (owner,))
    return _each_once(ladder) or _whoever_there_is(file, lead, desk, absent)


def _each_once(ladder: Sequence[tuple[Person, ...]]) -> Rungs:
    seen: set[str] = set()
    found = []
    for rung in ladder:
        fresh = tuple(person for person in rung if person.key not in seen)
        seen.update(person.key for person in fresh)
        if fresh:
            found.append(fresh)
    return tuple(found)


def _whoever_there_is(
    file: ClinicFile, lead: Person | None, desk: Sequence[Person], absent: Absent
) -> Rungs:
    everybody = [person_of(contact) for contact in file.on_call]
    everybody += [lead] if lead is not None else []
    left = tuple(dict.fromkeys(one for one in everybody if one.key not in absent.gone))
    left = left or tuple(one for one in desk if one.key not in absent.gone)
    return (left,) if left else ()


def turn(
    clock: Clock,
    file: ClinicFile,
    *,
    now: datetime,
    desk: Sequence[Person] = (),
    absent: Absent | None = None,
) -> Turn:
    """Say whom to page now about an item that is not resolved, and when to look again.

    The next clock is always later than `now` (UTC).
    """
    now = now.astimezone(UTC)
    absent = absent or Absent()
    match clock.severity:
        case Severity.PAGE_NOW:
            return _page(clock, file, now, desk, absent)
        case Severity.DIGEST:
            later = file.staffed().next_opening(now)
            return _wait(clock, later)
    return _when_due(clock, file, now, desk, absent)


def _wait(clock: Clock, until: datetime) -> Turn:
    return Turn(
        whom=(),
        why=Why.DUE,
        next_at=until,
        run_at=clock.run_at,
        rung=clock.rung,
        acknowledged_at=clock.acknowledged_at,
    )


# --- what can't wait ------------------------------------------------------------------------------


def _page(
    clock: Clock, file: ClinicFile, now: datetime, desk: Sequence[Person], absent: Absent
) -> Turn:
    # A run that is ahead was put off, or waits for the opening: a new text does not wait with it.
    if clock.joined and (clock.acknowledged_at is not None or clock.run_at > now):
        return _anew(clock, file, now, desk, absent, why=Why.JOINED)
    if clock.acknowledged_at is not None:
        again_at = outcome_due(clock.run_at, clock.acknowledged_at)
        if now < again_at:
            return _wait(clock, again_at)
        return _anew(clock, file, now, desk, absent, why=Why.NO_OUTCOME)
    due = fires_at(clock.run_at, clock.rung, staffed=file.staffed().is_staffed(clock.run_at))
    if clock.joined and clock.rung > 0 and now < due:
        # Whoever was paged hears of the new text; how far the climb has come does not change.
        ladder = rungs(file, at=now, owner=clock.owner, desk=desk, absent=absent)
        whom = tuple(person for rung in ladder[: clock.rung] for person in rung)
        return replace(_wait(clock, due), whom=whom, why=Why.JOINED)
    return _climb(clock, file, now, desk, absent)


def _anew(
    clock: Clock,
    file: ClinicFile,
    now: datetime,
    desk: Sequence[Person],
    absent: Absent,
    *,
    why: Why,
) -> Turn:
    """Start a run of pages: nobody has acknowledged it yet."""
    again = replace(clock, run_at=now, rung=0, acknowledged_at=None, joined=False)
    turn = _climb(again, file, now, desk, absent)
    return replace(turn, why=why) if turn.whom else turn


def outcome_due(run_at: datetime, acknowledged_at: datetime) -> datetime:
    """Give when a page that was acknowledged, and has no outcome yet, is paged again.

    Acknowledging does not stop the clock (care rule 10): every 30 minutes from the run's start an
    outcome is asked for, the first time after the acknowledgement. A run that waited for the
    opening has begun when somebody acknowledged it before.
    """
    began = min(run_at, acknowledged_at)
    passed = (acknowledged_at - began) // OUTCOME_WAIT
    return (began + OUTCOME_WAIT * (passed + 1)).astimezone(UTC)


def fires_at(run_at: datetime, rung: int, *, staffed: bool) -> datetime:
    """Give when the rung with this number (from 0) of a page's run is due."""
    if rung == 0:
        return run_at.astimezone(UTC)
    first = FIRST_WAIT_STAFFED if staffed else FIRST_WAIT_AFTER_HOURS
    return (run_at + first + RUNG_WAIT * (rung - 1)).astimezone(UTC)


def _climb(
    clock: Clock, file: ClinicFile, now: datetime, desk: Sequence[Person], absent: Absent
) -> Turn:
    hours = file.staffed()
    staffed = hours.is_staffed(clock.run_at)
    due = fires_at(clock.run_at, clock.rung, staffed=staffed)
    if now < due:
        return _wait(clock, due)
    at_visit = not hours.is_staffed(now) and lapses.rings(clock.dose_at, now)
    if not hours.is_staffed(now) and file.after_hours is AfterHours.NONE and not at_visit:
        return _closed(clock, file, now, absent)
    ladder = rungs(file, at=now, owner=clock.owner, desk=desk, absent=absent, at_visit=at_visit)
    following = fires_at(clock.run_at, clock.rung + 1, staffed=staffed)
    return Turn(
        whom=_rung(ladder, clock.rung),
        why=Why.NOBODY if not ladder else Why.OPENED if clock.rung == 0 else Why.CLIMBED,
        # After an outage of ours, one rung at a time and not all that were missed at once.
        next_at=following if following > now else now + RUNG_WAIT,
        run_at=clock.run_at,
        rung=clock.rung + 1,
    )


def _rung(ladder: Rungs, number: int) -> tuple[Person, ...]:
    """Give one rung's people; above the last one everybody, again and again."""
    if number < len(ladder):
        return ladder[number]
    return tuple(person for rung in ladder for person in rung)


def _closed(clock: Clock, file: ClinicFile, now: datetime, absent: Absent) -> Turn:
    """Nobody is on call: owner and lead get an e-mail, and the ladder starts when work does.

    Silence on a closed day is phoned by whom the file names for it (care rule 19). Before a dose
    that begins earlier, work starts with that visit.
    """
    hours = file.staffed()
    opens = hours.next_staffed(now + _A_MINUTE)
    if clock.dose_at is not None and now < (visit := lapses.rung_at(clock.dose_at)) < opens:
        opens = visit.astimezone(UTC)
    lead = person_of(file.lead) if file.lead is not None else None
    told = dict.fromkeys(one for one in (clock.owner, lead) if one is not None)
    whom = tuple(one for one in told if one.key not in absent.gone)
    closed_day = not hours.is_staffed_day(now.astimezone(hours.zone).date())
    if clock.silence and closed_day and file.closed_day_caller is not None:
        return _silence(clock, person_of(file.closed_day_caller), whom, now, opens, absent)
    return Turn(
        whom=whom,
        why=Why.CLOSED,
        next_at=opens,
        run_at=opens,
        rung=0,
        channels=frozenset({Channel.EMAIL}),
    )


def _silence(
    clock: Clock,
    caller: Person,
    lead: tuple[Person, ...],
    now: datetime,
    opens: datetime,
    absent: Absent,
) -> Turn:
    """Page who phones on closed days; from the second half hour on the lead as well."""
    first = (caller,) if caller.key not in absent.gone else lead
    return Turn(
        whom=first if clock.rung == 0 else tuple(dict.fromkeys((*first, *lead))),
        why=Why.OPENED if clock.rung == 0 else Why.CLIMBED,
        next_at=min(now + CALL_RUNG_WAIT, opens),
        run_at=clock.run_at,
        rung=clock.rung + 1,
    )


# --- what has a due time --------------------------------------------------------------------------


def _when_due(
    clock: Clock, file: ClinicFile, now: datetime, desk: Sequence[Person], absent: Absent
) -> Turn:
    if clock.acknowledged_at is not None and clock.rung > 0:
        # Taken after it was due: it is due once more, by the same hours.
        later = file.staffed().due(clock.severity, clock.acknowledged_at)
        if now < later:
            return _wait(clock, later)
        clock = replace(clock, run_at=now, rung=0)
    if now < clock.run_at:
        return _wait(clock, clock.run_at.astimezone(UTC))
    return _overdue(clock, file, now, desk, absent)


def _overdue(
    clock: Clock, file: ClinicFile, now: datetime, desk: Sequence[Person], absent: Absent
) -> Turn:
    hours = file.staffed()
    # At the very end of the day nobody is at work any more, by the clock; they are addressed still.
    at = now if hours.is_staffed(now) else now - _A_MINUTE
    if not hours.is_staffed(at):
        # It was put off to a night, or the day was closed later: what can wait rings nobody then.
        return _wait(clock, hours.next_staffed(now))
    ladder = rungs(file, at=at, owner=clock.owner, desk=desk, absent=absent)
    last = not hours.is_staffed(now) or clock.rung + 1 >= max(len(ladder), 2)
    whom = _rung(ladder, clock.rung)
    if not hours.is_staffed(now) and ladder:
        whom = tuple(dict.fromkeys((*ladder[min(clock.rung, len(ladder) - 1)], *ladder[-1])))
    following, rung = _next_step(clock, file, now), clock.rung + 1
    if last:
        following, rung = hours.due(clock.severity, max(now, hours.closing(at))), 0
    return Turn(
        whom=whom,
        why=Why.NOBODY if not ladder else Why.DUE if clock.rung == 0 else Why.CLIMBED,
        next_at=max(following, now + _A_MINUTE),
        run_at=clock.run_at if not last else following,
        rung=rung,
        channels=CHANNELS[clock.severity],
    )


def _next_step(clock: Clock, file: ClinicFile, now: datetime) -> datetime:
    hours = file.staffed()
    if clock.severity is Severity.CALL_TODAY:
        return min(now + CALL_RUNG_WAIT, hours.closing(now))
    today = now.astimezone(hours.zone).date()
    lead_hears = first_instant(today, LEAD_HEARS_AT, hours.zone)
    return min(max(lead_hears, now + CALL_RUNG_WAIT), hours.closing(now))
