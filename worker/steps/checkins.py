"""Check-ins that end without an answer: a miss only where the silence is the patient's own.

    check_in rows past their end -> missed | unclear | void -> follow-ups

Care rule 19: a miss is a question delivered, while we could receive, and unanswered to its end.
Whatever was paused, held, undelivered, or fell into an outage of ours is void and no miss.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from messages.binding import scale_of
from records import checkins, clinics, conversation, patients, progress, unanswered
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
from schedules.silence import silence_counts_at
from schedules.staffing import Severity, StaffedHours
from worker import pulled
from worker.logs import get_logger
from worker.opening import open_follow_ups
from worker.replying.questions import Question, find, find_all, is_watched
from worker.services import Services

log = get_logger(__name__)

OPEN, MISSED, VOID, UNCLEAR = "open", "missed", "void", "unclear"
# While the carrier's list can't be read, nobody knows whether a reply waits there: for this long
# the question stays open, then the outage was ours and it is no miss.
_OUTAGE_PATIENCE = timedelta(hours=6)
_GIVEN_UP_AFTER = timedelta(hours=1)
# Visits' questions may count as silent before they end; rules look at most this far ahead.
_VISITS_AHEAD = timedelta(days=3)
_SILENCES_EVERY_SECONDS = 60.0
# A question whose time has not come is looked at then, and now and again in case its rules change;
# one whose time has come but that does not count now (an unread text, a pause), in a minute.
_LOOK_AGAIN, _LOOK_SOON = timedelta(hours=6), timedelta(seconds=55)
# Silence is phoned after two misses instead of three (the clinical brief, section 3).
_FIRST_WEEKS, _PHONED_EARLY = timedelta(days=14), 2
_HISTORY = 30
# Silence on a closed day is heard of whenever the patient came.
_EVER = timedelta(days=3650)


def run(services: Services, *, limit: int = 200) -> Counter[str]:
    """End up to `limit` check-ins that are over; once a minute, count silence before visits."""
    counts: Counter[str] = Counter()
    seen: list[UUID] = []
    behind = pulled.clinics_out_of_reach(services)
    for _ in range(limit):
        if not _end_next(services, seen, behind, counts):
            break
    with services.database.transaction() as session:
        turn = progress.take_turn(session, "turn:silences", every=_SILENCES_EVERY_SECONDS)
    if turn:
        counts += silences(services, limit=limit)
    return +counts


def silences(services: Services, *, limit: int = 200) -> Counter[str]:
    """Open what a step wants when its question about a visit is unanswered at a set time.

    Questions are looked at in batches of `limit`, each when the first of its times has come; those
    that count as silent by now are ended one by one.
    """
    counts: Counter[str] = Counter()
    seen: set[UUID] = set()
    while True:
        batch, silent = _look(services, limit=limit)
        for check_in_id in silent:
            counts[MISSED] += _end_early(services, check_in_id)
        # One that somebody else holds comes again and again, and is left to the next minute.
        if len(batch) < limit or seen.issuperset(batch):
            return +counts
        seen.update(batch)


def _look(services: Services, *, limit: int) -> tuple[Sequence[UUID], Sequence[UUID]]:
    """Look at the next questions; return all, and those whose silence may count by now."""
    ids: list[UUID] = []
    now = services.now
    try:
        with services.database.transaction() as session:
            batch = unanswered.check_ins_about_visits(
                session, now=now, until=now + _VISITS_AHEAD, limit=limit
            )
            ids += [each.check_in.id for each in batch]
            later = {each: at for each, at in _times(session, services, batch) if at > now}
            checkins.look_again(session, later)
    except Exception:
        if not ids:
            raise
        # Each by itself then, so that a bad one holds up no other.
        log.exception("silences_not_looked_at", check_ins=len(ids))
        return ids, ids
    return ids, [each for each in ids if each not in later]


def _times(
    session: Session, services: Services, batch: Sequence[Asked]
) -> Iterator[tuple[UUID, datetime]]:
    """Give for each question when it is to be looked at: at its first time, or now and again."""
    prompts = conversation.prompts_of(session, [each.message.id for each in batch])
    standing = [each for each in batch if _still_stands(prompts.get(each.message.id))]
    questions = find_all(session, services, [prompts[each.message.id] for each in standing])
    times = dict(zip((each.check_in.id for each in standing), questions, strict=True))
    again = services.now + _LOOK_AGAIN
    for asked in batch:
        question = times.get(asked.check_in.id)
        at = None
        if question is not None:
            staffed = clinics.by_id(session, asked.check_in.clinic_id).file.staffed()
            at = _silence_counts_at(question, staffed)
        yield asked.check_in.id, min(at or again, again)


def _end_early(services: Services, check_in_id: UUID) -> bool:
    """End one question whose silence counts by now, in a transaction of its own."""
    later = {check_in_id: services.now + _LOOK_SOON}
    try:
        with services.database.transaction() as session:
            asked = unanswered.open_check_in(session, check_in_id)
            if asked is None:
                return False
            checkins.look_again(session, later)
            return _silent_already(session, services, asked)
    except Exception:
        log.exception("silence_not_judged", check_in_id=str(check_in_id))
        later = {check_in_id: services.now + _LOOK_AGAIN}
    with services.database.transaction() as session:
        checkins.look_again(session, later)
    return False


def _silence_counts_at(question: Question, staffed: StaffedHours) -> datetime | None:
    """Return when the first rule of a question's step calls silence what it is, if one does."""
    found = [
        silence_counts_at(
            rule.at,
            resolve=question.resolve,
            staffed=staffed,
            asked_at=question.asked_at,
            starts_at=question.starts_at,
        )
        for rule in (question.step.unanswered if question.step else ())
        if rule.at
    ]
    return min((at for at in found if at is not None), default=None)


def _end_next(
    services: Services, seen: list[UUID], behind: Sequence[UUID], counts: Counter[str]
) -> bool:
    """End one check-in in a transaction of its own, so that one bad row holds up no other."""
    try:
        with services.database.transaction() as session:
            asked = unanswered.check_in_over(
                session,
                now=services.now,
                skip=seen,
                waiting_clinics=behind,
                waited_enough=services.now - _OUTAGE_PATIENCE,
            )
            if asked is None:
                return False
            seen.append(asked.check_in.id)
            outage = asked.check_in.clinic_id in behind
            counts[_end(session, services, asked, outage=outage)] += 1
    except Exception:
        if not seen:
            raise
        log.exception("check_in_not_ended", check_in_id=str(seen[-1]))
        counts[_give_up(services, seen[-1])] += 1
    return True


def _give_up(services: Services, check_in_id: UUID) -> str:
    """Put a check-in that can't be judged before a person, once it has failed for an hour."""
    now = services.now
    with services.database.transaction() as session:
        row = unanswered.check_in_before(session, check_in_id, ended=now - _GIVEN_UP_AFTER)
        if row is None:
            return "failed"
        row.status = VOID
        wanted = WantedFollowUp(
            reason=FollowUpReason.NO_ANSWER,
            severity=Severity.CALL_TODAY,
            due_at=now,
            cause=f"{FollowUpReason.NO_ANSWER}:{row.patient_id}",
        )
        open_follow_ups(
            session,
            row.clinic_id,
            row.patient_id,
            [wanted],
            source_kind="check_in",
            source_id=row.id,
            now=now,
        )
    return "given_up"


def _end(session: Session, services: Services, asked: Asked, *, outage: bool) -> str:
    """Decide how an unanswered question ends, and open what that asks for."""
    row, now = asked.check_in, services.now
    if conversation.has_unread(session, row.patient_id, before=row.ends_at):
        # Their answer may be here already and only wait to be handled.
        return "waiting"
    row.status = VOID if outage else _ending(session, asked)
    session.flush()
    wanted = _wanted(session, services, asked)
    _open(session, asked, wanted, now)
    return row.status


def _open(session: Session, asked: Asked, wanted: Sequence[WantedFollowUp], now: datetime) -> None:
    open_follow_ups(
        session,
        asked.check_in.clinic_id,
        asked.check_in.patient_id,
        wanted,
        source_kind="check_in",
        source_id=asked.check_in.id,
        now=now,
    )


def _about(asked: Asked) -> str:
    """Return what items about silence join under: the visit's id, or the patient's."""
    return str(asked.message.appointment_id or asked.check_in.patient_id)


def _ending(session: Session, asked: Asked) -> str:
    if not _counts(session, asked):
        return VOID
    if asked.check_in.times_reasked:
        return UNCLEAR
    return MISSED if asked.message.status == "delivered" else VOID


def _counts(session: Session, asked: Asked) -> bool:
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
    return _visit_stands(session, message)


def _rested(person: Patient, asked: Asked) -> bool:
    """Whether check-ins rested while this one stood open."""
    paused, since = person.paused_until, person.conversation_since
    if paused is not None and paused > asked.check_in.asked_at:
        return True
    return since is not None and since < asked.check_in.ends_at


def _visit_stands(session: Session, message: Message) -> bool:
    prompt = conversation.prompt(session, message.id)
    return prompt is None or _still_stands(prompt)


def _still_stands(prompt: Prompt | None) -> bool:
    """Whether the visit that a question is about, if any, takes place as it was told."""
    if prompt is None:
        return False
    if prompt.appointment_id is None:
        return True
    # After R the texts hold until staff decide; a moved visit was asked about anew.
    gone = prompt.visit_status in {"cancelled", "no_show"}
    return not gone and prompt.starts_at == prompt.anchor_at


def _wanted(session: Session, services: Services, asked: Asked) -> tuple[WantedFollowUp, ...]:
    row, now = asked.check_in, services.now
    file = clinics.by_id(session, row.clinic_id).file
    staffed = file.staffed()
    if row.status == UNCLEAR:
        reason = FollowUpReason.UNCLEAR_REPLY
        return (followup_rules.wanted(reason, now=now, staffed=staffed, about=_about(asked)),)
    rows = conversation.check_ins_of_question(
        session, row.patient_id, item=row.item, limit=_HISTORY
    )
    if row.status == VOID:
        undelivered = _undelivered_running(rows)
        return followup_rules.for_misses(
            0, now=now, staffed=staffed, about=_about(asked), undelivered=undelivered
        )
    if row.status == MISSED:
        items = _of_silence(session, services, asked, rows, staffed)
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
    rows: Sequence[tuple[CheckIn, Message]],
    staffed: StaffedHours,
) -> tuple[WantedFollowUp, ...]:
    """Apply the step's own rules; a scale without any has the default ones."""
    row, now = asked.check_in, services.now
    misses, question = _misses_running(rows), _question(session, services, asked)
    early = _phoned_early(session, services, asked, rows, question)
    wanted: tuple[WantedFollowUp, ...] = ()
    if question.step is not None and question.step.unanswered:
        wanted = followup_rules.for_silence(
            question.step,
            misses=misses,
            now=now,
            staffed=staffed,
            resolve=question.resolve,
            asked_at=question.asked_at,
            starts_at=question.starts_at,
            about=_about(asked),
        )
        if not early:
            return wanted
    if scale_of(row.context) is None or asked.message.purpose != "check_ins":
        return wanted
    phone_after = _PHONED_EARLY if early else followup_rules.MISSES_PHONED
    default = followup_rules.for_misses(
        misses, now=now, staffed=staffed, about=_about(asked), phone_after=phone_after
    )
    return (*wanted, *default)


def _question(session: Session, services: Services, asked: Asked) -> Question:
    prompt: Prompt | None = conversation.prompt(session, asked.message.id)
    if prompt is None:
        return Question()
    return find(session, services, asked.check_in.clinic_id, prompt)


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
    return high and value is not None and value >= followup_rules.HIGH_SCORE


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


def _silent_already(session: Session, services: Services, asked: Asked) -> bool:
    """End a check-in before its window does, if a rule of its step says so by now.

    The question stays readable: a late answer still turns the miss into an answer.
    """
    row, now = asked.check_in, services.now
    if not _counts(session, asked) or conversation.has_unread(session, row.patient_id, before=now):
        return False
    question = _question(session, services, asked)
    if question.step is None:
        return False
    wanted = followup_rules.for_silence(
        question.step,
        now=now,
        staffed=clinics.by_id(session, row.clinic_id).file.staffed(),
        ended=False,
        resolve=question.resolve,
        asked_at=question.asked_at,
        starts_at=question.starts_at,
        about=_about(asked),
    )
    if not wanted:
        return False
    row.status = MISSED
    session.flush()
    _open(session, asked, wanted, now)
    return True
