"""A patient's phone on the real line: texts and receipts come in by the signed webhook.

Line.writes -> POST /twilio/inbound -> the receive step   (nothing else has run yet)
Line.says   -> writes, then the replies step, then what it queued goes to the carrier
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import select
from twilio.request_validator import RequestValidator

from records.inbox import Inbound
from records.outbox import Message
from records.patients import OptOut, Patient, opted_out
from tests.support.world import NUMBER, World, phone_of
from tests.web.served import Client
from tests.worker.desk import Desk
from worker.steps import people, receipts, receive, replies, send

STRANGER = "+12125550177"
AGREED = "paper,2026-11-29,visits;check_ins,v3,yes"
PATIENTS = (
    "patient_id,clinic,first_name,phone,language,timezone,"
    "consent_method,consented_at,consent_purposes,consent_version,sms_risk_ack"
)


class Line(Desk):
    """One clinic, its desk, and the phones that text it through the web process."""

    def __init__(self, world: World, client: Client) -> None:
        super().__init__(world)
        self._client = client

    def writes(self, body: str, *, phone: str | None = None, **fields: str) -> Inbound:
        """Text the clinic; return the row as the webhook's own transaction left it."""
        self._sids += 1
        sid = fields.pop("MessageSid", f"SM{self._sids:032x}")
        form = {
            "MessageSid": sid,
            "SmsStatus": "received",
            "NumMedia": "0",
            "Body": body,
            "To": NUMBER,
            "From": phone or phone_of(0),
            "AccountSid": self.world.settings.twilio_account_sid,
            **fields,
        }
        self._post("/twilio/inbound", form)
        with self.world.database.transaction() as session:
            return session.scalars(select(Inbound).where(Inbound.sid == sid)).one()

    def says(self, body: str, *, phone: str | None = None, **fields: str) -> Inbound:
        """Text the clinic and see the text handled and answered; return its row."""
        row = self.writes(body, phone=phone, **fields)
        self.handles()
        return self.inbound(row.id)

    def pulls(self, body: str, *, at: datetime) -> None:
        """Find a text on the carrier's list, written then, whose webhook never came; handle it."""
        receive.store(self.world.services, self.sms(body), source="pull", received_at=at)
        self.handles()

    def handles(self) -> None:
        """Do what the workers do with texts received: read, answer, send."""
        world = self.world
        replies.run(world.services)
        if world.execute("SELECT 1 FROM message WHERE status = 'planned' AND kind = 'safety'"):
            # Nobody takes the page here, so a safety reply goes when it has waited for one.
            world.advance(seconds=3)
        send.run_safety(world.services, world.carrier, world.sender_id)
        world.send()

    def reports(self, message_id: UUID, status: str, *, code: int | None = None) -> None:
        """Let the carrier say what became of a text's latest attempt."""
        attempt = self.world.attempts(message_id)[-1]
        form = {
            "MessageSid": attempt.sid or f"SM{attempt.number:032x}",
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": self.world.settings.twilio_account_sid,
            **({"ErrorCode": str(code)} if code else {}),
        }
        self._post(f"/twilio/status?message={message_id}&attempt={attempt.number}", form)
        receipts.run(self.world.services)

    def _post(self, path: str, form: dict[str, str]) -> None:
        settings = self.world.settings
        validator = RequestValidator(settings.twilio_auth_token.get_secret_value())
        signature = validator.compute_signature(settings.public_url + path, form)
        answer = self._client.post(
            path,
            data=urlencode(form).encode(),
            headers={
                "X-Twilio-Signature": signature,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        assert answer.status_code in {200, 204}, answer.status_code

    def reads(self, phone: str | None = None) -> list[str]:
        """Return the words that reached a phone, in order."""
        return [text.body for text in self.world.gateway.created(phone or phone_of(0))]

    def person(self, number: int = 0) -> Patient:
        """Return the patient with this number of the tests' own."""
        return self.patient(number)

    def stop_of(self, phone: str | None = None) -> OptOut | None:
        """Return the opt-out in force for a phone."""
        world = self.world
        with world.database.transaction() as session:
            blind = world.vault.blind("phone", phone or phone_of(0))
            return opted_out(session, clinic_id=world.clinic_id, blind=blind)

    def admits_by_file(
        self,
        phone: str | None = None,
        *,
        consent: str = AGREED,
        name: str = "P9",
        first: str = "Ana",
        quiet: bool = False,
    ) -> None:
        """Import a patient with a consent, as `method,when,purposes,wording,risk warning`."""
        row = f"{name},riverside,{first},{phone or phone_of(0)},en,America/New_York,{consent}"
        report = people.import_patients(
            self.world.services,
            f"{PATIENTS}\n{row}".encode(),
            actor="desk@clinic.test",
            quiet=quiet,
        )
        assert report.bad == 0, report.faults

    def handled_by(self, who: str) -> None:
        """Set who confirms keywords: twilio or app."""
        self._set("{optout_handled_by}", f'"{who}"')

    def footer(self, when: str) -> None:
        """Set which started texts say how to stop: always or monthly."""
        self._set("{stop_footer}", f'"{when}"')

    def _set(self, path: str, value: str) -> None:
        self.world.execute(
            "UPDATE clinic SET settings = jsonb_set(settings, CAST(:path AS text[]),"
            " CAST(:value AS jsonb)), version = version + 1",
            path=path,
            value=value,
        )

    def asks_for_confirmation(self) -> UUID:
        """Send somebody a text that asks to confirm a visit in a week; return the visit."""
        visit_id, _ = self.world.book(starts_in=timedelta(days=8))
        self.world.advance(days=1)
        self.world.plan()
        self.send_due("visit_7d")
        return visit_id

    def asks_daily(self, **patient: Any) -> UUID:
        """Send somebody the daily question; return the patient."""
        patient_id = self.world.enroll_by_hand(**patient)
        self.world.plan()
        self.world.advance(hours=7)
        self.send_due("daily_0_10")
        return patient_id

    def texts_sent(self, *steps: str) -> list[Message]:
        """Return the texts of these steps that went to the carrier."""
        return [each for each in self.world.texts() if each.step in steps and each.attempts]
