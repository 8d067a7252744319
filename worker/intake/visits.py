"""`appointments.csv`: what each column says, as values.

A time is local to the clinic unless it carries an offset, so that a row can be read only once its
patient, and with them its clinic, is known: reading takes them as an argument.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from messages import formats
from messages.lint import lint
from schedules.facts import VisitStatus
from schedules.loader import SETTINGS, VISIT_KINDS
from schedules.phrases import ROUTES
from worker.intake import values
from worker.intake.patients import KnownClinic
from worker.intake.table import CellError, Cells, RowFault, Table
from worker.intake.tailored import LANGUAGES

REQUIRED = (
    "appointment_id",
    "patient_id",
    "kind",
    "route",
    "starts_at",
    "ends_at",
    "status",
    "location",
)
OPTIONAL = ("provider", "modality", "join_link", "setting", "dose_number")
STATUSES = tuple(status.value for status in VisitStatus)
MODALITIES = ("in_person", "virtual")
#: A visit further ahead is a slip of the year, and one longer than a day a slip of the date.
FURTHEST = timedelta(days=3 * 366)
LONGEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPatient:
    """The patient a row names, as far as reading the row needs them."""

    id: UUID
    clinic: KnownClinic


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """One visit as the file has it."""

    line: int
    patient: VisitPatient
    external_id: str = field(repr=False)
    kind: str
    route: str | None
    starts_at: datetime
    ends_at: datetime
    status: str
    setting: str
    modality: str
    dose_number: int | None
    details: Mapping[str, Any] = field(repr=False)

    @property
    def canonical(self) -> str:
        """All that the row says, in one form: equal rows have equal digests."""
        said = {name: getattr(self, name) for name in _SAID}
        return json.dumps(said, sort_keys=True, default=str)


_SAID = (
    "kind",
    "route",
    "starts_at",
    "ends_at",
    "status",
    "setting",
    "modality",
    "dose_number",
    "details",
)


def patient_ids(table: Table) -> set[str]:
    """Return the patients' ids that the file names."""
    return {row.cells["patient_id"] for row in table.rows if row.cells["patient_id"]}


def read_rows(
    table: Table, people: Mapping[str, Sequence[VisitPatient]], *, now: datetime
) -> tuple[list[VisitRow], list[RowFault]]:
    """Return the rows that can be read, and the faults of all others."""
    seen: dict[tuple[UUID, str], int] = {}
    rows, faults = [], list(table.faults)
    for row in table.rows:
        cells = Cells(row)
        read = _read(cells, people, now)
        if read is not None:
            first = seen.setdefault((read.patient.clinic.id, read.external_id), row.line)
            if first != row.line:
                cells.fault("appointment_id", f"this visit stands on line {first} already")
        if read is not None and not cells.faults:
            rows.append(read)
        faults += cells.faults
    return rows, faults


def _patient(cells: Cells, people: Mapping[str, Sequence[VisitPatient]]) -> VisitPatient | None:
    def find(text: str) -> VisitPatient:
        found = people.get(text, ())
        if not found:
            raise CellError("there is no such patient; import patients first")
        if len(found) > 1:
            keys = ", ".join(sorted(each.clinic.key for each in found))
            raise CellError(f"several clinics have this patient_id ({keys}); add --clinic")
        return found[0]

    return cells.need("patient_id", find)


def _read(
    cells: Cells, people: Mapping[str, Sequence[VisitPatient]], now: datetime
) -> VisitRow | None:
    patient = _patient(cells, people)
    external_id = cells.need("appointment_id", values.short)
    kind = cells.need("kind", values.word(VISIT_KINDS))
    route = cells.read("route", values.word(ROUTES))
    status = cells.need("status", values.word(STATUSES))
    modality = cells.read("modality", values.word(MODALITIES)) or "in_person"
    setting = cells.read("setting", values.word(SETTINGS)) or "clinic"
    dose_number = cells.read("dose_number", _dose_number)
    details = {
        "location": cells.read("location", _place),
        "provider": cells.read("provider", values.short),
        "join_link": cells.read("join_link", _link),
    }
    span = _span(cells, patient, now)
    if patient is None or external_id is None or kind is None or status is None or span is None:
        return None
    return VisitRow(
        line=cells.row.line,
        patient=patient,
        external_id=external_id,
        kind=kind,
        route=route,
        starts_at=span[0],
        ends_at=span[1],
        status=status,
        setting=setting,
        modality=modality,
        dose_number=dose_number,
        details=details,
    )


def _span(
    cells: Cells, patient: VisitPatient | None, now: datetime
) -> tuple[datetime, datetime] | None:
    # Without a patient the clinic's zone is unknown; what UTC can tell is still told.
    zone = ZoneInfo(patient.clinic.file.timezone if patient else "UTC")
    starts_at = cells.need("starts_at", values.instant(zone))
    ends_at = cells.need("ends_at", values.instant(zone))
    if starts_at is None or ends_at is None:
        return None
    if starts_at > now + FURTHEST:
        cells.fault("starts_at", "it is more than three years ahead; check the year")
    if ends_at <= starts_at:
        cells.fault("ends_at", "it is not after starts_at")
    elif ends_at - starts_at > LONGEST:
        cells.fault("ends_at", "it is more than a day after starts_at; check the date")
    return starts_at, ends_at


def _dose_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 500:
        raise CellError("write a whole number, 1 for the first dose")
    return int(text)


def _place(text: str) -> str:
    """Read a place as texts will name it: in letters that phones take, saying nothing private."""
    return _fit(formats.gsm(values.short(text)))


def _link(text: str) -> str:
    parts = urlsplit(values.short(text))
    if parts.scheme != "https" or not parts.hostname:
        raise CellError("write an address that begins with https://")
    return _fit(text)


def _fit(text: str) -> str:
    for language in LANGUAGES:
        for finding in lint(text, language=language):
            raise CellError(f"texts name it, and {finding}")
    return text
