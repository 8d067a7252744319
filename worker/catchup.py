"""After a long silence nothing is started before what came in meanwhile has been pulled.

A stop written while nothing ran, or after the backup that was restored, is on the carrier's list
only; nothing goes to its number before that is read. Ticks say when the silence ended, and every
claim asks here, since an answer to some text starts one as well as a tick. Safety replies wait for
nothing. A list that fails holds nothing back for longer than two minutes.
"""

from records import outages, progress
from records.base import Session

TICK = outages.TICK
# When ticks came again after a long silence.
SILENT_UNTIL = outages.RESUMED_AT
_SILENCE, _HELD_AT_MOST = 600.0, 120.0


def begin(session: Session) -> bool:
    """Note where a tick ends a long silence; return whether texts wait."""
    if (silent := _silent_for(progress.ages(session))) > _SILENCE:
        progress.mark(session, SILENT_UNTIL, {"silent": round(silent)})
        return True
    return is_held(session)


def is_held(session: Session) -> bool:
    """Return whether started texts wait: for the pull, or for the tick that ends the silence."""
    ages = progress.ages(session)
    if _silent_for(ages) > _SILENCE:
        return True
    since = ages.get(SILENT_UNTIL, float("inf"))
    return since < _HELD_AT_MOST and ages.get(progress.PULLED, float("inf")) > since


def _silent_for(ages: dict[str, float]) -> float:
    # Before the first tick of all there was nothing to be silent about.
    return ages.get(TICK, 0.0)
