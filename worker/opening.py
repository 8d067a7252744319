"""Opening follow-ups: what the rules want becomes an item on somebody's list, once a cause.

Every step that finds something for a person comes through here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from records import disclosures, enrollments, followups, inbox, pages
from records.base import Session, new_id
from records.followups import FollowUp
from records.inbox import Inbound
from schedules.followups import (
    CHANGES_PLANS,
    SAFETY_CAUSE,
    FollowUpReason,
    WantedFollowUp,
)
from schedules.staffing import Severity
from worker import lapses, resting
from worker.leads import account_of_lead

SYSTEM = "system"
#: Whoever was paged about a danger hears of each text more, and after so many no closer than this.
MANY_TEXTS, BETWEEN_PAGES = 5, timedelta(seconds=30)
#: The outcome of an item whose reason is gone: the visit was booked, the patient came after all.
NO_LONGER_NEEDED = "no_longer_needed"
#: What the story of an item says when it became the lead's by itself.
TO_LEAD = "assigned:lead"


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
    source = (source_kind, source_id)
    if patient_id is None:
        return [_open(session, clinic_id, None, one, source, now) for one in wanted]
    if any(one.cause.startswith(f"{SAFETY_CAUSE}:") for one in wanted):
        resting.rest_for_crisis(session, patient_id, now=now)
    opened = []
    for each in wanted:
        one, dose_at = lapses.in_time(session, clinic_id, patient_id, each, now)
        opened.append(_open(session, clinic_id, patient_id, one, source, now, dose_at=dose_at))
    for one in _disclosures(session, patient_id, wanted):
        _open(session, clinic_id, patient_id, one, source, now)
    return opened


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
    *,
    dose_at: datetime | None = None,
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
            "dose_at": dose_at,
            **_page_clock(wanted, now),
        },
    )
    if item_id != fresh:
        _wake(session, item_id, wanted, now)
    to_lead = wanted.for_lead and _give_to_lead(session, item_id, clinic_id, now)
    action = "opened" if item_id == fresh else "joined"
    why = ":".join([action, str(wanted.reason), *map(str, wanted.also)])
    followups.tell(session, clinic_id, item_id, at=now, actor=SYSTEM, action=why)
    if dose_at is not None and (item := followups.by_id(session, item_id)) is not None:
        item.dose_at = dose_at
        lapses.give_to_clinician(session, item, now=now)
    if to_lead:
        followups.tell(session, clinic_id, item_id, at=now, actor=SYSTEM, action=TO_LEAD)
    return item_id


def end_needless(session: Session, items: Sequence[FollowUp], *, now: datetime) -> None:
    """Resolve items that nobody has to act on any more, and say so in their story.

    As with `end`, the items are locked, and one that holds a text to be read stays.
    """
    end(session, items, outcome=NO_LONGER_NEEDED, actor=SYSTEM, now=now)


def end(
    session: Session, items: Sequence[FollowUp], *, outcome: str, actor: str, now: datetime
) -> None:
    """Resolve items, with whatever is on its way about them: nobody is to answer their pages.

    The items are locked. One that a text joined since it was last taken stays: what it was opened
    for is gone, and somebody has yet to read the text. A text that waits for the lock finds the
    item ended, and opens one of its own.
    """
    unread = _with_unread_texts(session, items)
    for item in items:
        if item.id in unread:
            continue
        item.status, item.outcome, item.resolved_at = "resolved", outcome, now
        item.climbs_at = None
        pages.close_of_item(session, item.id, now=now)
        followups.tell(session, item.clinic_id, item.id, at=now, actor=actor, action="resolved")


def _with_unread_texts(session: Session, items: Sequence[FollowUp]) -> set[UUID]:
    """Return which items a text joined, other than the one they were opened for, since taken."""
    known = {item.id: item for item in items}
    if not known:
        return set()
    return {
        item_id
        for text in inbox.about_any(session, list(known))
        for item_id in known.keys() & {text.follow_up_id, *text.other_follow_ups}
        if text.id != known[item_id].source_id and not _has_seen(known[item_id], text)
    }


def _has_seen(item: FollowUp, text: Inbound) -> bool:
    """Whether an item was taken with a text in it."""
    taken_at, joined_at = item.acknowledged_at, text.handled_at
    return taken_at is not None and joined_at is not None and joined_at <= taken_at


def _give_to_lead(session: Session, item_id: UUID, clinic_id: UUID, now: datetime) -> bool:
    """Make the lead an item's owner, unless somebody has it already or the lead can't."""
    lead = account_of_lead(session, clinic_id, now=now)
    item = followups.by_id(session, item_id) if lead is not None else None
    if lead is None or item is None or item.owner_id or item.taken_by:
        return False
    item.owner_id = lead.id
    return True


def _page_clock(wanted: WantedFollowUp, now: datetime) -> dict[str, datetime]:
    """Give an item's clocks where nobody is to be paged yet; else they begin as they do."""
    start = wanted.pages_from
    return {} if start is None or start <= now else {"climbs_at": start, "run_at": start}


def _wake(session: Session, item_id: UUID, wanted: WantedFollowUp, now: datetime) -> None:
    """Bring an item that was put off or acknowledged back before somebody, if this is urgent."""
    item = followups.by_id(session, item_id)
    if item is None or wanted.severity not in {Severity.PAGE_NOW, Severity.CALL_TODAY}:
        return
    if wanted.pages_from is not None and wanted.pages_from > now:
        return
    session.refresh(item)
    item.snoozed_until = None
    if wanted.severity is Severity.PAGE_NOW:
        item.joined_at, item.climbs_at = now, _pages_again_at(session, item, now)
    # Care rule 10: a new safety text joins the open item and pages again, with a clock of its own.
    if wanted.cause.startswith(SAFETY_CAUSE) and item.status == "acknowledged":
        item.status = "open"
        item.acknowledged_at = None
        item.due_at = wanted.due_at


def _pages_again_at(session: Session, item: FollowUp, now: datetime) -> datetime:
    """Return when whoever was paged hears of a new text: at once, until there were many of them.

    Somebody who never stops writing must not bury the page about somebody else.
    """
    if item.times_joined < MANY_TEXTS:
        return now
    # Whoever was told only of something that could wait has not heard of the danger.
    last = pages.last_about(session, item.id, Severity.PAGE_NOW)
    return max(now, last + BETWEEN_PAGES) if last else now
