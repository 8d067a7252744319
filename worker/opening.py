"""Opening follow-ups: what the rules want becomes an item on somebody's list, once a cause.

Every step that finds something for a person comes through here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from records import appointments, clinics, disclosures, enrollments, followups
from records.base import Session, new_id
from records.followups import FollowUpEvent
from schedules.followups import (
    CHANGES_PLANS,
    LAPSES,
    SAFETY_CAUSE,
    FollowUpReason,
    WantedFollowUp,
    more_urgent,
)
from schedules.staffing import Severity
from worker import resting
from worker.leads import account_of_lead

SYSTEM = "system"
#: What the story of an item says when it became the lead's by itself.
TO_LEAD = "assigned:lead"
# So long before a dose a clinician has to know of a lapse.
_BEFORE_A_DOSE = timedelta(minutes=30)


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

    `source_kind` is message, inbound, appointment, check_in, enrollment, form or patient. Returns
    the ids of the items, in the order of `wanted`.
    """
    if patient_id is not None and any(one.reason in CHANGES_PLANS for one in wanted):
        # Daily check-ins may be taken up again, or rest.
        enrollments.request_plan_of_patient(session, patient_id)
    if patient_id is not None:
        wanted = [_before_the_dose(session, clinic_id, patient_id, one, now) for one in wanted]
        if any(one.cause.startswith(f"{SAFETY_CAUSE}:") for one in wanted):
            resting.rest_for_crisis(session, patient_id, now=now)
    opened = [
        _open(session, clinic_id, patient_id, one, (source_kind, source_id), now) for one in wanted
    ]
    if patient_id is not None:
        for one in _disclosures(session, patient_id, wanted):
            _open(session, clinic_id, patient_id, one, (source_kind, source_id), now)
    return opened


def _before_the_dose(
    session: Session, clinic_id: UUID, patient_id: UUID, wanted: WantedFollowUp, now: datetime
) -> WantedFollowUp:
    """Have a lapse that was told before a dose reach somebody before that dose."""
    if wanted.reason not in LAPSES:
        return wanted
    starts_at = appointments.next_dose(session, patient_id, now=now)
    if starts_at is None or wanted.due_at <= starts_at - _BEFORE_A_DOSE:
        return wanted
    staffed = clinics.by_id(session, clinic_id).file.staffed()
    for severity in (Severity.CALL_TODAY, Severity.PAGE_NOW):
        due = staffed.due(severity, now)
        if due <= starts_at - _BEFORE_A_DOSE:
            break
    return replace(wanted, severity=more_urgent(wanted.severity, severity), due_at=due)


def _disclosures(
    session: Session, patient_id: UUID, wanted: Sequence[WantedFollowUp]
) -> list[WantedFollowUp]:
    """A wrong number: what went there has to be assessed as a breach, if anything did (rule 21)."""
    reason = FollowUpReason.BREACH_ASSESSMENT
    return [
        replace(one, reason=reason, cause=f"{reason}:{patient_id}", also=())
        for one in wanted
        if one.reason == FollowUpReason.WRONG_NUMBER
        and disclosures.since_proof(session, patient_id)
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
        _wake(session, item_id, wanted, now)
    to_lead = wanted.for_lead and _give_to_lead(session, item_id, clinic_id, now)
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
    if to_lead:
        session.add(
            FollowUpEvent(
                clinic_id=clinic_id,
                follow_up_id=item_id,
                at=now,
                actor=SYSTEM,
                action=TO_LEAD,
            )
        )
    return item_id


def _give_to_lead(session: Session, item_id: UUID, clinic_id: UUID, now: datetime) -> bool:
    """Make the lead an item's owner, unless somebody has it already or the lead can't."""
    lead = account_of_lead(session, clinic_id, now=now)
    item = followups.by_id(session, item_id) if lead is not None else None
    if lead is None or item is None or item.owner_id or item.taken_by:
        return False
    item.owner_id = lead.id
    return True


def _wake(session: Session, item_id: UUID, wanted: WantedFollowUp, now: datetime) -> None:
    """Bring an item that was put off or acknowledged back before somebody, if this is urgent."""
    item = followups.by_id(session, item_id)
    if item is None or wanted.severity not in {Severity.PAGE_NOW, Severity.CALL_TODAY}:
        return
    session.refresh(item)
    item.snoozed_until = None
    if wanted.severity is Severity.PAGE_NOW:
        item.joined_at, item.climbs_at = now, now
    # Care rule 10: a new safety text joins the open item and pages again, with a clock of its own.
    if wanted.cause.startswith(SAFETY_CAUSE) and item.status == "acknowledged":
        item.status = "open"
        item.acknowledged_at = None
        item.due_at = wanted.due_at
