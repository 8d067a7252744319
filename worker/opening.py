"""Opening follow-ups: what the rules want becomes an item on somebody's list, once a cause.

Every step that finds something for a person comes through here.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from records import enrollments, followups
from records.base import Session, new_id
from records.followups import FollowUpEvent
from schedules.followups import LAPSES, SAFETY_CAUSE, WantedFollowUp
from schedules.staffing import Severity

SYSTEM = "system"


def open_follow_ups(
    session: Session,
    clinic_id: UUID,
    patient_id: UUID | None,
    wanted: Sequence[WantedFollowUp],
    *,
    source_kind: str,
    source_id: UUID,
    now: datetime,
) -> list[UUID]:
    """Open an item for each wanted follow-up, or join the open one of the same cause.

    `source_kind` is message, inbound, appointment, check_in or enrollment. Returns the items' ids,
    in the order of `wanted`.
    """
    if patient_id is not None and any(one.reason in LAPSES for one in wanted):
        # Daily check-ins may be taken up again.
        enrollments.request_plan_of_patient(session, patient_id)
    return [
        _open(session, clinic_id, patient_id, one, (source_kind, source_id), now) for one in wanted
    ]


def _open(
    session: Session,
    clinic_id: UUID,
    patient_id: UUID | None,
    wanted: WantedFollowUp,
    source: tuple[str, UUID],
    now: datetime,
) -> UUID:
    fresh = new_id()
    item_id = followups.open_item(
        session,
        {
            "id": fresh,
            "clinic_id": clinic_id,
            "patient_id": patient_id,
            "reason": str(wanted.reason),
            "severity": wanted.severity.value,
            "cause": wanted.cause,
            "source_kind": source[0],
            "source_id": source[1],
            "opened_at": now,
            "due_at": wanted.due_at,
        },
    )
    if item_id != fresh:
        _wake(session, item_id, wanted)
    action = "opened" if item_id == fresh else "joined"
    session.add(
        FollowUpEvent(
            clinic_id=clinic_id,
            follow_up_id=item_id,
            at=now,
            actor=SYSTEM,
            action=":".join([action, str(wanted.reason), *map(str, wanted.also)]),
        )
    )
    return item_id


def _wake(session: Session, item_id: UUID, wanted: WantedFollowUp) -> None:
    """Bring an item that was put off or acknowledged back before somebody, if this is urgent."""
    item = followups.by_id(session, item_id)
    if item is None or wanted.severity not in {Severity.PAGE_NOW, Severity.CALL_TODAY}:
        return
    session.refresh(item)
    item.snoozed_until = None
    # Care rule 10: a new safety text joins the open item and pages again, with a clock of its own.
    if wanted.cause.startswith(SAFETY_CAUSE) and item.status == "acknowledged":
        item.status = "open"
        item.acknowledged_at = None
        item.due_at = wanted.due_at
