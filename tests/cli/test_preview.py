"""`aftercare preview`: somebody imagined, the page to print, one object a line."""

import os
import re
import stat
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from cli.session import services, the_patient
from tests.cli.conftest import CLINIC, Run, write
from tests.support.browser import launched

OCTOBER = ("--from", "2026-10-20", "--days", 40)


@pytest.fixture(scope="module")
def browser() -> Browser:
    """The system's Chromium."""
    with launched() as found:
        yield found


def test_somebody_imagined_needs_neither_settings_nor_a_database(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clinic's file is enough; every switched-on protocol is tried."""
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path, "clinic.yaml", CLINIC)
    ran = run("preview", "--sample", "--clinic", file, *OCTOBER, "--json")
    assert ran.code == 0, ran.err
    assert {"welcome", "dosing-visit", "after-dose", "daily-check-in"} <= {
        row["protocol"] for row in ran.rows
    }
    assert {row["zone"] for row in ran.rows} == {"America/New_York"}
    first = ran.rows[0]
    assert first["local_time"].startswith("2026-10-20T09:00:00-04:00")
    assert first["due_at"] == "2026-10-20T13:00:00Z"
    assert {row["status"] for row in ran.rows} == {"planned", "skipped", "conditional"}
    assert all(row["condition"] for row in ran.rows if row["status"] == "conditional")
    assert all(row["why"] for row in ran.rows if row["status"] == "skipped")


def test_the_visits_of_somebody_imagined_are_named(clinic: Path, run: Run) -> None:
    """The texts are about them, and without options nobody said which they are."""
    ran = run("preview", "--sample", "--clinic", clinic / "clinic.yaml", *OCTOBER)
    assert "Imagined visits: assessment " in ran.err
    visit = ("--visit", "dosing/iv@2026-10-30T08:30", "--timezone", "America/Denver")
    ran = run("preview", "--sample", "--clinic", clinic / "clinic.yaml", *OCTOBER, *visit)
    assert "Imagined visits: dosing/iv Fri 2026-10-30 06:30 MDT." in ran.err


def test_a_sample_is_described_by_options(clinic: Path, run: Run) -> None:
    """Language, zone, visits and the protocol's file; at a clinic on record."""
    file = write(clinic, "mine.yaml", run("protocols", "show", "dosing-visit").out)
    words = ("--language", "es", "--timezone", "America/Los_Angeles")
    visit = ("--visit", "dosing/iv@2026-12-10T08:30")
    rows = run(
        "preview", "--sample", "--protocol", file, *words, *visit, "--days", 14, "--json"
    ).rows
    going = [row for row in rows if row["status"] == "planned"]
    assert {row["language"] for row in going} == {"es"}
    assert {row["zone"] for row in rows} == {"America/Los_Angeles"}
    ride = next(row for row in going if row["step"] == "visit_2h_ride")
    assert "8:30 am ET" in ride["body"]
    assert run("messages", "--json").rows == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "or --sample"),
        (("P1", "--sample"), "or --sample"),
        (("P1", "--language", "es"), "give them to --sample"),
        (("--sample", "--visit", "massage@2026-12-10T08:30"), "Kinds are"),
        (("--sample", "--visit", "dosing"), "Kinds are"),
        (("--sample", "--timezone", "EST5"), "IANA"),
        (("--sample", "--timezone", "EST"), "America/New_York"),
        (("--sample", "--timezone", "PST8PDT"), "America/Los_Angeles"),
        (("--sample", "--timezone", "Etc/GMT+5"), "IANA"),
        (("--sample", "--language", "fr"), "en, es"),
        (("--sample", "--substance", "tea"), "opioids"),
        (("--sample", "--visit", "dosing/nasal@2026-12-10T08:30"), "lozenge"),
        (("--sample", "--protocol", "nope"), "There is no protocol"),
    ],
)
def test_what_cannot_be_is_refused(
    clinic: Path, run: Run, words: tuple[str, ...], said: str
) -> None:
    """Exit 2, with the mend."""
    ran = run("preview", *words)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def _page(tmp_path: Path, run: Run) -> Path:
    clinic = write(tmp_path, "clinic.yaml", CLINIC)
    page = tmp_path / "calendar.html"
    ran = run("preview", "--sample", "--clinic", clinic, *OCTOBER, "--html", page)
    assert ran.code == 0, ran.err
    return page


def test_the_page_stands_by_itself(tmp_path: Path, run: Run) -> None:
    """No script, no address that a browser would ask, one heading of each rank."""
    page = _page(tmp_path, run).read_text("utf-8")
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|https?://|\son\w+=", page)
    assert page.count("<h1>") == 1
    assert re.findall(r"<h2>(.+?)</h2>", page) == ["October 2026", "November 2026"]
    assert page.count('<th scope="row">') > 20
    assert '<html lang="en">' in page
    assert 'class="change"' in page


def test_the_page_is_its_owners_alone(tmp_path: Path, run: Run) -> None:
    """It names what a patient is texted; one that lay there open to others is closed."""
    before = os.umask(0o022)
    try:
        page = _page(tmp_path, run)
        modes = [stat.S_IMODE(page.stat().st_mode)]
        page.chmod(0o644)
        page.write_text("x" * 1_000_000)
        _page(tmp_path, run)
    finally:
        os.umask(before)
    assert [*modes, stat.S_IMODE(page.stat().st_mode)] == [0o600, 0o600]
    assert page.read_text("utf-8").endswith("</html>\n")


def test_words_of_a_clinic_are_no_markup(tmp_path: Path, run: Run) -> None:
    """A name with an ampersand is shown as it is sent."""
    clinic = write(tmp_path, "c.yaml", CLINIC.replace("Riverside Care", "R & D <b>Care</b>"))
    page = tmp_path / "calendar.html"
    run("preview", "--sample", "--clinic", clinic, *OCTOBER, "--html", page)
    assert "R &amp; D &lt;b&gt;Care&lt;/b&gt;" in page.read_text("utf-8")


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 700), ("dark", 1100), ("light", 380)])
def test_the_page_is_readable_on_screen_and_on_paper(
    tmp_path: Path, run: Run, browser: Browser, media: str, scheme: str, width: int
) -> None:
    """Nothing is asked of the network, nothing overlaps or runs off, and paper is white."""
    asked: list[str] = []
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=True
    )
    page.on("request", lambda request: asked.append(request.url))
    file = _page(tmp_path, run)
    page.goto(file.as_uri())
    page.emulate_media(media=media)
    assert asked == [file.as_uri()]
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    spills = page.evaluate(
        "[...document.querySelectorAll('th, td')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && getComputedStyle(e).position !== 'absolute' && e.closest('tbody')).length"
    )
    assert spills == 0
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    white = media == "print" or scheme == "light"
    assert (paper == "rgb(255, 255, 255)") is white
    page.close()


@pytest.mark.parametrize(
    ("route", "meal", "drink"),
    [("iv", "2 AM", "6 AM"), ("im", "5 AM", "6 AM"), ("lozenge", "5 AM", "7 AM")],
)
def test_the_last_meal_is_that_of_the_visits_route(
    tmp_path: Path, run: Run, route: str, meal: str, drink: str
) -> None:
    """In the words of the text, and by its clock."""
    fasting = (
        "fasting: {routes: {im: {solids_hours: 3}, lozenge: {solids_hours: 3, fluids_hours: 1}}}"
    )
    clinic = write(tmp_path, "clinic.yaml", f"{CLINIC}{fasting}\n")
    visit = ("--visit", f"dosing/{route}@2026-12-10T08:00", "--from", "2026-11-30", "--days", 14)
    words = ("preview", "--sample", "--clinic", clinic, "--protocol", "dosing-visit", "--json")
    [food] = [row for row in run(*words, *visit).rows if row["step"] == "visit_24h_prep"]
    assert (food["status"], meal in food["body"], drink in food["body"]) == ("planned", True, True)


def test_visits_that_nobody_named_come_in_the_course_of_a_treatment(
    tmp_path: Path, run: Run
) -> None:
    """First the assessment, then the dose, then what follows it."""
    clinic = write(tmp_path, "clinic.yaml", CLINIC)
    rows = run("preview", "--sample", "--clinic", clinic, "--days", 30, "--json").rows
    first = dict(sorted(((row["step"], row["local_time"]) for row in rows), reverse=True))
    steps = ["assess_48h", "visit_24h_prep", "after_evening", "followup_24h"]
    assert sorted(steps, key=first.__getitem__) == steps


@pytest.mark.parametrize("day", ["03/04/2027", "3.4.27", "46085"])
def test_a_day_that_can_be_misread_is_mended_on_the_line_itself(
    clinic: Path, run: Run, day: str
) -> None:
    """No mapping file is offered, since the command takes none."""
    ran = run("preview", "P1", "--from", day)
    assert (ran.code, "2026-12-01" in ran.err, "map" in ran.err) == (2, True, False), ran.err


def test_one_is_said_of_one(clinic: Path, run: Run) -> None:
    """One text goes, and one in one segment."""
    file = write(
        clinic,
        "one.yaml",
        "id: one\ntitle: One\nenroll: by hand\npurpose: visits\nimportance: visit\nsteps:\n"
        "  - id: only\n    template: plan_next\n"
        "    when: 1 day after enrollment at 11:00\n    latest: 3 hours after sending\n"
        "    expects: yes_no\n    answer_until: 1 day after sending\n",
    )
    ran = run("preview", "--sample", "--protocol", file, "--days", 3)
    assert "1 text in 1 segment: 0.01 USD" in ran.err, ran.err


def test_words_of_a_patients_texts_are_shown_on_record(clinic: Path, run: Run) -> None:
    """Like a reveal: who looked, at whom, without a word of it; of somebody imagined nothing."""
    assert run("preview", "--sample", "--json").code == 0
    assert run("preview", "P1", "--json").code == 0
    with services() as running, running.database.transaction() as session:
        found = session.execute(
            text("SELECT subject FROM audit_event WHERE action = 'preview.shown'")
        ).all()
        person = the_patient(running, "P1")
    assert [subject for (subject,) in found] == [f"patient:{person.id}"]
    assert run("audit", "verify").code == 0
