"""Texts from where no patient's phone is, and from one phone that two clinics know."""

import pytest

from tests.support.world import World, make_clinic, make_patients, phone_of
from tests.worker.talk import Talk

SHORT_CODE = "72345"
ASHORE = "+12125550111"


@pytest.fixture
def talk(world: World) -> Talk:
    """The world's clinic, with a patient."""
    found = Talk(world)
    found.someone()
    return found


def test_a_text_from_a_short_code_is_kept_and_answered_by_nobody(talk: Talk) -> None:
    """Another company's robot: an answer would start a conversation of two machines."""
    row = talk.says("Your code is 4412. Reply HELP for help", phone=SHORT_CODE)
    assert (row.patient_id, row.handled_at is not None) == (None, True)
    assert talk.answers == []
    assert talk.reasons, "a person sees it"


def test_a_stop_from_a_short_code_is_kept_as_one(talk: Talk) -> None:
    """Whatever a number is, a stop from it counts."""
    row = talk.says("STOP", phone=SHORT_CODE)
    assert (row.intent, row.opt_change) == ("stop", "stop")


def test_a_stop_written_to_one_clinic_leaves_the_other_clinics_texts(talk: Talk) -> None:
    """The patient stopped what they were texted there; each clinic has a consent of its own."""
    world = talk.world
    with world.database.transaction() as session:
        other, _ = make_clinic(session, key="ashore", number=ASHORE)
        make_patients(session, world.vault, other, 1)
    talk.says("please stop texting me", phone=phone_of(0), to=ASHORE)
    stops = world.execute("SELECT clinic_id FROM opt_out WHERE lifted_at IS NULL")
    assert [row.clinic_id for row in stops] == [other]
