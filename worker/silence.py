"""How a question that nobody answered ends, and whom that calls.

Care rule 19: a miss is a question delivered, while we could receive, and unanswered to its end.
Whatever was paused, held, undelivered, or fell into an outage of ours is void and no miss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from messages.binding import scale_of
from records import clinics, conversation, patients
from records.base import Session
from records.checkins import CheckIn
from records.conversation import Prompt
from records.outbox import Message
from records.patients import Patient
from records.unanswered import Asked
from schedules import followup_rules
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.ladder import FIRST_WAIT_AFTER_HOURS
from schedules.protocol import Worse
from schedules.staffing import Severity, StaffedHours
from worker.replying.questions import Question, find_all, is_watched
from worker.services import Services

OPEN, MISSED, VOID, UNCLEAR = "open", "missed", "void", "unclear"
# Silence is phoned after two misses instead of three (the clinical brief, section 3).
_FIRST_WEEKS, _PHONED_EARLY = timedelta(days=14), 2
_HISTORY = 30
# Silence on a closed day is heard of whenever the patient came.
_EVER = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read for all questions of a transaction at once.

    `prompts` and `questions` go by the message that asked, `unread` by the patient: since when a
    text of theirs waits to be handled.
    """

    prompts: Mapping[UUID, Prompt] = field(repr=False)
    questions: Mapping[UUID, Question] = field(repr=False)
    unread: Mapping[UUID, datetime] = field(repr=False)

    def question(self, asked: Asked) -> Question:
        """Return the step that asked, and its moments."""
        return self.questions.get(asked.message.id, Question())

    def has_unread(self, patient_id: UUID, *, before: datetime) -> bool:
        """Whether a text of this patient, received by then, was not handled yet."""
        since = self.unread.get(patient_id)
        return since is not None and since <= before


def read(session: Session, services: Services, batch: Sequence[Asked]) -> Known:
    """Read what these questions are judged by."""
    if not batch:
        return Known(prompts={}, questions={}, unread={})
    prompts = conversation.prompts_of(session, [each.message.id for each in batch])
    asking = list(prompts.values())
    questions = find_all(session, services, asking)
    people = [each.patient for each in batch]
    patients.read_opt_outs(session, {(each.clinic_id, each.phone_blind) for each in people})
    return Known(
        prompts=prompts,
        questions={each.message_id: one for each, one in zip(asking, questions, strict=True)},
        unread=conversation.unread_since(session, {each.id for each in people}),
    )


def about(asked: Asked) -> str:
    """Return what items about silence join under: the visit's id, or the patient's."""
    return str(asked.message.appointment_id or asked.check_in.patient_id)


def ending(session: Session, asked: Asked, known: Known) -> str:
    """Return how a question ends whose silence nobody else is to blame for, or for nothing."""
    if not counts(session, asked, known):
        return VOID
    if asked.check_in.times_reasked:
        return UNCLEAR
    return MISSED if asked.message.status == "delivered" else VOID


def counts(session: Session, asked: Asked, known: Known) -> bool:
    """Return whether silence on this question could be the patient's own."""
    message, person = asked.message, asked.patient
    if message.nudge_for is not None or person.status != "active":
        return False
    if patients.opted_out(session, clinic_id=person.clinic_id, blind=person.phone_blind):
        return False
    if message.purpose is not None and message.purpose not in person.purposes:
        return False
    if message.purpose == "check_ins" and _rested(person, asked):
        return False
    prompt = known.prompts.get(message.id)
    return prompt is None or still_stands(prompt)


def _rested(person: Patient, asked: Asked) -> bool:
    """Whether check-ins rested while this one stood open."""
    paused, since = person.paused_until, person.conversation_since
    if paused is not None and paused > asked.check_in.asked_at:
        return True
    return since is not None and since < asked.check_in.ends_at


def still_stands(prompt: Prompt | None) -> bool:
    """Whether the visit that a question is about, if any, takes place as it was told."""
    if prompt is None:
        return False
    if prompt.appointment_id is None:
        return True
    # After R the texts hold until staff decide; a moved visit was asked about anew.
    gone = prompt.visit_status in {"cancelled", "no_show"}
    return not gone and prompt.starts_at == prompt.anchor_at


def wanted(
    session: Session, services: Services, asked: Asked, known: Known
) -> tuple[WantedFollowUp, ...]:
    """Return what a question that has ended asks of staff."""
    row, now = asked.check_in, services.now
    file = clinics.by_id(session, row.clinic_id).file
    staffed = file.staffed()
    if row.status == UNCLEAR:
        reason = FollowUpReason.UNCLEAR_REPLY
        return (followup_rules.wanted(reason, now=now, staffed=staffed, about=about(asked)),)
    rows = conversation.check_ins_of_question(
        session, row.patient_id, item=row.item, limit=_HISTORY
    )
    if row.status == VOID:
        undelivered = _undelivered_running(rows)
        return followup_rules.for_misses(
            0, now=now, staffed=staffed, about=about(asked), undelivered=undelivered
        )
    if row.status == MISSED:
        items = _of_silence(session, services, asked, known, rows, staffed)
        return _to_on_call(session, services, asked, items, file)
    return ()


def _to_on_call(
    session: Session,
    services: Services,
    asked: Asked,
    items: tuple[WantedFollowUp, ...],
    file: ClinicFile,
) -> tuple[WantedFollowUp, ...]:
    """Have a silence that is urgent reach whoever is on call on a closed day (care rule 19).

    With nobody on call, whom the clinic's file names for closed days.
    """
    now, staffed = services.now, file.staffed()
    nobody = not staffed.on_call and file.closed_day_caller is None
    if nobody or staffed.is_staffed_day(now.astimezone(staffed.zone).date()):
        return items
    if not is_watched(session, services, asked.patient, since=now - _EVER):
        return items
    due = min(staffed.due(Severity.PAGE_NOW, now), now + FIRST_WAIT_AFTER_HOURS)
    return tuple(
        replace(one, severity=Severity.PAGE_NOW, due_at=due)
        if one.severity is Severity.CALL_TODAY
        else one
        for one in items
    )


def _of_silence(
    session: Session,
    services: Services,
    asked: Asked,
    known: Known,
    rows: Sequence[tuple[CheckIn, Message]],
    staffed: StaffedHours,
) -> tuple[WantedFollowUp, ...]:
    """Apply the step's own rules; a scale without any has the default ones."""
    row, now = asked.check_in, services.now
    misses, question = _misses_running(rows), known.question(asked)
    early = _phoned_early(session, services, asked, rows, question)
    found: tuple[WantedFollowUp, ...] = ()
    if question.step is not None and question.step.unanswered:
        found = followup_rules.for_silence(
            question.step,
            misses=misses,
            now=now,
            staffed=staffed,
            resolve=question.resolve,
            asked_at=question.asked_at,
            starts_at=question.starts_at,
            about=about(asked),
        )
        if not early:
            return found
    if scale_of(row.context) is None or asked.message.purpose != "check_ins":
        return found
    phone_after = _PHONED_EARLY if early else followup_rules.MISSES_PHONED
    default = followup_rules.for_misses(
        misses, now=now, staffed=staffed, about=about(asked), phone_after=phone_after
    )
    return (*found, *default)


def _phoned_early(
    session: Session,
    services: Services,
    asked: Asked,
    rows: Sequence[tuple[CheckIn, Message]],
    question: Question,
) -> bool:
    """Return whether silence weighs more: urgent in the first weeks, or after a high score."""
    since = services.now - _FIRST_WEEKS
    if asked.message.purpose != "check_ins":
        return False
    if is_watched(session, services, asked.patient, since=since):
        return True
    last = next((row for row, _ in rows if row.status == "answered"), None)
    high = asked.check_in.context in {"craving_scale", "scale:0-10"}
    if question.step is not None and question.step.worse is Worse.LOW:
        return False
    value = last.value if last is not None else None
    return high and value is not None and ceil(value) >= followup_rules.HIGH_SCORE


def _misses_running(rows: Sequence[tuple[CheckIn, Message]]) -> int:
    """Count the misses in a row, the newest first; what was void says nothing either way."""
    running = 0
    for row, _ in rows:
        if row.status == MISSED:
            running += 1
        elif row.status not in {VOID, OPEN}:
            break
    return running


def _undelivered_running(rows: Sequence[tuple[CheckIn, Message]]) -> int:
    running = 0
    for row, message in rows:
        if row.status != VOID or message.status == "delivered" or message.nudge_for is not None:
            break
        running += 1
    return running
