"""`aftercare protocols publish | approve | rollback | history`, and what `clinic apply` shows."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from cli import checks
from cli.session import services
from records import clinics
from records.base import Database
from tests.cli.conftest import CLINIC, VISITS, Run, heard_from, set_up, write
from worker.settings import load

PASSWORD = "a long enough one\n"


def _furnish(run: Run, folder: Path) -> None:
    set_up(run, folder)
    for name, role in (("sam", "coordinator"), ("lee", "clinician"), ("ray", "clinician")):
        added = run("staff", "add", f"{name}@clinic.test", "--role", role, stdin=PASSWORD)
        assert added.code == 0, added.err
    heard_from("+12125550121")
    assert run("enroll", "P1", "daily-check-in").code == 0


FILLED = {"house": _furnish}


@pytest.fixture
def house(clinic: Path) -> Path:
    """A clinic with a patient on the daily check-in, a coordinator and two clinicians."""
    return clinic


def _edited(house: Path, run: Run, **words: str) -> Path:
    source = run("protocols", "show", "daily-check-in").out
    for before, after in words.values():  # type: ignore[misc]
        assert before in source
        source = source.replace(before, after)
    return write(house, "daily.yaml", source)


HOUR = {"hour": ("at 17:00 or their own hour", "at 16:00")}
THRESHOLD = {"threshold": ("7 or more", "8 or more")}


def test_a_publish_shows_and_asks_first(house: Path, run: Run) -> None:
    """Without a terminal it needs --yes; a dry run shows the same and does nothing."""
    file = _edited(house, run, **HOUR)
    shown = run("protocols", "publish", file, "--dry-run")
    assert shown.code == 0
    assert "version 1 is in force; this would be version 2" in shown.out
    assert "P1  added" in shown.out or "P1  moved" in shown.out
    refused = run("protocols", "publish", file)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert len(run("protocols", "history", "daily-check-in", "--json").rows) == 1
    done = run("protocols", "publish", file, "--yes")
    assert (done.code, "version 2 is in force at riverside" in done.out) == (0, True), done.err
    texts = run("messages", "--json").rows
    hours = {row["due_at"][11:16] for row in texts if row["step"] == "daily_0_10"}
    assert hours == {"21:00"}
    again = run("protocols", "publish", file, "--yes")
    said = "in force at riverside already; everybody follows it"
    assert (again.code, said in again.out) == (0, True), again.out


def test_the_diff_as_json_is_one_object_a_line(house: Path, run: Run) -> None:
    """Each text with before and after, then the forecast, then what was done."""
    run("protocols", "publish", _edited(house, run, **HOUR), "--yes")
    file = _edited(house, run, hour=("at 17:00 or their own hour", "at 15:00"))
    rows = run("protocols", "publish", file, "--yes", "--json", "--price", "0.02").rows
    moved = [row for row in rows if "effect" in row]
    assert {(row["effect"], row["patient_id"], row["step"]) for row in moved} == {
        ("moved", "P1", "daily_0_10")
    }
    assert all(row["was_at"][11:13] == "21" and row["now_at"][11:13] == "20" for row in moved)
    [forecast] = [row["forecast"] for row in rows if "forecast" in row]
    assert forecast["moved"] == len(moved)
    assert forecast["before"]["texts"] == forecast["after"]["texts"] > 10
    assert float(forecast["after"]["cost"]) == round(forecast["after"]["segments"] * 0.02, 3)
    assert rows[-1]["version"] == 3


def test_a_threshold_goes_through_two_people(house: Path, run: Run) -> None:
    """The proposer signs, another clinician signs, and the history names both."""
    file = _edited(house, run, **THRESHOLD)
    assert run("protocols", "publish", file, "--yes").code == 2
    wrong = run("protocols", "publish", file, "--yes", "--by", "lee@clinic.test", stdin="guess\n")
    assert (wrong.code, "do not fit" in wrong.err) == (2, True)
    lee = ("--by", "lee@clinic.test")
    proposed = run("protocols", "publish", file, "--yes", *lee, stdin=PASSWORD)
    assert (proposed.code, "proposed, and nothing is changed yet" in proposed.out) == (0, True)
    for name in ("lee", "sam"):
        by = ("--by", f"{name}@clinic.test")
        refused = run("protocols", "approve", "daily-check-in", *by, "--yes", stdin=PASSWORD)
        assert refused.code == 2
    ray = ("--by", "ray@clinic.test", "--yes")
    half = run("protocols", "approve", "daily-check-in", *ray, "--language", "en", stdin=PASSWORD)
    assert "Still to be approved: es." in half.out
    done = run("protocols", "approve", "daily-check-in", *ray, stdin=PASSWORD)
    assert (done.code, "version 2 is in force" in done.out) == (0, True), done.err
    assert re.search(r"daily_0_10 \(es\): .*0.*10", done.out)
    assert re.search(r"-.*when: 7 or more.*\n.*\+.*when: 8 or more", done.out)
    *_, proposal, version = run("protocols", "history", "daily-check-in", "--json").rows
    people = {"en": "ray@clinic.test", "es": "ray@clinic.test"}
    assert (proposal["by"], proposal["approved_by"]) == ("lee@clinic.test", people)
    assert (version["number"], version["by"]) == (2, "ray@clinic.test")
    assert run("audit", "verify").code == 0


def test_a_rollback_is_a_version_of_its_own(house: Path, run: Run) -> None:
    """It brings back the text of the version named, and says which."""
    run("protocols", "publish", _edited(house, run, **HOUR), "--yes")
    done = run("protocols", "rollback", "daily-check-in", "--yes")
    assert (done.code, "version 3 is in force" in done.out) == (0, True), done.err
    last = run("protocols", "history", "daily-check-in", "--json").rows[-1]
    assert (last["number"], last["restores"]) == (3, 1)
    assert run("protocols", "rollback", "daily-check-in", "--to", 9, "--yes").code == 2
    assert run("protocols", "rollback", "nothing", "--yes").code == 2


def test_an_answer_that_nobody_would_read_is_warned_of(house: Path, run: Run) -> None:
    """The clinic is closed by then."""
    file = _edited(
        house,
        run,
        hour=("at 17:00 or their own hour", "at 18:00"),
        until=("answer_until: 20 hours", "answer_until: 3 hours"),
    )
    shown = run("protocols", "publish", file, "--dry-run")
    assert "warning: step `daily_0_10`: asked on" in shown.out


def test_applying_a_file_shows_what_moves_and_needs_no_terminal(house: Path, run: Run) -> None:
    """What programs read is as before; what it does to patients stands on standard error."""
    run("protocols", "publish", _edited(house, run, **HOUR), "--yes")
    text = CLINIC.replace("timezone:", 'send_window: {from: "17:00", to: "20:00"}\ntimezone:')
    file = write(house, "clinic.yaml", text)
    dry = run("clinic", "apply", file, "--dry-run")
    assert (dry.code, "daily-check-in/daily_0_10" in dry.out) == (0, True)
    assert "send_window.from: 09:00 -> 17:00" in dry.out
    done = run("clinic", "apply", file, "--json")
    assert [row["field"] for row in done.rows] == ["send_window.from"]
    words = run("clinic", "apply", write(house, "clinic.yaml", CLINIC))
    assert "what the file does to live patients" in words.err
    assert words.out.startswith("riverside: updated.")


def test_hours_that_leave_questions_unread_are_warned_of_before_they_hold(
    house: Path, run: Run
) -> None:
    """Thursday and Friday closed, looked at first; of shipped protocols, and of one of its own."""
    file = _edited(house, run, **HOUR)
    assert run("protocols", "publish", file, "--yes").code == 0
    text = CLINIC.replace(',\n  thu: ["08:00-17:00"], fri: ["08:00-17:00"]', "")
    assert text != CLINIC
    shown = run("clinic", "apply", write(house, "fewer.yaml", text), "--dry-run")
    assert "warning: daily-check-in, step `daily_0_10`: asked on" in shown.err
    assert "warning: dosing-visit, step `visit_24h_prep`" in shown.err
    same = run("clinic", "apply", write(house, "same.yaml", CLINIC), "--dry-run")
    assert "asked on" not in same.err


def test_fasting_hours_wait_for_a_clinician_once_there_is_one(house: Path, run: Run) -> None:
    """A script that names nobody is told, and nothing is changed."""
    file = write(house, "clinic.yaml", CLINIC + "fasting: {solids_hours: 8, fluids_hours: 2}\n")
    refused = run("clinic", "apply", file)
    assert (refused.code, "fasting" in refused.err, "--by" in refused.err) == (2, True, True)
    proposed = run("clinic", "apply", file, "--by", "sam@clinic.test", stdin=PASSWORD)
    assert (proposed.code, "nothing is changed yet" in proposed.out) == (0, True), proposed.err
    ray = ("--by", "ray@clinic.test", "--yes")
    done = run("clinic", "approve", *ray, stdin=PASSWORD)
    assert (done.code, "fasting.solids_hours: 6" in done.out) == (0, True), done.err
    assert run("clinic", "apply", file).out == "riverside: nothing changed.\n"
    other = write(house, "clinic.yaml", CLINIC + "fasting: {solids_hours: 4, fluids_hours: 2}\n")
    run("clinic", "apply", other, "--by", "sam@clinic.test", stdin=PASSWORD)
    why = ("--why", "not without the anaesthetist")
    assert run("clinic", "reject", "--by", "ray@clinic.test", *why, stdin=PASSWORD).code == 0
    assert run("clinic", "approve", *ray, stdin=PASSWORD).code == 2


_FASTING = CLINIC + "fasting: {solids_hours: 8, fluids_hours: 2}\n"


def test_a_clinic_without_a_clinician_is_set_up_as_ever(settings_env: Path, run: Run) -> None:
    """There are no patients yet, and nobody who could approve."""
    run("clinic", "apply", write(settings_env, "clinic.yaml", CLINIC))
    assert run("clinic", "apply", write(settings_env, "clinic.yaml", _FASTING)).code == 0


def test_with_patients_and_no_clinician_safety_content_waits(clinic: Path, run: Run) -> None:
    """An empty list of clinicians permits nothing; the message says whom to add, all else goes."""
    refused = run("clinic", "apply", write(clinic, "clinic.yaml", _FASTING))
    assert (refused.code, "fasting" in refused.err) == (2, True)
    assert "aftercare staff add EMAIL --role clinician" in refused.err
    text = CLINIC.replace("timezone:", 'send_window: {from: "10:00", to: "20:00"}\ntimezone:')
    assert run("clinic", "apply", write(clinic, "clinic.yaml", text)).code == 0


def test_switching_off_what_follows_a_dose_waits_for_a_clinician(house: Path, run: Run) -> None:
    """Its texts are planned only after a check-out, and are counted before all the same."""
    visit = VISITS + "A3,P1,dosing,iv,2026-12-17T09:00,2026-12-17T11:00,booked,Suite 4\n"
    run("import", "appointments", write(house, "more.csv", visit))
    file = write(house, "clinic.yaml", CLINIC.replace(" after-dose,", ""))
    refused = run("clinic", "apply", file, "--end-running", "--yes")
    assert refused.code == 2
    assert "after-dose switched off, step " in refused.err
    assert "a text after a dose (taken away)" in refused.err
    assert "after-dose: what follows a recorded visit no longer go for 1 patients" in refused.err
    sam = ("--by", "sam@clinic.test")
    run("clinic", "apply", file, "--end-running", *sam, stdin=PASSWORD)
    assert run("clinic", "apply", file, "--end-running", "--yes").code == 2
    done = run("clinic", "approve", "--by", "ray@clinic.test", "--yes", stdin=PASSWORD)
    assert (done.code, "ended" in done.out) == (0, True), done.err


def test_an_approval_shows_the_clinics_own_name_and_number(house: Path, run: Run) -> None:
    """Whoever approves reads what patients will read, and no sample clinic's name."""
    file = _edited(house, run, **THRESHOLD)
    run("protocols", "publish", file, "--yes", "--by", "sam@clinic.test", stdin=PASSWORD)
    ray = ("--by", "ray@clinic.test", "--yes")
    done = run("protocols", "approve", "daily-check-in", *ray, stdin=PASSWORD)
    assert "Riverside Care: " in done.out
    assert "Northside" not in done.out


def test_whoever_publishes_is_named(house: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By --by, or as the machine knows them."""
    monkeypatch.setenv("SUDO_USER", "kim")
    file = _edited(house, run, **HOUR)
    assert run("protocols", "publish", file, "--yes").code == 0
    rows = run("protocols", "history", "daily-check-in", "--json").rows
    assert rows[-1]["by"] == "cli:kim"


def test_leaving_out_a_protocol_says_what_becomes_of_its_texts(house: Path, run: Run) -> None:
    """Refused without --end-running, and shown either way."""
    run("protocols", "publish", _edited(house, run, **HOUR), "--yes")
    file = write(house, "clinic.yaml", CLINIC.replace(", daily-check-in", ""))
    refused = run("clinic", "apply", file)
    assert refused.code == 2
    assert "daily-check-in/daily_0_10" in refused.err
    line = file.read_text()[: file.read_text().index("protocols:")].count("\n") + 1
    assert f"{file}:{line}: protocols: the file leaves out what patients follow" in refused.err
    assert "daily-check-in (1 patient)" in refused.err
    assert "--end-running" in refused.err
    looked = run("clinic", "apply", file, "--dry-run")
    assert (looked.code, "--end-running" in looked.err) == (2, True)
    run("clinic", "apply", file, "--end-running", "--by", "sam@clinic.test", stdin=PASSWORD)
    done = run("clinic", "approve", "--by", "ray@clinic.test", "--yes", stdin=PASSWORD)
    assert done.code == 0
    assert re.search(r"cancelled: 1\d texts for 1 patient", done.out)


def test_a_protocol_of_ones_own_is_published_and_switched_on(house: Path, run: Run) -> None:
    """Published first, then named in the file, by two people each; it reaches booked visits."""
    source = run("protocols", "show", "assessment-visit").out
    mine = re.sub(r"^id: .*$", "id: mine", source, count=1, flags=re.MULTILINE)
    mine = mine.replace("visit: assessment", "visit: integration")
    file = write(house, "mine.yaml", mine)
    lee, ray = ("--by", "lee@clinic.test"), ("--by", "ray@clinic.test", "--yes")
    run("protocols", "publish", file, "--yes", *lee, stdin=PASSWORD)
    done = run("protocols", "approve", "mine", *ray, stdin=PASSWORD)
    assert (done.code, "version 1 is in force" in done.out) == (0, True), done.err
    named = CLINIC.replace("daily-check-in]", "daily-check-in, mine]")
    on = run("clinic", "apply", write(house, "clinic.yaml", named), *lee, stdin=PASSWORD)
    assert (on.code, "mine switched on, " in on.out) == (0, True), on.err
    assert "added" in on.err
    done = run("clinic", "approve", *ray, stdin=PASSWORD)
    assert (done.code, "1 enrollment began" in done.out) == (0, True), done.err


def _spoil(statement: str) -> None:
    """Leave something in the database that this release can't read."""
    with services() as running, running.database.transaction() as session:
        session.execute(text(statement))


_SPOILT = (
    "UPDATE protocol_version SET source = 'id: daily-check-in', checksum = 'spoilt'"
    " WHERE protocol = 'daily-check-in'"
)


def test_a_version_that_cannot_be_read_is_mended_by_publishing_another(
    house: Path, run: Run
) -> None:
    """A clinician approves the whole of the new one; whoever followed the old goes on by it."""
    file = _edited(house, run, **HOUR)
    _spoil(_SPOILT)
    red = run("doctor").out
    assert "nobody who follows daily-check-in can be planned" in red
    assert "daily-check-in v1:1: protocol: `steps` is missing." in red
    lee, ray = ("--by", "lee@clinic.test"), ("--by", "ray@clinic.test")
    shown = run("protocols", "publish", file, "--dry-run")
    assert (shown.code, "The version in force can't be read" in shown.out) == (0, True), shown.err
    assert "1 patient follows a version that can't be read" in shown.out
    assert run("protocols", "publish", file, "--yes", *lee, stdin=PASSWORD).code == 0
    done = run("protocols", "approve", "daily-check-in", *ray, "--yes", stdin=PASSWORD)
    assert (done.code, "version 2 is in force" in done.out) == (0, True), done.err
    texts = run("messages", "--json").rows
    assert {row["due_at"][11:16] for row in texts if row["step"] == "daily_0_10"} == {"21:00"}
    assert "can be planned" not in run("doctor").out


def test_another_protocol_that_cannot_be_read_keeps_none_from_being_published(
    house: Path, run: Run
) -> None:
    """Nor the clinic's file from being applied, which brings what the product ships anew."""
    source = run("protocols", "show", "integration").out
    _spoil(_SPOILT)
    file = write(house, "other.yaml", source.replace("title: ", "title: My ", 1))
    done = run("protocols", "publish", file, "--yes")
    assert (done.code, "version 2 is in force" in done.out) == (0, True), done.err
    lee, ray = ("--by", "lee@clinic.test"), ("--by", "ray@clinic.test")
    proposed = run("clinic", "apply", house / "clinic.yaml", *lee, stdin=PASSWORD)
    assert (proposed.code, "daily-check-in" in proposed.out) == (0, True), proposed.err
    done = run("clinic", "approve", *ray, "--yes", stdin=PASSWORD)
    assert "protocol daily-check-in: version 2 is in force" in done.out, done.err


def test_a_proposed_protocol_that_cannot_be_read_is_named_and_made_anew(
    house: Path, run: Run
) -> None:
    """The release after took away what it says: nobody approves what they can't be shown."""
    file, by = _edited(house, run, **THRESHOLD), ("--by", "lee@clinic.test")
    assert run("protocols", "publish", file, "--yes", *by, stdin=PASSWORD).code == 0
    _spoil("UPDATE proposal SET source = 'id: daily-check-in'")
    ray = ("--by", "ray@clinic.test", "--yes")
    ran = run("protocols", "approve", "daily-check-in", *ray, stdin=PASSWORD)
    assert ran.code == 2
    assert "the proposal for daily-check-in:1: protocol: `steps` is missing." in ran.err
    assert re.search(r"The proposal [0-9a-f-]{36}, made on .* can't be read by this", ran.err)
    assert "`aftercare protocols reject daily-check-in`" in ran.err
    assert run("protocols", "publish", file, "--yes", *by, stdin=PASSWORD).code == 0
    assert run("protocols", "approve", "daily-check-in", *ray, stdin=PASSWORD).code == 0


@pytest.mark.parametrize("source", ["{}", "no json"])
def test_a_proposed_file_that_cannot_be_read_is_named_and_made_anew(
    house: Path, run: Run, source: str
) -> None:
    """The clinic's file with a key that a release took away, while it waited for a clinician."""
    file = write(house, "clinic.yaml", CLINIC + "fasting: {solids_hours: 8, fluids_hours: 3}\n")
    by = ("--by", "lee@clinic.test")
    assert run("clinic", "apply", file, *by, stdin=PASSWORD).code == 0
    _spoil(f"UPDATE proposal SET source = '{source}'")
    ray = ("--by", "ray@clinic.test", "--yes")
    ran = run("clinic", "approve", *ray, stdin=PASSWORD)
    assert ran.code == 2
    assert re.search(r"The proposal [0-9a-f-]{36}, made on .* can't be read by this", ran.err)
    assert "`aftercare clinic reject`" in ran.err
    assert run("clinic", "apply", file, *by, stdin=PASSWORD).code == 0
    assert run("clinic", "approve", *ray, stdin=PASSWORD).code == 0


_WORDED = """wording:
  visit_day:
    en: "{sms_name}: see you at {time} today. Late? Reply L. Another time? Reply R. {phone}"
  after_morning:
    en: "{sms_name}: all well? Reply 0 yes, 1 almost, 2 no, 3 please call me. In danger: 911."
"""
_PLAIN = _WORDED.partition("  after_morning")[0]


def test_own_wording_is_applied_shown_and_brought_back(house: Path, run: Run) -> None:
    """Words of no safety need nobody; the file in force can be printed and applied again."""
    first = write(house, "clinic.yaml", CLINIC + _PLAIN)
    dry = run("clinic", "apply", first, "--dry-run")
    assert (dry.code, "wording.visit_day.en: " in dry.out) == (0, True), dry.err
    done = run("clinic", "apply", first)
    assert (done.code, "Another time? Reply R" in done.out) == (0, True), done.err
    assert "visit_day has words of the clinic's in en, and the shipped ones in es" in done.err
    [row] = run("clinic", "wording", "--template", "visit_day", "--language", "en", "--json").rows
    assert (row["words"], row["safety"], row["segments"]) == ("clinic", False, 1)
    assert row["reads"].startswith("Riverside Care: see you at ")
    printed = write(house, "printed.yaml", run("clinic", "show").out)
    assert run("clinic", "apply", printed).out == "riverside: nothing changed.\n"
    back = run("clinic", "rollback", "--yes")
    assert (back.code, "wording.visit_day.en" in back.out) == (0, True), back.err
    shown = [row["restores"] for row in run("clinic", "history", "--json").rows]
    assert shown == [None, None, 1]
    assert run("clinic", "rollback", "--to", "9").code == 2


def test_a_preview_says_the_clinics_own_words(house: Path, run: Run) -> None:
    """Also out of a file that nobody has applied yet."""
    own = 'assess_48h: {en: "{sms_name}: first visit {when}. Reply C or R. STOP ends texts."}'
    file = write(house, "clinic.yaml", f"{CLINIC}wording:\n  {own}\n")
    wanted = ("--sample", "--clinic", file, "--protocol", "assessment-visit", "--language", "en")
    [row] = run("preview", *wanted, "--days", "30", "--json").rows
    said = "Riverside Care: first visit .*. Reply C or R. STOP ends texts."
    assert re.fullmatch(said, row["body"])


def test_unfit_wording_is_named_with_its_line(house: Path, run: Run) -> None:
    """Every fault at once, and nothing is changed."""
    lines = (CLINIC + _WORDED).replace(" In danger: 911.", "").replace("{time}", "{phone}")
    refused = run("clinic", "apply", write(house, "clinic.yaml", lines))
    assert refused.code == 2
    at = {line.split(":")[1] for line in refused.err.splitlines() if "template" in line}
    numbers = {n for n, line in enumerate(lines.splitlines(), 1) if line.startswith("    en:")}
    assert at == {str(number) for number in numbers}
    assert run("clinic", "wording", "--json").rows[0]["words"] == "shipped"


def test_safety_wording_waits_for_a_clinician_in_every_language(house: Path, run: Run) -> None:
    """Proposed with what patients read before and after; the second language puts it in force."""
    file = write(house, "clinic.yaml", CLINIC + _WORDED)
    refused = run("clinic", "apply", file)
    assert (refused.code, "wording of after_morning (en)" in refused.err) == (2, True)
    assert "visit_day" not in refused.err.partition("changes safety content")[2]
    run("clinic", "apply", file, "--by", "lee@clinic.test", stdin=PASSWORD)
    own = run("clinic", "approve", "--by", "lee@clinic.test", "--yes", stdin=PASSWORD)
    assert (own.code, "another clinician" in own.err) == (2, True)
    ray = ("--by", "ray@clinic.test", "--yes")
    half = run("clinic", "approve", "--language", "en", *ray, stdin=PASSWORD)
    assert (half.code, "still to be approved: es" in half.err) == (0, True), half.err
    assert run("clinic", "wording", "--template", "after_morning", "--json").rows[0]["words"] == (
        "shipped"
    )
    done = run("clinic", "approve", *ray, stdin=PASSWORD)
    assert (done.code, "In danger: 911." in done.out) == (0, True), done.err
    assert run("clinic", "wording", "--template", "after_morning", "--json").rows[0]["words"] == (
        "clinic"
    )
    # Taking safety words away is a change of them too.
    away = run("clinic", "rollback", "--yes")
    assert (away.code, "after_morning" in away.err) == (2, True)


def test_doctor_is_red_for_words_that_a_release_no_longer_takes(
    house: Path, run: Run, database_url: str
) -> None:
    """The text goes in the shipped words; the finding names it, and the mend."""
    run("clinic", "apply", write(house, "clinic.yaml", CLINIC + _PLAIN))
    database = Database.connect(database_url, application="test")
    try:
        assert not [each for each in checks.senders(database, load()) if each.mend]
        with database.transaction() as session:
            clinic = clinics.by_key(session, "riverside")
            assert clinic is not None
            clinic.settings = {**clinic.settings, "wording": {"visit_day": {"en": "Hi"}}}
        found = [each.message for each in checks.senders(database, load()) if each.mend]
    finally:
        database.close()
    assert any("visit_day (en) goes in the shipped words" in message for message in found)


def test_doctor_is_red_for_a_name_that_a_release_no_longer_takes(
    house: Path, run: Run, database_url: str
) -> None:
    """No text that says it goes, so whoever upgrades learns of it at once."""
    run("clinic", "apply", write(house, "clinic.yaml", CLINIC))
    database = Database.connect(database_url, application="test")
    try:
        with database.transaction() as session:
            clinic = clinics.by_key(session, "riverside")
            assert clinic is not None
            clinic.settings = {**clinic.settings, "sms_name": "SoberLife Care"}
        found = [each.message for each in checks.senders(database, load()) if each.mend]
    finally:
        database.close()
    assert len(found) == 1
    assert "sms_name stands in every text, and 'SoberLife' at letter 1" in found[0]


def test_each_line_of_an_apply_for_programs_is_an_object(house: Path, run: Run) -> None:
    """Also where nothing is changed yet: looked at, proposed, and approved in one language only."""
    text = CLINIC + "fasting: {solids_hours: 8, fluids_hours: 2}\n"
    file = write(house, "clinic.yaml", text)
    looked = run("clinic", "apply", file, "--dry-run", "--json")
    [changed] = [row for row in looked.rows if "field" in row]
    assert (changed["field"], changed["after"]) == ("fasting.solids_hours", 8.0)
    new = write(house, "new.yaml", text.replace("id: riverside", "id: lakeside"))
    assert run("clinic", "apply", new, "--dry-run", "--json").rows == [
        {"clinic": "lakeside", "would_create": True}
    ]
    lee = ("--by", "lee@clinic.test", "--json")
    [proposed] = run("clinic", "apply", file, *lee, stdin=PASSWORD).rows
    assert (proposed["proposed"], len(proposed["safety"])) == (True, 1)
    ray = ("--by", "ray@clinic.test", "--yes", "--json")
    half = run("clinic", "approve", *ray, "--language", "en", stdin=PASSWORD)
    assert half.rows[-1] == {"clinic": "riverside", "waits": ["es"]}
    done = run("clinic", "approve", *ray, stdin=PASSWORD)
    assert {"clinic": "riverside", "field": "fasting.solids_hours"}.items() <= done.rows[-1].items()


def test_a_closed_day_is_a_version_and_outlasts_a_rollback(house: Path, run: Run) -> None:
    """Two files, then a day closed: going back brings the file before, and the day stays closed."""
    for name in ("Riverside Two", "Riverside Three"):
        file = write(house, "clinic.yaml", CLINIC.replace("Riverside Care", name))
        assert run("clinic", "apply", file, "--yes").code == 0
    assert run("clinic", "close", "2026-12-10", "--yes").code == 0
    rows = run("clinic", "history", "--json").rows
    assert [(row["number"], row["outcome"]) for row in rows][-2:] == [
        (3, "replaced"),
        (4, "in_force"),
    ]
    assert "nothing changed" in run("clinic", "rollback", "--yes").out
    back = run("clinic", "rollback", "--to", "2", "--yes")
    assert back.code == 0, back.err
    assert "Closed since version 2, and closed still: 2026-12-10." in back.err
    shown = run("clinic", "show").out
    assert ("Riverside Two" in shown, "'2026-12-10'" in shown) == (True, True)
    *_, newest = run("clinic", "history", "--json").rows
    assert (newest["number"], newest["restores"], newest["outcome"]) == (5, 2, "in_force")
    assert "Riverside Three" in run("clinic", "show", "--number", "4").out


def test_closing_a_day_without_a_terminal_asks_nobody(house: Path, run: Run) -> None:
    """It says what to write, and cancels nothing."""
    closed = run("clinic", "close", "2026-12-10")
    assert (closed.code, closed.out, "--yes" in closed.err) == (2, "", True)
    assert run("clinic", "close", "2026-12-10", "--yes").code == 0


def test_a_diff_has_each_patients_own_clock(house: Path, run: Run, database_url: str) -> None:
    """As a preview has it, and with the zone's name where it is not the clinic's."""
    database = Database.connect(database_url, application="test")
    try:
        with database.transaction() as session:
            session.execute(text("UPDATE patient SET timezone = 'Pacific/Honolulu'"))
    finally:
        database.close()
    file = _edited(house, run, **HOUR)
    shown = run("protocols", "publish", file, "--dry-run")
    assert re.search(r"P1  \w+  daily-check-in/daily_0_10 .*HST \(Pacific/Honolulu\)", shown.out)
