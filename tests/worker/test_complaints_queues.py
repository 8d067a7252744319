"""What users of queues and gateways complained about: copies, losses, statuses that go back.

Each test is named after its thread; `tests/complaints.csv` lists them all.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from uuid import UUID

import pytest
import redis
from kombu import Connection
from kombu.utils.json import loads

from messages.gateways.fake import lose_answer, refuse
from records import receipts as kept
from records.inbox import Inbound
from tests.support.source import modules
from tests.support.world import World, phone_of
from tests.worker.desk import Desk
from tests.worker.talk import Talk
from worker import app, tasks
from worker.carrier import Carrier
from worker.process import WorkerProcess
from worker.steps import outcomes, plan, receipts, reconcile, replies, send


@pytest.fixture
def processes(world: World) -> Iterator[list[WorkerProcess]]:
    """Two worker processes at one database and one carrier, without their timers.

    Each waits a moment before it commits a claim, so that the other is at it too if it can be.
    """
    together = Barrier(2)

    def waits(name: str) -> None:
        if name == "claim.before_commit":
            with suppress(BrokenBarrierError):
                together.wait(timeout=1)

    services = replace(world.services, crashpoint=waits)
    made = [
        WorkerProcess(
            services,
            Carrier(
                lambda: world.gateway, in_flight=64, write=lambda it: outcomes.write(services, it)
            ),
        )
        for _ in range(2)
    ]
    yield made
    for each in made:
        each.close()


def _at_once(*calls: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result(timeout=60)


# --- ETA, visibility timeout, redelivery


def test_celery_4766_a_step_delivered_again_sends_nothing_again(
    world: World, processes: list[WorkerProcess]
) -> None:
    """celery#4766, #2481, #3270, #7009, #7651: what is delivered again runs again.

    ClientComm looks at a "sent" flag that two workers can both find unset. Here one nudge is
    delivered six times, to two processes at once, and every patient gets one text.
    """
    world.due(20)
    nudges = [lambda each=each: each.run("send", str(world.sender_id)) for each in processes * 3]
    _at_once(*nudges)
    for each in processes:
        assert each.carrier.drain(20)
    assert sorted(text.to for text in world.gateway.created()) == sorted(map(phone_of, range(20)))


def test_kombu_337_no_text_waits_in_the_broker(world: World, redis_url: str) -> None:
    """kombu#337, celery#2599, #9882: a task held for later comes again each hour and runs twice.

    A text due in weeks is a row and nothing else; what is in the broker is for now, and withers.
    """
    desk = Desk(world)
    desk.admits()
    world.services = replace(world.services, nudge=app.publish)
    app.app.conf.broker_url = redis_url
    try:
        desk.imports("2026-12-21T10:00")
        for step in tasks.STEPS:
            app.publish(step, "some-id")
        messages = _queued(redis_url)
    finally:
        app.app.conf.broker_url = None
        app.app.pool.force_close_all()
    assert {text.status for text in world.texts()} == {"planned"}
    assert len(messages) == len(tasks.STEPS)
    for message in messages:
        headers = message["headers"]
        assert (headers["eta"], headers["retries"]) == (None, 0)
        assert headers["expires"] is not None
    held = re.compile(r"\b(eta|countdown)=|\.retry\(|apply_async|SendAt|send_at=")
    ours = (path for path in modules() if "sandbox" not in path.parts)
    assert [path.name for path in ours if held.search(path.read_text("utf-8"))] == []


def _queued(redis_url: str) -> list[dict[str, dict[str, object]]]:
    """Return every message that lies in the broker, those that nobody acknowledged too."""
    with redis.Redis.from_url(redis_url) as client, Connection(redis_url):
        assert client.hlen("unacked") == 0
        return [
            loads(raw) for name in ("replies", "reminders") for raw in client.lrange(name, 0, -1)
        ]


def test_email_alert_api_1318_a_text_whose_worker_died_goes_within_minutes(world: World) -> None:
    """email-alert-api#1318: work whose job was lost waited for an hourly sweeper.

    procrastinate leaves it as "doing" for good; mailroom#461 noted an event as done before it was.
    The worker dies between claim and call.
    """
    [message_id] = world.due()

    def dies(name: str) -> None:
        if name == "claim.after_commit":
            raise SystemExit(name)

    with pytest.raises(SystemExit):
        send.run(replace(world.services, crashpoint=dies), world.carrier, world.sender_id)
    assert (world.message(message_id).status, world.gateway.calls) == ("claimed", [])
    [(left,)] = world.execute("SELECT lease_until - clock_timestamp() FROM message")
    assert left < timedelta(minutes=5)
    world.execute("UPDATE message SET lease_until = clock_timestamp()")
    reconcile.sweep(world.services)
    world.send()
    assert (world.message(message_id).status, len(world.gateway.created())) == ("accepted", 1)


@pytest.mark.parametrize("seconds", [-30, 30])
def test_commcare_21751_clocks_that_differ_a_little_delay_nothing(
    world: World, seconds: int
) -> None:
    """commcare-hq#21751: machines whose clocks differed by seconds put texts off."""
    world.due()
    world.settings.clock_offset += seconds
    world.send()
    assert world.statuses() == {"accepted": 1}


# --- copies


def test_cht_1220_planning_by_several_processes_at_once_makes_one_row_each(world: World) -> None:
    """cht-core#1220, #4498, #7040, courier#21, #38: parallel runs made the same text twice."""
    world.publish_protocols()
    world.book(starts_in=timedelta(days=9))
    world.enroll_by_hand()
    for _ in range(3):
        world.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
        _at_once(*[lambda: plan.run(world.services)] * 4)
    rows = world.execute(
        "SELECT count(*), count(DISTINCT (enrollment_id, step, occurrence, round)) FROM message"
    )
    [(made, different)] = rows
    assert made == different > 15


def test_twilio_ruby_519_a_call_without_an_answer_is_not_made_again(world: World) -> None:
    """twilio-ruby#519, elizaOS#22382: the carrier had taken it, the retry sent it twice."""
    world.gateway.script(lose_answer(creates=True))
    [message_id] = world.due()
    for _ in range(3):
        world.send()
        world.advance(minutes=10)
    assert (len(world.gateway.created()), world.message(message_id).status) == (1, "unknown")
    world.execute("UPDATE attempt SET next_look_at = now()")
    reconcile.settle_unknown(world.services, world.carrier)
    assert world.message(message_id).status == "accepted"
    assert len(world.gateway.created()) == 1


def test_chatwoot_15450_a_webhook_repeated_at_once_has_one_effect(world: World) -> None:
    """chatwoot#15450, elizaOS#31768, clawbolt#61, sim#5230: a retried webhook made a second row.

    And an id remembered for the text must not swallow the carrier's word on an answer to it.
    """
    talk = Talk(world)
    talk.asked("visit_7d", starts_in=timedelta(days=9), send_before=timedelta(days=7))
    sid = "SM" + "9" * 32
    _at_once(*[lambda: talk.receive("C", sid=sid)] * 5)
    replies.run(world.services)
    assert talk.receive("C", sid=sid).duplicate
    replies.run(world.services)
    assert [row.sid for row in talk.rows(Inbound)] == [sid]
    assert talk.answers == ["confirm_ack"]
    world.send()
    answer = world.gateway.created()[-1].sid
    for status in ("sent", "delivered"):
        _store(world, answer, status)
    receipts.run(world.services)
    rows = world.execute("SELECT status FROM message WHERE sid = :sid", sid=answer)
    assert rows == [("delivered",)]


# --- the carrier's word


def _store(world: World, sid: str, status: str, code: int | None = None) -> None:
    row = kept.row(
        world.vault,
        clinic_id=world.clinic_id,
        message_id=None,
        attempt=None,
        sid=sid,
        status=status,
        error_code=code,
        source="push",
        payload="{}",
        received_at=world.now,
    )
    with world.database.transaction() as session:
        kept.store(session, [row])


def _sent(world: World) -> tuple[UUID, str]:
    [message_id] = world.due()
    world.send()
    return message_id, world.gateway.created()[-1].sid


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (("delivered", "sent", "queued"), "delivered"),
        (("undelivered", "sent"), "undelivered"),
        (("sent", "undelivered", "sent"), "undelivered"),
    ],
)
def test_chatwoot_14149_a_word_that_comes_late_takes_nothing_back(
    world: World, words: tuple[str, ...], ends: str
) -> None:
    """chatwoot#14149, twilio-firebase-extensions#21, twilio-csharp#633: "sent" came late.

    chatwoot#8097, Rock#715, postmangovsg#1150: an error was shown as delivered. Every word is kept
    (simplereport#1931).
    """
    message_id, sid = _sent(world)
    for status in words:
        _store(world, sid, status, 30005 if status == "undelivered" else None)
        receipts.run(world.services)
    assert world.message(message_id).status == ends
    assert world.execute("SELECT count(*) FROM receipt") == [(len(set(words)),)]


def test_circulate_1426_a_word_that_never_comes_is_asked_for(world: World) -> None:
    """circulate#1426: what became of a text stayed unknown when its callback was lost."""
    message_id, sid = _sent(world)
    world.gateway.report(sid, "delivered")
    world.advance(minutes=16)
    reconcile.fetch_silent(world.services, world.carrier)
    receipts.run(world.services)
    assert world.message(message_id).status == "delivered"


def test_notification_api_1498_a_callback_that_fails_is_made_again(world: World) -> None:
    """notification-api#1498: without being told so the carrier calls once and gives up."""
    world.due()
    world.send()
    [call] = world.gateway.calls
    assert call.status_callback.endswith("#rc=3&rp=all")


def test_courier_795_a_text_that_failed_is_never_called_sent(world: World) -> None:
    """courier#795, #799: failed texts were marked as sent as well.

    commcare-hq#18757: and what a carrier had refused for good was tried for ever.
    """
    [message_id] = world.due()
    world.gateway.always(phone_of(0), refuse(21211))
    for _ in range(3):
        world.send()
        world.advance(minutes=10)
    story = "SELECT status FROM message_history WHERE message_id = :id"
    statuses = {row[0] for row in world.execute(story, id=message_id)}
    assert world.message(message_id).status == "failed"
    assert not statuses & {"accepted", "sent", "delivered"}
    assert len(world.gateway.calls) == 1
