"""What an import can't be sure of, says plainly, and leaves for staff to settle."""

from pathlib import Path

from tests.cli.conftest import PATIENTS, VISITS, Run, heard_from, write

_HEAD = VISITS.splitlines()[0]
_BOTH_WAYS = f"""{_HEAD}
B1,P1,dosing,iv,03/25/2027 09:00,03/25/2027 11:00,booked,Suite 4
B2,P1,dosing,iv,04/03/2027 09:00,04/03/2027 11:00,booked,Suite 4
B3,P1,dosing,iv,05/05/2027 09:00,05/05/2027 11:00,booked,Suite 4
B4,P1,dosing,iv,2027-06-07 09:00,2027-06-07 11:00,booked,Suite 4
"""


def _mapped(folder: Path, form: str) -> Path:
    columns = ", ".join(f"{name}: {name}" for name in _HEAD.split(","))
    text = f"for: appointments\ncolumns: {{{columns}}}\nformats: {{date: {form}}}\n"
    return write(folder, "map.yaml", text)


def test_a_file_that_contradicts_its_form_is_not_read_either_way(clinic: Path, run: Run) -> None:
    """One line shows that the form is wrong: what could be read either way is refused as well."""
    file = write(clinic, "turned.csv", _BOTH_WAYS)
    by = ("--map", _mapped(clinic, "DD/MM/YYYY"), "--dry-run", "--json")
    rows = run("import", "appointments", file, *by).rows
    assert {row["line"] for row in rows if row.get("is") == "bad"} == {2, 3}
    assert all("looks wrong" in row["reason"] for row in rows if row.get("is") == "bad")
    assert rows[-1]["created"] == 2
    right = ("--map", _mapped(clinic, "MM/DD/YYYY"), "--dry-run", "--json")
    assert run("import", "appointments", file, *right).rows[-1]["created"] == 4


def test_a_day_that_can_stand_one_way_only_is_told_its_form(clinic: Path, run: Run) -> None:
    """Nobody is told that the 25th could be a month."""
    row = "B1,P1,dosing,iv,12/25/2026 09:00,12/25/2026 11:00,booked,Suite 4"
    ran = run("import", "appointments", write(clinic, "one.csv", f"{_HEAD}\n{row}\n"))
    assert (ran.code, "either way" in ran.err) == (2, False)
    assert "formats: {date: MM/DD/YYYY}" in ran.err


def test_lines_of_one_visit_or_patient_that_contradict_each_other_are_left(
    clinic: Path, run: Run
) -> None:
    """The old row of a moved visit, and an old number: what was on record before stays."""
    rows = [
        VISITS.splitlines()[1].replace("2026-12-10", day) for day in ("2026-12-11", "2026-12-12")
    ]
    twice = write(clinic, "twice.csv", "\n".join([_HEAD, *rows]))
    ran = run("import", "appointments", twice, "--json")
    assert (ran.code, ran.rows[-1]["changed"], ran.rows[-1]["bad"]) == (2, 0, 2)
    head, row = PATIENTS.splitlines()[:2]
    numbers = [row.replace("0121", new) for new in ("0131", "0132")]
    file = write(clinic, "numbers.csv", "\n".join([head, *numbers]))
    ran = run("import", "patients", file, "--json")
    assert (ran.code, ran.rows[-1]["changed"], ran.rows[-1]["bad"]) == (2, 0, 2)


def test_a_visit_that_was_over_before_is_told(clinic: Path, run: Run) -> None:
    """It is kept, for the record, and somebody is asked to look at the year."""
    row = "B1,P1,dosing,iv,2020-12-10T09:00,2020-12-10T11:00,booked,Suite 4"
    ran = run("import", "appointments", write(clinic, "old.csv", f"{_HEAD}\n{row}\n"))
    assert (ran.code, ran.out.startswith("1 rows, 1 created")) == (0, True)
    assert "please note, line 2, column starts_at: the file has this visit as booked" in ran.err


def test_a_second_patient_on_a_number_is_told(clinic: Path, run: Run) -> None:
    """Nobody finds out weeks later why no text went."""
    row = PATIENTS.splitlines()[1].replace("P1,", "P3,").replace("Ana", "Zoe")
    file = write(clinic, "more.csv", f"{PATIENTS.splitlines()[0]}\n{row}\n")
    ran = run("import", "patients", file)
    assert (ran.code, "created" in ran.out) == (0, True)
    assert "another patient has this number" in ran.err
    assert "another patient" not in run("import", "patients", file).err


def test_a_conflict_stands_until_both_say_the_same(clinic: Path, run: Run) -> None:
    """It is told once by the import, and listed for as long as nobody has settled it."""
    run("patient", "tailor", "P1", "--set", "language=en")
    file = write(clinic, "patients.csv", PATIENTS.replace(",es,America", ",fr,America"))
    run("import", "patients", file)
    heard_from("+12125550121", "+12125550122")
    file.write_text(PATIENTS.replace("0121,es,America/New_York", "0121,es,America/Chicago"))
    run("import", "patients", file)
    run("patient", "tailor", "P1", "--set", "timezone=America/Denver")
    file.write_text(PATIENTS.replace("0121,es,America/New_York", "0121,es,America/Phoenix"))
    told = run("import", "patients", file)
    assert "the file and staff have both changed it" in told.err
    assert run("import", "patients", file).out.endswith("0 bad.\n")
    [row] = run("import", "standing", "--json").rows
    assert (row["is"], row["patient_id"], row["column"]) == ("conflict", "P1", "timezone")
    assert "so that both say the same" in row["what_to_do"]
    run("patient", "tailor", "P1", "--set", "timezone=America/Phoenix")
    assert run("import", "standing", "--json").rows == []


def test_what_waits_for_the_patient_is_listed(clinic: Path, run: Run) -> None:
    """Numbers that nobody answered from, and a consent that was given for another number."""
    heard_from("+12125550122")
    run(
        "import",
        "patients",
        write(clinic, "p.csv", PATIENTS.replace("+12125550122", "+12125550129")),
    )
    rows = run("import", "standing", "--json").rows
    assert [(row["is"], row["patient_id"]) for row in rows] == [
        ("consent_pending", "P2"),
        ("number_unproved", "P1"),
    ]
    assert all(row["what_to_do"] for row in rows)
