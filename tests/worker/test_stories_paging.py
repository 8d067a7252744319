"""Paging, as stories: a text in danger, day and night, and who is called until somebody comes."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from messages.gateway import Refused
from messages.gateways.fake import refuse
from records import pages as page_rows
from records import patients
from records.followups import FollowUp
from records.outbox import Message
from records.pages import Page, PageDelivery
from records.patients import Patient
from schedules.ladder import Channel
from tests.support.world import World, patient_row, phone_of
from tests.worker.duty import CRISIS, KIM, SAM, Duty
from tests.worker.talk import Talk
from worker.paging.pager import MOST_TRIES, Pager
from worker.paging.transports import Job, Result, Sent
from worker.steps import followup_actions as actions
from worker.steps import pages, people, replies
from worker.steps import staff as staff_step
from worker.steps.followup_actions import BadActionError, FollowUpTakenError, NotAllowedError
from worker.steps.people import Reason

NIGHT = timedelta(hours=16)


@pytest.fixture
def duty(world: World) -> Iterator[Duty]:
    """A clinic on a Monday morning with somebody on call, and a patient."""
    with Duty(world=world) as made:
        made.talk.someone()
        yield made


def test_a_crisis_is_paged_by_text_call_and_mail_at_once(duty: Duty) -> None:
    """Sam is on call; no page names the patient or repeats their words."""
    duty.says()
    assert duty.pages == [(0, "sam", "opened")]
    [told] = duty.texted(SAM)
    assert "someone needs you NOW" in told
    assert f"/follow-ups/{duty.item.id}" in told
    assert duty.rung(SAM) == 1
    assert len(duty.mailed) == 1
    assert not any("kill" in words or "Robin" in words for words in (told, duty.mailed[0].letter))


@pytest.mark.parametrize("later", [timedelta(0), NIGHT], ids=["day", "night"])
def test_the_reply_says_that_the_team_was_told_once_it_was(duty: Duty, later: timedelta) -> None:
    """The page goes first; the reply names the team because a channel took the page."""
    duty.world.advance(seconds=later.total_seconds())
    duty.says()
    assert duty.safety_goes() == ["crisis_reply"]


def test_the_reply_waits_three_seconds_and_not_longer(duty: Duty) -> None:
    """With every channel down it goes without the team's sentence (care rule 11)."""
    duty.world.gateway.always(SAM, refuse(21610))
    duty.world.gateway.lines[SAM] = Refused(code=21214, http_status=400)
    duty.mail = Sent(result=Result.AGAIN, error="timeout")
    duty.says()
    assert duty.safety_goes() == []
    duty.world.advance(seconds=3)
    assert duty.safety_goes() == ["crisis_reply_noalert"]


def test_with_nobody_on_call_at_night_the_reply_is_honest_at_once(duty: Duty) -> None:
    """The lead has an e-mail; no phone rings; the ladder starts when work does."""
    duty.nobody_on_call()
    duty.world.advance(seconds=NIGHT.total_seconds())
    duty.says()
    assert duty.safety_goes() == ["crisis_reply_noalert"]
    assert (duty.pages, duty.rung(KIM), duty.texted(KIM)) == ([(0, "kim", "closed")], 0, [])
    until = datetime(2026, 12, 1, 8, 5, tzinfo=ZoneInfo("America/New_York"))
    duty.waits(seconds=(until - duty.world.now).total_seconds())
    assert duty.pages[1][1:] == ("kim", "opened")
    assert duty.rung(KIM) == 1


def test_a_page_climbs_until_somebody_takes_it(duty: Duty) -> None:
    """Ten minutes by day: Sam, Kim, then both again."""
    duty.staff("kim@clinic.test", "clinician")
    duty.says()
    duty.waits(minutes=21)
    assert duty.pages == [
        (0, "sam", "opened"),
        (10, "kim", "climbed"),
        (20, "sam", "climbed"),
        (20, "kim", "climbed"),
    ]
    assert duty.item.escalation_level == 2
    duty.takes("kim@clinic.test")
    duty.waits(minutes=5)
    assert len(duty.pages) == 4


def test_acknowledging_stops_the_climb_and_not_the_clock(duty: Duty) -> None:
    """Care rule 10: no outcome after 30 min pages its owner again, then climbs."""
    duty.staff("sam@clinic.test")
    duty.says()
    duty.waits(minutes=4)
    duty.takes("sam@clinic.test")
    duty.waits(minutes=37)
    assert duty.pages == [(0, "sam", "opened"), (30, "sam", "no_outcome"), (40, "kim", "climbed")]
    duty.takes("sam@clinic.test")
    duty.waits(minutes=18)
    assert len(duty.pages) == 3


def test_only_a_clinician_ends_a_crisis_and_that_ends_the_clock(duty: Duty) -> None:
    """With an outcome of the four (care rule 10); then nobody is paged any more."""
    duty.staff("sam@clinic.test")
    duty.staff("doc@clinic.test", "clinician")
    duty.says()
    item, world = duty.item.id, duty.world
    with pytest.raises(NotAllowedError):
        actions.resolve(
            world.services, item, outcome="reached_safe", actor=duty.actor("sam@clinic.test")
        )
    doctor = duty.actor("doc@clinic.test")
    for outcome in ("", "fine", "not_reached"):
        with pytest.raises(BadActionError):
            actions.resolve(world.services, item, outcome=outcome, actor=doctor)
    actions.resolve(world.services, item, outcome="reached_safe", actor=doctor)
    duty.waits(hours=2)
    assert (len(duty.pages), duty.item.climbs_at) == (1, None)


def test_questions_rest_until_the_last_danger_is_ended(duty: Duty) -> None:
    """Two may be open of one patient, where they had the number with another for a time."""
    duty.staff("kim@clinic.test", "clinician")
    duty.says()
    duty.world.execute("UPDATE follow_up SET cause = 'safety:another'")
    duty.says()
    first, second = [row.id for row in duty.talk.rows(FollowUp) if row.severity == "page_now"]
    actor = actions.actor_by_email(duty.world.services, "kim@clinic.test", first)
    for each, rests in ((first, True), (second, False)):
        actions.resolve(duty.world.services, each, outcome="reached_safe", actor=actor)
        [person] = duty.talk.rows(Patient)
        assert patients.in_crisis(person.paused_until, duty.world.now) is rests


def test_a_new_safety_text_joins_and_pages_again(duty: Duty) -> None:
    """It is one item; it is answered again after 15 min; no phone rings twice in two minutes."""
    duty.says()
    duty.safety_goes()
    duty.world.advance(minutes=1)
    duty.says("i want to die")
    assert duty.pages == [(0, "sam", "opened"), (1, "sam", "joined")]
    assert (duty.rung(SAM), len(duty.texted(SAM))) == (1, 2)
    assert duty.safety_goes() == ["crisis_reply"]
    duty.waits(minutes=15)
    duty.says("i want to die now")
    assert duty.safety_goes() == ["crisis_reply", "crisis_reply"]
    assert duty.item.times_joined == 2


def test_a_new_text_after_the_taking_pages_the_owner_again(duty: Duty) -> None:
    """And climbs, if the owner does not hear it."""
    duty.staff("sam@clinic.test")
    duty.says()
    duty.takes("sam@clinic.test")
    duty.waits(minutes=3)
    duty.says("i want to die")
    duty.waits(minutes=11)
    assert duty.pages[1:] == [(3, "sam", "joined"), (13, "kim", "climbed")]


def test_nobody_in_twenty_minutes_is_told_to_the_patient_once(duty: Duty) -> None:
    """`crisis_noack`, and not a minute before."""
    duty.says()
    duty.waits(minutes=19)
    assert "crisis_noack" not in duty.safety_goes()
    duty.waits(minutes=1)
    assert duty.safety_goes() == ["crisis_reply", "crisis_noack"]
    duty.waits(hours=1)
    assert duty.safety_goes().count("crisis_noack") == 1


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("I took too many pills", "overdose_reply"),
        ("chest pain and can't breathe", "emergency_reply"),
    ],
)
@pytest.mark.parametrize("on_call", [True, False], ids=["on call", "nobody"])
def test_whoever_overdosed_or_fell_ill_is_told_too_that_nobody_came(
    duty: Duty, words: str, reply: str, on_call: bool
) -> None:
    """At night as well, and once; with nobody on call the reply has been honest before."""
    if not on_call:
        duty.nobody_on_call()
    duty.world.advance(hours=12)
    duty.says(words)
    duty.waits(seconds=4)
    duty.waits(minutes=19)
    assert "crisis_noack" not in duty.safety_goes()
    duty.waits(hours=1)
    first = reply if on_call else f"{reply}_noalert"
    assert duty.safety_goes() == [first, "crisis_noack"]


def test_abuse_beside_another_danger_is_never_told_that_nobody_came(duty: Duty) -> None:
    """One text of the item speaks of it: whoever hurts them may be reading (care rule 11)."""
    duty.says("I took too many pills")
    duty.waits(minutes=1)
    duty.says("he hit me and i am scared to go home")
    duty.waits(hours=1)
    assert "crisis_noack" not in duty.safety_goes()


def test_whoever_is_acknowledged_in_time_is_told_nothing_more(duty: Duty) -> None:
    """Somebody took the page after 19 minutes."""
    duty.staff("sam@clinic.test")
    duty.says()
    duty.waits(minutes=19)
    duty.takes("sam@clinic.test")
    duty.waits(minutes=30)
    assert duty.safety_goes() == ["crisis_reply"]


def test_abuse_is_never_told_that_nobody_came(duty: Duty) -> None:
    """Whoever hurts them may be reading."""
    duty.says("he hit me and i am scared to go home")
    duty.waits(hours=1)
    assert duty.safety_goes() == ["neutral_ack"]
    assert duty.pages[0] == (0, "sam", "opened")


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("my boyfriend is hitting me I can't breathe", "emergency_reply"),
        ("he beat me up again and I swallowed all my pills", "overdose_reply"),
    ],
)
def test_abuse_in_one_text_with_another_danger_is_never_told_that_nobody_came(
    duty: Duty, words: str, reply: str
) -> None:
    """The body in danger is named first, and nobody forgets who else may read."""
    duty.says(words)
    duty.waits(hours=1)
    assert duty.safety_goes() == [reply]


def test_whoever_wrote_of_something_else_before_is_answered_when_in_danger(duty: Duty) -> None:
    """At night a greeting and a plea are answered in the same words, and each has its own."""
    duty.nobody_on_call()
    duty.world.advance(hours=12)
    duty.says("hello there")
    duty.waits(minutes=5)
    duty.says("my husband beats me and I am scared")
    assert duty.safety_goes() == ["after_hours_ack"]


def test_a_stranger_in_danger_is_answered_after_an_everyday_text(duty: Duty) -> None:
    """Whatever the number was told before."""
    duty.says("is this the clinic", phone="+12125550177")
    duty.waits(minutes=5)
    duty.says("my husband beats me and I am scared", phone="+12125550177")
    assert duty.safety_goes() == ["neutral_ack"]


def test_each_of_two_on_a_number_has_the_words_and_the_reply(duty: Duty) -> None:
    """Nobody knows which of them wrote; taken for the one, the other still waits (care rule 22)."""
    duty.staff("sam@clinic.test", "clinician")
    with duty.world.database.transaction() as session:
        session.execute(insert(Patient), [patient_row(duty.world.vault, duty.world.clinic_id, 7)])
    one = "(SELECT phone_blind FROM patient ORDER BY id LIMIT 1)"
    duty.world.execute(f"UPDATE patient SET phone_blind = {one}")
    duty.says()
    duty.waits(seconds=4)
    first, second = [row for row in duty.talk.rows(FollowUp) if row.severity == "page_now"]
    actor = actions.actor_by_email(duty.world.services, "sam@clinic.test", first.id)
    actions.take(duty.world.services, first.id, actor=actor)
    duty.waits(minutes=25)
    assert duty.safety_goes() == ["crisis_reply", "crisis_noack"]
    with duty.world.database.transaction() as session:
        for item in (first, second):
            assert [each.intent for each in page_rows.safety_texts(session, item.id)] == ["crisis"]
            assert page_rows.answers_about(session, item.id)[0].template == "crisis_reply"


def test_nobody_who_died_is_told_that_nobody_came(duty: Duty) -> None:
    """The record was closed while the page still climbed (care rule 24)."""
    duty.says()
    duty.waits(seconds=4)
    duty.waits(minutes=10)
    [person] = duty.talk.rows(Patient)
    people.close(duty.world.services, person.id, reason=Reason.DECEASED, actor="desk")
    duty.waits(minutes=15)
    assert duty.safety_goes() == ["crisis_reply"]


def test_a_reply_that_did_not_arrive_counts_as_none(duty: Duty) -> None:
    """The next text in danger is answered at once, not after a quarter of an hour."""
    duty.says()
    duty.waits(seconds=4)
    assert duty.safety_goes() == ["crisis_reply"]
    duty.world.execute("UPDATE message SET status = 'undelivered' WHERE kind = 'safety'")
    duty.waits(minutes=5)
    duty.says()
    duty.waits(seconds=4)
    assert duty.safety_goes() == ["crisis_reply", "crisis_reply"]


def test_a_blocked_patient_is_paged_and_answered_all_the_same(duty: Duty) -> None:
    """STOP holds back what we start, never a plea."""
    duty.talk.says("STOP")
    duty.says()
    assert duty.pages == [(0, "sam", "opened")]
    assert duty.safety_goes()[-1] == "crisis_reply"


def test_an_unknown_number_is_paged_too(duty: Duty) -> None:
    """Whoever it is."""
    duty.says(phone="+12125550177")
    assert duty.pages == [(0, "sam", "opened")]


def test_pages_go_while_the_texts_breaker_is_open(duty: Duty) -> None:
    """The texts' account is refused: mail and the service still go, and the operators are paged."""
    world = duty.world
    world.execute(
        "UPDATE sender SET breaker_opened_at = :now, breaker_until = :until, breaker_reason = 'x'",
        now=world.now,
        until=world.now + timedelta(hours=1),
    )
    duty.world.gateway.always(SAM, refuse(20003, 401))
    duty.says()
    assert len(duty.mailed) == 1
    assert duty.safety_goes() == ["crisis_reply"]
    duty.rounds()
    duty.rounds()
    assert [row.person for row in duty.talk.rows(Page) if row.kind == "operators"] == [
        "kim@clinic.test"
    ]


def test_an_address_that_bounces_makes_the_ladder_climb_at_once(duty: Duty) -> None:
    """Nobody waits ten minutes for whom no channel reached."""
    world = duty.world
    world.gateway.always(SAM, refuse(21211))
    world.gateway.lines[SAM] = Refused(code=21211, http_status=400)
    duty.mail = Sent(result=Result.REFUSED, error="smtp_550")
    duty.says()
    duty.tick()
    assert duty.pages == [(0, "sam", "opened"), (0, "kim", "climbed")]
    assert {row.status for row in duty.deliveries("email")} == {"failed"}


def test_who_has_no_channel_is_not_waited_for(world: World) -> None:
    """The owner has an e-mail address alone, and no mail goes: the next one is called at once."""
    with Duty(world=world, channels=frozenset({Channel.SMS, Channel.VOICE})) as duty:
        duty.talk.someone()
        duty.staff("doc@clinic.test", "clinician")
        duty.says()
        duty.takes("doc@clinic.test")
        duty.waits(minutes=30)
        duty.tick()
        assert duty.pages[1:] == [(30, "doc", "no_outcome"), (30, "sam", "climbed")]
        assert duty.rung(SAM) == 2
        duty.waits(minutes=10)
        assert duty.pages[3:] == [(40, "kim", "climbed")]


def test_the_climb_past_somebody_at_night_waits_for_no_other_clock(duty: Duty) -> None:
    """Also where the word to the patient is due before the next rung was."""
    duty.world.gateway.always(KIM, refuse(21211))
    duty.world.gateway.lines[KIM] = Refused(code=21211, http_status=400)
    duty.mail = Sent(result=Result.REFUSED, error="smtp_550")
    duty.world.advance(seconds=NIGHT.total_seconds())
    duty.says()
    duty.waits(minutes=16)
    assert duty.pages[1:3] == [(15, "kim", "climbed"), (16, "sam", "climbed")]


def test_with_nobody_on_call_a_page_that_reaches_nobody_goes_once(duty: Duty) -> None:
    """The lead's mail bounces at night: there is no next one before the opening."""
    duty.nobody_on_call()
    duty.mail = Sent(result=Result.REFUSED, error="smtp_550")
    duty.world.advance(seconds=NIGHT.total_seconds())
    duty.says()
    duty.waits(minutes=25)
    assert duty.pages == [(0, "kim", "closed")]


def test_a_delivery_that_can_not_be_read_makes_the_ladder_climb(duty: Duty) -> None:
    """It ends, and with every other way failed nobody waits for it."""
    duty.talk.says(CRISIS)
    pages.climb(duty.world.services, duty.pager)
    duty.world.execute("UPDATE page_delivery SET address = 'sealed by nobody'")
    duty.tick()
    assert {row.error for row in duty.talk.rows(PageDelivery)} != {None}
    duty.tick()
    assert duty.pages == [(0, "sam", "opened"), (0, "kim", "climbed")]


def test_a_channel_that_fails_is_tried_again(duty: Duty) -> None:
    """After 15 s, 30 s, 60 s..., as long as the page is of use."""
    duty.mail = Sent(result=Result.AGAIN, error="timeout")
    duty.says()
    for _ in range(4):
        duty.world.advance(seconds=125)
        duty.tick()
    [first, *_] = duty.deliveries("email")
    assert (first.tries, first.status, first.error) == (5, "failed", "timeout")


def test_a_claim_that_dies_is_made_again(duty: Duty) -> None:
    """A process killed between claim and call leaves a lease behind."""
    duty.talk.says(CRISIS)
    duty.world.execute("UPDATE follow_up SET climbs_at = opened_at")
    pages.climb(duty.world.services, duty.pager)
    duty.world.execute(
        "UPDATE page_delivery SET status = 'sending', tries = 1, next_at = :soon",
        soon=duty.world.now + timedelta(seconds=60),
    )
    duty.tick()
    assert duty.texted(SAM) == []
    duty.waits(minutes=1)
    assert len(duty.texted(SAM)) == 1


class HungCarrier:
    """A carrier that answers no call before it is told to; as many calls wait as it has threads."""

    def __init__(self, world: World) -> None:
        self.rung: list[Job] = []
        self._rings, self._nudges = threading.Semaphore(0), threading.Semaphore(0)
        self._answers = threading.Event()
        self.services = replace(world.services, nudge=lambda *_: self._nudges.release())
        self.pager = Pager(self.services, {Channel.VOICE: self._call})

    def _call(self, job: Job) -> Sent:
        self.rung.append(job)
        self._rings.release()
        assert self._answers.wait(20)
        return Sent(result=Result.ACCEPTED)

    def rings(self, times: int) -> None:
        """Wait until so many further calls are being made."""
        for _ in range(times):
            assert self._rings.acquire(timeout=20)

    def tick(self) -> None:
        """Do what a tick does for pages, and wait for nobody."""
        pages.run(self.services, self.pager)

    def answers(self) -> None:
        """Have it take the calls that wait; the pager asks for more, and it takes those too."""
        self._answers.set()
        assert self._nudges.acquire(timeout=20)
        assert self.pager.drain(20)
        self.tick()
        assert self.pager.drain(20)

    def close(self) -> None:
        """End its threads."""
        self._answers.set()
        self.pager.close()


@pytest.fixture
def hung(world: World) -> Iterator[HungCarrier]:
    """Six patients in danger, about four of whom staff are being called."""
    talk = Talk(world)
    talk.someone(6)
    for number in range(6):
        talk.says(CRISIS, phone=phone_of(number))
    carrier = HungCarrier(world)
    try:
        carrier.tick()
        carrier.rings(4)
        yield carrier
    finally:
        carrier.close()


def calls_of(world: World) -> list[PageDelivery]:
    """Return all calls to staff, made or waiting."""
    return [row for row in Talk(world).rows(PageDelivery) if row.channel == Channel.VOICE]


def test_calls_that_wait_for_a_hung_carrier_keep_their_tries(
    world: World, hung: HungCarrier
) -> None:
    """Only what is tried spends a try; what waited goes as soon as there is a thread."""
    for _ in range(6):
        world.advance(seconds=61)
        hung.tick()
    waiting, rung = [("planned", 0)] * 2, [("sending", 1)] * 4
    assert sorted((row.status, row.tries) for row in calls_of(world)) == waiting + rung
    hung.answers()
    calls = calls_of(world)
    assert {(row.status, row.tries) for row in calls} == {("accepted", 1)}
    assert {row.id for row in calls} == {job.delivery_id for job in hung.rung}


def test_a_call_that_waits_is_not_made_once_somebody_has_the_page(
    world: World, hung: HungCarrier
) -> None:
    """Nobody is rung about what a colleague has taken meanwhile."""
    rung = {job.page_id for job in hung.rung}
    waiting = [row.page_id for row in calls_of(world) if row.page_id not in rung]
    for page_id in waiting:
        actions.take_page(world.services, page_id)
    hung.answers()
    assert (len(waiting), {job.page_id for job in hung.rung}) == (2, rung)


def test_a_crisis_is_called_about_before_what_else_waits(world: World, hung: HungCarrier) -> None:
    """With one thread for two, what may be a life goes first, also where it came later."""
    rung = {job.delivery_id for job in hung.rung}
    [other, crisis] = [row for row in calls_of(world) if row.id not in rung]
    world.execute("UPDATE page SET severity = 'call_today' WHERE id = :id", id=other.page_id)
    world.advance(seconds=2)
    now = world.now
    world.execute("UPDATE page_delivery SET next_at = :now WHERE id = :id", now=now, id=crisis.id)
    room = {Channel.VOICE: 1}
    with world.database.transaction() as session:
        due = page_rows.due_deliveries(
            session, now=now, room=room, most_tries=MOST_TRIES, limit=100
        )
        assert [row.id for row in due] == [crisis.id]


def test_two_people_who_take_one_item_at_once(duty: Duty) -> None:
    """The second is told who has it."""
    for email in ("sam@clinic.test", "kim@clinic.test"):
        duty.staff(email)
    duty.says()
    duty.takes("sam@clinic.test")
    with pytest.raises(FollowUpTakenError, match=r"sam@clinic\.test"):
        duty.takes("kim@clinic.test")


def test_a_key_pressed_takes_the_page(duty: Duty) -> None:
    """Also for somebody on call who has no sign-in; the item names them by their key."""
    duty.says()
    [page] = duty.talk.rows(Page)
    assert actions.take_page(duty.world.services, page.id) == "item"
    assert (duty.item.status, duty.item.taken_by) == ("acknowledged", "sam@clinic.test")
    duty.waits(minutes=31)
    assert duty.pages == [(0, "sam", "opened"), (30, "sam", "no_outcome")]


def test_who_goes_away_gives_the_page_back(duty: Duty) -> None:
    """On the first day of an absence the item is nobody's, and is paged anew to who is here."""
    duty.staff("sam@clinic.test")
    duty.says()
    duty.takes("sam@clinic.test")
    today = duty.world.now.date()
    staff_step.away(
        duty.world.services, email="sam@clinic.test", first=today, last=today, actor="test"
    )
    duty.tick()
    assert (duty.item.status, duty.item.owner_id) == ("open", None)
    assert duty.pages[-1] == (0, "kim", "opened")


def test_everybody_away_still_pages_somebody(duty: Duty) -> None:
    """Better somebody who is away than nobody."""
    today = duty.world.now.date()
    for email in ("sam@clinic.test", "kim@clinic.test"):
        duty.staff(email)
        staff_step.away(duty.world.services, email=email, first=today, last=today, actor="test")
    duty.says()
    assert {who for _, who, _ in duty.pages} == {"sam", "kim"}


def test_nobody_on_the_ladder_leaves_the_item_with_a_clock(duty: Duty) -> None:
    """The reply promises nothing, and the item is looked at again."""
    duty.file(on_call=[], lead=None, after_hours="none")
    duty.says()
    duty.world.advance(seconds=3)
    assert duty.safety_goes() == ["crisis_reply_noalert"]
    assert (duty.pages, duty.item.climbs_at) == (
        [],
        duty.world.now + timedelta(minutes=9, seconds=57),
    )


def test_a_crisis_is_snoozed_for_half_an_hour_at_most(duty: Duty) -> None:
    """And then its owner is paged again."""
    duty.staff("sam@clinic.test")
    duty.says()
    duty.takes("sam@clinic.test")
    world, actor = duty.world, duty.actor("sam@clinic.test")
    with pytest.raises(BadActionError, match="30 minutes"):
        actions.snooze(
            world.services, duty.item.id, until=world.now + timedelta(minutes=31), actor=actor
        )
    actions.snooze(
        world.services, duty.item.id, until=world.now + timedelta(minutes=20), actor=actor
    )
    duty.waits(minutes=21)
    assert duty.pages[1:] == [(20, "sam", "opened")]


def test_a_page_that_nobody_has_taken_is_not_put_off(duty: Duty) -> None:
    """The climb and the word to the patient come all the same, and so after each new page."""
    duty.staff("kim@clinic.test")
    duty.says()
    duty.waits(minutes=4)
    _is_not_put_off(duty, "Take it first")
    duty.waits(minutes=16)
    assert duty.pages[1] == (10, "kim", "climbed")
    assert duty.safety_goes() == ["crisis_reply", "crisis_noack"]
    duty.takes("kim@clinic.test")
    duty.waits(minutes=10)
    assert duty.pages[-1] == (30, "kim", "no_outcome")
    _is_not_put_off(duty, "Take it first")


def test_a_crisis_is_not_put_off_into_closed_hours(duty: Duty) -> None:
    """On Friday at 16:40, with nobody on call, it is put off until before the closing or not."""
    duty.nobody_on_call()
    friday = datetime(2026, 12, 4, 16, 40, tzinfo=ZoneInfo("America/New_York"))
    duty.world.advance(seconds=(friday - duty.world.now).total_seconds())
    duty.staff("kim@clinic.test")
    duty.says()
    duty.takes("kim@clinic.test")
    _is_not_put_off(duty, "Nobody is there")
    actor, until = duty.actor("kim@clinic.test"), friday + timedelta(minutes=15)
    actions.snooze(duty.world.services, duty.item.id, until=until, actor=actor)
    assert duty.item.climbs_at == until


def _is_not_put_off(duty: Duty, why: str) -> None:
    until, actor = duty.world.now + timedelta(minutes=30), duty.actor("kim@clinic.test")
    with pytest.raises(BadActionError, match=why):
        actions.snooze(duty.world.services, duty.item.id, until=until, actor=actor)
    assert duty.item.snoozed_until is None


def test_the_weekly_test_page_must_be_acknowledged(duty: Duty) -> None:
    """Monday at 11:00 to everybody on the ladder; a day later it is an item (care rule 13)."""
    duty.world.advance(minutes=59)
    duty.rounds()
    assert duty.pages == []
    duty.world.advance(minutes=1)
    duty.rounds()
    duty.rounds()
    assert {who for _, who, _ in duty.pages} == {"sam", "kim"}
    [sam, _] = duty.talk.rows(Page)
    actions.take_page(duty.world.services, sam.id)
    duty.world.advance(hours=24)
    duty.rounds()
    duty.rounds()
    assert duty.talk.reasons == ["page_test_unanswered"]


def test_a_test_page_that_nobody_took_closes_and_gives_its_number_back(duty: Duty) -> None:
    """The lead has the item; half a day after the closing the number means another page."""
    lead = duty.staff("kim@clinic.test")
    duty.world.advance(hours=1)
    duty.rounds()
    assert {row.reply_code for row in duty.talk.rows(Page)} == {1}
    duty.world.advance(hours=24)
    duty.rounds()
    assert all(row.closed_at == duty.world.now for row in duty.talk.rows(Page))
    assert [(row.reason, row.owner_id) for row in duty.talk.rows(FollowUp)] == [
        ("page_test_unanswered", lead),
        ("page_test_unanswered", lead),
    ]
    duty.world.advance(hours=13)
    duty.says()
    assert duty.talk.rows(Page)[-1].reply_code == 1
    # Whoever takes it late is heard: doctor looks at the last test only.
    actions.take_page(duty.world.services, duty.talk.rows(Page)[0].id)
    assert duty.talk.rows(Page)[0].acknowledged_at == duty.world.now


@pytest.mark.parametrize("taken", [False, True])
def test_a_page_about_texts_that_stop_closes_after_a_day(duty: Duty, taken: bool) -> None:
    """With an item for the lead, unless one of those who were paged took it."""
    duty.world.settings.operators = ("ops@clinic.test", "second@clinic.test")
    duty.world.execute("UPDATE sender SET breaker_opened_at = :now", now=duty.world.now)
    duty.rounds()
    sent = duty.talk.rows(Page)
    assert [row.person for row in sent] == ["ops@clinic.test", "second@clinic.test"]
    if taken:
        actions.take_page(duty.world.services, sent[0].id)
    duty.world.advance(hours=23)
    duty.rounds()
    assert duty.talk.reasons == []
    duty.world.advance(hours=1)
    duty.rounds()
    assert duty.talk.reasons == ([] if taken else ["outage_page_unanswered"])
    assert all(row.closed_at for row in duty.talk.rows(Page) if row.kind == "operators")


def test_late_news_of_a_plea_says_how_old_it_is(duty: Duty) -> None:
    """What only the pull found is paged at once with its age (care rule 9)."""
    found = duty.talk.receive(CRISIS)
    duty.world.execute(
        "UPDATE inbound SET received_at = :at", at=duty.world.now - timedelta(minutes=25)
    )
    assert found.id is not None
    replies.run(duty.world.services)
    duty.tick()
    assert "Their text is 25 min old." in duty.texted(SAM)[0]


def test_a_call_of_today_is_paged_when_it_is_due(duty: Duty) -> None:
    """By text and mail, and no phone rings for it."""
    duty.talk.says("call me")
    duty.tick()
    assert duty.pages == []
    duty.waits(hours=2)
    assert duty.pages == [(0, "sam", "due")]
    assert (duty.rung(SAM), len(duty.texted(SAM))) == (0, 1)


def test_no_page_names_anybody(duty: Duty) -> None:
    """Neither a name, nor a number, nor words of a patient, by any channel."""
    duty.says("I want to kill myself, tell Robin")
    told = [*duty.texted(SAM), *(job.letter + job.subject for job in duty.mailed)]
    assert not any(word in text for text in told for word in ("Robin", phone_of(0), "kill"))


def test_the_team_sentence_is_for_those_who_are_called(duty: Duty) -> None:
    """An overdose and an emergency get theirs likewise."""
    duty.says("my friend overdosed")
    assert duty.safety_goes() == ["overdose_reply"]
    [row] = duty.talk.rows(Message)
    assert row.kind == "safety"
