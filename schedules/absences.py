"""Who of a clinic's people is away when, and when that leaves nobody there.

Texts promise by this (care rule 11): a staffed hour in which everybody is away has nobody who reads
or calls. Clocks of items and the ladder do not go by it: what waits stays due, and rings those who
are away, until somebody comes. A day that is meant to be closed stands in the file's holidays.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

#: (key on the ladder, from, until)
Absence = tuple[str, datetime, datetime]
Span = tuple[datetime, datetime]

#: An absence of everybody is believed for so long; a longer one is a mistake or the clinic's end.
LONGEST = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absences:
    """Keys of those who sign in and can act, when somebody is away, and who has left."""

    people: frozenset[str] = frozenset()
    away: tuple[Absence, ...] = ()
    gone: frozenset[str] = frozenset()

    def is_out(self, key: str, at: datetime) -> bool:
        """Whether somebody is away at an instant, or has left."""
        return key in self.gone or any(
            who == key and since <= at < until for who, since, until in self.away
        )

    def nobody(self, others: Collection[str]) -> tuple[Span, ...]:
        """Give the times at which everybody is away: those who sign in, and `others` on the ladder.

        Who is on the ladder without a sign-in is never away, as far as anybody knows.
        """
        everybody = (self.people | set(others)) - self.gone
        edges = sorted({at for _, since, until in self.away for at in (since, until)})
        found: list[Span] = []
        for start, end in pairwise(edges):
            if not everybody or not all(self.is_out(key, start) for key in everybody):
                continue
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        return tuple((start, min(end, start + LONGEST)) for start, end in found)
