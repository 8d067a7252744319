"""`patients.csv`: what each column says, as values.

Nothing here asks the database for anything but the clinics' files; `worker.intake.people` compares
the values with what is on record.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import partial
from typing import Any
from uuid import UUID

from records.vault import Vault
from schedules.clinic import ClinicFile
from schedules.protocol import Purpose
from schedules.staffing import Span
from worker.intake import tailored, twins, values
from worker.intake.table import CellError, Cells, Row, RowFault, near
from worker.intake.written import PLAIN, Written

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

_DIGEST_KIND = "import.patient"
_YES_OR_NO = ("sms_risk_ack", "phone_shared", "voicemail_ok", "interpreter", "shared_opt_in")
#: The columns that know a closed list of words, which a mapping file may translate into.
WORDS: Mapping[str, Callable[[str], Any]] = {
    "language": values.word(tailored.LANGUAGES),
    "timezone": values.zone,
    "consent_purposes": values.words(PURPOSES),
    "status": values.word(STATUSES),
    **dict.fromkeys(_YES_OR_NO, values.yes_no),
}


def _details_of(written: Written) -> Mapping[str, Callable[[str], Any]]:
    """Return the readers of what is kept sealed in the patient's profile."""
    return {
        "sms_risk_ack": values.yes_no,
        "voicemail_ok": values.yes_no,
        "interpreter": values.yes_no,
        "quit_date": written.day,
        "birth_date": written.birth,
        "steps_off": values.several,
        "cadence": tailored.cadences,
        "shared_opt_in": values.yes_no,
        "emergency_contact": written.short,
        "care_team": written.short,
        "substances": tailored.substances,
    }


#: The columns that are kept sealed in the patient's profile.
DETAILS = frozenset(_details_of(PLAIN))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClinic:
    """A clinic that rows may name."""

    id: UUID
    key: str
    file: ClinicFile


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRow:
    """One patient as the file has them. `columns` are those that the file has at all.

    A cell left empty is None: no zone known, no consent told. `names`: what the file calls them.
    """

    line: int
    names: Mapping[str, str] = field(repr=False)
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
    def told(self) -> Mapping[str, Any]:
        """What the file says of the patient beside their consent, by column, as plain JSON."""
        values_said = {
            "first_name": self.first_name,
            "phone": self.phone,
            "language": self.language,
            "timezone": self.timezone,
            "check_in_time": plain(self.check_in_time),
            "safe_hours": plain(self.safe_hours),
            "phone_shared": self.phone_shared or None,
            "status": self.status,
            **{column: plain(value) for column, value in self.details.items()},
        }
        return {name: value for name, value in values_said.items() if name in self.columns}

    @property
    def decisive(self) -> tuple[object, ...]:
        """Where texts go, in which language, and whether any may: by this two rows agree."""
        consent = (self.consent_method, self.consented_at, self.purposes)
        return (self.phone, self.language, self.timezone, self.phone_shared, self.status, consent)

    @property
    def canonical(self) -> str:
        """All that the row says, in one form: equal rows have equal digests."""
        consent = (self.consent_method, self.consented_at, self.purposes, self.consent_version)
        said = {**self.told, "consent": consent, "columns": sorted(self.columns)}
        return json.dumps(said, sort_keys=True, default=str)

    def digest(self, vault: Vault) -> str:
        """Return what tells this row from any that says something else."""
        # Keyed: a plain hash of a number would give the number away.
        return vault.blind(_DIGEST_KIND, self.canonical).hex()


def plain(value: Any) -> Any:
    """Return a cell's value as JSON holds it: times and spans in letters, nothing said as None."""
    if isinstance(value, Span):
        return f"{value.opens:%H:%M}-{value.closes:%H:%M}"
    if isinstance(value, time):
        return f"{value:%H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return list(value) or None
    return value


class PatientReader:
    """Reads rows in the order of the file; a patient stands in it once."""

    def __init__(
        self,
        columns: frozenset[str],
        clinics: Sequence[KnownClinic],
        *,
        now: datetime,
        written: Written = PLAIN,
    ) -> None:
        self._columns, self._written, self._now = columns, written, now
        self._clinics = {clinic.key: clinic for clinic in clinics}
        self._seen: dict[tuple[str, str], int] = {}
        self._contradicted: Mapping[int, str] = {}

    def look_ahead(self, groups: Iterable[Sequence[Row]]) -> "PatientReader":
        """Learn which lines about one patient contradict each other (`worker.intake.twins`)."""
        self._contradicted = twins.contradicted(map(self._said, groups), "patient")
        return self

    def _said(self, rows: Sequence[Row]) -> list[tuple[int, twins.Said]]:
        read = [(row.line, self._read(Cells(row))) for row in rows]
        return [
            (line, None if one is None else (one.clinic.key, one.decisive)) for line, one in read
        ]

    def read(self, rows: Iterable[Row]) -> tuple[list[PatientRow], list[RowFault]]:
        """Return the rows that can be read, and the faults of all others."""
        good, faults = [], []
        for row in rows:
            cells = Cells(row)
            read = None if row.broken else self._read(cells)
            if read is not None and read.line in self._contradicted:
                cells.fault("patient_id", self._contradicted[read.line])
            elif read is not None:
                first = self._seen.setdefault((read.clinic.key, read.external_id), row.line)
                if first != row.line:
                    cells.fault("patient_id", f"this patient stands on line {first} already")
            if read is not None and not cells.faults:
                good.append(read)
            faults += cells.faults
        return good, faults

    def _read(self, cells: Cells) -> PatientRow | None:
        written = self._written
        clinic = cells.need("clinic", partial(_clinic, self._clinics))
        external_id = cells.need("patient_id", written.identifier)
        first_name = cells.need("first_name", written.short)
        phone = cells.need("phone", written.phone)
        language = cells.read("language", WORDS["language"])
        timezone = cells.read("timezone", WORDS["timezone"])
        purposes = cells.read("consent_purposes", WORDS["consent_purposes"]) or ()
        method, consented_at = _consent(cells, clinic, purposes, written, self._now)
        version = cells.read("consent_version", written.short)
        check_in_time = cells.read("check_in_time", written.clock)
        safe_hours = cells.read("safe_hours", values.hours)
        shared = cells.read("phone_shared", values.yes_no) or False
        status = cells.read("status", WORDS["status"])
        details = _details(cells, written)
        if clinic is None or external_id is None or first_name is None or phone is None:
            return None
        return PatientRow(
            line=cells.row.line,
            names=cells.row.names,
            columns=self._columns,
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


def _clinic(known: Mapping[str, KnownClinic], text: str) -> KnownClinic:
    if text in known:
        return known[text]
    if not known:
        raise CellError("there is no clinic yet; run `aftercare clinic apply` first")
    raise CellError(f'there is no clinic "{text[:40]}"; {near(text, known)}')


def _consent(
    cells: Cells,
    clinic: KnownClinic | None,
    purposes: Sequence[str],
    written: Written,
    now: datetime,
) -> tuple[str | None, datetime | None]:
    """Read how and when consent was given; purposes without them are no consent."""
    method = cells.read("consent_method", _method)
    at = None
    if clinic is not None:
        at = cells.read("consented_at", written.instant_or_day(clinic.file.zone))
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


def _details(cells: Cells, written: Written) -> dict[str, Any]:
    """Return the cells that are kept sealed in the patient's profile, empty ones as None."""
    return {
        column: plain(cells.read(column, reader))
        for column, reader in _details_of(written).items()
        if column in cells.row.cells
    }
