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
# What any of the steps of `goes_on` would take up by :by.
_DUE = """
    SELECT EXISTS (SELECT 1 FROM message WHERE
            status = 'planned' AND least(next_at, due_at) <= :by
            OR status = 'accepted' AND :arrives
            OR status IN ('claimed', 'submitting', 'unknown')
            OR reviewed_at IS NULL AND (final_at IS NOT NULL OR prove_by <= :by))
        OR EXISTS (SELECT 1 FROM enrollment
            WHERE plan_requested_at IS NOT NULL OR next_roll_at <= :by)
        OR EXISTS (SELECT 1 FROM check_in c JOIN message m ON m.id = c.message_id
            WHERE c.status = 'open' AND (c.ends_at <= :by
                OR m.appointment_id IS NOT NULL AND c.ends_at <= :visits_by
                    AND m.status = 'delivered' AND m.nudge_for IS NULL
                    AND coalesce(c.next_look_at <= :by, true)))
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
        """Let time pass, and do what the tick would do."""
        self.world.advance(**time)
        self.world.plan()
        self._send()
        while self.world.execute(
            "SELECT 1 FROM message WHERE status = 'planned' AND due_at <= :now"
            " AND reason IN ('recipient_busy', 'welcome_first')",
            now=self.world.now,
        ):
            # One text at a time to a number: the next follows a moment later. A welcome that the
            # plan before asked for may be planned only now.
            self.world.advance(seconds=6)
            self.world.plan()
            self._send()
        self.world.plan()
        followups.run(self.world.services)
        checkins.run(self.world.services)
        checkins.silences(self.world.services)

    def _send(self) -> None:
        self.world.send()
        if self.arrives:
            self.world.execute(
                "UPDATE message SET status = 'delivered', final_at = :now"
                " WHERE status = 'accepted'",
                now=self.world.now,
            )

    def waits_until(self, local: str) -> None:
        """Go on to a New York time, an hour at a time as texts fall due.

        An hour by whose end nothing is due is passed over: most of the time of these stories went
        by in nights, asking for what is not there.
        """
        end = at(local)
        while self.world.now < end:
            left = (end - self.world.now).total_seconds()
            seconds = min(left, 3600 - self.world.now.timestamp() % 3600)
            if seconds == left or self._is_due_within(seconds):
                self.goes_on(seconds=seconds)
            else:
                self.world.advance(seconds=seconds)

    def _is_due_within(self, seconds: float) -> bool:
        by = self.world.now + timedelta(seconds=seconds)
        values = {"by": by, "visits_by": by + checkins.VISITS_AHEAD, "arrives": self.arrives}
        return bool(self.world.execute(_DUE, **values)[0][0])

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


def at(local: str) -> datetime:
    """Read `2026-12-07 08:00` as New York's clock."""
    return datetime.fromisoformat(local).replace(tzinfo=NEW_YORK)
