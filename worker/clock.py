"""The one clock that everything about patients is told the time by."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

# A machine whose clock differs from the database's by more sends nothing and ends nothing.
APART_SECONDS = 60


class Clock(Protocol):
    """Says what time it is for patients: the system's clock, or a simulated one."""

    def now(self) -> datetime:
        """Return the instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock plus AFTERCARE_CLOCK_OFFSET seconds."""

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self._offset = timedelta(seconds=offset_seconds)

    def now(self) -> datetime:
        """Return the instant, aware, in UTC."""
        return datetime.now(UTC) + self._offset


class SetClock:
    """A clock that stands still until it is set: for the simulator and for tests."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the instant it was set to."""
        return self.at
