"""What `messages`, `replies` and `followups` share: their filters, and the audited reveal."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from cli.errors import refuse
from cli.session import ACTOR, an_instant, the_clinic, the_patient
from records import audit, clinics
from records.base import Session
from worker.intake.table import near
from worker.services import Services

#: How many rows a table shows unless told otherwise; JSON, which programs read, has all.
ON_SCREEN = 100

PATIENT = typer.Option(None, help="Only this patient's.")
CLINIC = typer.Option(None, help="Only this clinic's.")
STATUS = typer.Option(None, help="Only these, parted by commas.")
SINCE = typer.Option(None, help="From this day or instant on, by the clinic's clock.")
UNTIL = typer.Option(None, help="Before this day or instant.")
LIMIT = typer.Option(None, min=1, help=f"At most so many; {ON_SCREEN} unless --json.")
REVEAL = typer.Option(False, "--reveal", help="Show words and numbers; this is recorded.")
JSON = typer.Option(False, "--json", help="One JSON object a line.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows are wanted, as `records.worklist` takes them."""

    clinic_id: UUID | None
    patient_id: UUID | None
    status: Sequence[str] | None
    since: datetime | None
    until: datetime | None
    limit: int | None

    def named(self) -> dict[str, Any]:
        """Return the filters as keyword arguments."""
        return {name: getattr(self, name) for name in self.__slots__}


def filters(
    running: Services,
    *,
    patient: str | None,
    clinic: str | None,
    status: str | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    as_json: bool,
    known: Collection[str],
) -> Filters:
    """Read the options; `known` are the statuses that exist."""
    person = the_patient(running, patient, clinic) if patient else None
    with running.database.transaction() as session:
        which = the_clinic(session, clinic) if clinic else None
        zone = _zone(session, person.clinic_id if person else which.id if which else None)
    return Filters(
        clinic_id=which.id if which else None,
        patient_id=person.id if person else None,
        status=_statuses(status, known),
        since=an_instant(since, zone, "--since"),
        until=an_instant(until, zone, "--until"),
        limit=limit or (None if as_json else ON_SCREEN),
    )


def _zone(session: Session, clinic_id: UUID | None) -> ZoneInfo:
    """Return the zone that days are meant in: the clinic's; UTC where several could be meant."""
    if clinic_id is not None:
        return clinics.by_id(session, clinic_id).file.zone
    zones = {clinic.file.timezone for clinic in clinics.all_clinics(session)}
    return ZoneInfo(zones.pop() if len(zones) == 1 else "UTC")


def _statuses(text: str | None, known: Collection[str]) -> tuple[str, ...] | None:
    if text is None:
        return None
    wanted = tuple(part.strip() for part in text.split(",") if part.strip())
    for status in wanted:
        if status not in known:
            refuse(f'--status: there is no status "{status}"; {near(status, known)}')
    return wanted or None


def reveal(running: Services, what: str, found: Sequence[Any]) -> None:
    """Record, before anything is shown, that words and numbers of these rows are looked at."""
    by_clinic: dict[UUID, list[Any]] = {}
    for row in found:
        by_clinic.setdefault(row.clinic_uuid, []).append(row)
    with running.database.transaction() as session:
        for clinic_id, rows in sorted(by_clinic.items()):
            audit.record(
                session,
                running.vault,
                clinic_id=clinic_id,
                now=running.now,
                actor=ACTOR,
                action=f"{what}.revealed",
                subject=f"clinic:{clinic_id}",
                details={"count": len(rows), "ids": [str(row.id) for row in rows]},
            )


def picked(row: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return these fields of a row, in this order."""
    return {name: getattr(row, name) for name in names}
