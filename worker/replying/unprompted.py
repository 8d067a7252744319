"""Texts that answer no question, or answer it in no way we could read: they go to a person.

Nothing is guessed: a number that is none is asked for once more, the rest is shown to staff.
"""

from datetime import timedelta
from decimal import Decimal

from messages.binding import YES_NO, lies_on, scale_of
from messages.lexicon import lexicon
from messages.replies import Intent, ends_texts
from records.conversation import Prompt
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from worker import resting
from worker.replying.case import Case
from worker.replying.prompted import change_any, check_in_of, judge_score, reassure, record
from worker.replying.questions import is_watched

PAUSE = timedelta(days=7)
# Whose silence is urgent, and who pauses this early, is called the same day (care rule 20).
WATCHED = timedelta(days=28)
_NOT_A_NUMBER = frozenset({Intent.unclear, Intent.score_out_of_range, Intent.score})


def paused(case: Case, *, bound: bool) -> None:
    """Pause check-ins for seven days; texts about visits go on. Staff are told.

    `bound`: what else the text says answered its question, and is recorded. "Stop texting me til my
    exam is over" may mean more than check-ins: nothing goes until somebody has asked, the same day.
    """
    person = case.patient
    if person is None:
        return
    resting.pause(case.session, person, until=case.now + PAUSE)
    watched = is_watched(case.session, case.services, person, since=case.now - WATCHED)
    items = [
        case.want(FollowUpReason.PAUSED, severity=Severity.CALL_TODAY)
        if one.reason is FollowUpReason.PAUSED and watched
        else one
        for one in case.read_as(bound=bound)
    ]
    case.open(*items, *(() if bound else most_worrying(case)))
    if rested_until_asked(case):
        case.acknowledge()
    else:
        case.answer("pause_ack")


def rested_until_asked(case: Case) -> bool:
    """Start nothing on a number that put a pause in the words of a stop; say whether it did.

    It rests for everybody there (care rule 22), until somebody has asked, the same day.
    """
    if Intent.pause not in case.intents or not ends_texts(case.body):
        return False
    for person in case.people:
        resting.hold_until_clear(case.session, person)
    case.open(case.want(FollowUpReason.UNCLEAR_REPLY, severity=Severity.CALL_TODAY))
    return True


def unasked(case: Case) -> None:
    """Handle what is bound to no question: ask once, or hand it to a person."""
    intent = case.intents[0]
    if case.needs_nobody or _says_again(case):
        return
    scale = open_scale(case)
    if scale is not None and intent in _NOT_A_NUMBER and not case.inbound.ambiguous:
        _ask_again(case, scale)
        return
    if case.inbound.ambiguous and intent is Intent.decline_reschedule and change_any(case):
        # What else the text says goes to a person beside it.
        case.open(*case.read_as(bound=True))
        return
    if _asked_yes_or_no(case):
        case.open(*case.read_as(bound=False))
        return
    wanted = case.read_as(bound=False)
    wanted = (*wanted, *most_worrying(case))
    if _unsettled(case):
        wanted = wanted or (case.want(FollowUpReason.UNCLEAR_REPLY),)
    case.open(*wanted)
    _say(case, intent, wanted)


def _says_again(case: Case) -> bool:
    """Whether a text is the number alone that answered a question of the last hour, sent again."""
    if case.intents != (Intent.score,) or case.inbound.ambiguous or case.inbound.value is None:
        return False
    fresh, answered = case.asked
    known = () if fresh else (check_in_of(case, prompt) for prompt in answered)
    said = Decimal(case.inbound.value)
    return any(own.status == "answered" and own.value == said for own in known if own is not None)


def _unsettled(case: Case) -> bool:
    """Whether several questions fit, and not because each visit that may be meant is held."""
    return case.inbound.ambiguous and not case.visits_held


def _say(case: Case, intent: Intent, wanted: tuple[WantedFollowUp, ...]) -> None:
    """Answer what a person will deal with, in words that fit the hour."""
    if _unsettled(case):
        case.answer("which_one")
    elif intent is Intent.running_late:
        case.answer("late_ack")
    elif intent in {Intent.callback_request, Intent.decline_reschedule}:
        case.promise("callback_ack", wanted)
    elif intent in {Intent.side_effect, Intent.use_disclosed} or _worries(intent, wanted):
        reassure(case, wanted, side_effects=intent is Intent.side_effect)
    else:
        case.acknowledge()


def _worries(intent: Intent, wanted: tuple[WantedFollowUp, ...]) -> bool:
    soon = {Severity.PAGE_NOW, Severity.CALL_TODAY}
    return intent is Intent.score and any(one.severity in soon for one in wanted)


def open_scale(case: Case) -> Prompt | None:
    """Return the one question that waits for a number; None if there are none or several."""
    scales = [prompt for prompt in case.open_prompts if scale_of(prompt.context)]
    return scales[0] if len(scales) == 1 else None


def most_worrying(case: Case) -> tuple[WantedFollowUp, ...]:
    """Judge a number as the answer to each question that it may be about (care rule 8).

    It may also stand beside an answer just given, which it does not say to correct.
    """
    if case.intents[0] is not Intent.score:
        return ()
    fresh, answered = case.asked
    asked = [*fresh, *answered] if case.inbound.ambiguous else answered
    scales = [each for each in asked if lies_on(each.context, case.inbound.value or "")]
    return tuple(one for prompt in scales for one in judge_score(case, prompt))


def _asked_yes_or_no(case: Case) -> bool:
    """Ask once more for a yes or no where the words say neither; say whether that was asked.

    They go to a person as well, as nobody knows what they say. What may be danger, a question or a
    wish is somebody's to answer.
    """
    prompt = _open_yes_no(case)
    plainly_unclear = case.intents == (Intent.unclear,) and not case.inbound.ambiguous
    if prompt is None or not plainly_unclear or case.with_danger:
        return False
    if case.inbound.severity not in {None, Severity.NEXT_BUSINESS_DAY}:
        return False
    own = check_in_of(case, prompt)
    if own is None or own.times_reasked or own.status == "answered":
        return False
    own.times_reasked += 1
    return case.answer("reask_yes_no")


def _open_yes_no(case: Case) -> Prompt | None:
    """Return the one yes-or-no question that is open, if nothing was asked after it."""
    questions = [prompt for prompt in case.open_prompts if prompt.context == YES_NO]
    others = [prompt for prompt in case.open_prompts if prompt.context != YES_NO]
    if len(questions) != 1 or any(each.asked_at >= questions[0].asked_at for each in others):
        return None
    return questions[0]


def _ask_again(case: Case, prompt: Prompt) -> None:
    """Ask for the number once more; words go to a person as well, for a number can't hold them."""
    own, ends = check_in_of(case, prompt), scale_of(prompt.context)
    # High and low are words that elsewhere stop all texts (care rule 17).
    may_stop = case.body.strip(" .!?").casefold() in lexicon().on_a_scale
    if may_stop and case.patient is not None:
        resting.hold_until_clear(case.session, case.patient)
    first = own is not None and own.times_reasked == 0 and own.status != "answered"
    if own is not None and ends is not None and first:
        own.times_reasked += 1
        case.answer("scale_or_stop" if may_stop else "reask", min=str(ends[0]), max=str(ends[1]))
    if first and not any(letter.isalpha() for letter in case.body):
        return
    case.open(*case.read_as(bound=False) or (case.want(FollowUpReason.UNCLEAR_REPLY),))
    if not first:
        record(case, prompt, status="unclear")
