"""What a person does with a follow-up: take it, hand it over, put it off, end it.

The console and `aftercare followup` call these. Each is one transaction that locks the item, so
that of two people who take one at once the second is told who has it. Every action leaves a line
in the item's own history and in the clinic's audit trail.
"""

import re
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from records import (
    accounting,
    clinics,
    conversation,
    enrollments,
    followups,
    inbox,
    pages,
    patients,
    worklist,
)
from records.base import Session, new_id
from records.casework import staff_by_id
from records.clinics import Staff
from records.followups import FollowUp
from records.pages import Page
from records.worklist import ListedFollowUp
from schedules.clinic import ClinicFile
from schedules.clinic_parts import key_of
from schedules.followups import CHANGES_PLANS, SAFETY, FollowUpReason
from schedules.silence import CALL_AHEAD
from schedules.staffing import Severity
from worker import resting
from worker.presence import MAY_ACT, MAY_DECIDE
from worker.services import Services
from worker.taking import (
    BEFORE_A_DOSE,
    Actor,
    BadActionError,
    FollowUpActionError,
    FollowUpEndedError,
    FollowUpJoinedError,
    FollowUpMissingError,
    FollowUpTakenError,
    NotAllowedError,
    acknowledge,
    note_reached,
    owner_of,
    record,
    refuse_if_not_theirs,
    take_page,
)

__all__ = [
    "MAY_ACT",
    "MAY_DECIDE",
    "Actor",
    "BadActionError",
    "FollowUpActionError",
    "FollowUpEndedError",
    "FollowUpJoinedError",
    "FollowUpMissingError",
    "FollowUpTakenError",
    "NotAllowedError",
    "take_page",
]

# Care rule 10: a crisis is put off for half an hour at most, and ended by a clinician alone.
LONGEST_URGENT_SNOOZE = timedelta(minutes=30)
LONGEST_SNOOZE = timedelta(days=30)
# What was told outside is written down soon; a browser's clock may be a little ahead of ours.
LONGEST_AGO, _CLOCKS_APART = timedelta(days=30), timedelta(minutes=5)
LONGEST_RECIPIENT, LONGEST_TOLD, LONGEST_NOTE = 200, 2000, 2000
ONLY_LOOKS = "A viewer can look at follow-ups but not act on them."
ONLY_A_CLINICIAN = "Only a clinician ends this follow-up. Hand it over."
_REASONS_OF_SAFETY = frozenset(str(reason) for reason in SAFETY)

#: How a safety item ends (care rule 10), and what may be written for it.
SAFETY_OUTCOMES = ("reached_safe", "emergency_services_sent", "not_reached", "misread")
#: How other items usually end; the command takes other words of this form too.
OUTCOMES = ("reached", "left_message", "not_reached", "rebooked", "handled", "no_action_needed")
_ALIASES = {
    "reached_and_safe": "reached_safe",
    "safe": "reached_safe",
    "emergency_services": "emergency_services_sent",
}
_OUTCOME = re.compile(r"[a-z][a-z_]{1,39}")


def actor_of(staff: Staff) -> Actor:
    """Return a staff member as the one who acts."""
    return Actor(
        label=f"staff:{staff.id}", staff_id=staff.id, clinic_id=staff.clinic_id, role=staff.role
    )


def actor_by_email(services: Services, email: str, follow_up_id: UUID) -> Actor:
    """Return the staff member of the item's clinic with this address, for the command line.

    Raises FollowUpMissingError or BadActionError.
    """
    with services.database.transaction() as session:
        item = worklist.follow_up(session, services.vault, follow_up_id)
        if item is None:
            raise FollowUpMissingError
        return actor_of(_staff(session, item.clinic_uuid, email))


def take(services: Services, follow_up_id: UUID, *, actor: Actor) -> ListedFollowUp:
    """Make it the actor's own and acknowledge it; the climb stops, its clock does not.

    Raises FollowUpTakenError when somebody else has acknowledged it, NotAllowedError where a
    clinician has to take it. Taking it twice is no error.
    """
    with services.database.transaction() as session:
        item = _open_item(session, follow_up_id, actor)
        refuse_if_not_theirs(item, actor.role)
        theirs = item.owner_id != actor.staff_id and (item.owner_id or item.taken_by)
        # Whoever has it but does not answer when paged again does not keep it from others.
        if theirs and followups.is_held(item):
            raise FollowUpTakenError(owner_of(session, item))
        mine = item.owner_id == actor.staff_id and item.status == "acknowledged"
        item.owner_id, item.taken_by = actor.staff_id, None
        acknowledge(session, services, item, actor.label)
        if not mine:
            record(session, services, item, actor, "taken")
        return _listed(session, services, follow_up_id)


def take_paged(services: Services, page_id: UUID, *, actor: Actor) -> UUID | None:
    """Acknowledge a page in the name of whoever signed in; return the item it is about, if any.

    The item becomes theirs as by `take`, whoever was paged. A page about none, such as a test,
    tells that it reached the person paged, and only they know that. Raises FollowUpActionError.
    """
    with services.database.transaction() as session:
        page = pages.by_id(session, page_id, lock=True)
        if page is None or page.clinic_id != actor.clinic_id:
            raise FollowUpMissingError
        follow_up_id = page.follow_up_id
        if follow_up_id is None:
            _note_reached_by(session, services, page, actor)
    if follow_up_id is not None:
        take(services, follow_up_id, actor=actor)
    return follow_up_id


def _note_reached_by(session: Session, services: Services, page: Page, actor: Actor) -> None:
    if actor.role not in MAY_ACT:
        raise NotAllowedError(ONLY_LOOKS)
    staff = staff_by_id(session, actor.staff_id)
    if staff is None or not calls(page, staff.email):
        raise NotAllowedError("This page went to somebody else. Only they can say it reached them.")
    note_reached(session, page, now=services.now)


def calls(page: Page, email: str) -> bool:
    """Whether it is the staff member with this address whom a page calls."""
    return page.person == key_of(email, "")


def assign(services: Services, follow_up_id: UUID, *, email: str, actor: Actor) -> ListedFollowUp:
    """Hand it to a colleague, who has to acknowledge it; to oneself this is taking it over.

    Raises BadActionError for somebody who can't have it.
    """
    with services.database.transaction() as session:
        item = _open_item(session, follow_up_id, actor)
        owner = _staff(session, item.clinic_id, email)
        if owner.role not in MAY_ACT:
            raise BadActionError("A viewer can't be given a follow-up. Choose somebody else.")
        if item.dose_at is not None and owner.role not in MAY_DECIDE:
            raise BadActionError(f"{BEFORE_A_DOSE} {owner.email} can't. Choose a clinician.")
        if owner.id == item.owner_id:
            return _listed(session, services, follow_up_id)
        if clinics.is_away(session, owner.id, at=services.now):
            raise BadActionError(f"{owner.email} is away now. Choose somebody who is here.")
        item.owner_id, item.taken_by = owner.id, None
        item.status, item.acknowledged_at = "open", None
        # It is the new owner's to acknowledge: they are paged, then the ladder above them.
        pages.close_of_item(session, item.id, now=services.now)
        followups.page_anew(item, services.now)
        if owner.id == actor.staff_id:
            acknowledge(session, services, item, actor.label)
        record(session, services, item, actor, "assigned", details={"to": f"staff:{owner.id}"})
        return _listed(session, services, follow_up_id)


def snooze(
    services: Services,
    follow_up_id: UUID,
    *,
    until: datetime,
    actor: Actor,
    seen: int | None = None,
) -> ListedFollowUp:
    """Put it off until an instant (aware); it is then due again. `seen` is as in `resolve`.

    A page or a safety item waits 30 minutes at most (care rule 10), once somebody has taken it and
    to an instant at which somebody is there. Anything else waits 30 days at most and into a
    staffed day: on a closed one nobody would take it up.
    Raises BadActionError for an item that can't be put off, or an instant that does not fit.
    """
    now = services.now
    with services.database.transaction() as session:
        item = _open_item(session, follow_up_id, actor)
        _refuse_unread(session, item, seen)
        urgent = is_safety(item.reason) or item.severity == Severity.PAGE_NOW
        if urgent and not followups.is_held(item):
            # Else a silenced page would climb to nobody, and the patient would wait unknowing.
            raise BadActionError("Nobody has taken this page. Take it first.")
        _refuse_unfit_instant(clinics.by_id(session, item.clinic_id).file, until, now, urgent)
        if item.dose_at is not None and until >= item.dose_at - CALL_AHEAD:
            raise BadActionError("The patient has a dose before that. Give an earlier time.")
        item.snoozed_until = until
        pages.close_of_item(session, item.id, now=now)
        followups.page_anew(item, until)
        record(session, services, item, actor, "snoozed", details={"until": until.isoformat()})
        return _listed(session, services, follow_up_id)


def _refuse_unfit_instant(file: ClinicFile, until: datetime, now: datetime, urgent: bool) -> None:
    longest = LONGEST_URGENT_SNOOZE if urgent else LONGEST_SNOOZE
    if until <= now:
        raise BadActionError("That time has passed. Give one in the future.")
    if until > now + longest:
        most = "30 minutes" if urgent else "30 days"
        raise BadActionError(f"This follow-up can be put off for {most} at most.")
    if not urgent:
        _refuse_closed_day(file, until)
    elif not file.is_covered(until):
        raise BadActionError("Nobody is there at that time. Give an earlier one, or end it now.")


def _refuse_closed_day(file: ClinicFile, until: datetime) -> None:
    day = until.astimezone(file.zone).date()
    if file.staffed().is_staffed_day(day):
        return
    opens = file.staffed().next_opening(until).astimezone(file.zone)
    raise BadActionError(
        f"The clinic is closed on {day:%A, %B} {day.day}. "
        f"Give a time on a staffed day: the next is {opens:%A, %B} {opens.day}."
    )


def resolve(
    services: Services,
    follow_up_id: UUID,
    *,
    outcome: str,
    actor: Actor,
    note: str | None = None,
    seen: int | None = None,
) -> ListedFollowUp:
    """End it with an outcome; a `note` is kept sealed.

    `seen` is how often something had joined it (`times_joined`) when the actor looked. Whoever does
    not say has seen what was there when the item was last taken, or opened. Raises
    FollowUpJoinedError where more has come since.

    A crisis, an overdose or an emergency is ended by a clinician, with one of
    SAFETY_OUTCOMES, and "not_reached" needs a note of what was decided (care rule 10). A lapse
    before a dose is ended by them too.
    Raises NotAllowedError or BadActionError.
    """
    with services.database.transaction() as session:
        _lock_patient(session, follow_up_id)
        item = _open_item(session, follow_up_id, actor)
        note = _checked_note(note)
        if item.dose_at is not None and actor.role not in MAY_DECIDE:
            raise NotAllowedError(ONLY_A_CLINICIAN)
        word = _checked_outcome(item, outcome, note, actor)
        _refuse_unread(session, item, seen)
        item.status, item.outcome, item.resolved_at = "resolved", word, services.now
        item.acknowledged_at = item.acknowledged_at or services.now
        item.owner_id = item.owner_id or actor.staff_id
        item.snoozed_until, item.climbs_at, item.joined_at = None, None, None
        if item.patient_id is not None and item.reason in CHANGES_PLANS:
            # A question that rested for silence may be asked again.
            session.flush()
            enrollments.request_plan_of_patient(session, item.patient_id)
        pages.close_of_item(session, item.id, now=services.now)
        _end_rest(session, item, services.now)
        record(session, services, item, actor, "resolved", note=note, details={"outcome": word})
        return _listed(session, services, follow_up_id)


def note_disclosure(
    services: Services,
    follow_up_id: UUID,
    *,
    recipient: str,
    told: str,
    actor: Actor,
    at: datetime | None = None,
    form: UUID | None = None,
) -> UUID:
    """Write down what was told about the patient to 911 or somebody else outside (care rule 15).

    `recipient` is who was told, with their service; `told` what. `at` is when, now unless given.
    It can be written down after the item has ended, and is never changed: a mistake is mended by a
    further entry. The same words from one `form`, sent twice, are one entry. Raises BadActionError.
    """
    recipient, told = recipient.strip(), _as_typed(told)
    # Of the words too: somebody who goes back to a form to correct them makes a further entry.
    row_id = uuid5(form, "\0".join([recipient, told, str(at or "")])) if form else new_id()
    at = at or services.now
    if not recipient or not told:
        raise BadActionError("Say to whom it was told, and what.")
    if len(recipient) > LONGEST_RECIPIENT or len(told) > LONGEST_TOLD:
        most = f"{LONGEST_RECIPIENT} letters for whom, {LONGEST_TOLD} for what"
        raise BadActionError(f"That is too long: {most} at most.")
    if not services.now - LONGEST_AGO <= at <= services.now + _CLOCKS_APART:
        raise BadActionError("Give when it was told: within the last 30 days, and not ahead.")
    with services.database.transaction() as session:
        item = _item_of(session, follow_up_id, actor)
        is_new = accounting.add(
            session,
            services.vault,
            item,
            row_id,
            recipient=recipient,
            told=told,
            at=at,
            actor=actor.label,
            now=services.now,
        )
        if is_new:
            details = {"disclosure": str(row_id)}
            record(session, services, item, actor, "disclosed", details=details)
    return row_id


def _lock_patient(session: Session, follow_up_id: UUID) -> None:
    """Take whom an item is about before the item, as their next text does.

    So the two never wait crosswise, and what ends with the item is read as it stands.
    """
    patient_id = followups.patient_of(session, follow_up_id)
    if patient_id is not None:
        conversation.lock_patients(session, [patient_id])


def _end_rest(session: Session, item: FollowUp, now: datetime) -> None:
    if item.patient_id is None:
        return
    if is_safety(item.reason):
        # One ended does not say that another danger of the same patient is over.
        if not followups.open_causes(session, [item.patient_id], sorted(_REASONS_OF_SAFETY)):
            resting.end_for_crisis(session, item.patient_id, now=now)
    elif item.reason == FollowUpReason.CONVERSATION:
        resting.end_for_conversation(session, item.patient_id)
    elif item.reason == FollowUpReason.UNCLEAR_REPLY:
        resting.end_for_clear(session, patients.by_id(session, item.patient_id))


def _as_typed(words: str) -> str:
    """Count a line's end as one letter, as the form did: a browser sends it as two."""
    return words.replace("\r\n", "\n").strip()


def _checked_note(note: str | None) -> str | None:
    note = _as_typed(note or "")
    if len(note) > LONGEST_NOTE:
        raise BadActionError(f"The note is too long: {LONGEST_NOTE} letters at most.")
    return note or None


def is_safety(reason: str) -> bool:
    """Whether an item is of the class that a clinician ends."""
    return reason in _REASONS_OF_SAFETY


def _checked_outcome(item: FollowUp, outcome: str, note: str | None, actor: Actor) -> str:
    word = re.sub(r"[\s-]+", "_", outcome.strip().lower())
    word = _ALIASES.get(word, word)
    if not is_safety(item.reason):
        if not _OUTCOME.fullmatch(word):
            usual = ", ".join(OUTCOMES)
            raise BadActionError(f"The outcome is a word such as {usual}; put more into the note.")
        return word
    if actor.role not in MAY_DECIDE:
        raise NotAllowedError(ONLY_A_CLINICIAN)
    if word not in SAFETY_OUTCOMES:
        raise BadActionError(f"This follow-up ends with one of: {', '.join(SAFETY_OUTCOMES)}.")
    if word == "not_reached" and note is None:
        raise BadActionError("Not reached: write into the note what was decided, and by whom.")
    return word


def _open_item(session: Session, follow_up_id: UUID, actor: Actor) -> FollowUp:
    """Lock the item for this actor. Raises when it is not theirs to act on."""
    item = _item_of(session, follow_up_id, actor)
    if item.status == "resolved":
        raise FollowUpEndedError(item.outcome)
    return item


def _refuse_unread(session: Session, item: FollowUp, seen: int | None) -> None:
    """Let nobody end or put off what joined the item while they were about to."""
    if item.times_joined <= (seen or 0):
        return
    at = followups.last_joined(session, item.id)
    if seen is None and at is not None and at <= (item.acknowledged_at or item.opened_at):
        return
    texts = inbox.about(session, item.id, limit=2)
    what = "A further text" if len(texts) > 1 else "Something further"
    raise FollowUpJoinedError(item.id, item.times_joined, f"{what} came{_told(session, item, at)}.")


def _told(session: Session, item: FollowUp, at: datetime | None) -> str:
    """Give an instant by the clinic's clock."""
    file = clinics.by_id(session, item.clinic_id).file_if_any
    if at is None or file is None:
        return " meanwhile"
    local = at.astimezone(file.zone)
    return f" at {local:%H:%M} on {local:%A, %B} {local.day}"


def _item_of(session: Session, follow_up_id: UUID, actor: Actor) -> FollowUp:
    """Lock an item of the actor's clinic, also one that has ended."""
    item = followups.by_id(session, follow_up_id)
    if item is None or item.clinic_id != actor.clinic_id:
        raise FollowUpMissingError
    if actor.role not in MAY_ACT:
        raise NotAllowedError(ONLY_LOOKS)
    return item


def _staff(session: Session, clinic_id: UUID, email: str) -> Staff:
    for staff in clinics.staff_by_email(session, email):
        if staff.clinic_id == clinic_id and staff.disabled_at is None:
            return staff
    raise BadActionError("Nobody with this address works at this clinic. Check the address.")


def _listed(session: Session, services: Services, follow_up_id: UUID) -> ListedFollowUp:
    session.flush()
    listed = worklist.follow_up(session, services.vault, follow_up_id)
    if listed is None:
        raise FollowUpMissingError
    return listed
