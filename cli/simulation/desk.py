"""The clinic's desk: enters patients and visits by files, and records what happened, by the steps.

Whatever changes within a quarter of an hour, in a large clinic within an hour, comes in one file,
as from a record system.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from cli.errors import CommandError
from cli.simulation.agenda import Agenda
from cli.simulation.clinic import KEY, START, ZONE
from cli.simulation.courses import Booking, Fate, course
from cli.simulation.database import OwnDatabase
from cli.simulation.people import Person, dice
from cli.simulation.story import Diary
from records import patients
from schedules import terms
from schedules.facts import Dose, VisitStatus
from schedules.staffing import StaffedHours
from worker.intake.batches import ImportReport
from worker.refusal import RefusedError
from worker.services import Services
from worker.steps import events, people, visits

ACTOR = "simulation"
_QUARTER = timedelta(minutes=15)
_SUBSTANCES = terms.shipped().substance_names


def quarter(at: datetime) -> datetime:
    """Return the quarter of an hour at or after an instant."""
    past = timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
    return at + (_QUARTER - past if past else timedelta())


class Desk:
    """Knows every booking, and by which ids the product knows them."""

    def __init__(
        self,
        services: Services,
        own: OwnDatabase,
        agenda: Agenda,
        diary: Diary,
        staffed: StaffedHours,
        *,
        seed: int,
        end: datetime,
        files_every: timedelta,
    ) -> None:
        self._services, self._own, self._agenda, self._diary = services, own, agenda, diary
        self._staffed, self._seed, self._end = staffed, seed, end
        self._files_every = max(_QUARTER, files_every)
        self.patients: dict[int, UUID] = {}
        self.people: dict[UUID, Person] = {}
        self.bookings: dict[int, list[Booking]] = {}
        self.visits: dict[str, UUID] = {}
        self._joining: list[Person] = []
        self._changed: dict[str, Booking] = {}

    def expect(self, person: Person) -> None:
        """Have a patient come, with their course."""
        self._agenda.note(self._file_at(person.joins_at), lambda: self._joining.append(person))
        self.bookings[person.number] = list(course(self._seed, person, self._staffed, self._end))
        for booking in self.bookings[person.number]:
            self._agenda.note(self._file_at(booking.told_at), partial(self._enter, booking))

    def _file_at(self, at: datetime) -> datetime:
        """Return when the next file comes, at or after an instant."""
        return START - (START - at) // self._files_every * self._files_every

    def write(self) -> int:
        """Import what has gathered; return how many rows."""
        joining, changed = self._joining, list(self._changed.values())
        self._joining, self._changed = [], {}
        if joining:
            self._join(joining)
        if changed:
            table = _csv(_visit_row(each) for each in changed)
            _refuse(visits.import_appointments(self._services, table, actor=ACTOR))
            self._learn_visits([each for each in changed if each.visit_id not in self.visits])
        return len(joining) + len(changed)

    def _join(self, joining: list[Person]) -> None:
        table = _csv(_patient_row(each, self._services.now) for each in joining)
        _refuse(people.import_patients(self._services, table, actor=ACTOR))
        vault = self._services.vault
        blinds = {patients.external_blind(vault, each.patient_id): each for each in joining}
        found = self._own.rows(
            "SELECT id, external_id_blind FROM patient WHERE external_id_blind = ANY(%(blinds)s)",
            blinds=list(blinds),
        )
        for row in found:
            person = blinds[bytes(row.external_id_blind)]
            self.patients[person.number], self.people[row.id] = row.id, person
        for person in joining:
            self._diary.note(person.number, self._services.now, "joins the clinic")
            if person.program and "check_ins" in person.purposes:
                patient_id = self.patients[person.number]
                visits.enroll(self._services, patient_id, person.program, actor=ACTOR)

    def _learn_visits(self, new: list[Booking]) -> None:
        found = self._own.rows(
            "SELECT id, external_id FROM appointment WHERE external_id = ANY(%(ids)s)",
            ids=[each.visit_id for each in new],
        )
        self.visits |= {row.external_id: row.id for row in found}

    # --- a visit's life ---

    def _enter(self, booking: Booking) -> None:
        booking.entered = True
        self._tell(booking, "is booked for")
        self._expect_start(booking)
        if booking.fate in {Fate.CANCELLED, Fate.MOVED}:
            soon = self._services.now + timedelta(minutes=20)
            turns = self._file_at(max(booking.turns_at, soon))
            if turns < booking.starts_at:
                self._agenda.note(turns, lambda: self._turn(booking))

    def _turn(self, booking: Booking) -> None:
        if booking.status != "booked" or booking.starts_at <= self._services.now:
            return
        if booking.fate is Fate.CANCELLED:
            self.cancel(booking)
        elif booking.moves_to > self._services.now + timedelta(hours=1):
            self.move(booking, booking.moves_to)

    def cancel(self, booking: Booking) -> None:
        """Cancel a visit."""
        booking.status = "cancelled"
        self._tell(booking, "is cancelled at")

    def move(self, booking: Booking, to: datetime) -> None:
        """Move a visit."""
        booking.starts_at = to
        self._tell(booking, "moves to")
        self._expect_start(booking)

    def _tell(self, booking: Booking, what: str) -> None:
        self._changed[booking.visit_id] = booking
        words = f"visit {booking.visit_id} ({booking.kind}) {what} {_local(booking.starts_at)}"
        self._diary.note(booking.person.number, self._services.now, words)

    def _expect_start(self, booking: Booking) -> None:
        starts_at = booking.starts_at
        self._agenda.note(quarter(starts_at), lambda: self._start(booking, starts_at))

    def _start(self, booking: Booking, starts_at: datetime) -> None:
        if booking.status != "booked" or booking.starts_at != starts_at or booking.forgotten:
            return
        if booking.fate is Fate.NO_SHOW:
            after = quarter(starts_at + timedelta(minutes=20))
            self._agenda.note(after, lambda: self._record(booking, VisitStatus.NO_SHOW))
            return
        self._record(booking, VisitStatus.ARRIVED)
        self._agenda.note(quarter(booking.ends_at), lambda: self._leave(booking))

    def _leave(self, booking: Booking) -> None:
        booking.left_at = self._services.now
        self._record(booking, VisitStatus.CHECKED_OUT, booking.dose or None)

    def _record(self, booking: Booking, kind: VisitStatus, dose: str | None = None) -> None:
        if booking.status == "cancelled":
            return
        booking.status = kind.value
        words = f"visit {booking.visit_id}: {kind.value} {dose or ''}".strip()
        self._diary.note(booking.person.number, self._services.now, words)
        given = Dose(dose) if dose else None
        # Refused where the staff have closed the record meanwhile.
        with suppress(RefusedError):
            events.record_event(
                self._services, self.visits[booking.visit_id], kind, actor=ACTOR, dose=given
            )

    def after_a_request(self, number: int) -> None:
        """Have the next file bring what a patient gets who wants another time."""
        self._agenda.note(self._file_at(self._services.now), lambda: self._decide(number))

    def _decide(self, number: int) -> None:
        """Decide on another time: mostly there is one, in the next days."""
        now = self._services.now
        ahead = [
            each
            for each in self.bookings[number]
            if each.entered and each.status == "booked" and each.starts_at > now
        ]
        if not ahead:
            return
        rng = dice(self._seed, "desk", number, now.isoformat())
        booking = min(ahead, key=lambda each: each.starts_at)
        if rng.random() < 0.2:
            self.cancel(booking)
        elif rng.random() < 0.8:
            self.move(booking, booking.starts_at + timedelta(days=7))


def _local(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%a %Y-%m-%d %H:%M}"


def _refuse(report: ImportReport) -> None:
    if report.faults:
        fault = report.faults[0]
        raise CommandError(
            f"The simulated clinic's file has a fault: {fault.column}: {fault.reason}"
        )


def _csv(rows: Iterable[Mapping[str, str]]) -> bytes:
    found = list(rows)
    written = io.StringIO()
    table = csv.DictWriter(written, list(found[0]))
    table.writeheader()
    table.writerows(found)
    return written.getvalue().encode()


def _patient_row(person: Person, now: datetime) -> Mapping[str, str]:
    # Half of them agreed long ago, on paper: their numbers are as new to us as the others'.
    ago = timedelta(days=2) if person.number % 2 else timedelta(days=60)
    return {
        "patient_id": person.patient_id,
        "clinic": KEY,
        "first_name": person.first_name,
        "phone": person.phone,
        "language": person.language,
        "timezone": person.zone if person.zone_known else "",
        "safe_hours": person.safe_hours,
        "consent_method": "written",
        "consented_at": (now - ago).isoformat(timespec="seconds"),
        "consent_purposes": person.purposes,
        "substances": _SUBSTANCES[person.number % len(_SUBSTANCES)],
    }


def _visit_row(booking: Booking) -> Mapping[str, str]:
    return {
        "appointment_id": booking.visit_id,
        "patient_id": booking.person.patient_id,
        "kind": booking.kind,
        "route": booking.route,
        "starts_at": booking.starts_at.isoformat(),
        "ends_at": booking.ends_at.isoformat(),
        "status": booking.status if booking.status == "cancelled" else "booked",
        "location": "Suite 200",
        "modality": "virtual" if booking.virtual else "in_person",
        "join_link": "https://visit.example/room" if booking.virtual else "",
    }
