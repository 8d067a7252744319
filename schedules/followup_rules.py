"""When a person must look: from answers, silence, failed texts and visits to wanted follow-ups.

The last pure stop of the flow. The steps in `worker` hand over what happened, and get back which
follow-ups should be open; they open each one whose cause has no open item yet, and raise the
severity of one that stands there milder. What a sweep wants on every pass (silence, undelivered
texts, missing events) names its message or visit in `cause`: open it once, not again when resolved.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from schedules.answer_tests import answer_fits
from schedules.followups import (
    FollowUpReason,
    WantedFollowUp,
    joined,
    more_urgent,
    more_worrying,
    one_a_cause,
    wanted,
)
from schedules.protocol import Anchor, AnswerTest, FollowUpRule, Moment, Step, Worse
from schedules.reasons import HARMLESS_ENDS
from schedules.silence import call_before, silence_counts_at
from schedules.staffing import Severity, StaffedHours
from schedules.thresholds import HIGH_SCORE, for_low_score, for_score, whole_numbers
from schedules.visit_events import missing_events

__all__ = [
    "HIGH_SCORE",
    "FollowUpReason",
    "WantedFollowUp",
    "for_answer",
    "for_misses",
    "for_reading",
    "for_reply",
    "for_score",
    "for_silence",
    "for_undelivered",
    "for_visit_texts",
    "missing_events",
    "wanted",
]

_R = FollowUpReason

#: What a reading by itself asks for. Intents not named here ask for nobody: `help` and thanks
#: are answered or recorded, and what answers a prompt is judged by the prompt's step.
REASON_OF_INTENT = {
    "crisis": _R.CRISIS,
    "overdose": _R.OVERDOSE,
    "medical_emergency": _R.MEDICAL_EMERGENCY,
    "side_effect": _R.SIDE_EFFECT,
    "use_disclosed": _R.USE_DISCLOSED,
    "callback_request": _R.CALLBACK,
    "wrong_number": _R.WRONG_NUMBER,
    "running_late": _R.RUNNING_LATE,
    "question_for_staff": _R.QUESTION,
    "score_out_of_range": _R.UNCLEAR_REPLY,
    "unclear": _R.UNCLEAR_REPLY,
    "stop": _R.OPTED_OUT,
    "start": _R.QUESTION,
    "pause": _R.PAUSED,
}
#: The same for what would be an answer, had anything been asked.
REASON_OF_UNASKED = {
    "decline_reschedule": _R.CHANGE_REQUESTED,
    "confirm": _R.UNCLEAR_REPLY,
    "score": _R.UNCLEAR_REPLY,
}
#: Danger, which is a person's at once.
_PAGED = frozenset({"crisis", "overdose", "medical_emergency"})
#: What may be about a visit that the patient was just texted about.
_OF_A_VISIT = frozenset({_R.QUESTION, _R.UNCLEAR_REPLY})
#: Words that stop all texts by law, yet may be an answer to what was asked (care rule 17).
AMBIGUOUS_STOPS = frozenset({"cancel", "end", "quit", "cancelar", "fin", "terminar"})

#: Unanswered questions in a row (clinical brief, section 3), and undelivered ones (care rule 19).
MISSES_FLAGGED, MISSES_PHONED, UNDELIVERED_RUNNING = 2, 3, 2

Resolve = Callable[[Moment], datetime | None]
"""Gives the instant (UTC) of a rule's moment, as the planner computes it for this very text."""


def for_reading(
    intent: str,
    severity: str | None = None,
    value: str | None = None,
    *,
    now: datetime,
    staffed: StaffedHours,
    about: str,
    prompt_open: bool = False,
    also: Sequence[str] = (),
    keyword: str | None = None,
    before: datetime | None = None,
) -> tuple[WantedFollowUp, ...]:
    """Say who must look at a reply, apart from what the prompt's own step says (`for_answer`).

    `severity` is the reading's own and only ever makes it more urgent. `prompt_open`: the reply is
    bound to a prompt, or for a stop, one was open. `keyword` is the stop word as written, when
    `value` does not hold it. `about` is the patient's id, so that a second text joins the open
    item; for an unknown number, the inbound row's. `before` is the start of a visit that a question
    or unclear words may be about: nobody has anything of an answer after it. The most urgent comes
    first.
    """
    word = (keyword or value or "").strip().casefold()
    # Whoever reads a page reads what it says of a visit beside.
    known = prompt_open or intent in _PAGED
    reasons = [_reason_of(each, prompt_open=known) for each in (intent, *also)]
    if "stop" in (intent, *also) and prompt_open and word in AMBIGUOUS_STOPS:
        reasons.append(FollowUpReason.MAY_HAVE_MEANT_SOMETHING_ELSE)
    found = [
        wanted(
            reason,
            now=now,
            staffed=staffed,
            about=about,
            before=before if reason in _OF_A_VISIT else None,
        )
        for reason in reasons
        if reason
    ]
    if severity is not None:
        found = _at_least(
            Severity(severity), found, intent, now=now, staffed=staffed, about=about, before=before
        )
    return one_a_cause(found)


def _at_least(
    severity: Severity,
    found: list[WantedFollowUp],
    intent: str,
    *,
    now: datetime,
    staffed: StaffedHours,
    about: str,
    before: datetime | None,
) -> list[WantedFollowUp]:
    """Make the first item as urgent as the reading says; want one where no rule named a reason."""
    if found:
        raised = more_urgent(found[0].severity, severity)
        reason = FollowUpReason(found[0].reason)
        ahead_of = before if reason in _OF_A_VISIT else None
        first = wanted(
            reason, now=now, staffed=staffed, about=about, severity=raised, before=ahead_of
        )
        return [first, *found[1:]]
    if intent in REASON_OF_UNASKED or severity is Severity.DIGEST:
        return []
    # The reading saw something for which there is no reason here; a person decides what it was.
    reason = FollowUpReason.UNCLEAR_REPLY
    return [wanted(reason, now=now, staffed=staffed, about=about, severity=severity, before=before)]


def _reason_of(intent: str, *, prompt_open: bool) -> FollowUpReason | None:
    reason = REASON_OF_INTENT.get(intent)
    return reason if reason or prompt_open else REASON_OF_UNASKED.get(intent)


def for_reply(
    step: Step | None,
    intent: str,
    severity: str | None = None,
    value: str | None = None,
    *,
    now: datetime,
    staffed: StaffedHours,
    patient: str,
    about: str,
    previous: Sequence[int] = (),
    resolve: Resolve | None = None,
    also: Sequence[str] = (),
    keyword: str | None = None,
) -> tuple[WantedFollowUp, ...]:
    """Say all that a reply asks for: what its prompt's step says, then what it says by itself.

    `step` is that of the prompt the reply is bound to, None when it is bound to none. `patient` is
    the id under which replies join one item, `about` the visit's or message's for the step's rules.
    A reason that the step names is not wanted a second time.
    """
    answered: tuple[WantedFollowUp, ...] = ()
    if step is not None:
        answered = for_answer(
            step,
            intent,
            value,
            now=now,
            staffed=staffed,
            previous=previous,
            resolve=resolve,
            about=about,
        )
    named = {reason for item in answered for reason in (item.reason, *item.also)}
    read = for_reading(
        intent,
        severity,
        value,
        now=now,
        staffed=staffed,
        about=patient,
        prompt_open=step is not None,
        also=also,
        keyword=keyword,
    )
    return one_a_cause([*answered, *(item for item in read if item.reason not in named)])


def for_answer(
    step: Step,
    intent: str,
    value: str | None = None,
    *,
    now: datetime,
    staffed: StaffedHours,
    previous: Sequence[float] = (),
    before: Sequence[str] = (),
    resolve: Resolve | None = None,
    about: str,
) -> tuple[WantedFollowUp, ...]:
    """Apply a step's rules to an answer.

    `previous` are this patient's earlier numbers in answer to this step, in order; `before` what
    their earlier answers said (intents).

    Of the rules that match, the most severe opens the item and the others stand under `also`. Rules
    name whole numbers: "6.5" is judged as 6 and as 7, and what worries more holds (care rule 8).
    """

    def judged(number: int | None) -> tuple[WantedFollowUp, ...]:
        matching = [
            rule
            for rule in step.on_answer
            if answer_fits(rule.when, intent, number, previous, before)
        ] or _any_other(step, intent)
        if matching:
            items = [_from_rule(rule, now, staffed, resolve, about) for rule in matching]
            return (joined(items),)
        if step.on_answer or intent in REASON_OF_INTENT:
            return ()
        return _without_rules(step, intent, number, previous, now, staffed, about)

    numbers = whole_numbers(value) if intent == "score" and value is not None else [None]
    return more_worrying(*map(judged, numbers))


def for_silence(
    step: Step,
    *,
    misses: int = 1,
    now: datetime,
    staffed: StaffedHours,
    ended: bool = True,
    resolve: Resolve | None = None,
    asked_at: datetime | None = None,
    starts_at: datetime | None = None,
    about: str,
) -> tuple[WantedFollowUp, ...]:
    """Apply a step's rules to a delivered question that stands unanswered.

    `misses` counts the questions in a row, this one included; `ended` says that its answer window
    is over. A rule with a time of its own counts from that time, which `resolve` gives; about a
    visit at `starts_at`, both that time and the call lie ahead of it (`silence`).
    """

    def has_come(at: Moment) -> bool:
        counts = silence_counts_at(
            at, resolve=resolve, staffed=staffed, asked_at=asked_at, starts_at=starts_at
        )
        return counts is not None and now >= counts

    items = [
        wanted(
            rule.reason,
            now=now,
            staffed=staffed,
            severity=rule.severity,
            before=call_before(rule.severity, now=now, starts_at=starts_at),
            about=about,
        )
        for rule in step.unanswered
        if misses >= rule.misses and (ended if rule.at is None else has_come(rule.at))
    ]
    return (joined(items),) if items else ()


def for_misses(
    misses: int,
    *,
    now: datetime,
    staffed: StaffedHours,
    about: str,
    undelivered: int = 0,
    phone_after: int = MISSES_PHONED,
) -> tuple[WantedFollowUp, ...]:
    """Apply the default rules of silence to check-ins: 2 misses in a row are flagged, 3 phoned.

    `undelivered` counts questions in a row that did not arrive: these are no misses, and two mean
    that the patient cannot be reached. `phone_after` is 2 where silence is urgent.
    """
    found = []
    if misses >= min(MISSES_FLAGGED, phone_after):
        severity = Severity.CALL_TODAY if misses >= phone_after else Severity.NEXT_BUSINESS_DAY
        reason = FollowUpReason.MISSED_CHECK_INS
        found.append(wanted(reason, now=now, staffed=staffed, about=about, severity=severity))
    if undelivered >= UNDELIVERED_RUNNING:
        found.append(wanted(FollowUpReason.CANNOT_REACH, now=now, staffed=staffed, about=about))
    return tuple(found)


# What counts from these is as urgent once the visit has begun: the checks after a dose.
_AFTER_THE_VISIT = frozenset({Anchor.CHECK_OUT, Anchor.DOSE_CHECK_OUT, Anchor.UNRECORDED_CLOSING})
#: Statuses after which nothing more can come.
ENDED_WITHOUT_DELIVERY = frozenset({"undelivered", "failed", "expired", "cancelled", "skipped"})


def for_undelivered(
    step: Step,
    status: str,
    reason: str | None = None,
    *,
    now: datetime,
    staffed: StaffedHours,
    resolve: Resolve,
    text_due_at: datetime | None = None,
    starts_at: datetime | None = None,
    answered: bool = False,
    about: str,
) -> tuple[WantedFollowUp, ...]:
    """Turn an instruction that did not arrive into a call before its deadline (care rule 2).

    `reason` is the outbox row's. A text still on its way counts from `rule.prove_by` on, unless the
    patient answered it. One known long before `text_due_at` not to go is called, or paged, when it
    would have gone, not days ahead; one that goes only after the deadline at once. After
    `starts_at`, the visit's, nothing is, save for a check that follows a check-out: that is called
    as soon as it is known not to go, in staffed hours; the next morning's on the next day, if
    anybody is there.
    """
    rule = step.if_not_delivered
    if rule is None or status == "delivered" or answered or reason in HARMLESS_ENDS:
        return ()
    is_check = step.when.anchor in _AFTER_THE_VISIT
    if starts_at is not None and now >= starts_at and not is_check:
        return ()
    deadline = resolve(rule.call_by)
    if deadline is None and rule.call_by.anchor is Anchor.TOLD_TIME:
        return ()  # No text named a time that no longer holds.
    too_late = deadline is not None and text_due_at is not None and text_due_at > deadline
    under_way = not too_late and status not in ENDED_WITHOUT_DELIVERY
    if under_way and (deadline is None or now < rule.prove_by(deadline, text_due_at)):
        return ()
    at = now
    if text_due_at is not None and not too_late:
        waits = not is_check or _is_of_a_later_day(text_due_at, now, staffed)
        at = max(now, text_due_at) if waits else now
    item = wanted(
        rule.reason,
        now=at,
        staffed=staffed,
        severity=rule.severity,
        before=None if is_check else deadline,
        about=about,
        pages_from=at,
    )
    return (item,)


def _is_of_a_later_day(due_at: datetime, now: datetime, staffed: StaffedHours) -> bool:
    """Whether a check belongs to a later day that has staff: an earlier call can't answer it."""
    day = due_at.astimezone(staffed.zone).date()
    return day > now.astimezone(staffed.zone).date() and staffed.is_staffed_day(day)


def for_visit_texts(
    statuses: Iterable[str],
    *,
    starts_at: datetime,
    now: datetime,
    staffed: StaffedHours,
    about: str,
) -> tuple[WantedFollowUp, ...]:
    """Open "not reminded" for a visit of which every text ended without going out (care rule 2)."""
    ends = frozenset(statuses)
    if not ends or not ends <= ENDED_WITHOUT_DELIVERY or now >= starts_at:
        return ()
    reason = FollowUpReason.NOT_REMINDED
    return (wanted(reason, now=now, staffed=staffed, before=starts_at, about=about),)


def _from_rule(
    rule: FollowUpRule,
    now: datetime,
    staffed: StaffedHours,
    resolve: Resolve | None,
    about: str,
) -> WantedFollowUp:
    before = resolve(rule.due) if rule.due is not None and resolve is not None else None
    return wanted(
        rule.reason,
        now=now,
        staffed=staffed,
        severity=rule.severity,
        before=before,
        about=about,
    )


def _without_rules(
    step: Step,
    intent: str,
    number: int | None,
    previous: Sequence[float],
    now: datetime,
    staffed: StaffedHours,
    about: str,
) -> tuple[WantedFollowUp, ...]:
    """Judge the answer to a question for which the protocol's author wrote no rule."""
    if intent == "decline_reschedule" and step.expects == "appointment_reminder":
        return (wanted(FollowUpReason.CHANGE_REQUESTED, now=now, staffed=staffed, about=about),)
    if number is not None and step.expects in ("scale:0-10", "craving_scale"):
        judge = for_low_score if step.worse is Worse.LOW else for_score
        return judge(number, previous, now=now, staffed=staffed, about=about)
    return ()


def _any_other(step: Step, intent: str) -> list[FollowUpRule]:
    """Give the catch-all rules, for what could be read as an answer at all."""
    if intent in REASON_OF_INTENT or intent in ("start", "help"):
        return []
    return [rule for rule in step.on_answer if rule.when.test is AnswerTest.ANY_OTHER]
