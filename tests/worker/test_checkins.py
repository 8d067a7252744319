"""Check-ins that end: a miss only where the silence is the patient's own (care rule 19)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from records import progress, scores
from records.checkins import CheckIn
from records.followups import FollowUp
from tests.support.world import NUMBER, World
from tests.worker.duty import Duty
from tests.worker.talk import Talk
from worker import protocols
from worker.replying import hearing
from worker.steps import checkins

DAY = timedelta(days=1)
PAT = "+12125550195"


@pytest.fixture
def talk(world: World) -> Talk:
    """A world with a phone."""
    return Talk(world)


def _ends(talk: Talk) -> dict[str, int]:
    """Go past the end of the open question and run the step."""
    talk.world.advance(hours=25)
    return dict(checkins.run(talk.world.services))


def _ask_again(talk: Talk, *, delivered: bool = True) -> None:
    """Send the next day's question."""
    talk.world.plan()
    talk.world.send()
    if delivered:
        talk.delivered()


def test_a_delivered_question_without_an_answer_is_a_miss(talk: Talk) -> None:
    """One miss alone asks for nobody."""
    talk.daily()
    assert _ends(talk) == {"missed": 1}
    assert (talk.check_in().status, talk.reasons) == ("missed", [])
    assert checkins.run(talk.world.services) == {}


def test_an_answered_question_does_not_end_as_a_miss(talk: Talk) -> None:
    """What was answered in time is not looked at again."""
    talk.daily()
    talk.says("2")
    assert _ends(talk) == {}
    assert talk.check_in().status == "answered"


NOT_THEIRS: dict[str, Callable[[Talk], None]] = {
    "not delivered": lambda talk: talk.world.execute("UPDATE message SET status = 'undelivered'"),
    "never proved": lambda talk: talk.world.execute("UPDATE message SET status = 'sent'"),
    "held": lambda talk: talk.world.execute("UPDATE patient SET status = 'held'"),
    "stopped": lambda talk: talk.says("STOP") and None,
    "paused": lambda talk: talk.says("PAUSE") and None,
    "consent withdrawn": lambda talk: talk.world.execute(
        "UPDATE patient SET purposes = '{visits}'"
    ),
}


@pytest.mark.parametrize("case", NOT_THEIRS)
def test_silence_that_is_not_the_patients_is_void(talk: Talk, case: str) -> None:
    """No miss is counted, and nobody is called for it."""
    talk.daily()
    NOT_THEIRS[case](talk)
    assert _ends(talk) == {"void": 1}
    assert set(talk.reasons) <= {"opted_out", "paused"}


def test_two_misses_are_flagged_and_three_are_phoned(talk: Talk) -> None:
    """The step's own rules, in a row."""
    talk.daily()
    seen = []
    for _ in range(3):
        _ends(talk)
        seen.append([row.severity for row in talk.rows(FollowUp)])
        talk.world.advance(hours=-1)
        _ask_again(talk)
    assert seen == [[], ["next_business_day"], ["call_today"]]
    assert talk.item("missed_check_ins").times_joined == 1


def test_an_answer_in_between_starts_the_count_anew(talk: Talk) -> None:
    """A miss, an answer, a miss: nobody is called."""
    talk.daily()
    for turn in range(3):
        if turn == 1:
            talk.says("2")
        _ends(talk)
        talk.world.advance(hours=-1)
        _ask_again(talk)
    assert talk.reasons == []


def test_opioid_silence_is_phoned_after_two(talk: Talk) -> None:
    """Tolerance falls in the first weeks (the clinical brief, section 3)."""
    patient = talk.daily()
    sealed = talk.world.vault.seal("patient", "profile", patient, '{"substances": ["opioid"]}')
    talk.world.execute("UPDATE patient SET profile = :profile", profile=sealed)
    for _ in range(2):
        _ends(talk)
        talk.world.advance(hours=-1)
        _ask_again(talk)
    assert talk.item("missed_check_ins").severity == "call_today"


def test_opioid_silence_on_closed_days_reaches_who_is_on_call(talk: Talk) -> None:
    """Care rule 19: Monday would be too late."""
    talk.world.advance(days=4)
    patient = talk.daily()
    sealed = talk.world.vault.seal("patient", "profile", patient, '{"substances": ["opioid"]}')
    talk.world.execute("UPDATE patient SET profile = :profile", profile=sealed)
    for _ in range(2):
        _ends(talk)
        talk.world.advance(hours=-1)
        _ask_again(talk)
    assert talk.world.now.weekday() == 6
    assert talk.item("missed_check_ins").severity == "page_now"


@pytest.mark.parametrize("named", [True, False])
def test_with_nobody_on_call_silence_reaches_whom_the_file_names(world: World, named: bool) -> None:
    """Care rule 19 on a Sunday: Pat is called and texted, takes it by text, and is asked again."""
    with Duty(world=world) as duty:
        talk = duty.talk
        caller = {"name": "Pat", "phone": PAT, "email": "pat@clinic.test"} if named else None
        world.advance(days=4)
        patient = talk.daily()
        # From now on, so that the questions keep the hour of a clinic with people on call.
        duty.file(on_call=[], after_hours="none", closed_day_caller=caller)
        sealed = world.vault.seal("patient", "profile", patient, '{"substances": ["opioid"]}')
        world.execute("UPDATE patient SET profile = :profile", profile=sealed)
        for _ in range(2):
            _ends(talk)
            world.advance(hours=-1)
            _ask_again(talk)
        assert world.now.weekday() == 6
        world.advance(hours=1)
        duty.tick()
        if not named:
            assert (talk.item("missed_check_ins").severity, duty.pages) == ("call_today", [])
            return
        assert duty.item.due_at - duty.item.opened_at == timedelta(minutes=15)
        assert duty.pages == [(0, "pat", "opened")]
        assert (duty.rung(PAT), len(duty.texted(PAT))) == (1, 1)
        duty.says("1", phone=PAT)
        duty.waits(minutes=31)
        assert [who for _, who, why in duty.pages if why != "opened"] == ["pat"]


def test_two_undelivered_questions_running_mean_we_cannot_reach(talk: Talk) -> None:
    """Undelivered questions are no misses, and two of them are a fact of their own."""
    talk.daily()
    for _ in range(2):
        talk.world.execute("UPDATE message SET status = 'undelivered' WHERE attempts > 0")
        _ends(talk)
        talk.world.advance(hours=-1)
        _ask_again(talk, delivered=False)
    assert talk.reasons == ["cannot_reach"]


def test_an_unclear_text_that_was_asked_back_ends_before_a_person(talk: Talk) -> None:
    """They said something; it is no miss, and somebody reads it."""
    talk.daily()
    talk.says("12")
    assert _ends(talk) == {"unclear": 1}
    assert talk.reasons == ["unclear_reply"]


def test_a_nudge_is_no_second_question(talk: Talk) -> None:
    """Question and nudge unanswered: one miss."""
    talk.daily()
    talk.world.plan()
    talk.world.advance(hours=2)
    talk.send_due("daily_0_10.nudge")
    assert _ends(talk) == {"missed": 1, "void": 1}


def test_a_reply_that_waits_to_be_handled_is_no_silence(talk: Talk) -> None:
    """The replies step is behind: the question waits for it."""
    talk.daily()
    talk.receive("2")
    assert _ends(talk) == {"waiting": 1}
    assert talk.check_in().status == "open"


def test_while_we_could_not_receive_nothing_is_missed(talk: Talk) -> None:
    """Texts may lie at the carrier: wait for the pull, and after six hours call it our outage."""
    talk.daily()
    _pulled(talk)
    assert _ends(talk) == {}
    talk.world.advance(hours=5)
    assert checkins.run(talk.world.services) == {"void": 1}


def test_after_a_pull_the_silence_counts(talk: Talk) -> None:
    """The carrier's list was read past the end: the silence is theirs."""
    talk.daily()
    _pulled(talk)
    assert _ends(talk) == {}
    _pulled(talk)
    assert checkins.run(talk.world.services) == {"missed": 1}


def _pulled(talk: Talk) -> None:
    services = talk.world.services
    with services.database.transaction() as session:
        name = hearing.cursor_name(services, NUMBER)
        progress.mark(session, name, {"through": talk.world.now.isoformat()})


def test_an_unanswered_question_about_a_visit_counts_at_its_own_time(talk: Talk) -> None:
    """Health news unanswered a day before the visit: staff call, and a late answer still counts."""
    talk.asked("visit_48h", starts_in=timedelta(days=3, hours=5), send_before=timedelta(hours=48))
    services = talk.world.services
    talk.world.advance(hours=23)
    assert checkins.silences(services) == {}
    talk.world.advance(hours=1, minutes=5)
    assert checkins.silences(services) == {"missed": 1}
    assert checkins.silences(services) == {}
    assert (talk.reasons, talk.check_in().status) == (["no_answer"], "missed")
    talk.says("N")
    assert talk.check_in().status == "answered"


def test_silence_about_a_visit_is_looked_at_when_its_time_has_come(talk: Talk) -> None:
    """Not each minute: at its time, and at times in between, in case its rules have changed."""
    talk.asked("visit_48h", starts_in=timedelta(days=3, hours=5), send_before=timedelta(hours=48))
    services = talk.world.services
    checkins.silences(services)
    assert talk.check_in().next_look_at == talk.world.now + timedelta(hours=6)
    talk.world.advance(hours=23)
    checkins.silences(services)
    [visit] = talk.world.execute("SELECT starts_at FROM appointment")
    assert talk.check_in().next_look_at == visit.starts_at - timedelta(hours=24)


def test_an_unread_text_is_no_silence_and_is_looked_at_again_soon(talk: Talk) -> None:
    """What they wrote may be the answer; a minute later it is known."""
    talk.asked("visit_48h", starts_in=timedelta(days=3, hours=5), send_before=timedelta(hours=48))
    services = talk.world.services
    talk.world.advance(hours=24, minutes=5)
    talk.receive("hmm")
    assert checkins.silences(services) == {}
    talk.world.execute("UPDATE inbound SET handled_at = received_at")
    talk.world.advance(minutes=1)
    assert checkins.silences(services) == {"missed": 1}


def test_one_silence_that_cannot_be_judged_holds_up_no_other(talk: Talk) -> None:
    """The others of its batch are judged one by one; it is tried again later."""
    talk.world.book(starts_in=timedelta(days=3, hours=5))
    talk.asked("visit_48h", starts_in=timedelta(days=3, hours=5), send_before=timedelta(hours=48))
    first, second = sorted(talk.rows(CheckIn), key=lambda row: row.id)
    spoil = "UPDATE patient SET profile = '\\x00' WHERE id = :id"
    talk.world.execute(spoil, id=first.patient_id)
    talk.world.advance(hours=24, minutes=5)
    assert checkins.silences(talk.world.services) == {"missed": 1}
    found = {row.id: row.status for row in talk.rows(CheckIn)}
    assert found == {first.id: "open", second.id: "missed"}
    assert checkins.silences(talk.world.services) == {}


@pytest.mark.parametrize(
    "change",
    [
        "status = 'cancelled'",
        "starts_at = starts_at + interval '2 days', revision = 2",
    ],
)
def test_a_question_about_a_visit_that_changed_asks_for_nobody(talk: Talk, change: str) -> None:
    """The visit it spoke of does not take place then."""
    talk.asked("visit_48h", starts_in=timedelta(days=3, hours=5), send_before=timedelta(hours=48))
    talk.world.execute(f"UPDATE appointment SET {change}")
    talk.world.advance(hours=25)
    assert checkins.silences(talk.world.services) == {}
    talk.world.advance(hours=30)
    assert checkins.run(talk.world.services) == {"void": 1}
    assert talk.reasons == []


def test_one_bad_check_in_holds_up_no_other_and_ends_before_a_person(talk: Talk) -> None:
    """It is passed over, the others end; an hour later staff are asked to look."""
    first = talk.daily()
    talk.world.enroll_by_hand()
    talk.world.plan()
    talk.world.send()
    talk.delivered()
    talk.world.execute("UPDATE patient SET profile = '\\x00' WHERE id = :id", id=first)
    talk.world.advance(hours=20, minutes=5)
    assert checkins.run(talk.world.services) == {"missed": 1, "failed": 1}
    assert sorted(row.status for row in talk.rows(CheckIn)) == ["missed", "open"]
    talk.world.advance(hours=2)
    assert checkins.run(talk.world.services) == {"given_up": 1}
    assert talk.item("no_answer").patient_id == first


def test_a_low_number_twice_running_calls_and_its_direction_is_printed(talk: Talk) -> None:
    """A clinic's own rule, by the version that asked; the first low answer alone calls nobody."""
    world = talk.world
    world.publish_protocols()
    world.execute(
        "UPDATE protocol_version SET source = replace(replace(source,"
        " 'when: up by 3, open: rising_score', 'when: 3 or less twice running, open: low_score'),"
        " 'expects: craving_scale', E'expects: craving_scale\n    worse: low')"
        " WHERE protocol = 'daily-check-in'"
    )
    patient_id = world.enroll_by_hand()
    world.plan()
    world.advance(hours=7)
    talk.send_due("daily_0_10")
    talk.says("2")
    assert talk.reasons == []
    world.advance(hours=24)
    _ask_again(talk)
    talk.says("3")
    assert talk.reasons == ["low_score"]
    with world.database.transaction() as session:
        worse = protocols.direction_of(session, world.clinic_id)
        marks = scores.series(session, patient_id, worse=worse)
    assert [(mark.value, mark.direction) for mark in marks] == [
        (2, "low_is_worse"),
        (3, "low_is_worse"),
    ]
