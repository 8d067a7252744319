"""A clinic's month on a simulated clock: nothing is broken, and what is planted is found."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.commands import simulate as command
from cli.embedded import EmbeddedPostgres
from cli.simulation import people
from cli.simulation.audit import is_its_time
from cli.simulation.clinic import FILE, START, ZONE, phones
from cli.simulation.courses import course
from cli.simulation.database import DrivenClock, OwnDatabase, throwaway
from cli.simulation.life import Plan, simulate
from cli.simulation.page import page
from cli.simulation.people import Person, draw
from cli.simulation.report import Report, merged
from cli.simulation.sites import SETTINGS, live_at, plans_of
from schedules.clinic import read_clinic
from tests.support.processes import wait_until
from tests.support.services import quick_place

# The steps do the work of a month here; on a machine that does much else that takes a while.
pytestmark = pytest.mark.timeout(1800)

_HOURLY = timedelta(hours=1)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL in which each run makes a database of its own."""
    with EmbeddedPostgres(settings=SETTINGS, place=quick_place()) as own:
        yield own


def _run(server: EmbeddedPostgres, patients: int, days: int, **more: Any) -> Report:
    return simulate(
        server, Plan(patients=patients, days=days, **{"seed": 1, "grain": _HOURLY, **more})
    )


def _broken(report: Report) -> set[str]:
    return {each.promise for each in report.broken}


def test_a_month_with_faults_breaks_no_promise(server: EmbeddedPostgres) -> None:
    """Fifty patients and a carrier that errs: every text, reply and item ends as promised.

    `make sabotage` runs this on a product with planted faults, each of which it has to find.
    """
    report = _run(server, 50, 30, faults=True, until_broken=True)
    assert report.broken == [], report.text()
    assert report.counts["patients"] == 50
    assert report.texts > 800
    assert report.faults


def test_the_same_seed_gives_the_same_report(server: EmbeddedPostgres) -> None:
    """To the byte, in text and as a page; another seed is another life."""
    first, again = (_run(server, 6, 6, faults=True) for _ in range(2))
    assert (first.text(), page(first)) == (again.text(), page(again))
    other = _run(server, 6, 6, seed=2, faults=True)
    assert other.text() != first.text()
    assert (first.broken, other.broken) == ([], [])


def _regular(person: Person) -> Person:
    """Have everybody follow the daily check-in from the first day, and answer but the welcome."""
    return replace(
        person,
        joins_at=START + timedelta(hours=9),
        purposes="visits;check_ins;health_questions",
        program="daily-check-in",
        answers=0.0,
        greets=True,
        reachable=True,
        stops_after=0,
        wrong_after=0,
    )


def _fed_up(person: Person) -> Person:
    """Have everybody stop at the second text, for good."""
    return replace(_regular(person), stops_after=2, returns=False, danger_after=0)


def test_a_window_off_by_an_hour_is_found(server: EmbeddedPostgres) -> None:
    """The product believes in an hour more at both ends."""
    wide = FILE.replace('{from: "09:00", to: "20:00"}', '{from: "08:00", to: "21:00"}')
    report = _run(server, 8, 7, clinic=wide, until_broken=True)
    assert "only in the send window" in _broken(report), report.text()


def test_a_cap_forgotten_is_found(server: EmbeddedPostgres) -> None:
    """The product believes that nine texts a day are fine."""
    forgotten = FILE.replace("per_day: 2", "per_day: 9")
    report = _run(server, 8, 9, clinic=forgotten, habits=_regular, until_broken=True)
    assert "caps are kept" in _broken(report), report.text()


def test_a_weekly_cap_forgotten_is_found(server: EmbeddedPostgres) -> None:
    """The product believes that whoever agreed to visits alone may be texted any number a week."""

    def of_visits(person: Person) -> Person:
        return replace(_regular(person), purposes="visits", program="")

    forgotten = FILE.replace("per_week: 3", "per_week: null")
    report = _run(server, 12, 21, clinic=forgotten, habits=of_visits, until_broken=True)
    assert "caps are kept" in _broken(report), report.text()


_STOPS_GET_LOST = """
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN NEW.lifted_at := NEW.occurred_at; RETURN NEW; END';
    CREATE TRIGGER forget BEFORE INSERT OR UPDATE ON opt_out
        FOR EACH ROW EXECUTE FUNCTION forget();
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
    CREATE TRIGGER keep BEFORE UPDATE ON message
        FOR EACH ROW WHEN (NEW.reason = 'stopped') EXECUTE FUNCTION keep();
    CREATE TRIGGER keep BEFORE UPDATE ON patient
        FOR EACH ROW WHEN (NEW.purposes = '{}') EXECUTE FUNCTION keep();
"""
# Until the morning of the fourth day nothing goes out; then all that waited is claimed.
_A_JAM = "UPDATE sender SET breaker_until = '2027-02-25 14:30Z', breaker_opened_at = now()"
# Whose number is proved before that has check-ins that wait.
_PROVED = """
    CREATE FUNCTION prove() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN NEW.proved_at := NEW.created_at; RETURN NEW; END';
    CREATE TRIGGER prove BEFORE INSERT ON patient FOR EACH ROW EXECUTE FUNCTION prove();
"""
# Nothing expires, and a claim, which begins with its sender's row, finds all that waits in time.
_NO_DEADLINE = """
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
    CREATE TRIGGER keep BEFORE UPDATE ON message
        FOR EACH ROW WHEN (NEW.status = 'expired') EXECUTE FUNCTION keep();
    CREATE FUNCTION extend() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
        UPDATE message SET latest_at = ''2030-01-01''
        WHERE status = ''planned'' AND next_at <= clock_timestamp(); RETURN NEW; END';
    CREATE TRIGGER extend AFTER UPDATE ON sender FOR EACH ROW EXECUTE FUNCTION extend();
"""


def _planted(*statements: str) -> Callable[[OwnDatabase], None]:
    def plant(own: OwnDatabase) -> None:
        for statement in statements:
            own.own.execute(statement.encode())

    return plant


def test_a_stop_ignored_is_found(server: EmbeddedPostgres) -> None:
    """Stops are stored, and nothing comes of them: three layers had to be taken away."""
    report = _run(
        server, 4, 5, planted=_planted(_STOPS_GET_LOST), habits=_fed_up, until_broken=True
    )
    assert "no text after a stop" in _broken(report), report.text()


def test_a_deadline_unchecked_is_found(server: EmbeddedPostgres) -> None:
    """After a jam, what is too late goes out nevertheless."""
    planted = _planted(_PROVED, _A_JAM, _NO_DEADLINE)
    report = _run(server, 8, 4, planted=planted, habits=_regular, until_broken=True)
    assert "not after the deadline" in _broken(report), report.text()


def test_words_that_do_not_reach_the_patient_are_found(server: EmbeddedPostgres) -> None:
    """The product has lost the clinic's wording, and says what ships."""
    lost = FILE.partition("wording:")[0]
    report = _run(server, 4, 3, clinic=lost, habits=_regular, until_broken=True)
    assert "in the clinic's own words" in _broken(report), report.text()


def test_a_jam_alone_breaks_nothing(server: EmbeddedPostgres) -> None:
    """With deadlines in force the same jam only makes texts expire: they are what was missing."""
    report = _run(server, 8, 4, planted=_planted(_A_JAM), habits=_regular)
    assert report.broken == [], report.text()
    assert report.statuses["expired"] > 0


def test_the_databases_clock_is_the_simulated_one(server: EmbeddedPostgres) -> None:
    """Leases and turns live by it, and column defaults too; a jump moves all of them."""
    with throwaway(server) as own:
        clock = DrivenClock(START, own.own)
        clock.set(START + timedelta(days=3))
        [row] = own.rows("SELECT clock_timestamp() AS clock, now() AS began")
        assert (row.clock, row.began) == (clock.now(), clock.now())
        own.own.execute(b"INSERT INTO progress (name) VALUES ('a default')")
        assert own.rows("SELECT at FROM progress")[0].at == clock.now()


def test_two_sites_are_one_clinic(server: EmbeddedPostgres) -> None:
    """Each in a process of its own gives what both give one after the other, to the byte."""
    plan = Plan(patients=6, days=3, seed=3, faults=True, sites=2)
    plans = [replace(plan, site=site) for site in range(2)]
    apart, together = live_at(plans), merged([simulate(server, each) for each in plans])
    assert (apart.text(), page(apart)) == (together.text(), page(together))
    assert apart.counts["patients"] == 6
    assert apart.broken == [], apart.text()
    assert apart.faults


def _touch(path: Path, _: object) -> None:
    path.touch()


def _fail_beside(other: Path, _: object) -> None:
    wait_until(other.exists, 60)
    raise ValueError("this site failed")


def test_a_site_that_fails_ends_the_other(tmp_path: Path) -> None:
    """What failed is said at once, and not when the other has lived its year."""
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    plan = Plan(patients=4, days=365, seed=3, sites=2, grain=_HOURLY)
    lives = replace(plan, planted=partial(_touch, begun), ended=partial(_touch, ended))
    fails = replace(plan, site=1, planted=partial(_fail_beside, begun))
    with pytest.raises(ValueError, match="this site failed"):
        live_at([lives, fails])
    assert begun.exists()
    assert not ended.exists()


def test_how_many_sites_there_are_is_the_clinics_matter() -> None:
    """Not the machine's: the same seed gives the same report everywhere."""
    assert [len(plans_of(Plan(patients=each, days=1, seed=1))) for each in (99, 100)] == [1, 2]


def test_a_life_is_drawn_from_its_seed_alone() -> None:
    """Another patient more changes nobody else's life."""
    numbers = dict(enumerate(phones(), 1))
    drawn = [people.draw(7, number, numbers[number], START, 30) for number in (1, 2, 3)]
    assert drawn == [people.draw(7, number, numbers[number], START, 30) for number in (1, 2, 3)]
    assert len(set(numbers.values())) == len(numbers)


def test_a_visit_is_told_of_before_it_begins() -> None:
    """Holidays put visits off, the first behind the second among them."""
    staffed = read_clinic(FILE, "clinic.yaml", sandbox=True).staffed()
    end = START + timedelta(days=365)
    booked = [
        visit
        for number, phone in enumerate(islice(phones(), 400), 1)
        for visit in course(3, draw(3, number, phone, START, 365), staffed, end)
    ]
    assert len(booked) > 5_000
    assert all(visit.told_at + _HOURLY < visit.starts_at < end for visit in booked)


@pytest.mark.parametrize(
    ("name", "home", "at", "its_time"),
    [
        ("after_evening", "America/New_York", "2027-03-01T17:00", True),
        ("after_evening", "America/New_York", "2027-03-01T14:30", False),
        ("after_morning", "America/New_York", "2027-03-01T19:59", False),
        ("after_morning", "America/New_York", "2027-03-02T09:30", True),
        ("after_morning", "America/New_York", "2027-03-02T12:30", False),
        ("after_morning_closed", "America/Los_Angeles", "2027-03-02T12:30", True),
        ("after_morning", "Pacific/Honolulu", "2027-03-01T14:00", False),
    ],
)
def test_the_time_of_day_of_the_texts_after_a_dose_is_looked_at(
    name: str, home: str, at: str, its_time: bool
) -> None:
    """ "Good morning" is said the morning after, where they are; "tonight" in the same evening."""
    left = datetime.fromisoformat("2027-03-01T13:00").replace(tzinfo=ZONE)
    booking: Any = SimpleNamespace(left_at=left)
    person: Any = SimpleNamespace(zone=home)
    sent = datetime.fromisoformat(at).replace(tzinfo=ZONE)
    assert is_its_time(name, sent, booking, person) is its_time


def test_the_page_stands_by_itself(server: EmbeddedPostgres) -> None:
    """It has plots, no script, and asks nothing of anybody."""
    html = page(_run(server, 2, 2))
    assert html.count("<svg") > 3
    assert not any(word in html for word in ("<script", "<link", "src=", "@import", "url("))


def test_the_command_says_what_is_wrong_with_its_options() -> None:
    """Nobody is simulated by mistake."""
    result = CliRunner().invoke(command.app, ["--patients", "0"])
    assert result.exit_code == 2
