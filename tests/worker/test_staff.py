"""Staff: added, away, disabled; their open items return to the queue."""

from datetime import UTC, date, datetime

import pytest
from argon2 import PasswordHasher

from tests.support.world import World
from worker.refusal import RefusedError
from worker.steps import staff
from worker.steps.staff import Role

EMAIL = "sam@clinic.test"


def _add(world: World, **more: str) -> None:
    values = {"email": EMAIL, "password": "a long enough one", **more}
    staff.add(world.services, world.clinic_id, role=Role.COORDINATOR, actor="test", **values)


def _own_an_item(world: World) -> None:
    world.execute(
        "INSERT INTO follow_up (id, clinic_id, reason, severity, status, cause, source_kind,"
        " source_id, owner_id, opened_at, due_at) SELECT uuidv7(), clinic_id, 'question',"
        " 'next_business_day', 'acknowledged', 'c', 'inbound', uuidv7(), id, now(), now()"
        " FROM staff"
    )


def test_the_password_is_kept_as_an_argon2_hash(world: World) -> None:
    """And the address in one form, whatever was typed."""
    _add(world, email="  Sam@Clinic.test ")
    [(email, kept)] = world.execute("SELECT email, password_hash FROM staff")
    assert email == EMAIL
    assert PasswordHasher().verify(kept, "a long enough one")


@pytest.mark.parametrize(
    "more", [{"email": "sam"}, {"password": "short"}, {"email": "a b@clinic.test"}]
)
def test_what_cannot_be_is_refused(world: World, more: dict[str, str]) -> None:
    """An address that is none, a password that is short."""
    with pytest.raises(RefusedError):
        _add(world, **more)


def test_an_address_is_added_once_and_comes_back_after_leaving(world: World) -> None:
    """Cookies from before stay worthless."""
    _add(world)
    with pytest.raises(RefusedError, match=r"already.*staff disable EMAIL"):
        _add(world)
    staff.disable(world.services, email=EMAIL, actor="test")
    _add(world)
    assert world.execute("SELECT disabled_at, session_epoch FROM staff") == [(None, 3)]


def test_disabling_returns_open_items(world: World) -> None:
    """They are open again, and nobody's."""
    _add(world)
    _own_an_item(world)
    assert staff.disable(world.services, email=EMAIL, actor="test").returned == 1
    assert world.execute("SELECT status, owner_id FROM follow_up") == [("open", None)]
    assert world.execute("SELECT action FROM follow_up_event") == [("returned",)]


def test_an_absence_that_has_begun_returns_open_items(world: World) -> None:
    """One that lies ahead does not yet."""
    _add(world)
    _own_an_item(world)
    ahead = {"first": date(2026, 12, 24), "last": date(2026, 12, 26)}
    assert staff.away(world.services, email=EMAIL, actor="test", **ahead).returned == 0
    today = {"first": date(2026, 11, 30), "last": date(2026, 11, 30)}
    assert staff.away(world.services, email=EMAIL, actor="test", **today).returned == 1
    assert world.execute("SELECT ends_at - starts_at FROM staff_absence")[0][0].days == 3


def test_items_return_on_the_first_day_of_an_absence(world: World) -> None:
    """By the worker's round, once; what is taken during the absence stays.

    chatwoot#14508, #13515, #13516, #6889: what an absent person had been given lay there for ever.
    """
    _add(world)
    _own_an_item(world)
    ahead = {"first": date(2026, 12, 24), "last": date(2026, 12, 26)}
    staff.away(world.services, email=EMAIL, actor="test", **ahead)
    assert staff.return_items_of_absent(world.services) == {}
    world.clock.at = datetime(2026, 12, 24, 6, tzinfo=UTC)
    assert staff.return_items_of_absent(world.services) == {"returned": 1}
    world.execute(
        "UPDATE follow_up SET owner_id = (SELECT id FROM staff), status = 'acknowledged',"
        " acknowledged_at = :now",
        now=world.now,
    )
    assert staff.return_items_of_absent(world.services) == {}


def test_nobody_unknown_is_away(world: World) -> None:
    """Nor disabled."""
    with pytest.raises(RefusedError, match="Nobody"):
        staff.disable(world.services, email="eve@clinic.test", actor="test")
