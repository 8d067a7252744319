"""What state a text is in, and what a carrier's report may do to it.

Reports arrive late, twice and out of order. `advance` is therefore a maximum over one total
order of the carrier's words, which makes the end state independent of their order.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class MessageStatus(StrEnum):
    """Where one text is on its way; the names are those of `aftercare messages --json`."""

    planned = "planned"
    claimed = "claimed"
    submitting = "submitting"
    unknown = "unknown"
    accepted = "accepted"
    sent = "sent"
    delivered = "delivered"
    undelivered = "undelivered"
    failed = "failed"
    expired = "expired"
    cancelled = "cancelled"
    skipped = "skipped"


_S = MessageStatus

# `sending` means that Twilio is handing the text on: for us that is still "the carrier has it".
_CARRIER: Mapping[str, MessageStatus] = MappingProxyType(
    {
        "accepted": _S.accepted,
        "scheduled": _S.accepted,
        "queued": _S.accepted,
        "sending": _S.accepted,
        "sent": _S.sent,
        "delivered": _S.delivered,
        "partially_delivered": _S.delivered,
        "read": _S.delivered,
        "undelivered": _S.undelivered,
        "failed": _S.failed,
        "canceled": _S.cancelled,
        "cancelled": _S.cancelled,
    }
)

# Rank 0 is our own knowledge only, which any word of the carrier's overrules. Among the carrier's
# last words the order is: delivered (it was seen on the handset's side) over undelivered (it left
# Twilio) over failed over cancelled. Each rank above 0 belongs to one status, so two reports can
# never tie, and "first final word wins" is deliberately not the rule: it would depend on order.
RANK: Mapping[MessageStatus, int] = MappingProxyType(
    {
        _S.planned: 0,
        _S.claimed: 0,
        _S.submitting: 0,
        _S.unknown: 0,
        _S.expired: 0,
        _S.skipped: 0,
        _S.accepted: 1,
        _S.sent: 2,
        _S.cancelled: 3,
        _S.failed: 4,
        _S.undelivered: 5,
        _S.delivered: 6,
    }
)

FINAL: frozenset[MessageStatus] = frozenset(
    {_S.delivered, _S.undelivered, _S.failed, _S.expired, _S.cancelled, _S.skipped}
)


def from_carrier(status: str) -> MessageStatus | None:
    """Return our status for a carrier's word, or None for a word we do not know.

    An unknown word is stored and counted by the caller and is never an error: carriers add words.
    """
    return _CARRIER.get(status.strip().lower())


def advance(
    current: MessageStatus, reported: MessageStatus, *, ours: bool = False
) -> MessageStatus:
    """Return the status after a carrier's report; it never regresses.

    `ours` says that `current` is our own conclusion and not the carrier's word: a text that ended
    `failed` with the reason `outcome_unknown`, or that we cancelled while an attempt was open.
    Late truth then wins, whatever its rank. A `reported` status that no carrier can report
    (planned, claimed, expired ...) changes nothing.
    """
    if not RANK[reported]:
        return current
    standing = 0 if ours else RANK[current]
    return reported if RANK[reported] > standing else current
