"""Everybody away: texts promise nobody, and what waits still finds somebody."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from records import clinics
from records.followups import FollowUp
from records.outbox import Message
from tests.support.world import World, phone_of
from tests.worker.desk import at
from tests.worker.duty import Duty
from worker.rendering import said_now
from worker.steps import followup_actions as actions
from worker.steps import staff as staff_step

SAM, KIM = "sam@clinic.test", "kim@clinic.test"
MONDAY, TUESDAY = date(2026, 11, 30), date(2026, 12, 1)


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """Two who sign in: Sam is on call, Kim leads. It is Monday, 10:00."""
    with Duty(world=world) as made:
        made.talk.someone()
        made.staff(SAM)
        made.staff(KIM)
        yield made


def away(duty: Duty, *who: str, first: date = MONDAY, last: date = MONDAY) -> None:
    for email in who:
        staff_step.away(duty.world.services, email=email, first=first, last=last, actor="t")


def bodies(duty: Duty) -> list[str]:
    return [row.template for row in duty.talk.rows(Message)]


def goes_to(duty: Duty, local: str) -> None:
    duty.world.advance(seconds=(at(local) - duty.world.now).total_seconds())


def words_of(duty: Duty, template: str) -> str:
    with duty.world.database.transaction() as session:
        return said_now(template, clinics.by_id(session, duty.world.clinic_id).file, duty.world.now)


@pytest.mark.parametrize("gone", [(SAM, KIM), (SAM,)], ids=["both", "one"])
def test_a_call_is_promised_while_somebody_is_there(duty: Duty, gone: tuple[str, ...]) -> None:
    """In staffed hours, with one of two away, a call is offered; with both it is not."""
    away(duty, *gone)
    duty.says("please call me")
    there = len(gone) == 1
    assert bodies(duty) == ["callback_ack" if there else "after_hours_ack"]
    assert words_of(duty, "after_evening") == ("after_evening" if there else "after_evening_closed")


def test_whoever_is_on_call_and_away_covers_no_night(duty: Duty) -> None:
    """Sam alone takes pages at night: without Sam nothing of the night is promised."""
    goes_to(duty, "2026-11-30 21:00")
    assert words_of(duty, "after_evening") == "after_evening"
    away(duty, SAM)
    assert words_of(duty, "after_evening") == "after_evening_closed"


def test_whose_access_has_ended_covers_nothing(duty: Duty) -> None:
    """Disabled is gone: their name in the file calls nobody."""
    goes_to(duty, "2026-11-30 21:00")
    staff_step.disable(duty.world.services, email=SAM, actor="t")
    assert words_of(duty, "after_evening") == "after_evening_closed"


def test_a_plea_while_everybody_is_away_is_answered_honestly_and_pages_them_all(
    duty: Duty,
) -> None:
    """No word of a team; until when nobody reads is the next day; the phones ring all the same."""
    away(duty, SAM, KIM)
    duty.says()
    assert duty.safety_goes() == ["crisis_reply_noalert"]
    [text] = [text.body for text in duty.world.gateway.created(phone_of(0))]
    assert "988" in text
    assert "until tomorrow at 8 AM" in text
    assert {page[1] for page in duty.pages} == {"sam", "kim"}


def test_everybody_away_in_staffed_hours_is_an_item_once_a_day(duty: Duty) -> None:
    """For the lead, who is away too: it is everybody's, and rings whoever there is."""
    away(duty, SAM, KIM, first=MONDAY, last=TUESDAY)
    duty.rounds()
    duty.rounds()
    assert duty.talk.reasons == ["nobody_there"]
    goes_to(duty, "2026-12-01 07:00")
    duty.rounds()
    assert duty.talk.reasons == ["nobody_there"]
    goes_to(duty, "2026-12-01 09:00")
    duty.rounds()
    assert duty.talk.reasons == ["nobody_there", "nobody_there"]


def test_what_falls_due_while_everybody_is_away_is_paged_all_the_same(duty: Duty) -> None:
    """An absence closes no clinic: the clock runs, and the ladder takes whoever there is."""
    away(duty, SAM, KIM)
    duty.says("please call me")
    [item] = duty.talk.rows(FollowUp)
    assert item.due_at == at("2026-11-30 12:00")
    goes_to(duty, "2026-11-30 12:00")
    duty.tick()
    assert {page[1] for page in duty.pages} == {"sam", "kim"}


def test_a_page_is_not_put_off_to_when_everybody_is_away(duty: Duty) -> None:
    """At 23:50 the only one on call is away from midnight on (care rule 10)."""
    goes_to(duty, "2026-11-30 23:40")
    duty.says()
    duty.takes(SAM)
    away(duty, SAM, first=TUESDAY, last=TUESDAY)
    services, sam = duty.world.services, duty.actor(SAM)
    midnight = duty.world.now + timedelta(minutes=21)
    with pytest.raises(actions.BadActionError, match="Nobody is there at that time"):
        actions.snooze(services, duty.item.id, until=midnight, actor=sam)
    soon = duty.world.now + timedelta(minutes=10)
    actions.snooze(services, duty.item.id, until=soon, actor=sam)
    assert duty.item.snoozed_until == soon


def test_promises_go_by_who_is_there_and_clocks_by_the_file(duty: Duty) -> None:
    """What a text names is when a call can come; what staff have to do stays due as ever."""
    away(duty, SAM, KIM)
    with duty.world.database.transaction() as session:
        file = clinics.by_id(session, duty.world.clinic_id).file
    assert file.staffed().due("call_today", duty.world.now) == at("2026-11-30 12:00")
    assert file.attended().due("call_today", duty.world.now) == at("2026-12-01 10:00")
