"""The demo's feed: one line a thing, in the clinic's time, with names."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from cli.demo_feed import Feed
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from tests.support.databases import OwnDatabase
from tests.support.world import World
from worker.opening import open_follow_ups

ANA, RUTH = "+12125550101", "+12125550105"


def _feed(width: int = 80) -> tuple[Feed, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    return Feed(console, {ANA: "Ana", RUTH: "Ruth"}, ZoneInfo("America/New_York")), out


def _entry(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "at": "2026-11-23T15:00:01.5+00:00", "seq": 1, **more}


def test_texts_receipts_and_replies_are_lines_with_names() -> None:
    """A long text is cut to the width; receipts of one look share a line."""
    feed, out = _feed(60)
    feed.carrier(
        [
            _entry("create", to=ANA, body="Riverside Care: your first visit is " + "soon " * 20),
            _entry("callback", to=ANA, message_status="sent"),
            _entry("callback", to=ANA, message_status="delivered"),
            _entry("callback", to=RUTH, message_status="delivered"),
            _entry("inbound", **{"from": ANA}, body="C [ok]"),
            _entry("auto-reply", to=ANA, body="You have stopped"),
            _entry("refused", to=RUTH, code=21610),
            _entry("callback", to=RUTH, message_status="undelivered"),
            _entry("create", to="+12125550199", body="Hi"),
            _entry("inbound-webhook", **{"from": ANA}, attempts=1, status=200),
            _entry("inbound-webhook", **{"from": ANA}, attempts=1, failure="5xx"),
            _entry("inbound-webhook", **{"from": ANA}, attempts=2, failure="5xx"),
            _entry("fault"),
        ]
    )
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("10:00:01 -> Ana      Riverside Care: your first visit is so…")
    assert len(lines[0]) == 60
    assert lines[1:] == [
        "10:00:01 <- Ana      C [ok]",
        "10:00:01 -> Ana      (the carrier) You have stopped",
        "10:00:01 x  Ruth     refused: 21610",
        "10:00:01 x  Ruth     not delivered (undelivered)",
        "10:00:01 -> +12125550199 Hi",
        "10:00:01 x  Ana      the clinic's webhook failed (5xx)",
        "10:00:01 ok delivered to Ana, Ruth",
    ]
    assert (feed.texts, feed.delivered, feed.replies) == (2, 2, 1)


def test_follow_ups_are_shown_once_and_again_when_joined(database: OwnDatabase) -> None:
    """What an earlier run left open is no news."""
    feed, out = _feed()
    with World(database.url, at=datetime(2026, 11, 23, 15, 0, tzinfo=UTC)) as world:
        [message] = world.due()
        patient = world.message(message).patient_id

        def want(reason: FollowUpReason) -> None:
            wanted = WantedFollowUp(
                reason=reason,
                severity=Severity.CALL_TODAY,
                due_at=world.now + timedelta(hours=1),
                cause=reason,
            )
            source: dict[str, Any] = {"source_kind": "message", "source_id": message}
            with world.database.transaction() as session:
                open_follow_ups(
                    session, world.clinic_id, patient, [wanted], now=world.now, **source
                )

        want(FollowUpReason.QUESTION)
        feed.known(world.services)
        want(FollowUpReason.CALLBACK)
        feed.database(world.services)
        feed.database(world.services)
        want(FollowUpReason.CALLBACK)
        feed.database(world.services)
    assert out.getvalue().splitlines() == [
        "10:00:00 !  Robin    Follow-up: Wants a call · Call today, by Mon 11:00",
        "10:00:00 !  Robin    Again: Wants a call · Call today, by Mon 11:00",
    ]
    assert feed.follow_ups == 1
