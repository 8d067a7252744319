"""A route and a substance that only a clinic's file knows, from its file to the texts."""

from pathlib import Path

import pytest

from tests.cli.conftest import CLINIC, VISITS, Run, set_up, write

OWN = """
routes: {intranasal: {shown: nasal spray}}
substances: {cannabis: {shown: cannabis}}
"""
PROTOCOL = """\
id: spray
title: Own
for: {visit: dosing, routes: intranasal}
purpose: visits
importance: visit
steps:
  - id: a
    template: visit_7d
    when: 2 days before visit start at 10:00
    latest: 3 hours before visit start
    only_if: [route intranasal, substance is cannabis]
    expects: appointment_reminder
    answer_until: at visit start
"""


@pytest.fixture
def house(settings_env: Path, run: Run) -> Path:
    """A clinic that gives doses by a spray, and treats people for cannabis."""
    return set_up(run, settings_env, CLINIC + OWN)


def test_a_clinics_own_route_goes_the_whole_way(house: Path, run: Run) -> None:
    """Imported, checked, published, tried out, and recorded; elsewhere it is refused."""
    visit = VISITS.replace("dosing,iv", "dosing,intranasal").replace("A1,", "A7,")
    ran = run("import", "appointments", write(house, "visits.csv", visit))
    assert (ran.code, "1 created" in ran.out) == (0, True), ran.err
    file = write(house, "spray.yaml", PROTOCOL)
    assert run("protocols", "check", file, "--clinic", house / "clinic.yaml").code == 0
    unknown = run("protocols", "check", file)
    assert (unknown.code, f"{file}:3: `intranasal` is no route" in unknown.out) == (2, True)
    assert "spray.yaml:11: `cannabis` is no substance" in unknown.out
    published = run("protocols", "publish", file, "--yes")
    assert published.code == 0, published.err
    assert "spray" in run("protocols", "list", "--clinic", "riverside").out
    assert run("patient", "tailor", "P1", "--set", "substances=cannabis").code == 0
    mine = ("preview", "--protocol", file, "--days", 14, "--json")
    own = [row for row in run(*mine, "P1").rows if row["appointment_id"] == "A7"]
    assert [row["status"] for row in own] == ["planned"]
    imagined = ("--visit", "dosing/intranasal@2026-12-10T08:30", "--substance", "cannabis")
    rows = run(*mine, "--sample", *imagined).rows
    assert [row["status"] for row in rows] == ["planned"]
    assert run("protocols", "schema", "--clinic", house / "clinic.yaml").out.count("intranasal") > 1
    given = run("event", "A7", "checked_out", "--dose", "given", "--at", "2026-11-30T09:00")
    assert given.code == 0, given.err


def test_a_route_that_no_clinic_named_is_refused(clinic: Path, run: Run) -> None:
    """By line and column, with those that are known."""
    visit = VISITS.replace("dosing,iv", "dosing,intranasal")
    ran = run("import", "appointments", write(clinic, "visits.csv", visit))
    assert ran.code == 2
    assert 'line 2, column route: "intranasal" is not known here' in ran.err
