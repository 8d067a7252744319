"""Workers in this process that can be stopped at a crashpoint, gone on with, or killed there.

A killed worker is dead as by SIGKILL: its transaction is rolled back, no other of its transactions
begins, none of its requests reaches the carrier, and the outcomes it still held are gone.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from messages.gateway import (
    CarrierText,
    Gateway,
    NotProcessed,
    OutboundText,
    SendOutcome,
    VoiceCall,
)
from messages.gateways.fake import FakeGateway
from records.base import Session
from tests.support.world import World
from worker.carrier import SEND_GUARD_SECONDS, Carrier, Posted
from worker.steps import outcomes, plan, receipts, receive, reconcile, replies, send

_WAIT_SECONDS = 30.0


class KilledError(BaseException):
    """The process is gone. No `except Exception` of the code under test may see this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A text that the carrier made, and which attempt of ours asked for it."""

    sid: str
    message_id: UUID
    attempt: int
    at: datetime


class Ledger:
    """All texts made, by all workers, in order; shared as the carrier is."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.created: list[Created] = []

    def note(self, text: OutboundText, known: set[str]) -> None:
        """Keep what a send has just made."""
        query = parse_qs(urlsplit(text.status_callback or "").query)
        for sid in self.gateway.ledger.keys() - known:
            made = self.gateway.ledger[sid]
            assert made.created_at is not None
            self.created.append(
                Created(
                    sid=sid,
                    message_id=UUID(query["message"][0]),
                    attempt=int(query["attempt"][0]),
                    at=made.created_at,
                )
            )


class _MortalDatabase:
    """The database as a process sees it: after its death no transaction begins."""

    def __init__(self, worker: "MortalWorker", world: World) -> None:
        self._worker, self._database = worker, world.database

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self._worker.die_if_dead()
        with self._database.transaction() as session:
            yield session
            # Dead in the middle, by another thread's crashpoint: the commit is not reached.
            self._worker.die_if_dead()


class _Line:
    """One worker's line to the carrier that all share."""

    def __init__(self, worker: "MortalWorker", ledger: Ledger) -> None:
        self._worker, self._ledger = worker, ledger
        self._gateway: Gateway = ledger.gateway

    async def send(self, text: OutboundText, *, write_before: float) -> SendOutcome:
        worker, gateway = self._worker, self._ledger.gateway
        if worker.dead:
            return NotProcessed(reason="dead")
        worker.pass_by("send.after_connect")
        known = set(gateway.ledger)
        stood = worker.stood_since(write_before - SEND_GUARD_SECONDS)
        outcome = await gateway.send(text, write_before=write_before - stood)
        self._ledger.note(text, known)
        worker.pass_by("send.after_write")
        worker.pass_by("send.after_response")
        return outcome

    async def call(self, call: VoiceCall) -> SendOutcome:
        return await self._gateway.call(call)

    async def find(self, *, to: str, limit: int = 50) -> list[CarrierText]:
        return await self._gateway.find(to=to, limit=limit)

    async def received(self, *, to: str, since: datetime, limit: int = 1000) -> list[CarrierText]:
        return await self._gateway.received(to=to, since=since, limit=limit)

    async def sent_on(self, *, day: date, limit: int = 10_000) -> list[CarrierText]:
        return await self._gateway.sent_on(day=day, limit=limit)

    async def deactivated(self, *, day: date) -> Iterable[str] | None:
        return await self._gateway.deactivated(day=day)

    async def fetch(self, sid: str) -> CarrierText | None:
        return await self._gateway.fetch(sid)

    async def redact(self, sid: str) -> bool:
        return await self._gateway.redact(sid)

    async def cancel(self, sid: str) -> bool:
        return await self._gateway.cancel(sid)

    async def close(self) -> None:
        """Leave the carrier open for the others."""


class MortalWorker:
    """A worker of its own threads and carrier loop that runs one step at a time."""

    def __init__(self, world: World, ledger: Ledger, name: str) -> None:
        self.name = name
        self.dead = False
        # When it stood still and how long: a guard that is older finds that much more time gone.
        self._stood: list[tuple[float, float]] = []
        self.stopped_at: str | None = None
        self.errors: list[Exception] = []
        self._ledger = ledger
        self._armed: tuple[str, int, bool] | None = None
        self._go = threading.Event()
        self._step: threading.Thread | None = None
        database: Any = _MortalDatabase(self, world)
        self.services = replace(
            world.services, database=database, crashpoint=self.pass_by, host=name
        )
        self.carrier = Carrier(lambda: _Line(self, ledger), in_flight=64, write=self._write)
        self._sender = world.sender_id

    def start(self, step: str, *, stop_at: str | None, nth: int = 1, kill: bool = False) -> None:
        """Run a step until it ends, or until the nth passing of a crashpoint (or dies there)."""
        self._armed = (stop_at, nth, kill) if stop_at else None
        self._step = threading.Thread(target=self._run, args=(self._of(step),), daemon=True)
        self._step.start()
        self._settle()

    def stands(self) -> bool:
        """Whether it waits at a crashpoint for somebody to say how it goes on."""
        return self.stopped_at is not None

    def stand(self, seconds: float) -> None:
        """Let time pass for it, if it stands still."""
        if self.stands():
            self._stood.append((time.monotonic(), seconds))

    def stood_since(self, instant: float) -> float:
        """Return how long it stood still since that instant of `time.monotonic()`."""
        return sum(seconds for at, seconds in self._stood if at >= instant)

    def resume(self) -> None:
        """Go on from where it was stopped."""
        self.stopped_at = None
        self._go.set()
        self._settle()

    def kill(self) -> None:
        """End it as SIGKILL does, wherever it is; its threads go once nothing holds them."""
        self.dead = True
        self.stopped_at = None
        self._go.set()
        if self._step is not None:
            self._step.join(_WAIT_SECONDS)
        self.carrier.close()

    def pass_by(self, point: str) -> None:
        """Be a crashpoint."""
        self.die_if_dead()
        if self._armed is None or self._armed[0] != point:
            return
        name, left, kill = self._armed
        self._armed = (name, left - 1, kill) if left > 1 else None
        if left > 1:
            return
        if kill:
            self.dead = True
        else:
            self._go.clear()
            self.stopped_at = point
            assert self._go.wait(_WAIT_SECONDS), f"nobody went on from {point}"
        self.die_if_dead()

    def die_if_dead(self) -> None:
        if self.dead:
            raise KilledError(self.name)

    def _of(self, step: str) -> Callable[[], object]:
        services, carrier = self.services, self.carrier
        return {
            "send": lambda: send.run(services, carrier, self._sender),
            "sweep": lambda: reconcile.sweep(services),
            "unknown": lambda: reconcile.settle_unknown(services, carrier),
            "silent": lambda: reconcile.fetch_silent(services, carrier),
            "receipts": lambda: receipts.run(services),
            "plan": lambda: plan.run(services),
            "replies": lambda: replies.run(services),
            "pull": lambda: receive.pull(services, carrier.gateway, carrier.call),
        }[step]

    def _run(self, step: Callable[[], object]) -> None:
        try:
            step()
        except KilledError:
            pass
        except Exception as error:  # noqa: BLE001  As the worker's own runner: the next tick looks.
            self.errors.append(error)

    def _write(self, posted: Any) -> None:
        try:
            self.die_if_dead()
            outcomes.write(self.services, _kept(posted))
        except KilledError:
            return

    def _settle(self) -> None:
        """Wait until it is stopped, dead, or has done all it was told to."""
        until = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < until:
            if self.stopped_at is not None or self.dead:
                return
            if self._step is None or not self._step.is_alive():
                if self.carrier.drain(0.01) and self.stopped_at is None:
                    return
            else:
                self._step.join(0.005)
        raise AssertionError(f"{self.name} did not come to rest")


def _kept(posted: list[Posted]) -> list[Posted]:
    return [one for one in posted if getattr(one.outcome, "reason", None) != "dead"]
