"""Mapping files: their faults, what undoes them, and files that are spoiled on the way."""

import csv
import io
import re
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.base import new_id
from schedules.errors import FileFaults
from tests.support.source import ROOT
from tests.support.world import MONDAY_MORNING
from tests.worker.test_import_samples import RIVERSIDE
from worker.intake import mapping as language
from worker.intake import rejects, visits
from worker.intake.mapping import MappingError, MappingFile, read_mapping
from worker.intake.patients import OPTIONAL, REQUIRED, PatientReader, PatientRow
from worker.intake.sheet import DELIMITERS, Sheet
from worker.intake.table import CellError, RowFault, TableError, read_table
from worker.intake.visits import VisitPatient, VisitReader, VisitRow
from worker.intake.written import DateForm, Written

NEW_YORK = ZoneInfo("America/New_York")
PLAIN_MAP = """for: appointments
columns:
  appointment_id: Visit
  patient_id: Who
  starts_at: {date: Day, time: Hour}
  ends_at: {minutes: Length}
  kind: What
  status: State
  location: Room
constants: {route: iv}
formats: {date: MM/DD/YYYY}
words:
  status: {Open: booked}
"""


def test_a_mapping_is_read() -> None:
    """Columns, constants, words and forms."""
    found = read_mapping(PLAIN_MAP, "m.yaml", "appointments")
    assert found.sources["starts_at"].columns == ("Day", "Hour")
    assert (found.constants, found.words) == ({"route": "iv"}, {"status": {"open": "booked"}})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("for: appointments", "for: patients", "m.yaml:1: mapping: this mapping is for patients"),
        ("columns:", "colums:", "m.yaml:2: mapping: `colums` is not a key here. Did you mean"),
        ("  kind: What", "  kinds: What", "m.yaml:7: columns: `kinds` is not a key here"),
        ("  kind: What", "  kind:", "m.yaml:7: columns: `kind` names no column"),
        ("time: Hour", "tim: Hour", "m.yaml:5: starts_at: `tim` is not a key here"),
        ("{route: iv}", "{route: by mouth}", 'for route, "by mouth" is no name'),
        ("{route: iv}", "{status: sure}", 'm.yaml:10: constants: for status, "sure" is not known'),
        ("{route: iv}", "{kind: dosing}", "`kind` stands under columns: and under constants:"),
        ("{route: iv}", "{ends_at: 11:00}", "not every visit ends at one time"),
        ("MM/DD/YYYY", "MM/DD", "m.yaml:11: formats: `MM/DD` is no form: a date's form has"),
        ("MM/DD/YYYY", "MMMM D YYYY", "m.yaml:11: formats: `MMMM D YYYY` is no form"),
        ("date: MM/DD/YYYY", "zone: EST", "m.yaml:11: formats: `EST` is no time zone"),
        ("date: MM/DD/YYYY", "phone: XX", "m.yaml:11: formats: `XX` is no country"),
        ("date: MM/DD/YYYY", "time: noon", "Known are 24-hour; 12-hour; HHMM"),
        ("Open: booked", "Open: bookd", 'm.yaml:13: words for status: for status, "bookd" is not'),
        ("Open: booked", '"": booked', "m.yaml:13: words for status: an empty cell stands for no"),
        ("Open: booked", 'Open: ""', "m.yaml:13: words for status: for status"),
        ("Open: booked", "Open: booked, OPEN: booked", "`OPEN` stands here twice"),
        ("for: appointments", "- a\n- b\n#", "this is not readable YAML"),
        (PLAIN_MAP, "just words", "a mapping is a list of `key: value` lines"),
    ],
)
def test_a_faulty_mapping_is_refused_by_line(old: str, new: str, said: str) -> None:
    """Before anything of the file is read; with the mend."""
    with pytest.raises(FileFaults) as raised:
        read_mapping(PLAIN_MAP.replace(old, new), "m.yaml", "appointments")
    assert said in str(raised.value)


def test_every_fault_of_a_mapping_is_told_at_once() -> None:
    """Nobody wants to try five times."""
    faulty = PLAIN_MAP.replace("kind: What", "kinds: What").replace("Open: booked", "Open: x")
    with pytest.raises(MappingError) as raised:
        read_mapping(faulty, "m.yaml", "appointments")
    assert len(raised.value.faults) == 2


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Visit,Who,Day,Hour,Length,What,State", '"Room" here, which the mapping names for'),
        ("Visit,Who,Day,Hour,Length,What,State,Rom", 'did you mean "Rom"?'),
        ("Visit,Who,Day,Hour,Length,What,State,Room,day", 'the column "Day" stands here 2 times'),
    ],
)
def test_a_file_that_does_not_fit_its_mapping_is_refused(header: str, said: str) -> None:
    """With the place in both files."""
    found = read_mapping(PLAIN_MAP, "m.yaml", "appointments")
    with pytest.raises(TableError) as raised:
        found.table(f"{header}\n".encode())
    assert said in str(raised.value)


def test_a_column_that_nothing_speaks_of_is_asked_for() -> None:
    """A required column comes from somewhere, or the mapping has a gap."""
    gap = PLAIN_MAP.replace("constants: {route: iv}\n", "")
    with pytest.raises(TableError, match='nothing says where "route" comes from'):
        read_mapping(gap, "m.yaml", "appointments").table(
            b"Visit,Who,Day,Hour,Length,What,State,Room\n"
        )


def test_the_documentation_names_every_key() -> None:
    """docs/imports.md is where a coordinator looks for them."""
    text = (ROOT / "docs" / "imports.md").read_text("utf-8")
    words = [
        *language.KEYS,
        *language.FILE_KEYS,
        *language.FORMAT_KEYS,
        *language.SOURCE_KEYS,
        *language.ENCODINGS,
        *language.PARTS,
        *language.TIME_FORMS,
        *DELIMITERS,
        *REQUIRED,
        *OPTIONAL,
        *visits.REQUIRED,
        *visits.OPTIONAL,
    ]
    assert [word for word in words if f"`{word}`" not in text and f"`{word}:" not in text] == []


def test_the_documentations_example_is_a_mapping() -> None:
    """What is copied works."""
    text = (ROOT / "docs" / "imports.md").read_text("utf-8")
    [example] = re.findall(r"```yaml mapping\n(.*?)```", text, re.DOTALL)
    found = read_mapping(example, "imports.md", "appointments")
    assert found.words["status"]["no-show"] == "no_show"


# --- a mapping, applied to what its inverse wrote ---

_DATE_FORMS = st.sampled_from(
    ["YYYY-MM-DD", "MM/DD/YYYY", "DD.MM.YYYY", "D/M/YY", "D MMM YYYY", "MMM D, YYYY", "YYYYMMDD"]
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "may", "JUN", "Jul", "ago", "Sep", "Oct", "Nov", "dic"]
_STATUS_WORDS = {"booked": "Geplant", "cancelled": "Storno; alt", "no_show": "Fehlt"}


def _day(at: datetime, form: str) -> str:
    said = form.replace("YYYY", f"{at.year}").replace("YY", f"{at.year % 100:02}")
    said = said.replace("MMM", "@").replace("MM", f"{at.month:02}").replace("M", f"{at.month}")
    said = said.replace("DD", f"{at.day:02}").replace("D", f"{at.day}")
    return said.replace("@", _MONTHS[at.month - 1])


def _clock(at: datetime, form: str) -> str:
    if form == "12-hour":
        return at.strftime("%I:%M %p").lstrip("0")
    return at.strftime("%H%M" if form == "HHMM" else "%H:%M")


@st.composite
def _visit(draw: st.DrawFn) -> dict[str, Any]:
    start = datetime(2026, 12, 1, 8, tzinfo=UTC).replace(tzinfo=None)
    start += timedelta(minutes=draw(st.integers(0, 200 * 24 * 4)) * 15)
    return {
        "starts": start,
        "minutes": draw(st.integers(1, 600)),
        "status": draw(st.sampled_from(list(_STATUS_WORDS))),
        "room": draw(st.sampled_from(["Suite 4", 'Room "B"', "Sala 2; izq", "", "A, B"])),
    }


@settings(max_examples=150)
@given(
    rows=st.lists(_visit(), max_size=5),
    date=_DATE_FORMS,
    time=st.sampled_from(["24-hour", "12-hour", "HHMM"]),
    delimiter=st.sampled_from(list(DELIMITERS)),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    joined=st.booleans(),
)
def test_a_mapping_undoes_what_another_system_wrote(
    rows: list[dict[str, Any]], date: str, time: str, delimiter: str, encoding: str, *, joined: bool
) -> None:
    """Written by the inverse of a mapping and read by it, every visit is what it was."""
    text = PLAIN_MAP.replace("MM/DD/YYYY", f'"{date}", time: {time}').replace(
        "{Open: booked}", str({theirs: ours for ours, theirs in _STATUS_WORDS.items()})
    )
    if joined:
        text = text.replace("{date: Day, time: Hour}", "Day")
    table = io.StringIO()
    writer = csv.writer(table, delimiter=DELIMITERS[delimiter])
    writer.writerow(["Visit", "Who", "Day", "Hour", "Length", "What", "State", "Room", "Extra"])
    for number, row in enumerate(rows):
        day, clock = _day(row["starts"], date), _clock(row["starts"], time)
        times = [f"{day} {clock}", ""] if joined else [day, clock]
        state = _STATUS_WORDS[row["status"]]
        writer.writerow(
            [f"V{number}", "P1", *times, row["minutes"], "dosing", state, row["room"], "x"]
        )
    content = table.getvalue().encode(encoding)
    told, faults = _mapped_visits(read_mapping(text, "m.yaml", "appointments"), content)
    skipped = {int(fault.line) for fault in faults if "clocks" in fault.reason}
    skipped |= {int(fault.line) for fault in faults if "twice" in fault.reason}
    assert {fault.line for fault in faults} == skipped
    wanted = [row for line, row in enumerate(rows, 2) if line not in skipped]
    assert [_plain(each) for each in told] == [
        (row["starts"], row["minutes"], row["status"], row["room"] or None) for row in wanted
    ]


def _mapped_visits(mapping: MappingFile, content: bytes) -> tuple[list[VisitRow], list[RowFault]]:
    people = {"P1": [VisitPatient(id=new_id(), clinic=RIVERSIDE)]}
    table = mapping.table(content)
    reader = VisitReader(
        table.columns, lambda _: (people, set()), now=MONDAY_MORNING, written=mapping.written
    )
    return reader.read(table)


def _plain(row: VisitRow) -> tuple[datetime, int, str, str | None]:
    local = row.starts_at.astimezone(NEW_YORK).replace(tzinfo=None)
    minutes = int((row.ends_at - row.starts_at).total_seconds() // 60)
    return local, minutes, row.status, row.details["location"]


@given(st.text("YMD/.- ,x", max_size=12), st.text(max_size=20))
def test_any_form_reads_any_text_or_refuses_it(form: str, text: str) -> None:
    """Neither a form nor a cell ends in a traceback."""
    try:
        made = DateForm(form)
    except ValueError:
        return
    with suppress(CellError):
        made.read(text)


# --- files that are spoiled on the way ---

_GOOD = [
    f"P{n},riverside,Zoë,+1212555013{n},en,America/New_York,paper,2026-11-01,visits"
    for n in range(6)
]
_HEADER = ",".join(REQUIRED)


def _read(content: bytes) -> tuple[list[PatientRow], list[RowFault]]:
    table = read_table(content, required=REQUIRED, optional=OPTIONAL)
    return PatientReader(table.columns, [RIVERSIDE], now=MONDAY_MORNING).read(table)


@settings(max_examples=200)
@given(
    spoiled=st.dictionaries(
        st.integers(0, 5),
        st.tuples(
            st.integers(0, 8), st.text(st.characters(exclude_characters=',"\r\n'), max_size=9)
        ),
        max_size=4,
    )
)
def test_rows_beside_spoiled_ones_are_kept(spoiled: Mapping[int, tuple[int, str]]) -> None:
    """Whatever one cell of a row has become: each row is either read or told by its line."""
    lines = list(_GOOD)
    for at, (column, text) in spoiled.items():
        cells = lines[at].split(",")
        cells[column] = text
        lines[at] = ",".join(cells)
    content = "\n".join([_HEADER, *lines]).encode("utf-8", "replace")
    rows, faults = _read(content)
    kept = {row.line for row in rows}
    assert kept >= {at + 2 for at in range(6) if at not in spoiled} - _doubles(spoiled)
    assert kept | {fault.line for fault in faults} == set(range(2, 8))


def _doubles(spoiled: Mapping[int, tuple[int, str]]) -> set[int]:
    """Return the lines whose patient a spoiled row above them has taken."""
    ids = {text.strip() for column, text in spoiled.values() if column == 0}
    return {at + 2 for at in range(6) if f"P{at}" in ids}


@settings(max_examples=200)
@given(data=st.data())
def test_a_spoiled_file_is_read_or_refused_in_words(data: st.DataObject) -> None:
    """Bytes put in, left out, or cut off anywhere, in any encoding."""
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16", "cp1252", "utf-8-sig"]))
    content = bytearray("\r\n".join([_HEADER, *_GOOD]).encode(encoding))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=12))
    with suppress(TableError):
        rows, faults = _read(bytes(content))
        assert not {row.line for row in rows} & {fault.line for fault in faults}


@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_a_sentence(content: bytes) -> None:
    """Nothing that somebody drags in ends in a traceback."""
    with suppress(TableError):
        _read(content)


@settings(max_examples=100)
@given(
    bad=st.sets(st.integers(0, 5), min_size=1),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_bad_rows_that_are_mended_are_all_there(bad: set[int], delimiter: str) -> None:
    """Written out, mended and imported, with the good ones they are the whole file."""
    lines = [
        line.replace("Zoë", 'Zoë "Z" Lee').replace("paper", "") if at in bad else line
        for at, line in enumerate(_GOOD)
    ]
    content = _parted([_HEADER, *lines], delimiter)
    rows, faults = _read(content)
    written = io.StringIO()
    assert rejects.write(written, Sheet(content), faults) == len(bad)
    [header, *mended] = csv.reader(io.StringIO(written.getvalue()), delimiter=delimiter)
    assert header[:2] == ["aftercare_line", "aftercare_reason"]
    assert {int(line[0]) for line in mended} == {at + 2 for at in bad}
    again = written.getvalue().replace(f"{delimiter}{delimiter}", f"{delimiter}paper{delimiter}")
    more, left = _read(again.encode("utf-8-sig"))
    assert left == []
    assert {row.external_id for row in [*rows, *more]} == {f"P{at}" for at in range(6)}
    assert {row.first_name for row in more} == {'Zoë "Z" Lee'}


def _parted(lines: Sequence[str], delimiter: str) -> bytes:
    table = io.StringIO()
    csv.writer(table, delimiter=delimiter).writerows(line.split(",") for line in lines)
    return table.getvalue().encode()


def test_a_row_with_cells_beyond_the_header_loses_none_of_them() -> None:
    """Nothing is lost: what did not fit stands at the end."""
    content = f"{_HEADER}\n{_GOOD[0]},over,board\n".encode()
    _, faults = _read(content)
    written = io.StringIO()
    rejects.write(written, Sheet(content), faults)
    assert written.getvalue().splitlines()[1].endswith("visits,over,board")


def test_a_long_file_is_held_as_bytes_and_a_row_at_a_time() -> None:
    """Eighteen thousand rows need little more than six."""
    content = "\n".join([_HEADER, *_GOOD * 3_000]).encode()
    table = read_table(content, required=REQUIRED, optional=OPTIONAL)
    tracemalloc.start()
    count = sum(1 for _ in table)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 18_000
    assert most < 1_000_000


_TITLED = """Schedule of the week;;;;;;;
Visit;;When;;;What;;
Visit;Who;Day;Hour;Length;What;State;Room
V1;P1;12/10/2026;9:00;60;dosing;Open;2
Total: 1 visit
"""


def test_lines_above_the_header_and_totals_are_no_rows() -> None:
    """As a report prints them; a line that could be a patient's is left out of nothing."""
    mapping = read_mapping(f"{PLAIN_MAP}\nfile: {{leave_out: [Total]}}\n", "m.yaml", "appointments")
    table = mapping.table(_TITLED.encode())
    assert (table.sheet.header_line, table.sheet.delimiter) == (3, ";")
    assert [(row.line, row.cells["appointment_id"]) for row in table] == [(4, "V1")]
    assert (len(table), table.sheet.left_out()) == (1, [5])
    # The bad rows of the same file, mended, have their header on the first line.
    mended = table.sheet.header, ("V1", "P1", "12/10/2026", "9:00", "60", "dosing", "Open", "2")
    again = mapping.table("\n".join(map(",".join, mended)).encode())
    assert (again.sheet.header_line, len(again)) == (1, 1)


def test_a_short_word_leaves_out_nothing() -> None:
    """`P` would leave out every patient."""
    with pytest.raises(MappingError, match="`P` is too short"):
        read_mapping(f"{PLAIN_MAP}\nfile: {{leave_out: P}}\n", "m.yaml", "appointments")


@pytest.mark.parametrize(("text", "mended"), [("1001,0", "1001"), ("1001.0", "1001")])
def test_an_id_with_a_comma_for_decimals_is_no_other_id(text: str, mended: str) -> None:
    """A spreadsheet in Spanish writes decimals so; `1001,0` would be a patient of their own."""
    assert Written(mend=True).identifier(text) == mended
    with pytest.raises(CellError, match="has added decimals"):
        Written().identifier(text)


def test_a_day_number_may_have_a_comma() -> None:
    """Nine in the morning on December 10, as the same spreadsheet keeps it."""
    read = Written(mend=True).instant(NEW_YORK)
    assert read("46366,375") == datetime(2026, 12, 10, 14, tzinfo=UTC)
    with pytest.raises(CellError, match="turned this day into a number"):
        Written().instant(NEW_YORK)("46366,375")
