"""A CSV file of completed forms: whose, which, when, and a column for each score.

What forms' own systems save. `patient_id`, `form` and `filled_at` are needed; every other column is
a score of that name, and an empty cell of it a question that was left out.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from worker.intake import values
from worker.intake.sheet import Sheet
from worker.intake.table import CellError, Cells, Row, RowFault, Table, folded, read_table
from worker.intake.visits import Find, VisitPatient, patients_named
from worker.intake.written import PLAIN

REQUIRED = ("patient_id", "form", "filled_at")
HIGHEST = 999
#: More columns than any form has scores: the wrong file.
MOST_SCORES = 20
#: Clocks of other systems are not exact.
CLOCK_SLACK = timedelta(minutes=10)
# Headers are compared without case, blanks and marks; longer ones are no names of scores.
_SCORE = re.compile(r"[a-z][a-z0-9]{0,19}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRow:
    """One completed form as the file has it."""

    line: int
    patient: VisitPatient
    form: str
    at: datetime
    scores: Mapping[str, int] = field(repr=False)


def read_forms(content: bytes) -> Table:
    """Read the file as a table. Raises TableError for one that is none."""
    names = dict.fromkeys(folded(name) for name in Sheet(content).header)
    ours = {folded(name) for name in REQUIRED}
    scores = [name for name in names if name not in ours and _SCORE.fullmatch(name)]
    return read_table(content, required=REQUIRED, optional=scores[:MOST_SCORES])


class FormReader:
    """Reads rows in the order of the file; a form of one minute stands in it once.

    `forms` says which forms a clinic's protocols ask for.
    """

    def __init__(
        self, find: Find, forms: Callable[[UUID], frozenset[str]], *, now: datetime
    ) -> None:
        self._find, self._forms, self._now = find, forms, now
        self._seen: dict[tuple[UUID, str, datetime], int] = {}

    def read(self, rows: Iterable[Row]) -> tuple[list[FormRow], list[RowFault]]:
        """Return the rows that can be read, and the faults of all others."""
        found = [Cells(row) for row in rows]
        who = patients_named(found, self._find, PLAIN)
        good, faults = [], []
        for cells in found:
            read = None if cells.row.broken else self._read(cells, who)
            if read is not None:
                key = (read.patient.id, read.form, read.at)
                first = self._seen.setdefault(key, read.line)
                if first != read.line:
                    reason = f"this form of that minute stands on line {first} already"
                    cells.fault("filled_at", reason)
            if read is not None and not cells.faults:
                good.append(read)
            faults += cells.faults
        return good, faults

    def _read(self, cells: Cells, who: Callable[[str], VisitPatient]) -> FormRow | None:
        patient = cells.need("patient_id", who)
        scores = {
            name: score
            for name in cells.row.cells
            if name not in REQUIRED and (score := cells.read(name, _score)) is not None
        }
        if patient is None:
            return None
        form = cells.need("form", _form(self._forms(patient.clinic.id)))
        at = cells.need("filled_at", PLAIN.instant(patient.clinic.file.zone))
        if at is not None and at > self._now + CLOCK_SLACK:
            cells.fault("filled_at", "it lies in the future; a form is told of when it is done")
        if form is None or at is None:
            return None
        return FormRow(
            line=cells.row.line,
            patient=patient,
            form=form,
            at=min(at, self._now),
            scores=scores,
        )


def _form(known: frozenset[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not known:
            raise CellError("no protocol of the clinic asks for a form")
        return values.word(known)(text)

    return read


def _score(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > HIGHEST:
        raise CellError(f"a score is a whole number from 0 to {HIGHEST}")
    return int(text)
