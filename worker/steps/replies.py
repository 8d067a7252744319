"""Replies: every text received ends in a recorded answer or in front of a person.

    inbound rows -> replies -> answers (outbox rows), check-ins, visits, follow-ups

Each text is handled in a transaction of its own, urgent ones first, and the texts of one number in
the order received. One that can't be handled is put off, and after three tries a person gets it.
"""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from messages.replies import Intent
from records import clinics, conversation, enrollments, inbox, patients
from records.base import Session
from records.inbox import Inbound
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from worker import unplanned
from worker.logs import get_logger
from worker.replying import arriving, hearing
from worker.replying.case import Case
from worker.replying.leaving import closed_record, helped, started, stopped, stranger
from worker.replying.prompted import answered, hold_beside
from worker.replying.staffreply import staff_reply
from worker.replying.unprompted import paused, unasked
from worker.replying.urgent import alarmed, safety
from worker.services import Services

_PROVED_FOR = timedelta(days=1)
log = get_logger(__name__)

_TRIES = 3
_RETRY = timedelta(seconds=10)


def run(services: Services, *, limit: int = 100) -> Counter[str]:
    """Handle up to `limit` unread texts; return how many ended how."""
    counts: Counter[str] = Counter()
    for _ in range(limit):
        taken: list[UUID] = []
        try:
            if not _handle_next(services, taken):
                break
            counts["handled"] += 1
        except Exception as error:
            if not taken:
                raise
            log.exception("reply_failed", inbound_id=str(taken[0]))
            counts[_put_off(services, taken[0], error)] += 1
    return counts


def _handle_next(services: Services, taken: list[UUID]) -> bool:
    """Handle the next free text in one transaction; return whether there was one."""
    with services.database.transaction() as session:
        row = conversation.take_next_unread(session, now=services.now)
        if row is None:
            return False
        taken.append(row.id)
        conversation.lock_number(session, row.from_blind)
        case = _case(session, services, row)
        handle(case)
        row.handled_at = services.now
        row.reading_error = None
        session.flush()
        services.crashpoint("replies.before_commit")
    services.crashpoint("replies.after_commit")
    for nudge in case.nudges:
        services.nudge(*nudge)
    return True


def _case(session: Session, services: Services, row: Inbound) -> Case:
    # Whoever changes a patient's texts takes the patient first (`conversation.lock_patients`).
    people = conversation.people_on(session, row.clinic_id, row.from_blind, lock=True)
    return Case(
        session=session,
        services=services,
        clinic=clinics.by_id(session, row.clinic_id),
        inbound=row,
        people=people,
        now=services.now,
    )


def handle(case: Case) -> None:
    """End one text: the first of these that fits, in the order of urgency."""
    if case.inbound.intent is None:
        _hear_again(case)
    intents = set(case.intents)
    if intents & hearing.SAFETY:
        safety(case)
    elif case.alarmed:
        alarmed(case)
    elif case.inbound.opt_change in {"stop", "stop_again"}:
        stopped(case)
    elif Intent.start in intents:
        started(case)
    elif not staff_reply(case):
        _converse(case, intents)


def _converse(case: Case, intents: set[Intent]) -> None:
    """Handle what is neither about safety nor about stopping."""
    person = case.patient
    if person is not None and person.status == "closed":
        closed_record(case)
        return
    if case.intents[0] is Intent.help:
        helped(case)
    elif person is None:
        stranger(case)
    else:
        _prove(case)
        hold_beside(case)
        if Intent.pause in intents:
            paused(case)
        elif case.inbound.ambiguous or not answered(case):
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
    """Let others go first; after three tries the raw text goes to a person."""
    now = services.now
    with services.database.transaction() as session:
        row = inbox.by_id(session, inbound_id)
        wait = _RETRY * (row.tries + 1)
        inbox.postpone(session, inbound_id, error=type(error).__name__, retry_at=now + wait)
        session.refresh(row)
        if row.tries < _TRIES:
            return "postponed"
        case = _case(session, services, row)
        case.open(_unhandled(case))
        row.handled_at = now
    return "given_up"


def _unhandled(case: Case) -> WantedFollowUp:
    """Want somebody to read a text that could not be handled, also where no clock can be read."""
    reason, about = FollowUpReason.READING_FAILED, str(case.inbound.id)
    if case.clinic.can_be_read:
        return case.want(reason, about=about)
    return unplanned.at_once(reason, now=case.now, about=about, severity=Severity.PAGE_NOW)
