"""Staff correct a reading: it is kept beside the first one, and the record follows."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from messages.replies import Intent
from records import casework, patients
from records.audit import AuditEvent
from records.casework import ListedReply
from records.followups import FollowUp
from records.inbox import ReadingCorrection
from records.patients import Patient
from tests.support.world import World, phone_of
from tests.worker.talk import Talk
from worker.refusal import RefusedError
from worker.steps import corrections
from worker.steps.corrections import Corrected


@pytest.fixture
def talk(world: World) -> Talk:
    """A world with a phone."""
    return Talk(world)


def _correct(talk: Talk, row: Any, intent: Intent, value: str | None = None) -> Corrected:
    services = talk.world.services
    return corrections.correct(services, row.id, intent=intent, value=value, actor="cli")


def _listed(talk: Talk, inbound_id: UUID) -> ListedReply:
    with talk.world.database.transaction() as session:
        found = casework.reply(session, talk.world.vault, inbound_id)
    assert found is not None
    return found


def _stopped(talk: Talk) -> bool:
    world = talk.world
    with world.database.transaction() as session:
        blind = world.vault.blind("phone", phone_of(0))
        return patients.opted_out(session, clinic_id=world.clinic_id, blind=blind) is not None


def _asked_to_confirm(talk: Talk) -> None:
    talk.asked("visit_7d", starts_in=timedelta(days=8), send_before=timedelta(days=7))


def test_a_corrected_number_is_the_records_and_both_are_kept(talk: Talk) -> None:
    """The check-in and the list have the new one, the text its reading, the trail who and what."""
    talk.daily()
    row = talk.says("8")
    done = _correct(talk, row, Intent.score, "3")

    assert done.changed == corrections.NUMBER
    assert talk.check_in().value == Decimal(3)
    assert (talk.inbound(row.id).intent, talk.inbound(row.id).value) == ("score", "8")
    listed = _listed(talk, row.id)
    assert (listed.intent, listed.value, listed.understood_by) == ("score", "3", "staff")
    assert talk.reasons == ["high_score"]
    assert "reply.corrected" in {event.action for event in talk.rows(AuditEvent)}


@pytest.mark.parametrize(
    ("said", "value", "called"), [("6.5", "6.5", ["high_score"]), ("cinco y medio", "5.5", [])]
)
def test_a_half_is_recorded_as_said_and_judged_as_the_number_that_worries(
    talk: Talk, said: str, value: str, called: list[str]
) -> None:
    """A craving from 7 on is called the same day; a half was asked again, and then a person's."""
    talk.daily()
    talk.says(said)
    assert (talk.check_in().status, talk.check_in().value) == ("answered", Decimal(value))
    assert talk.reasons == called
    assert "reask" not in talk.answers


def test_a_number_is_corrected_to_a_half(talk: Talk) -> None:
    """As a clinic in Spain writes it."""
    talk.daily()
    row = talk.says("8")
    _correct(talk, row, Intent.score, "3,5")
    assert talk.check_in().value == Decimal("3.5")
    assert _listed(talk, row.id).value == "3.5"


def test_the_last_correction_holds(talk: Talk) -> None:
    """A correction is corrected by another; none is rewritten."""
    talk.daily()
    row = talk.says("8")
    _correct(talk, row, Intent.score, "3")
    _correct(talk, row, Intent.score, "4")

    assert talk.check_in().value == Decimal(4)
    assert [each.value for each in talk.rows(ReadingCorrection)] == ["3", "4"]
    with pytest.raises(Exception, match=r"permission denied|append-only"):
        talk.world.execute("UPDATE reading_correction SET value = '5'")


def test_a_number_that_was_not_read_is_recorded_and_called_about(talk: Talk) -> None:
    """Words that meant nine become the answer; what they ask for is opened."""
    talk.daily(language="es")
    row = talk.says("ALTO")
    _correct(talk, row, Intent.score, "9")

    assert (talk.check_in().status, talk.check_in().value) == ("answered", Decimal(9))
    assert "high_score" in talk.reasons
    assert talk.patient().status == "active"


def test_what_was_no_number_is_taken_off_the_record(talk: Talk) -> None:
    """Nothing stands for it, and the question counts as unclear."""
    talk.daily()
    row = talk.says("8")
    _correct(talk, row, Intent.question_for_staff)

    assert (talk.check_in().status, talk.check_in().value) == ("unclear", None)


def test_a_misread_wish_for_another_time_confirms(talk: Talk) -> None:
    """What the reading did to the visit is undone, and the visit confirmed."""
    _asked_to_confirm(talk)
    row = talk.says("R")
    assert _correct(talk, row, Intent.confirm).changed == corrections.VISIT

    visit = talk.visit()
    assert (visit.change_requested_at, visit.confirmed_start) == (None, visit.starts_at)


def test_a_misread_confirmation_confirms_no_more(talk: Talk) -> None:
    """A question is none."""
    _asked_to_confirm(talk)
    row = talk.says("C")
    _correct(talk, row, Intent.question_for_staff)

    assert talk.visit().confirmed_start is None


def test_a_missed_stop_is_applied(talk: Talk) -> None:
    """It counts from when the text came, and takes every consent back."""
    talk.someone()
    row = talk.says("green table lamp")
    assert _correct(talk, row, Intent.stop).changed == corrections.STOP

    assert _stopped(talk)
    assert talk.patient().purposes == []


def test_a_correction_never_lifts_a_stop(talk: Talk) -> None:
    """Only the patient's START does; whoever corrects is told so."""
    talk.someone()
    row = talk.says("STOP")
    done = _correct(talk, row, Intent.question_for_staff)

    assert done.stop_stays
    assert _stopped(talk)


def test_a_correction_to_danger_is_paged(talk: Talk) -> None:
    """What the rules missed goes to a person like any text about danger."""
    talk.someone()
    row = talk.says("green table lamp")
    _correct(talk, row, Intent.crisis)

    assert talk.item("crisis").severity == "page_now"


@pytest.mark.parametrize("now_of", ["nobody", "another"])
def test_a_correction_is_about_who_wrote_whoever_has_the_number_now(
    talk: Talk, now_of: str
) -> None:
    """Their number changed since, or became another patient's, of whom nothing is said."""
    writer = talk.daily()
    row = talk.says("purple monkey dishwasher")
    _moves(talk, writer, now_of)
    before = len(talk.rows(FollowUp))
    _correct(talk, row, Intent.score, "9")
    _correct(talk, row, Intent.crisis)

    opened = talk.rows(FollowUp)[before:]
    assert {item.patient_id for item in opened} == {writer}
    assert [(item.reason, item.severity) for item in opened] == [
        ("high_score", "call_today"),
        ("crisis", "page_now"),
    ]


@pytest.mark.parametrize(
    ("intent", "now_of", "old", "new"),
    [
        (Intent.stop, "nobody", "words", "words"),
        (Intent.stop, "another", None, "words"),
        (Intent.wrong_number, "nobody", "wrong_number", None),
        (Intent.wrong_number, "another", None, None),
    ],
)
def test_a_missed_stop_goes_with_who_wrote_it(
    talk: Talk, intent: Intent, now_of: str, old: str | None, new: str | None
) -> None:
    """The number they have now is stopped; the old one only where nobody else has it.

    That a number was wrong says nothing of the next.
    """
    [writer] = talk.someone()
    row = talk.says("purple monkey dishwasher")
    _moves(talk, writer, now_of)
    _correct(talk, row, intent)

    assert (_reason(talk, phone_of(0)), _reason(talk, phone_of(40))) == (old, new)
    stopped = {person.id for person in talk.rows(Patient) if not person.purposes}
    assert stopped == ({writer} if new else set())


def test_a_strangers_danger_that_was_not_read_is_paged(talk: Talk) -> None:
    """Nobody has the number: the item is the number's own."""
    row = talk.says("purple monkey dishwasher", phone="+12125550177")
    _correct(talk, row, Intent.crisis)

    item = talk.item("crisis")
    assert (item.patient_id, item.severity) == (None, "page_now")


def _moves(talk: Talk, patient: UUID, now_of: str) -> None:
    """Give a patient another number; their old one may become another's."""
    world = talk.world
    world.execute(
        "UPDATE patient SET phone_blind = :blind WHERE id = :id",
        blind=world.vault.blind("phone", phone_of(40)),
        id=patient,
    )
    if now_of == "another":
        talk.someone(first=3, phone=phone_of(0))


def _reason(talk: Talk, phone: str) -> str | None:
    world = talk.world
    with world.database.transaction() as session:
        blind = world.vault.blind("phone", phone)
        found = patients.opted_out(session, clinic_id=world.clinic_id, blind=blind)
        return found.reason if found else None


def test_the_rules_learn_nothing(talk: Talk) -> None:
    """The same words are read as before."""
    talk.someone()
    row = talk.says("green table lamp")
    read_as = row.intent
    _correct(talk, row, Intent.callback_request)

    assert talk.says("green table lamp").intent == read_as != "callback_request"


@pytest.mark.parametrize(
    ("intent", "value", "words"),
    [
        (Intent.score, None, "needs its number"),
        (Intent.score, "eleven", "needs its number"),
        (Intent.score, "11", "asked for 0 to 10"),
        (Intent.score, "10.5", "asked for 0 to 10"),
        (Intent.score, "-1", "needs its number"),
        (Intent.confirm, "3", "Only a score"),
    ],
)
def test_what_does_not_fit_is_refused(
    talk: Talk, intent: Intent, value: str | None, words: str
) -> None:
    """The record stays as it was."""
    talk.daily()
    row = talk.says("8")

    with pytest.raises(RefusedError, match=words):
        _correct(talk, row, intent, value)
    assert talk.check_in().value == Decimal(8)
    assert talk.rows(ReadingCorrection) == []
