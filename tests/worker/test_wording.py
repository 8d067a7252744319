"""A clinic's own wording on a real database: who reads it, from when on, and what it moves."""

from typing import Any

import pytest

from records import clinics
from records.base import DBAPIError
from schedules.clinic import ClinicFile
from tests.support.world import World
from tests.worker.talk import Talk
from worker.clinicfiles import UnfitWordingError, compare, earlier
from worker.steps import clinics as step
from worker.steps.clinics import Applied

WEEK = "{sms_name}: your visit: {when}. An adult takes you home, please. {link} Reply C or R."
SEMANA = "{sms_name}: su visita: {when}. Venga con un adulto. {link} Responda C o R."
CRISIS = "In danger? Call 911. 988 listens, free, 24/7: call or text. We've alerted our team."
NOBODY = CRISIS.replace("We've alerted our team.", "Nobody may read this before {until}.")


def _file(world: World, wording: Any, **more: Any) -> ClinicFile:
    with world.database.transaction() as session:
        file = clinics.by_id(session, world.clinic_id).file
    return ClinicFile.from_json({**file.to_json(), "wording": wording, **more})


def _apply(world: World, wording: Any, **more: Any) -> Applied:
    return step.apply(world.services, _file(world, wording, **more), actor="test")


def _rows(world: World) -> Any:
    return world.execute("SELECT id, due_at, next_at, latest_at, status, template FROM message")


@pytest.fixture
def waiting(world: World) -> World:
    """A clinic as its file has it, with a text for a patient of either language that waits."""
    _apply(world, {})
    for language in ("en", "es"):
        world.due(patient={"language": language})
    _apply(world, {})
    return world


def test_queued_texts_go_in_the_words_in_force(waiting: World) -> None:
    """What was planned in the shipped words is read in the clinic's own, in either language."""
    _apply(waiting, {"visit_7d": {"en": WEEK, "es": SEMANA}})
    waiting.send()
    found = sorted(each.body for each in waiting.gateway.created())
    assert [body.split(": ")[1] for body in found] == ["su visita", "your visit"]


def test_wording_moves_no_time(waiting: World) -> None:
    """No row changes and nobody is planned anew; the comparison says whom it reaches."""
    waiting.enroll_by_hand()
    waiting.execute("UPDATE enrollment SET plan_requested_at = NULL")
    before = _rows(waiting)
    compared = compare(waiting.services, _file(waiting, {"visit_7d": {"en": WEEK}}))
    assert compared is not None
    assert (compared.may_move_texts, compared.reached) == (False, {"visit_7d": 2})
    [change] = _apply(waiting, {"visit_7d": {"en": WEEK}}).changes
    assert (change.field, change.after) == ("wording.visit_7d.en", WEEK)
    assert "Plan 3 hours" in change.before
    marked = "SELECT count(*) FROM enrollment WHERE plan_requested_at IS NOT NULL"
    assert (_rows(waiting), waiting.execute(marked)) == (before, [(0,)])


def test_taking_the_words_away_brings_the_shipped_ones_back(waiting: World) -> None:
    """Told as a change of what patients read."""
    _apply(waiting, {"visit_7d": {"en": WEEK}})
    [change] = _apply(waiting, {}).changes
    assert (change.before, "Plan 3 hours" in change.after) == (WEEK, True)
    waiting.send()
    assert any("Plan 3 hours" in each.body for each in waiting.gateway.created())


def test_wording_that_no_patient_should_get_is_refused_whole(waiting: World) -> None:
    """Every fault with its text and language; nothing was changed."""
    wording = {"visit_7d": {"en": WEEK, "es": "Hola"}, "crisis_reply": {"en": "Call us."}}
    with pytest.raises(UnfitWordingError) as refused:
        _apply(waiting, wording)
    places = {(fault.template, fault.language) for fault in refused.value.faults}
    assert places == {("visit_7d", "es"), ("crisis_reply", "en")}
    assert _file(waiting, {}) == _file(waiting, _file(waiting, {}).wording)


def test_a_safety_reply_speaks_the_clinics_own_words(world: World) -> None:
    """At once, like the shipped ones, and in the language of the text received."""
    _apply(world, {"crisis_reply": {"en": CRISIS}, "crisis_reply_noalert": {"en": NOBODY}})
    talk = Talk(world)
    talk.someone()
    talk.says("i want to kill myself")
    # Nobody takes the page here: the reply waits its three seconds.
    world.advance(seconds=3)
    world.send()
    [reply] = [each.body for each in world.gateway.created()]
    assert reply.startswith("In danger? Call 911. 988 listens")


def test_stored_words_that_no_longer_fit_cost_no_text(waiting: World) -> None:
    """A release that asks more of a text: the patient gets it in the shipped words."""
    waiting.execute(
        """UPDATE clinic SET settings = settings || '{"wording": {"visit_7d": {"en": "Hi"},
        "gone": {"en": "Hi"}}}'"""
    )
    waiting.send()
    assert any("Plan 3 hours" in each.body for each in waiting.gateway.created())


def test_every_version_of_the_file_is_kept_and_one_comes_back(waiting: World) -> None:
    """Settings as they were, whoever applied them; the one before is what a rollback means."""
    _apply(waiting, {"visit_7d": {"en": WEEK}})
    row = earlier(waiting.services, waiting.clinic_id, None)
    assert row.file.wording == {}
    step.apply(waiting.services, row.file, actor="test", restores=row.number)
    with waiting.database.transaction() as session:
        kept = clinics.versions(session, waiting.clinic_id)
        assert [bool(each.settings["wording"]) for each in kept[-3:]] == [False, True, False]
        assert kept[-1].restores == row.number
        assert kept[-1].number == clinics.by_id(session, waiting.clinic_id).version


def test_a_version_that_is_kept_is_rewritten_by_nobody(waiting: World) -> None:
    """The processes' role may only add."""
    with pytest.raises(DBAPIError, match="permission denied"):
        waiting.execute("UPDATE clinic_version SET number = 9")
