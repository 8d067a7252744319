"""Files as record systems and spreadsheets save them, each with what becomes of it.

`tests/worker/imports/` holds exports of imaginary systems, most of them nasty: a CSV, its mapping
where it has one, and beside it what is read and refused, line by line. `examples/imports/` holds
those of the documentation.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from records.base import new_id
from schedules.clinic import read_clinic
from tests.support.source import ROOT
from tests.support.world import CLINIC, MONDAY_MORNING, NUMBER
from worker.intake import patients, visits
from worker.intake.mapping import MappingFile, read_mapping
from worker.intake.patients import KnownClinic, PatientReader, PatientRow
from worker.intake.table import Table, TableError, read_table
from worker.intake.visits import VisitPatient, VisitReader, VisitRow
from worker.intake.written import PLAIN

SAMPLES = sorted((Path(__file__).parent / "imports").glob("*.csv"))
EXAMPLES = sorted((ROOT / "examples" / "imports").glob("*.csv"))
_FILE = read_clinic(
    CLINIC.format(key="riverside", number=NUMBER, opens="09:00", closes="20:00"),
    "clinic.yaml",
    sandbox=True,
)
RIVERSIDE = KnownClinic(id=new_id(), key="riverside", file=_FILE)


def outcome(path: Path) -> list[str]:
    """Return what is read of a file, and what is refused, a line each."""
    kind = "patients" if "patients" in path.stem else "appointments"
    try:
        return list(_read(path, kind))
    except TableError as error:
        return [f"refused: {line}" for line in str(error).splitlines()]


def _read(path: Path, kind: str) -> Iterator[str]:
    mapping = _mapping(path.with_suffix(".yaml"), kind)
    written = mapping.written if mapping else PLAIN
    table = _table(path.read_bytes(), kind, mapping)
    if kind == "patients":
        reader = PatientReader(table.columns, [RIVERSIDE], now=MONDAY_MORNING, written=written)
        people, faults = reader.read(table)
        yield from map(_patient, people)
    else:
        known = VisitReader(table.columns, _anybody_but_p7, now=MONDAY_MORNING, written=written)
        booked, faults = known.read(table)
        yield from map(_visit, booked)
    yield from map(str, faults)
    if table.layout.unused:
        yield f"unused: {', '.join(table.layout.unused)}"


def _mapping(path: Path, kind: str) -> MappingFile | None:
    return read_mapping(path.read_text("utf-8"), path.name, kind) if path.exists() else None


def _table(content: bytes, kind: str, mapping: MappingFile | None) -> Table:
    if mapping is not None:
        return mapping.table(content)
    columns = patients if kind == "patients" else visits
    return read_table(content, required=columns.REQUIRED, optional=columns.OPTIONAL)


def _anybody_but_p7(names: set[str]) -> tuple[dict[str, list[VisitPatient]], set[str]]:
    known = names - {"P7"}
    return {name: [VisitPatient(id=new_id(), clinic=RIVERSIDE)] for name in known}, set()


def _patient(row: PatientRow) -> str:
    agreed = f"{row.consent_method} {_at(row.consented_at)} {';'.join(row.purposes)}"
    details = {name: value for name, value in row.details.items() if value is not None}
    rest = [row.language, row.timezone, row.check_in_time, row.status, details or None]
    said = " ".join(str(each) for each in rest if each is not None)
    return f"{row.line}: {row.external_id} {row.first_name} {row.phone} {agreed} {said}"


def _visit(row: VisitRow) -> str:
    times = f"{_at(row.starts_at)} {_at(row.ends_at)}"
    place = row.details["location"] or "-"
    said = f"{row.kind} {row.route or '-'} {times} {row.status} {row.modality} {place}"
    return f"{row.line}: {row.external_id} {said}"


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%dT%H:%MZ}" if instant else "-"


@pytest.mark.parametrize("path", [*SAMPLES, *EXAMPLES], ids=lambda path: path.stem)
def test_a_sample_file_has_the_outcome_beside_it(path: Path) -> None:
    """What is kept, with its values; what is refused, with line, column and mend."""
    expected = Path(__file__).parent / "imports" / f"{path.stem}.expected"
    assert outcome(path) == expected.read_text("utf-8").splitlines()


def test_no_outcome_repeats_a_bad_number() -> None:
    """A fault is read aloud over a shoulder: it says which line and column, and not the cell."""
    for path in SAMPLES:
        told = [line for line in outcome(path) if line.startswith(("line ", "refused"))]
        assert not [line for line in told if "555" in line], path.name
