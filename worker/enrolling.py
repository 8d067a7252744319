"""Who follows which protocol for a visit: matched by kind and route, one enrollment a visit.

Imports, events and a clinic's file all come through here, so that booking a visit, changing its
kind, and switching a protocol on or off have one meaning.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from records import enrollments, intake, planning
from records.appointments import Appointment
from records.base import Session
from records.enrollments import Enrollment
from records.patients import Patient
from schedules.clinic import ClinicFile
from schedules.gates import WELCOME
from schedules.protocol import Protocol
from worker.intake.table import near
from worker.protocols import readable
from worker.refusal import RefusedError

# What follows a dose reaches over a week; an older visit that we hear of now is history, and
# would only leave rows that were never to be sent.
_STILL_MATTERS = timedelta(days=7)
_TOOK_PLACE = frozenset({"arrived", "checked_out", "fulfilled"})
#: An enrollment that the file or a close ended may run again; staff's withdrawal is for good.
ENDED, WITHDRAWN, ACTIVE = "completed", "withdrawn", "active"

#: On for every clinic, whatever its file names: a patient is told of a move (care rule 5), and by
#: the first text how to stop (care rule 30).
ALWAYS_ON = ("visit-notices", WELCOME)

Protocols = Mapping[str, tuple[Protocol, int]]


def switched_on(file: ClinicFile) -> tuple[str, ...]:
    """Return the protocols that a clinic has: those of its file, and those that all have."""
    return tuple(dict.fromkeys([*ALWAYS_ON, *file.protocols]))


def is_open(file: ClinicFile, protocol: Protocol) -> bool:
    """Return whether the clinic has said what a gated protocol asks to be settled first."""
    return protocol.gate is None or bool(file.gates.get(protocol.gate, "").strip())


def gate_shut(protocol: Protocol) -> str:
    """Return what a clinic must write to use a gated protocol."""
    return (
        f"{protocol.id} is off until somebody answers for it. Write in the clinic's file "
        f'gates: {{{protocol.gate}: "who approved it, and when"}}.'
    )


def matching(file: ClinicFile, protocols: Protocols, visit: Appointment) -> set[str]:
    """Return the protocols that the clinic has switched on and that name such a visit."""
    return {
        name
        for name in switched_on(file)
        if name in protocols
        and is_open(file, protocols[name][0])
        and (visits := protocols[name][0].visits) is not None
        and visits.matches(visit.kind, visit.route, visit.setting)
    }


def is_news(visit: Appointment, now: datetime) -> bool:
    """Whether a visit we did not know can still give rise to a text."""
    if visit.status in _TOOK_PLACE:
        return visit.starts_at > now - _STILL_MATTERS
    return visit.status == "booked" and visit.ends_at > now


def sync(
    session: Session,
    clinic_id: UUID,
    file: ClinicFile,
    protocols: Protocols,
    visits: Sequence[Appointment],
    *,
    now: datetime,
) -> Counter[str]:
    """Enroll these visits' patients in what matches, end what no longer does, ask for a plan.

    All visits are of one clinic. Patients whose record is closed are left alone. Returns how many
    enrollments `began` (or began again) and `ended`.
    """
    counts: Counter[str] = Counter()
    known = readable(protocols)
    # For whom one is that can't be read nobody knows: whoever follows it goes on to.
    unknown = protocols.keys() - known.keys()
    existing = intake.enrollments_of_visits(session, [visit.id for visit in visits])
    closed = _closed(session, visits)
    changed: list[Enrollment] = []
    for visit in visits:
        wanted = set() if visit.patient_id in closed else matching(file, known, visit)
        mine = existing[visit.id]
        if is_news(visit, now):
            began = _begin(session, clinic_id, visit, wanted, mine, now)
            counts["began"] += len(began)
            changed += began
        kept = wanted | unknown
        ended = [row for name, row in mine.items() if name not in kept and row.status == ACTIVE]
        for row in ended:
            row.status, row.ended_at = ENDED, now
        counts["ended"] += len(ended)
        changed += ended
    session.flush()
    enrollments.request_plan_of_patients(session, {row.patient_id for row in changed})
    return counts


def offered(file: ClinicFile, protocols: Protocols) -> list[Protocol]:
    """Return what a patient can be enrolled in by hand, in the order of the clinic's file."""
    known = readable(protocols)
    found = [known[name][0] for name in file.protocols if name in known]
    return [
        one for one in found if one.visits is None and not one.with_consent and is_open(file, one)
    ]


def by_hand(
    session: Session,
    person: Patient,
    file: ClinicFile,
    protocols: Protocols,
    name: str,
    *,
    on: date | None = None,
    now: datetime,
) -> Enrollment:
    """Enroll a patient from a local day on: today in their zone unless given.

    What was withdrawn starts again. Raises RefusedError; the plan is for the caller to ask for.
    """
    if name not in file.protocols or name not in protocols:
        raise RefusedError(
            f'The clinic has no protocol "{name}" switched on; {near(name, file.protocols)}'
        )
    protocol = protocols[name][0]
    if not is_open(file, protocol):
        raise RefusedError(gate_shut(protocol))
    if protocol.visits is not None:
        raise RefusedError(
            f"{name} enrolls visits by itself. Import or book the visit, and it follows."
        )
    zone = ZoneInfo(person.timezone) if person.timezone else file.zone
    return _begin_by_hand(session, person, name, on or now.astimezone(zone).date(), now)


def _begin_by_hand(
    session: Session, person: Patient, protocol: str, day: date, now: datetime
) -> Enrollment:
    mine = [
        row
        for row in enrollments.of_patient(session, person.id)
        if row.protocol == protocol and row.appointment_id is None
    ]
    if any(row.status == ACTIVE for row in mine):
        raise RefusedError(f"The patient follows {protocol} already.")
    for row in mine:
        if row.anchor_day == day:
            row.status, row.ended_at = ACTIVE, None
            return row
    row = intake.new_enrollment(
        clinic_id=person.clinic_id,
        patient_id=person.id,
        protocol=protocol,
        anchor_day=day,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def reopen(
    session: Session, person: Patient, file: ClinicFile, protocols: Protocols, *, now: datetime
) -> int:
    """Let run again what the close of a record ended; enroll in what came up meanwhile.

    That is what hangs on no visit, and what is for a visit to come or of the last week, whatever
    became of it: only the clinic may have switched it off since. Returns how many began.
    """
    since = now - _STILL_MATTERS
    visits = intake.visits_from(session, since=since, patient_id=person.id)
    again = _ended_with_record(session, person, file, protocols, visits)
    for row in again:
        row.status, row.ended_at = ACTIVE, None
    session.flush()
    counts = sync(session, person.clinic_id, file, protocols, visits, now=now)
    return len(again) + counts["began"]


def _ended_with_record(
    session: Session,
    person: Patient,
    file: ClinicFile,
    protocols: Protocols,
    visits: Sequence[Appointment],
) -> list[Enrollment]:
    known = readable(protocols)
    on: dict[UUID | None, set[str]] = {visit.id: matching(file, known, visit) for visit in visits}
    on[None] = {name for name in switched_on(file) if name in protocols}
    ended: dict[tuple[UUID | None, str], list[Enrollment]] = defaultdict(list)
    runs = set()
    for row in enrollments.of_patient(session, person.id):
        key = row.appointment_id, row.protocol
        if row.status == ACTIVE:
            runs.add(key)
        elif row.status == ENDED and row.protocol in on.get(row.appointment_id, ()):
            ended[key].append(row)
    # Of several days from which somebody followed a protocol, the last close ended the last ones.
    return [
        row
        for key, rows in ended.items()
        if key not in runs
        for row in rows
        if row.ended_at == max(each.ended_at for each in rows if each.ended_at)
    ]


def _closed(session: Session, visits: Sequence[Appointment]) -> set[UUID]:
    statuses = intake.statuses_of(session, {visit.patient_id for visit in visits})
    return {patient_id for patient_id, status in statuses.items() if status == "closed"}


def _begin(
    session: Session,
    clinic_id: UUID,
    visit: Appointment,
    wanted: set[str],
    mine: Mapping[str, Enrollment],
    now: datetime,
) -> list[Enrollment]:
    again = [row for name, row in mine.items() if name in wanted and row.status == ENDED]
    for row in again:
        row.status, row.ended_at = ACTIVE, None
    fresh = [
        intake.new_enrollment(
            clinic_id=clinic_id,
            patient_id=visit.patient_id,
            protocol=name,
            appointment_id=visit.id,
            created_at=now,
        )
        for name in sorted(wanted - mine.keys())
    ]
    session.add_all(fresh)
    return again + fresh


def join(
    session: Session,
    file: ClinicFile,
    protocols: Protocols,
    people: Sequence[Patient],
    *,
    now: datetime,
    again: bool = False,
) -> None:
    """Enroll people of one clinic in what starts with the consent: the welcome before all.

    Whoever was enrolled in it today already is left alone; with `again` they are welcomed once
    more, since that welcome came back or went to another number.
    """
    known = readable(protocols)
    today = now.astimezone(file.zone).date()
    taken = _welcome_days(session, people, today) if again else {}
    fresh = [
        {
            "clinic_id": person.clinic_id,
            "patient_id": person.id,
            "protocol": name,
            "anchor_day": taken.get(person.id, today) if name == WELCOME else today,
            "created_at": now,
        }
        for person in people
        for name in switched_on(file)
        if name in known and known[name][0].with_consent
    ]
    enrollments.begin(session, fresh)


def greet(
    session: Session,
    file: ClinicFile,
    protocols: Protocols,
    people: Sequence[Patient],
    *,
    now: datetime,
) -> None:
    """Welcome those of one clinic whom nobody did; the next look plans it, ahead of the rest."""
    if people:
        without = planning.without_welcome(session, [each.id for each in people])
        join(session, file, protocols, [each for each in people if each.id in without], now=now)


def _welcome_days(session: Session, people: Sequence[Patient], today: date) -> dict[UUID, date]:
    """Return the first day from today on that bears no welcome of theirs yet."""
    found: dict[UUID, date] = {}
    for row in enrollments.of_patients(session, [each.id for each in people]):
        if row.protocol == WELCOME and row.anchor_day is not None and row.anchor_day >= today:
            # The day only tells one welcome from another: each goes at once.
            later = row.anchor_day + timedelta(days=1)
            found[row.patient_id] = max(later, found.get(row.patient_id, later))
    return found
