"""What may be said to staff, who wrote after a question of ours, answers no question.

"Can you come on Thursday instead?" went after a reminder of Tuesday's visit, and "yes" comes: it
may mean either. Nothing is guessed: whoever has the conversation reads it the same day.
"""

from datetime import datetime

from messages.binding import APPOINTMENT, YES_NO
from messages.replies import Intent
from records import conversation
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from worker import staffwords
from worker.replying.case import Case
from worker.replying.prompted import judge_decided, judge_score
from worker.replying.unprompted import most_worrying

_ANSWERS = frozenset(
    {Intent.confirm, Intent.decline_reschedule, Intent.score, Intent.score_out_of_range}
)
# What says nothing by itself, and much to whoever wrote: "yes please", "3 works better".
_OF_A_TALK = frozenset({Intent.unclear, Intent.confirm, Intent.question_for_staff})
_CALLED_ABOUT = frozenset({Severity.PAGE_NOW, Severity.CALL_TODAY})


def said_to_staff(case: Case) -> bool:
    """Put a yes, a no or a number that may be meant for staff before them; False for all else.

    Somebody calls about a yes or no that our question calls about. A number that is called about
    is recorded as the answer that it may be. Where nothing was asked, it is to staff.
    """
    if _is_to_staff(case):
        item = case.want(FollowUpReason.CONVERSATION, severity=Severity.CALL_TODAY)
        case.open(item, *case.read_as(bound=False))
        case.acknowledge()
        return True
    if not _may_be_to_staff(case) or _worries(case):
        return False
    prompt = case.prompt
    of_visit = prompt is not None and prompt.context == APPOINTMENT
    item = case.want(
        FollowUpReason.CONVERSATION,
        severity=Severity.CALL_TODAY,
        before=prompt.starts_at if prompt is not None and of_visit else None,
    )
    case.open(item, *_called_anyway(case), *case.read_as(bound=True))
    # Bound to nothing: staff who correct the reading undo nothing that it did not do.
    case.inbound.prompt_message_id, case.inbound.ambiguous = None, True
    case.acknowledge()
    return True


def _is_to_staff(case: Case) -> bool:
    """Whether nothing is asked, so that a text without a meaning of its own is to staff."""
    talks = case.intents[0] in _OF_A_TALK and _asked_last(case) is None
    return talks and _staff_wrote(case) is not None


def _may_be_to_staff(case: Case) -> bool:
    """Whether staff wrote after all that this text may answer, and their item is still open."""
    asked = _asked_last(case)
    if case.intents[0] not in _ANSWERS or asked is None:
        return False
    wrote = _staff_wrote(case)
    return wrote is not None and wrote > asked


def _staff_wrote(case: Case) -> datetime | None:
    """Return when staff last wrote before this text, while their item is open; else None."""
    person = case.patient
    if person is None or person.conversation_since is None:
        return None
    return conversation.written_last(
        case.session, person.id, template=staffwords.TEMPLATE, before=case.inbound.received_at
    )


def _asked_last(case: Case) -> datetime | None:
    if case.prompt is not None:
        return case.prompt.asked_at
    unanswered, answered = case.asked
    return max((each.asked_at for each in (*unanswered, *answered)), default=None)


def _worries(case: Case) -> bool:
    """Whether the text is a number that somebody calls about."""
    if case.intents[0] is not Intent.score:
        return False
    wanted = judge_score(case, case.prompt) if case.prompt else most_worrying(case)
    return any(one.severity in _CALLED_ABOUT for one in wanted)


def _called_anyway(case: Case) -> tuple[WantedFollowUp, ...]:
    prompt = case.prompt
    return judge_decided(case, prompt) if prompt and prompt.context == YES_NO else ()
