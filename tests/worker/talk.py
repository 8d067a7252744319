"""A patient's phone in tests: what it texts, what it is answered, and what that left behind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import inspect, select

from messages.gateway import InboundText
from records.appointments import Appointment
from records.checkins import CheckIn
from records.followups import FollowUp
from records.inbox import Inbound
from records.outbox import Message
from records.patients import Patient
from tests.support.databases import OwnDatabase
from tests.support.world import NUMBER, World, make_patients, phone_of
from worker.steps import receive, replies
from worker.steps.receive import Outcome, Received

OPEN_ALL_DAY = timedelta(hours=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A follow-up, in the outline that the story tables compare."""

    reason: str
    severity: str
    patient_id: UUID | None
    times_joined: int
    due_at: datetime


class Talk:
    """One world, seen from the phones."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._sids = 0

    def sms(self, body: str, *, phone: str | None = None, **more: Any) -> InboundText:
        """Return a text as the webhook hands it over."""
        self._sids += 1
        sid = more.pop("sid", f"SM{self._sids:032x}")
        raw = {"MessageSid": sid, "Body": body, **more.pop("raw", {})}
        values = {
            "sid": sid,
            "to": NUMBER,
            "from_number": phone or phone_of(0),
            "body": body,
            "num_media": 0,
            "messaging_service_sid": None,
            "opt_out_type": None,
            "account_sid": self.world.settings.twilio_account_sid,
            "raw": raw,
        }
        return InboundText(**{**values, **more})

    def receive(self, body: str, *, phone: str | None = None, **more: Any) -> Received:
        """Store a text, as the webhook does, without handling it."""
        text = self.sms(body, phone=phone, **more)
        return receive.store(self.world.services, text, source="push", received_at=self.world.now)

    def receive_together(self, *texts: InboundText) -> list[Outcome]:
        """Store texts as the webhook does that come in at one time: in one transaction."""
        arrived = [receive.Arrived(text=text, received_at=self.world.now) for text in texts]
        return receive.store_many(self.world.services, arrived, source="push")

    def says(self, body: str, *, phone: str | None = None, **more: Any) -> Inbound:
        """Store a text and handle it; return its row."""
        found = self.receive(body, phone=phone, **more)
        replies.run(self.world.services)
        assert found.id is not None
        return self.inbound(found.id)

    def inbound(self, inbound_id: UUID) -> Inbound:
        with self.world.database.transaction() as session:
            return session.scalars(select(Inbound).where(Inbound.id == inbound_id)).one()

    def rows(self, model: Any) -> list[Any]:
        """Return all rows of a table in the order they were made."""
        with self.world.database.transaction() as session:
            return list(session.scalars(select(model).order_by(inspect(model).primary_key[0])))

    @property
    def answers(self) -> list[str]:
        """The templates of all automatic answers, in order."""
        rows = [row for row in self.rows(Message) if row.kind != "started"]
        return [row.template for row in rows if row.status not in {"cancelled", "skipped"}]

    @property
    def reasons(self) -> list[str]:
        """The reasons of all follow-ups, in order."""
        return [row.reason for row in self.rows(FollowUp)]

    def item(self, reason: str) -> Item:
        """Return the one follow-up with this reason."""
        [row] = [row for row in self.rows(FollowUp) if row.reason == reason]
        return Item(**{name: getattr(row, name) for name in Item.__annotations__})

    def patient(self, number: int = 0) -> Patient:
        row: Patient = self.rows(Patient)[number]
        return row

    def visit(self) -> Appointment:
        [row] = self.rows(Appointment)
        assert isinstance(row, Appointment)
        return row

    def check_in(self) -> CheckIn:
        [row] = self.rows(CheckIn)
        assert isinstance(row, CheckIn)
        return row

    def someone(self, count: int = 1, **more: Any) -> list[UUID]:
        """Add patients without any protocol."""
        world = self.world
        with world.database.transaction() as session:
            return make_patients(session, world.vault, world.clinic_id, count, **more)

    def asked(self, step: str, *, starts_in: timedelta, send_before: timedelta) -> UUID:
        """Book a visit and send the given step's text of it; return the visit's id."""
        world = self.world
        world.publish_protocols()
        visit_id, _ = world.book(starts_in=starts_in)
        world.advance(seconds=(starts_in - send_before).total_seconds())
        world.plan()
        self.send_due(step)
        return visit_id

    def send_due(self, *steps: str) -> None:
        """Send what is due now, and see each of these steps delivered."""
        world = self.world
        world.send()
        sent = {row.step for row in world.texts() if row.status == "accepted"}
        assert set(steps) <= sent, (steps, [(r.step, r.status, r.due_at) for r in world.texts()])
        self.delivered()

    def delivered(self) -> None:
        """Let every accepted text be delivered."""
        self.world.execute(
            "UPDATE message SET status = 'delivered', final_at = :now WHERE status = 'accepted'",
            now=self.world.now,
        )

    def daily(self, **patient: Any) -> UUID:
        """Enroll somebody for daily check-ins, and ask the first question."""
        world = self.world
        world.publish_protocols()
        patient_id = world.enroll_by_hand(**patient)
        world.plan()
        world.advance(hours=7)
        self.send_due("daily_0_10")
        return patient_id


def hide_column(database: OwnDatabase, table: str, column: str) -> Callable[[], None]:
    """Make every statement that needs this column fail; return what brings it back."""

    def rename(old: str, new: str) -> None:
        statement = f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}"
        with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    rename(column, "hidden")
    return lambda: rename("hidden", column)
