"""`aftercare import`: exit codes, words, and the machine's form. The rules: tests/worker."""

from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import PATIENTS, VISITS, Run, write
from tests.support.databases import OwnDatabase

# A row that speaks Spanish is refused, as one that somebody else locks is after a while.
_REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'held' USING ERRCODE = '55P03'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON patient FOR EACH ROW WHEN (NEW.language = 'es')
    EXECUTE FUNCTION refuse()
"""


def test_counts_are_a_sentence(clinic: Path, run: Run) -> None:
    """The second import changes nothing, and says so."""
    ran = run("import", "patients", clinic / "patients.csv")
    assert (ran.code, ran.out) == (0, "2 rows, 0 created, 0 changed, 2 unchanged, 0 bad.\n")


def test_a_bad_row_is_told_and_good_ones_are_kept(clinic: Path, run: Run) -> None:
    """Exit 2; line, column and reason on standard error; the number itself nowhere."""
    more = PATIENTS + "P3,riverside,Eve,+1212555012,en,,,,\nP4,riverside,Joe,212-555-0124,en,,,,\n"
    ran = run("import", "patients", write(clinic, "more.csv", more))
    assert (ran.code, ran.out) == (2, "4 rows, 1 created, 0 changed, 2 unchanged, 1 bad.\n")
    assert ran.err == "line 4, column phone: not a usable phone number: it is too short\n"


def test_strict_keeps_nothing(clinic: Path, run: Run) -> None:
    """Not even the good rows."""
    more = PATIENTS + "P3,riverside,Eve,nope,en,,,,\nP4,riverside,Joe,212-555-0124,en,,,,\n"
    ran = run("import", "patients", write(clinic, "more.csv", more), "--strict")
    assert (ran.code, ran.out.startswith("Nothing was written")) == (2, True)
    assert run("patient", "hold", "P4", "--reason", "other").code == 2


def test_a_dry_run_writes_nothing(clinic: Path, run: Run) -> None:
    """It says what would be done."""
    more = PATIENTS + "P4,riverside,Joe,212-555-0124,en,,,,\n"
    ran = run("import", "patients", write(clinic, "more.csv", more), "--dry-run")
    assert (ran.code, "1 created" in ran.out) == (0, True)
    assert run("patient", "hold", "P4", "--reason", "other").code == 2


def test_json_names_every_bad_row_and_then_the_counts(clinic: Path, run: Run) -> None:
    """For programs: standard output only."""
    more = VISITS + "A3,P9,dosing,iv,2027-03-14T02:30,2027-03-14T05:00,bookd,Suite 4\n"
    ran = run("import", "appointments", write(clinic, "more.csv", more), "--json")
    *bad, counts = ran.rows
    assert (ran.code, ran.err) == (2, "")
    assert [(row["line"], row["column"]) for row in bad] == [(4, "patient_id"), (4, "status")]
    assert counts == {
        "rows": 3,
        "created": 0,
        "changed": 0,
        "unchanged": 2,
        "bad": 1,
        "conflicts": 0,
        "written": True,
    }


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (PATIENTS.replace("first_name", "fist_name"), 'did you mean "first_name"?'),
        (PATIENTS.replace("language,", "phone,"), 'the column "phone" stands here twice'),
        (PATIENTS.replace(",timezone", "", 1), 'the column "timezone" is missing'),
        ("", "The file is empty"),
        (PATIENTS + 'P9,"riverside,Eve\n', "line 4: the file is not readable as CSV"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(
    clinic: Path, run: Run, header: str, said: str
) -> None:
    """Exit 2, nothing is written, the place and the mend are told."""
    ran = run("import", "patients", write(clinic, "bad.csv", header))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_standard_input_is_a_file_too(clinic: Path, run: Run) -> None:
    """For whoever pipes an export in."""
    assert run("import", "appointments", "-", stdin=VISITS).out.startswith("2 rows")


def test_a_missing_file_and_an_unknown_clinic(clinic: Path, run: Run) -> None:
    """Bad input, both."""
    assert run("import", "patients", "nowhere.csv").code == 2
    visits = clinic / "appointments.csv"
    ran = run("import", "appointments", visits, "--clinic", "riversid")
    assert (ran.code, 'did you mean "riverside"?' in ran.err) == (2, True)


def test_completed_forms_come_in_like_the_other_files(clinic: Path, run: Run) -> None:
    """Counts as a sentence, bad rows with line, column and reason; here no protocol has a form."""
    rows = "patient_id,form,filled_at,phq2\nP1,mood,2026-11-29T09:00,3\n"
    ran = run("import", "forms", write(clinic, "forms.csv", rows))
    assert (ran.code, ran.out) == (2, "1 rows, 0 created, 0 changed, 0 unchanged, 1 bad.\n")
    assert ran.err == "line 2, column form: no protocol of the clinic asks for a form\n"


def many_patients(count: int) -> str:
    """Return a file of new patients, the last of whom speaks Spanish."""
    head, *_ = PATIENTS.partition("\n")
    rows = [
        f"Q{n},riverside,Ana,+1{201 + n // 100}55501{n % 100:02},"
        f"{'es' if n == count - 1 else 'en'},America/New_York,,,"
        for n in range(count)
    ]
    return "\n".join([head, *rows, ""])


def test_an_import_that_fails_amid_a_file_says_what_is_in(
    clinic: Path, run: Run, database: OwnDatabase
) -> None:
    """Its first 500 rows are, and the audit trail has them; importing it again goes on."""
    file = write(clinic, "many.csv", many_patients(600))
    imported = "SELECT count(*) FROM audit_event WHERE action = 'patients.imported'"
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        before = owner.execute(imported).fetchone()
        owner.execute(_REFUSE)
        failed = run("import", "patients", file)
        assert owner.execute("SELECT count(*) FROM patient").fetchone() == (502,)
        assert (before, owner.execute(imported).fetchone()) == ((1,), (2,))
        owner.execute("DROP TRIGGER refuse ON patient")
    assert (failed.code, failed.out) == (1, "")
    assert "SQLSTATE 55P03" in failed.err
    assert "in up to line 501" in failed.err
    assert "Nothing was changed" not in failed.err
    again = run("import", "patients", file)
    assert again.out == "600 rows, 100 created, 0 changed, 500 unchanged, 0 bad.\n"


def test_an_import_that_fails_at_once_tells_of_no_line(
    clinic: Path, run: Run, database: OwnDatabase
) -> None:
    """Nothing of it is in."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute(_REFUSE)
        failed = run("import", "patients", write(clinic, "one.csv", many_patients(1)))
    assert (failed.code, "was not made" in failed.err) == (1, True)
    assert "line" not in failed.err
