"""Staff say what a text means: kept beside the reading, and the record follows the correction.

The console and `aftercare reply correct` call this. The words of the rules stay as they are:
nothing is learnt from one text, and a stop is never lifted here, since only the patient lifts it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from messages.binding import APPOINTMENT, YES_NO, lies_on, plain, scale_of
from messages.replies import Intent
from records import audit, clinics, conversation, enrollments, inbox, patients
from records.base import Session
from records.checkins import CheckIn
from records.conversation import Prompt, Reply
from records.inbox import Inbound
from records.patients import Patient
from schedules import followup_rules
from worker import resting
from worker.opening import open_follow_ups
from worker.refusal import RefusedError
from worker.replying import hearing, stopping
from worker.replying.case import number_id
from worker.replying.stopping import StopReason
from worker.services import Services

#: What the record did with a correction.
NUMBER, VISIT, ANSWER, STOP, NOTHING = "number", "visit", "answer", "stop", "nothing"
#: The same, as whoever corrected is told.
IN_WORDS: Mapping[str, str] = MappingProxyType(
    {
        NUMBER: "The check-in has this number now.",
        VISIT: "The visit was changed accordingly.",
        ANSWER: "The question's answer was changed.",
        STOP: "Texts to this number have stopped.",
        NOTHING: "It answers no question of ours, so nothing else changed.",
    }
)
_DECIDED = frozenset({Intent.confirm, Intent.decline_reschedule})
_STOPS = {Intent.stop: StopReason.WORDS, Intent.wrong_number: StopReason.WRONG_NUMBER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What a correction did. `stop_stays`: the text was read as a stop, which is still in force."""

    inbound_id: UUID
    changed: str
    stop_stays: bool


@dataclass(kw_only=True, eq=False)
class _Text:
    """A text while it is corrected. `before` is what it was taken to mean until now.

    `people` are those whose text it is: who wrote, though their number may be another's by now; of
    a number that was nobody's alone, all who have it. `on_number` are those on each number that a
    stop may concern: the one that wrote, and the writer's present one.
    """

    row: Inbound
    people: list[Patient]
    on_number: dict[bytes, list[Patient]]
    before: Intent
    intent: Intent
    value: str | None


def correct(
    services: Services, inbound_id: UUID, *, intent: Intent, value: str | None, actor: str
) -> Corrected:
    """Write what a text means, in place of its reading, and change the record accordingly.

    `value` is the number of a score. Raises RefusedError for an unknown text, one not handled yet,
    and a number that is missing or does not fit the question.
    """
    with services.database.transaction() as session:
        text = _taken(session, inbound_id, intent, value)
        asked = _asked(session, text)
        _refuse_number(text, asked)
        changed = _change(session, services, text, asked)
        _open(session, services, text)
        for person in text.people:
            if intent is not Intent.unclear:
                resting.end_for_clear(session, person)
            enrollments.request_plan_of_patient(session, person.id)
        _keep(session, services, text, actor, changed)
        stays = text.before in _STOPS and intent not in _STOPS
        return Corrected(inbound_id=inbound_id, changed=changed, stop_stays=stays)


def _taken(session: Session, inbound_id: UUID, intent: Intent, value: str | None) -> _Text:
    row = inbox.find(session, inbound_id)
    if row is None:
        raise RefusedError("There is no such reply. List them with `aftercare replies`.")
    numbers = {row.from_blind, *patients.number_of(session, row.patient_id)}
    conversation.lock_numbers(session, list(numbers))
    found = conversation.people_on(session, [(row.clinic_id, each) for each in numbers])
    session.refresh(row)
    if row.handled_at is None:
        raise RefusedError("This reply is not handled yet. Try again in a moment.")
    on_number = {blind: those for (_, blind), those in found.items()}
    last = inbox.correction_of(session, row.id)
    return _Text(
        row=row,
        people=_writers(row, on_number),
        on_number=on_number,
        before=Intent(last.intent if last else row.intent or Intent.unclear),
        intent=intent,
        value=plain(value or "") or value,
    )


def _writers(row: Inbound, on_number: dict[bytes, list[Patient]]) -> list[Patient]:
    if row.patient_id is None:
        return on_number[row.from_blind]
    writers = [each for those in on_number.values() for each in those if each.id == row.patient_id]
    if not writers:
        raise RefusedError("This patient's number is being changed. Try again in a moment.")
    return writers


def _asked(session: Session, text: _Text) -> Prompt | None:
    """Return the question this text answers: the one it was bound to, else the only one it fits."""
    row = text.row
    if row.prompt_message_id is not None:
        return conversation.prompt(session, row.prompt_message_id)
    reply = Reply(patients=[each.id for each in text.people], at=row.received_at)
    [asked] = conversation.prompts(session, [reply])
    fresh, settled = hearing.open_prompts(asked)
    fitting = [each for each in (*fresh, *settled) if _fits(text.intent, each)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(intent: Intent, asked: Prompt) -> bool:
    if intent is Intent.score:
        return scale_of(asked.context) is not None
    return intent in _DECIDED and asked.context in {APPOINTMENT, YES_NO}


def _refuse_number(text: _Text, asked: Prompt | None) -> None:
    if text.intent is not Intent.score:
        if text.value is not None:
            raise RefusedError("Only a score has a number. Leave it out.")
        return
    number = text.value or ""
    if plain(number) is None:
        raise RefusedError("A score needs its number, as the patient meant it.")
    ends = scale_of(asked.context) if asked else None
    if asked is not None and ends is not None and not lies_on(asked.context, number):
        raise RefusedError(f"The question asked for {ends[0]} to {ends[1]}. Give such a number.")


def _change(session: Session, services: Services, text: _Text, asked: Prompt | None) -> str:
    if text.intent in _STOPS:
        _stop(session, services, text)
        return STOP
    if asked is None:
        return NOTHING
    if asked.context == APPOINTMENT:
        return _of_visit(session, services, text, asked)
    return _of_question(session, text, asked)


def _stop(session: Session, services: Services, text: _Text) -> None:
    for blind in _numbers_to_stop(text):
        stopping.stop(
            session,
            clinic_id=text.row.clinic_id,
            blind=blind,
            people=[each.id for each in text.on_number[blind]],
            reason=_STOPS[text.intent],
            inbound_id=text.row.id,
            occurred_at=text.row.received_at,
            now=services.now,
        )


def _numbers_to_stop(text: _Text) -> list[bytes]:
    """Return which numbers a stop concerns, where the writer may have another by now.

    Their wish goes with them. The old number is nobody's to stop once somebody else has it.
    """
    wrote, texted_at = text.row.from_blind, {each.phone_blind for each in text.people}
    if not texted_at or wrote in texted_at:
        return [wrote]
    left = [] if text.on_number[wrote] else [wrote]
    return left if text.intent is Intent.wrong_number else [*left, *texted_at]


def _of_visit(session: Session, services: Services, text: _Text, asked: Prompt) -> str:
    """Undo what the reading did to the visit, then do what the correction says."""
    visit, start = asked.appointment_id, asked.anchor_at
    if visit is None:
        return NOTHING
    undone = text.before in _DECIDED and text.before is not text.intent
    if undone:
        conversation.take_back_answer(session, visit, start=start)
    if text.intent is Intent.confirm:
        done = conversation.confirm_visit(session, visit, start=start)
    elif text.intent is Intent.decline_reschedule:
        done = conversation.request_change(session, visit, start=start, now=services.now)
    else:
        return VISIT if undone else NOTHING
    _write(session, text, asked)
    return VISIT if done else NOTHING


def _of_question(session: Session, text: _Text, asked: Prompt) -> str:
    """Write the answer on the check-in, unless another text has answered it."""
    rows = conversation.check_ins_of(session, asked)
    taken = rows and rows[0].status == "answered" and rows[0].inbound_id != text.row.id
    if not rows or taken:
        return NOTHING
    _write(session, text, asked)
    return NUMBER if text.intent is Intent.score else ANSWER


def _write(session: Session, text: _Text, asked: Prompt) -> None:
    own: CheckIn | None = next(iter(conversation.check_ins_of(session, asked)), None)
    answers = _fits(text.intent, asked)
    if answers:
        conversation.mark_answered(session, asked, at=text.row.received_at)
    if own is None:
        return
    own.status = "answered" if answers else "unclear"
    own.value = Decimal(text.value) if answers and text.value is not None else None
    own.value_text = text.intent.value
    own.answered_at, own.inbound_id = text.row.received_at, text.row.id


def _open(session: Session, services: Services, text: _Text) -> None:
    """Put the text before a person where what it means asks for one; nothing open is ended."""
    row, now = text.row, services.now
    staffed = clinics.by_id(session, row.clinic_id).file.staffed()
    # Danger pages also where nobody has the number.
    concerned: list[UUID | None] = [each.id for each in text.people]
    for person_id in concerned or [None]:
        about = str(person_id) if person_id else number_id(row.from_blind)
        wanted = followup_rules.for_reading(
            text.intent.value,
            None,
            text.value,
            now=now,
            staffed=staffed,
            about=about,
            prompt_open=text.intent in {Intent.score, *_DECIDED},
        )
        if text.intent is Intent.score:
            number = float(text.value or 0)
            wanted += followup_rules.for_score(number, (), now=now, staffed=staffed, about=about)
        open_follow_ups(
            session,
            row.clinic_id,
            person_id,
            wanted,
            source_kind="inbound",
            source_id=row.id,
            now=now,
        )


def _keep(session: Session, services: Services, text: _Text, actor: str, changed: str) -> None:
    """Write the correction beside the reading, and who made it into the audit trail."""
    row = text.row
    inbox.add_correction(
        session, row, intent=text.intent.value, value=text.value, actor=actor, at=services.now
    )
    audit.record(
        session,
        services.vault,
        clinic_id=row.clinic_id,
        now=services.now,
        actor=actor,
        action="reply.corrected",
        subject=f"inbound:{row.id}",
        details={
            "from": text.before.value,
            "to": text.intent.value,
            "value": text.value,
            "changed": changed,
        },
    )
