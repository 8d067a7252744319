"""The tick: asks the database what waits, once a second, and says which steps to run.

Ticks come from beat, and from each worker's own timer when beat or Redis is silent. Two at once,
or none for a while, are both harmless: a tick only finds work, the rows decide.
"""

from collections.abc import Sequence

from records import dispatch, progress, senders
from records.base import Session
from worker import catchup
from worker.services import Services

# (step, *internal ids): what a nudge says, and what a worker runs.
Work = tuple[str, ...]

TICK, TICK_OF_BEAT = catchup.TICK, "tick:beat"
# Seconds between turns of what is looked at although nobody asked.
_TURNS = {
    "sweep": 5.0,
    "visits": 60.0,
    "check_ins": 60.0,
    "pull": 60.0,
    "silent": 300.0,
    "absences": 60.0,
    "match": 60.0,
    "rounds": 15.0,
    "compare": 600.0,
    "deactivations": 600.0,
}


def find_work(services: Services, *, by_beat: bool) -> Sequence[Work]:
    """Return the steps that have something to do, the urgent ones first, and mark the tick."""
    now = services.now
    with services.database.transaction() as session:
        catching_up = catchup.begin(session)
        work = _of_senders(senders.due(session, now=now), only_safety=catching_up)
        work += _waiting(dispatch.waiting(session, now=now))
        turns = [(name,) for name, every in _TURNS.items() if _turn(session, name, every)]
        work += [turn for turn in turns if turn not in work]
        progress.mark(session, TICK)
        if by_beat:
            progress.mark(session, TICK_OF_BEAT)
    return work


def _of_senders(due: Sequence[senders.SenderDue], *, only_safety: bool) -> list[Work]:
    safety: list[Work] = [("safety", str(sender.id)) for sender in due if sender.safety]
    others: list[Work] = [("send", str(sender.id)) for sender in due if sender.others]
    return safety if only_safety else safety + others


def _waiting(waiting: dispatch.Waiting) -> list[Work]:
    steps = {
        "pages": waiting.pages,
        "replies": waiting.replies,
        "receipts": waiting.receipts,
        "plan": waiting.plans,
        "check_ins": waiting.check_ins,
        "follow_ups": waiting.endings,
        "unknown": waiting.unknown,
    }
    return [(step,) for step, waits in steps.items() if waits]


def _turn(session: Session, name: str, every: float) -> bool:
    return progress.take_turn(session, f"turn:{name}", every=every)
