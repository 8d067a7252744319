"""Safety texts: a page, and one reply that nothing of ours may hold back (care rules 9-11).

The wording that says "we've alerted our team" needs a page that really went out. Until there is
one, the replies make no such claim.
"""

from messages.replies import Intent
from worker import answering
from worker.case import Case
from worker.logs import get_logger
from worker.prompted import record

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
    if case.prompt is not None:
        # "8, and I want to die" is no silence; what the number means, the person reads.
        record(case, case.prompt, status="unclear")
    try:
        with case.session.begin_nested():
            if not answering.safety_is_fresh(case.session, case.services, case.inbound):
                _reply(case)
    except Exception:
        log.exception("safety_reply_failed", inbound_id=str(case.inbound.id))


def _reply(case: Case) -> None:
    danger = next(intent for intent in case.intents if intent in _REPLY)
    if danger is Intent.crisis and case.inbound.value == _ABUSE:
        # Whoever hurts them may be reading: nothing in the answer says what it is about.
        covered = case.file.is_covered(case.now)
        case.safety_answer("neutral_ack" if covered else "after_hours_ack")
        return
    until = case.until(language=case.language("safety"))
    case.safety_answer(_REPLY[danger], until=until)
