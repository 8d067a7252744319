"""A clinic at work, for stories: what its desk does, what one patient reads, who must be called.

The steps are the product's, on a real PostgreSQL. A story moves the clock, and `goes_on` does what
the tick would do; texts that the carrier took arrive at once, unless the story says otherwise.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from records import appointments
from records.appointments import Appointment
from records.outbox import Message
from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.talk import Talk
from worker.steps import checkins, events, followups, visits

HEADER = "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location,dose_number"
NEW_YORK = ZoneInfo("America/New_York")
# When each of the steps of `goes_on` has something to do next: at once is :now.
_DUE = """
    SELECT
        (SELECT min(CASE WHEN plan_requested_at IS NOT NULL THEN :now ELSE next_roll_at END)
            FROM enrollment) AS plans,
        (SELECT min(CASE WHEN status = 'planned' THEN least(next_at, due_at) ELSE :now END)
            FROM message WHERE status IN ('planned', 'claimed', 'submitting', 'unknown')) AS texts,
        (SELECT min(:now) FROM message WHERE status = 'accepted' AND :arrives) AS arrivals,
        (SELECT min(CASE WHEN final_at IS NOT NULL THEN :now ELSE prove_by END)
            FROM message WHERE reviewed_at IS NULL) AS endings,
        (SELECT min(ends_at) FROM check_in WHERE status = 'open') AS over,
        (SELECT min(greatest(c.ends_at - :ahead, coalesce(c.next_look_at, :now)))
            FROM check_in c JOIN message m ON m.id = c.message_id
            WHERE c.status = 'open' AND m.appointment_id IS NOT NULL
                AND m.status = 'delivered' AND m.nudge_for IS NULL) AS silences,
        (SELECT min(due_at) FROM message WHERE status = 'planned'
            AND reason IN ('recipient_busy', 'welcome_first')) AS held
"""


class Desk(Talk):
    """One clinic with one patient, P0, unless the story adds more."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        world.publish_protocols()
        self.arrives = True

    def has_imported_before(self) -> None:
        """Have the clinic's first import behind it, which announces nothing."""
        self.world.execute("UPDATE clinic SET visits_imported_at = :now", now=self.world.now)

    def admits(self, count: int = 1, **patient: Any) -> list[UUID]:
        """Add patients; return them."""
        return [self.world.admit(**patient) for _ in range(count)]

    def switches_on(self, *protocols: str) -> None:
        """Add protocols to those of the clinic's file."""
        for name in protocols:
            self.world.execute(
                "UPDATE clinic SET settings = jsonb_set(settings, '{protocols}',"
                " settings->'protocols' || to_jsonb(CAST(:name AS text)))",
                name=name,
            )

    def imports(self, *starts: str, status: str = "booked", **row: Any) -> None:
        """Import visits named A1, A2... at local times such as 2026-12-07T08:00."""
        quiet, first = row.pop("quiet", False), row.pop("first", 1)
        lines = [HEADER]
        for number, start in enumerate(starts, start=first):
            end = f"{start[:11]}{int(start[11:13]) + 2:02}{start[13:]}"
            kind, route = row.get("kind", "dosing"), row.get("route", "iv")
            who = row.get("patient", "P0")
            dose = row.get("dose_number", "")
            lines.append(f"A{number},{who},{kind},{route},{start},{end},{status},Suite 4,{dose}")
        content = "\n".join(lines).encode()
        report = visits.import_appointments(self.world.services, content, actor="desk", quiet=quiet)
        assert report.bad == 0, report.faults
        self.goes_on()

    def visit(self, name: str = "A1") -> Appointment:
        with self.world.database.transaction() as session:
            [found] = appointments.find(session, name)
            return found

    def records(self, kind: VisitStatus, *, visit: str = "A1", dose: Dose | None = None) -> None:
        """Tell what happened at the clinic."""
        events.record_event(
            self.world.services, self.visit(visit).id, kind, actor="desk", dose=dose
        )
        self.goes_on()

    def goes_on(self, **time: float) -> None:
        """Let time pass, and do what the tick would do: as it does, only what is due."""
        self.world.advance(**time)
        self._plan_and_send()
        while "held" in (due := self._due()):
            # One text at a time to a number: the next follows a moment later. A welcome that the
            # plan before asked for may be planned only now.
            self.world.advance(seconds=6)
            self._plan_and_send()
        if "plans" in due:
            self.world.plan()
        if due & {"plans", "endings"}:
            followups.run(self.world.services)
        if "over" in due:
            checkins.run(self.world.services)
        if "silences" in self._due():
            checkins.silences(self.world.services)

    def _plan_and_send(self) -> None:
        if "plans" in self._due():
            self.world.plan()
        if "texts" in self._due():
            self.world.send()
        if "arrivals" in self._due():
            self.world.execute(
                "UPDATE message SET status = 'delivered', final_at = :now"
                " WHERE status = 'accepted'",
                now=self.world.now,
            )

    def _due(self) -> set[str]:
        """Return which steps have something to do now."""
        return {step for step, due_at in self._instants().items() if due_at <= self.world.now}

    def _instants(self) -> dict[str, datetime]:
        """Return when each step has something to do next, if it ever has."""
        values = {"now": self.world.now, "ahead": checkins.VISITS_AHEAD, "arrives": self.arrives}
        found = self.world.execute(_DUE, **values)[0]._mapping
        return {step: due_at for step, due_at in found.items() if due_at is not None}

    def waits_until(self, local: str) -> None:
        """Go on to a New York time, to the end of each hour in which something falls due."""
        end = at(local)
        while self.world.now < end:
            now = self.world.now
            due_at = max(min(self._instants().values(), default=end), now + timedelta(seconds=1))
            due_at = min(_hour(due_at), end)
            self.goes_on(seconds=(due_at - now).total_seconds())

    def jumps_to(self, local: str) -> None:
        """Go on to a New York time in one step; what fell due long before is over by then."""
        self.world.clock.at = at(local).astimezone(UTC)
        self.goes_on()

    def read(self, phone: str | None = None) -> list[str]:
        """Return the templates that went to the patient, in order."""
        rows = self.world.execute(
            "SELECT template FROM message WHERE attempts > 0 AND kind = 'started'"
            " ORDER BY submitted_at, priority"
        )
        return [row.template for row in rows]

    def words(self) -> list[str]:
        """Return the words that went out, in order."""
        return [text.body for text in self.world.gateway.created()]

    def due(self, step: str, status: str = "planned") -> list[str]:
        """Return when a step's texts of this status are due, as `Mon 07 09:00` in New York."""
        return [
            each.due_at.astimezone(NEW_YORK).strftime("%a %d %H:%M")
            for each in self.world.texts()
            if each.step == step and each.status == status
        ]

    def why(self, step: str) -> list[tuple[str, str | None]]:
        """Return status and reason of a step's texts."""
        return [(each.status, each.reason) for each in self.world.texts() if each.step == step]

    def texts(self, *steps: str) -> Sequence[Message]:
        return [each for each in self.world.texts() if each.step in steps]

    def check_ins(self, item: str) -> list[tuple[str, int | None]]:
        """Return status and number of the check-ins that asked this, the oldest first."""
        rows = self.world.execute(
            "SELECT status, value FROM check_in WHERE item = :item ORDER BY asked_at", item=item
        )
        return [(row.status, None if row.value is None else int(row.value)) for row in rows]

    def calls(self) -> list[str]:
        """Return the reasons of the open items."""
        rows = self.world.execute(
            "SELECT reason FROM follow_up WHERE status <> 'resolved' ORDER BY reason"
        )
        return [row.reason for row in rows]

    def call_by(self, reason: str) -> str:
        """Return when the open item with this reason is due, in New York."""
        [row] = self.world.execute(
            "SELECT due_at FROM follow_up WHERE status <> 'resolved' AND reason = :reason",
            reason=reason,
        )
        due: datetime = row.due_at
        return due.astimezone(NEW_YORK).strftime("%a %d %H:%M")


def _hour(at: datetime) -> datetime:
    """Return the whole hour at or after an instant."""
    return at + timedelta(seconds=-at.timestamp() % 3600)


def at(local: str) -> datetime:
    """Read `2026-12-07 08:00` as New York's clock."""
    return datetime.fromisoformat(local).replace(tzinfo=NEW_YORK)
