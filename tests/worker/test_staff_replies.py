"""Staff answer a page by text: what that takes, what it never takes, and what they are told."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from records import followups
from records.clinics import Clinic
from records.followups import FollowUp
from records.pages import Page, PageKind
from schedules import ladder, roster
from schedules.ladder import Channel
from schedules.staffing import Severity
from tests.support.databases import OwnDatabase, run_revision
from tests.support.world import World, phone_of
from tests.worker.duty import CRISIS, KIM, SAM, Duty
from worker import opening
from worker.paging import calling
from worker.steps import followup_actions as actions
from worker.steps import receive, replies


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """A clinic on a Monday morning with somebody on call, and two patients."""
    with Duty(world=world) as made:
        made.talk.someone(2)
        yield made


def items(duty: Duty) -> list[tuple[str, str | None]]:
    """Return status and owner of each item, in the order they were opened."""
    return [(row.status, row.taken_by) for row in duty.talk.rows(FollowUp)]


def called_about(duty: Duty, item_id: UUID, before_commit: Callable[[], object]) -> None:
    """Page Sam about an item, in a transaction of its own."""
    services = duty.world.services
    about = calling.About(
        kind=PageKind.ITEM,
        why=ladder.Why.OPENED,
        severity=Severity.PAGE_NOW,
        wanted=frozenset({Channel.SMS}),
        item_id=item_id,
    )
    with services.database.transaction() as session:
        clinic = session.get_one(Clinic, duty.world.clinic_id)
        [sam] = [
            one for one in map(ladder.person_of, roster.contacts(clinic.file)) if one.phone == SAM
        ]
        calling.page(session, services, {Channel.SMS}, clinic, sam, about, now=services.now)
        before_commit()


TAKEN, OPEN = ("acknowledged", "sam@clinic.test"), ("open", None)


def test_the_text_of_a_page_names_the_number_that_takes_it(duty: Duty) -> None:
    """Beside the address."""
    duty.says()
    assert "Take it: reply 1, or http://" in duty.texted(SAM)[0]


@pytest.mark.parametrize(
    "words", ["1", "take", "TAKE", " Take it! ", "1.", "take 1", "I'll take it"]
)
def test_an_answer_takes_the_page_as_a_key_does(duty: Duty, words: str) -> None:
    """The climb stops, its clock does not; whoever took it is told so, and nobody is a stranger."""
    duty.says()
    duty.waits(minutes=4)
    duty.says(words, phone=SAM)
    assert items(duty) == [TAKEN]
    assert "it is yours" in duty.texted(SAM)[-1]
    duty.waits(minutes=27)
    assert duty.pages == [(0, "sam", "opened"), (4, "sam", "opened"), (30, "sam", "no_outcome")]
    assert duty.talk.reasons == ["crisis"]


def test_an_answer_and_a_key_leave_the_same_behind(duty: Duty) -> None:
    """Every column of the item, and its history."""

    def left_behind() -> tuple[object, ...]:
        item = duty.item
        events = duty.world.execute("SELECT actor, action FROM follow_up_event ORDER BY at, id")
        names = ("status", "owner_id", "taken_by", "rung", "run_acknowledged_at", "climbs_at")
        return (*(getattr(item, name) for name in names), [tuple(row) for row in events])

    duty.staff("sam@clinic.test")
    duty.says()
    duty.says("1", phone=SAM)
    by_text = left_behind()
    duty.world.execute("UPDATE follow_up SET status = 'resolved', resolved_at = opened_at")
    duty.world.execute("UPDATE page SET closed_at = at")
    before = len(by_text[-1])  # type: ignore[arg-type]
    duty.says()
    [page] = [row for row in duty.talk.rows(Page) if row.closed_at is None and row.kind == "item"]
    actions.take_page(duty.world.services, page.id)
    duty.tick()
    [item] = [row for row in duty.talk.rows(FollowUp) if row.status != "resolved"]
    assert (item.status, item.owner_id, item.run_acknowledged_at) == (
        by_text[0],
        by_text[1],
        by_text[4],
    )
    events = duty.world.execute("SELECT actor, action FROM follow_up_event ORDER BY at, id")
    assert [tuple(row) for row in events][before:] == by_text[-1]


def test_a_page_whose_item_ended_by_itself_waits_for_nobody(duty: Duty) -> None:
    """A visit was recorded late, its item ended, and TAKE asked at night which of two was meant."""
    duty.says()
    duty.world.advance(minutes=3)
    duty.says(phone=phone_of(1))
    first, second = duty.talk.rows(FollowUp)
    with duty.world.database.transaction() as session:
        item = followups.by_id(session, first.id)
        assert item is not None
        opening.end_needless(session, [item], now=duty.world.now)
    assert duty.world.execute("SELECT closed_at IS NULL FROM page ORDER BY at LIMIT 1") == [
        (False,)
    ]
    duty.says("take", phone=SAM)
    taken = "SELECT status FROM follow_up WHERE id = :id"
    assert duty.world.execute(taken, id=second.id) == [("acknowledged",)]


def test_pages_of_items_that_had_ended_are_closed_by_the_upgrade(
    duty: Duty, database: OwnDatabase
) -> None:
    """Releases before left them open, and TAKE would ask about them for ever."""
    duty.says()
    duty.world.execute(
        "UPDATE follow_up SET status = 'resolved', resolved_at = :at", at=duty.world.now
    )
    run_revision(database, "0022")
    open_ones = "SELECT count(*) FROM page WHERE closed_at IS NULL"
    on_their_way = "SELECT count(*) FROM page_delivery WHERE status IN ('planned', 'sending')"
    assert duty.world.execute(open_ones) == duty.world.execute(on_their_way) == [(0,)]


def test_of_many_pages_some_numbers_are_told_and_how_many_more_wait(duty: Duty) -> None:
    """A text of all of them is refused by the carrier as too long, and nobody hears a thing."""
    for number in range(11):
        duty.says(phone=phone_of(number))
    duty.says("take", phone=SAM)
    assert "8 (since 10 AM) and 3 more to take it" in duty.texted(SAM)[-1]


def test_of_two_pages_each_number_takes_its_own(duty: Duty) -> None:
    """TAKE alone takes none of the two, and says which numbers there are."""
    duty.says()
    duty.world.advance(minutes=3)
    duty.says(phone=phone_of(1))
    assert "reply 2, or" in duty.texted(SAM)[-1]
    duty.says("take", phone=SAM)
    assert items(duty) == [OPEN, OPEN]
    assert "reply 1 (since 10 AM), 2 (since 10:03 AM)" in duty.texted(SAM)[-1]
    duty.says("2", phone=SAM)
    assert items(duty) == [OPEN, TAKEN]
    assert "it is yours" in duty.texted(SAM)[-1]
    assert "Still open: reply 1" in duty.texted(SAM)[-1]
    duty.says("take", phone=SAM)
    assert items(duty) == [TAKEN, TAKEN]


def test_two_pages_that_begin_at_once_have_numbers_of_their_own(duty: Duty) -> None:
    """The second is numbered once the first is committed, so that each can be taken."""
    duty.talk.says(CRISIS)
    duty.talk.says(CRISIS, phone=phone_of(1))
    one, other = (row.id for row in duty.talk.rows(FollowUp))
    reached, on = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert on.wait(10)

    first = threading.Thread(target=called_about, args=(duty, one, wait))
    first.start()
    assert reached.wait(10)
    threading.Timer(0.2, on.set).start()
    called_about(duty, other, lambda: None)
    first.join(10)
    assert {row.follow_up_id: row.reply_code for row in duty.talk.rows(Page)} == {one: 1, other: 2}


def test_a_number_that_two_pages_have_takes_the_open_one(duty: Duty) -> None:
    """Whichever of the two is newer: what has ended needs nobody."""
    duty.staff("doc@clinic.test", "clinician")
    duty.says()
    duty.world.advance(minutes=3)
    duty.says(phone=phone_of(1))
    duty.world.execute("UPDATE page SET reply_code = 1")
    newer, doctor = duty.talk.rows(FollowUp)[1].id, "doc@clinic.test"
    actor = actions.actor_by_email(duty.world.services, doctor, newer)
    actions.resolve(duty.world.services, newer, outcome="reached_safe", actor=actor)
    duty.says("1", phone=SAM)
    assert items(duty)[0] == TAKEN


def test_the_number_of_an_old_page_takes_no_other(duty: Duty) -> None:
    """The evening's page has ended; its 1, said late, does not take the page of the night."""
    doctor = duty.staff("doc@clinic.test", "clinician")
    assert doctor
    duty.says()
    actions.resolve(
        duty.world.services,
        duty.item.id,
        outcome="reached_safe",
        actor=duty.actor("doc@clinic.test"),
    )
    duty.world.advance(hours=2)
    duty.says(phone=phone_of(1))
    duty.says("1", phone=SAM)
    assert items(duty)[1] == OPEN
    assert "has ended already" in duty.texted(SAM)[-1]
    assert "Still open: reply 2" in duty.texted(SAM)[-1]
    duty.says("2", phone=SAM)
    assert items(duty)[1] == TAKEN


@pytest.mark.parametrize(("hours", "number"), [(11.9, 2), (12.1, 1)])
def test_a_number_is_free_twelve_hours_after_its_page_was_closed(
    duty: Duty, hours: float, number: int
) -> None:
    """However long the page was open: 1, said late about it, means no other one."""
    duty.staff("doc@clinic.test", "clinician")
    duty.says()
    duty.world.advance(hours=13)
    actor = duty.actor("doc@clinic.test")
    actions.resolve(duty.world.services, duty.item.id, outcome="reached_safe", actor=actor)
    duty.world.advance(hours=hours)
    duty.says(phone=phone_of(1))
    newest = duty.talk.rows(FollowUp)[1].id
    codes = {row.reply_code for row in duty.talk.rows(Page) if row.follow_up_id == newest}
    assert codes == {number}


def test_a_number_of_three_digits_is_read(duty: Duty) -> None:
    """Numbers rise while pages are open, and each that is named can be answered."""
    duty.says()
    duty.world.execute("UPDATE page SET reply_code = 100")
    duty.says("100", phone=SAM)
    assert items(duty) == [TAKEN]


def test_a_page_that_is_paged_again_keeps_its_number(duty: Duty) -> None:
    """So that the answer to any of its texts is the right one."""
    duty.says()
    duty.waits(minutes=25)
    assert {row.reply_code for row in duty.talk.rows(Page)} == {1}
    duty.says("1", phone=KIM)
    assert items(duty) == [("acknowledged", "kim@clinic.test")]


def test_whoever_answers_second_is_told_so(duty: Duty) -> None:
    """A colleague has it."""
    duty.says()
    duty.waits(minutes=11)
    duty.says("1", phone=KIM)
    duty.says("1", phone=SAM)
    assert items(duty) == [("acknowledged", "kim@clinic.test")]
    assert "a colleague has it" in duty.texted(SAM)[-1]


def test_a_test_page_is_taken_by_text_too(duty: Duty) -> None:
    """Each takes their own."""
    duty.world.advance(hours=1)
    duty.rounds()
    duty.says("1", phone=SAM)
    tests = [row for row in duty.talk.rows(Page) if row.kind == "test"]
    taken = {row.person: row.acknowledged_at is not None for row in tests}
    assert taken == {"sam@clinic.test": True, "kim@clinic.test": False}
    assert "thank you" in duty.texted(SAM)[-1]


@pytest.mark.parametrize("words", ["on my way", "who is it?", "7", ""])
def test_what_takes_nothing_is_asked_back(duty: Duty, words: str) -> None:
    """No patient's item opens for it, and nothing is taken."""
    duty.says()
    duty.says(words, phone=SAM)
    assert items(duty) == [OPEN]
    assert "could not read that" in duty.texted(SAM)[-1]
    assert "reply 1 (since 10 AM)" in duty.texted(SAM)[-1]


def test_without_a_page_staff_hear_that_nobody_reads_this(duty: Duty) -> None:
    """And whom to call; the patients' answers are not theirs."""
    duty.says("1", phone=SAM)
    assert "nothing waits for you" in duty.texted(SAM)[-1]
    assert (duty.talk.reasons, duty.talk.answers) == ([], [])


def test_two_robots_do_not_talk_on(duty: Duty) -> None:
    """After six answers in an hour a person gets it."""
    for _ in range(9):
        duty.says("hello, is anybody there?", phone=SAM)
    assert len(duty.texted(SAM)) == 6
    assert duty.talk.reasons == ["unknown_number"]


def test_a_strangers_one_takes_nothing(duty: Duty) -> None:
    """Only a phone of the clinic's file takes a page."""
    duty.says()
    duty.says("1", phone="+12125550178")
    assert items(duty)[0] == OPEN


def test_staff_in_danger_are_answered_like_anybody(duty: Duty) -> None:
    """A plea from a phone on the ladder is a plea."""
    duty.says(phone=SAM)
    assert duty.talk.reasons == ["crisis"]
    assert duty.safety_goes() == ["crisis_reply"]


def test_a_stop_of_staff_is_a_stop(duty: Duty) -> None:
    """The law asks for no reason."""
    duty.says("STOP", phone=SAM)
    assert duty.talk.reasons == ["opted_out"]


# --- answers found late --------------------------------------------------------------------------


def found_late(duty: Duty, body: str, *, written: datetime) -> None:
    """Have the pull find a text of Sam's that the webhook never brought."""
    services = duty.world.services
    receive.store(services, duty.talk.sms(body, phone=SAM), source="pull", received_at=written)
    replies.run(services)
    duty.tick()


@pytest.mark.parametrize("words", ["take", "1"])
def test_an_answer_takes_no_page_that_began_after_it_was_written(duty: Duty, words: str) -> None:
    """Nobody answers what they were not asked; they are told what is open now."""
    written = duty.world.now
    duty.world.advance(minutes=20)
    duty.says()
    found_late(duty, words, written=written)
    assert items(duty) == [OPEN]
    assert "Still open: reply 1" in duty.texted(SAM)[-1]


def test_an_answer_takes_the_page_that_was_open_when_it_was_written(duty: Duty) -> None:
    """Another one has begun before it was found; TAKE meant the only one there was."""
    duty.says()
    duty.world.advance(minutes=1)
    written = duty.world.now
    duty.world.advance(minutes=1)
    duty.says(phone=phone_of(1))
    found_late(duty, "take", written=written)
    assert items(duty) == [TAKEN, OPEN]


def test_an_answer_does_not_move_on_from_a_page_that_has_ended(duty: Duty) -> None:
    """TAKE was about a page that a colleague has by now, and takes no later one in its stead."""
    duty.says()
    duty.world.advance(minutes=1)
    written = duty.world.now
    duty.world.advance(minutes=1)
    duty.staff("kim@clinic.test")
    duty.takes("kim@clinic.test")
    duty.says(phone=phone_of(1))
    found_late(duty, "take", written=written)
    assert [status for status, _ in items(duty)] == ["acknowledged", "open"]
    assert "a colleague has it" in duty.texted(SAM)[-1]


# --- staff and patient on one number -------------------------------------------------------------


def test_an_answer_to_our_question_is_the_patients(world: World) -> None:
    """Their 1 is a score; the page climbs on, and they are told how to take it."""
    with Duty(world=world) as duty:
        duty.talk.daily(phone=SAM)
        duty.talk.someone(1, first=1)
        duty.says(phone=phone_of(1))
        duty.says("1", phone=SAM)
        assert duty.talk.check_in().value == 1
        assert items(duty) == [OPEN]
        assert "as your own answer" in duty.texted(SAM)[-1]
        duty.says("take", phone=SAM)
        assert items(duty) == [TAKEN]


def test_who_is_both_and_speaks_of_no_page_is_a_patient(world: World) -> None:
    """What they ask reaches staff as any patient's text does."""
    with Duty(world=world) as duty:
        duty.talk.someone(1, phone=SAM)
        duty.says("call me", phone=SAM)
        assert duty.talk.reasons == ["callback"]


def test_who_is_both_takes_a_page_by_its_number(world: World) -> None:
    """Where no question of ours is open."""
    with Duty(world=world) as duty:
        duty.talk.someone(1, phone=SAM)
        duty.talk.someone(1, first=1)
        duty.says(phone=phone_of(1))
        duty.world.advance(seconds=timedelta(minutes=1).total_seconds())
        duty.says("1", phone=SAM)
        assert items(duty) == [TAKEN]
