"""Texts that come in together: one transaction for all, and none pays for another."""

import threading
import time
from dataclasses import replace

import psycopg
import pytest

from records.base import Database, DBAPIError
from records.inbox import Inbound, StrayWebhook
from records.patients import Consent, OptOut, Patient
from tests.support.databases import OwnDatabase
from tests.support.world import World, make_clinic, make_patients, phone_of
from tests.worker.talk import Talk, hide_column
from worker.services import Services
from worker.steps import receive, replies
from worker.steps.receive import Outcome, Received

OTHER_NUMBER = "+12125550111"


@pytest.fixture
def talk(world: World) -> Talk:
    """A world with a phone."""
    return Talk(world)


def changes(outcomes: list[Outcome]) -> list[str | None]:
    """Return what each text of a group changed; none of them may have failed."""
    return [outcome.opt_change for outcome in map(stored, outcomes)]


def stored(outcome: Outcome) -> Received:
    assert isinstance(outcome, Received)
    return outcome


def test_a_group_is_one_transaction_and_one_nudge(talk: Talk) -> None:
    """However many came in, there is one commit, and the workers are asked once."""
    talk.someone(40)
    nudged: list[str] = []
    talk.world.services = replace(talk.world.services, nudge=lambda step, *_: nudged.append(step))
    texts = [talk.sms("C", phone=phone_of(number)) for number in range(40)]
    found = talk.receive_together(*texts)
    rows = talk.world.execute("SELECT count(*), count(DISTINCT xmin::text) FROM inbound")
    assert rows == [(40, 1)]
    assert nudged == ["replies"]
    assert [talk.inbound(stored(each).id).sid for each in found if stored(each).id] == [
        text.sid for text in texts
    ]
    assert {row.patient_id for row in talk.rows(Inbound)} == {row.id for row in talk.rows(Patient)}


def test_each_text_of_a_group_is_bound_to_its_own_patients_question(talk: Talk) -> None:
    """The prompts of all are read at once, and none is taken for another's."""
    messages = talk.world.due(3, status="delivered", submitted_at=talk.world.now)
    talk.receive_together(*[talk.sms("C", phone=phone_of(number)) for number in (2, 0, 1)])
    bound = [row.prompt_message_id for row in talk.rows(Inbound)]
    assert bound == [messages[2], messages[0], messages[1]]


def test_an_empty_group_is_nothing(talk: Talk) -> None:
    """Nobody wrote: nothing is stored."""
    assert talk.receive_together() == []


def test_a_stop_and_a_text_of_one_number_in_one_group(talk: Talk) -> None:
    """The stop counts at once; what else they wrote is kept, and answered by nothing more."""
    talk.someone(2)
    found = talk.receive_together(
        talk.sms("thanks"), talk.sms("parar"), talk.sms("C"), talk.sms("C", phone=phone_of(1))
    )
    assert changes(found) == [None, "stop", None, None]
    assert [row.intent for row in sorted(talk.rows(Inbound), key=lambda row: row.sid)] == [
        "thanks_no_action",
        "stop",
        "confirm",
        "confirm",
    ]
    assert [row.purposes == [] for row in talk.rows(Patient)] == [True, False]
    [entry] = talk.rows(Consent)
    assert entry.inbound_id == stored(found[1]).id
    replies.run(talk.world.services)
    to_them = [row for row in talk.world.texts() if row.patient_id == talk.patient().id]
    assert [row.template for row in to_them if row.status == "planned"] == ["optout_confirm"]


def test_a_stop_in_a_group_ends_what_is_unsent(talk: Talk) -> None:
    """Also what a worker has claimed, and only what goes to that number."""
    mine, others = talk.world.due(2)
    talk.world.execute("UPDATE message SET status = 'claimed'")
    talk.receive_together(talk.sms("hello", phone=phone_of(1)), talk.sms("STOP"))
    message = talk.world.message(mine)
    assert (message.status, message.reason) == ("cancelled", "stopped")
    assert talk.world.message(others).status == "claimed"


@pytest.mark.parametrize(
    ("bodies", "expected", "stopped"),
    [
        ("STOP START", ["stop", "start"], False),
        ("START STOP", ["start_idle", "stop"], True),
        ("STOP STOP", ["stop", "stop_again"], True),
        ("STOP START STOP", ["stop", "start", "stop"], True),
        ("STOP START STOP START", ["stop", "start", "stop", "start"], False),
    ],
)
def test_stops_and_starts_of_a_group_are_done_in_the_order_received(
    talk: Talk, bodies: str, expected: list[str], *, stopped: bool
) -> None:
    """Each sees what the one before it did, although nothing of it is committed yet."""
    talk.someone()
    found = talk.receive_together(*[talk.sms(body) for body in bodies.split()])
    assert changes(found) == expected
    assert [row.opt_change for row in talk.rows(Inbound)] == expected
    assert (talk.patient().purposes == []) == stopped
    [row] = talk.rows(OptOut)
    assert (row.lifted_at is None) == stopped


def test_a_sid_twice_in_a_group_has_one_row_and_one_effect(talk: Talk) -> None:
    """Twilio retries: a stop is written to the ledger once, and each call is answered."""
    talk.someone()
    text, before = talk.sms("STOP"), talk.sms("thanks")
    receive.store(talk.world.services, before, source="push", received_at=talk.world.now)
    found = talk.receive_together(text, before, text, talk.sms("C"), text)
    assert [stored(each).duplicate for each in found] == [False, True, True, False, True]
    assert changes(found) == ["stop", None, None, None, None]
    assert len(talk.rows(Inbound)) == 3
    assert len(talk.rows(Consent)) == 1


def test_a_text_that_cannot_be_stored_costs_no_other(talk: Talk) -> None:
    """One that the database refuses is told so; the others are stored and done."""
    talk.someone(2)
    poison = talk.sms("C", sid="SM\0")
    found = talk.receive_together(talk.sms("STOP"), poison, poison, talk.sms("C"))
    assert [isinstance(each, DBAPIError) for each in found] == [False, True, True, False]
    assert stored(found[0]).opt_change == "stop"
    assert [(row.intent, row.reading_error) for row in talk.rows(Inbound)] == [
        ("stop", None),
        ("confirm", None),
    ]


def test_a_text_that_cannot_be_read_costs_no_other(talk: Talk) -> None:
    """Its raw text is kept with the error's name, as the patient's."""
    talk.someone(2)
    talk.receive("hello")
    talk.world.execute("UPDATE inbound SET body = body || '\\x00'::bytea")
    found = talk.receive_together(talk.sms("C"), talk.sms("STOP", phone=phone_of(1)))
    assert changes(found) == [None, "stop"]
    _, first, second = talk.rows(Inbound)
    assert (first.intent, first.reading_error) == (None, "VaultError")
    assert first.patient_id == talk.patient().id
    assert (second.intent, second.reading_error) == ("stop", None)


def test_a_group_that_fails_as_a_whole_is_kept_raw(talk: Talk, database: OwnDatabase) -> None:
    """Nothing can be read: each is kept, and done once it can be."""
    talk.someone(2)
    back = hide_column(database, "message", "nudge_for")
    found = talk.receive_together(talk.sms("STOP"), talk.sms("C", phone=phone_of(1)))
    assert [stored(each).id is not None for each in found] == [True, True]
    assert [row.reading_error is not None for row in talk.rows(Inbound)] == [True, True]
    back()
    replies.run(talk.world.services)
    assert [row.purposes == [] for row in talk.rows(Patient)] == [True, False]
    assert [row.intent for row in talk.rows(Inbound)] == ["stop", "confirm"]


def test_a_stop_that_fails_is_kept_raw_and_costs_no_other(
    talk: Talk, database: OwnDatabase
) -> None:
    """Neither its row nor half of what it changed stays without the other half."""
    talk.someone(2)
    back = hide_column(database, "consent", "wording_version")
    found = talk.receive_together(talk.sms("STOP"), talk.sms("C", phone=phone_of(1)))
    assert changes(found) == [None, None]
    rows = {row.intent: row for row in talk.rows(Inbound)}
    assert rows.keys() == {None, "confirm"}
    assert rows[None].reading_error is not None
    assert talk.rows(OptOut) == []
    back()
    replies.run(talk.world.services)
    assert talk.patient().purposes == []


def test_a_group_without_a_database_is_tried_no_further(world: World) -> None:
    """Each alone would wait as long for nothing: the carrier comes again with all of them."""
    gone = Database.connect("postgresql+psycopg://nobody@127.0.0.1:1/none", application="test")
    talk = Talk(world)
    whole = world.services
    world.services = replace(whole, database=gone)
    with pytest.raises(DBAPIError):
        talk.receive_together(talk.sms("STOP"), talk.sms("C"))
    world.services = whole
    gone.close()


def test_texts_to_two_clinics_in_a_group_stay_apart(talk: Talk) -> None:
    """Who stops one clinic hears from the other; words to one are not read with the other's."""
    world = talk.world
    talk.someone()
    with world.database.transaction() as session:
        other, _ = make_clinic(session, key="hillside", number=OTHER_NUMBER)
        make_patients(session, world.vault, other, 1, language="es")
    found = talk.receive_together(
        talk.sms("some days i want to"),
        talk.sms("die", to=OTHER_NUMBER),
        talk.sms("si", to=OTHER_NUMBER),
        talk.sms("STOP"),
    )
    assert [stored(each).urgent for each in found] == [False] * 4
    assert changes(found) == [None, None, None, "stop"]
    homes = {row.sid: row.clinic_id for row in talk.rows(Inbound)}
    assert list(dict(sorted(homes.items())).values()) == [
        world.clinic_id,
        other,
        other,
        world.clinic_id,
    ]
    purposes = {row.clinic_id: row.purposes for row in talk.rows(Patient)}
    assert purposes[world.clinic_id] == []
    assert purposes[other] != []
    assert [row.clinic_id for row in talk.rows(OptOut)] == [world.clinic_id]


def test_strays_of_a_group_are_kept_beside_its_texts(talk: Talk) -> None:
    """A number of nobody and another account's text: stored as strays, once a SID."""
    talk.someone()
    stray = talk.sms("hello", to="+12125550199")
    found = talk.receive_together(
        stray, talk.sms("C"), talk.sms("STOP", account_sid="AC" + "9" * 32), stray
    )
    assert [stored(each).stray for each in found] == [True, False, True, True]
    assert sorted(row.reason for row in talk.rows(StrayWebhook)) == [
        "another_account",
        "number_of_no_clinic",
    ]
    assert len(talk.rows(Inbound)) == 1
    assert talk.rows(OptOut) == []


def test_danger_spread_over_texts_of_one_group_is_heard(talk: Talk) -> None:
    """ "I want to" and "die" at the same instant are one text; another number's words are not."""
    talk.someone(2)
    found = talk.receive_together(
        talk.sms("i really just want to"),
        talk.sms("die", phone=phone_of(1)),
        talk.sms("die"),
    )
    assert [stored(each).urgent for each in found] == [False, False, True]


def test_danger_spread_over_two_groups_is_heard(talk: Talk) -> None:
    """What is stored, and what comes in the same group, are read before the last word."""
    talk.someone()
    talk.receive_together(talk.sms("hello"), talk.sms("i really just"))
    talk.world.advance(minutes=2)
    found = talk.receive_together(talk.sms("want to"), talk.sms("die"))
    assert [stored(each).urgent for each in found] == [False, True]
    talk.world.advance(minutes=10)
    later = talk.receive_together(talk.sms("so"), talk.sms("ok"))
    assert [stored(each).urgent for each in later] == [False, False]


def test_danger_spread_over_two_transactions_at_one_time_is_heard(talk: Talk) -> None:
    """The second word waits until the first is committed, so that it is read with it."""
    talk.someone()
    services, reached, on = talk.world.services, threading.Event(), threading.Event()

    def wait(name: str) -> None:
        if name == "inbound.before_commit":
            reached.set()
            assert on.wait(10)

    def store(body: str, services: Services) -> Received:
        text = talk.sms(body)
        return receive.store(services, text, source="push", received_at=talk.world.now)

    slow = replace(services, crashpoint=wait)
    first = threading.Thread(target=store, args=["i really just want to", slow])
    first.start()
    assert reached.wait(10)
    threading.Timer(0.2, on.set).start()
    found = store("die", services)
    first.join(10)
    assert found.urgent


def test_a_stop_that_waits_does_not_hold_up_its_group(talk: Talk, database: OwnDatabase) -> None:
    """Somebody else holds the patient: the others are committed, the stop as soon as it can be."""
    [held, _] = talk.someone(2)
    found: list[Outcome] = []
    texts = [talk.sms("STOP"), talk.sms("C", phone=phone_of(1))]
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SELECT 1 FROM patient WHERE id = %s FOR UPDATE", [held])
        store = threading.Thread(target=lambda: found.extend(talk.receive_together(*texts)))
        store.start()
        until = time.monotonic() + 4
        while not (rows := talk.rows(Inbound)) and time.monotonic() < until:
            time.sleep(0.05)
        assert [row.intent for row in rows] == ["confirm"]
        connection.rollback()
        store.join(10)
    assert changes(found) == ["stop", None]
    assert talk.patient().purposes == []
