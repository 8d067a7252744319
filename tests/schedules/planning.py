"""Facts and a pretend outbox for the planner's tests."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    EnrollmentFacts,
    PatientFacts,
    PlannedText,
)
from schedules.loader import shipped
from schedules.planner import plan
from schedules.reconcile import Changes, ExistingRow, reconcile
from schedules.staffing import Span, StaffedHours
from schedules.windows import SendWindow, candidate_zones

NEW_YORK = ZoneInfo("America/New_York")
PHOENIX = ZoneInfo("America/Phoenix")
HONOLULU = ZoneInfo("Pacific/Honolulu")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ALL_PURPOSES = frozenset({"visits", "check_ins", "health_questions"})
WEEKDAY = (Span.parse("08:00-12:00"), Span.parse("13:00-17:00"))


def local(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    """Read `2026-12-08 08:00` as wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def clinic(zone: ZoneInfo = NEW_YORK, *, staffed: bool = True, **changes) -> ClinicFacts:
    hours = StaffedHours(hours=dict.fromkeys(range(5), WEEKDAY), zone=zone) if staffed else None
    facts = ClinicFacts(
        zone=zone,
        window=SendWindow(),
        staffed=hours,
        candidate_zones=candidate_zones("US"),
    )
    return replace(facts, **changes)


def patient(zone: ZoneInfo | None = NEW_YORK, **changes) -> PatientFacts:
    facts = PatientFacts(id="p1", language="en", zone=zone, purposes=ALL_PURPOSES)
    return replace(facts, **changes)


def visit(starts: datetime, **changes) -> AppointmentFacts:
    facts = AppointmentFacts(
        id="v1",
        kind="dosing",
        route="iv",
        starts_at=starts,
        ends_at=starts + timedelta(hours=2),
        booked_at=starts - timedelta(days=13),
    )
    return replace(facts, **changes)


def enrolled(protocol, appointment=None, day: date | None = None, **changes) -> EnrollmentFacts:
    """Enroll; the enrollment of a visit is as old as its booking."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    if appointment is not None:
        since = appointment.booked_at
    facts = EnrollmentFacts(
        id="e1",
        protocol=shipped()[protocol] if isinstance(protocol, str) else protocol,
        enrolled_at=since,
        appointment=appointment,
        anchor_day=day,
    )
    return replace(facts, **changes)


def wall(text: PlannedText, zone: ZoneInfo = NEW_YORK) -> str:
    """Write when a text is due as `Mon 07 09:00`."""
    return text.due_at.astimezone(zone).strftime("%a %d %H:%M")


def going(texts: Iterable[PlannedText], zone: ZoneInfo = NEW_YORK) -> dict[str, str]:
    """Give template -> due for what will be sent."""
    return {text.template: wall(text, zone) for text in texts if text.skip_reason is None}


def skipped(texts: Iterable[PlannedText]) -> dict[str, str]:
    """Give step -> reason for what will not."""
    return {text.step: str(text.skip_reason) for text in texts if text.skip_reason is not None}


@dataclass
class Outbox:
    """Rows in memory, changed as the plan step would change them."""

    rows: dict[str, ExistingRow] = field(default_factory=dict)

    def plan(self, enrollment, person, place, now, **more) -> Changes:
        wanted = plan(enrollment, person, place, now=now, **more)
        changes = reconcile(wanted, list(self.rows.values()), now)
        self.apply(changes)
        return changes

    def apply(self, changes: Changes) -> None:
        for text in changes.add:
            key = f"{text.step}/{text.occurrence}/{text.round}"
            assert key not in self.rows, "an identity is used once"
            self.rows[key] = _row(key, text)
        for key, text in changes.move:
            self.rows[key] = _row(key, text)._replace(attempts=self.rows[key].attempts)
        for key, reason in changes.cancel:
            self.rows[key] = self.rows[key]._replace(status="cancelled", reason=reason)
        for key, text in changes.revive:
            self.rows[key] = _row(key, text)

    def send_due(self, now: datetime) -> list[str]:
        """Send what is due, expire what is over; give the templates that went."""
        went = []
        for key, row in self.rows.items():
            if row.status == "planned" and row.latest_at <= now:
                self.rows[key] = row._replace(status="expired", reason="expired")
            elif row.status == "planned" and row.due_at <= now:
                self.rows[key] = row._replace(status="delivered", attempts=1)
                went.append(row.template)
        return went

    def statuses(self) -> dict[str, str]:
        return {key: row.status for key, row in sorted(self.rows.items())}


def _row(key: str, text: PlannedText) -> ExistingRow:
    return ExistingRow(
        id=key,
        enrollment_id=text.enrollment_id,
        step=text.step,
        occurrence=text.occurrence,
        round=text.round,
        status="skipped" if text.skip_reason else "planned",
        attempts=0,
        priority=text.priority,
        due_at=text.due_at,
        latest_at=text.latest_at,
        anchor_at=text.anchor_at,
        template=text.template,
        reason=text.skip_reason,
        answer_until=text.answer_until,
    )
