"""Stops that staff take back with the patient, and those that stay until a START has come."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from messages.gateways.fake import refuse
from messages.replies import Intent
from records import patients
from records.audit import AuditEvent
from records.patients import OptOut
from tests.support.world import World, phone_of
from tests.worker.talk import Talk
from worker.refusal import RefusedError
from worker.steps import consents, corrections, receive, replies


@pytest.fixture
def talk(world: World) -> Talk:
    """A world with a phone."""
    return Talk(world)


def _lifted(talk: Talk, number: int = 0, *, verified: bool = False) -> tuple[str, ...]:
    return consents.grant(
        talk.world.services,
        talk.patient(number).id,
        purposes=("visits",),
        method="verbal",
        actor="kim@clinic.test",
        lift_stop=True,
        number_verified=verified,
    )


def _reason(talk: Talk) -> str | None:
    [row] = talk.rows(OptOut)
    assert isinstance(row, OptOut)
    return row.reason if row.lifted_at is None else None


def _pulled(talk: Talk, body: str, at: datetime) -> None:
    """Find a text on the carrier's list whose webhook never came, and handle it."""
    receive.store(talk.world.services, talk.sms(body), source="pull", received_at=at)
    replies.run(talk.world.services)


def _refused_by_carrier(talk: Talk) -> None:
    """Let a text be refused since the number stopped at the carrier, and an hour pass."""
    talk.world.due()
    talk.world.gateway.always(phone_of(0), refuse(21610))
    talk.world.send()
    talk.world.gateway.always(phone_of(0), None)
    talk.world.advance(hours=1)


def test_a_carriers_stop_is_lifted_by_staff_once_the_number_wrote_start(talk: Talk) -> None:
    """START alone goes to a person; before it the carrier would refuse whatever staff agreed on."""
    _refused_by_carrier(talk)
    assert _reason(talk) == "carrier_21610"
    with pytest.raises(RefusedError, match="text START"):
        _lifted(talk)

    assert talk.says("START").opt_change == "start_refused"
    assert _reason(talk) == "carrier_21610"
    _lifted(talk)

    assert _reason(talk) is None


def test_a_start_before_the_carriers_stop_is_not_enough_to_lift_it(talk: Talk) -> None:
    """It opened the number before the carrier refused it; staff have to ask for another."""
    talk.someone()
    talk.says("START")
    talk.world.advance(hours=1)
    with talk.world.database.transaction() as session:
        patients.opt_out(
            session,
            clinic_id=talk.world.clinic_id,
            blind=talk.patient().phone_blind,
            reason="carrier_21610",
            occurred_at=talk.world.now,
        )
    with pytest.raises(RefusedError, match="text START"):
        _lifted(talk)


def test_a_stop_by_keyword_takes_the_place_of_the_carriers_word(talk: Talk) -> None:
    """The carrier refused a text since the patient wrote STOP, which came late: START lifts it."""
    _refused_by_carrier(talk)
    assert talk.says("STOP").opt_change == "stop_again"
    assert _reason(talk) == "keyword"
    talk.world.advance(minutes=5)
    assert talk.says("START").opt_change == "start"
    assert _reason(talk) is None


def test_a_sentence_after_a_keyword_leaves_the_number_blocked_at_the_carrier(talk: Talk) -> None:
    """Staff would have told the patient that texts go again, and each one would be refused."""
    talk.someone()
    talk.says("STOP")
    talk.says("stop texting me please")
    assert _reason(talk) == "words"
    with pytest.raises(RefusedError, match="text START"):
        _lifted(talk)

    talk.world.advance(minutes=5)
    assert talk.says("START").opt_change == "start_refused"
    _lifted(talk)

    assert _reason(talk) is None


def test_of_two_keywords_found_in_the_wrong_order_the_later_one_counts(talk: Talk) -> None:
    """The carrier's list brings the STOP before, and then the START between: nothing is lifted."""
    talk.someone()
    first = talk.world.now
    talk.world.advance(minutes=10)
    talk.says("STOP")
    _pulled(talk, "STOP", first)
    _pulled(talk, "START", first + timedelta(minutes=5))
    assert _reason(talk) == "keyword"


def test_a_keyword_stop_of_two_people_is_lifted_by_staff_once_start_was_written(talk: Talk) -> None:
    """START lifts nothing there; it opens the number at the carrier, and staff ask who wrote."""
    talk.someone(2, phone=phone_of(0))
    talk.says("STOP")
    with pytest.raises(RefusedError, match="text START"):
        _lifted(talk)

    talk.world.advance(minutes=5)
    assert talk.says("START").opt_change == "start_refused"
    _lifted(talk)

    assert _reason(talk) is None


def _correct(talk: Talk, inbound_id: UUID, intent: Intent) -> None:
    services = talk.world.services
    corrections.correct(services, inbound_id, intent=intent, value=None, actor="kim@clinic.test")


def test_a_number_called_wrong_is_theirs_where_the_patient_told_staff_so(talk: Talk) -> None:
    """They meant another; nothing proves it until they reply, and the welcome goes first."""
    talk.world.publish_protocols()
    talk.someone()
    talk.says("wrong number")
    talk.world.send()
    with pytest.raises(RefusedError, match="--number-verified"):
        _lifted(talk)

    _lifted(talk, verified=True)

    assert (_reason(talk), talk.patient().proved_at) == (None, None)
    talk.world.plan()
    talk.world.advance(minutes=5)
    talk.world.send()
    welcome = [text for text in talk.world.texts() if text.protocol == "welcome"]
    assert [text.status for text in welcome] == ["accepted"]
    [event] = [each for each in talk.rows(AuditEvent) if each.action == "stop.lifted"]
    assert event.actor == "kim@clinic.test"


def test_a_number_misread_as_wrong_is_lifted_once_each_such_text_is_corrected(talk: Talk) -> None:
    """As long as one of them stands, whoever has the number may be somebody else."""
    talk.someone()
    texts = [talk.says("wrong number"), talk.says("you have the wrong number")]
    _correct(talk, texts[0].id, Intent.callback_request)
    with pytest.raises(RefusedError, match="right number"):
        _lifted(talk)

    _correct(talk, texts[1].id, Intent.callback_request)
    _lifted(talk)

    assert _reason(talk) is None


def test_a_text_corrected_to_a_wrong_number_and_back_stops_no_more(talk: Talk) -> None:
    """The mistake was the correction."""
    talk.someone()
    text = talk.says("who is calling from this number all the time")
    _correct(talk, text.id, Intent.wrong_number)
    with pytest.raises(RefusedError, match="right number"):
        _lifted(talk)

    _correct(talk, text.id, Intent.callback_request)
    _lifted(talk)

    assert _reason(talk) is None
