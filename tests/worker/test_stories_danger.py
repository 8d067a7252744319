"""Stories of what people write after danger was answered, and who reads it when."""

import pytest

from records.followups import FollowUp
from records.patients import OptOut
from tests.support.world import World
from tests.worker.duty import Duty
from worker.steps import followup_actions as actions


@pytest.fixture
def duty(world: World):
    """Sam is on call on the phone, the lead hears after five minutes; a patient is in danger."""
    world.admit()
    with Duty(world=world, channels=frozenset({"sms", "voice"})) as made:
        made.says()
        yield made


def _of(duty: Duty, reason: str) -> list[str]:
    return [row.severity for row in duty.talk.rows(FollowUp) if row.reason == reason]


@pytest.mark.parametrize(
    "words",
    [
        *("ok", "thank you", "i called 988", "im at the er", "an ambulance is here", "im ok now"),
        *("that's not what i meant", "i was joking", "ya llamé al 911", "no era eso", "ya vienen"),
    ],
)
def test_what_follows_joins_the_item_and_pages_nobody(duty: Duty, words: str) -> None:
    """ "I called 988" paged a second time; "i was joking" waited for the next day by itself."""
    duty.world.advance(minutes=2)
    row = duty.says(words)
    duty.tick()
    assert (row.follow_up_id, row.urgent) == (duty.item.id, False)
    assert duty.item.times_joined == 1
    assert duty.pages == [(0, "sam", "opened")]
    assert [each.reason for each in duty.talk.rows(FollowUp)] == ["crisis"]
    assert duty.talk.answers == ["crisis_reply"]
    assert duty.talk.rows(OptOut) == []


def test_what_was_done_leaves_a_page_that_was_taken_as_it_is(duty: Duty) -> None:
    """Its owner reads it there, and no clock of theirs begins anew."""
    duty.staff("sam@clinic.test")
    duty.takes("sam@clinic.test")
    before = duty.item.due_at
    duty.world.advance(minutes=2)
    duty.says("an ambulance is here")
    assert (duty.item.status, duty.item.due_at) == ("acknowledged", before)
    assert len(duty.pages) == 1


@pytest.mark.parametrize(
    "words",
    [
        *(
            "call me",
            "help",
            "i already did it",
            "too late",
            "i took them",
            "not calling",
            "scared",
        ),
        *("llámenme", "ayuda", "ya lo hice", "me las tomé", "no voy a llamar", "sigue igual"),
        "i called 988 and they hung up, i have the pills in my hand",
    ],
)
def test_who_asks_for_help_or_may_have_done_it_is_paged_about_again(duty: Duty, words: str) -> None:
    """HELP was answered with what HELP says, and a wish for a call promised one tomorrow."""
    duty.world.advance(minutes=2)
    row = duty.says(words)
    assert row.urgent
    assert duty.item.times_joined == 1
    assert (2, "sam", "joined") in duty.pages
    assert "callback_ack" not in duty.talk.answers


def test_help_is_answered_as_ever_beside_the_page(duty: Duty) -> None:
    """Carriers ask for that."""
    duty.says("Help!")
    assert duty.talk.answers == ["crisis_reply", "help"]


@pytest.mark.parametrize(
    "words", ["wrong person", "leave me alone", "se equivocaron", "dejenme en paz"]
)
def test_who_feels_misread_keeps_their_texts_and_is_asked_today(duty: Duty, words: str) -> None:
    """It ended all texts; now nothing is started until somebody has asked, the same day."""
    duty.world.advance(minutes=2)
    row = duty.says(words)
    assert duty.talk.rows(OptOut) == []
    assert (row.follow_up_id, row.opt_change) == (duty.item.id, None)
    assert _of(duty, "unclear_reply") == ["call_today"]
    assert (duty.talk.patient().status, duty.talk.patient().status_reason) == (
        "held",
        "unclear_stop",
    )
    assert duty.talk.answers == ["crisis_reply"]


@pytest.mark.parametrize("words", ["STOP", "stop texting me", "no me escriban"])
def test_a_clear_stop_is_applied_and_read_with_the_danger(duty: Duty, words: str) -> None:
    """That is the law; whoever was paged sees that no text reaches the patient any more."""
    duty.world.advance(minutes=2)
    row = duty.says(words)
    assert len(duty.talk.rows(OptOut)) == 1
    assert (row.follow_up_id, duty.item.times_joined) == (duty.item.id, 1)
    assert len(duty.pages) == 1


def test_what_was_done_pages_once_the_danger_was_ended(duty: Duty) -> None:
    """It may tell of another then."""
    duty.staff("doc@clinic.test", "clinician")
    first = duty.item.id
    doctor = duty.actor("doc@clinic.test")
    actions.resolve(duty.world.services, first, outcome="reached_safe", actor=doctor)
    duty.world.advance(minutes=20)
    row = duty.says("an ambulance is here")
    assert row.urgent
    assert row.follow_up_id != first


def test_who_is_on_no_record_is_read_with_their_danger_too(duty: Duty) -> None:
    """A stranger's item is found by the number."""
    phone = "+12125550177"
    duty.says("i want to die", phone=phone)
    row = duty.says("i called 988", phone=phone)
    [item] = [each for each in duty.talk.rows(FollowUp) if each.patient_id is None]
    assert (row.follow_up_id, item.times_joined) == (item.id, 1)
