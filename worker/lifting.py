"""What staff may take back of a stop, once the patient has told them that they want texts again.

Where the carrier blocks the number by itself, only a START from it opens it there: until that has
come, texts would be refused, and the stop stays.
"""

import json
from typing import Any

from messages.keywords import carrier_acts_on
from records import clinics, conversation, inbox, patients
from records.base import Session
from records.inbox import Inbound
from records.patients import OptOut, Patient
from schedules.clinic import OptoutHandledBy
from worker.refusal import RefusedError
from worker.replying.stopping import StopReason
from worker.services import Services

# Somebody who lives has the number of one who died, and says so.
_LIFTABLE = frozenset({*StopReason, patients.DECEASED})

_WRONG = (
    "Whoever has this number said that it is wrong: record the right number, then the consent."
    " If it was misread, correct the reply; if the patient has told you that the number is theirs,"
    " add --number-verified."
)
_BY_KEYWORD = (
    "They stopped with a keyword, and the carrier blocks their number: ask them to text START."
)
_REFUSED = "The carrier refuses this number: ask them to text START, or record another number."


def lift_stop(
    session: Session, services: Services, person: Patient, *, number_verified: bool
) -> str:
    """Take back the stop of a patient's number, and return what it was for.

    What fell due meanwhile is not replayed (rule 20). `number_verified` is staff's word that the
    patient has this number. Where it was called wrong, nothing proves it any more: the next reply
    does. Raises RefusedError where there is no stop, or where it is not for staff to lift.
    """
    clinic_id, blind = person.clinic_id, person.phone_blind
    stop = patients.opted_out(session, clinic_id=clinic_id, blind=blind)
    if stop is None:
        raise RefusedError("There is no stop to lift. Record the consent without that.")
    refused = stop.reason.startswith(patients.REFUSED)
    wrong = stop.reason == StopReason.WRONG_NUMBER
    if wrong and not (number_verified or _was_misread(session, stop)):
        raise RefusedError(_WRONG)
    if stop.reason not in _LIFTABLE and not refused:
        raise RefusedError(_REFUSED)
    if _is_blocked(session, services, stop):
        raise RefusedError(_REFUSED if refused else _BY_KEYWORD)
    patients.lift_said_opt_out(
        session, clinic_id=clinic_id, blind=blind, reasons=[stop.reason], at=services.now
    )
    conversation.close_missed(session, [person.id], now=services.now)
    if wrong:
        person.proved_at = None
    return stop.reason


def _was_misread(session: Session, stop: OptOut) -> bool:
    """Whether staff have corrected each text since that called the number wrong."""
    wrong = StopReason.WRONG_NUMBER.value
    texts = inbox.taken_for(
        session, stop.clinic_id, stop.phone_blind, intent=wrong, since=stop.occurred_at
    )
    meant = inbox.corrections_of(session, [text.id for text in texts])
    return bool(texts) and all(
        text.id in meant and meant[text.id].intent != wrong for text in texts
    )


def _is_blocked(session: Session, services: Services, stop: OptOut) -> bool:
    """Whether the carrier refuses the number still, as far as its own texts tell.

    The last text that the carrier acted on says so. A stop in a sentence changes nothing about a
    keyword that came before it.
    """
    refused = stop.reason.startswith(patients.REFUSED)
    file = clinics.by_id(session, stop.clinic_id).file
    if not refused and file.optout_handled_by is OptoutHandledBy.APP:
        return False
    for text in inbox.latest_of_number(session, stop.clinic_id, stop.phone_blind):
        acted = _carrier_took(services, text)
        if acted == "start":
            return refused and text.received_at <= stop.occurred_at
        if acted == "stop":
            return True
    return refused or stop.reason == StopReason.KEYWORD


def _carrier_took(services: Services, text: Inbound) -> str | None:
    """Return "stop", "start" or "help" where the carrier itself acted on a text."""
    sealed = services.vault.open("inbound", "payload", text.id, text.payload)
    payload: dict[str, Any] = json.loads(sealed)
    by_word = carrier_acts_on(services.vault.open("inbound", "body", text.id, text.body))
    return str(payload.get("OptOutType") or by_word or "").lower() or None
