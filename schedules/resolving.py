"""Gives the other moments of one planned text: its call deadline, the time its silence counts."""

from collections.abc import Callable
from datetime import datetime

from schedules.moments import Frame
from schedules.protocol import Anchor, Moment, Step


def resolver(
    frame: Frame, step: Step, *, occurrence: str, due_at: datetime
) -> Callable[[Moment], datetime | None]:
    """Return what turns a step's moments into instants (UTC) for the text due at `due_at`."""
    offset = int(occurrence[4:]) - 1 if occurrence.startswith("day-") else 0

    def resolve(moment: Moment) -> datetime | None:
        if moment.anchor is Anchor.SENDING:
            return frame.resolve(moment, due_at)
        base = frame.base(moment.anchor)
        if base is None:
            return None
        return frame.resolve(moment, base, offset if moment.anchor is step.when.anchor else 0)

    return resolve
