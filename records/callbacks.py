"""Status callbacks as they come in: many at once, each kept with the clinic it belongs to.

`web.webhooks` collects what arrives within a few milliseconds and stores it here in one
transaction; `worker.steps.receipts` applies it later.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from records import inbox, receipts
from records.base import new_id
from records.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One signed status callback. `message_id` and `attempt` come from the address we gave out."""

    message_id: UUID | None
    attempt: int | None
    sid: str
    status: str
    error_code: int | None
    from_number: str | None = field(repr=False)
    messaging_service_sid: str | None
    payload: str = field(repr=False)
    received_at: datetime


_BY_SID = text("SELECT sid, clinic_id FROM message WHERE sid = ANY(CAST(:sids AS text[]))")
_BY_NUMBER = text("""
    SELECT number, clinic_id FROM sender_number WHERE number = ANY(CAST(:numbers AS text[]))
    UNION ALL
    SELECT from_number, clinic_id FROM sender WHERE from_number = ANY(CAST(:numbers AS text[]))
""")
_BY_SERVICE = text("""
    SELECT DISTINCT ON (messaging_service_sid) messaging_service_sid, clinic_id FROM sender
    WHERE messaging_service_sid = ANY(CAST(:services AS text[]))
    ORDER BY messaging_service_sid, retired_at DESC NULLS FIRST
""")


def store(session: Session, vault: Vault, callbacks: Sequence[Callback]) -> Counter[str]:
    """Keep callbacks; return how many were `stored` and how many are `stray` (fit no clinic).

    One seen before is left as it is. All are written in one order, so that two processes that were
    told the same things cannot wait for each other.
    """
    known = receipts.clinics_of_messages(
        session, [each.message_id for each in callbacks if each.message_id]
    )
    others = [each for each in callbacks if each.message_id not in known]
    clinics = _clinics_of_strangers(session, others) if others else {}
    counted: Counter[str] = Counter()
    rows = []
    for each in sorted(callbacks, key=_order):
        ours = each.message_id if each.message_id in known else None
        clinic_id = known[ours] if ours else clinics.get(each.sid)
        if clinic_id is None:
            _store_stray(session, vault, each)
            counted["stray"] += 1
        else:
            rows.append(_receipt(vault, each, clinic_id, ours))
    receipts.store(session, rows)
    counted["stored"] = len(rows)
    return counted


def _order(callback: Callback) -> tuple[str, str, int]:
    return callback.sid, callback.status, callback.error_code or 0


def _clinics_of_strangers(session: Session, callbacks: Sequence[Callback]) -> dict[str, UUID]:
    """Find the clinic by the carrier's id of the text, or by whoever it was sent from."""
    by_sid = _pairs(session, _BY_SID, sids=(each.sid for each in callbacks))
    by_number = _pairs(session, _BY_NUMBER, numbers=(each.from_number for each in callbacks))
    by_service = _pairs(
        session, _BY_SERVICE, services=(each.messaging_service_sid for each in callbacks)
    )
    found = {}
    for each in callbacks:
        clinic_id = (
            by_sid.get(each.sid)
            or by_number.get(each.from_number or "")
            or by_service.get(each.messaging_service_sid or "")
        )
        if clinic_id is not None:
            found[each.sid] = clinic_id
    return found


def _pairs(session: Session, query: Any, **values: Iterable[str | None]) -> dict[str, UUID]:
    parameters = {name: sorted({each for each in row if each}) for name, row in values.items()}
    if not any(parameters.values()):
        return {}
    return {row[0]: row[1] for row in session.execute(query, parameters)}


def _receipt(
    vault: Vault, callback: Callback, clinic_id: UUID, message_id: UUID | None
) -> dict[str, Any]:
    row_id = new_id()
    return {
        "id": row_id,
        "clinic_id": clinic_id,
        "message_id": message_id,
        # An attempt speaks of its message only.
        "attempt": callback.attempt if message_id else None,
        "sid": callback.sid,
        "status": callback.status,
        "error_code": callback.error_code,
        "source": "callback",
        "payload": vault.seal("receipt", "payload", row_id, callback.payload),
        "received_at": callback.received_at,
    }


def _store_stray(session: Session, vault: Vault, callback: Callback) -> None:
    # A text has several statuses, and a stray webhook is kept once under its name.
    store_stray(
        session,
        vault,
        kind="status",
        name=f"{callback.sid}/{callback.status}",
        payload=callback.payload,
        reason="no clinic sends from this number or service",
        received_at=callback.received_at,
    )


def store_stray(
    session: Session,
    vault: Vault,
    *,
    kind: str,
    name: str,
    payload: str,
    reason: str,
    received_at: datetime,
) -> None:
    """Keep a signed webhook that fits no clinic or lacks what a row needs, once a `name`."""
    row_id = new_id()
    sealed = vault.seal("stray_webhook", "payload", row_id, payload)
    inbox.store_stray(
        session,
        {
            "id": row_id,
            "kind": kind,
            "sid": name,
            "payload": sealed,
            "reason": reason,
            "received_at": received_at,
        },
    )
