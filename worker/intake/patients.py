"""`patients.csv`: what each column says, as values.

Nothing here asks the database for anything but the clinics' files; `worker.intake.people` compares
the values with what is on record.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from schedules.clinic import ClinicFile
from schedules.protocol import Purpose
from schedules.staffing import Span
from worker.intake import tailored, values
from worker.intake.table import CellError, Cells, RowFault, Table, near

REQUIRED = (
    "patient_id",
    "clinic",
    "first_name",
    "phone",
    "language",
    "timezone",
    "consent_method",
    "consented_at",
    "consent_purposes",
)
OPTIONAL = (
    "consent_version",
    "sms_risk_ack",
    "substances",
    "quit_date",
    "check_in_time",
    "phone_shared",
    "voicemail_ok",
    "interpreter",
    "safe_hours",
    "emergency_contact",
    "care_team",
    "birth_date",
    "status",
    "steps_off",
    "cadence",
    "shared_opt_in",
)
PURPOSES = tuple(purpose.value for purpose in Purpose)
#: What the status column may say; the last five end or hold texts for the reason they name.
STATUSES = ("active", "held", "closed", "deceased", "discharged", "transferred")

_DETAILS: Mapping[str, Callable[[str], Any]] = {
    "sms_risk_ack": values.yes_no,
    "voicemail_ok": values.yes_no,
    "interpreter": values.yes_no,
    "quit_date": values.day,
    "birth_date": values.day,
    "steps_off": values.several,
    "cadence": tailored.cadences,
    "shared_opt_in": values.yes_no,
    "emergency_contact": values.short,
    "care_team": values.short,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClinic:
    """A clinic that rows may name."""

    id: UUID
    key: str
    file: ClinicFile


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRow:
    """One patient as the file has them. `columns` are those that the file has at all.

    A cell left empty is None: no zone known, no consent told.
    """

    line: int
    columns: frozenset[str]
    clinic: KnownClinic
    external_id: str = field(repr=False)
    first_name: str = field(repr=False)
    phone: str = field(repr=False)
    language: str
    timezone: str | None
    consent_method: str | None
    consented_at: datetime | None
    purposes: tuple[str, ...]
    consent_version: str | None
    check_in_time: time | None
    safe_hours: Span | None = field(repr=False)
    phone_shared: bool
    status: str | None
    details: Mapping[str, Any] = field(repr=False)

    @property
    def lacks_the_warning(self) -> bool:
        """Whether the clinic asks for an acknowledged risk warning and the row tells of none."""
        return self.clinic.file.require_sms_risk_ack and not self.details.get("sms_risk_ack")

    @property
    def canonical(self) -> str:
        """All that the row says, in one form: equal rows have equal digests."""
        said = {name: getattr(self, name) for name in _SAID}
        return json.dumps({**said, "columns": sorted(self.columns)}, sort_keys=True, default=str)


_SAID = (
    "first_name",
    "phone",
    "language",
    "timezone",
    "consent_method",
    "consented_at",
    "purposes",
    "consent_version",
    "check_in_time",
    "safe_hours",
    "phone_shared",
    "status",
    "details",
)


def read_rows(
    table: Table, clinics: Sequence[KnownClinic], *, now: datetime
) -> tuple[list[PatientRow], list[RowFault]]:
    """Return the rows that can be read, and the faults of all others."""
    by_key = {clinic.key: clinic for clinic in clinics}
    seen: dict[tuple[str, str], int] = {}
    rows, faults = [], list(table.faults)
    for row in table.rows:
        cells = Cells(row)
        read = _read(cells, frozenset(table.columns), by_key, now)
        if read is not None:
            first = seen.setdefault((read.clinic.key, read.external_id), row.line)
            if first != row.line:
                cells.fault("patient_id", f"this patient stands on line {first} already")
        if read is not None and not cells.faults:
            rows.append(read)
        faults += cells.faults
    return rows, faults


def _clinic(known: Mapping[str, KnownClinic], text: str) -> KnownClinic:
    if text in known:
        return known[text]
    if not known:
        raise CellError("there is no clinic yet; run `aftercare clinic apply` first")
    raise CellError(f'there is no clinic "{text[:40]}"; {near(text, known)}')


def _read(
    cells: Cells, columns: frozenset[str], clinics: Mapping[str, KnownClinic], now: datetime
) -> PatientRow | None:
    clinic = cells.need("clinic", partial(_clinic, clinics))
    external_id = cells.need("patient_id", values.short)
    first_name = cells.need("first_name", values.short)
    phone = cells.need("phone", values.phone_number)
    language = cells.read("language", values.word(tailored.LANGUAGES))
    timezone = cells.read("timezone", values.zone(tailored.is_zone))
    purposes = cells.read("consent_purposes", values.words(PURPOSES)) or ()
    method, consented_at = _consent(cells, clinic, purposes, now)
    version = cells.read("consent_version", values.short)
    check_in_time = cells.read("check_in_time", values.clock)
    safe_hours = cells.read("safe_hours", values.hours)
    shared = cells.read("phone_shared", values.yes_no) or False
    status = cells.read("status", values.word(STATUSES))
    details = _details(cells)
    if clinic is None or external_id is None or first_name is None or phone is None:
        return None
    return PatientRow(
        line=cells.row.line,
        columns=columns,
        clinic=clinic,
        external_id=external_id,
        first_name=first_name,
        phone=phone,
        language=language or clinic.file.languages[0],
        timezone=timezone,
        consent_method=method,
        consented_at=consented_at,
        purposes=purposes,
        consent_version=version,
        check_in_time=check_in_time,
        safe_hours=safe_hours,
        phone_shared=shared,
        status=status,
        details=details,
    )


def _consent(
    cells: Cells, clinic: KnownClinic | None, purposes: Sequence[str], now: datetime
) -> tuple[str | None, datetime | None]:
    """Read how and when consent was given; purposes without them are no consent."""
    method = cells.read("consent_method", _method)
    at = None
    if clinic is not None:
        at = cells.read("consented_at", values.instant_or_day(ZoneInfo(clinic.file.timezone)))
    if at is not None and at > now:
        cells.fault("consented_at", "it lies in the future")
    if purposes:
        for column in ("consent_method", "consented_at"):
            if not cells.text(column):
                reason = "it is empty, and consent_purposes names some: say how and when"
                cells.fault(column, reason)
    return method, at


def _method(text: str) -> str:
    return "_".join(values.short(text).casefold().split())


def _details(cells: Cells) -> dict[str, Any]:
    """Return the cells that are kept sealed in the patient's profile, empty ones as None."""
    found: dict[str, Any] = {}
    for column, reader in _DETAILS.items():
        if column in cells.row.cells:
            value = cells.read(column, reader)
            found[column] = value.isoformat() if isinstance(value, date) else value
    if "substances" in cells.row.cells:
        found["substances"] = tailored.substances(cells.text("substances"))
    return found
