"""CSV files on their way in: the table, and every nasty cell with its line, column and reason."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.base import new_id
from schedules.clinic import read_clinic
from tests.support.world import CLINIC, MONDAY_MORNING, NUMBER
from worker.intake import patients, twins, values, visits
from worker.intake.patients import KnownClinic, PatientReader
from worker.intake.table import CellError, TableError, read_table
from worker.intake.visits import VisitPatient, VisitReader

NEW_YORK = ZoneInfo("America/New_York")
_FILE = read_clinic(
    CLINIC.format(key="riverside", number=NUMBER, opens="09:00", closes="20:00"),
    "clinic.yaml",
    sandbox=True,
)
RIVERSIDE = KnownClinic(id=new_id(), key="riverside", file=_FILE)
GOOD_PATIENT = {
    "patient_id": "P1",
    "clinic": "riverside",
    "first_name": "Ana",
    "phone": "+12125550121",
    "language": "es",
    "timezone": "America/New_York",
    "consent_method": "paper",
    "consented_at": "2026-11-01",
    "consent_purposes": "visits;check_ins",
}
GOOD_VISIT = {
    "appointment_id": "A1",
    "patient_id": "P1",
    "kind": "dosing",
    "route": "iv",
    "starts_at": "2026-12-10T09:00",
    "ends_at": "2026-12-10T11:00",
    "status": "booked",
    "location": "Suite 4",
}


def _csv(*rows: dict[str, str]) -> str:
    columns = list(rows[0])
    lines = [columns, *([row[name] for name in columns] for row in rows)]
    return "\n".join(",".join(line) for line in lines) + "\n"


def _patients(text: str) -> tuple[list[patients.PatientRow], list[str]]:
    table = read_table(text.encode(), required=patients.REQUIRED, optional=patients.OPTIONAL)
    reader = PatientReader(table.columns, [RIVERSIDE], now=MONDAY_MORNING)
    rows, faults = reader.look_ahead(twins.groups(table, "patient_id")).read(table)
    return rows, [str(fault) for fault in faults]


def _visits(text: str) -> tuple[list[visits.VisitRow], list[str]]:
    table = read_table(text.encode(), required=visits.REQUIRED, optional=visits.OPTIONAL)
    people = {"P1": [VisitPatient(id=new_id(), clinic=RIVERSIDE)]}
    reader = VisitReader(table.columns, lambda _: (people, set()), now=MONDAY_MORNING)
    rows, faults = reader.look_ahead(twins.groups(table, "appointment_id")).read(table)
    return rows, [str(fault) for fault in faults]


def test_a_good_patient_row_is_read() -> None:
    """Every column as a value; a day of consent is its start at the clinic."""
    [row], faults = _patients(_csv(GOOD_PATIENT))
    assert faults == []
    assert (row.external_id, row.phone, row.language) == ("P1", "+12125550121", "es")
    assert row.purposes == ("visits", "check_ins")
    assert row.consented_at == datetime(2026, 11, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"patient_id": ""}, "line 2, column patient_id: it is empty"),
        ({"first_name": "  "}, "line 2, column first_name: it is empty"),
        (
            {"clinic": "riversid"},
            'line 2, column clinic: there is no clinic "riversid"; did you mean "riverside"?',
        ),
        (
            {"phone": "555"},
            "line 2, column phone: not a usable phone number: it is too short",
        ),
        (
            {"phone": "212-555-01AB"},
            (
                "line 2, column phone: not a usable phone number: it has letters in it; "
                "write the number without an extension"
            ),
        ),
        (
            {"language": "fr"},
            'line 2, column language: "fr" is not known here; it is one of en, es',
        ),
        (
            {"timezone": "EST"},
            'line 2, column timezone: "EST" is no time zone; did you mean "America/New_York"?',
        ),
        (
            {"timezone": "../../etc/passwd"},
            (
                'line 2, column timezone: "../../etc/passwd" is no time zone; '
                'write a name such as "America/New_York"'
            ),
        ),
        (
            {"consent_purposes": "visits;news"},
            (
                'line 2, column consent_purposes: "news" is not known here; '
                "it is one of visits, check_ins, health_questions"
            ),
        ),
        (
            {"consent_method": ""},
            (
                "line 2, column consent_method: it is empty, and consent_purposes names some: "
                "say how and when"
            ),
        ),
        ({"consented_at": "2027-01-01"}, "line 2, column consented_at: it lies in the future"),
        (
            {"consented_at": "2026-02-30"},
            "line 2, column consented_at: there is no such day in the calendar",
        ),
        (
            {"consented_at": "3/4/2026"},
            (
                "line 2, column consented_at: day and month can stand here either way round; state "
                "the form in a mapping file (--map, formats: {date: MM/DD/YYYY}), or write the day "
                "as 2026-12-01"
            ),
        ),
    ],
)
def test_a_bad_patient_cell_is_named(change: dict[str, str], fault: str) -> None:
    """Line, column, reason; the row is refused, and a number is never repeated."""
    rows, faults = _patients(_csv({**GOOD_PATIENT, **change}))
    assert rows == []
    assert fault in faults


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("check_in_time", "25:00", "there is no such time; write it as 17:00"),
        ("check_in_time", "evening", "write the time as 17:00"),
        ("phone_shared", "perhaps", "write yes or no"),
        ("birth_date", "long ago", "write the day as 2026-12-01"),
        ("quit_date", "2026-13-01", "there is no such day in the calendar"),
        ("status", "actve", '"actve" is not known here; did you mean "active"?'),
        ("care_team", "x" * 201, "it is longer than 200 letters"),
    ],
)
def test_a_bad_optional_cell_is_named(column: str, text: str, reason: str) -> None:
    """Optional columns are read as strictly as the others."""
    rows, faults = _patients(_csv({**GOOD_PATIENT, column: text}))
    assert (rows, faults) == ([], [f"line 2, column {column}: {reason}"])


def test_every_fault_of_a_row_is_told_at_once() -> None:
    """Nobody wants to import a file five times."""
    wrong = {"phone": "1", "language": "xx", "timezone": "Mars"}
    bad = {**GOOD_PATIENT, "patient_id": "P2", **wrong}
    _, faults = _patients(_csv(GOOD_PATIENT, bad))
    assert [fault.split(":")[0] for fault in faults] == [
        "line 3, column phone",
        "line 3, column language",
        "line 3, column timezone",
    ]


def test_a_patient_stands_in_a_file_once() -> None:
    """The second row is refused, not the first."""
    rows, faults = _patients(_csv(GOOD_PATIENT, {**GOOD_PATIENT, "first_name": "Eva"}))
    assert [row.first_name for row in rows] == ["Ana"]
    assert faults == ["line 3, column patient_id: this patient stands on line 2 already"]


_TWO = "line {}, column {}: this {} stands on line {} as well, and they do not say the same"


def test_of_two_lines_with_two_numbers_of_a_patient_none_is_taken() -> None:
    """One of the numbers is somebody else's by now, and nobody can tell which."""
    rows, faults = _patients(_csv(GOOD_PATIENT, {**GOOD_PATIENT, "phone": "+12125550122"}))
    assert rows == []
    told = [fault.split(": none of")[0] for fault in faults]
    assert told == [_TWO.format(line, "patient_id", "patient", 5 - line) for line in (2, 3)]


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ({"starts_at": "2026-12-09T09:00"}, 0),
        ({"status": "cancelled"}, 0),
        # What can't be read may be what holds.
        ({"status": "Bumped"}, 0),
        ({"location": "Suite 5"}, 1),
        ({}, 1),
    ],
)
def test_of_two_lines_of_a_visit_that_do_not_agree_none_is_taken(
    other: dict[str, str], taken: int
) -> None:
    """The old row of a visit that was moved stands first: its patient came on the wrong day."""
    rows, faults = _visits(_csv(GOOD_VISIT, {**GOOD_VISIT, **other}))
    assert len(rows) == taken
    assert ("they do not say the same" in faults[0]) == (not taken)


def test_a_visits_id_may_be_that_of_two_clinics() -> None:
    """Two systems in one file count from one: these are two visits."""
    text = _csv(GOOD_VISIT, {**GOOD_VISIT, "patient_id": "P2", "status": "arrived"})
    table = read_table(text.encode(), required=visits.REQUIRED, optional=visits.OPTIONAL)
    lakeside = replace(RIVERSIDE, id=new_id(), key="lakeside")
    people = {
        "P1": [VisitPatient(id=new_id(), clinic=RIVERSIDE)],
        "P2": [VisitPatient(id=new_id(), clinic=lakeside)],
    }
    reader = VisitReader(table.columns, lambda _: (people, set()), now=MONDAY_MORNING)
    rows, faults = reader.look_ahead(twins.groups(table, "appointment_id")).read(table)
    assert (len(rows), faults) == (2, [])


def test_a_good_visit_row_is_read() -> None:
    """A time without an offset is the clinic's."""
    [row], faults = _visits(_csv(GOOD_VISIT))
    assert faults == []
    assert row.starts_at == datetime(2026, 12, 10, 14, tzinfo=UTC)
    assert (row.setting, row.modality, row.dose_number) == ("clinic", "in_person", None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"patient_id": "P9"}, "patient_id: there is no such patient; import patients first"),
        ({"appointment_id": ""}, "appointment_id: it is empty"),
        ({"kind": "dose"}, 'kind: "dose" is not known here; did you mean "dosing"?'),
        ({"route": "oral"}, 'route: "oral" is not known here; it is one of iv, im, lozenge'),
        ({"status": "bookd"}, 'status: "bookd" is not known here; did you mean "booked"?'),
        ({"status": ""}, "status: it is empty"),
        ({"ends_at": ""}, "ends_at: it is empty"),
        ({"ends_at": "2026-12-10T09:00"}, "ends_at: it is not after starts_at"),
        (
            {"ends_at": "2026-12-12T11:00"},
            "ends_at: it is more than a day after starts_at; check the date",
        ),
        (
            {"starts_at": "2062-12-10T09:00", "ends_at": "2062-12-10T11:00"},
            "starts_at: it is more than three years ahead; check the year",
        ),
        (
            {"starts_at": "2027-03-14T02:30", "ends_at": "2027-03-14T05:00"},
            (
                "starts_at: the clocks in America/New_York skip 02:30 on that day; "
                "write 03:30 if an hour later is meant, or give the offset"
            ),
        ),
        (
            {"starts_at": "2027-11-07T01:30", "ends_at": "2027-11-07T05:00"},
            (
                "starts_at: 01:30 comes twice on that day in America/New_York; write "
                "2027-11-07T01:30-04:00 for the first, 2027-11-07T01:30-05:00 for the second"
            ),
        ),
        ({"starts_at": "2026-12-10"}, "starts_at: write the time as 2026-12-01T09:00, or with"),
        ({"starts_at": "2026-12-10T24:30"}, "starts_at: there is no such day or time"),
        ({"location": "Ketamine Suite"}, "location: texts name it, and 'Ketamin'"),
        ({"location": "CityInfusion Suite"}, "location: texts name it, and 'Infusion' at letter 5"),
        ({"location": "Centro de Recuperacion"}, "location: texts name it, and 'Recuperacion'"),
        ({"join_link": "https://NoMeth.test/x"}, "join_link: texts name it, and 'Meth'"),
    ],
)
def test_a_bad_visit_cell_is_named(change: dict[str, str], fault: str) -> None:
    """Line, column, reason, and the mend where there is one."""
    rows, faults = _visits(_csv({**GOOD_VISIT, **change}))
    assert rows == []
    assert any(each.startswith(f"line 2, column {fault}") for each in faults), faults


@pytest.mark.parametrize(
    ("column", "text"),
    [("modality", "phone"), ("join_link", "http://x"), ("setting", "car"), ("dose_number", "0")],
)
def test_a_bad_optional_visit_cell_is_named(column: str, text: str) -> None:
    """A link without encryption, among others."""
    rows, [fault] = _visits(_csv({**GOOD_VISIT, column: text}))
    assert (rows, fault.startswith(f"line 2, column {column}: ")) == ([], True)


def test_words_are_taken_in_any_case_and_offsets_in_any_form() -> None:
    """What spreadsheets and people write, where it can be read in one way only."""
    change = {"kind": "Dosing", "status": "BOOKED", "starts_at": "2026-12-10 09:00:00-0500"}
    [row], _ = _visits(_csv({**GOOD_VISIT, **change}))
    assert (row.kind, row.status) == ("dosing", "booked")
    assert row.starts_at == datetime(2026, 12, 10, 14, tzinfo=UTC)


def test_a_place_is_kept_in_letters_that_phones_take() -> None:
    """An á would halve the length of every text that names it."""
    [row], _ = _visits(_csv({**GOOD_VISIT, "location": "Sala Málaga"}))
    assert row.details["location"] == "Sala Malaga"


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        "\ufeffa,b\r\n1,2\r\n".encode(),
        b"a;b\n1;2\n",
        b"a\tb\n\n1\t2\n",
        b'a,b\n"1","2"',
        b"A , B\n 1 , 2 \n",
        "a,b\n1,2\n".encode("utf-16"),
    ],
)
def test_what_spreadsheets_save_is_read(content: bytes) -> None:
    """Marks, semicolons, tabs, quotes, spaces, blank lines, UTF-16."""
    table = read_table(content, required=("a", "b"), optional=())
    assert [dict(row.cells) for row in table] == [{"a": "1", "b": "2"}]


def test_windows_1252_is_read() -> None:
    """Excel's CSV on a Windows machine."""
    [row] = read_table("a\nJosé\n".encode("cp1252"), required=("a",), optional=())
    assert row.cells["a"] == "José"


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """Blank lines and line breaks in quotes included; a short row is told, the others are read."""
    text = 'a,b\n\n"x\ny",1\nonly\n3,4\n'
    rows = list(read_table(text.encode(), required=("a", "b"), optional=()))
    assert [row.line for row in rows if not row.broken] == [3, 6]
    [fault] = [str(fault) for row in rows for fault in row.faults]
    assert fault.startswith("line 5: it has 1 cells, and there are 2 columns; complete the line; ")


@given(st.text(max_size=200))
def test_any_text_is_a_table_or_a_fault(text: str) -> None:
    """Nothing that a file holds ends in a traceback."""
    with suppress(TableError):
        list(read_table(text.encode("utf-8", "replace"), required=("a",), optional=("b",)))


@given(st.text(max_size=30))
def test_any_cell_is_an_instant_or_a_fault(text: str) -> None:
    """And what is read is in UTC."""
    with suppress(CellError):
        assert values.instant(NEW_YORK)(text).tzinfo is UTC


@given(st.integers(0, 3 * 366 * 24 * 60))
def test_a_local_time_comes_back_or_is_refused(minutes: int) -> None:
    """No time is moved silently across a change of the clocks."""
    wall = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(minutes=minutes)
    with suppress(CellError):
        read = values.instant(NEW_YORK)(wall.isoformat(timespec="minutes"))
        assert read.astimezone(NEW_YORK).replace(tzinfo=None) == wall
