"""What protocols and care rules leave to the clinic's lead, and when it is everybody's."""

from datetime import date
from typing import Any

import pytest

from records import worklist
from records.followups import FollowUpEvent
from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.desk import Desk
from worker.steps import followups, staff
from worker.steps.staff import Role

KIM = "kim@clinic.test"


@pytest.fixture
def desk(world: World) -> Desk:
    """A dose on Wednesday, and nobody books what follows: on day 3 the lead asks why."""
    made = Desk(world)
    made.switches_on("integration-unbooked")
    made.admits()
    return made


def _signs_in(desk: Desk, *, email: str = KIM, role: Role = Role.ADMIN) -> None:
    staff.add(
        desk.world.services,
        desk.world.clinic_id,
        email=email,
        role=role,
        password="a long enough one",
        actor="desk",
    )


def _three_days_after_a_dose(desk: Desk) -> None:
    desk.imports("2026-12-02T08:00")
    desk.waits_until("2026-12-02 10:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    desk.waits_until("2026-12-05 12:00")


def _owners(desk: Desk, reason: str = "visit_unbooked") -> list[str | None]:
    """Return the owners of the items with this reason, in the order in which they were opened."""
    rows = desk.world.execute(
        "SELECT s.email FROM follow_up f LEFT JOIN staff s ON s.id = f.owner_id"
        " WHERE f.reason = :reason ORDER BY f.opened_at, f.id",
        reason=reason,
    )
    return [row.email for row in rows]


def test_an_item_for_the_lead_is_the_lead_s_and_the_others_stay_everybody_s(desk: Desk) -> None:
    """Matched by the address in the clinic's file, and its story says how it came to them."""
    _signs_in(desk)
    _three_days_after_a_dose(desk)
    assert _owners(desk) == [None, KIM]
    with desk.world.database.transaction() as session:
        listed = worklist.follow_ups(session, desk.world.vault, status="open")
    assert KIM in [one.owner for one in listed], "`aftercare followups` and the console show it"
    told = [(row.actor, row.action) for row in desk.rows(FollowUpEvent)]
    assert told.count(("system", "assigned:lead")) == 1


def test_without_an_account_of_the_lead_s_the_item_is_everybody_s(desk: Desk) -> None:
    """It is on the list with its clock all the same; a colleague's account is not the lead's."""
    _signs_in(desk, email="sam@clinic.test")
    _three_days_after_a_dose(desk)
    assert _owners(desk) == [None, None]


def test_a_lead_who_may_only_look_gets_no_items(desk: Desk) -> None:
    """They could not end one."""
    _signs_in(desk, role=Role.VIEWER)
    _three_days_after_a_dose(desk)
    assert _owners(desk) == [None, None]


def test_a_lead_who_is_away_gets_no_new_items_and_their_own_go_back(desk: Desk) -> None:
    """Care rule 13: on the first day of an absence what they have is everybody's again."""
    _signs_in(desk)
    _three_days_after_a_dose(desk)
    away: dict[str, Any] = {"first": date(2026, 12, 5), "last": date(2026, 12, 20)}
    staff.away(desk.world.services, email=KIM, actor="desk", **away)
    assert _owners(desk) == [None, None]
    desk.imports("2026-12-09T08:00", first=2)
    desk.waits_until("2026-12-09 10:00")
    desk.records(VisitStatus.CHECKED_OUT, visit="A2", dose=Dose.GIVEN)
    desk.waits_until("2026-12-12 12:00")
    assert _owners(desk) == [None, None, None, None]


def test_a_lead_who_left_gets_no_items(desk: Desk) -> None:
    """Until somebody else is named in the clinic's file."""
    _signs_in(desk)
    staff.disable(desk.world.services, email=KIM, actor="desk")
    _three_days_after_a_dose(desk)
    assert _owners(desk) == [None, None]


def test_at_closing_the_lead_is_asked_what_nobody_recorded_of_a_dose(desk: Desk) -> None:
    """Care rule 6: two questions to whoever is there, the third is the lead's."""
    _signs_in(desk)
    desk.imports("2026-12-02T08:00")
    desk.waits_until("2026-12-02 17:00")
    followups.ask_about_visits(desk.world.services)
    asked = _owners(desk, "visit_event_missing")
    assert asked.count(KIM) == 1
    assert len(asked) == 4
