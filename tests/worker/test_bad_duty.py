"""What people do wrong with follow-ups: each is refused in words that name place and mend."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from records.followups import FollowUp
from tests.support.world import World
from tests.worker.desk import at
from tests.worker.duty import Duty
from worker.steps import followup_actions as actions
from worker.steps.followup_actions import BadActionError, FollowUpTakenError

SAM, KIM = "sam@clinic.test", "kim@clinic.test"


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """Two clinicians on a Monday morning, and a patient."""
    with Duty(world=world) as made:
        made.talk.someone()
        made.staff(SAM, "clinician")
        made.staff(KIM, "clinician")
        yield made


def test_of_two_who_take_an_item_in_the_same_moment_one_has_it(duty: Duty) -> None:
    """By two transactions at once; the other is told who has it, and what to do."""
    duty.says()
    services, item_id = duty.world.services, duty.item.id
    people = [duty.actor(SAM), duty.actor(KIM)]
    together = Barrier(2)

    def take(actor: actions.Actor) -> str:
        together.wait(10)
        try:
            actions.take(services, item_id, actor=actor)
        except FollowUpTakenError as error:
            return str(error)
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(take, people))
    owner = next(actor for actor in people if actor.staff_id == duty.item.owner_id)
    name = SAM if owner is people[0] else KIM
    assert said == [f"{name} has taken this follow-up already. Ask them to hand it over.", "taken"]
    [action] = duty.world.execute("SELECT count(*) FROM follow_up_event WHERE action = 'taken'")
    assert action[0] == 1


@pytest.mark.parametrize(
    ("words", "outcome", "said"),
    [
        ("please call me", "", "The outcome is a word such as reached, left_message"),
        ("please call me", "Reached them at last, all is well!", "put more into the note"),
        ("I want to kill myself", "", "ends with one of: reached_safe, emergency_services_sent"),
        ("I want to kill myself", "reached", "ends with one of: reached_safe"),
        ("I want to kill myself", "not_reached", "write into the note what was decided"),
    ],
)
def test_an_outcome_that_is_missing_or_says_nothing_is_refused(
    duty: Duty, words: str, outcome: str, said: str
) -> None:
    """The item stays open, and the words that fit are named."""
    duty.says(words)
    [item] = duty.talk.rows(FollowUp)
    actor = actions.actor_by_email(duty.world.services, SAM, item.id)
    with pytest.raises(BadActionError, match=said):
        actions.resolve(duty.world.services, item.id, outcome=outcome, actor=actor)
    assert duty.talk.rows(FollowUp)[0].status == "open"


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-12-05 10:00", "closed on Saturday, December 5. .* the next is Monday, December 7"),
        ("2026-12-25 10:00", "closed on Friday, December 25. .* the next is Monday, December 28"),
        ("2026-11-29 10:00", "That time has passed. Give one in the future"),
        ("2027-02-01 10:00", "put off for 30 days at most"),
    ],
)
def test_a_snooze_into_closed_days_names_the_next_staffed_one(
    duty: Duty, until: str, said: str
) -> None:
    """A weekend, a holiday; nor into the past, nor beyond what anybody remembers."""
    duty.says("please call me")
    [item] = duty.talk.rows(FollowUp)
    actor = actions.actor_by_email(duty.world.services, SAM, item.id)
    with pytest.raises(BadActionError, match=said):
        actions.snooze(duty.world.services, item.id, until=at(until), actor=actor)
    assert duty.talk.rows(FollowUp)[0].snoozed_until is None
