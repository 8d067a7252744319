"""Safety texts: a page, and one reply that nothing of ours may hold back (care rules 9-11).

The wording that says "we've alerted our team" needs a page that really went out. Until there is
one, the replies make no such claim.
"""

from collections.abc import Callable

from messages.replies import Intent
from worker.logs import get_logger
from worker.replying.answering import SAFETY_AGAIN
from worker.replying.case import Case
from worker.replying.prompted import record

log = get_logger(__name__)

_ABUSE = "abuse"
_REPLY = {
    Intent.crisis: "crisis_reply_noalert",
    Intent.overdose: "overdose_reply_noalert",
    Intent.medical_emergency: "emergency_reply_noalert",
}


def safety(case: Case) -> None:
    """Put a safety text before a person at once, and answer it unless that was just done."""
    # The item comes first and for itself: no trouble with the reply may cost the page.
    stopped = case.inbound.opt_change in {"stop", "stop_again"}
    bound = case.prompt is not None or (stopped and bool(case.open_prompts))
    case.open(*case.read_as(bound=bound, keyword=case.body))
    _try(case, _reply)
    _try(case, _no_silence)


def _try(case: Case, act: Callable[[Case], None]) -> None:
    try:
        with case.session.begin_nested():
            act(case)
    except Exception:
        log.exception("safety_reply_failed", inbound_id=str(case.inbound.id))


def _no_silence(case: Case) -> None:
    """Note that the question was answered: what the number in such a text means, a person reads."""
    if case.prompt is not None:
        record(case, case.prompt, status="unclear")


def _reply(case: Case) -> None:
    """Answer, unless this number was told the very same less than 15 min ago (care rule 10)."""
    danger = next(intent for intent in case.intents if intent in _REPLY)
    template = _REPLY[danger]
    if danger is Intent.crisis and case.inbound.value == _ABUSE:
        # Whoever hurts them may be reading: nothing in the answer says what it is about.
        template = "neutral_ack" if case.file.is_covered(case.now) else "after_hours_ack"
    if not case.answered_with(template, within=SAFETY_AGAIN):
        case.safety_answer(template, until=case.until(language=case.language("safety")))
