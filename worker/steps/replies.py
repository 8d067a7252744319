"""Replies: every text received ends in a recorded answer or in front of a person.

    inbound rows -> replies -> answers (outbox rows), check-ins, visits, follow-ups

Urgent texts go first, each in a transaction of its own; the texts of one number in the order
received. All others, and danger from a number that was just heard, are handled a few at a time in
one transaction; where that fails each by itself, so that no text holds up another. One that can't
be handled is put off, and after three tries a person gets it. One that only stood in somebody's way
is handled again at once.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from messages.replies import Intent
from records import checkins, clinics, conversation, enrollments, inbox, patients
from records.base import Session, crossed
from records.conversation import Prompt, Reply
from records.inbox import Inbound
from records.patients import Patient
from records.unread import following, pressing
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from worker import unplanned
from worker.logs import get_logger
from worker.replying import arriving, hearing, stopping
from worker.replying.case import Case
from worker.replying.conversing import said_to_staff
from worker.replying.known import Known
from worker.replying.leaving import (
    closed_record,
    doubtful,
    helped,
    started,
    stopped,
    stranger,
    unblocked,
)
from worker.replying.prompted import PREVIOUS, answered, hold_beside
from worker.replying.staffreply import staff_reply
from worker.replying.unprompted import paused, unasked
from worker.replying.urgent import alarmed, join_danger, safety, still_in_danger
from worker.services import Services

_PROVED_FOR = timedelta(days=1)
log = get_logger(__name__)

_TRIES = 3
#: So many texts, and their patients, are held at a time: whoever stops meanwhile hardly waits.
_TOGETHER = 25
_RETRY = timedelta(seconds=10)
#: So long whatever met a lock twice leaves the others before it.
_ASIDE = timedelta(seconds=1)


def run(services: Services, *, limit: int = 100) -> Counter[str]:
    """Handle up to `limit` unread texts; return how many ended how."""
    counts: Counter[str] = Counter()
    alone = 0
    again: set[UUID] = set()
    while (left := limit - counts.total()) > 0:
        taken: list[UUID] = []
        # Whoever wrote of danger meanwhile goes before the next few.
        together = 1 if alone else min(left, _TOGETHER)
        try:
            handled = _handle_turn(services, taken, together)
            if not handled:
                break
            counts["handled"] += handled
            alone = max(0, alone - handled)
        except Exception as error:
            if not taken:
                raise
            if len(taken) > 1:
                log.warning("replies_not_handled_together", texts=len(taken), exc_info=True)
                alone = len(taken)
                continue
            if crossed(error) and taken[0] not in again:
                log.warning("reply_met_a_lock", inbound_id=str(taken[0]))
                again.add(taken[0])
                continue
            log.exception("reply_failed", inbound_id=str(taken[0]))
            counts[_put_off(services, taken[0], error)] += 1
            alone = max(0, alone - 1)
    return counts


def _handle_turn(services: Services, taken: list[UUID], most: int) -> int:
    """Handle an urgent text of a number that nobody has heard yet; else a few of each kind.

    Somebody who writes of danger again and again stands neither before those who did so once, nor
    before everybody else.
    """
    handled = _handle_next(services, taken, pressing)
    if handled:
        return handled
    for urgent in (True, False):
        taken.clear()
        handled += _handle_next(services, taken, partial(following, limit=most, urgent=urgent))
    return handled


def _handle_next(
    services: Services, taken: list[UUID], take: Callable[..., Sequence[Inbound]]
) -> int:
    """Handle the texts that are taken, in one transaction; return how many there were."""
    now = services.now
    with services.database.transaction() as session:
        rows = take(session, now=now)
        if not rows:
            return 0
        taken += [row.id for row in rows]
        conversation.lock_numbers(session, [row.from_blind for row in rows])
        cases = _cases(session, services, rows)
        for case in cases:
            handle(case)
        # After the locks were waited for: who took an item before that has not seen this in it.
        handled_at = services.now
        for row in rows:
            row.handled_at = handled_at
            row.reading_error = None
        session.flush()
        services.crashpoint("replies.before_commit")
    services.crashpoint("replies.after_commit")
    for nudge in {nudge: None for case in cases for nudge in case.nudges}:
        services.nudge(*nudge)
    return len(rows)


def _cases(session: Session, services: Services, rows: Sequence[Inbound]) -> list[Case]:
    """Read what all these texts are handled with, in a statement for each kind of thing."""
    # Whoever changes a patient's texts takes the patient first (`conversation.lock_patients`).
    people = conversation.people_on(session, [(row.clinic_id, row.from_blind) for row in rows])
    patients.read_opt_outs(session, people.keys())
    on_number = [people[row.clinic_id, row.from_blind] for row in rows]
    known = _answering(session, rows)
    known.around.update(_around(session, rows, on_number))
    return [
        _case(session, services, row, those, known)
        for row, those in zip(rows, on_number, strict=True)
    ]


def _answering(session: Session, rows: Sequence[Inbound]) -> Known:
    """Read the questions that these texts answer, and what was answered to them before."""
    ids = [row.prompt_message_id for row in rows if row.prompt_message_id]
    prompts = conversation.prompts_of(session, ids)
    if not prompts:
        return Known()
    asked = {(each.patient_id, each.question) for each in prompts.values()}
    return Known(
        prompts=prompts,
        check_ins=conversation.check_ins_of_all(session, list(prompts.values())),
        earlier=checkins.latest(session, asked, limit=PREVIOUS),
    )


def _case(
    session: Session, services: Services, row: Inbound, people: list[Patient], known: Known
) -> Case:
    return Case(
        session=session,
        services=services,
        clinic=clinics.by_id(session, row.clinic_id),
        inbound=row,
        people=people,
        now=services.now,
        known=known,
    )


def _around(
    session: Session, rows: Sequence[Inbound], on_number: Sequence[Sequence[Patient]]
) -> dict[UUID, list[Prompt]]:
    """Return, by text, the questions that it could be answering."""
    asked = [
        Reply(patients=[person.id for person in those], at=row.received_at)
        for row, those in zip(rows, on_number, strict=True)
    ]
    found = conversation.prompts(session, asked)
    return {row.id: prompts for row, prompts in zip(rows, found, strict=True)}


def handle(case: Case) -> None:
    """End one text: the first of these that fits, in the order of urgency."""
    if case.inbound.intent is None:
        _hear_again(case)
    intents = set(case.intents)
    if intents & hearing.SAFETY:
        safety(case)
    elif case.alarmed:
        alarmed(case)
    elif not still_in_danger(case):
        join_danger(case)
        _settle(case, intents)


def _settle(case: Case, intents: set[Intent]) -> None:
    """Handle what tells of no danger: a stop, a start, what staff answer to a page, all else."""
    if case.inbound.opt_change in stopping.STOPS:
        closed_record(case) if case.is_closed else stopped(case)
    elif case.started and case.intents[0] is Intent.start:
        closed_record(case) if case.is_closed else started(case)
    elif not staff_reply(case):
        unblocked(case)
        _converse(case, intents)


def _converse(case: Case, intents: set[Intent]) -> None:
    """Handle what is neither about safety nor about stopping."""
    person = case.patient
    if case.is_closed:
        closed_record(case)
    elif case.intents[0] is Intent.help:
        helped(case)
    elif person is None:
        stranger(case)
    else:
        case.inbound.patient_id = person.id
        if not doubtful(case):
            _prove(case)
        hold_beside(case)
        taken = said_to_staff(case) or (not case.inbound.ambiguous and answered(case))
        if Intent.pause in intents:
            paused(case, bound=taken)
        elif not taken:
            unasked(case)


def _prove(case: Case) -> None:
    """Take a reply as proof that the number is the patient's (care rule 26)."""
    person = case.patient
    if person is None:
        return
    # Once a day: a welcome may have come back since the last proof (care rule 21).
    patients.lift_suspension(
        case.session, clinic_id=person.clinic_id, blind=person.phone_blind, at=case.now
    )
    if person.proved_at is None or person.proved_at < case.now - _PROVED_FOR:
        person.proved_at = case.now
        enrollments.request_plan_of_patient(case.session, person.id)


def _hear_again(case: Case) -> None:
    """Read a text whose reading failed in the storing transaction, and do what that left undone."""
    text = hearing.received_of(case.services, case.inbound, case.opt_out_type)
    [around] = arriving.around(case.session, [text])
    reading = arriving.hear(case.services, text, around)
    row = case.inbound
    row.patient_id = case.patient.id if case.patient else None
    for column, value in hearing.as_row(reading).items():
        setattr(row, column, value)
    people = [each.id for each in case.people]
    row.opt_change = hearing.apply(case.session, text, reading, people, now=case.now)


def _put_off(services: Services, inbound_id: UUID, error: Exception) -> str:
    """Let others go first; after three tries the raw text goes to a person.

    A lock that somebody else held is no fault of the text, and counts as no try.
    """
    now, tries = services.now, 0 if crossed(error) else 1
    with services.database.transaction() as session:
        row = inbox.by_id(session, inbound_id)
        retry_at = now + (_RETRY * (row.tries + 1) if tries else _ASIDE)
        why = type(error).__name__
        inbox.postpone(session, inbound_id, error=why, retry_at=retry_at, tries=tries)
        session.refresh(row)
        if row.tries < _TRIES:
            return "postponed"
        [people] = conversation.people_on(session, [(row.clinic_id, row.from_blind)]).values()
        case = _case(session, services, row, people, Known())
        case.open(_unhandled(case))
        row.handled_at = now
    return "given_up"


def _unhandled(case: Case) -> WantedFollowUp:
    """Want somebody to read a text that could not be handled, also where no clock can be read."""
    reason, about = FollowUpReason.READING_FAILED, str(case.inbound.id)
    if case.clinic.can_be_read:
        return case.want(reason, about=about)
    return unplanned.at_once(reason, now=case.now, about=about, severity=Severity.PAGE_NOW)
