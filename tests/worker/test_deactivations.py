"""Numbers that their carriers gave up: nothing goes there until somebody has proved them."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from records import patients, progress
from records.followups import FollowUp
from tests.support.world import World, phone_of
from tests.worker.talk import Talk
from worker.steps import consents, deactivations

YESTERDAY = date(2026, 11, 29)
HERS, OTHERS = phone_of(0), "+12125550177"


@pytest.fixture
def talk(world: World) -> Talk:
    """A patient who was proved ten days ago; every list but yesterday's has been read."""
    made = Talk(world)
    made.someone()
    world.execute(
        "UPDATE patient SET proved_at = :at",
        at=world.now - timedelta(days=10),
    )
    read_until(world, YESTERDAY - timedelta(days=1))
    return made


def read_until(world: World, day: date) -> None:
    with world.database.transaction() as session:
        progress.mark(session, deactivations.MARK, {"day": day.isoformat()})


def runs(world: World) -> dict[str, int]:
    return dict(deactivations.run(world.services, world.carrier))


def agrees(talk: Talk) -> None:
    """Have staff record a consent, given now on the number that the patient has."""
    person = talk.patient().id
    consents.grant(talk.world.services, person, purposes=["visits"], method="verbal", actor="t")


def stopped(talk: Talk) -> str | None:
    person = talk.patient()
    with talk.world.database.transaction() as session:
        found = patients.opted_out(session, clinic_id=person.clinic_id, blind=person.phone_blind)
        return found.reason if found else None


def test_a_listed_number_is_suspended_and_a_person_asks(talk: Talk) -> None:
    """What was planned for it ends with the reason, and staff call the same day."""
    world = talk.world
    world.gateway.given_up[YESTERDAY] = [OTHERS, HERS]
    assert runs(world) == {"listed": 2, "suspended": 1}
    assert stopped(talk) == "suspended_deactivated"
    item = talk.item("number_deactivated")
    assert (item.severity, item.patient_id) == ("call_today", talk.patient().id)

    [due] = world.due(patient={"phone": HERS})
    world.send()
    assert (world.message(due).status, world.message(due).reason) == (
        "cancelled",
        "number_suspended",
    )
    assert world.gateway.created() == []


def test_a_list_is_read_once(talk: Talk) -> None:
    """Whoever is proved after it must not be suspended by it again."""
    talk.world.gateway.given_up[YESTERDAY] = [HERS]
    assert runs(talk.world)["suspended"] == 1
    talk.says("hi, still me")
    assert stopped(talk) is None
    assert runs(talk.world) == {}
    assert stopped(talk) is None


def cut_off(*numbers: str) -> Iterator[str]:
    yield from numbers
    raise WorkerKilledError


class WorkerKilledError(Exception):
    """Nothing after this ran."""


@pytest.mark.parametrize("proved", [False, True])
def test_a_list_whose_reading_was_cut_off_is_read_anew(talk: Talk, proved: bool) -> None:
    """Each number is done by itself: none is left out, asked about twice or suspended again."""
    world = talk.world
    with pytest.raises(WorkerKilledError):
        deactivations.suspend(world.services, cut_off(HERS), YESTERDAY)
    assert stopped(talk) == "suspended_deactivated"
    if proved:
        talk.says("hi, still me")
    world.gateway.given_up[YESTERDAY] = [HERS, OTHERS]
    assert runs(world) == {"listed": 2}
    assert (stopped(talk) is None) is proved
    assert talk.reasons.count("number_deactivated") == 1


def test_a_consent_that_staff_record_proves_it(talk: Talk) -> None:
    """They reached the patient, who only changed the phone company."""
    world = talk.world
    world.gateway.given_up[YESTERDAY] = [HERS]
    runs(world)
    agrees(talk)
    assert stopped(talk) is None


@pytest.mark.parametrize("proof", ["text", "seen", "consent"])
def test_what_was_proved_after_its_day_is_left_alone(talk: Talk, proof: str) -> None:
    """The list comes later than the patient's own word: the number went along."""
    world = talk.world
    if proof == "text":
        talk.says("hello?")
    elif proof == "seen":
        world.execute("UPDATE patient SET proved_at = :at", at=world.now)
    else:
        agrees(talk)
    world.advance(minutes=5)
    world.gateway.given_up[YESTERDAY] = [HERS]
    assert runs(world) == {"listed": 1}
    assert stopped(talk) is None
    assert "number_deactivated" not in talk.reasons


def test_what_was_proved_before_its_day_ended_proves_nothing(talk: Talk) -> None:
    """Texted in the morning, gave the number up in the afternoon."""
    world = talk.world
    world.execute("UPDATE patient SET proved_at = '2026-11-29 18:00+00'")
    world.gateway.given_up[YESTERDAY] = [HERS]
    assert runs(world)["suspended"] == 1


def test_a_stop_that_stands_stays_what_it_is(talk: Talk) -> None:
    """START must go on to lift the patient's own stop, and nobody is called about it."""
    talk.says("STOP")
    talk.world.execute("UPDATE inbound SET received_at = received_at - interval '3 days'")
    talk.world.gateway.given_up[YESTERDAY] = [HERS]
    assert runs(talk.world) == {"listed": 1}
    assert stopped(talk) == "keyword"
    assert "number_deactivated" not in talk.reasons


def test_a_closed_record_opens_nothing(talk: Talk) -> None:
    """Nobody is texted there any more."""
    talk.world.execute("UPDATE patient SET status = 'closed', status_reason = 'transferred'")
    talk.world.gateway.given_up[YESTERDAY] = [HERS]
    assert runs(talk.world) == {"listed": 1}
    assert talk.reasons == []


def test_all_who_have_the_number_are_asked_about(world: World) -> None:
    """Two of a household: each has an item of their own."""
    talk = Talk(world)
    talk.someone(2)
    first, second = talk.patient(0), talk.patient(1)
    world.execute(
        "UPDATE patient SET phone = :phone, phone_blind = :blind WHERE id = :id",
        phone=first.phone,
        blind=first.phone_blind,
        id=second.id,
    )
    read_until(world, YESTERDAY - timedelta(days=1))
    world.gateway.given_up[YESTERDAY] = [HERS]
    assert runs(world)["suspended"] == 1
    asked = [(row.reason, row.patient_id) for row in talk.rows(FollowUp)]
    assert sorted(asked) == sorted(("number_deactivated", each.id) for each in (first, second))


def test_days_that_were_missed_are_read(talk: Talk) -> None:
    """The worker was away for a week."""
    world = talk.world
    read_until(world, YESTERDAY - timedelta(days=7))
    world.gateway.given_up[YESTERDAY - timedelta(days=6)] = [HERS]
    assert runs(world) == {"listed": 1, "suspended": 1}
    assert runs(world) == {}
    with world.database.transaction() as session:
        assert progress.details(session, deactivations.MARK) == {"day": YESTERDAY.isoformat()}


def test_the_first_look_goes_back_as_far_as_numbers_rest(talk: Talk) -> None:
    """A number has no new owner for 45 days; older lists help nobody."""
    world = talk.world
    world.execute("DELETE FROM progress")
    for days in (46, 45):
        world.gateway.given_up[YESTERDAY - timedelta(days=days)] = [HERS]
    world.gateway.given_up[YESTERDAY - timedelta(days=44)] = [OTHERS]
    assert [runs(world) for _ in range(6)] == [{"listed": 1}, *[{}] * 5]
    with world.database.transaction() as session:
        assert progress.details(session, deactivations.MARK) == {"day": YESTERDAY.isoformat()}


def test_a_carrier_that_cant_say_is_asked_again(talk: Talk) -> None:
    """No day is taken for read that was not."""
    world = talk.world
    world.gateway.given_up[YESTERDAY] = [HERS]
    world.gateway.outage = True
    assert runs(world) == {"put_off": 1}
    world.gateway.outage = False
    assert runs(world)["suspended"] == 1


def test_a_list_that_is_not_there_yet_is_waited_for_and_then_passed_over(talk: Talk) -> None:
    """One day's list that never comes must not keep all later ones from being read."""
    world = talk.world
    world.gateway.given_up = {YESTERDAY: None, YESTERDAY + timedelta(days=1): [HERS]}
    assert runs(world) == {"put_off": 1}
    world.advance(days=2, hours=1)
    assert runs(world) == {"put_off": 1}
    world.advance(days=1)
    assert runs(world) == {"no_list": 1, "listed": 1, "suspended": 1}


def test_a_clinic_whose_file_cant_be_read_is_told_too(talk: Talk) -> None:
    """The item is due at once, since nobody's hours are known."""
    world = talk.world
    world.execute("UPDATE clinic SET settings = '{}'")
    world.gateway.given_up[YESTERDAY] = [HERS]
    assert runs(world)["suspended"] == 1
    assert talk.item("number_deactivated").due_at == world.now
