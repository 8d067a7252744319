"""A file of completed forms: what it ends, what it opens, and what is wrong with its rows."""

from datetime import date
from typing import Any

import pytest

from records.audit import AuditEvent
from records.forms import FilledForm
from tests.support.world import World
from tests.worker.desk import Desk
from worker.intake.batches import ImportReport
from worker.intake.sheet import TableError
from worker.steps import forms, visits

ASKED = "2026-11-30T12:30"


@pytest.fixture
def desk(world: World) -> Desk:
    """P0 was asked for the mood form on Monday, November 30, at noon."""
    made = Desk(world)
    made.switches_on("mood-check")
    [person] = made.admits()
    visits.enroll(world.services, person, "mood-check", actor="desk", on=date(2026, 11, 16))
    made.goes_on()
    made.waits_until("2026-11-30 13:00")
    assert made.read() == ["mood_form"]
    return made


def _bring(desk: Desk, *rows: str, columns: str = "phq2,gad2", **options: Any) -> ImportReport:
    content = "\n".join([f"patient_id,form,filled_at,{columns}", *rows])
    return forms.import_forms(desk.world.services, content.encode(), actor="desk", **options)


def _faults(report: ImportReport) -> list[str]:
    return [str(fault) for fault in report.faults]


def test_a_completed_form_ends_its_reminder_and_its_scores_are_looked_at(desk: Desk) -> None:
    """As `aftercare form` would: nothing more goes, and a person has to look."""
    report = _bring(desk, f"P0,mood,{ASKED},4,1")
    assert (report.created, report.bad) == (1, 0)
    assert "high_score" in desk.calls()
    desk.goes_on(days=3)
    assert desk.read() == ["mood_form"]
    [kept] = desk.rows(FilledForm)
    scores = desk.world.vault.open("filled_form", "scores", kept.id, kept.scores)
    assert scores == '{"gad2": 1, "phq2": 4}'


def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    """Also after the item it opened was ended: no score is judged twice."""
    _bring(desk, f"P0,mood,{ASKED},4,1")
    desk.world.execute("UPDATE follow_up SET status = 'resolved'")
    again = _bring(desk, f"P0,mood,{ASKED},4,1")
    assert (again.created, again.changed, again.unchanged) == (0, 0, 1)
    assert desk.calls() == []
    assert len(desk.rows(FilledForm)) == 1
    assert [row.action for row in desk.rows(AuditEvent)].count("forms.imported") == 1


def test_other_scores_of_a_form_that_was_told_are_looked_at(desk: Desk) -> None:
    """The first answer stays on record beside the corrected one."""
    _bring(desk, f"P0,mood,{ASKED},0,0")
    assert "high_score" not in desk.calls()
    corrected = _bring(desk, f"P0,mood,{ASKED},6,5")
    assert (corrected.created, corrected.changed) == (0, 1)
    assert "high_score" in desk.calls()
    assert len(desk.rows(FilledForm)) == 2


def test_a_form_filled_in_before_it_was_asked_for_answers_nothing(desk: Desk) -> None:
    """An old export does not silence this week's question; its scores still count."""
    _bring(desk, "P0,mood,2026-11-20T09:00,4,0")
    assert "high_score" in desk.calls()
    desk.goes_on(days=2)
    desk.waits_until("2026-12-02 12:30")
    assert desk.read() == ["mood_form", "mood_missed"]


def test_scores_of_last_year_are_history(desk: Desk) -> None:
    """A first import of old forms opens nothing."""
    report = _bring(desk, "P0,mood,2025-11-20T09:00,6,6")
    assert report.created == 1
    assert "high_score" not in desk.calls()


def test_a_high_score_counts_though_no_text_waits_for_the_form(desk: Desk) -> None:
    """Filled in a second time the same day: the second is no better hidden than the first."""
    _bring(desk, f"P0,mood,{ASKED},0,0")
    _bring(desk, "P0,mood,2026-11-30T12:45,6,6")
    assert "high_score" in desk.calls()


def test_each_bad_row_is_named_and_the_good_ones_are_kept(desk: Desk) -> None:
    """Line, column and reason, in the order of the file."""
    report = _bring(
        desk,
        f"P0,mood,{ASKED},1,0",
        f"P7,mood,{ASKED},1,0",
        f"P0,moood,{ASKED},1,0",
        "P0,mood,2026-12-24T09:00,1,0",
        "P0,mood,yesterday,1,0",
        "P0,mood,2026-11-30T12:10,six,1000",
        f"P0,mood,{ASKED},2,0",
        "P0,mood",
    )
    assert (report.rows, report.created, report.bad) == (8, 1, 7)
    assert _faults(report) == [
        "line 3, column patient_id: there is no such patient; import patients first",
        'line 4, column form: "moood" is not known here; did you mean "mood"?',
        "line 5, column filled_at: it lies in the future; a form is told of when it is done",
        "line 6, column filled_at: " + _faults(report)[3].partition(": ")[2],
        "line 7, column phq2: a score is a whole number from 0 to 999",
        "line 7, column gad2: a score is a whole number from 0 to 999",
        "line 8, column filled_at: this form of that minute stands on line 2 already",
        "line 9: " + _faults(report)[-1].partition(": ")[2],
    ]


def test_a_dry_run_and_strict_write_nothing(desk: Desk) -> None:
    """What would be done is told all the same."""
    dry = _bring(desk, f"P0,mood,{ASKED},6,6", dry_run=True)
    strict = _bring(desk, f"P0,mood,{ASKED},6,6", f"P9,mood,{ASKED},6,6", strict=True)
    assert (dry.created, dry.written) == (1, False)
    assert (strict.created, strict.written, strict.bad) == (1, False, 1)
    assert desk.rows(FilledForm) == []
    assert "high_score" not in desk.calls()


def test_a_column_that_can_be_no_score_is_named(desk: Desk) -> None:
    """A header with a sentence in it is another file."""
    with pytest.raises(TableError, match=r"line 1: there is no column .* form, filled_at, phq2$"):
        _bring(desk, f"P0,mood,{ASKED},1,7", columns="phq2,Name (as on the card) of the patient")


def test_a_semicolon_file_with_an_empty_score_is_taken(desk: Desk) -> None:
    """As a spreadsheet of another country saves it; a question left out is no zero."""
    content = f"patient_id;form;filled_at;PHQ2;GAD2\nP0;mood;{ASKED};3;\n"
    report = forms.import_forms(desk.world.services, content.encode("utf-8-sig"), actor="desk")
    assert report.created == 1
    [kept] = desk.rows(FilledForm)
    assert desk.world.vault.open("filled_form", "scores", kept.id, kept.scores) == '{"phq2": 3}'
