"""What `doctor` says of paging: paths, the roster ahead, test pages."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from cli.checks import Verdict
from cli.paging_checks import paging
from records.base import new_id
from records.pages import Page
from schedules.clinic import read_clinic
from tests.support.world import CLINIC, NUMBER, World, settings_for
from tests.worker.duty import TAKEN, Duty
from worker.paging import paths
from worker.paging.transports import Result, Sent
from worker.steps import staff
from worker.steps.staff import Role


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A clinic on a Monday morning."""
    with World(database_url) as made:
        yield made


SMTP = {"SMTP_URL": "smtp://mail.clinic.test"}
HOOK = {
    "AFTERCARE_PAGE_WEBHOOK_URL": "https://page.clinic.test/",
    "AFTERCARE_PAGE_WEBHOOK_SECRET": "shared",
}
SECOND = {
    "AFTERCARE_PAGE_TWILIO_ACCOUNT_SID": "AC" + "2" * 32,
    "AFTERCARE_PAGE_TWILIO_AUTH_TOKEN": "token",
    "AFTERCARE_PAGE_TWILIO_FROM": "+12125550119",
}


def found(world: World, check: str) -> Any:
    return [each for each in paging(world.database, world.settings) if each.check == check]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "no way to page staff without the texts' account"),
        (SMTP, "two independent ways are needed"),
        (HOOK, "two independent ways are needed"),
        (SMTP | HOOK, None),
        (SMTP | SECOND, None),
    ],
    ids=["none", "mail", "webhook", "mail and webhook", "mail and second account"],
)
def test_people_on_call_need_two_ways_one_of_them_waking(
    given: dict[str, str], fault: str | None
) -> None:
    """Care rule 13; the texts' own account does not count."""
    settings = settings_for("postgresql+psycopg://nobody@127.0.0.1:1/none", **given)
    source = CLINIC.format(key="riverside", number=NUMBER, opens="09:00", closes="20:00")
    faults = list(paths.faults(settings, [read_clinic(source, "clinic.yaml", sandbox=True)]))
    assert len(faults) == (fault is not None)
    assert fault is None or fault in faults[0]


def test_an_uncovered_night_is_wrong(world: World) -> None:
    """Sam is the only one on call, and goes away."""
    assert found(world, "on call riverside")[0].verdict is Verdict.OK
    staff.add(
        world.services,
        world.clinic_id,
        email="sam@clinic.test",
        role=Role.COORDINATOR,
        password="long enough",
        actor="test",
    )
    day = (world.now + timedelta(days=3)).date()
    staff.away(world.services, email="sam@clinic.test", first=day, last=day, actor="test")
    [gap] = found(world, "on call riverside")
    assert gap.verdict is Verdict.WRONG
    assert "Thu Dec 03 00:00 to Thu 08:00" in gap.message
    assert "aftercare staff back EMAIL" in gap.mend


def test_a_test_page_that_nobody_took_is_wrong(world: World) -> None:
    """Until the next one is taken."""
    assert found(world, "test page riverside")[0].verdict is Verdict.NOTE

    def sent(hours: int, *, taken: bool) -> Page:
        at = world.now - timedelta(hours=hours)
        return Page(
            id=new_id(),
            clinic_id=world.clinic_id,
            kind="test",
            why="opened",
            severity="page_now",
            person="sam@clinic.test",
            subject="test",
            at=at,
            acknowledged_at=at if taken else None,
        )

    with world.database.transaction() as session:
        session.add(sent(30, taken=False))
    assert found(world, "test page riverside")[0].verdict is Verdict.WRONG
    with world.database.transaction() as session:
        session.add(sent(1, taken=True))
    assert found(world, "test page riverside")[0].verdict is Verdict.OK


def test_doctor_says_who_phones_about_silence_on_closed_days(world: World) -> None:
    """Who is on call; with nobody, whom the file names, unless that one is away or gone."""

    def verdict() -> tuple[Verdict, str]:
        [finding] = found(world, "closed days riverside")
        return finding.verdict, finding.message

    def file(caller: str) -> None:
        world.execute(
            "UPDATE clinic SET version = version + 1, settings = settings ||"
            ' \'{"after_hours": "none", "on_call": []}\' || CAST(:caller AS jsonb)',
            caller=caller,
        )

    assert verdict() == (Verdict.OK, "silence on closed days goes to who is on call")
    file('{"closed_day_caller": null}')
    assert verdict()[0] is Verdict.NOTE
    file(
        '{"closed_day_caller": {"name": "Pat", "phone": "+12125550195", "email": "p@clinic.test"}}'
    )
    assert verdict() == (Verdict.OK, "Pat phones about a silence that is urgent then")
    staff.add(
        world.services,
        world.clinic_id,
        email="p@clinic.test",
        role=Role.COORDINATOR,
        password="long enough",
        actor="test",
    )
    saturday = (world.now + timedelta(days=5)).date()
    staff.away(world.services, email="p@clinic.test", first=saturday, last=saturday, actor="test")
    assert verdict() == (Verdict.WRONG, "Pat, who phones then, is away on Dec 05")
    staff.disable(world.services, email="p@clinic.test", actor="test")
    assert verdict() == (Verdict.WRONG, "Pat, who phones then, has no access any more")


def test_a_clinic_has_a_clinician_for_lapses_before_doses(world: World) -> None:
    """None at all, or all away on a staffed day, is told with its mend."""
    [none] = found(world, "clinicians riverside")
    assert none.message.startswith("there is none")
    assert "--role clinician" in none.mend
    word = "a-long-enough-word"
    staff.add(
        world.services,
        world.clinic_id,
        email="Doc@clinic.test",
        role=Role.CLINICIAN,
        password=word,
        actor="t",
    )
    [there] = found(world, "clinicians riverside")
    assert there.verdict is Verdict.OK
    first = (world.now + timedelta(days=4)).date()
    last = first + timedelta(days=1)
    staff.away(world.services, email="doc@clinic.test", first=first, last=last, actor="t")
    [away] = found(world, "clinicians riverside")
    assert "all are away on Dec 04;" in away.message


def test_everybody_away_in_staffed_hours_is_wrong(world: World) -> None:
    """With the days, since texts promise nobody then; one who stays is enough."""
    word = "a-long-enough-word"
    for email in ("sam@clinic.test", "kim@clinic.test"):
        staff.add(
            world.services,
            world.clinic_id,
            email=email,
            role=Role.CLINICIAN,
            password=word,
            actor="t",
        )
    day = (world.now + timedelta(days=2)).date()
    staff.away(world.services, email="sam@clinic.test", first=day, last=day, actor="t")
    assert found(world, "staffed hours riverside") == []
    staff.away(world.services, email="kim@clinic.test", first=day, last=day, actor="t")
    [finding] = found(world, "staffed hours riverside")
    assert (finding.verdict, finding.message) == (Verdict.WRONG, "everybody is away on Dec 02")
    assert "holidays" in finding.mend


def test_a_page_address_that_bounces_is_named_with_its_mend(world: World) -> None:
    """Until a later page arrives there; a phone that nobody picked up is none."""
    with Duty(world=world) as duty:
        duty.talk.someone()
        duty.mail = Sent(result=Result.REFUSED, error="smtp_550")
        duty.says()
        world.execute(
            "UPDATE page_delivery SET status = 'failed', error = 'no-answer'"
            " WHERE channel = 'voice'"
        )
        [fault] = found(world, "page address riverside")
        assert fault.verdict is Verdict.WRONG
        assert fault.message == (
            "the last page to sam@clinic.test by email did not arrive (smtp_550)"
        )
        assert "aftercare page test" in fault.mend
        duty.mail = TAKEN
        world.advance(minutes=1)
        duty.rounds()
        duty.says("i want to die")
        assert found(world, "page address riverside") == []


def test_nobody_on_the_ladder_is_named_with_its_mend(world: World) -> None:
    """No lead, nobody on call, and nobody who signs in."""
    assert found(world, "ladder riverside") == []
    world.execute(
        """UPDATE clinic SET settings = settings || '{"lead": null, "on_call": [],
        "after_hours": "none"}'::jsonb"""
    )
    [fault] = found(world, "ladder riverside")
    assert (fault.verdict, "Add lead:" in fault.mend) == (Verdict.WRONG, True)
