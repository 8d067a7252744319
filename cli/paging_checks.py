"""What `aftercare doctor` asks of paging: whether a page at 02:00 would reach somebody."""

from collections.abc import Iterator
from datetime import timedelta

from cli.checks import Finding, Found, note, ok, wrong
from records import clinics, pagefigures, pages
from records.base import Database, Session
from records.clinics import Clinic
from records.pages import DeliveryStatus, PageKind
from schedules import roster
from schedules.clinic import AfterHours
from worker import presence
from worker.clock import SystemClock
from worker.counting import counted
from worker.paging import paths
from worker.settings import Settings

_AHEAD = timedelta(days=14)
_TESTS = timedelta(days=15)
_SHOWN = 3
_END_ABSENCE = "end an absence: `aftercare staff back EMAIL --from DAY`"
_NOT_PICKED_UP = frozenset({"busy", "no-answer", "canceled"})


def paging(database: Database, settings: Settings) -> Found:
    """Check the paths, the roster of the next 14 days, the test pages, and the heartbeat."""
    bad = wrong if settings.mode == "live" else note
    with database.transaction() as session:
        everyone = clinics.all_clinics(session)
        for fault in paths.faults(settings, [clinic.file for clinic in everyone]):
            yield bad("paging", fault, "See docs/paging.md.")
        for clinic in everyone:
            yield from _roster(session, clinic, settings)
            yield from _attended(clinic, settings)
            yield from _silence(session, clinic, settings)
            yield from _clinicians(session, clinic, settings)
            yield from _nobody(session, clinic)
            yield from _addresses(session, clinic, settings)
            yield from _tests(session, clinic, settings)
    if not settings.heartbeat_url:
        message = "no address outside is called while ticks succeed"
        yield bad("heartbeat", message, "Set AFTERCARE_HEARTBEAT_URL to a watcher elsewhere.")


def _roster(session: Session, clinic: Clinic, settings: Settings) -> Iterator[Finding]:
    check = f"on call {clinic.key}"
    if clinic.file.after_hours is AfterHours.NONE:
        yield note(check, "nobody after hours; the reply texts say so")
        return
    now = SystemClock(settings.clock_offset).now()
    gone = pages.staff_gone(session, clinic.id)
    away = pages.absences(session, clinic.id, since=now, until=now + _AHEAD)
    gaps = roster.uncovered(clinic.file, away, now=now, gone=gone)
    if not gaps:
        yield ok(check, "every hour of the next 14 days is covered")
        return
    zone = clinic.file.zone
    told = "; ".join(
        f"{gap.starts.astimezone(zone):%a %b %d %H:%M} to {gap.ends.astimezone(zone):%a %H:%M}"
        for gap in gaps[:_SHOWN]
    )
    more = f" and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
    mend = f"Add somebody under on_call and apply the file, or {_END_ABSENCE}."
    yield wrong(check, f"nobody is on call {told}{more}", mend)


def _attended(clinic: Clinic, settings: Settings) -> Iterator[Finding]:
    """Say on which days everybody is away in staffed hours: texts then promise nobody."""
    now = SystemClock(settings.clock_offset).now()
    days = roster.unattended(clinic.file, now=now)
    if days:
        named = ", ".join(f"{day:%b %d}" for day in days)
        mend = f"Put closed days under holidays and apply the file, or {_END_ABSENCE}."
        yield wrong(f"staffed hours {clinic.key}", f"everybody is away on {named}", mend)


def _silence(session: Session, clinic: Clinic, settings: Settings) -> Iterator[Finding]:
    """Say who phones about a silence that is urgent on closed days (care rule 19)."""
    check, file = f"closed days {clinic.key}", clinic.file
    if file.after_hours is AfterHours.ON_CALL:
        yield ok(check, "silence on closed days goes to who is on call")
        return
    caller = file.closed_day_caller
    mend = "Name somebody under closed_day_caller in the clinic's file, and apply it."
    if caller is None:
        message = "nobody is named who phones about a silence that is urgent then"
        yield note(check, message, mend)
        return
    key, now = caller.key, SystemClock(settings.clock_offset).now()
    away = pages.absences(session, clinic.id, since=now, until=now + _AHEAD)
    days = roster.closed_days_of(file, [one for one in away if one[0] == key], now=now)
    if key in pages.staff_gone(session, clinic.id):
        yield wrong(check, f"{caller.name}, who phones then, has no access any more", mend)
    elif days:
        named = ", ".join(f"{day:%b %d}" for day in days)
        yield wrong(check, f"{caller.name}, who phones then, is away on {named}", mend)
    else:
        yield ok(check, f"{caller.name} phones about a silence that is urgent then")


def _clinicians(session: Session, clinic: Clinic, settings: Settings) -> Iterator[Finding]:
    """Say whether a lapse before a dose has a clinician to go to on each staffed day."""
    check, now = f"clinicians {clinic.key}", SystemClock(settings.clock_offset).now()
    mend = "Add one: `aftercare staff add EMAIL --role clinician`."
    keys = {one.key for one in presence.desk_of(session, clinic.id, roles={"clinician"})}
    bad = wrong if settings.mode == "live" else note
    if not keys:
        yield bad(check, "there is none: a lapse told before a dose is everybody's", mend)
        return
    away = pages.absences(session, clinic.id, since=now, until=now + _AHEAD)
    without = roster.staffed_days_without(clinic.file, keys, away, now=now)
    if without:
        named = ", ".join(f"{day:%b %d}" for day in without)
        yield bad(check, f"all are away on {named}; a lapse before a dose reaches none", mend)
    else:
        yield ok(check, f"{len(keys)}; one at least is there on each staffed day")


def _nobody(session: Session, clinic: Clinic) -> Iterator[Finding]:
    """Say that there is nobody at all whom an item could be brought before."""
    gone = pages.staff_gone(session, clinic.id)
    ladder = [one for one in roster.contacts(clinic.file) if one.key not in gone]
    if not ladder and not presence.desk_of(session, clinic.id):
        mend = "Add lead: {name, phone, email} to the clinic's file and apply it."
        yield wrong(f"ladder {clinic.key}", "nobody stands on it: a plea pages nobody", mend)


def _addresses(session: Session, clinic: Clinic, settings: Settings) -> Iterator[Finding]:
    """Name whom the last page did not reach, by the channel; that nobody picked up is no fault."""
    now = SystemClock(settings.clock_offset).now()
    ends = pagefigures.last_ends(session, clinic.id, since=now - _TESTS)
    for (person, channel), (status, error) in sorted(ends.items()):
        if status != DeliveryStatus.FAILED or error in _NOT_PICKED_UP:
            continue
        message = f"the last page to {person} by {channel} did not arrive ({error})"
        mend = "Mend their address in the clinic's file, apply it, then `aftercare page test`."
        yield wrong(f"page address {clinic.key}", message, mend)


def _tests(session: Session, clinic: Clinic, settings: Settings) -> Iterator[Finding]:
    check = f"test page {clinic.key}"
    now = SystemClock(settings.clock_offset).now()
    sent = pages.of_kind(session, clinic.id, PageKind.TEST, since=now - _TESTS)
    last = {page.person: page for page in sent}
    late = [
        page
        for page in last.values()
        if page.acknowledged_at is None and now - page.at >= roster.TEST_LASTS
    ]
    if late:
        people = counted(len(last), "person has", "people have")
        message = f"{len(late)} of {people} not acknowledged the last one"
        mend = "See `aftercare page list`, mend their number, then `aftercare page test`."
        yield wrong(check, message, mend)
    elif not last:
        yield note(check, "none was sent lately", "Try the ladder: `aftercare page test`.")
    else:
        yield ok(check, f"sent to {counted(len(last), 'person', 'people')}; nobody has missed it")
