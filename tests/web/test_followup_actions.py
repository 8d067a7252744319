"""What a person does with a follow-up, and what the trails keep of it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from records import audit
from records.base import new_id
from records.clinics import Clinic
from tests.compliance.line import Line
from tests.support.world import World
from tests.web.house import NOW, PASSWORD, House
from tests.web.served import Client, served
from worker.steps import followup_actions as actions
from worker.steps import staff
from worker.steps.followup_actions import (
    Actor,
    BadActionError,
    FollowUpActionError,
    FollowUpEndedError,
    FollowUpMissingError,
    FollowUpTakenError,
    NotAllowedError,
)


@pytest.fixture
def kim(house: House, clinic: Clinic) -> Actor:
    """A coordinator."""
    return actions.actor_of(house.staff(clinic))


@pytest.fixture
def doc(house: House, clinic: Clinic) -> Actor:
    """A clinician."""
    return actions.actor_of(house.staff(clinic, "doc@clinic.test", "clinician"))


def item_of(house: House, actor: Actor, **values: Any) -> UUID:
    item: UUID = house.follow_up(actor.clinic_id, **values).id
    return item


def test_taking_acknowledges(house: House, kim: Actor) -> None:
    """Taking sets owner and status, and stands in both trails."""
    item = item_of(house, kim, snoozed_until=NOW + timedelta(minutes=5))

    taken = actions.take(house.services, item, actor=kim)

    assert (taken.status, taken.owner, taken.acknowledged_at) == (
        "acknowledged",
        "kim@clinic.test",
        NOW,
    )
    assert taken.snoozed_until is None
    assert taken.due_at == NOW + timedelta(hours=1)
    assert house.rows("SELECT actor, action FROM follow_up_event") == [(kim.label, "taken")]
    assert house.rows("SELECT action, subject FROM audit_event") == [
        ("follow_up.taken", f"follow_up:{item}")
    ]


def test_taking_twice_is_one_event(house: House, kim: Actor) -> None:
    """A double click changes nothing the second time."""
    item = item_of(house, kim)

    actions.take(house.services, item, actor=kim)
    actions.take(house.services, item, actor=kim)

    assert house.count("follow_up_event") == 1


def test_two_people_at_once_get_one_owner(house: House, kim: Actor, doc: Actor) -> None:
    """Of two who take one item at the same instant one has it, the other is told who."""
    for _ in range(5):
        item = item_of(house, kim)

        def attempt(actor: Actor, item: UUID = item) -> str:
            try:
                return actions.take(house.services, item, actor=actor).owner or ""
            except FollowUpTakenError as error:
                return f"told {error.owner}"

        with ThreadPoolExecutor(2) as pool:
            first, second = sorted(pool.map(attempt, (kim, doc)))

        assert second == f"told {first}"


def test_assigned_item_waits_for_its_new_owner(house: House, kim: Actor, doc: Actor) -> None:
    """Handing over is no acknowledgement: the colleague has to take it."""
    item = item_of(house, kim)
    actions.take(house.services, item, actor=kim)

    handed = actions.assign(house.services, item, email=" DOC@clinic.test", actor=kim)

    assert (handed.status, handed.owner) == ("open", "doc@clinic.test")
    assert actions.take(house.services, item, actor=doc).status == "acknowledged"


def test_assigning_to_oneself_takes_it_over(house: House, kim: Actor, doc: Actor) -> None:
    """A coordinator takes over what a colleague had left."""
    item = item_of(house, kim)
    actions.take(house.services, item, actor=doc)

    taken = actions.assign(house.services, item, email="kim@clinic.test", actor=kim)

    assert (taken.status, taken.owner) == ("acknowledged", "kim@clinic.test")


def test_nobody_unfit_is_assigned(house: House, clinic: Clinic, kim: Actor) -> None:
    """A viewer, a stranger and another clinic's staff can't be given an item."""
    other = house.clinic("hillside", number="+12125550111", service="MG" + "2" * 32)
    house.staff(other, "far@clinic.test")
    house.staff(clinic, "vic@clinic.test", "viewer")
    item = item_of(house, kim)

    for email in ("vic@clinic.test", "far@clinic.test", "nobody@clinic.test", ""):
        with pytest.raises(BadActionError):
            actions.assign(house.services, item, email=email, actor=kim)


def test_snooze_puts_off(house: House, kim: Actor) -> None:
    """An ordinary item may rest for days; the instant is kept."""
    until = NOW + timedelta(days=8)

    assert actions.snooze(
        house.services, item_of(house, kim), until=until, actor=kim
    ).snoozed_until == (until)


def test_nothing_is_put_off_into_closed_days(house: House, kim: Actor) -> None:
    """The refusal names the next staffed day."""
    with pytest.raises(BadActionError, match="the next is Monday, November 30"):
        actions.snooze(
            house.services, item_of(house, kim), until=NOW + timedelta(days=5), actor=kim
        )


@pytest.mark.parametrize(
    ("severity", "minutes"),
    [("page_now", 31), ("call_today", 60 * 24 * 31), ("call_today", 0), ("page_now", -5)],
)
def test_snooze_has_its_limits(house: House, kim: Actor, severity: str, minutes: int) -> None:
    """A page rests half an hour at most (care rule 10), and nothing is put off into the past."""
    item = item_of(house, kim, severity=severity)
    actions.take(house.services, item, actor=kim)

    with pytest.raises(BadActionError, match=r"at most|has passed"):
        actions.snooze(house.services, item, until=NOW + timedelta(minutes=minutes), actor=kim)


def test_resolving_needs_a_word(house: House, kim: Actor) -> None:
    """Any short word is an outcome; a sentence belongs in the note, where it is sealed."""
    with pytest.raises(BadActionError, match="note"):
        actions.resolve(
            house.services, item_of(house, kim), outcome="Called her at 212-555-0123", actor=kim
        )

    ended = actions.resolve(
        house.services, item_of(house, kim), outcome=" Left message ", actor=kim
    )

    assert (ended.status, ended.outcome, ended.owner) == (
        "resolved",
        "left_message",
        "kim@clinic.test",
    )
    assert (ended.resolved_at, ended.acknowledged_at) == (NOW, NOW)


@pytest.mark.parametrize("reason", ["crisis", "overdose", "medical_emergency"])
def test_safety_item_is_ended_by_a_clinician_with_its_own_outcomes(
    house: House, kim: Actor, doc: Actor, reason: str
) -> None:
    """Care rule 10: who may end it, with what words, and with a note when not reached."""
    item = item_of(house, kim, reason=reason, severity="page_now")

    with pytest.raises(NotAllowedError):
        actions.resolve(house.services, item, outcome="reached_safe", actor=kim)
    with pytest.raises(BadActionError, match="emergency_services_sent"):
        actions.resolve(house.services, item, outcome="handled", actor=doc)
    with pytest.raises(BadActionError, match="decided"):
        actions.resolve(house.services, item, outcome="not_reached", note="  ", actor=doc)

    ended = actions.resolve(
        house.services, item, outcome="not reached", note="Police asked to look in.", actor=doc
    )

    assert ended.outcome == "not_reached"


@pytest.mark.parametrize(
    "doing", [("resolve", "outcome", "handled"), ("snooze", "until", "2026-11-30T14:00")]
)
def test_a_text_that_joins_an_item_is_shown_before_it_is_ended_or_put_off(
    database_url: str, doing: tuple[str, str, str]
) -> None:
    """It came after the page was loaded and before its form was sent."""
    with World(database_url) as world, served(world.services) as client:
        line = Line(world, client)
        line.someone()
        staff.add(
            world.services,
            world.clinic_id,
            email="kim@clinic.test",
            role=staff.Role.COORDINATOR,
            password=PASSWORD,
            actor="test",
        )
        client.sign_in("kim@clinic.test", PASSWORD)
        line.says("can I eat before?")
        [item] = world.execute("SELECT id FROM follow_up")
        page, (action, field, value) = f"/follow-ups/{item.id}", doing

        def sends() -> str:
            """Fill in the form of the page as it was loaded, and go where that leads."""
            answer = client.post(f"{page}/{action}", data={"to": "/", **shown, field: value})
            return answer.text or client.get(answer.headers["Location"]).text

        shown = _hidden(client, page)
        world.advance(minutes=3)
        line.says("what should I bring?")
        told = sends()
        assert "A further text came at 10:03 on Monday, November 30." in told
        assert "what should I bring?" in told
        assert world.execute("SELECT status, snoozed_until FROM follow_up") == [("open", None)]
        shown = _hidden(client, page)
        assert "A further text came" not in sends()
        [row] = world.execute("SELECT status, snoozed_until FROM follow_up")
        assert (row.status == "resolved") != (row.snoozed_until is not None)


def _hidden(client: Client, page: str) -> dict[str, str]:
    """Return what the forms of a page send by themselves."""
    text = client.get(page).text
    found = (re.search(f'name="{name}" value="([^"]*)"', text) for name in ("csrf", "seen"))
    return dict(zip(("csrf", "seen"), (each[1] if each else "" for each in found), strict=True))


def test_ended_item_is_left_alone(house: House, kim: Actor) -> None:
    """Nothing is done with what has ended; the message says how it ended."""
    item = item_of(house, kim)
    actions.resolve(house.services, item, outcome="handled", actor=kim)

    for act in (
        lambda: actions.take(house.services, item, actor=kim),
        lambda: actions.resolve(house.services, item, outcome="reached", actor=kim),
        lambda: actions.snooze(house.services, item, until=NOW + timedelta(minutes=5), actor=kim),
    ):
        with pytest.raises(FollowUpEndedError, match="handled"):
            act()


def test_viewer_and_stranger_cannot_act(house: House, clinic: Clinic, kim: Actor) -> None:
    """A viewer is told so; for another clinic's staff the item does not exist."""
    other = house.clinic("hillside", number="+12125550111", service="MG" + "2" * 32)
    far = actions.actor_of(house.staff(other, "far@clinic.test"))
    viewer = actions.actor_of(house.staff(clinic, "vic@clinic.test", "viewer"))
    item = item_of(house, kim)

    with pytest.raises(NotAllowedError):
        actions.take(house.services, item, actor=viewer)
    with pytest.raises(FollowUpMissingError):
        actions.take(house.services, item, actor=far)
    with pytest.raises(FollowUpMissingError):
        actions.take(house.services, new_id(), actor=kim)
    assert house.count("audit_event") == 0


def test_command_line_acts_as_a_member_of_staff(house: House, kim: Actor) -> None:
    """The address names the actor within the item's own clinic."""
    item = item_of(house, kim)

    assert actions.actor_by_email(house.services, "kim@clinic.test", item) == kim
    with pytest.raises(FollowUpActionError):
        actions.actor_by_email(house.services, "nobody@clinic.test", item)
    with pytest.raises(FollowUpMissingError):
        actions.actor_by_email(house.services, "kim@clinic.test", new_id())


def test_trail_of_actions_stays_whole(house: House, clinic: Clinic, kim: Actor) -> None:
    """Many actions at once leave one unbroken chain of audit events."""
    items = [item_of(house, kim) for _ in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: actions.take(house.services, item, actor=kim), items))

    with house.services.database.transaction() as session:
        assert audit.first_break(session, clinic.id) is None
    assert house.count("audit_event") == 12
