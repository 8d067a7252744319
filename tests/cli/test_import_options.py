"""`aftercare import` with mapping files, bad rows written out, whole files and conflicts."""

import os
import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import PATIENTS, VISITS, Run, write
from tests.support.source import ROOT

EXAMPLES = ROOT / "examples" / "imports"
SYSTEMS = ("larkspur", "meridiano", "quarry", "gridline")
BEN = "P2,riverside,Ben,+12125550122,en,America/Los_Angeles,web_form,2026-11-02T10:00:00Z,visits"
DAYS = "2026-12-03..2026-12-10"


def _import(run: Run, kind: str, system: str, *options: object) -> Any:
    file, mapping = (EXAMPLES / f"{system}-{kind}.{end}" for end in ("csv", "yaml"))
    return run("import", kind, file, "--map", mapping, *options)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_examples_are_imported_and_again(clinic: Path, run: Run, system: str) -> None:
    """Each system's patients and visits, without a fault, and the second time without a change."""
    for kind in ("patients", "appointments"):
        ran = _import(run, kind, system)
        assert (ran.code, " 0 bad" in ran.out) == (0, True), ran.err
        again = _import(run, kind, system)
        assert (again.code, " 0 created, 0 changed" in again.out) == (0, True)


def test_unused_columns_are_named(clinic: Path, run: Run) -> None:
    """Whoever forgot one sees it."""
    assert "does not use: Insurance" in _import(run, "patients", "larkspur").err


def test_a_mapping_with_faults_is_told_and_nothing_is_read(clinic: Path, run: Run) -> None:
    """With file, line and mend; exit 2."""
    mapping = write(clinic, "map.yaml", "for: patients\ncolumns:\n  phon: Cell\n")
    ran = run("import", "patients", clinic / "patients.csv", "--map", mapping)
    assert (ran.code, ran.out) == (2, "")
    assert "map.yaml:3: columns: `phon` is not a key here. Did you mean `phone`?" in ran.err


def test_a_mapping_for_the_other_file_is_refused(clinic: Path, run: Run) -> None:
    """Patients are no visits."""
    mapping = EXAMPLES / "larkspur-patients.yaml"
    ran = run("import", "appointments", clinic / "appointments.csv", "--map", mapping)
    assert (ran.code, "this mapping is for patients" in ran.err) == (2, True)


def test_bad_rows_are_written_out_mended_and_imported(clinic: Path, run: Run) -> None:
    """Nothing is lost on the way; the file is its owner's alone, and is not overwritten."""
    bad = "P3,riverside,Eve,555-0123,en,,,,\n"
    file, errors = write(clinic, "more.csv", PATIENTS + bad), clinic / "bad.csv"
    ran = run("import", "patients", file, "--errors", errors)
    assert (ran.code, "1 bad row is in" in ran.err) == (2, True)
    assert stat.S_IMODE(errors.stat().st_mode) == 0o600
    assert run("import", "patients", file, "--errors", errors).code == 2
    text = errors.read_text("utf-8-sig").replace("555-0123", "212-555-0123")
    assert "phone: not a usable phone number: the area code is missing" in text
    ran = run("import", "patients", write(clinic, "mended.csv", text))
    assert (ran.code, ran.out) == (0, "1 rows, 1 created, 0 changed, 0 unchanged, 0 bad.\n")


def test_no_bad_rows_make_no_file(clinic: Path, run: Run) -> None:
    """An empty one would look like work."""
    ran = run("import", "patients", clinic / "patients.csv", "--errors", clinic / "bad.csv")
    assert (ran.code, (clinic / "bad.csv").exists()) == (0, False)


def test_many_lines_with_one_fault_are_told_in_few(clinic: Path, run: Run) -> None:
    """A wrong column fails on every line; JSON has them all."""
    lines = "".join(f"N{n},riverside,Eve,555-0123,en,,,,\n" for n in range(100))
    file = write(clinic, "many.csv", PATIENTS + lines)
    ran = run("import", "patients", file)
    assert len(ran.err.splitlines()) == 21
    assert ran.err.splitlines()[-1].endswith("the same on 80 more lines")
    assert len(run("import", "patients", file, "--json").rows) == 101


def test_a_conflict_is_told_without_private_values(clinic: Path, run: Run) -> None:
    """The zone is shown; the day somebody quit only with --reveal, which is recorded."""
    header, ana, ben = PATIENTS.splitlines()
    before = f"{header},quit_date\n{ana},2026-10-01\n{ben},\n"
    run("import", "patients", write(clinic, "a.csv", before))
    run("patient", "tailor", "P1", "--set", "quit_date=2026-10-05", "--set", "language=en")
    after = before.replace("2026-10-01", "2026-10-02").replace(",es,", ",es,")
    for options, said in ((("--dry-run",), "--reveal shows both"), (("--reveal",), "2026-10-05")):
        ran = run("import", "patients", write(clinic, "b.csv", after), *options)
        assert (ran.code, said in ran.err, "1 conflicts" in ran.out) == (0, True, True), ran.err
        assert ("2026-10-05" in ran.err) == ("--reveal" in options)
    assert run("audit", "verify").code == 0


def test_a_shown_conflict_has_both_values(clinic: Path, run: Run) -> None:
    """In words and in JSON."""
    run("patient", "tailor", "P2", "--set", "timezone=America/Denver")
    moved = write(clinic, "b.csv", PATIENTS.replace("America/Los_Angeles", "America/Chicago"))
    ran = run("import", "patients", moved, "--dry-run")
    assert "(on record America/Denver, in the file America/Chicago)" in ran.err
    conflict, counts = run("import", "patients", moved, "--json").rows
    assert (conflict["is"], conflict["on_record"]) == ("conflict", "America/Denver")
    assert (counts["conflicts"], counts["changed"]) == (1, 0)


def test_a_visit_moved_by_both_is_told_in_the_clinics_time(clinic: Path, run: Run) -> None:
    """Two times that a person can compare; JSON has them in UTC."""
    run("import", "appointments", write(clinic, "b.csv", VISITS.replace("Suite 4", "Suite 5")))
    with psycopg.connect(os.environ["DATABASE_URL"].replace("+psycopg", "")) as database:
        database.execute("SET ROLE aftercare_app")
        database.execute("UPDATE appointment SET starts_at = starts_at + interval '1 hour'")
    moved = write(clinic, "c.csv", VISITS.replace("2026-12-10T", "2026-12-11T"))
    ran = run("import", "appointments", moved)
    assert "on record Thu 2026-12-10 10:00 to 11:00, in the file Fri 2026-12-11 09:00" in ran.err


def _shorter(clinic: Path) -> Path:
    header, first, _ = VISITS.splitlines()
    more = [first.replace("A1", f"B{n}") for n in range(5)]
    return write(clinic, "shorter.csv", "\n".join([header, first, *more]))


def test_missing_visits_are_cancelled_after_yes(clinic: Path, run: Run) -> None:
    """Listed by id and time, and by nothing that names anybody."""
    short = _shorter(clinic)
    ran = run("import", "appointments", short, "--complete", DAYS, stdin="y\n")
    assert "missing: A2 of patient P2, Thu 2026-12-03 09:00" in ran.err
    assert "1 of 7 booked visits on these days is not in the file." in ran.err
    assert (ran.code, "1 missing visit was cancelled" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("options", "stdin", "said"),
    [
        ((), "n\n", "Nothing was cancelled."),
        ((), "", "Add --yes"),
    ],
)
def test_without_a_yes_nothing_is_cancelled(
    clinic: Path, run: Run, options: tuple[str, ...], stdin: str, said: str
) -> None:
    """Neither after a no, nor where nobody can be asked; exit 2, since the file was not done."""
    ran = run("import", "appointments", _shorter(clinic), "--complete", DAYS, stdin=stdin)
    assert (ran.code, said in ran.err) == (2, True)
    again = run("import", "appointments", _shorter(clinic), "--complete", DAYS, "--json", "--yes")
    assert [row["appointment_id"] for row in again.rows if row.get("is") == "missing"] == ["A2"]
    assert again.rows[-1] == {"cancelled": 1}


def test_a_large_drop_needs_force(clinic: Path, run: Run) -> None:
    """Half of the visits are missing: yes alone is not enough."""
    header, first, _ = VISITS.splitlines()
    half = write(clinic, "half.csv", f"{header}\n{first}\n")
    ran = run("import", "appointments", half, "--complete", DAYS, "--yes")
    assert (ran.code, "50% of the visits are missing" in ran.err) == (2, True)
    ran = run("import", "appointments", half, "--complete", DAYS, "--yes", "--force", "--quiet")
    assert (ran.code, "cancelled, and nobody is texted" in ran.out) == (0, True)


def test_a_row_without_an_id_forbids_cancelling(clinic: Path, run: Run) -> None:
    """It may be the one that is missing."""
    spoiled = write(clinic, "spoiled.csv", _shorter(clinic).read_text("utf-8") + "\nA2,P2\n")
    ran = run("import", "appointments", spoiled, "--complete", DAYS, "--yes", "--force")
    assert (ran.code, "which visit stands on line 8 can't be read" in ran.err) == (2, True)


def test_a_dry_run_only_lists_what_is_missing(clinic: Path, run: Run) -> None:
    """And asks nothing."""
    ran = run("import", "appointments", _shorter(clinic), "--complete", DAYS, "--dry-run")
    assert (ran.code, "missing: A2" in ran.err, "Dry run" in ran.out) == (0, True, True)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ("2026-12-07", "write the days as"),
        ("2026-12-07..2026-12-32", "write the days as"),
        ("2026-12-09..2026-12-07", "ends before it begins"),
    ],
)
def test_a_range_that_is_none_is_refused(clinic: Path, run: Run, days: str, said: str) -> None:
    """Before anything is read."""
    ran = run("import", "appointments", clinic / "appointments.csv", "--complete", days)
    assert (ran.code, said in ran.err) == (2, True)
