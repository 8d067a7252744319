"""What patients share: the texts of a repeated question by day, found once for all of them.

Thousands follow one protocol. Whoever has the same zone, hours and check-in time is asked at the
same minute of a day, whatever day they were enrolled on.
"""

from collections.abc import Hashable
from datetime import date
from typing import Generic, TypeVar

T = TypeVar("T")

#: A clinic of five zones, ten check-in times and ten questions needs no more.
MOST_LIKES = 512
#: Two weeks ahead and what stays useful for days.
MOST_DAYS = 64


class SharedDays(Generic[T]):
    """A clinic's answers by likeness and day. Bounded: what is full starts anew."""

    def __init__(self) -> None:
        self._of: dict[Hashable, dict[date, T]] = {}

    def __len__(self) -> int:
        """How many likenesses are remembered."""
        return len(self._of)

    def of(self, likeness: Hashable) -> dict[date, T]:
        """Give the answers for those who are alike in everything that decides them."""
        found = self._of.get(likeness)
        if found is None:
            if len(self._of) >= MOST_LIKES:
                self._of.clear()
            found = self._of[likeness] = {}
        elif len(found) >= MOST_DAYS:
            found.clear()
        return found
