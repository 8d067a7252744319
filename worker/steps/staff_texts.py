"""A message from a coordinator to a patient, now or later, by the same gates as any text we start.

It opens a conversation: check-ins rest from the minute it goes until the item is resolved, which is
due only after it went. Texts about visits, and the checks after a dose, go on.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from messages.errors import MessageError
from messages.formats import gsm
from records import audit, clinics, followups, patients, planning, sending
from records.base import Session, new_id
from records.clinics import Clinic
from records.outbox import Message
from records.patients import Patient
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from schedules.telling import telling
from worker import enrolling, protocols, resting, staffwords
from worker.costs import Price, price_of
from worker.opening import open_follow_ups
from worker.refusal import RefusedError
from worker.rendering import Rendered, Subject, render
from worker.services import Services

LONGEST = 300
_USEFUL = timedelta(hours=24)
_FURTHEST = timedelta(days=30)
# Not counted by the caps: staff decide themselves how often they write.
_PRIORITY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a text will be billed as, and the words as they will stand in it.

    Letters that would make each part hold 70 letters are written plain (an accent), or left out.
    """

    segments: int
    price: Price
    words: str = field(repr=False)


def outlook(
    services: Services, patient_id: UUID, words: str, *, at: datetime | None = None
) -> Outlook:
    """Say how many parts such a text would take, as it would go; writes nothing.

    Raises RefusedError where `write` would for these words.
    """
    with services.database.transaction() as session:
        person = patients.by_id(session, patient_id)
        clinic = clinics.by_id(session, person.clinic_id)
        due = at or services.now
        rendered = _rendered(session, services, clinic, person, words.strip(), due)
    return Outlook(
        segments=rendered.segments,
        price=price_of(clinic.file),
        words=gsm(words.strip()),
    )


def write(
    services: Services,
    patient_id: UUID,
    words: str,
    *,
    actor: str,
    owner_id: UUID | None = None,
    at: datetime | None = None,
) -> UUID:
    """Queue a text to a patient for `at` (aware; now unless given); return the message's id.

    It goes at the first allowed minute from then on. Raises RefusedError for what must not go: to
    somebody who stopped, is held or closed, or words that give a patient away.
    """
    now, row_id = services.now, new_id()
    due = at or now
    with services.database.transaction() as session:
        person = patients.by_id(session, patient_id)
        clinic = clinics.by_id(session, person.clinic_id)
        _refuse(session, services, clinic, person, words.strip(), due)
        if planning.without_welcome(session, [person.id]):
            published = protocols.of_clinic(session, clinic.id)
            enrolling.join(session, clinic.file, published, [person], now=now)
        session.add(_row(session, services, person, row_id, words.strip(), due))
        resting.rest_for_conversation(session, person.id, since=due)
        _open(session, clinic, person, row_id, owner_id, now, due)
        audit.record(
            session,
            services.vault,
            clinic_id=clinic.id,
            now=now,
            actor=actor,
            action="patient.texted",
            subject=f"message:{row_id}",
        )
    return row_id


def _refuse(
    session: Session, services: Services, clinic: Clinic, person: Patient, words: str, due: datetime
) -> None:
    if not words or len(words) > LONGEST:
        raise RefusedError(f"Write something, and no more than {LONGEST} letters.")
    if due < services.now - timedelta(minutes=5) or due > services.now + _FURTHEST:
        raise RefusedError("Give a time from now to 30 days ahead.")
    if person.status != "active":
        raise RefusedError("This patient's texts are held or closed. Call them.")
    blind = person.phone_blind
    if patients.opted_out(session, clinic_id=clinic.id, blind=blind) is not None:
        raise RefusedError("This patient stopped texts. Call them.")
    _rendered(session, services, clinic, person, words, due)


def _rendered(
    session: Session, services: Services, clinic: Clinic, person: Patient, words: str, due: datetime
) -> Rendered:
    told = sending.told_to_stop(session, [person.id], now=services.now)
    tag = services.vault.open("patient", "tag", person.id, person.tag) if person.tag else None
    subject = Subject(
        clinic=clinic.file,
        now=due,
        params={"words": words},
        tag=tag,
        telling=telling(told.get(person.id), due, clinic.file.zone),
    )
    try:
        return render(services.catalog, staffwords.TEMPLATE, person.language, subject)
    except MessageError as error:
        raise RefusedError(
            f"These words must not stand in a text ({error}). Anybody may see a phone: write "
            "neutrally, or call."
        ) from None


def _row(
    session: Session, services: Services, person: Patient, row_id: UUID, words: str, due: datetime
) -> Message:
    return Message(
        id=row_id,
        clinic_id=person.clinic_id,
        sender_id=clinics.active_sender(session, person.clinic_id).id,
        patient_id=person.id,
        step=staffwords.TEMPLATE,
        occurrence=str(row_id),
        kind="started",
        purpose="visits",
        priority=_PRIORITY,
        template=staffwords.TEMPLATE,
        params=staffwords.sealed(services.vault, row_id, words),
        language=person.language,
        due_at=due,
        next_at=due,
        latest_at=due + _USEFUL,
    )


def _open(
    session: Session,
    clinic: Clinic,
    person: Patient,
    message_id: UUID,
    owner_id: UUID | None,
    now: datetime,
    goes_at: datetime,
) -> None:
    reason = FollowUpReason.CONVERSATION
    severity = Severity.NEXT_BUSINESS_DAY
    wanted = WantedFollowUp(
        reason=reason,
        severity=severity,
        due_at=clinic.file.staffed().due(severity, max(now, goes_at)),
        cause=f"{reason}:{person.id}",
    )
    [item_id] = open_follow_ups(
        session,
        clinic.id,
        person.id,
        [wanted],
        source_kind="message",
        source_id=message_id,
        now=now,
    )
    item = followups.by_id(session, item_id)
    if item is not None and item.owner_id is None and owner_id is not None:
        # Whoever writes has the conversation; they need not take it first.
        item.owner_id, item.status, item.acknowledged_at = owner_id, "acknowledged", now
