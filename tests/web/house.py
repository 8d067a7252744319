"""A clinic with staff, patients and texts, and the carrier's own way of signing webhooks."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from argon2 import PasswordHasher
from sqlalchemy import text

from messages.templates import shipped
from records import patients, search
from records.base import Database, Session, new_id
from records.clinics import Clinic, Sender, SenderNumber, Staff
from records.followups import FollowUp
from records.inbox import Inbound
from records.keys import open_vault
from records.outbox import Message
from records.patients import Patient
from records.vault import new_key
from schedules.clinic import ClinicFile, read_clinic
from worker.clock import SetClock
from worker.services import Services
from worker.settings import Settings, load

# A Monday at 10:00 in New York.
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
TOKEN = "the carrier's and our secret"
PUBLIC_URL = "http://texts.clinic.test"
SERVICE = "MG" + "1" * 32
PASSWORD = "a long enough password"
NUMBER = "+12125550110"

# Argon2 takes its time by design, a fifth of a second for each look at a password. A hash says how
# much its own takes, so this one of least work serves every person of the tests.
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

_FILE = """
id: {key}
name: Riverside Recovery
sms_name: Riverside Care
phone: "+12125550100"
timezone: America/New_York
languages: [en, es]
staffed_hours: {{mon: ["08:00-12:00", "13:00-17:00"], tue: ["08:00-17:00"]}}
sender: {{messaging_service_sid: {service}, numbers: ["{number}"], segments_per_second: 10}}
after_hours: none
"""


def settings(database_url: str, **overrides: Any) -> Settings:
    """Return settings as an operator gives them, for a sandbox."""
    values = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PUBLIC_URL": PUBLIC_URL,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_URL": "http://127.0.0.1:9",
        "AFTERCARE_ENCRYPTION_KEYS": new_key(),
        "AFTERCARE_SECRET_KEY": "a secret that signs cookies",
    }
    return load(**{**values, **overrides}, _env_file=None)


def signature(path: str, pairs: list[tuple[str, str]], *, base: str = PUBLIC_URL) -> str:
    """Sign a form as the carrier does: the address, then each name and value by name."""
    distinct: dict[str, set[str]] = {}
    for name, value in pairs:
        distinct.setdefault(name, set()).add(value)
    signed = base + path + "".join(n + v for n in sorted(distinct) for v in sorted(distinct[n]))
    return base64.b64encode(hmac.digest(TOKEN.encode(), signed.encode(), hashlib.sha1)).decode()


def post(client: Any, path: str, form: Any, **headers: str) -> Any:
    """Post a form, signed unless `headers` bring a signature of their own."""
    pairs = list(form.items()) if isinstance(form, dict) else list(form)
    headers = {"X-Twilio-Signature": signature(path, pairs), **headers}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return client.post(path, data=urlencode(pairs).encode(), headers=headers)


def inbound_form(body: str = "C", *, sid: str = "SM" + "a" * 32, **more: str) -> dict[str, str]:
    """Return what the carrier posts for a patient's text."""
    form = {
        "ToCountry": "US",
        "MessageSid": sid,
        "SmsMessageSid": sid,
        "SmsStatus": "received",
        "NumMedia": "0",
        "NumSegments": "1",
        "Body": body,
        "To": NUMBER,
        "From": "+12125550123",
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
    }
    return {**form, **more}


def status_form(
    status: str = "delivered", *, sid: str = "SM" + "b" * 32, **more: str
) -> dict[str, str]:
    """Return what the carrier posts as its word on a text of ours."""
    form = {
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": status,
        "SmsStatus": status,
        "AccountSid": ACCOUNT,
        "From": NUMBER,
        "To": "+12125550123",
        "ApiVersion": "2010-04-01",
    }
    return {**form, **more}


@dataclass(slots=True, kw_only=True)
class House:
    """The services, and rows made to order."""

    services: Services
    clock: SetClock
    nudged: list[str] = field(default_factory=list)

    @classmethod
    def build(cls, database_url: str, **overrides: Any) -> "House":
        given = settings(database_url, **overrides)
        database = Database.connect(database_url, application="test", pool_size=20)
        with database.transaction() as session:
            vault = open_vault(session, given.keys)
        clock, nudged = SetClock(NOW), []
        services = Services(
            settings=given,
            database=database,
            vault=vault,
            clock=clock,
            catalog=shipped(),
            nudge=lambda step, *_: nudged.append(step),
        )
        return cls(services=services, clock=clock, nudged=nudged)

    def with_settings(self, **overrides: Any) -> Services:
        """Return the services under other settings."""
        url = self.services.settings.database_url.get_secret_value()
        return replace(self.services, settings=settings(url, **overrides))

    def add(self, *rows: Any) -> Any:
        """Insert rows; return the first."""
        with self.services.database.transaction() as session:
            for row in rows:
                session.add(row)
                session.flush()
        return rows[0]

    def count(self, table: str, where: str = "true") -> int:
        """Return how many rows of a table fulfil a condition."""
        with self.services.database.transaction() as session:
            found: int = session.execute(
                text(f"SELECT count(*) FROM {table} WHERE {where}")
            ).scalar_one()
            return found

    def rows(self, query: str) -> list[Any]:
        """Return what a query finds."""
        with self.services.database.transaction() as session:
            return list(session.execute(text(query)))

    def clinic(
        self, key: str = "riverside", *, number: str = NUMBER, service: str = SERVICE
    ) -> Clinic:
        """Add a clinic with its sender and number."""
        source = _FILE.format(key=key, number=number, service=service)
        file: ClinicFile = read_clinic(source, "clinic.yaml", sandbox=True)
        clinic = Clinic(id=new_id(), key=key, settings=file.to_json())
        sender = Sender(
            id=new_id(), clinic_id=clinic.id, messaging_service_sid=service, segments_per_second=10
        )
        self.add(
            clinic,
            sender,
            SenderNumber(number=number, clinic_id=clinic.id, sender_id=sender.id),
        )
        return clinic

    def staff(
        self, clinic: Clinic, email: str = "kim@clinic.test", role: str = "coordinator"
    ) -> Staff:
        """Add somebody who signs in with PASSWORD."""
        row = Staff(id=new_id(), clinic_id=clinic.id, email=email, role=role, password_hash=_HASH)
        return self.add(row)

    def patient(
        self,
        clinic: Clinic,
        external_id: str = "P-1",
        *,
        first_name: str = "Ana",
        phone: str = "+12125550123",
    ) -> Patient:
        """Add a patient."""
        row = Patient(id=new_id(), clinic_id=clinic.id, language="en", timezone="America/New_York")
        patients.seal_identity(
            self.services.vault,
            row,
            external_id=external_id,
            first_name=first_name,
            phone=phone,
            details={},
        )
        hashes = search.tokens(
            self.services.vault, external_id=external_id, first_name=first_name, phone=phone
        )
        added = self.add(row)
        with self.services.database.transaction() as session:
            search.index(session, added, hashes)
        return added

    def message(self, patient: Patient, body: str | None = None, **values: Any) -> Message:
        """Add an outbound text, delivered two hours ago unless `values` say otherwise."""
        row_id, at = new_id(), NOW - timedelta(hours=2)
        given: dict[str, Any] = {
            "step": "remind",
            "template": "visit_reminder",
            "priority": 7,
            "due_at": at,
            "latest_at": at + timedelta(hours=4),
            "next_at": at,
            "status": "delivered",
            "submitted_at": at,
        }
        given |= values
        row = Message(
            id=row_id,
            clinic_id=patient.clinic_id,
            patient_id=patient.id,
            sender_id=self.sender_of(patient.clinic_id),
            **given,
        )
        if body is not None:
            row.body = self.services.vault.seal("message", "body", row_id, body)
        return self.add(row)

    def inbound(
        self, clinic_id: UUID, body: str, patient: Patient | None = None, **v: Any
    ) -> Inbound:
        """Add a text received an hour ago unless the values say otherwise."""
        row_id, vault = new_id(), self.services.vault
        number = "+12125550123"
        row = Inbound(
            id=row_id,
            clinic_id=clinic_id,
            sid=v.pop("sid", f"SM{row_id.hex}"),
            patient_id=patient.id if patient else None,
            to_number=NUMBER,
            from_number=vault.seal("inbound", "from_number", row_id, number),
            from_blind=patients.phone_blind(vault, number),
            body=vault.seal("inbound", "body", row_id, body),
            payload=vault.seal("inbound", "payload", row_id, "{}"),
            source="push",
            received_at=v.pop("received_at", NOW - timedelta(hours=1)),
            **v,
        )
        return self.add(row)

    def follow_up(
        self,
        clinic_id: UUID,
        reason: str = "callback",
        severity: str = "call_today",
        patient: Patient | None = None,
        **values: Any,
    ) -> FollowUp:
        """Add an open follow-up due in an hour."""
        row_id = new_id()
        given: dict[str, Any] = {
            "source_kind": "inbound",
            "source_id": new_id(),
            "opened_at": NOW - timedelta(minutes=30),
            "due_at": NOW + timedelta(hours=1),
            "cause": f"{reason}:{row_id}",
        }
        row = FollowUp(
            id=row_id,
            clinic_id=clinic_id,
            patient_id=patient.id if patient else None,
            reason=reason,
            severity=severity,
            **{**given, **values},
        )
        return self.add(row)

    def sender_of(self, clinic_id: UUID) -> UUID:
        """Return the clinic's sender."""
        with self.services.database.transaction() as session:
            return _sender(session, clinic_id)


def _sender(session: Session, clinic_id: UUID) -> UUID:
    found: UUID = session.execute(
        text("SELECT id FROM sender WHERE clinic_id = :clinic"), {"clinic": clinic_id}
    ).scalar_one()
    return found
