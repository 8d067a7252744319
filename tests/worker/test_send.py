"""The send step: gates, claims, intents and outcomes, on a real database."""

import errno
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest

from messages.gateways.fake import lose_answer, refuse, throttle, unreachable
from messages.templates import Template
from records import sending, stopping
from records.base import new_id
from schedules.facts import VisitStatus
from tests.support.world import World
from worker.carrier import Carrier
from worker.steps import clinics, consents, events, outcomes, reconcile, send


def test_a_due_text_is_sent_and_accepted(world: World) -> None:
    """Planned, claimed, submitting, accepted; the body and number are kept sealed."""
    [message_id] = world.due()
    world.send()
    message = world.message(message_id)
    assert (message.status, message.attempts) == ("accepted", 1)
    [text] = world.gateway.created()
    assert message.sid == text.sid
    assert text.body.startswith("Riverside Care: visit")
    assert text.body.encode() not in bytes(message.body or b"")
    assert world.vault.open("message", "body", message.id, message.body or b"") == text.body


def test_every_change_of_state_is_in_the_history(world: World) -> None:
    """The database writes the history, whoever changes the row."""
    [message_id] = world.due()
    world.send()
    rows = world.execute(
        "SELECT status FROM message_history WHERE message_id = :id ORDER BY sequence",
        id=message_id,
    )
    assert [row.status for row in rows] == ["claimed", "submitting", "accepted"]


def test_the_callback_address_names_message_and_attempt(world: World) -> None:
    """A receipt that beats our own commit can then be matched by our id."""
    [message_id] = world.due()
    world.send()
    [call] = world.gateway.calls
    assert call.status_callback == (
        f"http://127.0.0.1:9/twilio/status?message={message_id}&attempt=1#rc=3&rp=all"
    )


def test_a_question_opens_its_check_in_when_the_carrier_takes_it(world: World) -> None:
    """Silence can only be counted for a question that went out."""
    world.due(3)
    world.send()
    assert world.execute("SELECT count(*) FROM check_in WHERE status = 'open'")[0][0] == 3


GATES = {
    "late": ({"latest_at": "past"}, {}, "expired", "too_late"),
    "held": ({}, {"status": "held"}, "cancelled", "patient_held"),
    "closed": ({}, {"status": "closed"}, "cancelled", "patient_closed"),
    "no consent": ({}, {"purposes": ["check_ins"]}, "skipped", "no_consent"),
    "older revision": ({"revision": 0}, {}, "cancelled", "not_planned"),
}


@pytest.mark.parametrize("case", GATES)
def test_the_recheck_ends_what_may_not_go(world: World, case: str) -> None:
    """Everything is checked again at the claim, whatever the plan said."""
    row, patient, status, reason = GATES[case]
    if row.get("latest_at") == "past":
        row = {"latest_at": world.now - timedelta(seconds=1)}
    [message_id] = world.due(patient=patient, **row)
    world.send()
    message = world.message(message_id)
    assert (message.status, message.reason) == (status, reason)
    assert world.gateway.calls == []


def test_a_text_outside_the_patients_window_waits_for_it(world: World) -> None:
    """At 10:00 in New York it is 05:00 in Honolulu: the text goes there at 09:00."""
    [message_id] = world.due(patient={"timezone": "Pacific/Honolulu"})
    world.send()
    message = world.message(message_id)
    assert (message.status, message.reason) == ("planned", "outside_window")
    assert message.next_at == world.now + timedelta(hours=4)


@pytest.mark.parametrize(
    ("at", "patient", "useful", "holds"),
    [
        (10, {}, 6, 6 * 3600),
        (19.5, {}, 13, 1800),
        (19.999, {}, 13, 60),
        (15, {"timezone": None}, 13, 5 * 3600),
        (10, {"safe_from": time(9), "safe_until": time(10, 20)}, 6, 1200),
    ],
)
def test_the_carrier_may_hold_a_text_until_it_is_late_or_its_hours_are_over(
    world: World, at: float, patient: dict[str, Any], useful: int, holds: int
) -> None:
    """A queue of the carrier's delivers nothing at night, nor when somebody else may read it."""
    world.advance(hours=at - 10)
    world.due(patient=patient, latest_at=world.now + timedelta(hours=useful))
    world.send()
    [call] = world.gateway.calls
    assert call.validity_seconds == holds


def test_the_carrier_may_hold_an_answer_through_the_night(world: World) -> None:
    """Whoever writes at night is awake."""
    world.advance(hours=14)
    world.safety_reply("+12125550120")
    world.execute("UPDATE message SET latest_at = :at", at=world.now + timedelta(minutes=30))
    world.send()
    assert [each.validity_seconds for each in world.gateway.calls] == [1800]


def test_a_text_in_spanish_is_rendered_in_spanish(world: World) -> None:
    """The patient's own language decides."""
    world.due(patient={"language": "es"})
    world.send()
    assert "Responda" in world.gateway.created()[0].body


def test_one_recipient_gets_one_text_at_a_time(world: World) -> None:
    """Two due texts to one number: the second waits five seconds, by the open attempt."""
    phone = "+12125550133"
    first, second = world.due(patient={"phone": phone}) + world.due(patient={"phone": phone})
    world.send()
    assert {world.message(first).status, world.message(second).status} == {"accepted", "planned"}


def test_an_intent_for_a_busy_recipient_goes_back_to_planned(world: World) -> None:
    """The partial unique index decides even where two workers claimed at once."""
    phone = "+12125550133"
    ids = world.due(patient={"phone": phone}) + world.due(patient={"phone": phone})
    token = new_id()
    blind = world.vault.blind("phone", phone)
    world.execute(
        "UPDATE message SET status = 'claimed', claim_token = :token, recipient_blind = :blind",
        token=token,
        blind=blind,
    )
    with world.database.transaction() as session:
        opened = sending.intend(session, ids, token=token, now=world.now, host="here")
    assert len(opened) == 1
    waiting = next(each for each in ids if each not in opened)
    assert world.message(waiting).reason == "recipient_busy"


def test_a_stop_ends_a_claimed_row_before_its_intent(world: World) -> None:
    """A stop that lands between claim and intent leaves nothing to send."""
    [message_id] = world.due()
    token, now = new_id(), world.now
    world.execute(
        "UPDATE message SET status = 'claimed', claim_token = :token, recipient_blind = 'x'",
        token=token,
    )
    blind = world.vault.blind("phone", "+12125550120")
    with world.database.transaction() as session:
        ended = stopping.cancel_unsent_of_number(
            session, clinic_id=world.clinic_id, blind=blind, reason="stopped", now=now
        )
        opened = sending.intend(session, [message_id], token=token, now=now, host="here")
    assert (ended, opened) == (1, {})
    assert world.message(message_id).status == "cancelled"


def test_the_token_bucket_holds_the_rate(database_url: str) -> None:
    """A sender of two segments a second sends two, and the rest later."""
    with World(database_url, rate=2) as world:
        world.due(6)
        world.send()
        assert world.statuses()["accepted"] in {2, 3}


def test_a_throttled_text_goes_back_without_losing_its_place(world: World) -> None:
    """A 429 was not processed: planned again, when the carrier wishes."""
    world.gateway.script(throttle(30))
    [message_id] = world.due()
    world.send()
    message = world.message(message_id)
    assert (message.status, message.reason) == ("planned", "throttled")
    assert message.next_at == world.now + timedelta(seconds=30)
    world.advance(seconds=31)
    world.send()
    assert world.message(message_id).status == "accepted"
    assert [each.outcome for each in world.attempts(message_id)] == ["not_processed", "accepted"]


def test_a_text_that_is_to_wait_longer_than_it_is_of_use_ends_in_time(world: World) -> None:
    """A day's patience was asked for: it stood as planned until the next day."""
    world.gateway.script(throttle(retry_after=86_400))
    [message_id] = world.due()
    world.send()
    world.advance(hours=6)
    reconcile.sweep(world.services)
    assert world.message(message_id).status == "expired"


def test_a_safety_reply_waits_a_minute_at_most_whatever_the_carrier_asks(world: World) -> None:
    """Somebody in danger waits for it."""
    world.gateway.script(throttle(retry_after=3600))
    message_id = world.safety_reply("+12125550120")
    world.send()
    assert world.message(message_id).next_at == world.now + timedelta(minutes=1)


def test_an_unreachable_carrier_costs_nothing_but_time(world: World) -> None:
    """A refused connection is provably unsent."""
    world.gateway.script(unreachable())
    [message_id] = world.due()
    world.send()
    assert world.message(message_id).status == "planned"


def test_a_lost_answer_is_unknown_and_not_posted_again(world: World) -> None:
    """Maybe sent: the row waits for a callback or a look at the list."""
    world.gateway.script(lose_answer(creates=True))
    [message_id] = world.due()
    world.send()
    world.advance(minutes=2)
    world.send()
    assert world.message(message_id).status == "unknown"
    assert len(world.gateway.calls) == 1


def test_a_refused_number_fails_for_good(world: World) -> None:
    """21211 is about the number: no retry."""
    world.gateway.script(refuse(21211))
    [message_id] = world.due()
    world.send()
    message = world.message(message_id)
    assert (message.status, message.reason, message.error_code) == (
        "failed",
        "number_refused",
        21211,
    )


def test_an_opt_out_at_the_carrier_is_remembered_and_cancels_the_rest(world: World) -> None:
    """21610 suppresses the number; a second due text to it is not tried."""
    phone = "+12125550133"
    world.gateway.always(phone, refuse(21610))
    first = world.due(patient={"phone": phone})[0]
    second = world.due(patient={"phone": phone}, due_at=world.now + timedelta(hours=1))[0]
    world.send()
    assert world.message(first).reason == "opted_out_at_carrier"
    assert world.message(second).status == "cancelled"
    assert world.execute("SELECT reason FROM opt_out")[0][0] == "carrier_21610"


def test_what_the_carrier_says_of_a_number_that_was_answered_is_not_said_of_the_next(
    world: World,
) -> None:
    """The reply goes where the text came from; the patient has another number by then."""
    patient_id, old = world.admit(), "+12125550177"
    safety = world.safety_reply(old)
    world.execute("UPDATE message SET patient_id = :id", id=patient_id)
    world.gateway.always(old, refuse(21610))
    world.send()
    assert world.message(safety).reason == "opted_out_at_carrier"
    stopped = world.execute("SELECT phone_blind FROM opt_out")
    assert [bytes(row[0]) for row in stopped] == [world.vault.blind("phone", old)]


def test_bad_credentials_open_the_breaker_and_the_rows_wait(world: World) -> None:
    """401 is about the account: rows go back, the sender rests, then one text probes."""
    world.gateway.script(*[refuse(20003, 401)] * 3)
    ids = world.due(3)
    world.send()
    assert world.statuses() == {"planned": 3}
    calls = len(world.gateway.calls)
    world.advance(seconds=30)
    world.send()
    assert len(world.gateway.calls) == calls
    world.advance(seconds=61)
    world.send()
    assert len(world.gateway.calls) == calls + 1
    world.send()
    assert {world.message(each).status for each in ids} == {"accepted"}
    assert world.execute("SELECT breaker_until FROM sender")[0][0] is None


def test_while_the_probe_has_no_answer_nothing_follows_it(world: World) -> None:
    """One text asks whether the account works again; the others wait for what it learns."""
    [probe, waiting] = world.due(2)
    world.execute(
        "UPDATE sender SET breaker_until = :past, breaker_opened_at = :past",
        past=world.now - timedelta(seconds=1),
    )
    world.execute("UPDATE message SET status = 'submitting' WHERE id = :id", id=probe)
    world.send()
    assert world.message(waiting).status == "planned"
    assert world.gateway.calls == []


class NoFilesLeft(dict[str, Template]):
    """Templates on a machine that can open no file any more."""

    def __getitem__(self, key: str) -> Template:
        """Fail as the system does."""
        raise OSError(errno.EMFILE, "Too many open files")


def test_a_machine_without_files_ends_no_text(world: World) -> None:
    """It is the machine's trouble, and the text is as good as ever: it goes once files are free."""
    [message_id] = world.due()
    exhausted = replace(
        world.services, catalog=replace(world.services.catalog, templates=NoFilesLeft())
    )
    with pytest.raises(OSError, match="Too many open files"):
        send.run(exhausted, world.carrier, world.sender_id)
    assert world.message(message_id).status == "planned"
    world.send()
    assert world.message(message_id).status == "accepted"


def test_a_safety_reply_passes_breaker_pause_bucket_and_an_open_attempt(world: World) -> None:
    """Care rule 9: nothing of ours stops it, an opt-out included."""
    phone = "+12125550133"
    [started] = world.due(patient={"phone": phone})
    world.gateway.script(lose_answer(creates=True))
    world.send()
    message_id = world.safety_reply(phone)
    blind = world.vault.blind("phone", phone)
    world.execute(
        "INSERT INTO opt_out (clinic_id, phone_blind, reason, occurred_at)"
        " VALUES (:clinic, :blind, 'keyword', now())",
        clinic=world.clinic_id,
        blind=blind,
    )
    world.execute("UPDATE clinic SET paused_at = now()")
    world.execute(
        "UPDATE sender SET tokens = -50, breaker_until = :until, breaker_opened_at = now()",
        until=world.now + timedelta(hours=1),
    )
    assert world.message(started).status == "unknown"
    send.run_safety(world.services, world.carrier, world.sender_id)
    world.carrier.drain(10)
    assert world.message(message_id).status == "accepted"


def test_a_paused_clinic_sends_nothing_that_we_start(world: World) -> None:
    """Pause holds the sender; unpausing lets the row go."""
    [message_id] = world.due()
    world.execute("UPDATE clinic SET paused_at = now()")
    world.send()
    assert world.message(message_id).status == "planned"
    world.execute("UPDATE clinic SET paused_at = NULL")
    world.send()
    assert world.message(message_id).status == "accepted"


def test_a_row_that_cannot_be_written_does_not_hold_the_others(world: World) -> None:
    """A template that does not exist fails its own row alone."""
    [bad] = world.due(template="no_such_template")
    [good] = world.due()
    world.send()
    assert world.message(bad).reason == "unfit_text"
    assert world.message(good).status == "accepted"


def test_a_row_whose_patient_cannot_be_read_does_not_hold_the_others(world: World) -> None:
    """A zone that this machine's data does not have fails that patient's texts alone."""
    [bad] = world.due(patient={"timezone": "America/Nowhere"})
    [good] = world.due()
    world.send()
    assert (world.message(bad).status, world.message(bad).reason) == ("failed", "cannot_judge")
    assert world.message(good).status == "accepted"


def test_the_daily_cap_is_guarded_at_the_claim(world: World) -> None:
    """Two started texts a day; the third of the day is skipped."""
    phone = "+12125550133"
    [first] = world.due(patient={"phone": phone})
    patient_id = world.message(first).patient_id
    others = world.due(2, due_at=world.now + timedelta(seconds=10))
    world.execute("UPDATE message SET patient_id = :p", p=patient_id)
    world.send()
    world.advance(minutes=1)
    world.send()
    world.advance(minutes=1)
    world.send()
    reasons = sorted(str(world.message(each).reason) for each in [first, *others])
    assert reasons == ["None", "None", "cap"]


@pytest.mark.parametrize(
    ("purposes", "last"), [(["visits"], "cap"), (["visits", "check_ins"], "None")]
)
def test_the_weekly_cap_at_the_claim_spares_whoever_agreed_to_check_ins(
    world: World, purposes: list[str], last: str
) -> None:
    """Three in seven days; the fourth is skipped only without that consent (care rule 8)."""
    [first] = world.due(patient={"phone": "+12125550133", "purposes": purposes})
    patient_id = world.message(first).patient_id
    rows = [first]
    for days in (1, 2, 3, 6):
        rows += world.due(due_at=world.now + timedelta(days=days))
    world.execute("UPDATE message SET patient_id = :p", p=patient_id)
    reasons = []
    for days in (0, 1, 1, 1, 3):
        world.advance(days=days)
        world.send()
        world.execute("UPDATE message SET status = 'delivered' WHERE status = 'accepted'")
    reasons = [str(world.message(each).reason) for each in rows]
    assert reasons == ["None", "None", "None", last, last]
    # A day later the first day is out of the week, by the calendar as the plan counts it.
    again = world.due(due_at=world.now + timedelta(hours=23))
    world.execute("UPDATE message SET patient_id = :p", p=patient_id)
    world.advance(hours=23)
    world.send()
    assert str(world.message(again[0]).reason) == "None"


def test_sending_holds_while_the_clocks_differ(world: World) -> None:
    """More than a minute between our clock and the database's: nothing goes."""
    [message_id] = world.due()
    world.settings.clock_offset += 120
    world.send()
    assert world.message(message_id).status == "planned"


def test_a_worker_with_few_slots_still_sends_everything(world: World) -> None:
    """Groups are never larger than the slots, and senders that reserve at once take turns."""
    narrow = Carrier(
        lambda: world.gateway,
        in_flight=3,
        write=lambda posted: outcomes.write(world.services, posted),
    )
    ids = world.due(20)
    threads = [
        threading.Thread(target=send.run, args=(world.services, narrow, world.sender_id))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert narrow.drain(20)
    assert {world.message(each).status for each in ids} == {"accepted"}
    narrow.close()


def _pause(world: World, _: UUID) -> None:
    clinics.pause(world.services, world.clinic_id, actor="test")


def _revoke(world: World, message_id: UUID) -> None:
    patient_id = world.message(message_id).patient_id
    assert patient_id is not None
    consents.revoke(world.services, patient_id, purposes=["visits"], method="phone", actor="test")


def _cancel(world: World, message_id: UUID) -> None:
    visit_id = world.message(message_id).appointment_id
    assert visit_id is not None
    events.record_event(world.services, visit_id, VisitStatus.CANCELLED, actor="test")


@pytest.mark.parametrize(
    ("stop", "ends"), [(_pause, "planned"), (_revoke, "skipped"), (_cancel, "cancelled")]
)
def test_what_stops_texts_waits_for_a_claim_that_is_being_made(
    world: World, stop: Callable[[World, UUID], None], ends: str
) -> None:
    """Nothing goes once it is said to be done, also what another connection just claims."""
    [message_id] = world.due()
    claiming, may_commit, stopped = threading.Event(), threading.Event(), threading.Event()

    def hold(point: str) -> None:
        if point == "claim.before_commit":
            claiming.set()
            may_commit.wait(10)
        if point == "claim.after_commit":
            stopped.wait(10)

    services = replace(world.services, crashpoint=hold)
    sender = threading.Thread(target=send.run, args=(services, world.carrier, world.sender_id))

    def stop_it() -> None:
        stop(world, message_id)
        stopped.set()

    stopper = threading.Thread(target=stop_it)
    sender.start()
    assert claiming.wait(10)
    stopper.start()
    stopper.join(0.5)
    may_commit.set()
    for thread in (stopper, sender):
        thread.join(30)
    assert stopped.is_set()
    # What was taken back is ended, if it has to be, by the next tick.
    world.send()
    assert world.gateway.calls == []
    assert world.message(message_id).status == ends
