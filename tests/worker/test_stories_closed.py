"""Hours in which nobody is there: what texts say then, closed days, and clocks that jump."""

from collections.abc import Iterator
from datetime import UTC, date, timedelta

import pytest

from messages.gateways.fake import refuse
from records.followups import FollowUp
from schedules.facts import Dose, VisitStatus
from tests.support.world import World, phone_of
from tests.worker.desk import NEW_YORK, Desk, at
from tests.worker.duty import KIM, SAM, Duty
from worker.steps import closing, events
from worker.steps import followup_actions as actions

ALONE = {"on_call": [], "after_hours": "none"}


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """A clinic on a Monday morning with somebody on call."""
    with Duty(world=world) as made:
        yield made


def goes_to(duty: Duty, local: str) -> None:
    """Set the clock; in UTC, so that minutes added to it are real ones in any night."""
    duty.world.clock.at = at(local).astimezone(UTC)
    duty.world.advance(seconds=0)


def dosed(duty: Duty, start: str, **patient: str) -> Desk:
    """Give somebody a dose at this hour, and go on until the evening of that day."""
    goes_to(duty, f"{start[:10]} 07:00")
    desk = Desk(duty.world)
    desk.admits(**patient)
    desk.imports(start)
    desk.waits_until(f"{start[:10]} 12:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    desk.waits_until(f"{start[:10]} 19:00")
    return desk


@pytest.mark.parametrize("language", ["en", "es"])
def test_rule_11_the_evening_check_offers_no_call_that_nobody_makes(
    duty: Duty, language: str
) -> None:
    """With nobody after hours it says when somebody reads, and where help is meanwhile."""
    duty.file(**ALONE)
    desk = dosed(duty, "2026-12-01T09:00", language=language)
    [told] = [words for words in desk.words() if "1 " in words and "0 " in words][-1:]
    assert not any(words in told for words in ("3 ", "call me", "llamada"))
    assert ("tomorrow at 8 AM" if language == "en" else "mañana a las 8 am") in told
    assert "911" in told
    assert "988" in told


def test_rule_11_with_people_on_call_the_evening_check_offers_one(duty: Duty) -> None:
    """Somebody is there to make it."""
    desk = dosed(duty, "2026-12-01T09:00")
    assert "3 please call me" in desk.words()[-1]


def test_rule_11_a_morning_on_which_the_clinic_is_closed_offers_no_call(duty: Duty) -> None:
    """A dose on Friday; on Saturday nobody reads, and Monday is said."""
    duty.file(**ALONE)
    desk = dosed(duty, "2026-12-04T09:00")
    desk.waits_until("2026-12-05 11:00")
    told = desk.words()[-1]
    assert "Back to your usual self? Reply 0 yes, 1 almost, 2 no." in told
    assert "Mon Dec 7 at 8 AM" in told


# --- a clinic is closed for a day (care rule 16) -------------------------------------------------


def test_rule_16_a_closed_day_moves_visits_clocks_and_what_texts_promise(duty: Duty) -> None:
    """The visit is cancelled and told, somebody is called, nothing is due then, {until} moves."""
    desk = Desk(duty.world)
    desk.admits(2)
    desk.has_imported_before()
    goes_to(duty, "2026-12-03 16:00")
    desk.imports("2026-12-04T09:00")
    desk.goes_on(minutes=30)
    desk.says("call me", phone=phone_of(1))
    before = desk.call_by("callback")
    world = duty.world
    done = closing.close_day(world.services, world.clinic_id, day=date(2026, 12, 4), actor="desk")
    assert len(done.visits) == 1
    for visit_id in done.visits:
        events.record_event(world.services, visit_id, VisitStatus.CANCELLED, actor="desk")
    desk.goes_on(minutes=5)
    assert "will not take place" in desk.words()[-1]
    assert {"callback", "visit_unbooked"} <= set(desk.calls())
    assert (before, desk.call_by("callback")) == ("Thu 03 17:00", "Thu 03 17:00")
    desk.waits_until("2026-12-03 19:00")
    desk.says("feeling sick, throwing up", phone=phone_of(1))
    items = [row for row in desk.rows(FollowUp) if row.reason == "side_effect"]
    assert [row.due_at.astimezone(NEW_YORK).strftime("%a") for row in items] == ["Mon"]


@pytest.mark.parametrize(
    ("wrote", "until", "paged"),
    [
        ("2026-12-03 14:00", "2026-12-04 14:00", "2026-12-07 08:00"),
        ("2026-12-03 19:00", "2026-12-04 14:00", "2026-12-07 10:00"),
        ("2026-12-03 19:00", "2026-12-08 10:00", "2026-12-08 10:00"),
    ],
    ids=["put off into it", "due and put off into it", "put off beyond it"],
)
def test_rule_16_what_was_put_off_rings_nobody_on_a_day_closed_later(
    duty: Duty, wrote: str, until: str, paged: str
) -> None:
    """Its clock comes when somebody is there again, and not before the time that was given."""
    world = duty.world
    goes_to(duty, wrote)
    duty.talk.someone()
    duty.talk.says("call me")
    duty.staff("sam@clinic.test")
    [item] = duty.talk.rows(FollowUp)
    actor = actions.actor_by_email(world.services, "sam@clinic.test", item.id)
    actions.snooze(world.services, item.id, until=at(until), actor=actor)
    closing.close_day(world.services, world.clinic_id, day=date(2026, 12, 4), actor="desk")
    for instant in ("2026-12-04 14:00", "2026-12-07 07:59"):
        goes_to(duty, instant)
        duty.tick()
        assert duty.pages == []
    goes_to(duty, paged)
    world.advance(seconds=-60)
    duty.tick()
    assert duty.pages == []
    goes_to(duty, paged)
    duty.tick()
    assert duty.pages == [(0, "sam", "due")]


@pytest.mark.parametrize(
    ("stops", "reason", "was", "then"),
    [
        ("carrier", "instruction_not_delivered", "Thu 03 11:15", "Thu 03 11:15"),
        ("patient", "change_requested", "Thu 03 11:15", "Fri 04 08:30"),
    ],
    ids=["food ends in the night before", "half an hour of work before the visit"],
)
def test_rule_16_a_call_about_a_visit_is_never_moved_past_it(
    duty: Duty, stops: str, reason: str, was: str, then: str
) -> None:
    """The clinic closes on Thursday, and the dose is on Friday at nine: two hours after opening."""
    goes_to(duty, "2026-12-01 08:00")
    desk = Desk(duty.world)
    desk.admits()
    desk.imports("2026-12-04T09:00")
    desk.waits_until("2026-12-03 08:45")
    desk.arrives = stops == "patient"
    desk.waits_until("2026-12-03 09:15")
    if stops == "patient":
        desk.says("R")
    desk.world.execute(
        "UPDATE message SET status = 'undelivered', final_at = :now WHERE status = 'accepted'",
        now=desk.world.now,
    )
    desk.goes_on()
    assert desk.call_by(reason) == was
    world = duty.world
    closing.close_day(world.services, world.clinic_id, day=date(2026, 12, 3), actor="desk")
    assert desk.call_by(reason) == then
    [item] = [row for row in desk.rows(FollowUp) if row.reason == reason]
    assert (item.run_at, item.climbs_at) == (item.due_at, item.due_at)


# --- a lapse told before a dose ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "files", "severity"),
    [
        ("2026-12-07 15:00", {}, "call_today"),
        ("2026-12-07 22:00", {}, "page_now"),
        ("2026-12-06 12:00", {}, "page_now"),
        ("2026-12-07 15:00", ALONE, "call_today"),
    ],
    ids=["the afternoon before", "the night before", "a closed Sunday before", "nobody on call"],
)
def test_a_lapse_told_before_a_dose_reaches_somebody_before_it(
    duty: Duty, when: str, files: dict[str, object], severity: str
) -> None:
    """A text says so; whoever is paged about it is paged before the dose at 08:00."""
    duty.file(**files)
    desk = Desk(duty.world)
    desk.admits()
    starts = "2026-12-08T08:00" if "12-07" in when else "2026-12-07T08:00"
    desk.imports(starts)
    goes_to(duty, when)
    desk.says("I relapsed, I used last night")
    [item] = [row for row in desk.rows(FollowUp) if row.reason == "use_disclosed"]
    assert item.severity == severity
    dose = at(starts.replace("T", " "))
    duty.tick()
    while not duty.pages:
        [item] = [row for row in desk.rows(FollowUp) if row.reason == "use_disclosed"]
        assert duty.world.now < item.climbs_at < dose
        duty.world.clock.at = item.climbs_at
        duty.tick()
    assert duty.world.now < dose


# --- the ladder in the nights on which clocks jump, through the real steps ------------------------


@pytest.mark.parametrize(
    ("opened", "minutes"),
    [
        ("2027-03-14 01:50", [0, 15, 25, 25]),
        ("2026-11-01 00:50", [0, 15, 25, 25]),
        ("2026-11-26 10:00", [0, 15, 25, 25]),
        ("2026-11-27 10:00", [0, 10, 20, 20]),
    ],
    ids=["spring forward", "fall back", "Thanksgiving", "the day after"],
)
def test_the_ladder_keeps_its_minutes_whatever_the_clocks_do(
    duty: Duty, opened: str, minutes: list[int]
) -> None:
    """A plea at that instant; who is called when, and when the patient is told of nobody."""
    goes_to(duty, opened)
    duty.talk.someone()
    duty.says()
    start = duty.world.now
    duty.waits(minutes=26)
    assert [minute for minute, _, _ in duty.pages] == minutes
    assert [who for _, who, _ in duty.pages] == ["sam", "kim", "sam", "kim"]
    assert duty.safety_goes() == ["crisis_reply", "crisis_noack"]
    assert duty.item.noack_at == start + timedelta(minutes=20)


def test_every_way_to_everybody_fails_and_the_item_still_climbs(duty: Duty) -> None:
    """Nothing is lost: the item keeps a clock, and the patient was promised nobody."""
    for phone in (SAM, KIM):
        duty.world.gateway.always(phone, refuse(21211))
        duty.world.gateway.lines[phone] = refuse(21211).answer
    duty.mail = type(duty.mail)(result="refused", error="smtp_550")
    duty.talk.someone()
    duty.says()
    duty.waits(minutes=30)
    assert "crisis_reply" not in duty.safety_goes()
    assert duty.item.climbs_at is not None
    assert duty.item.climbs_at > duty.world.now
