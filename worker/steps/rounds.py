"""The rounds: what the clinic's calendar asks of paging, looked at several times a minute.

The weekly test page, the morning's digest, the closure list before closed days, lapses before a
dose, and a page to the operators when texts stop. Each is a row with a cause of its own, so that
nothing is done twice.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from records import casework, clinics, followups, harm, outages, pages
from records.base import Session
from records.clinics import Clinic
from records.outages import Outage
from records.pages import PageKind
from schedules import ladder, roster
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.ladder import Channel, Person
from schedules.staffing import Severity
from worker import lapses, presence
from worker.logs import get_logger
from worker.opening import open_follow_ups
from worker.paging import calling
from worker.services import Services

log = get_logger(__name__)

#: What was missed for longer, in an outage of ours, is left to the next time.
_TEST_WINDOW, _DIGEST_WINDOW = timedelta(hours=4), timedelta(hours=2)
_LOOKED_AT = timedelta(days=8)
TEST, DIGEST, FILE = "test", "digest", "file"
#: Which outages are told, and by what. What is over, or only late, rings no phone.
_QUIETLY = frozenset({Channel.SMS, Channel.EMAIL, Channel.WEBHOOK})
_TOLD = {
    Outage.BREAKER: frozenset(Channel),
    Outage.FAILING: frozenset(Channel),
    Outage.NOT_ARRIVING: frozenset(Channel),
    Outage.LATE: _QUIETLY,
    Outage.RESUMED: _QUIETLY,
}


def run(services: Services, available: Collection[str]) -> Counter[str]:
    """Do what has become due of all this; `available` are the channels there are."""
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        everyone = clinics.all_clinics(session)
    for clinic in everyone:
        try:
            counts += _of_clinic(services, available, clinic)
        except Exception:
            # One clinic's trouble keeps no other from its tests.
            log.exception("rounds_failed", clinic_id=str(clinic.id))
            counts["failed"] += 1
    return +counts


def _of_clinic(services: Services, available: Collection[str], clinic: Clinic) -> Counter[str]:
    if clinic.stand_in is not None:
        with services.database.transaction() as session:
            # First: what follows may fail for the same reason.
            _unreadable(session, services, available, clinic)
    with services.database.transaction() as session:
        # By itself: it locks items, as the climb does before it numbers a page.
        counts = Counter(lapses=lapses.look_again(session, services, clinic))
    with services.database.transaction() as session:
        return counts + Counter(
            outages=_outage(session, services, available, clinic),
            tests=_weekly_test(session, services, available, clinic),
            untaken=_untaken(session, services, clinic),
            digests=_digest(session, services, available, clinic),
            closures=_closure_list(session, services, clinic),
            nobody=_nobody_there(session, services, clinic),
        )


def send_test(services: Services, available: Collection[str], clinic: Clinic) -> int:
    """Send a test page to everybody on a clinic's ladder now; return how many were paged."""
    with services.database.transaction() as session:
        gone = pages.staff_gone(session, clinic.id)
        stamp = services.now.isoformat()
        people = _everybody(clinic.file, gone)
        return _test(session, services, available, clinic, people, stamp)


def _everybody(file: ClinicFile, gone: frozenset[str]) -> list[Person]:
    people = dict.fromkeys(map(ladder.person_of, roster.contacts(file)))
    return [person for person in people if person.key not in gone]


def _weekly_test(
    session: Session, services: Services, available: Collection[str], clinic: Clinic
) -> int:
    now = services.now
    at = roster.weekly_test_at(clinic.file, now)
    if at is None or not at <= now < at + _TEST_WINDOW:
        return 0
    people = _everybody(clinic.file, pages.staff_gone(session, clinic.id))
    week = roster.week_of(clinic.file, now)
    return _test(session, services, available, clinic, people, week)


def _test(
    session: Session,
    services: Services,
    available: Collection[str],
    clinic: Clinic,
    people: Sequence[Person],
    stamp: str,
) -> int:
    paged = 0
    for person in people:
        about = calling.About(
            kind=PageKind.TEST,
            why=ladder.Why.OPENED,
            severity=Severity.PAGE_NOW,
            wanted=frozenset(Channel),
            subject=TEST,
            cause=f"{TEST}:{stamp}:{person.key}",
            with_webhook=person == people[0],
        )
        made = calling.page(session, services, available, clinic, person, about, now=services.now)
        paged += made is not None
    return paged


def _untaken(session: Session, services: Services, clinic: Clinic) -> int:
    """Close what nobody took within a day, and put it before the lead (care rule 13).

    A page that stays open for ever keeps its number from others. Each has to take their own test;
    of an outage it is enough that somebody heard.
    """
    now = services.now
    found = pages.untaken(session, clinic.id, before=now - roster.TEST_LASTS)
    for page in found:
        page.closed_at = now
    pages.end_deliveries(session, [page.id for page in found], now=now)
    wanted = {}
    # What is older was put before somebody already, by a version that left it open.
    for page in (one for one in found if one.at > now - _LOOKED_AT):
        reason, about = FollowUpReason.PAGE_TEST_UNANSWERED, str(page.id)
        if page.kind == PageKind.OPERATORS:
            reason = FollowUpReason.OUTAGE_PAGE_UNANSWERED
            about = (page.cause or "").removesuffix(f":{page.person}")
            if pages.was_taken(session, clinic.id, about):
                continue
        wanted[f"{reason}:{about}"] = page.id, _wanted(clinic, reason, f"{reason}:{about}", now)
    seen = followups.causes_seen(session, clinic.id, list(wanted))
    for page_id, item in (each for cause, each in wanted.items() if cause not in seen):
        open_follow_ups(
            session, clinic.id, None, [item], source_kind="page", source_id=page_id, now=now
        )
    return len(found)


def _wanted(clinic: Clinic, reason: FollowUpReason, cause: str, now: datetime) -> WantedFollowUp:
    staffed, severity = clinic.file.staffed(), Severity.CALL_TODAY
    # Nobody looks at a list for closed days after they are over.
    listed = reason is FollowUpReason.CLOSURE_LIST
    closed = listed and not staffed.is_staffed_day(now.astimezone(staffed.zone).date())
    due = now if closed else staffed.due(severity, now)
    to_lead = not listed
    return WantedFollowUp(
        reason=reason, severity=severity, due_at=due, cause=cause, for_lead=to_lead
    )


def _digest(
    session: Session, services: Services, available: Collection[str], clinic: Clinic
) -> int:
    """Tell the desk each staffed morning what is open, by e-mail; the list itself is signed in."""
    now, hours = services.now, clinic.file.staffed()
    if Channel.EMAIL not in available or not hours.is_staffed(now):
        return 0
    day = now.astimezone(hours.zone).date()
    if now - hours.opening(day) >= _DIGEST_WINDOW:
        return 0
    if not sum(casework.open_follow_ups_by_severity(session, clinic.id).values()):
        return 0
    sent = 0
    for person in _readers(session, clinic, now):
        about = calling.About(
            kind=PageKind.DIGEST,
            why=ladder.Why.DUE,
            severity=Severity.DIGEST,
            wanted=frozenset({Channel.EMAIL}),
            subject=DIGEST,
            cause=f"{DIGEST}:{day.isoformat()}:{person.key}",
            with_webhook=False,
        )
        sent += (
            calling.page(session, services, available, clinic, person, about, now=now) is not None
        )
    return sent


def _readers(session: Session, clinic: Clinic, now: datetime) -> list[Person]:
    out = presence.absent_at(session, clinic.id, now).away
    people = presence.desk_of(session, clinic.id)
    if clinic.file.lead is not None and clinic.file.lead.email is not None:
        people.append(ladder.person_of(clinic.file.lead))
    return [person for person in dict.fromkeys(people) if person.key not in out]


def _closure_list(session: Session, services: Services, clinic: Clinic) -> int:
    """Open the closure list at noon before two or more closed days (care rule 19).

    Where the clinic closes at short notice that noon has passed: then at once, if there is anybody
    whom silence would hide.
    """
    now, hours = services.now, clinic.file.staffed()
    today = now.astimezone(hours.zone).date()
    last = hours.last_staffed_day(today)
    at = hours.closure_list_at(last)
    if at is None or now < at:
        return 0
    cause = f"{FollowUpReason.CLOSURE_LIST}:{last.isoformat()}"
    if last != today and not harm.closure_list(session, clinic.id, now=now):
        return 0
    return _open_once(session, clinic, FollowUpReason.CLOSURE_LIST, cause, now)


def _nobody_there(session: Session, services: Services, clinic: Clinic) -> int:
    """Put it before the lead, once a day, that everybody is away while the clinic is to be open."""
    now, file = services.now, clinic.file
    if not file.staffed().is_staffed(now) or file.attended().is_staffed(now):
        return 0
    return _open_once_a_day(session, clinic, FollowUpReason.NOBODY_THERE, now)


def _open_once_a_day(
    session: Session, clinic: Clinic, reason: FollowUpReason, now: datetime
) -> int:
    """Open the clinic's item of this reason unless its day has seen it; return how many."""
    today = now.astimezone(clinic.file.zone).date()
    return _open_once(session, clinic, reason, f"{reason}:{today.isoformat()}", now)


def _open_once(
    session: Session, clinic: Clinic, reason: FollowUpReason, cause: str, now: datetime
) -> int:
    if cause in followups.causes_seen(session, clinic.id, [cause]):
        return 0
    wanted = _wanted(clinic, reason, cause, now)
    open_follow_ups(
        session, clinic.id, None, [wanted], source_kind="clinic", source_id=clinic.id, now=now
    )
    return 1


def _outage(
    session: Session, services: Services, available: Collection[str], clinic: Clinic
) -> int:
    """Page the operators when a clinic's texts do not go, once an outage; without any, its lead.

    Whoever paused them knows. That no worker runs, none can tell: the watcher outside does.
    """
    down = outages.of_clinic(session, clinic.id, now=services.now)
    if down is None or down.why not in _TOLD:
        return 0
    people = _operators(services, clinic) or [Person(key="operators", name="operators")]
    cause = f"{down.why}:{down.key}"
    return _tell(
        session, services, available, clinic, people, down.why.value, _TOLD[down.why], cause
    )


def _operators(services: Services, clinic: Clinic) -> list[Person]:
    people = [
        Person(key=address.lower(), name=address, email=address)
        for address in services.settings.operators
    ]
    if not people and clinic.file.lead is not None:
        people = [ladder.person_of(clinic.file.lead)]
    return people


def _unreadable(
    session: Session, services: Services, available: Collection[str], clinic: Clinic
) -> int:
    """Tell the operators and everybody on the ladder, once a day, that a file can't be read.

    The clinic goes on by the file that held before, which may name other people or hours.
    """
    log.error("clinic_file_unreadable", clinic_id=str(clinic.id))
    people = dict.fromkeys(
        [
            *_operators(services, clinic),
            *_everybody(clinic.file, pages.staff_gone(session, clinic.id)),
        ]
    )
    cause = f"{FILE}:{services.now.astimezone(clinic.file.zone).date().isoformat()}"
    return _tell(session, services, available, clinic, [*people], FILE, _QUIETLY, cause)


def _tell(
    session: Session,
    services: Services,
    available: Collection[str],
    clinic: Clinic,
    people: Sequence[Person],
    subject: str,
    wanted: frozenset[Channel],
    cause: str,
) -> int:
    """Page these people about the clinic itself, each once a cause; return how many were."""
    paged = 0
    for person in people:
        about = calling.About(
            kind=PageKind.OPERATORS,
            why=ladder.Why.OPENED,
            severity=Severity.PAGE_NOW,
            wanted=wanted,
            subject=subject,
            cause=f"{cause}:{person.key}",
            with_webhook=person == people[0],
        )
        made = calling.page(session, services, available, clinic, person, about, now=services.now)
        paged += made is not None
    return paged
