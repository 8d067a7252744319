"""What a page says. Never who the patient is, nor what they wrote: a phone lies on a table.

The person paged opens the item after signing in, and reads there what it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from messages import formats
from schedules.clinic import ClinicFile
from schedules.ladder import Why

_NEEDED = MappingProxyType(
    {
        "page_now": "someone needs you NOW",
        "call_today": "a call is due",
        "next_business_day": "something waits for you",
        "digest": "something waits for you",
    }
)
_WHY = MappingProxyType(
    {
        Why.OPENED: "",
        Why.DUE: "",
        Why.CLIMBED: "Nobody has taken it yet.",
        Why.JOINED: "They wrote again.",
        Why.NO_OUTCOME: "It has no outcome yet.",
        Why.CLOSED: "Nobody is on call; it is yours to decide, or waits for the opening.",
        Why.NOBODY: "",
    }
)
_ABOUT = MappingProxyType(
    {
        "test": "this is the weekly TEST page. Take it, so that we know it reached you.",
        "breaker": "texts are NOT going out: the carrier refuses them. See the call list.",
        "failing": "texts are NOT going out: the carrier does not take them. See the call list.",
        "not_arriving": "texts do NOT arrive, though the carrier takes them. See the call list.",
        "late": "texts are late: they wait to be taken up. See the call list.",
        "resumed": "texts go again. Some came too late meanwhile: see the call list.",
        "file": "the clinic's file can NOT be read. The one before holds: run aftercare doctor.",
        "digest": "the day's open items are on the list.",
    }
)
#: What a member of staff is told who answered a page by text.
_ANSWERS = MappingProxyType(
    {
        "taken": "it is yours. Please sign in now: {url}",
        "thanks": "thank you, it reached you.",
        "colleague": "a colleague has it already. Thank you.",
        "clinician": "a clinician has to take that one. We go on calling.",
        "ended": "that one has ended already. Thank you.",
        "own": "we read that as your own answer, and took no page for it.",
        "unclear": "we could not read that.",
        "which": "more than one is open, and none is taken yet.",
        "nothing": "nothing waits for you. Nobody reads texts of staff here: call {phone}.",
    }
)
#: A text found late says how old it is, from this many minutes on.
_LATE_MINUTES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a page speaks of.

    `wrote_at` is when the patient's text was received, `reply_code` the number that takes the page
    when its text is answered. `waiting` are number and time of the pages that are still open, for
    whoever has answered one.
    """

    page_id: UUID
    clinic: ClinicFile
    clinic_key: str
    kind: str
    why: str
    severity: str
    person: str
    now: datetime
    reason: str | None = None
    subject: str | None = None
    item_id: UUID | None = None
    opened_at: datetime | None = None
    wrote_at: datetime | None = None
    times: int = 1
    reply_code: int | None = None
    waiting: tuple[tuple[int, datetime], ...] = ()


def address_of(public_url: str, told: Told) -> str:
    """Return where the person paged goes on."""
    if told.item_id is not None:
        return f"{public_url}/follow-ups/{told.item_id}"
    if told.subject == "test":
        return f"{public_url}/pages/{told.page_id}"
    return f"{public_url}/"


def sentence(told: Told) -> str:
    """Return what is the matter, in one line without a patient in it."""
    if told.item_id is None:
        return _ABOUT.get(told.subject or "", _NEEDED["digest"])
    parts = [f"{_NEEDED.get(told.severity, _NEEDED['digest'])}.", _WHY.get(Why(told.why), "")]
    return " ".join(part for part in (*parts, _since(told)) if part)


def _since(told: Told) -> str:
    if told.wrote_at is not None:
        minutes = int((told.now - told.wrote_at).total_seconds() // 60)
        if minutes >= _LATE_MINUTES:
            return f"Their text is {minutes} min old."
    if told.opened_at is None:
        return ""
    return f"Since {formats.clock_in(told.opened_at, told.clinic.zone, 'en')}."


def text(told: Told, public_url: str) -> str:
    """Return the words of a text message."""
    if told.subject in _ANSWERS:
        return _answer(told, public_url)
    by_text = f"reply {told.reply_code}, or " if told.reply_code else ""
    return (
        f"{told.clinic.sms_name}: {sentence(told)} Take it: {by_text}{address_of(public_url, told)}"
    )


#: So many pages are told by their numbers: a text of all may be longer than any carrier takes.
_TOLD = 8


def _answer(told: Told, public_url: str) -> str:
    """Return what is said to whoever answered a page, and what else waits for them."""
    words = _ANSWERS[told.subject or ""].format(url=f"{public_url}/", phone=told.clinic.phone)
    zone = told.clinic.zone
    numbers = ", ".join(
        f"{code} (since {formats.clock_in(at, zone, 'en')})" for code, at in told.waiting[:_TOLD]
    )
    if more := len(told.waiting[_TOLD:]):
        numbers += f" and {more} more"
    rest = f" Still open: reply {numbers} to take it." if numbers else ""
    return f"{told.clinic.sms_name}: {words}{rest}"


def subject_line(told: Told) -> str:
    """Return an e-mail's subject."""
    head = "PAGE" if told.severity == "page_now" else "Aftercare"
    return f"{head}: {told.clinic.sms_name}: {sentence(told)}"


def letter(told: Told, public_url: str) -> str:
    """Return an e-mail's words."""
    return (
        f"{told.clinic.sms_name}: {sentence(told)}\n\n"
        f"Sign in and take it: {address_of(public_url, told)}\n\n"
        "You get this because you are on the clinic's list of people to be paged. It names nobody "
        "on purpose. Replies to this address are not read.\n"
    )


def spoken(told: Told) -> str:
    """Return what the voice says when a page is answered; no patient is in it (TwiML says it)."""
    if told.subject == "test":
        return f"This is the weekly test page of {told.clinic.sms_name}."
    if told.item_id is None and told.subject == "file":
        return f"This is {told.clinic.sms_name}. The clinic's file can not be read."
    if told.item_id is None:
        return f"This is {told.clinic.sms_name}. Texts are not going out. Please sign in."
    return (
        f"This is a page from {told.clinic.sms_name}. Someone needs you now. "
        f"{_WHY.get(Why(told.why), '')}"
    ).strip()


def posted(told: Told, public_url: str, delivery_id: UUID) -> Mapping[str, Any]:
    """Return the document of a paging webhook."""
    return {
        "event": "page",
        "page": str(told.page_id),
        "delivery": str(delivery_id),
        "clinic": told.clinic_key,
        "kind": told.kind,
        "why": told.why,
        "severity": told.severity,
        "reason": told.reason,
        "person": told.person,
        "followup_id": str(told.item_id) if told.item_id else None,
        "summary": f"{told.clinic.sms_name}: {sentence(told)}",
        "url": address_of(public_url, told),
        "opened_at": told.opened_at.isoformat() if told.opened_at else None,
        "sent_at": told.now.isoformat(),
    }
