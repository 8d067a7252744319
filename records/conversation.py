"""The inbound path's queries: what is open between a number and a clinic, and what was answered.

`worker.hearing` asks for the open prompts of whoever wrote; `worker.answering` adds the answers and
counts them, so that a number is never answered without end.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from records.base import PutOff, as_array, put_off
from records.checkins import CheckIn
from records.outbox import Message
from records.patients import Consent, Patient

# A question older than this is answered by nobody; it bounds the search for open ones.
_PROMPTS_SINCE = timedelta(days=45)
# So long after its answer a question for a number can still be answered otherwise.
_CORRECTABLE = timedelta(hours=1)
_OF_VISIT = "appointment_reminder"
# The carrier's clock and ours may differ by this much when a reply is found on its list.
_CLOCK_SLACK = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A question that went out, or may have gone out, and can still be answered.

    `question` is the step that asked it; a nudge repeats the question of another step.
    `starts_at` is the visit's start as it stands now, `anchor_at` the one the text speaks of.
    `seen_at` is when it is proved to have reached the phone; None while it is not.
    """

    message_id: UUID
    patient_id: UUID
    enrollment_id: UUID | None
    protocol: str | None
    protocol_number: int | None
    template: str
    step: str
    question: str
    occurrence: str
    context: str
    asked_at: datetime
    seen_at: datetime | None
    until: datetime
    appointment_id: UUID | None
    anchor_at: datetime | None
    starts_at: datetime | None
    visit_status: str | None
    answered: bool


_PROMPT = """m.id AS message_id, m.patient_id, m.enrollment_id, m.protocol,
           m.protocol_number, m.template, m.step,
           COALESCE(m.nudge_for, m.step) AS question, m.occurrence, m.expects AS context,
           COALESCE(m.accepted_at, m.submitted_at, m.due_at) AS asked_at,
           CASE WHEN m.status = 'delivered' THEN m.final_at END AS seen_at,
           CASE WHEN m.expects = 'appointment_reminder' AND a.starts_at > m.answer_until
                THEN a.starts_at ELSE COALESCE(m.answer_until, a.starts_at) END AS until,
           m.appointment_id, m.anchor_at, a.starts_at, a.status AS visit_status"""
_ITS_VISIT = "LEFT JOIN appointment a ON a.id = m.appointment_id AND a.clinic_id = m.clinic_id"

# C and R stay readable until the visit starts, also after an answer (care rule 1), and a number can
# be corrected for a while (care rule 18). What was answered by a later text was open to this one.
_PROMPTS = text(f"""
    SELECT w.nth, {_PROMPT},
           m.answered_at IS NOT NULL AND (m.expects = 'appointment_reminder'
                                          OR m.answered_at <= w.at) AS answered
    FROM unnest(CAST(:nths AS int[]), CAST(:patients AS uuid[]), CAST(:ats AS timestamptz[]))
         AS w(nth, patient_id, at)
    JOIN message m ON m.patient_id = w.patient_id
    {_ITS_VISIT}
    WHERE m.due_at > w.at - CAST(:back AS interval)
      AND m.expects IS NOT NULL AND m.expects <> 'none' AND (:forms OR m.expects <> 'form')
      AND m.status IN ('submitting', 'unknown', 'accepted', 'sent', 'delivered')
      AND m.submitted_at <= w.at + CAST(:slack AS interval)
      AND (((m.answered_at IS NULL
             OR (m.expects <> 'yes_no' AND m.answered_at > w.at - CAST(:correctable AS interval)))
            AND m.answer_until > w.at)
           OR (m.expects = 'appointment_reminder' AND a.starts_at > w.at))
    ORDER BY asked_at, m.id
""")
_PROMPTS_BY_ID = text(f"""
    SELECT {_PROMPT}, m.answered_at IS NOT NULL AS answered
    FROM message m {_ITS_VISIT} WHERE m.id = ANY(CAST(:ids AS uuid[]))
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Asks what these patients, those on one number, could be answering at that instant."""

    patients: Sequence[UUID]
    at: datetime


def prompts(
    session: Session, replies: Sequence[Reply], *, forms: bool = False
) -> list[list[Prompt]]:
    """Return, for each reply, the questions it could be answering, the oldest first.

    A text still on its way to the carrier counts too: a reply may beat our own commit. `forms`:
    also what asks for a form behind a link, which no text answers.
    """
    asked = [(nth, who, each.at) for nth, each in enumerate(replies) for who in each.patients]
    found: list[list[Prompt]] = [[] for _ in replies]
    if not asked:
        return found
    nths, patients, ats = (list(column) for column in zip(*asked, strict=True))
    values = {"nths": nths, "patients": patients, "ats": ats}
    bounds = {"back": _PROMPTS_SINCE, "slack": _CLOCK_SLACK, "correctable": _CORRECTABLE}
    for row in session.execute(_PROMPTS, values | bounds | {"forms": forms}).mappings():
        columns = dict(row)
        found[columns.pop("nth")].append(Prompt(**columns))
    return found


def prompt(session: Session, message_id: UUID) -> Prompt | None:
    """Return one question, open or not."""
    return prompts_of(session, [message_id]).get(message_id)


def prompts_of(session: Session, message_ids: Sequence[UUID]) -> dict[UUID, Prompt]:
    """Return the questions that these messages asked, open or not, by message."""
    if not message_ids:
        return {}
    found = session.execute(_PROMPTS_BY_ID, {"ids": list(message_ids)}).mappings()
    return {row["message_id"]: Prompt(**row) for row in found}


_WRITTEN_LAST = text("""
    SELECT max(COALESCE(accepted_at, submitted_at)) FROM message
    WHERE patient_id = :patient AND template = :template
      AND due_at > CAST(:before AS timestamptz) - CAST(:back AS interval)
      AND status IN ('submitting', 'unknown', 'accepted', 'sent', 'delivered')
      AND submitted_at <= CAST(:before AS timestamptz) + CAST(:slack AS interval)
""")


def written_last(
    session: Session, patient_id: UUID, *, template: str, before: datetime
) -> datetime | None:
    """Return when a text by this template last went, or may have gone, to a patient; else None.

    Like a question, one that is still on its way counts: the reply may have crossed it.
    """
    bounds = {"before": before, "back": _PROMPTS_SINCE, "slack": _CLOCK_SLACK}
    values = {"patient": patient_id, "template": template, **bounds}
    found: datetime | None = session.execute(_WRITTEN_LAST, values).scalar_one()
    return found


# The texts of each question: its own, its nudges, and those that asked to confirm the same visit at
# the same time. One way at a time, so that each goes through its index: for all three as one
# condition the outbox was read from end to end.
_QUESTIONS = """unnest(CAST(:ids AS uuid[]), CAST(:enrollments AS uuid[]),
         CAST(:occurrences AS text[]), CAST(:questions AS text[]), CAST(:visits AS uuid[]),
         CAST(:starts AS timestamptz[]), CAST(:ats AS timestamptz[]))
         WITH ORDINALITY AS w(id, enrollment, occurrence, question, visit, start, at, nth)
    CROSS JOIN LATERAL (
        SELECT id, step, nudge_for, round FROM message WHERE id = w.id
        UNION
        SELECT id, step, nudge_for, round FROM message
        WHERE enrollment_id = w.enrollment AND occurrence = w.occurrence AND attempts > 0
          AND (step = w.question OR nudge_for = w.question)
        UNION
        SELECT id, step, nudge_for, round FROM message
        WHERE appointment_id = w.visit AND expects = 'appointment_reminder' AND attempts > 0
          AND anchor_at = w.start
    ) AS m"""
_ANSWERED = text(f"""
    UPDATE message SET answered_at = LEAST(answered_at, found.at)
    FROM (SELECT m.id, min(w.at) AS at FROM {_QUESTIONS} GROUP BY m.id) AS found
    WHERE message.id = found.id
""")


def mark_answered(session: Session, asked: Prompt, *, at: datetime) -> None:
    """Note, as the transaction ends, that a question is answered, in each text that asked it.

    C and R answer every earlier text that asked to confirm the same visit at the same time.
    """
    put_off(session, PutOff.ANSWERED, _mark_answered, (asked, at))


def _mark_answered(session: Session, answered: Sequence[tuple[Prompt, datetime]]) -> None:
    questions = _same_questions([asked for asked, _ in answered])
    session.execute(_ANSWERED, {**questions, "ats": as_array(at for _, at in answered)})


def _same_questions(asked: Sequence[Prompt]) -> dict[str, object]:
    visits = [each.appointment_id if each.context == _OF_VISIT else None for each in asked]
    return {
        "ids": as_array(each.message_id for each in asked),
        "enrollments": as_array(each.enrollment_id for each in asked),
        "occurrences": [each.occurrence for each in asked],
        "questions": [each.question for each in asked],
        "visits": as_array(visits),
        "starts": as_array(each.anchor_at for each in asked),
        "ats": as_array(each.asked_at for each in asked),
    }


def lock_patients(session: Session, patient_ids: Sequence[UUID]) -> list[Patient]:
    """Lock patients before anything of theirs is changed, and read them anew.

    The plan step holds a patient while it changes their texts; whoever takes the patient first,
    here too, can never wait for it crosswise.
    """
    mine = select(Patient).where(Patient.id.in_(patient_ids)).order_by(Patient.id)
    locked = mine.with_for_update(key_share=True).execution_options(populate_existing=True)
    return list(session.scalars(locked))


def people_on(
    session: Session, numbers: Sequence[tuple[UUID, bytes]]
) -> dict[tuple[UUID, bytes], list[Patient]]:
    """Lock and return the patients on numbers (clinic, blind), the oldest first, by number.

    Ids rise with time, so the order is that of creation and, for locks, the same everywhere.
    """
    mine = select(Patient).where(tuple_(Patient.clinic_id, Patient.phone_blind).in_(numbers))
    found: dict[tuple[UUID, bytes], list[Patient]] = {each: [] for each in numbers}
    for person in session.scalars(mine.order_by(Patient.id).with_for_update(key_share=True)):
        found[person.clinic_id, person.phone_blind].append(person)
    return found


# In the order of the locks themselves, so that nobody waits for another crosswise.
_LOCK_NUMBERS = text("""
    SELECT pg_advisory_xact_lock(hashtext('aftercare.number'), lock)
    FROM (SELECT DISTINCT hashtext(encode(blind, 'hex')) AS lock
          FROM unnest(CAST(:blinds AS bytea[])) AS n(blind) ORDER BY lock) AS locks
""")


def lock_numbers(session: Session, blinds: Sequence[bytes]) -> None:
    """Let the texts of these numbers be handled by nobody else, to the end of the transaction."""
    session.execute(_LOCK_NUMBERS, {"blinds": list(blinds)})


def add_answer(session: Session, values: dict[str, Any]) -> UUID | None:
    """Insert an answer; None if this text was answered with this template before."""
    statement = insert(Message).values(**values).on_conflict_do_nothing()
    return session.scalars(statement.returning(Message.id)).first()


_ANSWERS = text("""
    SELECT count(*) FILTER (WHERE kind = 'answer') AS answers,
           max(due_at) FILTER (
               WHERE template = :template AND status <> 'undelivered'
                 AND (kind = 'safety' OR NOT :safety)) AS same_at
    FROM message
    WHERE clinic_id = :clinic AND recipient_blind = :blind AND inbound_id IS NOT NULL
      AND due_at > :since AND status NOT IN ('cancelled', 'skipped', 'failed', 'expired')
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a number was answered lately: how often, and when last with what."""

    answers: int
    same_at: datetime | None


def answered_lately(
    session: Session,
    clinic_id: UUID,
    blind: bytes,
    *,
    template: str,
    since: datetime,
    safety: bool = False,
) -> Answered:
    """Return what a number was answered since an instant.

    `same_at` is of answers that may have arrived; with `safety` of those to danger alone, as some
    wordings answer danger and everyday texts alike.
    """
    values = {
        "clinic": clinic_id,
        "blind": blind,
        "template": template,
        "since": since,
        "safety": safety,
    }
    return Answered(**session.execute(_ANSWERS, values).mappings().one())


_TOLD_OF_DANGER = text("""
    SELECT template, due_at FROM message
    WHERE clinic_id = :clinic AND recipient_blind = :blind AND inbound_id IS NOT NULL
      AND kind = 'safety' AND due_at > :since
      AND status NOT IN ('cancelled', 'skipped', 'failed', 'expired', 'undelivered')
    ORDER BY due_at DESC, id DESC LIMIT 1
""")


def told_of_danger(
    session: Session, clinic_id: UUID, blind: bytes, *, since: datetime
) -> tuple[str, datetime] | None:
    """Return the last answer to danger that went to a number since an instant, and when."""
    values = {"clinic": clinic_id, "blind": blind, "since": since}
    found = session.execute(_TOLD_OF_DANGER, values).one_or_none()
    return (found.template, found.due_at) if found is not None else None


_CANCEL_ANSWERS = text("""
    UPDATE message SET status = 'cancelled', reason = 'stopped', final_at = :now,
        claim_token = NULL, lease_until = NULL
    WHERE clinic_id = :clinic AND recipient_blind = :blind AND inbound_id IS NOT NULL
      AND due_at > :since AND patient_id IS NULL
      AND priority > 0 AND status IN ('planned', 'claimed')
""")


def cancel_answers_to_stranger(
    session: Session, clinic_id: UUID, blind: bytes, *, now: datetime
) -> None:
    """Cancel unsent answers to a number that no patient has."""
    values = {"clinic": clinic_id, "blind": blind, "now": now, "since": now - timedelta(days=1)}
    session.execute(_CANCEL_ANSWERS, values)


def last_keyword_revocation(session: Session, patient_id: UUID, blind: bytes) -> Consent | None:
    """Return what the patient's last stop by keyword took away, unless it was granted since."""
    ledger = select(Consent).where(Consent.patient_id == patient_id)
    last = session.scalars(ledger.order_by(Consent.recorded_at.desc(), Consent.id.desc())).first()
    if last is None or (last.action, last.method) != ("revoke", "keyword"):
        return None
    return last if last.phone_blind == blind else None


_CLOSE_MISSED = text("""
    UPDATE message SET status = 'expired', reason = 'missed_while_stopped'
    WHERE patient_id = ANY(CAST(:patients AS uuid[])) AND due_at <= :now AND latest_at > :now
      AND attempts = 0 AND status IN ('cancelled', 'skipped') AND kind = 'started'
      AND reason IN ('stopped', 'opted_out', 'no_consent')
""")


def close_missed(session: Session, patient_ids: Sequence[UUID], *, now: datetime) -> None:
    """Expire what fell due while texts were stopped, so that START never replays it.

    Planning may revive what is cancelled or skipped, never what is expired (care rule 20).
    """
    session.execute(_CLOSE_MISSED, {"patients": list(patient_ids), "now": now})


_UNREAD_OF = text("""
    SELECT patient_id, min(received_at) FROM inbound
    WHERE patient_id = ANY(CAST(:patients AS uuid[])) AND handled_at IS NULL GROUP BY patient_id
""")


def unread_since(session: Session, patient_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return when the earliest text that was not handled yet was received, by patient."""
    found = session.execute(_UNREAD_OF, {"patients": as_array(patient_ids)})
    return {row[0]: row[1] for row in found}


def check_ins_of_question(
    session: Session, patient_id: UUID, *, item: str, limit: int = 30
) -> list[tuple[CheckIn, Message]]:
    """Return the latest check-ins of one question with their texts, the newest first."""
    mine = (
        select(CheckIn, Message)
        .join(Message, Message.id == CheckIn.message_id)
        .where(CheckIn.patient_id == patient_id, CheckIn.item == item)
        .order_by(CheckIn.asked_at.desc(), CheckIn.id.desc())
    )
    return [(row[0], row[1]) for row in session.execute(mine.limit(limit))]


_CONFIRM = text("""
    UPDATE appointment SET confirmed_start = starts_at, updated_at = clock_timestamp()
    WHERE id = :id AND starts_at = :start AND status = 'booked' AND change_requested_at IS NULL
    RETURNING id
""")

# A later R reverses a C (care rule 1).
_CHANGE = text("""
    UPDATE appointment SET change_requested_at = COALESCE(change_requested_at, :now),
        confirmed_start = NULL, updated_at = clock_timestamp()
    WHERE id = :id AND starts_at = :start AND status = 'booked'
    RETURNING id
""")


def confirm_visit(session: Session, appointment_id: UUID, *, start: datetime | None) -> bool:
    """Confirm a visit's start time; False if it is not the visit's start any more.

    Nor is it confirmed while another time is asked for: staff have to say what holds.
    """
    found = session.execute(_CONFIRM, {"id": appointment_id, "start": start}).first()
    return found is not None


def request_change(
    session: Session, appointment_id: UUID, *, start: datetime | None, now: datetime
) -> bool:
    """Note that the patient wants another time; False if the visit is not at `start` any more."""
    values = {"id": appointment_id, "start": start, "now": now}
    return session.execute(_CHANGE, values).first() is not None


_TAKE_BACK = text("""
    UPDATE appointment SET change_requested_at = NULL, confirmed_start = NULL,
        updated_at = clock_timestamp()
    WHERE id = :id AND starts_at = :start AND status = 'booked'
""")


def take_back_answer(session: Session, appointment_id: UUID, *, start: datetime | None) -> None:
    """Undo what a misread reply did to a visit: it is neither confirmed nor to be changed."""
    session.execute(_TAKE_BACK, {"id": appointment_id, "start": start})


_CHECK_INS = text(f"""
    SELECT w.id AS asked, c.id FROM {_QUESTIONS} JOIN check_in c ON c.message_id = m.id
    ORDER BY w.nth, m.nudge_for IS NOT NULL, m.step = w.question DESC, m.round DESC
""")


def check_ins_of(session: Session, asked: Prompt) -> list[CheckIn]:
    """Lock and return the check-ins of one question, its own first, then those that repeat it."""
    return check_ins_of_all(session, [asked])[asked.message_id]


def check_ins_of_all(session: Session, asked: Sequence[Prompt]) -> dict[UUID, list[CheckIn]]:
    """Lock and return the check-ins of these questions, as `check_ins_of` does, by message."""
    found: dict[UUID, list[CheckIn]] = {each.message_id: [] for each in asked}
    ids = [(row[0], row[1]) for row in session.execute(_CHECK_INS, _same_questions(asked))]
    if not ids:
        return found
    mine = select(CheckIn).where(CheckIn.id.in_({check_in_id for _, check_in_id in ids}))
    rows = session.scalars(mine.order_by(CheckIn.id).with_for_update())
    locked = {row.id: row for row in rows}
    for message_id, check_in_id in ids:
        found[message_id].append(locked[check_in_id])
    return found
