"""A file that is whole for some days: visits that are on record there and not in it.

A truncated export looks like a clinic that cancels half its visits. So nothing is cancelled
unasked, nothing at all where a line can't be read, and a large drop needs a word of its own (care
rule 25).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from records import intake, patients, planning
from records.appointments import Appointment
from records.base import Session
from records.vault import Vault
from worker.intake import merging
from worker.intake.patients import KnownClinic
from worker.intake.visits import VisitReader
from worker.refusal import RefusedError
from worker.services import Services

#: A larger share of the visits ahead is not cancelled without a word of its own.
LARGEST_DROP = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A range of days by the clinic's calendar, both included."""

    first: date
    last: date

    def bounds(self, clinic: KnownClinic) -> tuple[datetime, datetime]:
        """Return the instants from which and before which the days lie."""
        after = self.last + timedelta(days=1)
        zone = clinic.file.zone
        return datetime.combine(self.first, time(), zone), datetime.combine(after, time(), zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingVisit:
    """A visit on record that a whole file does not have. `starts_at` is in the clinic's zone.

    `patient` is the clinic's own id of whose visit it is.
    """

    id: UUID
    patient: str
    external_id: str
    kind: str
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What a whole file says by what it leaves out.

    `known` are the booked visits ahead on those days. `unread` are lines of which not even the
    visit's id is known: with one of them nothing can be called missing.
    """

    known: int
    missing: tuple[MissingVisit, ...]
    unread: tuple[int, ...]

    @property
    def drop(self) -> float:
        """The share of the known visits that is missing."""
        return len(self.missing) / self.known if self.known else 0.0

    @property
    def is_large(self) -> bool:
        """Whether so many are missing that the file itself is in doubt."""
        return self.drop > LARGEST_DROP


def of_file(
    services: Services, meant: Sequence[KnownClinic], days: Days, reader: VisitReader
) -> Whole:
    """Compare the visits on record with what was read of a file. Raises RefusedError.

    `meant` are the clinics that the file can be about; it has to be one.
    """
    if len(meant) != 1:
        keys = ", ".join(each.key for each in meant)
        raise RefusedError(f"Say for which clinic the file is whole: add --clinic ({keys}).")
    with services.database.transaction() as session:
        return _compare(
            session,
            services.vault,
            meant[0],
            days,
            named=reader.named,
            unread=reader.unnamed,
            now=services.now,
        )


def _compare(
    session: Session,
    vault: Vault,
    clinic: KnownClinic,
    days: Days,
    *,
    named: Collection[str],
    unread: Sequence[int],
    now: datetime,
) -> Whole:
    """Compare the visits on record with the ids that a file names."""
    since, until = days.bounds(clinic)
    known = intake.visits_ahead(session, clinic.id, since=max(since, now), until=until)
    gone = [
        visit
        for visit in known
        if visit.external_id not in named and _was_told_there(vault, visit, since, until)
    ]
    zone = clinic.file.zone
    people = planning.patients(session, [visit.patient_id for visit in gone])
    whose = {person.id: person for person in people}
    return Whole(
        known=len(known),
        missing=tuple(
            MissingVisit(
                id=visit.id,
                patient=patients.opened(vault, whose[visit.patient_id], "external_id"),
                external_id=visit.external_id,
                kind=visit.kind,
                starts_at=visit.starts_at.astimezone(zone),
            )
            for visit in gone
        ),
        unread=tuple(unread),
    )


def _was_told_there(vault: Vault, visit: Appointment, since: datetime, until: datetime) -> bool:
    """Whether a file last had the visit on these days; staff may have moved it into them since."""
    before = merging.opened(vault, "appointment", visit.id, visit.imported)
    if before is None or "starts_at" not in before:
        return before is None
    return since <= datetime.fromisoformat(before["starts_at"][0]) < until


def still_missing(
    session: Session, missing: Sequence[MissingVisit], *, now: datetime
) -> list[Appointment]:
    """Lock and return those of these visits that are as they were when they were listed."""
    asked = {each.id: each for each in missing}
    return [
        visit
        for visit in intake.lock_visits(session, asked.keys())
        if visit.status == "booked"
        and visit.starts_at == asked[visit.id].starts_at
        and visit.starts_at > now
    ]
