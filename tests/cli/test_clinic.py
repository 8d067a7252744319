"""`aftercare clinic apply`, `staff`, `pause`, `keys`, `audit`, `protocols`."""

import base64
import os
from pathlib import Path

import pytest

from cli.session import services
from records import clinics, intake
from tests.cli.conftest import CLINIC, Run, write

_KEYS = "AFTERCARE_ENCRYPTION_KEYS"


def test_applying_twice_changes_nothing_the_second_time(settings_env: Path, run: Run) -> None:
    """What changed is printed, and nothing is said to have."""
    file = write(settings_env, "clinic.yaml", CLINIC)
    first, second = run("clinic", "apply", file), run("clinic", "apply", file)
    assert first.out.startswith("riverside: created.")
    assert "protocol dosing-visit: version 1 is in force" in first.out
    assert second.out == "riverside: nothing changed.\n"


def test_what_changed_is_printed(clinic: Path, run: Run) -> None:
    """Field, before and after; also for programs."""
    text = CLINIC.replace("timezone:", 'send_window: {from: "10:00", to: "18:00"}\ntimezone:')
    ran = run("clinic", "apply", write(clinic, "clinic.yaml", text), "--json")
    assert {row["field"]: (row["before"], row["after"]) for row in ran.rows} == {
        "send_window.from": ("09:00", "10:00"),
        "send_window.to": ("20:00", "18:00"),
    }


def test_faults_of_the_file_have_line_and_mend(settings_env: Path, run: Run) -> None:
    """Exit 2, and nothing is created."""
    text = CLINIC.replace("timezone: America/New_York", "timezone: EST\ncolour: red")
    file = write(settings_env, "clinic.yaml", text)
    ran = run("clinic", "apply", file)
    assert ran.code == 2
    assert f"{file}:6:" in ran.err
    assert "America/New_York" in ran.err
    assert f"{file}:7:" in ran.err
    assert run("audit", "verify").err == "There is no clinic yet.\n"


@pytest.mark.parametrize("name", ["Riverside Ketamine", "Centro Recuperacion", "CleanLife Care"])
def test_a_name_that_gives_patients_away_is_refused(
    settings_env: Path, run: Run, name: str
) -> None:
    """It would stand in every text."""
    text = CLINIC.replace("sms_name: Riverside Care", f"sms_name: {name}")
    ran = run("clinic", "apply", write(settings_env, "clinic.yaml", text))
    assert ran.code == 2
    assert "sms_name" in ran.err


def test_a_protocol_that_does_not_exist_is_refused(settings_env: Path, run: Run) -> None:
    """With the one that may be meant."""
    text = CLINIC.replace("dosing-visit", "dosing-visits")
    ran = run("clinic", "apply", write(settings_env, "clinic.yaml", text))
    assert (ran.code, 'did you mean "dosing-visit"?' in ran.err) == (2, True)


def test_a_file_that_is_not_there_is_bad_input(settings_env: Path, run: Run) -> None:
    """Named, with the system's reason."""
    ran = run("clinic", "apply", "nowhere.yaml")
    assert (ran.code, ran.err) == (2, "nowhere.yaml can't be read: No such file or directory.\n")


def test_staff_password_comes_from_standard_input(clinic: Path, run: Run) -> None:
    """And is refused when it is short, or missing, or the address is taken."""
    add = ("staff", "add", "Sam@clinic.test", "--role", "coordinator", "--clinic", "riverside")
    assert run(*add, stdin="short\n").code == 2
    assert run(*add, stdin="").code == 2
    assert run(*add, stdin="a long enough one\n").code == 0
    again = run(*add, stdin="a long enough one\n")
    assert (again.code, "already" in again.err) == (2, True)


def test_a_password_is_changed_from_standard_input_and_told_nowhere(clinic: Path, run: Run) -> None:
    """As long as the first had to be; who is meant and what was done is said."""
    add = ("staff", "add", "sam@clinic.test", "--role", "coordinator")
    run(*add, stdin="a long enough one\n")
    change = ("staff", "password", "sam@clinic.test")
    assert run(*change, stdin="short\n").code == 2
    assert run(*change, stdin="").code == 2
    done = run(*change, "--clinic", "riverside", stdin="another long one\n")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "sam@clinic.test signs in at riverside with the new password,"
        " and is signed out in every browser.\n"
    )
    assert run("staff", "password", "eve@clinic.test", stdin="another long one\n").code == 2
    run("staff", "disable", "sam@clinic.test")
    gone = run(*change, stdin="another long one\n")
    assert (gone.code, "To give it anew: `aftercare staff add" in gone.err) == (2, True)


def test_a_role_is_changed_and_what_it_leaves_is_told(clinic: Path, run: Run) -> None:
    """The lead of the clinic's file is its only clinician, and becomes a viewer."""
    run("staff", "add", "kim@clinic.test", "--role", "clinician", stdin="a long enough one\n")
    change = ("staff", "role", "kim@clinic.test")
    same = run(*change, "clinician")
    assert (same.code, "nothing changed" in same.out, same.err) == (0, True, "")
    assert run(*change, "boss").code == 2
    done = run(*change, "viewer")
    assert done.out == "kim@clinic.test was clinician at riverside, and is viewer now.\n"
    assert "names them under lead: they are still called, and can't act" in done.err
    assert "riverside has no clinician any more" in done.err
    back = run(*change, "clinician")
    assert (back.out.endswith("is clinician now.\n"), back.err) == (True, "")
    assert run(*change, "clinician", "--clinic", "nowhere").code == 2
    assert "no clinician any more" in run("staff", "disable", "kim@clinic.test").err


def test_staff_are_listed(clinic: Path, run: Run) -> None:
    """One object a line, with days and instants; a table says the same in words."""
    assert run("staff", "list").err == "Nobody signs in yet.\n"
    run("staff", "add", "sam@clinic.test", "--role", "clinician", stdin="a long enough one\n")
    run("staff", "away", "sam@clinic.test", "--from", "2026-12-24", "--to", "2026-12-26")
    row = run("staff", "list", "--json").row
    assert row == {
        "id": row["id"],
        "clinic": "riverside",
        "email": "sam@clinic.test",
        "role": "clinician",
        "status": "here",
        "away": [{"from": "2026-12-24", "to": "2026-12-26"}],
        "added_at": row["added_at"],
        "disabled_at": None,
    }
    assert "2026-12-24 to 2026-12-26" in run("staff", "list", "--clinic", "riverside").out
    run("staff", "disable", "sam@clinic.test")
    gone = run("staff", "list", "--json").row
    assert (gone["status"], gone["disabled_at"] is None) == ("disabled", False)


def test_staff_away_and_disabled(clinic: Path, run: Run) -> None:
    """Nobody unknown, no days behind us, no last day before the first."""
    run("staff", "add", "sam@clinic.test", "--role", "clinician", stdin="a long enough one\n")
    away = ("staff", "away", "sam@clinic.test", "--from")
    assert run(*away, "2026-12-24", "--to", "2026-12-20").code == 2
    assert run(*away, "2026-10-24", "--to", "2026-10-26").code == 2
    assert run(*away, "24.12.2026", "--to", "2026-12-26").code == 2
    assert run(*away, "2026-12-24", "--to", "2026-12-26").code == 0
    assert run("staff", "disable", "sam@clinic.test").code == 0
    assert run("staff", "disable", "sam@clinic.test").code == 2


def test_an_absence_is_taken_back_by_the_command_that_is_named(clinic: Path, run: Run) -> None:
    """A year was mistyped; ending the access and giving it anew keeps the absence, and says so."""
    add = ("staff", "add", "sam@clinic.test", "--role", "clinician")
    run(*add, stdin="a long enough one\n")
    away = ("staff", "away", "sam@clinic.test", "--from", "2026-11-30", "--to")
    assert run(*away, "2027-11-30").err == ""
    assert "until 2027-11-30: that is replaced" in run(*away, "2027-10-30").err
    assert run("staff", "disable", "sam@clinic.test").code == 0
    added = run(*add, stdin="a long enough one\n")
    assert "away from 2026-11-30 to 2027-10-30" in added.err
    assert "aftercare staff back sam@clinic.test --from 2026-11-30" in added.err
    assert "all are away on" in run("doctor").out
    assert run("staff", "back", "sam@clinic.test").code == 0
    assert "all are away on" not in run("doctor").out
    again = run("staff", "back", "sam@clinic.test", "--from", "2026-12-24")
    assert (again.code, "not away then. Noted: no absence" in again.err) == (2, True)


def test_pause_and_unpause(clinic: Path, run: Run) -> None:
    """One clinic or all; a time that has passed is refused."""
    assert run("pause", "--until", "2026-11-29").code == 2
    assert run("pause", "--until", "2026-12-01T12:00").out == (
        "riverside: paused until 2026-12-01 17:00Z.\n"
    )
    assert run("unpause", "--all").code == 0
    assert run("pause", "--clinic", "riversides").code == 2
    assert run("pause", "--clinic", "riverside", "--all").code == 2


def test_a_new_key_is_32_bytes_and_different_each_time(run: Run) -> None:
    """URL-safe base64, as the setting wants it; needs no settings itself."""
    one, two = run("keys", "new").out.strip(), run("keys", "new").out.strip()
    assert len(base64.urlsafe_b64decode(one)) == 32
    assert one != two


def test_rotating_keys_keeps_every_row_readable(
    clinic: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New key first, old behind; after rotating the old one can go."""
    old, new = os.environ[_KEYS], run("keys", "new").out.strip()
    monkeypatch.setenv(_KEYS, f"{new},{old}")
    assert "2 keys" in run("keys", "rotate").out
    monkeypatch.setenv(_KEYS, new)
    assert run("patient", "hold", "P1", "--reason", "other").code == 0
    monkeypatch.setenv(_KEYS, old)
    ran = run("messages")
    assert (ran.code, _KEYS in ran.err) == (1, True)


def test_the_audit_trail_is_whole(clinic: Path, run: Run) -> None:
    """After an apply and two imports."""
    assert run("audit", "verify", "--json").row == {
        "clinic": "riverside",
        "whole": True,
        "first_break": None,
    }


def test_protocols_are_listed_shown_and_checked(settings_env: Path, run: Run) -> None:
    """What is shown can be saved and checked."""
    rows = run("protocols", "list", "--json").rows
    names = {row["id"] for row in rows}
    enrolls = {row["id"]: row["enrolls"] for row in rows}
    assert enrolls["welcome"] == "with consent"
    assert (enrolls["dosing-visit"], enrolls["daily-check-in"]) == ("visits", "by hand")
    assert "dosing-visit" in names
    shown = run("protocols", "show", "dosing-visit").out
    file = write(settings_env, "mine.yaml", shown)
    assert run("protocols", "check", file).code == 0


def test_faults_of_a_protocol_have_file_and_line(settings_env: Path, run: Run) -> None:
    """Every file is checked, also after a bad one."""
    shown = run("protocols", "show", "dosing-visit").out
    bad = write(settings_env, "bad.yaml", shown.replace("template: visit_7d", "template: visit_9d"))
    ran = run("protocols", "check", bad, write(settings_env, "good.yaml", shown))
    assert ran.code == 2
    assert ran.out.startswith(f"{bad}:")
    assert "visit_9d" in ran.out
    assert "good.yaml: dosing-visit is right" in ran.err


def test_a_clinics_protocols_have_versions(clinic: Path, run: Run) -> None:
    """As published, and whether they are switched on."""
    rows = {
        row["id"]: row for row in run("protocols", "list", "--clinic", "riverside", "--json").rows
    }
    assert (rows["dosing-visit"]["version"], rows["dosing-visit"]["on"]) == (1, True)
    assert run("protocols", "show", "nope", "--clinic", "riverside").code == 2


def test_own_words_that_are_doubtful_are_told_and_applied(settings_env: Path, run: Run) -> None:
    """A phrase that pages for "my back is killing me" is the clinic's to keep or to mend."""
    text = CLINIC + "words: {en: {self_harm: {say: [killing me]}}}\n"
    ran = run("clinic", "apply", write(settings_env, "clinic.yaml", text))
    assert "'my back is killing me' was" in ran.err
    assert ran.code == 0
    assert run("clinic", "apply", write(settings_env, "clinic.yaml", text)).out.endswith(
        "nothing changed.\n"
    )
    broken = CLINIC + 'words: {en: {self_harm: {say: [""]}}}\n'
    ran = run("clinic", "apply", write(settings_env, "clinic.yaml", broken))
    assert ran.code == 2
    assert "en.self_harm.say: The phrase '' has an empty choice." in ran.err


BROKEN = {
    "a zone that nobody knows": {"timezone": "Mars/Olympus"},
    "a key of a later release": {"a_key_of_a_later_release": None},
}


@pytest.fixture(params=BROKEN.values(), ids=BROKEN)
def broken(request: pytest.FixtureRequest, clinic: Path) -> Path:
    """A clinic whose settings in force can't be read; version 1 of its file is kept."""
    with services() as running, running.database.transaction() as session:
        row = clinics.by_key(session, "riverside")
        assert row is not None
        row.settings = row.settings | request.param
    return clinic


def test_a_file_that_cannot_be_read_is_mended_by_applying_it_again(broken: Path, run: Run) -> None:
    """What `doctor` says to do does it, though nothing differs from the version that stood in."""
    assert "its file can't be read; the one before holds" in run("doctor").out
    shown = run("clinic", "apply", broken / "clinic.yaml", "--dry-run")
    assert (shown.code, "can't be read, and these take" in shown.out) == (0, True), shown.err
    done = run("clinic", "apply", broken / "clinic.yaml")
    assert (done.code, "can't be read, and these take" in done.out) == (0, True), done.err
    assert "file can't be read" not in run("doctor").out
    assert "nothing changed" in run("clinic", "apply", broken / "clinic.yaml").out
    *_, newest = run("clinic", "history", "--json").rows
    assert (newest["number"], newest["outcome"]) == (2, "in_force")


@pytest.mark.parametrize("to", [("--to", "1"), ()], ids=["named", "the one before"])
def test_a_file_that_cannot_be_read_is_mended_by_going_back(
    broken: Path, run: Run, to: tuple[str, ...]
) -> None:
    """The version that stands in comes into force again."""
    done = run("clinic", "rollback", *to, "--yes")
    assert (done.code, "can't be read, and these take" in done.out) == (0, True), done.err
    assert "file can't be read" not in run("doctor").out


def test_of_a_file_that_cannot_be_read_the_one_that_holds_is_shown(broken: Path, run: Run) -> None:
    """With a word that it is not the one in force."""
    shown = run("clinic", "show")
    assert shown.code == 0
    assert "timezone: America/New_York" in shown.out
    assert "the version that holds meanwhile" in shown.err


def test_no_day_is_closed_in_settings_that_cannot_be_read(broken: Path, run: Run) -> None:
    """Nothing would go by it: the version that stands in has the day open."""
    ran = run("clinic", "close", "2026-12-03", "--yes")
    assert (ran.code, "closed on" in ran.out) == (2, False)
    assert "Apply the clinic's file again first." in ran.err
    assert {row["status"] for row in run("messages", "--json").rows} <= {"planned"}
    with services() as running, running.database.transaction() as session:
        assert {visit.status for visit in intake.visits_from(session, since=running.now)} == {
            "booked"
        }
