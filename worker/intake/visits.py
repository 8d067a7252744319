"""`appointments.csv`: what each column says, as values.

A time is local to the clinic unless it carries an offset, so that a row can be read only once its
patient, and with them its clinic, is known: the reader asks for whom a handful of rows may mean.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from messages import formats
from messages.lint import lint_name
from schedules import terms
from schedules.facts import VisitStatus
from schedules.loader import SETTINGS, VISIT_KINDS
from worker.intake import twins, values
from worker.intake.patients import KnownClinic
from worker.intake.table import CellError, Cells, Row, RowFault
from worker.intake.tailored import LANGUAGES
from worker.intake.written import PLAIN, Written

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
#: The columns that know a closed list of words, which a mapping file may translate into.
WORDS: Mapping[str, Callable[[str], Any]] = {
    "kind": values.word(VISIT_KINDS),
    # Which there are is for the clinic of each row to say.
    "route": values.name,
    "status": values.word(STATUSES),
    "modality": values.word(MODALITIES),
    "setting": values.word(SETTINGS),
}
#: A visit further ahead is a slip of the year, and one longer than a day a slip of the date.
FURTHEST = timedelta(days=3 * 366)
LONGEST = timedelta(hours=24)
# An end told by the visit's length: "+90", "+90 min", "+1:30".
_LENGTH = re.compile(
    r"\+\s*(?:(?P<hours>\d{1,2}):(?P<minutes>\d{2})|(?P<alone>\d{1,4})(?:\.0+)?\s*(?:m|min\w*)?\.?)",
    re.IGNORECASE,
)
_UNKNOWN = "there is no such patient; import patients first"
_ZEROS_LOST = (
    "there is no such patient, but one whose id differs by zeros in front: a spreadsheet drops "
    "them; format the column as text and export again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPatient:
    """The patient a row names, as far as reading the row needs them."""

    id: UUID
    clinic: KnownClinic


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """One visit as the file has it. `columns` are those that the file has at all."""

    line: int
    names: Mapping[str, str] = field(repr=False)
    columns: frozenset[str]
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
    def told(self) -> Mapping[str, Any]:
        """What the file says of the visit beside its status, by column, as plain JSON."""
        said = {
            "kind": self.kind,
            "route": self.route,
            "starts_at": span(self.starts_at, self.ends_at),
            "setting": self.setting,
            "modality": self.modality,
            "dose_number": self.dose_number,
            **self.details,
        }
        return {name: value for name, value in said.items() if name in self.columns}

    @property
    def decisive(self) -> tuple[object, ...]:
        """Who is to come when and to what: by this two rows of one visit agree."""
        where = (self.route, self.setting, self.modality)
        return (self.patient.id, self.kind, self.status, self.starts_at, *where)

    @property
    def canonical(self) -> str:
        """All that the row says, in one form: equal rows have equal digests."""
        said = {**self.told, "status": self.status, "columns": sorted(self.columns)}
        return json.dumps(said, sort_keys=True)


def span(starts_at: datetime, ends_at: datetime) -> list[str]:
    """Return start and end, which move together, as plain JSON (UTC)."""
    return [starts_at.isoformat(), ends_at.isoformat()]


#: Finds whom some of the file's patient ids may mean. The second set: ids that nobody has, but
#: somebody has one that differs by zeros in front.
Find = Callable[[set[str]], tuple[Mapping[str, Sequence[VisitPatient]], set[str]]]


def patients_named(
    rows: Iterable[Cells], find: Find, written: Written
) -> Callable[[str], VisitPatient]:
    """Return what reads a patient_id of these rows as the one patient whom it names."""

    def name_of(text: str) -> str:
        try:
            return written.identifier(text)
        except CellError:
            return ""

    whole = (cells for cells in rows if not cells.row.broken)
    people, misspelt = find({name_of(cells.text("patient_id")) for cells in whole} - {""})

    def read(text: str) -> VisitPatient:
        name = written.identifier(text)
        found = people.get(name, ())
        if not found:
            raise CellError(_ZEROS_LOST if name in misspelt else _UNKNOWN)
        if len(found) > 1:
            keys = ", ".join(sorted(each.clinic.key for each in found))
            raise CellError(f"several clinics have this patient_id ({keys}); add --clinic")
        return found[0]

    return read


class VisitReader:
    """Reads rows in the order of the file; a visit stands in it once.

    `named` are the ids of all visits that stand in it, also on lines that can't be used, and
    `unnamed` the lines of which not even that is known.
    """

    def __init__(
        self, columns: frozenset[str], find: Find, *, now: datetime, written: Written = PLAIN
    ) -> None:
        self._columns, self._find, self._now, self._written = columns, find, now, written
        self._seen: dict[tuple[UUID, str], int] = {}
        self._contradicted: Mapping[int, str] = {}
        self.named: set[str] = set()
        self.unnamed: list[int] = []

    def look_ahead(self, groups: Iterable[Sequence[Row]]) -> "VisitReader":
        """Learn which lines about one visit contradict each other (`worker.intake.twins`)."""
        self._contradicted = twins.contradicted(map(self._said, groups), "visit")
        return self

    def _said(self, rows: Sequence[Row]) -> list[tuple[int, twins.Said]]:
        # A reader of its own: what stands in the file is noted when the rows are really read.
        ahead = VisitReader(self._columns, self._find, now=self._now, written=self._written)
        found = [Cells(row) for row in rows]
        who = patients_named(found, self._find, self._written)
        read = [(cells, ahead._read(cells, who)) for cells in found]
        return [
            (cells.row.line, None if one is None else (one.patient.clinic.id, one.decisive))
            for cells, one in read
        ]

    def read(self, rows: Iterable[Row]) -> tuple[list[VisitRow], list[RowFault]]:
        """Return the rows that can be read, and the faults of all others."""
        found = [Cells(row) for row in rows]
        who = patients_named(found, self._find, self._written)
        good, faults = [], []
        for cells in found:
            read = self._read(cells, who)
            if read is not None and read.line in self._contradicted:
                cells.fault("appointment_id", self._contradicted[read.line])
            elif read is not None:
                first = self._seen.setdefault((read.patient.clinic.id, read.external_id), read.line)
                if first != read.line:
                    cells.fault("appointment_id", f"this visit stands on line {first} already")
            if read is not None and not cells.faults:
                good.append(read)
            faults += cells.faults
        return good, faults

    def _visit_id(self, cells: Cells) -> str | None:
        found = cells.need("appointment_id", self._written.identifier)
        if found is None:
            self.unnamed.append(cells.row.line)
        else:
            self.named.add(found)
        return found

    def _read(self, cells: Cells, who: Callable[[str], VisitPatient]) -> VisitRow | None:
        if cells.row.broken:
            self.unnamed.append(cells.row.line)
            return None
        patient = cells.need("patient_id", who)
        external_id = self._visit_id(cells)
        kind = cells.need("kind", WORDS["kind"])
        status = cells.need("status", WORDS["status"])
        times = _span(cells, patient, self._written, self._now)
        rest = self._rest(cells, patient)
        if patient is None or external_id is None or kind is None or status is None:
            return None
        if times is None:
            return None
        return VisitRow(
            line=cells.row.line,
            names=cells.row.names,
            columns=self._columns,
            patient=patient,
            external_id=external_id,
            kind=kind,
            status=status,
            starts_at=times[0],
            ends_at=times[1],
            **rest,
        )

    def _rest(self, cells: Cells, patient: VisitPatient | None) -> dict[str, Any]:
        """Read what a visit may do without."""
        known = patient.clinic.file.terms if patient else terms.shipped()
        return {
            "route": cells.read("route", values.word(known.route_names)),
            "modality": cells.read("modality", WORDS["modality"]) or "in_person",
            "setting": cells.read("setting", WORDS["setting"]) or "clinic",
            "dose_number": cells.read("dose_number", self._dose_number),
            "details": {
                "location": cells.read("location", _place),
                "provider": cells.read("provider", values.short),
                "join_link": cells.read("join_link", _link),
            },
        }

    def _dose_number(self, text: str) -> int:
        number = self._written.identifier(text)
        if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 500:
            raise CellError("write a whole number, 1 for the first dose")
        return int(number)


def _span(
    cells: Cells, patient: VisitPatient | None, written: Written, now: datetime
) -> tuple[datetime, datetime] | None:
    # Without a patient the clinic's zone is unknown; what UTC can tell is still told.
    zone = patient.clinic.file.zone if patient else ZoneInfo("UTC")
    read = written.instant(zone)
    starts_at = cells.need("starts_at", read)

    def end(text: str) -> datetime:
        if not text.startswith("+"):
            return read(text)
        # Without a start there is a fault already, and any length will do.
        return (starts_at or now) + _length(text)

    ends_at = cells.need("ends_at", end)
    if starts_at is None or ends_at is None:
        return None
    if starts_at > now + FURTHEST:
        cells.fault("starts_at", "it is more than three years ahead; check the year")
    if ends_at <= starts_at:
        cells.fault("ends_at", "it is not after starts_at")
    elif ends_at - starts_at > LONGEST:
        cells.fault("ends_at", "it is more than a day after starts_at; check the date")
    return starts_at, ends_at


def _length(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise CellError("write the end as a time, or the length in minutes as +90")
    if found["alone"]:
        return timedelta(minutes=int(found["alone"]))
    return timedelta(hours=int(found["hours"]), minutes=int(found["minutes"]))


def _place(text: str) -> str:
    """Read a place as texts will name it: in letters that phones take, saying nothing private."""
    return _fit(formats.gsm(values.short(text)))


def _link(text: str) -> str:
    try:
        parts = urlsplit(values.short(text))
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or parts.scheme != "https":
        raise CellError("write an address that begins with https://")
    return _fit(text)


def _fit(text: str) -> str:
    for language in LANGUAGES:
        for finding in lint_name(text, language=language):
            raise CellError(f"texts name it, and {finding}")
    return text
