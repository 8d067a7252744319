"""What every step is handed: the database, the vault, the clock, the wording and the settings.

One value per process, made in `worker.wiring`; steps take it as their first argument.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from messages.templates import Catalog
from records.base import Database
from records.vault import Vault
from worker.clock import Clock
from worker.settings import Settings


class Nudge(Protocol):
    """Asks the workers to look at something now; losing one costs a second, never a text."""

    def __call__(self, step: str, *ids: str) -> None:
        """Ask for `step` (e.g. "replies") on these internal ids. Never raises, never waits."""
        ...


def no_nudge(step: str, *ids: str) -> None:
    """Leave it to the next tick."""


def _no_crash(_name: str) -> None:
    """Do nothing at a crashpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What steps work with. `crashpoint` does nothing unless a crash test armed it."""

    settings: Settings = field(repr=False)
    database: Database
    vault: Vault
    clock: Clock
    catalog: Catalog
    nudge: Nudge = no_nudge
    crashpoint: Callable[[str], None] = _no_crash
    host: str = field(default_factory=socket.gethostname)

    @property
    def now(self) -> datetime:
        """The instant that patients' days are measured by (UTC)."""
        return self.clock.now()
