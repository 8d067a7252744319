"""A message from staff: by the same gates, sealed until it goes, and questions rest meanwhile."""

from datetime import timedelta
from uuid import UUID

import pytest

from messages.segments import count
from records.base import new_id
from records.checkins import CheckIn
from records.followups import FollowUp
from records.outbox import Message
from tests.support.world import World
from tests.worker.talk import Talk
from worker.refusal import RefusedError
from worker.steps import followup_actions as actions
from worker.steps import staff_texts

WORDS = "We have an earlier time for you tomorrow. Call us?"


@pytest.fixture
def talk(world: World) -> Talk:
    return Talk(world)


def write(talk: Talk, patient: UUID, words: str = WORDS, **more: object) -> UUID:
    return staff_texts.write(talk.world.services, patient, words, actor="test", **more)


def test_a_message_goes_with_the_clinics_name(talk: Talk) -> None:
    """As it was written, with how to stop the first time; the row shows none of it before."""
    [patient] = talk.someone()
    write(talk, patient)
    [row] = talk.rows(Message)
    assert WORDS not in str(row.params)
    talk.world.send()
    [text] = talk.world.gateway.created()
    assert text.body == f"Riverside Care: {WORDS} STOP ends texts. 212-555-0100"


def test_a_message_for_later_waits(talk: Talk) -> None:
    """And one for the night goes when texts may go."""
    [patient] = talk.someone()
    write(talk, patient, at=talk.world.now + timedelta(hours=12))
    talk.world.advance(hours=12)
    talk.world.send()
    assert talk.world.gateway.created() == []
    talk.world.advance(hours=11)
    talk.world.send()
    assert len(talk.world.gateway.created()) == 1


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Please sign the 42 CFR Part 2 form at the desk."),
        ("es", "Firme por favor la hoja de la parte 2."),
    ],
)
def test_the_law_on_addiction_records_is_not_named(talk: Talk, language: str, words: str) -> None:
    """Its number says what kind of clinic writes; another number in a text says nothing."""
    patient = talk.world.admit(language=language)
    with pytest.raises(RefusedError, match="privacy"):
        write(talk, patient, words)
    write(talk, patient, words.replace("42 CFR Part 2", "part 3").replace("parte 2", "parte 3"))
    assert len(talk.rows(Message)) == 1


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", "Your dose is at 9. Any craving? No drinking, drug test first."),
        ("en", "Su dosis es a las 9. Si hubo recaida o consumo, avise."),
    ],
)
def test_words_give_a_patient_away_in_either_language(
    talk: Talk, language: str, words: str
) -> None:
    """Staff write as they speak, whichever language the patient's own texts are in."""
    patient = talk.world.admit(language=language)
    with pytest.raises(RefusedError, match="privacy"):
        write(talk, patient, words)
    assert talk.rows(Message) == []


def test_check_ins_rest_until_the_conversation_is_resolved(talk: Talk) -> None:
    """Days later too; a pause that the patient asked for stays."""
    patient = talk.daily()
    talk.says("3")
    write(talk, patient)
    _lives(talk, days=2, hours=20)
    assert _asked(talk) == 1
    _resolves(talk)
    _lives(talk, days=1)
    assert _asked(talk) == 2
    talk.says("PAUSE")
    write(talk, patient)
    _resolves(talk)
    assert talk.patient().paused_until > talk.world.now + timedelta(days=6)


def test_a_text_for_later_rests_nothing_until_it_goes(talk: Talk) -> None:
    """Daily questions go on until then, rest from then on, and its item is due afterwards."""
    patient = talk.daily()
    write(talk, patient, at=talk.world.now + timedelta(days=3))
    assert talk.item("conversation").due_at > talk.world.now + timedelta(days=3)
    _lives(talk, days=2, hours=12)
    assert _asked(talk) == 3
    _lives(talk, days=2)
    assert _asked(talk) == 3


@pytest.mark.parametrize("said", ["Yes", "ok", "C", "yes that works", "No", "R", "no I can't"])
def test_an_answer_to_staff_neither_confirms_nor_changes_another_visit(
    talk: Talk, said: str
) -> None:
    """A reminder is open, staff asked about another day since: whoever asked reads the answer."""
    _asked_to_confirm(talk)
    _staff_ask(talk, "Dr. Lee is away that day. Can you come on Thursday at 10 instead?")
    row = talk.says(said)

    visit = talk.visit()
    assert (visit.confirmed_start, visit.change_requested_at, talk.answers) == (None, None, [])
    assert talk.reasons == ["conversation"]
    item = talk.item("conversation")
    assert (item.severity, item.times_joined) == ("call_today", 1)
    assert row.follow_up_id == talk.rows(FollowUp)[0].id


@pytest.mark.parametrize("said", ["3", "15"])
def test_a_number_for_staff_is_no_score(talk: Talk, said: str) -> None:
    """The daily question is open, staff asked "3 or 4?" since: nothing is recorded or asked."""
    talk.daily()
    _staff_ask(talk, "What time suits you for a call today, 3 or 4?")
    talk.says(said)

    assert (talk.check_in().status, talk.check_in().value) == ("open", None)
    assert talk.answers == ["after_hours_ack"]
    assert talk.item("conversation").times_joined == 1


def test_a_number_said_again_to_staff_is_not_taken_for_the_one_just_recorded(talk: Talk) -> None:
    """It answered the question; staff then ask for an hour, and the same number is the answer."""
    talk.daily()
    talk.says("3")
    _staff_ask(talk, "What time suits you for a call today, 3 or 4?")
    talk.says("3")

    assert talk.check_in().value == 3
    assert talk.item("conversation").times_joined == 1


def test_a_number_to_be_called_about_counts_whatever_staff_asked(talk: Talk) -> None:
    """Nine of ten is recorded, called about and answered as on any day."""
    talk.daily()
    _staff_ask(talk, "What time suits you for a call today, 9 or 10?")
    talk.says("9")

    assert (talk.check_in().value, talk.answers) == (9, ["high_score_ack"])
    assert talk.reasons == ["conversation", "high_score"]


def test_a_conversation_that_is_resolved_waits_for_no_answer(talk: Talk) -> None:
    """A yes is the visit's again."""
    _asked_to_confirm(talk)
    _staff_ask(talk, "Can you bring your card?")
    _resolves(talk)
    talk.says("Yes")

    assert talk.visit().confirmed_start == talk.visit().starts_at
    assert talk.answers == ["confirm_ack"]


def test_a_question_asked_after_the_text_of_staff_is_answered(talk: Talk) -> None:
    """It was asked last."""
    _asked_to_confirm(talk)
    _staff_ask(talk, "Can you bring your card?")
    _asked_of_health(talk)
    talk.says("No")

    assert [row.status for row in talk.rows(CheckIn)] == ["open", "answered"]
    assert talk.item("conversation").times_joined == 0


def test_a_yes_that_may_tell_of_health_is_called_about_though_staff_asked_since(
    talk: Talk,
) -> None:
    """Nothing is recorded, and both calls are made."""
    _asked_to_confirm(talk)
    _asked_of_health(talk)
    _staff_ask(talk, "Can you come an hour earlier?")
    talk.says("Yes")

    assert [row.status for row in talk.rows(CheckIn)] == ["open", "open"]
    assert sorted(talk.reasons) == ["conversation", "health_news"]


def _asked_of_health(talk: Talk) -> None:
    """Ask, two days before the visit, whether anything is new."""
    ahead = talk.visit().starts_at - timedelta(days=2) - talk.world.now
    talk.world.advance(seconds=ahead.total_seconds())
    talk.world.plan()
    talk.send_due("visit_48h")


def _asked_to_confirm(talk: Talk) -> None:
    """Ask somebody to confirm a visit in a week."""
    talk.asked("visit_7d", starts_in=timedelta(days=8), send_before=timedelta(days=7))


def _staff_ask(talk: Talk, words: str) -> None:
    """Let a text of staff go half an hour later, and time pass until it is answered."""
    talk.world.advance(minutes=30)
    write(talk, talk.patient().id, words)
    talk.world.send()
    talk.delivered()
    talk.world.advance(minutes=5)


def test_the_claim_rests_what_was_planned_before_the_text(talk: Talk) -> None:
    """Whatever the planner has seen by then: it and the claim ask one rule."""
    patient = talk.daily()
    write(talk, patient)
    talk.world.advance(days=1)
    talk.world.send()
    rested = [row for row in talk.rows(Message) if row.reason == "paused"]
    assert {row.step for row in rested} >= {"daily_0_10"}
    assert _asked(talk) == 1


def _lives(talk: Talk, **time: int) -> None:
    """Let time pass by the hour, planning and sending as a tick would; texts arrive."""
    for _ in range(int(timedelta(**time) / timedelta(hours=1))):
        talk.world.advance(hours=1)
        talk.world.plan()
        talk.world.send()
        talk.delivered()


def _asked(talk: Talk) -> int:
    """Count the daily questions that went, without their nudges."""
    rows = talk.rows(Message)
    return sum(row.step == "daily_0_10" and row.attempts > 0 for row in rows if not row.nudge_for)


def _resolves(talk: Talk) -> None:
    """End the open conversation."""
    items = [row for row in talk.rows(FollowUp) if row.reason == "conversation"]
    [item] = [row for row in items if row.status != "resolved"]
    actor = actions.Actor(
        label="test", staff_id=_staff(talk), clinic_id=talk.world.clinic_id, role="admin"
    )
    actions.resolve(talk.world.services, item.id, outcome="handled", actor=actor)


def _staff(talk: Talk) -> UUID:
    from tests.worker.duty import Duty  # noqa: PLC0415

    return Duty(world=talk.world).staff(f"lee{new_id()}@clinic.test")


@pytest.mark.parametrize("words", ["", "x" * 301, "Your ketamine dose is ready"])
def test_words_that_must_not_go_are_refused(talk: Talk, words: str) -> None:
    """Anybody may see a phone."""
    [patient] = talk.someone()
    with pytest.raises(RefusedError):
        write(talk, patient, words)
    assert talk.rows(Message) == []


def test_who_stopped_or_is_held_is_called_instead(talk: Talk) -> None:
    """The same gates, told at once."""
    [stopped] = talk.someone()
    talk.says("STOP")
    with pytest.raises(RefusedError, match="stopped texts"):
        write(talk, stopped)
    [held] = talk.someone(first=1, status="held")
    with pytest.raises(RefusedError, match="held or closed"):
        write(talk, held)


def test_a_wrong_number_asks_what_was_disclosed(talk: Talk) -> None:
    """Texts that went there since the patient was last heard are assessed as a breach."""
    [patient] = talk.someone()
    talk.says("wrong number")
    assert talk.reasons == ["wrong_number"]
    [other] = talk.someone(first=1)
    write(talk, other)
    talk.world.send()
    talk.delivered()
    from tests.support.world import phone_of  # noqa: PLC0415

    talk.says("wrong number", phone=phone_of(1))
    assert talk.reasons.count("breach_assessment") == 1
    assert patient != other


@pytest.mark.parametrize(
    ("words", "segments", "goes"),
    [
        ("See you at 9", 1, "See you at 9"),
        ("Great \U0001f389", 1, "Great "),
        ("Mañana sí", 1, "Mañana si"),
        (" ".join(["We have an earlier time for you."] * 5), 2, None),
    ],
)
def test_what_it_will_cost_is_known_before_it_goes(
    talk: Talk, words: str, segments: int, goes: str | None
) -> None:
    """Of the text as it goes, clinic's name and footer included; and as many as were billed."""
    [patient] = talk.someone()
    found = staff_texts.outlook(talk.world.services, patient, words)
    assert (found.segments, found.words) == (segments, words if goes is None else goes)
    write(talk, patient, words)
    talk.world.send()
    [text] = talk.world.gateway.created()
    assert (count(text.body).segments, found.words in text.body) == (segments, True)
