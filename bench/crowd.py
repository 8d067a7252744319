"""A clinic with as many patients and texts as are measured, sealed as in life."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert

from bench.phones import phone
from bench.rig import OwnDatabase
from records.base import new_id
from records.enrollments import Enrollment, ProtocolVersion
from records.outbox import Message
from records.patients import Patient
from schedules import loader
from tests.support.world import make_clinic, make_visits, patient_row
from worker.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A clinic's ids. `patients` and `visits` go together by position, as do their phones."""

    clinic: UUID
    sender: UUID
    patients: Sequence[UUID]
    visits: Sequence[UUID]
    starts_at: datetime


def make(services: Services, count: int) -> Crowd:
    """Insert a clinic that texts at all hours, and patients with a dosing visit in a week."""
    starts_at = services.now + timedelta(days=7)
    with services.database.transaction() as session:
        clinic, sender = make_clinic(session, opens="00:00", closes="24:00")
        rows = [
            patient_row(services.vault, clinic, number, phone=phone(number))
            for number in range(count)
        ]
        session.execute(insert(Patient), rows)
        patients = [row["id"] for row in rows]
        visits = make_visits(session, services.vault, clinic, patients, starts_at)
    return Crowd(
        clinic=clinic, sender=sender, patients=patients, visits=visits, starts_at=starts_at
    )


def make_due(services: Services, crowd: Crowd, instants: Sequence[datetime]) -> None:
    """Insert a visit reminder for each of the first patients, due at these instants."""
    rows = [
        {
            "id": new_id(),
            "clinic_id": crowd.clinic,
            "sender_id": crowd.sender,
            "patient_id": patient,
            "appointment_id": visit,
            "step": "visit-7d",
            "purpose": "visits",
            "priority": 50,
            "template": "visit_7d",
            "due_at": due_at,
            "next_at": due_at,
            "latest_at": due_at + timedelta(hours=6),
            "anchor_at": crowd.starts_at,
            "revision": 1,
            "expects": "appointment_reminder",
            "answer_until": crowd.starts_at,
        }
        for patient, visit, due_at in zip(crowd.patients, crowd.visits, instants, strict=False)
    ]
    with services.database.transaction() as session:
        session.execute(insert(Message), rows)


_FUTURE = """
    INSERT INTO message (id, clinic_id, sender_id, patient_id, step, purpose, priority, template,
                         due_at, next_at, latest_at, expects)
    SELECT uuidv7(), p.clinic_id, %s, p.id, 'check-in', 'check_ins', (i %% 7) * 10 + 20,
           'checkin_craving', at.due, at.due, at.due + interval '3 hours', 'scale:0-10'
    FROM generate_series(1, %s) i
    JOIN (SELECT id, clinic_id, row_number() OVER () - 1 AS n, count(*) OVER () AS total
          FROM patient) p ON p.n = i %% p.total,
    LATERAL (SELECT now() + interval '1 hour' + interval '14 days' * (i::float8 / %s) AS due) at
"""


def plan_ahead(database: OwnDatabase, crowd: Crowd, count: int) -> None:
    """Insert so many rows planned for the next two weeks, by one statement of the server's own."""
    # Foreign keys are not checked one by one: what matters is that the rows are there.
    database.execute(
        "ALTER TABLE message DISABLE TRIGGER ALL",
    )
    try:
        database.execute(_FUTURE, (crowd.sender, count, count))
    finally:
        database.execute("ALTER TABLE message ENABLE TRIGGER ALL")
    settle(database)


def settle(database: OwnDatabase) -> None:
    """Give the planner its statistics, as autovacuum does within minutes of life."""
    database.execute("VACUUM (ANALYZE)")


def enroll(services: Services, crowd: Crowd) -> None:
    """Publish the shipped protocols; put every patient on the visit's and the daily check-in."""
    with services.database.transaction() as session:
        for name, source in loader.shipped_files().items():
            version = {
                "id": new_id(),
                "clinic_id": crowd.clinic,
                "protocol": name.removesuffix(".yaml"),
                "number": 1,
                "source": source,
                "checksum": "",
                "published_by": "bench",
            }
            session.execute(insert(ProtocolVersion), [version])
        session.execute(insert(Enrollment), list(_enrollments(services, crowd)))


def _enrollments(services: Services, crowd: Crowd) -> list[dict[str, object]]:
    now = services.now
    rows = []
    for patient, visit in zip(crowd.patients, crowd.visits, strict=True):
        common = {"clinic_id": crowd.clinic, "patient_id": patient, "plan_requested_at": now}
        visited = {"protocol": "dosing-visit", "appointment_id": visit, "anchor_day": None}
        daily = {"protocol": "daily-check-in", "appointment_id": None, "anchor_day": now.date()}
        rows += [{"id": new_id(), **common, **more} for more in (visited, daily)]
    return rows
