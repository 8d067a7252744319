"""A stop is a stop, and what START may take back of it.

Called in the very transaction that stores the text, so that no text claimed after its commit goes
out; `records.stopping` ends what was claimed before.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from records import conversation, enrollments, inbox, intake, patients, stopping
from records.base import Session
from records.patients import OptOut, Patient
from worker import resting

#: What the storing transaction did, as `inbound.opt_change` keeps it.
STOPPED, STOPPED_BEFORE, OVERTAKEN = "stop", "stop_again", "stop_overtaken"
STOPS = frozenset({STOPPED, STOPPED_BEFORE, OVERTAKEN})
STARTED, START_REFUSED, NOTHING_TO_START = "start", "start_refused", "start_idle"
STARTS = frozenset({STARTED, START_REFUSED, NOTHING_TO_START})

_NOT_BY_KEYWORD = "health_questions"


class StopReason(StrEnum):
    """How the patient stopped. Only a keyword is lifted by START (care rule 20)."""

    KEYWORD = patients.KEYWORD
    WORDS = "words"
    WRONG_NUMBER = patients.WRONG_NUMBER


def stop(
    session: Session,
    *,
    clinic_id: UUID,
    blind: bytes,
    people: Sequence[UUID],
    reason: StopReason,
    inbound_id: UUID,
    occurred_at: datetime,
    now: datetime,
) -> str:
    """Stop a number in a clinic: opt-out, ledger, and every unsent row of everyone on it.

    A keyword that is found after the START that took it back ends nothing; the ledger has both.
    """
    locked = conversation.lock_patients(session, people)
    before = patients.opted_out(session, clinic_id=clinic_id, blind=blind)
    # A number that was out of service says nothing of its owner's wish.
    stopped_before = before is not None and not before.reason.startswith(patients.SUSPENDED)
    said_before = before is not None and not before.reason.startswith(patients.NOBODYS_WORD)
    stands = patients.opt_out(
        session, clinic_id=clinic_id, blind=blind, reason=reason.value, occurred_at=occurred_at
    )
    for person in locked:
        _take_away(session, person, reason, inbound_id, occurred_at)
    if stands is not None and not said_before and _taken_back(session, stands, locked, now):
        return OVERTAKEN
    for person in locked:
        resting.end_for_clear(session, person)
    if not stopped_before:
        # What is unsent after an earlier stop is that stop's one confirmation.
        stopping.cancel_unsent_of_number(
            session, clinic_id=clinic_id, blind=blind, reason="stopped", now=now
        )
        conversation.cancel_answers_to_stranger(session, clinic_id, blind, now=now)
    return STOPPED_BEFORE if stopped_before else STOPPED


def _take_away(
    session: Session, person: Patient, reason: StopReason, inbound_id: UUID, occurred_at: datetime
) -> None:
    if person.purposes:
        patients.record_consent(
            session,
            person,
            action="revoke",
            purposes=person.purposes,
            method=reason.value,
            actor="patient",
            occurred_at=occurred_at,
            inbound_id=inbound_id,
        )
    enrollments.request_plan_of_patient(session, person.id)


def _taken_back(session: Session, stop: OptOut, people: Sequence[Patient], now: datetime) -> bool:
    """Lift a stop that was found too late: after a START that was written behind it.

    What is planned stays, and is judged anew by the consent that is left.
    """
    speakers = _speakers(people)
    if len(speakers) > 1 or stop.reason != StopReason.KEYWORD:
        return False
    later = inbox.first_after(
        session, stop.clinic_id, stop.phone_blind, stop.occurred_at, changes=STARTS
    )
    if later is None:
        return False
    stop.lifted_at = now
    for person in speakers:
        _grant_back(session, person, stop.phone_blind, later.id, later.received_at)
    session.flush()
    intake.release_of_patients(session, [person.id for person in people])
    return True


def start(
    session: Session,
    *,
    clinic_id: UUID,
    blind: bytes,
    people: Sequence[UUID],
    inbound_id: UUID,
    occurred_at: datetime,
    now: datetime,
) -> str:
    """Lift a stop made by keyword, and give back what it took, health questions excepted."""
    # Whoever changes a stop meanwhile, by a death or a refusal of the carrier's, is waited for.
    speakers = _speakers(conversation.lock_patients(session, people))
    before = patients.lock_opt_out(session, clinic_id=clinic_id, blind=blind)
    if before is None or before.lifted_at is not None:
        return NOTHING_TO_START
    if len(speakers) > 1 or before.reason != StopReason.KEYWORD.value:
        return START_REFUSED
    # A START found late, by the pull, was written before this STOP: it lifts nothing.
    if before.occurred_at > occurred_at:
        return START_REFUSED
    patients.lift_keyword_opt_out(session, clinic_id=clinic_id, blind=blind, at=now)
    for person in speakers:
        _grant_back(session, person, blind, inbound_id, occurred_at)
        conversation.close_missed(session, [person.id], now=now)
        enrollments.request_plan_of_patient(session, person.id)
    return STARTED


def _speakers(people: Sequence[Patient]) -> list[Patient]:
    """Return those whose START it may be; of two, none can speak for the other.

    A closed record beside an open one gets no texts, and nobody writes in its name.
    """
    return [each for each in people if each.status != "closed"] or list(people)


def _grant_back(
    session: Session, person: Patient, blind: bytes, inbound_id: UUID, occurred_at: datetime
) -> None:
    revoked = conversation.last_keyword_revocation(session, person.id, blind)
    back = [each for each in revoked.purposes if each != _NOT_BY_KEYWORD] if revoked else []
    if back:
        patients.record_consent(
            session,
            person,
            action="grant",
            purposes=back,
            method="keyword",
            actor="patient",
            occurred_at=occurred_at,
            inbound_id=inbound_id,
        )
