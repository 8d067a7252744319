"""Runs the product's own steps when something is due for them, as the tick and its turns would.

What is due is asked of the database in one statement. Between those instants nothing can happen,
so that the clock jumps; what the product looks at "every minute" is looked at on the hour.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cli.simulation.clinic import START, ZONE
from cli.simulation.database import OwnDatabase
from cli.simulation.faults import DiedError
from worker.carrier import Carrier
from worker.paging.pager import Pager
from worker.services import Services
from worker.steps import (
    checkins,
    compare,
    followups,
    pages,
    plan,
    receipts,
    receive,
    reconcile,
    replies,
    rounds,
    send,
)

_DUE = """
    SELECT
    (SELECT min(next_at) FROM message WHERE status = 'planned' AND priority = 0) AS safety,
    (SELECT min(coalesce(climbs_at, opened_at)) FROM follow_up
     WHERE status <> 'resolved') AS climbs,
    (SELECT min(next_at) FROM page_delivery WHERE next_at IS NOT NULL) AS deliveries,
    (SELECT min(coalesce(retry_at, received_at)) FROM inbound WHERE handled_at IS NULL) AS replies,
    (SELECT min(received_at) FROM receipt WHERE applied_at IS NULL) AS receipts,
    (SELECT min(plan_requested_at) FROM enrollment WHERE plan_requested_at IS NOT NULL) AS plan,
    (SELECT min(next_roll_at) FROM enrollment) AS roll,
    (SELECT min(next_at) FROM message WHERE status = 'planned' AND priority > 0) AS send,
    (SELECT max(breaker_until) FROM sender) AS breaker,
    (SELECT min(final_at) FROM message
     WHERE reviewed_at IS NULL AND final_at IS NOT NULL) AS endings,
    (SELECT min(prove_by) FROM message WHERE prove_by IS NOT NULL AND reviewed_at IS NULL) AS prove,
    (SELECT min(lease_until) FROM message WHERE status IN ('claimed', 'submitting')) AS sweep,
    (SELECT min(next_look_at) FROM attempt
     WHERE closed_at IS NULL AND outcome = 'unknown') AS unknown
"""
_HOUR, _PUT_OFF = timedelta(hours=1), timedelta(seconds=30)
_ROUNDS = 60
#: Whoever writes or is called waits for nothing.
_AT_ONCE = frozenset({"safety", "pages", "replies"})
_FIRST_ROUND, _LAST_ROUND = 7, 20
#: Digests, the weekly test, the closure list; and visits that nobody recorded.
_ROUNDS_AT, _VISITS_AT = frozenset({8, 9, 11, 12, 15}), frozenset({13, 18})


def hour(at: datetime) -> datetime:
    """Return the whole hour at or after an instant."""
    whole = at.replace(minute=0, second=0, microsecond=0)
    return whole if whole == at else whole + _HOUR


def next_round(now: datetime) -> datetime:
    """Return the next whole hour of the clinic's day: nights hold nothing but what is due."""
    at = hour(now + timedelta(seconds=1))
    while not _FIRST_ROUND <= at.astimezone(ZONE).hour <= _LAST_ROUND:
        at += _HOUR
    return at


@dataclass(kw_only=True)
class Engine:
    """One worker, as it were. A step that dies is run again at the next instant."""

    services: Services
    own: OwnDatabase
    carrier: Carrier
    pager: Pager
    sender_id: UUID
    pace: timedelta
    pulls: bool
    after_pull: Callable[[], None]
    failed: list[str]
    rows: Counter[str] = field(default_factory=Counter)
    _put_off: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        services, carrier = self.services, self.carrier
        self._steps: dict[str, Callable[[], Any]] = {
            "safety": lambda: send.run_safety(services, carrier, self.sender_id),
            "pages": lambda: pages.run(services, self.pager),
            "replies": lambda: replies.run(services),
            "receipts": lambda: receipts.run(services),
            "sweep": lambda: reconcile.sweep(services),
            "send": lambda: send.run(services, carrier, self.sender_id),
            "follow_ups": lambda: followups.run(services),
            "unknown": lambda: reconcile.settle_unknown(services, carrier),
            # Last, so that whatever the others asked for is planned at one go.
            "plan": lambda: plan.run(services),
        }

    def instants(self) -> dict[str, datetime]:
        """Return when each step is next due."""
        [row] = self.own.rows(_DUE)
        found: dict[str, datetime | None] = {
            "safety": row.safety,
            "pages": _first(row.climbs, row.deliveries),
            "replies": row.replies,
            "receipts": row.receipts,
            "plan": _first(row.plan, hour(row.roll) if row.roll else None),
            "sweep": row.sweep,
            "send": max(row.send, row.breaker or row.send) if row.send else None,
            "follow_ups": _first(row.endings, row.prove),
            "unknown": row.unknown,
        }
        return {
            step: max(at if step in _AT_ONCE else self._paced(at), self._put_off.get(step, at))
            for step, at in found.items()
            if at is not None
        }

    def _paced(self, at: datetime) -> datetime:
        """Return the next instant of the pace, so that what is due about then goes together."""
        return START - (START - at) // self.pace * self.pace

    def settle(self, also: Callable[[], None]) -> datetime | None:
        """Run steps until nothing is due now; return when something will be. `also` after each."""
        now = self.services.now
        due: list[str] = []
        for _ in range(_ROUNDS):
            instants = self.instants()
            due = [step for step in self._steps if step in instants and instants[step] <= now]
            if not due:
                return min(instants.values(), default=None)
            for step in due:
                if not self.run(step, self._steps[step]):
                    self._put_off[step] = now + _PUT_OFF
                also()
        self.failed.append(
            f"no rest at {now.isoformat()}: {', '.join(due)} are due again and again"
        )
        return now + _PUT_OFF

    def run(self, name: str, step: Callable[[], Any]) -> bool:
        """Run a step to its end or its death; return whether it did anything."""
        try:
            counts = step()
        except DiedError:
            counts = Counter(died=1)
        self.carrier.drain()
        self.pager.drain()
        did = +Counter(counts)
        self.rows[f"{name}: runs"] += 1
        return bool(did)

    def pull(self) -> None:
        """Read the carrier's list of what came in."""
        gateway, call = self.carrier.gateway, self.carrier.call
        self.run("pull", lambda: receive.pull(self.services, gateway, call))
        self.after_pull()

    def on_the_hour(self) -> None:
        """Do what the product does each minute or so whether or not something is known to wait."""
        services, local = self.services, self.services.now.astimezone(ZONE)
        self.run("sweep", lambda: reconcile.sweep(services))
        if self.pulls:
            self.pull()
        # Both the questions that are over and the silence before visits.
        self.run("check_ins", lambda: checkins.run(services, limit=100_000))
        if local.hour in _ROUNDS_AT:
            channels = self.pager.channels.keys()
            self.run("rounds", lambda: rounds.run(services, channels))
        if local.hour in _VISITS_AT:
            self.run("visits", lambda: followups.ask_about_visits(services))
        if self.pulls and local.hour in _VISITS_AT:
            self.run("silent", lambda: reconcile.fetch_silent(services, self.carrier))
        if local.hour == _FIRST_ROUND:
            self.run("compare", lambda: compare.run(services, self.carrier))


def _first(*instants: datetime | None) -> datetime | None:
    return min((each for each in instants if each is not None), default=None)
