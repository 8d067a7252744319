"""What goes wrong, drawn from the seed: outages, lost answers, dying processes, odd callbacks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from cli.simulation.people import dice
from messages.gateways.fake import ACCEPT, Script, lose_answer, throttle, unreachable

#: Where a process may die: between steps, and before or after a step's commit.
DIES_AT = (
    "claim.before_commit",
    "claim.after_commit",
    "send.after_intent",
    "plan.before_commit",
    "plan.after_commit",
    "replies.before_commit",
    "replies.after_commit",
    "receipts.before_commit",
    "receipts.after_commit",
    "sweep.before_commit",
    "reconcile.listed",
    "page.before_claim_commit",
    "page.after_claim_commit",
    "inbound.before_commit",
    "callback.before_commit",
)
_OUTAGE_EVERY, _DEATH_EVERY = timedelta(days=8), timedelta(hours=9)


class DiedError(BaseException):
    """The process is gone. No `except Exception` of a step may see this."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults of one run. Without any, the carrier is perfect and nobody dies."""

    seed: int
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    deaths: list[tuple[datetime, str]] = field(default_factory=list)
    wanted: bool = False
    died: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    _lines: dict[str, Random] = field(default_factory=dict)

    @classmethod
    def drawn(cls, seed: int, start: datetime, days: int, site: int = 0) -> "Faults":
        """Draw a run's faults: the carrier is out for all sites, and each has its own deaths."""
        rng, made = dice(seed, "faults"), cls(seed=seed, wanted=True)
        end, at = start + timedelta(days=days), start
        while (at := at + _OUTAGE_EVERY * rng.uniform(0.3, 1.3)) < end:
            # By day, where texts are due: 14:00 to 22:00 UTC.
            began = at.replace(hour=rng.randint(14, 21), minute=rng.randint(0, 59))
            made.outages.append((began, began + timedelta(minutes=rng.choice((20, 90, 400)))))
        rng, at = dice(seed, "deaths", site), start
        while (at := at + _DEATH_EVERY * rng.uniform(0.2, 1.8)) < end:
            made.deaths.append((at, rng.choice(DIES_AT)))
        return made

    def is_out(self, now: datetime) -> bool:
        """Whether nobody reaches the carrier now."""
        return any(began <= now < ended for began, ended in self.outages)

    def script(self, number: str, now: datetime) -> Script:
        """Return how the next text to a number goes."""
        if not self.wanted:
            return ACCEPT
        if self.is_out(now):
            self._count("outage")
            return unreachable()
        line = self._lines.setdefault(number, dice(self.seed, "line", number))
        drawn = line.random()
        if drawn < 0.006:
            self._count("answer lost, created")
            return lose_answer(creates=True)
        if drawn < 0.010:
            self._count("answer lost, not created")
            return lose_answer(creates=False)
        if drawn < 0.013:
            self._count("throttled")
            return throttle(30)
        return ACCEPT

    def _count(self, what: str) -> None:
        self.lost[what] = self.lost.get(what, 0) + 1

    def pass_by(self, name: str, now: datetime) -> None:
        """Die at a crashpoint if that is due. Raises DiedError."""
        for at, (due, where) in enumerate(self.deaths):
            if due > now:
                return
            if where == name:
                del self.deaths[at]
                self.died[name] = self.died.get(name, 0) + 1
                raise DiedError(name)
