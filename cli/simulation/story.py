"""What happened to each patient, kept short: the story that is told where a promise is broken."""

from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime

_KEPT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A promise that was not kept: which, when, with whom, and what led there."""

    promise: str
    patient: str
    at: datetime
    what: str
    story: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return it as it is printed."""
        head = f"BROKEN {self.promise}: {self.patient}, {stamp(self.at)}: {self.what}"
        return [head, *(f"    {line}" for line in self.story)]


class Diary:
    """The last things that happened to each patient; number 0 is the clinic itself."""

    def __init__(self) -> None:
        self._of: defaultdict[int, deque[str]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def note(self, number: int, at: datetime, words: str) -> None:
        """Remember something."""
        self._of[number].append(f"{stamp(at)}  {words}")

    def story(self, number: int) -> tuple[str, ...]:
        """Return what led here, the oldest first."""
        return tuple(self._of[number])


def stamp(at: datetime) -> str:
    """Return an instant as stories have it: UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
