"""Answers to a question that was asked: C and R, Y and N, a number.

An answer is recorded on its check-in and on every text that asked the question; the step's own
rules say whom it needs (`schedules.followup_rules.for_answer`).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from messages import replies
from messages.binding import APPOINTMENT, YES_NO, scale_of
from messages.replies import Intent
from records import appointments, checkins, conversation, enrollments, inbox, outbox
from records.base import new_id
from records.checkins import CheckIn
from records.conversation import Prompt
from schedules import followup_rules, rechecks
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from worker import resting
from worker.rendering import Subject, when
from worker.replying import hearing
from worker.replying.case import Case
from worker.replying.corrected import corrects
from worker.replying.questions import Question, question_of

SIDE_EFFECTS = "side_effect_check"
_DECIDED = frozenset({Intent.confirm, Intent.decline_reschedule})
# A number beside these may be an amount that was taken, or how long it lasts.
_AMOUNTS = frozenset({Intent.overdose, Intent.medical_emergency})
#: So many earlier answers to a question are looked at with each.
PREVIOUS = 10


def answered(case: Case) -> bool:
    """Record the answer to the question a text is bound to; False if it answers none."""
    prompt, intent = case.prompt, case.intents[0]
    if prompt is None:
        return False
    if intent in _DECIDED and prompt.context == APPOINTMENT:
        _confirmed(case, prompt) if intent is Intent.confirm else _change(case, prompt)
    elif intent in _DECIDED and prompt.context == YES_NO:
        _yes_or_no(case, prompt)
    elif intent is Intent.score and scale_of(prompt.context) is not None:
        if not _score(case, prompt):
            return False
    elif intent is Intent.running_late and prompt.context == APPOINTMENT:
        _late(case, prompt)
        return True
    else:
        return False
    # What else the text says ("7, and please call me") goes to a person beside the answer.
    case.open(*case.read_as(bound=True))
    return True


def answered_by_somebody(case: Case) -> tuple[WantedFollowUp, ...]:
    """Return what the question wants whoever of the people on a number answered it.

    Nothing is recorded as anybody's answer, and the silence after it is nobody's (care rule 22).
    """
    prompt, intent = case.prompt, case.intents[0]
    if prompt is None:
        return ()
    if intent is Intent.score and scale_of(prompt.context) is not None:
        wanted = judge_score(case, prompt)
    elif intent in _DECIDED and prompt.context == YES_NO:
        wanted = judge_decided(case, prompt)
    else:
        return ()
    record(case, prompt, status="unclear")
    return wanted


def judge_decided(case: Case, prompt: Prompt) -> tuple[WantedFollowUp, ...]:
    """Return what the reading's yes or no asks for as the answer to this question."""
    return _judge(case, prompt, question_of(case, prompt), before=_said_before(case, prompt))


def record(
    case: Case,
    prompt: Prompt,
    *,
    status: str = "answered",
    number: str | None = None,
    said: Intent | None = None,
) -> CheckIn | None:
    """Write the answer on the question's check-in, and on each text that asked it.

    `said` is what the text says to this question, where it says something else first.
    """
    own = check_in_of(case, prompt)
    if status == "answered":
        conversation.mark_answered(case.session, prompt, at=case.inbound.received_at)
        enrollments.request_plan_of_patient(case.session, prompt.patient_id)
    # A text that says nothing clear takes no answer back, in whatever order the two come.
    if own is not None and (status == "answered" or own.status != "answered"):
        own.status = status
        own.value = Decimal(number) if number is not None else None
        own.value_text = said.value if said else case.intents[0].value
        own.answered_at = case.inbound.received_at
        own.inbound_id = case.inbound.id
    return own


def _weighed(case: Case, own: CheckIn | None) -> tuple[bool, bool]:
    """Return whether this text's number is the one to record, and whether a person must decide.

    Two numbers of which none says that it corrects the other are for a person.
    """
    if own is None or own.status != "answered" or own.inbound_id in {None, case.inbound.id}:
        return True, False
    mine, other = case.inbound, inbox.by_id(case.session, own.inbound_id)
    later = (mine.received_at, mine.id) > (other.received_at, other.id)
    vault = case.services.vault
    last = case.body if later else vault.open("inbound", "body", other.id, other.body)
    marked = corrects(last)
    return marked is later, not marked and mine.value != other.value


def check_in_of(case: Case, prompt: Prompt) -> CheckIn | None:
    """Return the question's check-in; those of texts that repeat it are void."""
    known, asked = case.known.check_ins, prompt.message_id
    if asked not in known:
        known[asked] = conversation.check_ins_of(case.session, prompt)
    if not known[asked]:
        # The reply beat our own record of the question's acceptance.
        checkins.open_for(case.session, [_fresh(case, prompt)])
        known[asked] = conversation.check_ins_of(case.session, prompt)
    rows = known[asked]
    for other in rows[1:]:
        other.status = "void" if other.status == "open" else other.status
    return rows[0] if rows else None


def _fresh(case: Case, prompt: Prompt) -> dict[str, object]:
    return {
        "id": new_id(),
        "clinic_id": case.clinic.id,
        "patient_id": prompt.patient_id,
        "message_id": prompt.message_id,
        "item": prompt.step,
        "context": prompt.context,
        "asked_at": prompt.asked_at,
        "ends_at": prompt.until,
    }


def _about(prompt: Prompt) -> str:
    """Return what items about an answer join under: the visit's id, or the patient's."""
    return str(prompt.appointment_id or prompt.patient_id)


def _judge(
    case: Case,
    prompt: Prompt,
    question: Question,
    *,
    said: Intent | None = None,
    number: str | None = None,
    previous: Sequence[float] = (),
    before: Sequence[str] = (),
) -> tuple[WantedFollowUp, ...]:
    """Return what the asking step's rules want for this answer: what the text says, or `said`."""
    if question.step is None:
        return ()
    return followup_rules.for_answer(
        question.step,
        (said or case.intents[0]).value,
        number or case.inbound.value,
        now=case.now,
        staffed=case.staffed,
        previous=previous,
        before=before,
        resolve=question.resolve,
        about=_about(prompt),
    )


def _confirmed(case: Case, prompt: Prompt) -> None:
    visit, about = prompt.appointment_id, _about(prompt)
    kept = visit is not None and conversation.confirm_visit(
        case.session, visit, start=prompt.anchor_at
    )
    record(case, prompt)
    if kept:
        case.open(*_judge(case, prompt, question_of(case, prompt)))
        _acknowledge(case, prompt)
    elif prompt.anchor_at == prompt.starts_at and prompt.visit_status == "booked":
        # They had asked for another time: staff have to say which of the two holds.
        case.open(case.want(FollowUpReason.CHANGE_REQUESTED, about=about))
    else:
        # The visit moved or was cancelled: they may come at a time that holds no more.
        reason, soon = FollowUpReason.UNCLEAR_REPLY, Severity.CALL_TODAY
        case.open(case.want(reason, about=about, severity=soon, before=prompt.anchor_at))


def _acknowledge(case: Case, prompt: Prompt) -> None:
    """Say what is confirmed: by its time, where the patient may have meant another visit."""
    asked = {each.appointment_id for each in (*case.asked[0], *case.asked[1]) if _of_visit(each)}
    if case.patient is None or prompt.appointment_id is None or asked <= {prompt.appointment_id}:
        case.answer("confirm_ack")
        return
    visit = appointments.by_id(case.session, prompt.appointment_id)
    subject = Subject(
        clinic=case.file,
        now=case.now,
        patient_zone=case.patient.timezone,
        starts_at=visit.starts_at,
        virtual=visit.modality == "virtual",
    )
    case.answer("confirm_ack_when", when=when(subject, case.language()))


def _of_visit(prompt: Prompt) -> bool:
    return prompt.context == APPOINTMENT and prompt.appointment_id is not None


def change_any(case: Case) -> bool:
    """Hold each visit that an R may be about, and tell staff of each; False where it is about none.

    A confirmation of the wrong visit harms, and so does a visit that goes on unchanged though the
    patient gave it up; a visit that is held without need costs a call.
    """
    visits = _visits_meant(case)
    if len(visits) < 2 or _answers_a_question(case):
        return False
    for prompt in visits:
        _hold(case, prompt)
    _promise_a_call(case, case.want(FollowUpReason.CHANGE_REQUESTED))
    return True


def hold_beside(case: Case) -> None:
    """Hold the visits that a text gives up beside something graver: a symptom, a lapse, alarm.

    The graver is answered, and each visit is a call of its own. Where the text says something else
    first, or may answer a question with Y or N, only words count that give a visit up by
    themselves: "can't sleep" does not.
    """
    no, first = Intent.decline_reschedule, case.intents[0]
    if no not in case.intents or (first is no and not case.alarmed):
        return
    asked = case.prompt
    to_a_question = asked is not None and asked.context == YES_NO
    doubtful = first is not no or to_a_question or _answers_a_question(case)
    if doubtful and not replies.gives_up_visit(case.body):
        return
    bound = asked is not None and _of_visit(asked) and not case.inbound.ambiguous
    visits = [asked] if asked is not None and bound else _visits_meant(case)
    for prompt in visits:
        _hold(case, prompt)
    case.visits_held = bool(visits)


def _visits_meant(case: Case) -> list[Prompt]:
    """Return the question about each visit that an R may be about (docs/understanding.md)."""
    unanswered, settled = case.asked
    visits = [prompt for prompt in unanswered if _of_visit(prompt)]
    return visits + (
        hearing.settled_later(unanswered, settled) if visits else list(filter(_of_visit, settled))
    )


def _answers_a_question(case: Case) -> bool:
    """Whether a "no" belongs to one of several yes-or-no questions rather than to a visit."""
    questions = [prompt for prompt in case.open_prompts if prompt.context == YES_NO]
    return bool(questions) and not replies.gives_up_visit(case.body)


def _change(case: Case, prompt: Prompt) -> None:
    _promise_a_call(case, _hold(case, prompt))


def _promise_a_call(case: Case, wanted: WantedFollowUp) -> None:
    """Name hours for the call in which somebody is there, whenever this is (care rule 11)."""
    calls_by = case.file.attended().due(Severity.CALL_TODAY, case.now)
    case.answer("change_ack", window=case.window(max(wanted.due_at, calls_by)))


def _hold(case: Case, prompt: Prompt) -> WantedFollowUp:
    """Hold the visit's reminders until staff say what holds; return the call that is due."""
    if prompt.appointment_id is not None:
        start = _start_meant(case, prompt)
        conversation.request_change(case.session, prompt.appointment_id, start=start, now=case.now)
    no = Intent.decline_reschedule
    wanted = _judge(case, prompt, question_of(case, prompt), said=no)
    default = case.want(FollowUpReason.CHANGE_REQUESTED, about=_about(prompt))
    case.open(*wanted or (default,))
    record(case, prompt, said=no)
    return default


def _start_meant(case: Case, prompt: Prompt) -> datetime | None:
    """Return the start that an R is about: the present one, once any text has named it."""
    visit, start = prompt.appointment_id, prompt.starts_at
    if visit is None or start is None:
        return prompt.anchor_at
    told = outbox.was_told(case.session, prompt.patient_id, visit, start=start)
    return start if told else prompt.anchor_at


def _late(case: Case, prompt: Prompt) -> None:
    case.open(*_judge(case, prompt, question_of(case, prompt)) or case.read_as(bound=True))
    record(case, prompt)
    case.answer("late_ack")


def _yes_or_no(case: Case, prompt: Prompt) -> None:
    case.promise("callback_ack", _decided(case, prompt, case.intents[0]))


def _decided(case: Case, prompt: Prompt, said: Intent) -> tuple[WantedFollowUp, ...]:
    """Record a yes or no, and open what the asking step's rules want for it."""
    question = question_of(case, prompt)
    wanted = _judge(case, prompt, question, said=said, before=_said_before(case, prompt))
    if question.step is None:
        wanted = (case.want(FollowUpReason.UNCLEAR_REPLY, about=_about(prompt)),)
    record(case, prompt, said=said)
    case.open(*wanted)
    return wanted


def answered_beside(case: Case) -> bool:
    """Record the answer that a text in danger gives as well, if it is clear; say whether it does.

    A yes or no and a number count; a visit is never confirmed by it. A number beside a crisis asks
    for nobody more: whoever has that item reads both.
    """
    prompt = case.prompt
    if prompt is None or case.patient is None or _AMOUNTS & set(case.intents):
        return False
    said = next((each for each in case.intents if each in _DECIDED), None)
    if prompt.context == YES_NO and said is not None:
        _decided(case, prompt, said)
        return True
    reading = replies.read(case.body, prompts=hearing.as_read([prompt]))
    scored = Intent.score in (reading.intent, *reading.also) and scale_of(prompt.context)
    own = check_in_of(case, prompt)
    if not scored or reading.number is None or (own is not None and own.status == "answered"):
        return False
    if case.alarmed:
        case.open(*judge_score(case, prompt, reading.number))
    record(case, prompt, number=reading.number, said=Intent.score)
    return True


def _score(case: Case, prompt: Prompt) -> bool:
    """Record a number; False for a second one that may not be meant to replace the first."""
    wanted = judge_score(case, prompt)
    if prompt.context == SIDE_EFFECTS and case.file.is_covered(case.now):
        wanted = rechecks.the_same_day(wanted, now=case.now, staffed=case.staffed)
    holds, doubtful = _weighed(case, check_in_of(case, prompt))
    if holds:
        record(case, prompt, number=case.inbound.value)
        resting.end_for_clear(case.session, case.person(prompt.patient_id))
    # Whom a number called stays called, whatever corrects it.
    case.open(*wanted)
    if doubtful:
        case.open(case.want(FollowUpReason.UNCLEAR_REPLY))
    reassure(case, wanted, side_effects=prompt.context == SIDE_EFFECTS)
    return holds or not doubtful


def judge_score(
    case: Case, prompt: Prompt, number: str | None = None
) -> tuple[WantedFollowUp, ...]:
    """Return what a number, the reading's unless given, asks for as the answer to this question."""
    question, previous = question_of(case, prompt), _previous(case, prompt)
    number = number or case.inbound.value
    wanted = _judge(case, prompt, question, said=Intent.score, number=number, previous=previous)
    if question.step is not None or scale_of(prompt.context) != (0, 10):
        return wanted
    return followup_rules.for_score(
        float(number or 0),
        previous,
        now=case.now,
        staffed=case.staffed,
        about=_about(prompt),
    )


def _previous(case: Case, prompt: Prompt) -> list[float]:
    """Return the patient's earlier numbers for this question, the oldest first."""
    rows = [
        row
        for row in _earlier(case, prompt)
        if row.status == "answered" and row.inbound_id != case.inbound.id
    ]
    known = [float(row.value) for row in rows if row.value is not None]
    return known[::-1]


def _said_before(case: Case, prompt: Prompt) -> list[str]:
    """Return what the patient answered to this question before, the oldest first."""
    rows = [row for row in _earlier(case, prompt) if row.status == "answered"]
    earlier = [row for row in rows if row.value_text is not None]
    return [str(row.value_text) for row in earlier if row.message_id != prompt.message_id][::-1]


def _earlier(case: Case, prompt: Prompt) -> list[CheckIn]:
    """Return the latest check-ins of the patient for this question, the newest first."""
    asked = (prompt.patient_id, prompt.question)
    if asked not in case.known.earlier:
        case.known.earlier.update(checkins.latest(case.session, [asked], limit=PREVIOUS))
    return case.known.earlier[asked]


def reassure(case: Case, wanted: Sequence[WantedFollowUp], *, side_effects: bool) -> None:
    """Answer a worrying number or an unwell patient with what is true at this hour (rule 11)."""
    soon = {Severity.PAGE_NOW, Severity.CALL_TODAY}
    if not any(one.severity in soon for one in wanted):
        return
    if side_effects and not case.file.is_covered(case.now):
        case.answer("unwell_closed")
    else:
        case.promise("high_score_ack", wanted)
