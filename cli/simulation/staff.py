"""The clinic's staff: they take pages, call patients, and end items; some are left for days."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from cli.simulation.agenda import Agenda
from cli.simulation.database import OwnDatabase
from cli.simulation.desk import Desk, quarter
from cli.simulation.people import dice
from cli.simulation.story import Diary
from schedules.followups import FollowUpReason
from schedules.staffing import Severity, StaffedHours
from worker.services import Services
from worker.steps import followup_actions as actions
from worker.steps.followup_actions import Actor, FollowUpActionError

# Only unresolved items are looked through, and staff keep those few.
_NEW = """
    SELECT id, patient_id, reason, severity, opened_at FROM follow_up
    WHERE status <> 'resolved' AND opened_at >= %(since)s
    ORDER BY opened_at, patient_id IS NULL, reason
"""
_JOINED = "SELECT times_joined FROM follow_up WHERE id = %(id)s"


@dataclass(kw_only=True)
class StaffRoom:
    """Whoever works on items. Each item draws from a sequence of its own."""

    services: Services
    own: OwnDatabase
    agenda: Agenda
    diary: Diary
    desk: Desk
    staffed: StaffedHours
    seed: int
    actor: Actor
    opened: Counter[str] = field(default_factory=Counter)
    _seen: set[UUID] = field(default_factory=set)
    _since: datetime | None = None

    def look(self) -> None:
        """Take note of new items, and decide who does what with them, and when."""
        now = self.services.now
        for item in self.own.rows(_NEW, since=self._since or now - timedelta(days=1)):
            if item.id not in self._seen:
                self._seen.add(item.id)
                self._plan(item)
        self._since = now

    def _plan(self, item: Any) -> None:
        self.opened[item.reason] += 1
        person = self.desk.people.get(item.patient_id)
        number = person.number if person else 0
        words = f"item {item.reason} ({item.severity}) opens"
        self.diary.note(number, item.opened_at, words)
        rng = dice(self.seed, "item", number, item.reason, item.opened_at.isoformat())
        if item.severity == Severity.PAGE_NOW:
            self._page(item, number, rng)
            return
        begins = self.staffed.next_staffed(self.services.now + timedelta(minutes=10))
        if item.severity != Severity.CALL_TODAY:
            begins = self.staffed.next_opening(self.services.now)
        late = timedelta(days=3) if rng.random() < 0.04 else timedelta()
        # Most within the hour, so that they are paged about few; some much later.
        minutes = rng.choice((5, 10, 15, 25, 40, 60, 100, 240))
        done = quarter(begins + late + timedelta(minutes=minutes))
        self.agenda.note(done, lambda: self._end(item, number))

    def _page(self, item: Any, number: int, rng: Random) -> None:
        """Mostly somebody answers soon; at times nobody does for most of an hour."""
        minutes = rng.randint(2, 12) if rng.random() < 0.85 else rng.randint(25, 50)
        taken = self.services.now + timedelta(minutes=minutes)
        self.agenda.note(taken, lambda: self._take(item, number))
        ended = taken + timedelta(minutes=rng.choice((10, 25, 50)))
        self.agenda.note(ended, lambda: self._end(item, number))

    def _take(self, item: Any, number: int) -> None:
        with suppress(FollowUpActionError):
            actions.take(self.services, item.id, actor=self.actor)
            self.diary.note(number, self.services.now, f"staff take {item.reason}")

    def _end(self, item: Any, number: int) -> None:
        outcome = "reached_safe" if actions.is_safety(item.reason) else "reached"
        with suppress(FollowUpActionError):
            # They have read whatever joined it by now.
            [now] = self.own.rows(_JOINED, id=item.id)
            actions.resolve(
                self.services, item.id, outcome=outcome, actor=self.actor, seen=now.times_joined
            )
            self.diary.note(number, self.services.now, f"staff end {item.reason}")
        if item.reason == FollowUpReason.CHANGE_REQUESTED and number:
            self.desk.after_a_request(number)
