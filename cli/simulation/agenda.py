"""What is going to happen, by its instant: what patients, staff, desk and carrier will do."""

import heapq
from collections.abc import Callable
from datetime import datetime

Deed = Callable[[], None]


class Agenda:
    """Deeds in the order of their instants; those of one instant in the order of being noted."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Deed]] = []
        self._noted = 0

    @property
    def next_at(self) -> datetime | None:
        """When the next is due."""
        return self._heap[0][0] if self._heap else None

    def note(self, at: datetime, deed: Deed) -> None:
        """Have this done at an instant."""
        self._noted += 1
        heapq.heappush(self._heap, (at, self._noted, deed))

    def do(self, now: datetime) -> int:
        """Do all that is due, and what that makes due; return how much."""
        done = 0
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
            done += 1
        return done
