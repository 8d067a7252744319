"""What the clinic's calendar asks: the digest, the closure list."""

from collections.abc import Iterator

import pytest

from records.followups import FollowUp
from records.pages import Page
from tests.support.world import World
from tests.worker.desk import at
from tests.worker.duty import Duty
from worker.steps import closing


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    with Duty(world=world) as made:
        made.talk.someone()
        yield made


def test_the_desk_has_a_digest_each_staffed_morning(duty: Duty) -> None:
    """Once to each, by e-mail only, and not when nothing is open."""
    duty.staff("lee@clinic.test")
    duty.staff("viewer@clinic.test", "viewer")
    duty.world.clock.at = at("2026-12-01 08:10")
    duty.rounds()
    assert duty.mailed == []
    duty.talk.says("can I bring my dog?")
    duty.rounds()
    duty.rounds()
    digests = [row for row in duty.talk.rows(Page) if row.kind == "digest"]
    assert {row.person for row in digests} == {"lee@clinic.test", "kim@clinic.test"}
    assert len(duty.mailed) == 2
    assert duty.deliveries("sms") == []


@pytest.mark.parametrize(
    ("when", "opens"),
    [
        ("2026-12-04 11:59", False),
        ("2026-12-04 12:00", True),
        ("2026-12-03 13:00", False),
        ("2026-11-25 13:00", False),
        ("2026-12-24 12:30", True),
    ],
    ids=["before noon", "Friday noon", "Thursday", "one closed day ahead", "Christmas Eve"],
)
def test_the_closure_list_opens_at_noon_before_closed_days(
    duty: Duty, when: str, opens: bool
) -> None:
    """Of the last staffed day before two or more closed ones (care rule 19)."""
    duty.world.clock.at = at(when)
    duty.rounds()
    duty.rounds()
    found = [row for row in duty.talk.rows(FollowUp) if row.reason == "closure_list"]
    assert len(found) == int(opens)


@pytest.mark.parametrize("dosed", [True, False])
def test_a_clinic_that_closes_at_short_notice_has_its_list_at_once(
    duty: Duty, *, dosed: bool
) -> None:
    """Snow on a Friday morning: the noon before three closed days was yesterday's (rule 19)."""
    duty.world.clock.at = at("2026-12-04 08:30")
    if dosed:
        duty.world.due()
        given = (
            "UPDATE appointment SET status = 'checked_out', dose = 'given', checked_out_at = :at"
        )
        duty.world.execute(given, at=at("2026-12-03 12:00"))
    duty.rounds()
    assert [row for row in duty.talk.rows(FollowUp) if row.reason == "closure_list"] == []
    friday = duty.world.now.date()
    closing.close_day(duty.world.services, duty.world.clinic_id, day=friday, actor="desk")
    duty.rounds()
    duty.rounds()
    found = [row for row in duty.talk.rows(FollowUp) if row.reason == "closure_list"]
    assert [row.due_at for row in found] == ([duty.world.now] if dosed else [])
