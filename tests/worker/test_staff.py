"""Staff: added, away, disabled; their open items return to the queue."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from argon2 import PasswordHasher

from records import clinics
from records.followups import FollowUp
from tests.support.databases import OwnDatabase
from tests.support.processes import wait_until
from tests.support.services import Services as Servers
from tests.support.world import World, make_clinic, phone_of
from tests.worker.desk import NEW_YORK
from tests.worker.duty import CRISIS, Duty
from tests.worker.talk import Talk
from worker.refusal import RefusedError
from worker.steps import followup_actions as actions
from worker.steps import staff
from worker.steps.staff import Role

EMAIL = "sam@clinic.test"
AT = "clinic.test"


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
    with pytest.raises(RefusedError, match=r"already.*staff role EMAIL ROLE.*staff password EMAIL"):
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


class House:
    """Two patients who can write, two clinicians, and Kim who is away tomorrow."""

    def __init__(self, world: World) -> None:
        self.world, self.talk = world, Talk(world)
        self.talk.someone(2)
        self.kim, self.lee = (
            Duty(world=world).staff(email, "clinician") for email in (f"kim@{AT}", f"lee@{AT}")
        )

    def away(self, who: str = "kim") -> None:
        """Note an absence of tomorrow."""
        day = self.world.now.astimezone(NEW_YORK).date() + timedelta(days=1)
        staff.away(self.world.services, email=f"{who}@{AT}", first=day, last=day, actor="test")

    def tomorrow(self) -> None:
        """Go to the morning of the day on which they are away."""
        self.world.advance(hours=22)

    def takes(self, item: FollowUp, who: str = "kim") -> None:
        actor = actions.actor_by_email(self.world.services, f"{who}@{AT}", item.id)
        actions.take(self.world.services, item.id, actor=actor)

    def puts_off(self, item: FollowUp, **delta: float) -> None:
        actor = actions.actor_by_email(self.world.services, f"kim@{AT}", item.id)
        until = self.world.now + timedelta(**delta)
        actions.snooze(self.world.services, item.id, until=until, actor=actor)

    def wrote(self, words: str, phone: int = 0) -> FollowUp:
        """Have a patient write; return the item of it."""
        row = self.talk.says(words, phone=phone_of(phone))
        [item] = [each for each in self.items if each.id == row.follow_up_id]
        return item

    @property
    def items(self) -> list[FollowUp]:
        return self.talk.rows(FollowUp)

    @property
    def owners(self) -> list[UUID | None]:
        return [item.owner_id for item in self.items]


@pytest.fixture
def house(world: World) -> House:
    """A clinic on a Monday morning."""
    return House(world)


def test_an_item_that_came_back_stays_with_who_takes_it_while_away(house: House) -> None:
    """Kim had it before, and takes it on her day off all the same: nobody is paged each minute."""
    crisis = house.wrote(CRISIS)
    house.takes(crisis)
    house.away()
    house.tomorrow()
    assert staff.return_items_of_absent(house.world.services) == {"returned": 1}
    house.takes(crisis)
    house.world.advance(minutes=1)
    assert staff.return_items_of_absent(house.world.services) == {}
    assert house.owners == [house.kim]


def test_an_item_that_a_colleague_had_stays_with_who_takes_it_over_while_away(house: House) -> None:
    """Kim answers no page any more, Lee does on his day off: he has it since then."""
    crisis = house.wrote(CRISIS)
    house.takes(crisis)
    house.away("lee")
    house.tomorrow()
    house.world.execute("UPDATE follow_up SET run_acknowledged_at = NULL")
    house.takes(crisis, "lee")
    assert staff.return_items_of_absent(house.world.services) == {}
    assert house.owners == [house.lee]


def test_an_absence_returns_what_was_had_before_it_alone(house: House) -> None:
    """What is taken during it is not dragged along with what was left behind."""
    house.takes(house.wrote(CRISIS))
    house.away()
    house.tomorrow()
    house.takes(house.wrote(CRISIS, phone=1))
    assert staff.return_items_of_absent(house.world.services) == {"returned": 1}
    assert house.owners == [None, house.kim]


def _days_away(world: World) -> list[tuple[date, date]]:
    return staff.away_days(world.services, email=EMAIL)


def _away(world: World, first: date, last: date) -> staff.Leaving:
    return staff.away(world.services, email=EMAIL, first=first, last=last, actor="test")


TODAY, CHRISTMAS = date(2026, 11, 30), (date(2026, 12, 24), date(2026, 12, 31))


def test_an_absence_ends_when_they_are_back(world: World) -> None:
    """The year was mistyped: today's absence ends, Christmas stays, and the trail says so."""
    _add(world)
    _away(world, TODAY, date(2026, 12, 4))
    _away(world, *CHRISTMAS)
    staff.back(world.services, email=EMAIL, first=None, actor="test")
    assert _days_away(world) == [CHRISTMAS]
    assert world.execute("SELECT count(*) FROM audit_event WHERE action = 'staff.back'") == [(1,)]
    with pytest.raises(RefusedError, match=r"not away then\. Noted: 2026-12-24 to 2026-12-31"):
        staff.back(world.services, email=EMAIL, first=None, actor="test")


def test_an_absence_ahead_is_shortened_or_taken_back(world: World) -> None:
    """From a day in it only the rest goes; from its first day on nothing is left."""
    _add(world)
    _away(world, *CHRISTMAS)
    staff.back(world.services, email=EMAIL, first=date(2026, 12, 28), actor="test")
    assert _days_away(world) == [(date(2026, 12, 24), date(2026, 12, 27))]
    staff.back(world.services, email=EMAIL, first=date(2026, 12, 24), actor="test")
    assert _days_away(world) == []


def test_a_corrected_absence_replaces_the_one_before(world: World) -> None:
    """From its first day on: what was noted of the days before stays, and what is lost is told."""
    _add(world)
    assert _away(world, TODAY, date(2027, 12, 4)).was_until is None
    assert _away(world, TODAY, date(2026, 12, 4)).was_until == date(2027, 12, 4)
    assert _days_away(world) == [(TODAY, date(2026, 12, 4))]
    assert _away(world, date(2026, 12, 3), date(2026, 12, 10)).was_until is None
    assert _days_away(world) == [(TODAY, date(2026, 12, 10))]
    _away(world, *CHRISTMAS)
    assert _days_away(world) == [(TODAY, date(2026, 12, 10)), CHRISTMAS]


def test_a_corrected_absence_leaves_what_was_taken_during_it(house: House) -> None:
    """Kim, who is away already, took the crisis all the same: nobody else is paged about it."""
    house.away()
    house.tomorrow()
    house.takes(house.wrote(CRISIS))
    kim, today = f"kim@{AT}", house.world.now.astimezone(NEW_YORK).date()
    longer = {"first": today, "last": today + timedelta(days=3)}
    assert staff.away(house.world.services, email=kim, actor="test", **longer).returned == 0
    assert house.owners == [house.kim]
    house.world.advance(days=1)
    today += timedelta(days=1)
    again = {"first": today, "last": today + timedelta(days=3)}
    assert staff.away(house.world.services, email=kim, actor="test", **again).returned == 0
    assert staff.return_items_of_absent(house.world.services) == {}
    assert house.owners == [house.kim]


def test_whoever_falls_ill_at_work_gives_back_what_they_took_that_morning(house: House) -> None:
    """The absence is noted from midnight on, and they were there until now."""
    house.takes(house.wrote(CRISIS))
    today = house.world.now.astimezone(NEW_YORK).date()
    ill = staff.away(house.world.services, email=f"kim@{AT}", first=today, last=today, actor="test")
    assert (ill.returned, house.owners) == (1, [None])


def test_what_was_put_off_rings_at_its_time_also_when_its_owner_goes(house: House) -> None:
    """It is everybody's from now on, and nobody is called before the time that was given."""
    item = house.wrote("please call me")
    house.takes(item)
    house.puts_off(item, days=3)
    until = house.world.now + timedelta(days=3)
    staff.disable(house.world.services, email=f"kim@{AT}", actor="test")
    [item] = house.items
    assert (item.owner_id, item.climbs_at, item.snoozed_until) == (None, until, until)


def test_a_page_that_was_put_off_rings_at_once_when_its_owner_goes(house: House) -> None:
    """It could be put off because somebody had it, and nobody has."""
    item = house.wrote(CRISIS)
    house.takes(item)
    house.puts_off(item, minutes=20)
    staff.disable(house.world.services, email=f"kim@{AT}", actor="test")
    [item] = house.items
    assert (item.owner_id, item.climbs_at, item.snoozed_until) == (None, house.world.now, None)


def test_nobody_unknown_is_away(world: World) -> None:
    """Nor disabled."""
    with pytest.raises(RefusedError, match="Nobody"):
        staff.disable(world.services, email="eve@clinic.test", actor="test")


NEW = "another long one"


def _new_password(
    world: World, clinic_id: UUID | None = None, password: str = NEW
) -> tuple[list[str], list[str]]:
    return staff.set_password(
        world.services, email="SAM@clinic.test", password=password, clinic_id=clinic_id, actor="cli"
    )


def _trail(world: World) -> list[str]:
    return [row[0] for row in world.execute("SELECT action FROM audit_event ORDER BY id")]


def _second_clinic(world: World) -> UUID:
    """Have Sam work at a second clinic, too, with the same password."""
    with world.database.transaction() as session:
        other, _ = make_clinic(session, key="lakeside", number="+12125550111")
    staff.add(
        world.services,
        other,
        email=EMAIL,
        role=Role.VIEWER,
        password="a long enough one",
        actor="test",
    )
    return other


def test_a_new_password_takes_the_place_of_the_old_and_ends_sessions(world: World) -> None:
    """At every clinic where they work, and the trail of each says so."""
    _add(world)
    _second_clinic(world)
    assert _new_password(world) == (["riverside", "lakeside"], [])
    rows = world.execute("SELECT password_hash, session_epoch FROM staff")
    for kept, epoch in rows:
        assert PasswordHasher().verify(kept, NEW)
        assert epoch == 2
    assert _trail(world)[-2:] == ["staff.password_changed"] * 2


def test_a_new_password_at_one_clinic_ends_sessions_at_all(world: World) -> None:
    """One cookie opens all of them, so that none may outlive the change."""
    _add(world)
    other = _second_clinic(world)
    assert _new_password(world, other) == (["lakeside"], ["riverside"])
    query = "SELECT password_hash, session_epoch FROM staff ORDER BY id"
    [(here, epoch), (there, other_epoch)] = world.execute(query)
    assert PasswordHasher().verify(here, "a long enough one")
    assert PasswordHasher().verify(there, NEW)
    assert (epoch, other_epoch) == (2, 2)
    assert _trail(world)[-2:] == ["staff.signed_out", "staff.password_changed"]


def test_a_password_is_not_changed_for_a_short_one_or_for_nobody(world: World) -> None:
    """Nor for whoever has no access any more: a new password does not let them in."""
    _add(world)
    with pytest.raises(RefusedError, match="too short"):
        _new_password(world, password="short")
    staff.disable(world.services, email=EMAIL, actor="test")
    before = world.execute("SELECT password_hash, session_epoch FROM staff")
    with pytest.raises(RefusedError, match=r"access has ended.*staff add EMAIL"):
        _new_password(world)
    assert world.execute("SELECT password_hash, session_epoch FROM staff") == before


def test_what_the_sign_in_form_does_not_take_is_not_set(world: World) -> None:
    """A password that is too long, or an address: nobody could sign in with it."""
    with pytest.raises(RefusedError, match="at most 256 letters"):
        _add(world, password="x" * 257)
    with pytest.raises(RefusedError, match="no e-mail address"):
        _add(world, email=f"{'x' * 250}@clinic.test")
    _add(world, password="x" * 256)
    with pytest.raises(RefusedError, match="at most 256 letters"):
        _new_password(world, password="x" * 257)


def test_a_sign_out_meanwhile_leaves_no_session_of_the_old_password(
    world: World, servers: Servers, database: OwnDatabase
) -> None:
    """Each raises the epoch once: else who signed in between the two would stay signed in."""
    _add(world)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    changing = threading.Thread(target=_new_password, args=(world,))
    with (
        psycopg.connect(servers.dsn(), autocommit=True) as watcher,
        world.database.transaction() as session,
    ):
        [member] = clinics.staff_by_email(session, EMAIL)
        clinics.end_sessions(session, {member.id: 1})
        changing.start()
        wait_until(lambda: bool(watcher.execute(waiting, (database.name,)).fetchone()), 10)
    changing.join(20)
    assert world.execute("SELECT session_epoch FROM staff") == [(3,)]


def _new_role(
    world: World, role: Role, email: str = EMAIL, clinic_id: UUID | None = None
) -> staff.NewRole:
    return staff.set_role(world.services, email=email, role=role, clinic_id=clinic_id, actor="test")


def test_another_role_is_told_from_what_to_what(world: World) -> None:
    """It signs nobody out; the role that somebody has already changes nothing."""
    _add(world)
    assert _new_role(world, Role.CLINICIAN) == staff.NewRole(
        clinic="riverside", before=Role.COORDINATOR
    )
    assert world.execute("SELECT role, session_epoch FROM staff") == [("clinician", 1)]
    assert _new_role(world, Role.CLINICIAN).before is Role.CLINICIAN
    assert _trail(world) == ["staff.added", "staff.role_changed"]


def test_a_viewer_keeps_no_item(house: House) -> None:
    """They could neither act on it nor hand it over; it is everybody's again."""
    house.takes(house.wrote(CRISIS))
    done = _new_role(house.world, Role.VIEWER, f"kim@{AT}")
    assert (done.returned, done.undecided, house.owners) == (1, (), [None])
    [item] = house.items
    assert (item.status, item.climbs_at) == ("open", house.world.now)


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ADMIN])
def test_who_is_no_clinician_any_more_keeps_what_they_may_have(house: House, role: Role) -> None:
    """A lapse before a dose they may not; a crisis stays, and is named: a clinician ends it."""
    lapse, crisis, question = (
        house.wrote(words, phone)
        for words, phone in (("please call me", 0), (CRISIS, 0), ("please call me", 1))
    )
    for item in (crisis, question, lapse):
        house.takes(item)
    house.world.execute("UPDATE follow_up SET dose_at = now() WHERE id = :id", id=lapse.id)
    done = _new_role(house.world, role, f"kim@{AT}")
    assert (done.returned, done.undecided) == (1, (crisis.id,))
    owners = {item.id: item.owner_id for item in house.items}
    assert owners == {crisis.id: house.kim, question.id: house.kim, lapse.id: None}


def test_a_clinic_without_a_clinician_is_told_of(house: House) -> None:
    """Whoever takes the role from the last one, or ends their access, hears it."""
    assert not _new_role(house.world, Role.COORDINATOR, f"lee@{AT}").bare
    kim = f"kim@{AT}"
    assert _new_role(house.world, Role.VIEWER, kim).bare
    _new_role(house.world, Role.CLINICIAN, kim)
    assert staff.disable(house.world.services, email=kim, actor="test").bare == ("riverside",)


def test_a_role_that_is_lost_is_told_of_with_who_is_still_called(house: House) -> None:
    """Kim leads the clinic by its file, Lee is not in it; a role that is won says nothing."""
    assert _new_role(house.world, Role.COORDINATOR, f"kim@{AT}").named_as == ("lead",)
    assert _new_role(house.world, Role.CLINICIAN, f"kim@{AT}").named_as == ()
    assert _new_role(house.world, Role.VIEWER, f"lee@{AT}").named_as == ()


def test_a_role_at_several_clinics_is_changed_at_the_one_that_is_said(world: World) -> None:
    """Who is a viewer there is not made a clinician by a word about here."""
    _add(world)
    other = _second_clinic(world)
    both = r"lakeside as viewer, riverside as coordinator\. Say with --clinic"
    with pytest.raises(RefusedError, match=both):
        _new_role(world, Role.CLINICIAN)
    _new_role(world, Role.CLINICIAN, clinic_id=other)
    roles = world.execute("SELECT role FROM staff ORDER BY id")
    assert roles == [("coordinator",), ("clinician",)]


def test_staff_are_listed_with_who_is_away_and_who_has_left(world: World) -> None:
    """All who ever signed in, the absences that are not over, and nothing of a password."""
    _add(world)
    _second_clinic(world)
    _add(world, email="zoe@clinic.test")
    staff.disable(world.services, email="zoe@clinic.test", actor="test")
    _away(world, TODAY, date(2026, 12, 4))
    found = {(one.email, one.clinic): one for one in staff.listed(world.services)}
    assert {key: (one.role, one.status) for key, one in found.items()} == {
        (EMAIL, "riverside"): ("coordinator", "away"),
        (EMAIL, "lakeside"): ("viewer", "away"),
        ("zoe@clinic.test", "riverside"): ("coordinator", "disabled"),
    }
    assert found[EMAIL, "lakeside"].away == ((TODAY, date(2026, 12, 4)),)
    assert "argon2" not in repr(found)
    here = staff.listed(world.services, world.clinic_id)
    assert {one.clinic for one in here} == {"riverside"}
