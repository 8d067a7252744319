"""The plan step's reads and writes: whole patients at a time, rows in bulk."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from records.patients import OptOut, Patient
from schedules.followups import LAPSES


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRow:
    """A row of an enrollment, as far as planning and nudging need it."""

    id: UUID
    enrollment_id: UUID
    step: str
    occurrence: str
    round: int
    status: str
    attempts: int
    priority: int
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime | None
    template: str
    reason: str | None
    expects: str | None
    submitted_at: datetime | None
    accepted_at: datetime | None
    answered_at: datetime | None


_KNOWN_COLUMNS = ", ".join(field.name for field in fields(KnownRow))
_KNOWN = text(f"""
    SELECT {_KNOWN_COLUMNS} FROM message
    WHERE enrollment_id = ANY(CAST(:enrollments AS uuid[]))
      AND (appointment_id IS NOT NULL OR due_at > :since
           OR status IN ('planned', 'claimed'))
""")


def known_rows(
    session: Session, enrollment_ids: Sequence[UUID], *, since: datetime
) -> list[KnownRow]:
    """Return the rows of these enrollments; of those without a visit only the recent ones."""
    rows = session.execute(_KNOWN, {"enrollments": list(enrollment_ids), "since": since})
    return [KnownRow(**row) for row in rows.mappings()]


def patients(session: Session, patient_ids: Sequence[UUID]) -> list[Patient]:
    """Return these patients."""
    return list(session.scalars(select(Patient).where(Patient.id.in_(patient_ids))))


def opted_out(session: Session, rows: Sequence[Patient]) -> set[tuple[UUID, bytes]]:
    """Return (clinic, blind number) of those among these patients who must not be texted."""
    mine = select(OptOut.clinic_id, OptOut.phone_blind).where(
        OptOut.lifted_at.is_(None), OptOut.phone_blind.in_({row.phone_blind for row in rows})
    )
    return {(clinic_id, blind) for clinic_id, blind in session.execute(mine)}


_TAKEN = text("""
    SELECT p.id FROM patient p
    WHERE p.id = ANY(CAST(:patients AS uuid[])) AND EXISTS (
        SELECT 1 FROM patient o WHERE o.phone_blind = p.phone_blind AND o.clinic_id = p.clinic_id
        AND o.id < p.id AND o.status <> 'closed')
""")


def number_taken(session: Session, patient_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these patients whose number an earlier patient of the clinic has."""
    return set(session.scalars(_TAKEN, {"patients": list(patient_ids)}))


_LAPSES = text("""
    SELECT f.patient_id, max(e.at) FROM follow_up f
    JOIN follow_up_event e ON e.follow_up_id = f.id
        AND (e.action LIKE 'opened:%' OR e.action LIKE 'joined:%')
    WHERE f.patient_id = ANY(CAST(:patients AS uuid[])) AND f.reason = ANY(:reasons)
    GROUP BY f.patient_id
""")


def last_lapses(session: Session, patient_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when each of these patients last told of use, or gave a number that is called."""
    reasons = [reason.value for reason in LAPSES]
    rows = session.execute(_LAPSES, {"patients": list(patient_ids), "reasons": reasons})
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """A text to be inserted; with a reason it is inserted as skipped."""

    clinic_id: UUID
    sender_id: UUID
    patient_id: UUID
    enrollment_id: UUID
    appointment_id: UUID | None
    protocol: str
    protocol_number: int
    step: str
    occurrence: str
    round: int
    purpose: str
    priority: int
    template: str
    params: str
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime | None
    revision: int | None
    policy: str | None
    expects: str | None
    answer_until: datetime | None
    nudge_for: str | None
    prove_by: datetime | None
    status: str
    reason: str | None
    final_at: datetime | None
    reviewed_at: datetime | None


_TYPES = {
    **dict.fromkeys(
        ("clinic_id", "sender_id", "patient_id", "enrollment_id", "appointment_id"), "uuid"
    ),
    **dict.fromkeys(("protocol_number", "round", "priority", "revision"), "int"),
    **dict.fromkeys(
        (
            "due_at",
            "latest_at",
            "anchor_at",
            "answer_until",
            "prove_by",
            "final_at",
            "reviewed_at",
        ),
        "timestamptz",
    ),
    "params": "jsonb",
}
_COLUMNS = [field.name for field in fields(NewRow)]
_NAMES = ", ".join(_COLUMNS)
# `params` is JSON within JSON: read as text first, else it would become a JSON string.
_RECORD = ", ".join(
    f"{name} {'text' if name == 'params' else _TYPES.get(name, 'text')}" for name in _COLUMNS
)
_VALUES = _NAMES.replace("params", "CAST(params AS jsonb)")
# One JSON document: an array a column costs the driver ten times as much in quoting.
_INSERT = text(f"""
    INSERT INTO message (id, next_at, {_NAMES})
    SELECT uuidv7(), due_at, {_VALUES}
    FROM json_to_recordset(CAST(:rows AS json)) AS v({_RECORD})
    ON CONFLICT DO NOTHING
""")
_encode = json.JSONEncoder(default=str, ensure_ascii=False, separators=(",", ":")).encode


def insert_rows(session: Session, rows: Sequence[NewRow]) -> int:
    """Insert planned and skipped rows in one statement; one that exists is left alone."""
    if not rows:
        return 0
    document = _encode([{name: getattr(row, name) for name in _COLUMNS} for row in rows])
    return int(getattr(session.execute(_INSERT, {"rows": document}), "rowcount", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRow:
    """What an unsent row becomes when its plan changes: planned anew, or skipped with a reason."""

    id: UUID
    template: str
    priority: int
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime | None
    revision: int | None
    expects: str | None
    answer_until: datetime | None
    prove_by: datetime | None
    status: str
    reason: str | None


_CHANGED = [field.name for field in fields(ChangedRow)]
_CHANGED_ARRAYS = ", ".join(
    f"CAST(:{name} AS {({**_TYPES, 'id': 'uuid'}).get(name, 'text')}[])" for name in _CHANGED
)
# A row with an attempt is history unless it waits to be tried again.
_CHANGE = text(f"""
    UPDATE message m
    SET template = v.template, priority = v.priority, due_at = v.due_at, next_at = v.due_at,
        latest_at = v.latest_at, anchor_at = v.anchor_at, revision = v.revision,
        expects = v.expects, answer_until = v.answer_until, prove_by = v.prove_by,
        status = v.status, reason = v.reason, reviewed_at = NULL,
        final_at = CASE WHEN v.status = 'planned' THEN NULL ELSE CAST(:now AS timestamptz) END,
        claim_token = NULL, lease_until = NULL
    FROM unnest({_CHANGED_ARRAYS}) AS v({", ".join(_CHANGED)})
    WHERE m.id = v.id
      AND (m.status IN ('planned', 'claimed')
           OR (m.status IN ('cancelled', 'skipped') AND m.attempts = 0))
""")


def change_rows(session: Session, rows: Sequence[ChangedRow], *, now: datetime) -> None:
    """Bring unsent rows, claimed ones too, to their new plan; a claim of theirs is void."""
    if rows:
        dicts = [asdict(row) for row in rows]
        columns: dict[str, Any] = {name: [row[name] for row in dicts] for name in _CHANGED}
        session.execute(_CHANGE, {**columns, "now": now})
