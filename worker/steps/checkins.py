"""Check-ins that end without an answer: a miss only where the silence is the patient's own.

    check_in rows past their end -> missed | unclear | void -> follow-ups

Care rule 19: a miss is a question delivered, while we could receive, and unanswered to its end.
Whatever was paused, held, undelivered, or fell into an outage of ours is void and no miss.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from records import checkins, clinics, conversation, progress, unanswered
from records.base import Session
from records.unanswered import Asked
from schedules import followup_rules
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.silence import silence_counts_at
from schedules.staffing import Severity, StaffedHours
from worker import pulled, silence
from worker.logs import get_logger
from worker.opening import open_follow_ups
from worker.replying.questions import Question, find_all
from worker.services import Services
from worker.silence import MISSED, VOID, Known

log = get_logger(__name__)

# While the carrier's list can't be read, nobody knows whether a reply waits there: for this long
# the question stays open, then the outage was ours and it is no miss.
_OUTAGE_PATIENCE = timedelta(hours=6)
_GIVEN_UP_AFTER = timedelta(hours=1)
# Visits' questions may count as silent before they end; rules look at most this far ahead.
VISITS_AHEAD = timedelta(days=3)
_SILENCES_EVERY_SECONDS = 60.0
# A question whose time has not come is looked at then, and now and again in case its rules change;
# one whose time has come but that does not count now (an unread text, a pause), in a minute.
_LOOK_AGAIN, _LOOK_SOON = timedelta(hours=6), timedelta(seconds=55)
# So many check-ins are held at a time: an answer to one of them hardly waits.
_TOGETHER = 20


def run(services: Services, *, limit: int = 200) -> Counter[str]:
    """End up to `limit` check-ins that are over; once a minute, count silence before visits."""
    counts: Counter[str] = Counter()
    seen: list[UUID] = []
    behind = pulled.clinics_out_of_reach(services)
    while (left := limit - len(seen)) > 0:
        if not _end_next(services, seen, behind, counts, most=min(left, _TOGETHER)):
            break
    with services.database.transaction() as session:
        turn = progress.take_turn(session, "turn:silences", every=_SILENCES_EVERY_SECONDS)
    if turn:
        counts += silences(services, limit=limit)
    return +counts


def silences(services: Services, *, limit: int = 200) -> Counter[str]:
    """Open what a step wants when its question about a visit is unanswered at a set time.

    Questions are looked at in batches of `limit`, each when the first of its times has come; those
    that count as silent by now are ended a few at a time.
    """
    counts: Counter[str] = Counter()
    seen: set[UUID] = set()
    while True:
        batch, silent = _look(services, limit=limit)
        counts[MISSED] += _end_early(services, silent)
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
                session, now=now, until=now + VISITS_AHEAD, limit=limit
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
    standing = [each for each in batch if silence.still_stands(prompts.get(each.message.id))]
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


def _end_early(services: Services, check_in_ids: Sequence[UUID]) -> int:
    """End those of these questions whose silence counts by now, a few in one transaction."""
    ended = 0
    for start in range(0, len(check_in_ids), _TOGETHER):
        ended += _end_early_for_sure(services, check_in_ids[start : start + _TOGETHER])
    return ended


def _end_early_for_sure(services: Services, check_in_ids: Sequence[UUID]) -> int:
    """End these together; where that fails each by itself, so that a bad one is looked at later."""
    soon = services.now + _LOOK_SOON
    try:
        with services.database.transaction() as session:
            batch = unanswered.open_check_ins(session, check_in_ids)
            checkins.look_again(session, {each.check_in.id: soon for each in batch})
            known = silence.read(session, services, batch)
            return sum(_silent_already(session, services, each, known) for each in batch)
    except Exception:
        if len(check_in_ids) == 1:
            log.exception("silence_not_judged", check_in_id=str(check_in_ids[0]))
            later = {check_in_ids[0]: services.now + _LOOK_AGAIN}
            with services.database.transaction() as session:
                checkins.look_again(session, later)
            return 0
        log.warning("silences_not_judged_together", check_ins=len(check_in_ids), exc_info=True)
    return sum(_end_early_for_sure(services, [each]) for each in check_in_ids)


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
    services: Services,
    seen: list[UUID],
    behind: Sequence[UUID],
    counts: Counter[str],
    *,
    most: int,
) -> int:
    """End the next check-ins that are over in one transaction; return how many there were.

    Where that fails, the next are ended one by one, so that a bad one holds up no other.
    """
    taken: list[UUID] = []
    mine: Counter[str] = Counter()
    try:
        with services.database.transaction() as session:
            batch = unanswered.check_ins_over(
                session,
                now=services.now,
                skip=seen,
                waiting_clinics=behind,
                waited_enough=services.now - _OUTAGE_PATIENCE,
                limit=most,
            )
            taken += [each.check_in.id for each in batch]
            known = silence.read(session, services, batch)
            for asked in batch:
                outage = asked.check_in.clinic_id in behind
                mine[_end(session, services, asked, known, outage=outage)] += 1
    except Exception:
        if not taken:
            raise
        if most > 1:
            log.warning("check_ins_not_ended_together", check_ins=len(taken), exc_info=True)
            alone = (_end_next(services, seen, behind, counts, most=1) for _ in taken)
            return sum(alone)
        log.exception("check_in_not_ended", check_in_id=str(taken[0]))
        mine = Counter([_give_up(services, taken[0])])
    seen += taken
    counts.update(mine)
    return len(taken)


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


def _end(session: Session, services: Services, asked: Asked, known: Known, *, outage: bool) -> str:
    """Decide how an unanswered question ends, and open what that asks for."""
    row = asked.check_in
    if known.has_unread(row.patient_id, before=row.ends_at):
        # Their answer may be here already and only wait to be handled.
        return "waiting"
    row.status = VOID if outage else silence.ending(session, asked, known)
    session.flush()
    _open(session, asked, silence.wanted(session, services, asked, known), services.now)
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


def _silent_already(session: Session, services: Services, asked: Asked, known: Known) -> bool:
    """End a check-in before its window does, if a rule of its step says so by now.

    The question stays readable: a late answer still turns the miss into an answer.
    """
    row, now = asked.check_in, services.now
    if known.has_unread(row.patient_id, before=now) or not silence.counts(session, asked, known):
        return False
    question = known.question(asked)
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
        about=silence.about(asked),
    )
    if not wanted:
        return False
    row.status = MISSED
    session.flush()
    _open(session, asked, wanted, now)
    return True
