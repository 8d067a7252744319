"""Taking a follow-up: the locked item, who has it, and the trail that every deed leaves.

`worker.steps.followup_actions` does this for somebody who signed in, `web.paging` for a key
pressed in a call, `worker.replying.staffreply` for the answer to a page's text. All three end here,
so that a page is taken in one way, whatever it was taken by.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from records import audit, clinics, followups, pages
from records.base import Session, new_id
from records.casework import staff_by_id
from records.clinics import Staff
from records.followups import FollowUp
from records.pages import Page
from worker.presence import MAY_DECIDE
from worker.services import Services


class FollowUpActionError(Exception):
    """Something that can't be done with a follow-up; the message says what to do instead."""


class FollowUpMissingError(FollowUpActionError):
    """No such follow-up in this clinic."""

    def __init__(self) -> None:
        super().__init__("There is no such follow-up. List them with `aftercare followups`.")


class FollowUpTakenError(FollowUpActionError):
    """Somebody else has it already."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"{owner} has taken this follow-up already. Ask them to hand it over.")
        self.owner = owner


class FollowUpEndedError(FollowUpActionError):
    """It was resolved before."""

    def __init__(self, outcome: str | None) -> None:
        super().__init__(f"This follow-up has ended already ({outcome or 'resolved'}).")


class FollowUpJoinedError(FollowUpActionError):
    """Something joined it that the person has not seen: what they would do might hide it."""

    def __init__(self, follow_up_id: UUID, joined: int, what: str) -> None:
        super().__init__(f"{what} Read it first; nothing was changed.")
        self.follow_up_id, self.joined = follow_up_id, joined


class NotAllowedError(FollowUpActionError):
    """The person's role does not include this."""


class BadActionError(FollowUpActionError):
    """An instant, an outcome or a person that does not fit."""


BEFORE_A_DOSE = "A dose follows this, so that a clinician has to take it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. `label` is written to the trails and holds an internal id, never a name."""

    label: str
    staff_id: UUID
    clinic_id: UUID
    role: str


def take_page(services: Services, page_id: UUID) -> str:
    """Acknowledge a page in the name of whoever was paged; return the page's kind.

    For a key pressed on the phone, a paging service's answer and the command line; whoever signed
    in acts by `worker.steps.followup_actions.take_paged`. Raises FollowUpActionError.
    """
    with services.database.transaction() as session:
        return take_page_in(session, services, page_id)


def take_page_in(session: Session, services: Services, page_id: UUID) -> str:
    """Acknowledge a page within the caller's transaction. Nothing is changed where it raises.

    Somebody on call who has no sign-in of their own is noted by their key on the ladder.
    Raises FollowUpActionError.
    """
    page = pages.by_id(session, page_id)
    if page is None:
        raise FollowUpMissingError
    if page.follow_up_id is None:
        note_reached(session, page, now=services.now)
        return page.kind
    item = followups.by_id(session, page.follow_up_id)
    if item is None or item.status == "resolved":
        raise FollowUpEndedError(item.outcome if item else None)
    _take_as(session, services, item, page.person)
    return page.kind


def note_reached(session: Session, page: Page, *, now: datetime) -> None:
    """Note that a page about no item reached the person paged; a second time changes nothing."""
    page.acknowledged_at = page.acknowledged_at or now
    page.acknowledged_by = page.acknowledged_by or page.person
    page.closed_at = page.closed_at or now
    pages.end_deliveries(session, [page.id], now=now)


def _take_as(session: Session, services: Services, item: FollowUp, person: str) -> None:
    staff = _signed_up(session, item.clinic_id, person)
    owner = staff.id if staff is not None else None
    theirs = (item.owner_id, item.taken_by) not in {(None, None), (owner, None), (None, person)}
    if theirs and followups.is_held(item):
        raise FollowUpTakenError(owner_of(session, item))
    # Whoever is on call without a sign-in is on the ladder by the clinic's own word.
    refuse_if_not_theirs(item, staff.role if staff is not None else None)
    item.owner_id, item.taken_by = owner, None if staff is not None else person
    label = f"staff:{owner}" if owner else "on_call"
    acknowledge(session, services, item, label)
    actor = Actor(
        label=label, staff_id=owner or UUID(int=0), clinic_id=item.clinic_id, role="coordinator"
    )
    record(session, services, item, actor, "taken")


def refuse_if_not_theirs(item: FollowUp, role: str | None) -> None:
    """Have nobody stop the climb of what a clinician has to decide. Raises NotAllowedError."""
    if item.dose_at is not None and role is not None and role not in MAY_DECIDE:
        raise NotAllowedError(f"{BEFORE_A_DOSE} Hand it to one.")


def _signed_up(session: Session, clinic_id: UUID, person: str) -> Staff | None:
    found = (one for one in clinics.staff_by_email(session, person) if one.disabled_at is None)
    return next((one for one in found if one.clinic_id == clinic_id), None)


def acknowledge(session: Session, services: Services, item: FollowUp, label: str) -> None:
    """Stop the climb. The ladder looks at the item at once and sets its next clock."""
    now = services.now
    item.status = "acknowledged"
    item.acknowledged_at = now
    item.snoozed_until, item.joined_at = None, None
    item.run_acknowledged_at, item.climbs_at = now, now
    pages.close_of_item(session, item.id, now=now, by=label)


def owner_of(session: Session, item: FollowUp) -> str:
    """Name who has an item: by their address, or by their key on the ladder."""
    owner = staff_by_id(session, item.owner_id) if item.owner_id else None
    return owner.email if owner else item.taken_by or "A colleague"


def record(
    session: Session,
    services: Services,
    item: FollowUp,
    actor: Actor,
    action: str,
    *,
    note: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Leave a line in the item's history and in the clinic's trail; a note is kept sealed."""
    event_id = new_id()
    sealed = None
    if note is not None:
        sealed = services.vault.seal("follow_up_event", "note", event_id, note)
    followups.tell(
        session,
        item.clinic_id,
        item.id,
        at=services.now,
        actor=actor.label,
        action=action,
        event_id=event_id,
        note=sealed,
    )
    audit.record(
        session,
        services.vault,
        clinic_id=item.clinic_id,
        now=services.now,
        actor=actor.label,
        action=f"follow_up.{action}",
        subject=f"follow_up:{item.id}",
        details=details,
    )
