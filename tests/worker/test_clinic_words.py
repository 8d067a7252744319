"""A clinic's own phrases: checked when they are applied, and read by where replies are stored."""

from typing import Any

import pytest

from records import clinics
from schedules.clinic import ClinicFile
from tests.support.secondperson import approved
from tests.support.world import World
from tests.worker.talk import Talk
from worker.refusal import RefusedError
from worker.steps import clinics as clinics_step

LAKE = {"en": {"self_harm": {"say": ["go by the old depot"]}}}


def _apply(world: World, words: Any) -> None:
    with world.database.transaction() as session:
        file = clinics.by_id(session, world.clinic_id).file
    described = ClinicFile.from_json({**file.to_json(), "words": words})
    clinics_step.apply(world.services, approved(world, described), actor="test")


def _reads(talk: Talk, body: str) -> tuple[str | None, str | None]:
    found = talk.receive(body)
    assert found.id is not None
    row = talk.inbound(found.id)
    return row.intent, row.severity


def test_a_reply_is_read_by_the_clinics_own_phrases(world: World) -> None:
    """What this clinic's patients mean by a place pages, from the next text on."""
    talk = Talk(world)
    talk.someone()
    assert _reads(talk, "might go by the old depot later")[0] != "crisis"

    _apply(world, LAKE)

    assert _reads(talk, "might go by the old depot later") == ("crisis", "page_now")


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ({"en": {"selfharm": {"say": ["x y"]}}}, "selfharm"),
        ({"en": {"self_harm": {"not": ["hurt myself"]}}}, "not"),
        ({"en": {"stop": {"say": ["(broken"]}}}, "broken"),
    ],
)
def test_phrases_that_can_not_be_used_are_refused(world: World, words: Any, place: str) -> None:
    """An unknown list, one that would hide danger, a stray bracket; nothing was changed."""
    with pytest.raises(RefusedError, match=place):
        _apply(world, words)


def test_stored_phrases_that_no_longer_fit_cost_no_reply(world: World) -> None:
    """A list that an upgrade renamed: the text is read by the shipped words."""
    talk = Talk(world)
    talk.someone()
    world.execute(
        "UPDATE clinic SET settings = jsonb_set(settings, '{words}',"
        """ '{"en": {"gone": {"say": ["a b"]}}}')"""
    )

    assert _reads(talk, "i want to die") == ("crisis", "page_now")
