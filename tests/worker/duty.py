"""The clinic's staff in tests: who was called, by what, and what they do about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import select

from messages.gateway import Gateway
from records import dispatch
from records.base import new_id
from records.clinics import Clinic, Staff
from records.followups import FollowUp
from records.outbox import Message
from records.pages import Page, PageDelivery
from schedules.ladder import Channel
from tests.support.world import World
from tests.worker.talk import Talk
from worker.paging.pager import Pager
from worker.paging.transports import Job, Result, Sent, transports
from worker.steps import followup_actions as actions
from worker.steps import pages, rounds, send

SAM, KIM = "+12125550190", "+12125550191"
TAKEN = Sent(result=Result.ACCEPTED)
CRISIS = "I want to kill myself"


@dataclass(kw_only=True)
class Duty:
    """One world with a pager: calls and texts to staff go to the carrier in memory."""

    world: World
    posted: list[Job] = field(default_factory=list)
    mailed: list[Job] = field(default_factory=list)
    #: What the mail server and the paging service say; a delivery of theirs is only kept.
    mail: Sent = TAKEN
    service: Sent = TAKEN
    channels: frozenset[str] = frozenset({Channel.SMS, Channel.VOICE, Channel.EMAIL})
    pager: Any = None

    def __enter__(self) -> Self:
        self.talk = Talk(self.world)
        real = transports(self.world.settings, self._gateway)
        mine = {
            Channel.SMS: real[Channel.SMS],
            Channel.VOICE: real[Channel.VOICE],
            Channel.EMAIL: self._mail,
            Channel.WEBHOOK: self._post,
        }
        wanted = {name: mine[Channel(name)] for name in self.channels}
        self.pager = Pager(self.world.services, wanted)
        return self

    def __exit__(self, *_: object) -> None:
        self.pager.close()

    @asynccontextmanager
    async def _gateway(self, _second: bool) -> AsyncIterator[Gateway]:
        yield self.world.gateway

    def _mail(self, job: Job) -> Sent:
        self.mailed.append(job)
        return self.mail

    def _post(self, job: Job) -> Sent:
        self.posted.append(job)
        return self.service

    # --- what the clinic's file says ---

    def file(self, **changes: Any) -> None:
        """Change the clinic's file."""
        with self.world.database.transaction() as session:
            clinic = session.scalars(select(Clinic)).one()
            clinic.settings = {**clinic.settings, **changes}
            clinic.version += 1

    def nobody_on_call(self) -> None:
        """Have nobody after hours; the lead reads e-mail."""
        self.file(on_call=[], after_hours="none")

    def staff(self, email: str, role: str = "coordinator") -> UUID:
        """Add a console user."""
        row = Staff(
            id=new_id(),
            clinic_id=self.world.clinic_id,
            email=email,
            role=role,
            password_hash="x",
            session_epoch=1,
        )
        with self.world.database.transaction() as session:
            session.add(row)
        return row.id

    # --- time ---

    def tick(self) -> None:
        """Do what a tick does for pages."""
        pages.run(self.world.services, self.pager)
        assert self.pager.drain(20)

    def waits(self, **delta: float) -> None:
        """Let time pass a minute at a time, paging whenever a tick would find that to do."""
        end = self.world.now + timedelta(**delta)
        self.tick()
        while self.world.now < end:
            step = min(60.0, (end - self.world.now).total_seconds())
            self.world.advance(seconds=step)
            if self._pages_wait():
                self.tick()

    def _pages_wait(self) -> bool:
        with self.world.database.transaction() as session:
            return dispatch.waiting(session, now=self.world.now).pages

    def rounds(self) -> None:
        """Do what the clinic's calendar asks."""
        rounds.run(self.world.services, self.pager.channels.keys())
        self.tick()

    def says(self, body: str = CRISIS, **more: Any) -> Any:
        """Have a patient write; it is handled and paged as a tick would."""
        if not self.talk.rows(Clinic):
            raise AssertionError("no clinic")
        row = self.talk.says(body, **more)
        self.tick()
        return row

    def safety_goes(self) -> list[str]:
        """Send the safety replies that may go now; return all words sent to the patient so far."""
        send.run_safety(self.world.services, self.world.carrier, self.world.sender_id)
        assert self.world.carrier.drain(20)
        return [row.template for row in self.talk.rows(Message) if row.submitted_at]

    # --- who was called ---

    @property
    def item(self) -> FollowUp:
        """The one item that is a page."""
        [row] = [row for row in self.talk.rows(FollowUp) if row.severity == "page_now"]
        assert isinstance(row, FollowUp)
        return row

    @property
    def pages(self) -> list[tuple[int, str, str]]:
        """Minutes since the first page, who, and why."""
        rows = sorted(self.talk.rows(Page), key=lambda row: (row.at, row.id))
        start = rows[0].at if rows else self.world.now
        return [
            (round((row.at - start).total_seconds() / 60), row.person.partition("@")[0], row.why)
            for row in rows
        ]

    def deliveries(self, channel: str) -> list[PageDelivery]:
        """Return the deliveries by this channel."""
        return [row for row in self.talk.rows(PageDelivery) if row.channel == channel]

    def texted(self, phone: str) -> list[str]:
        """Return what a member of staff was texted."""
        return [text.body for text in self.world.gateway.created(phone)]

    def rung(self, phone: str) -> int:
        """Return how often a member of staff was called."""
        return sum(call.to == phone for call in self.world.gateway.voiced)

    # --- what they do ---

    def actor(self, email: str) -> actions.Actor:
        """Return somebody who acts on the page."""
        return actions.actor_by_email(self.world.services, email, self.item.id)

    def takes(self, email: str) -> None:
        """Have somebody take the page, and the tick see it."""
        actions.take(self.world.services, self.item.id, actor=self.actor(email))
        self.tick()
