"""What the outside tells of pages: keys pressed, how calls and texts went, a service's word.

The voice names the clinic and nothing about a patient: whoever picks up the phone may hear it.
"""

import hmac
import json
import time
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID
from xml.etree import ElementTree as ET

from records import clinics, followups, pages
from records.pages import DeliveryStatus
from worker.logs import get_logger
from worker.paging import words
from worker.paging.pager import Taken, accepted, climb_if_nobody_was_reached
from worker.paging.transports import signature
from worker.services import Services
from worker.steps import followup_actions as actions
from worker.steps.followup_actions import FollowUpActionError, FollowUpEndedError, NotAllowedError

log = get_logger(__name__)

_GATHER_SECONDS = 8
_TIMES = 3
_VOICE = "en-US"
#: A signed word is believed for so long, so that one overheard can't be said again later.
_BELIEVED_SECONDS = 300
_ENDS = MappingProxyType(
    {
        "completed": DeliveryStatus.DELIVERED,
        "delivered": DeliveryStatus.DELIVERED,
        "busy": DeliveryStatus.FAILED,
        "no-answer": DeliveryStatus.FAILED,
        "canceled": DeliveryStatus.FAILED,
        "failed": DeliveryStatus.FAILED,
        "undelivered": DeliveryStatus.FAILED,
    }
)
# A phone that rang unheard is tried once more, a little later.
_RING_AGAIN_AFTER = timedelta(seconds=60)
_RING_AGAIN = MappingProxyType({"busy": 2, "no-answer": 2})


def ask(services: Services, page_id: UUID | None) -> bytes:
    """Return the TwiML of a page: who calls, and which key takes it."""
    response = ET.Element("Response")
    spoken = _spoken(services, page_id)
    if spoken is None:
        _say(response, "This page is over. Thank you.")
    else:
        _gather(response, services, page_id, f"{spoken} Press 1 to take it.")
    return _document(response)


def _gather(response: ET.Element, services: Services, page_id: UUID | None, asked: str) -> None:
    """Ask for the key, several times over; say what follows if nobody presses it."""
    action = f"{services.settings.public_url}/twilio/voice/page/key?page={page_id}"
    for _ in range(_TIMES):
        gather = ET.SubElement(
            response,
            "Gather",
            input="dtmf",
            numDigits="1",
            timeout=str(_GATHER_SECONDS),
            action=action,
            method="POST",
        )
        _say(gather, asked)
    # The next one is called when the clock comes: this call's end changes nothing.
    _say(response, "If nobody takes it, we call the next person.")


def _spoken(services: Services, page_id: UUID | None) -> str | None:
    """Return what a page says, None once it was taken."""
    if page_id is None:
        return None
    with services.database.transaction() as session:
        page = pages.by_id(session, page_id)
        if page is None or page.closed_at is not None:
            return None
        clinic = clinics.by_id(session, page.clinic_id)
        item = followups.read(session, page.follow_up_id) if page.follow_up_id else None
        told = words.Told(
            page_id=page.id,
            clinic=clinic.file,
            clinic_key=clinic.key,
            kind=page.kind,
            why=page.why,
            severity=page.severity,
            person=page.person,
            now=services.now,
            subject=page.subject,
            item_id=item.id if item else None,
        )
    return words.spoken(told)


def key_pressed(services: Services, page_id: UUID | None, digits: str) -> bytes:
    """Take a page if 1 was pressed, and ask again for any other key; return what is said then."""
    if page_id is None or digits != "1":
        return ask(services, page_id)
    response = ET.Element("Response")
    try:
        actions.take_page(services, page_id)
        _say(response, "It is yours. Please sign in now and open it. Thank you.")
    except FollowUpEndedError:
        _say(response, "It has ended already. Thank you.")
    except NotAllowedError:
        _say(response, "A clinician has to take this one. We go on calling. Thank you.")
    except FollowUpActionError:
        _say(response, "A colleague has taken it already. Thank you.")
    return _document(response)


def note_status(services: Services, delivery_id: UUID | None, status: str) -> bool:
    """Note how a call or a text to staff went; False if there is no such delivery."""
    end = _ENDS.get(status)
    if delivery_id is None:
        return False
    senders: set[UUID] = set()
    with services.database.transaction() as session:
        found = pages.lock_deliveries(session, [delivery_id]).get(delivery_id)
        if found is None:
            return False
        page, row = found
        now = services.now
        if end is None:
            # A word on the way is proof that the carrier has it, should its answer have been lost.
            if row.status == DeliveryStatus.SENDING:
                senders = accepted(session, [Taken(page, row, row.reference)], now=now)
        elif row.status in {DeliveryStatus.ACCEPTED, DeliveryStatus.SENDING}:
            again = page.closed_at is None and row.tries < _RING_AGAIN.get(status, 0)
            row.status = DeliveryStatus.PLANNED if again else end
            row.error = None if end is DeliveryStatus.DELIVERED else status
            row.next_at = now + _RING_AGAIN_AFTER if again else None
            row.final_at = None if again else now
            session.flush()
            if end is DeliveryStatus.FAILED and not again:
                climb_if_nobody_was_reached(session, page, now=now)
    for sender_id in senders:
        services.nudge("safety", str(sender_id))
    return True


def acknowledged(services: Services, body: bytes, signed: str) -> tuple[int, str]:
    """Take a page on the word of a paging service; return the HTTP status and what is wrong."""
    secret = services.settings.page_webhook_secret
    if secret is None or not _believed(secret.get_secret_value(), body, signed):
        return 403, "The signature does not fit."
    try:
        page_id = UUID(json.loads(body)["page"])
    except (ValueError, KeyError, TypeError):
        return 400, 'Send {"page": "..."} with the id that the page bore.'
    try:
        actions.take_page(services, page_id)
    except FollowUpActionError as error:
        return 409, str(error)
    return 200, ""


def _believed(secret: str, body: bytes, signed: str) -> bool:
    parts = dict(part.partition("=")[::2] for part in signed.split(","))
    at = parts.get("t", "")
    if not (at.isascii() and at.isdigit() and len(at) < 12):
        return False
    fits = hmac.compare_digest(signature(secret, int(at), body).encode(), signed.encode())
    return fits and abs(time.time() - int(at)) < _BELIEVED_SECONDS


def _say(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, "Say", language=_VOICE).text = text


def _document(response: ET.Element) -> bytes:
    spoken: bytes = ET.tostring(response, encoding="utf-8", xml_declaration=True)
    return spoken
