"""A stop is a stop, and what START may take back of it.

Called in the very transaction that stores the text, so that no text claimed after its commit goes
out; `records.stopping` ends what was claimed before.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from records import conversation, enrollments, patients, stopping
from records.base import Session
from records.patients import Patient
from worker import resting

#: What the storing transaction did, as `inbound.opt_change` keeps it.
STOPPED, STOPPED_BEFORE = "stop", "stop_again"
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
    """Stop a number in a clinic: opt-out, ledger, and every unsent row of everyone on it."""
    locked = conversation.lock_patients(session, people)
    before = patients.opted_out(session, clinic_id=clinic_id, blind=blind)
    # A number that was out of service says nothing of its owner's wish.
    stopped_before = before is not None and not before.reason.startswith(patients.SUSPENDED)
    patients.opt_out(
        session, clinic_id=clinic_id, blind=blind, reason=reason.value, occurred_at=occurred_at
    )
    for person in locked:
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
        resting.end_for_clear(session, person)
        enrollments.request_plan_of_patient(session, person.id)
    if not stopped_before:
        # What is unsent after an earlier stop is that stop's one confirmation.
        stopping.cancel_unsent_of_number(
            session, clinic_id=clinic_id, blind=blind, reason="stopped", now=now
        )
        conversation.cancel_answers_to_stranger(session, clinic_id, blind, now=now)
    return STOPPED_BEFORE if stopped_before else STOPPED


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
    before = patients.opted_out(session, clinic_id=clinic_id, blind=blind)
    if before is None:
        return NOTHING_TO_START
    speakers = _speakers(conversation.lock_patients(session, people))
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
