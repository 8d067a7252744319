"""A clinic with patients, visits and due texts, for tests of the steps and for the benchmarks."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import func, insert, select, text

from messages.gateway import Gateway
from messages.gateways.fake import FakeGateway
from messages.templates import shipped
from records.appointments import Appointment
from records.base import Database, Session, new_id
from records.clinics import Clinic, Sender, SenderNumber
from records.enrollments import Enrollment, ProtocolVersion
from records.keys import open_vault
from records.outbox import Attempt, Message
from records.patients import Patient, external_blind, phone_blind
from records.vault import Vault, new_key
from schedules import loader
from schedules.clinic import read_clinic
from worker.carrier import Carrier
from worker.clock import SetClock
from worker.services import Services
from worker.settings import Settings, load
from worker.steps import outcomes, plan, send

CLINIC = """
id: {key}
name: Riverside Ketamine & Recovery Center
sms_name: Riverside Care
phone: "+12125550100"
timezone: America/New_York
languages: [en, es]
send_window: {{from: "{opens}", to: "{closes}"}}
staffed_hours: {{mon: ["08:00-17:00"], tue: ["08:00-17:00"], wed: ["08:00-17:00"],
  thu: ["08:00-17:00"], fri: ["08:00-17:00"]}}
holidays: {{country: US, subdivision: NY}}
sender: {{from: "{number}", segments_per_second: 1000}}
on_call: [{{name: Sam, phone: "+12125550190", email: sam@clinic.test, hours: always}}]
lead: {{name: Kim, phone: "+12125550191", email: kim@clinic.test}}
after_hours: on_call
unknown: {{policy: verify_then_retry, grace_seconds: 15, recheck_seconds: 5}}
protocols: [assessment-visit, dosing-visit, after-dose, integration, daily-check-in]
"""
NUMBER = "+12125550110"
ALL_PURPOSES = ("visits", "check_ins", "health_questions")
# A Monday, 10:00 in New York.
MONDAY_MORNING = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)


def settings_for(database_url: str, **more: Any) -> Settings:
    """Return settings for steps that run in this process."""
    values = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PUBLIC_URL": "http://127.0.0.1:9",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "token",
        "TWILIO_API_URL": "http://127.0.0.1:9",
        "AFTERCARE_ENCRYPTION_KEYS": new_key(),
        "AFTERCARE_SECRET_KEY": "secret-for-tests-only",
        "AFTERCARE_CLOCK_OFFSET": 0,
    }
    return load(_env_file=None, **{**values, **more})


def make_clinic(
    session: Session,
    *,
    key: str = "riverside",
    number: str = NUMBER,
    opens: str = "09:00",
    closes: str = "20:00",
    rate: float = 1e6,
) -> tuple[UUID, UUID]:
    """Insert a clinic with one sender; return both ids."""
    yaml = CLINIC.format(key=key, number=number, opens=opens, closes=closes)
    file = read_clinic(yaml, "clinic.yaml", sandbox=True)
    clinic = Clinic(id=new_id(), key=key, settings=file.to_json())
    session.add(clinic)
    session.flush()
    sender = Sender(
        id=new_id(),
        clinic_id=clinic.id,
        from_number=number,
        segments_per_second=rate,
        tokens=rate,
    )
    session.add(sender)
    session.flush()
    session.add(SenderNumber(number=number, clinic_id=clinic.id, sender_id=sender.id))
    session.flush()
    return clinic.id, sender.id


def phone_of(number: int) -> str:
    """Return the number of patient `number`: made up, and different for each."""
    return f"+1{2125550120 + number}" if number < 60 else f"+1{3005550100 + number * 10_000}"


def patient_row(vault: Vault, clinic_id: UUID, number: int, **more: Any) -> dict[str, Any]:
    """Return a patient who agreed to everything, as `insert` takes it."""
    patient_id, phone = new_id(), more.pop("phone", None) or phone_of(number)
    plain = {
        "external_id": f"P{number}",
        "first_name": "Robin",
        "phone": phone,
        "profile": "{}",
    }
    sealed = {name: vault.seal("patient", name, patient_id, plain[name]) for name in plain}
    return {
        "id": patient_id,
        "clinic_id": clinic_id,
        **sealed,
        "external_id_blind": external_blind(vault, f"P{number}"),
        "phone_blind": phone_blind(vault, phone),
        "language": "en",
        "timezone": "America/New_York",
        "purposes": list(ALL_PURPOSES),
        "proved_at": datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    }


def make_patients(
    session: Session, vault: Vault, clinic_id: UUID, count: int, *, first: int = 0, **more: Any
) -> list[UUID]:
    """Insert patients; return their ids."""
    rows = [patient_row(vault, clinic_id, first + number, **more) for number in range(count)]
    session.execute(insert(Patient), rows)
    return [row["id"] for row in rows]


def make_visits(
    session: Session,
    vault: Vault,
    clinic_id: UUID,
    patients: Sequence[UUID],
    starts_at: datetime,
    *,
    label: str = "V",
    **more: Any,
) -> list[UUID]:
    """Insert one dosing visit for each patient; return their ids."""
    rows = []
    for number, patient_id in enumerate(patients):
        visit_id = new_id()
        plain = json.dumps({"location": "Suite 2"})
        rows.append(
            {
                "id": visit_id,
                "clinic_id": clinic_id,
                "patient_id": patient_id,
                "external_id": f"{label}{number}",
                "kind": "dosing",
                "route": "iv",
                "starts_at": starts_at,
                "ends_at": starts_at + timedelta(hours=2),
                "status": "booked",
                "details": vault.seal("appointment", "details", visit_id, plain),
                "booked_at": starts_at - timedelta(days=20),
                **more,
            }
        )
    session.execute(insert(Appointment), rows)
    return [row["id"] for row in rows]


def make_due(
    session: Session,
    clinic_id: UUID,
    sender_id: UUID,
    patients: Sequence[UUID],
    visits: Sequence[UUID],
    *,
    due_at: datetime,
    starts_at: datetime,
    **more: Any,
) -> list[UUID]:
    """Insert one visit reminder for each patient, due at one instant; return their ids."""
    rows = [
        {
            "id": new_id(),
            "clinic_id": clinic_id,
            "sender_id": sender_id,
            "patient_id": patient_id,
            "appointment_id": visit_id,
            "step": "visit-7d",
            "purpose": "visits",
            "priority": 50,
            "template": "visit_7d",
            "due_at": due_at,
            "next_at": due_at,
            "latest_at": due_at + timedelta(hours=6),
            "anchor_at": starts_at,
            "revision": 1,
            "expects": "appointment_reminder",
            "answer_until": starts_at,
            **more,
        }
        for patient_id, visit_id in zip(patients, visits, strict=True)
    ]
    session.execute(insert(Message), rows)
    return [row["id"] for row in rows]


class World:
    """One clinic on a clock that the test sets, with a carrier in memory."""

    def __init__(
        self,
        database_url: str,
        *,
        at: datetime = MONDAY_MORNING,
        settings: Mapping[str, Any] | None = None,
        monotonic: Callable[[], float] = lambda: 0.0,
        **clinic: Any,
    ) -> None:
        self.settings = settings_for(database_url, **(settings or {}))
        self.clock = SetClock(at)
        self._sync_offset()
        self.database = Database.connect(database_url, application="test")
        with self.database.transaction() as session:
            self.vault = open_vault(session, self.settings.keys)
            self.clinic_id, self.sender_id = make_clinic(session, **clinic)
        self.services = Services(
            settings=self.settings,
            database=self.database,
            vault=self.vault,
            clock=self.clock,
            catalog=shipped(),
        )
        # By that clock no text is too old to be sent, however long the machine stands still.
        self.gateway = FakeGateway(clock=self.clock.now, monotonic=monotonic)
        self.carrier = Carrier(
            self.make_gateway,
            in_flight=64,
            write=lambda posted: outcomes.write(self.services, posted),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.carrier.close()
        self.database.close()

    def make_gateway(self) -> Gateway:
        """Return what texts go out by; called on the carrier's own loop."""
        return self.gateway

    def use(self, database: Database) -> None:
        """Go on with another database, such as one restored from a backup."""
        self.database = database
        self.services = replace(self.services, database=database)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def advance(self, **delta: float) -> None:
        """Move the clock on; guards that use the database's clock do not move."""
        self.clock.at += timedelta(**delta)
        self._sync_offset()

    def _sync_offset(self) -> None:
        self.settings.clock_offset = (self.clock.now() - datetime.now(UTC)).total_seconds()

    def due(
        self, count: int = 1, *, patient: dict[str, Any] | None = None, **more: Any
    ) -> list[UUID]:
        """Insert patients, a visit in seven days for each, and a reminder due now."""
        starts_at = self.now + timedelta(days=7)
        with self.database.transaction() as session:
            first = session.execute(text("SELECT count(*) FROM patient")).scalar_one()
            people = make_patients(
                session, self.vault, self.clinic_id, count, first=first, **(patient or {})
            )
            visits = make_visits(
                session, self.vault, self.clinic_id, people, starts_at, label=f"V{first}-"
            )
            values = {"due_at": self.now, "starts_at": starts_at, **more}
            return make_due(session, self.clinic_id, self.sender_id, people, visits, **values)

    def publish_protocols(self) -> None:
        """Publish the shipped protocols for the clinic."""
        with self.database.transaction() as session:
            for name, source in loader.shipped_files().items():
                session.add(
                    ProtocolVersion(
                        id=new_id(),
                        clinic_id=self.clinic_id,
                        protocol=name.removesuffix(".yaml"),
                        number=1,
                        source=source,
                        checksum="",
                        published_by="test",
                    )
                )

    def book(
        self, *, starts_in: timedelta, protocol: str = "dosing-visit", **visit: Any
    ) -> tuple[UUID, UUID]:
        """Insert a patient with a booked visit, enrolled for it; return visit and patient."""
        patient = visit.pop("patient", None) or {}
        with self.database.transaction() as session:
            first = session.execute(text("SELECT count(*) FROM patient")).scalar_one()
            [patient_id] = make_patients(
                session, self.vault, self.clinic_id, 1, first=first, **patient
            )
            [visit_id] = make_visits(
                session,
                self.vault,
                self.clinic_id,
                [patient_id],
                self.now + starts_in,
                label=f"B{first}-",
                **visit,
            )
            session.add(
                Enrollment(
                    id=new_id(),
                    clinic_id=self.clinic_id,
                    patient_id=patient_id,
                    protocol=protocol,
                    appointment_id=visit_id,
                    created_at=self.now - timedelta(days=20),
                    plan_requested_at=func.clock_timestamp(),
                )
            )
        return visit_id, patient_id

    def admit(self, **patient: Any) -> UUID:
        """Insert a patient who follows nothing yet; return the patient."""
        with self.database.transaction() as session:
            first = session.execute(text("SELECT count(*) FROM patient")).scalar_one()
            [patient_id] = make_patients(
                session, self.vault, self.clinic_id, 1, first=first, **patient
            )
        return patient_id

    def enroll_by_hand(self, *, protocol: str = "daily-check-in", **patient: Any) -> UUID:
        """Insert a patient enrolled from today; return the patient."""
        with self.database.transaction() as session:
            first = session.execute(text("SELECT count(*) FROM patient")).scalar_one()
            [patient_id] = make_patients(
                session, self.vault, self.clinic_id, 1, first=first, **patient
            )
            session.add(
                Enrollment(
                    id=new_id(),
                    clinic_id=self.clinic_id,
                    patient_id=patient_id,
                    protocol=protocol,
                    anchor_day=self.now.date(),
                    created_at=self.now,
                    plan_requested_at=func.clock_timestamp(),
                )
            )
        return patient_id

    def plan(self) -> None:
        """Run the plan step."""
        plan.run(self.services)

    def texts(self) -> list[Message]:
        """Return all messages by due time."""
        with self.database.transaction() as session:
            return list(session.scalars(select(Message).order_by(Message.due_at, Message.step)))

    def safety_reply(self, phone: str) -> UUID:
        """Insert an answer to danger, due now, to the number that the text came from."""
        message_id = new_id()
        row = {
            "id": message_id,
            "clinic_id": self.clinic_id,
            "sender_id": self.sender_id,
            "step": "safety",
            "kind": "safety",
            "priority": 0,
            "template": "crisis_reply_noalert",
            "language": "en",
            "due_at": self.now,
            "next_at": self.now,
            "latest_at": self.now,
            "recipient": self.vault.seal("message", "recipient", message_id, phone),
            "recipient_blind": self.vault.blind("phone", phone),
        }
        with self.database.transaction() as session:
            session.execute(insert(Message), [row])
        return message_id

    def send(self) -> None:
        """Run the steps that send until they have nothing more to do, outcomes included."""
        send.run_safety(self.services, self.carrier, self.sender_id)
        send.run(self.services, self.carrier, self.sender_id)
        assert self.carrier.drain(20)

    def message(self, message_id: UUID) -> Message:
        """Return a message as it is now."""
        with self.database.transaction() as session:
            return session.scalars(select(Message).where(Message.id == message_id)).one()

    def statuses(self) -> dict[str, int]:
        """Return how many messages there are of each status."""
        counted = text("SELECT status, count(*) FROM message GROUP BY status")
        with self.database.transaction() as session:
            return {row[0]: row[1] for row in session.execute(counted)}

    def attempts(self, message_id: UUID) -> list[Attempt]:
        """Return a message's attempts in order."""
        mine = select(Attempt).where(Attempt.message_id == message_id).order_by(Attempt.number)
        with self.database.transaction() as session:
            return list(session.scalars(mine))

    def execute(self, statement: str, **values: Any) -> Any:
        """Run a statement as the processes' role; return its rows if it has any."""
        with self.database.transaction() as session:
            result = session.execute(text(statement), values)
            # An UPDATE has none, and says so only through its cursor.
            return result.all() if getattr(result, "returns_rows", False) else None
