"""Safety texts: a page, and one reply that nothing of ours may hold back (care rules 9-11).

The wording that says "we've alerted our team" needs a page that really went out. The reply is
written without it and waits three seconds at most; a page that a channel takes meanwhile adds the
sentence and lets the reply go at once (`records.pages.tell_of_team`).
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from messages.reading import ABUSE
from messages.replies import Intent, goes_on, may_leave
from records import arrivals, conversation, followups, inbox, pages, patients
from records.arrivals import Teller
from schedules import ladder
from schedules.followups import SAFETY_CAUSE, WantedFollowUp
from schedules.staffing import Severity
from worker import resting
from worker.logs import get_logger
from worker.opening import open_follow_ups
from worker.replying import stopping
from worker.replying.case import SAFETY, Case
from worker.replying.leaving import answered_help
from worker.replying.prompted import answered_beside, hold_beside, record
from worker.replying.unprompted import PAUSE, most_worrying, open_scale, rested_until_asked

log = get_logger(__name__)

#: What whoever is alarmed is told: that somebody calls, or when to call 911.
_CALLED, _NOBODY_THERE = "high_score_ack", "unwell_closed"
#: Care rule 11: so long the reply waits for the page to go out.
PAGE_WAIT = timedelta(seconds=3)
_NO_ALERT = "_noalert"
_REPLY = {
    Intent.crisis: "crisis_reply_noalert",
    Intent.overdose: "overdose_reply_noalert",
    Intent.medical_emergency: "emergency_reply_noalert",
}
_SELF_HARM = "self_harm"

#: What our answers to danger speak of, by their templates. One to abuse names nothing.
_SPEAKS_OF = {
    **{template: danger for danger, template in _REPLY.items()},
    **{template.removesuffix(_NO_ALERT): danger for danger, template in _REPLY.items()},
    "crisis_noack": Intent.crisis,
    _NOBODY_THERE: Intent.medical_emergency,
}
#: So long after such an answer few words may speak of the same danger.
_SAME_DANGER = timedelta(hours=1)


def still_in_danger(case: Case) -> bool:
    """Page again for whoever says in few words that the danger goes on; False for all else.

    "In danger now?" went out, and "yes" comes, or "no one answers" where a call was told: read by
    itself it would answer an older question, or wait for the next day.
    """
    row = case.inbound
    if not goes_on(case.body):
        return False
    told = conversation.told_of_danger(
        case.session, case.clinic.id, row.from_blind, since=row.received_at - _SAME_DANGER
    )
    danger = _SPEAKS_OF.get(told[0]) if told is not None else None
    if told is None or danger is None:
        return False
    if any(each.asked_at > told[1] for each in case.open_prompts):
        return False
    asks_help = case.intents[0] is Intent.help
    row.intent, row.also = danger.value, []
    row.value = _SELF_HARM if danger is Intent.crisis else None
    row.severity, row.urgent = Severity.PAGE_NOW.value, True
    row.prompt_message_id, row.ambiguous = None, False
    safety(case)
    if asks_help:
        answered_help(case)
    return True


def join_danger(case: Case) -> None:
    """Put what a number writes under an answer to danger before whoever has the item; page nobody.

    "I called 988", "that was a joke", "thanks": they read it where they are. What may end texts is
    for them to ask about: nothing is started until somebody has.
    """
    if case.people and not any(patients.in_crisis(p.paused_until, case.now) for p in case.people):
        return
    row = case.inbound
    asked = Teller(
        writer=(row.clinic_id, row.from_blind),
        patients=[each.id for each in case.people],
        at=row.received_at,
    )
    [told] = arrivals.told(case.session, [asked], together=timedelta())
    before = inbox.find(case.session, told.danger) if told.danger is not None else None
    if before is None or before.id == row.id:
        return
    for item_id in filter(None, (before.follow_up_id, *before.other_follow_ups)):
        _join(case, item_id)
    if case.with_danger and row.opt_change is None and may_leave(case.body):
        for person in case.people:
            resting.hold_until_clear(case.session, person)


def _join(case: Case, item_id: UUID) -> None:
    item = followups.by_id(case.session, item_id)
    if item is None or item.status == "resolved" or not item.cause.startswith(SAFETY_CAUSE):
        return
    # Milder than any danger, so that no clock of the item moves and nobody is paged again.
    joins = WantedFollowUp(
        reason=item.reason,
        severity=Severity.NEXT_BUSINESS_DAY,
        due_at=item.due_at,
        cause=item.cause,
    )
    open_follow_ups(
        case.session,
        case.clinic.id,
        item.patient_id,
        [joins],
        source_kind="inbound",
        source_id=case.inbound.id,
        now=case.now,
    )
    row = case.inbound
    if row.follow_up_id is None:
        row.follow_up_id = item.id
    elif item.id != row.follow_up_id:
        row.other_follow_ups = [*row.other_follow_ups, item.id]
    case.with_danger = True


def safety(case: Case) -> None:
    """Put a safety text before a person at once, and answer it unless that was just done."""
    _open(case)
    _try(case, _reply)
    _try(case, _no_silence)


def alarmed(case: Case) -> None:
    """Page for whoever is detached and alone, frightened or confused; answer that alone (rule 12).

    No number is asked for now, and no visit is confirmed; what the text answers clearly is kept,
    and a visit that it gives up is held.
    """
    _try(case, hold_beside)
    _open(case)
    _try(case, _reply_to_alarmed)
    _try(case, _no_silence)
    _try(case, _rest)


def _open(case: Case) -> None:
    # The item comes first and for itself: no trouble with the reply may cost the page.
    stopped = case.inbound.opt_change in stopping.STOPS
    bound = case.prompt is not None or (stopped and bool(case.open_prompts))
    case.open(*case.read_as(bound=bound, keyword=case.body))
    case.nudges.add(("pages", str(case.clinic.id)))


def _try(case: Case, act: Callable[[Case], None]) -> None:
    try:
        with case.session.begin_nested():
            act(case)
    except Exception:
        log.exception("safety_reply_failed", inbound_id=str(case.inbound.id))


def _no_silence(case: Case) -> None:
    """Keep what a text in danger answers clearly; else note that the question was answered."""
    if answered_beside(case):
        return
    case.open(*most_worrying(case))
    asked = case.prompt or (open_scale(case) if case.alarmed else None)
    if asked is not None and not case.visits_held:
        # What such a text means as an answer, a person reads.
        record(case, asked, status="unclear")


def _rest(case: Case) -> None:
    """Pause check-ins for whoever asks for that as well."""
    if Intent.pause in case.intents and case.patient is not None:
        resting.pause(case.session, case.patient, until=case.now + PAUSE)
    rested_until_asked(case)


def _reply_to_alarmed(case: Case) -> None:
    """Say that somebody calls, or what to do where nobody is there (care rule 11)."""
    due = case.staffed.due(Severity.PAGE_NOW, case.now)
    if case.answered_to_danger(_CALLED, _NOBODY_THERE):
        return
    if case.file.is_covered(case.now) and case.file.is_covered(due):
        case.safety_answer(_CALLED, window=case.window(due, SAFETY))
    else:
        case.safety_answer(_NOBODY_THERE)


def _reply(case: Case) -> None:
    """Answer, unless this number was told the very same less than 15 min ago (care rule 10)."""
    danger = next(intent for intent in case.intents if intent in _REPLY)
    template = _REPLY[danger]
    if danger is Intent.crisis and case.inbound.value == ABUSE:
        # Whoever hurts them may be reading: nothing in the answer says what it is about.
        template = "neutral_ack" if case.file.is_covered(case.now) else "after_hours_ack"
    if case.answered_to_danger(template, template.removesuffix(_NO_ALERT)):
        return
    case.safety_answer(template, until=case.until(language=case.language("safety")))
    if template.endswith(_NO_ALERT) and _somebody_is_called(case):
        until = case.now + PAGE_WAIT
        pages.await_page(case.session, case.inbound.id, template, until=until)


def _somebody_is_called(case: Case) -> bool:
    """Whether the page goes to somebody now, and not to a list that is read when work starts."""
    return case.file.is_covered(case.now) and bool(ladder.rungs(case.file, at=case.now))
