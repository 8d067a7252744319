"""The plan step's reads and writes: whole patients at a time, rows in bulk."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.errors import UniqueViolation
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from records.base import new_id
from records.patients import SUSPENDED, Patient
from schedules.followups import LAPSES, FollowUpReason
from schedules.gates import WELCOME
from schedules.reconcile import ExistingRow

_KNOWN_COLUMNS = ", ".join(ExistingRow._fields)
_KNOWN = text(f"""
    SELECT {_KNOWN_COLUMNS} FROM message
    WHERE enrollment_id = ANY(CAST(:enrollments AS uuid[]))
      AND (appointment_id IS NOT NULL OR due_at > :since
           OR status IN ('planned', 'claimed'))
""")


def known_rows(
    session: Session, enrollment_ids: Sequence[UUID], *, since: datetime
) -> list[ExistingRow]:
    """Return the rows of these enrollments; of those without a visit only the recent ones."""
    rows = session.execute(_KNOWN, {"enrollments": list(enrollment_ids), "since": since})
    return list(map(ExistingRow._make, rows))


def patients(session: Session, patient_ids: Sequence[UUID]) -> list[Patient]:
    """Return these patients."""
    return list(session.scalars(select(Patient).where(Patient.id.in_(patient_ids))))


class Standing(NamedTuple):
    """What a plan asks of a patient that is on other rows than theirs.

    `opted_out`: their number has stopped. One that is only out of service is planned for: it may be
    proved any minute. `number_taken`: another patient of the clinic had it before them; one who is
    only called holds no number, and two with tags of their own share it (care rule 22).
    `lapsed_at`: when they last told of use, or gave a number that is called.
    """

    opted_out: bool
    number_taken: bool
    lapsed_at: datetime | None


_STANDINGS = text("""
    SELECT p.id,
        -- One at a time: of EXISTS the server would rather read the whole table first.
        (SELECT true FROM opt_out s
            WHERE s.clinic_id = p.clinic_id AND s.phone_blind = p.phone_blind
            AND s.lifted_at IS NULL AND NOT starts_with(s.reason, :suspended) LIMIT 1)
            IS NOT NULL,
        EXISTS (SELECT 1 FROM patient o
            WHERE o.phone_blind = p.phone_blind AND o.clinic_id = p.clinic_id
            AND (o.number_since, o.id) < (p.number_since, p.id)
            AND o.status <> 'closed' AND NOT o.calls_only
            AND (o.tag IS NULL OR p.tag IS NULL)),
        (SELECT max(e.at) FROM follow_up f
            JOIN follow_up_event e ON e.follow_up_id = f.id
                AND (e.action LIKE 'opened:%' OR e.action LIKE 'joined:%')
            WHERE f.patient_id = p.id AND f.reason = ANY(:lapses))
    FROM patient p WHERE p.id = ANY(CAST(:patients AS uuid[]))
""")


def standings(session: Session, patient_ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """Return how each of these patients stands."""
    values = {
        "patients": list(patient_ids),
        "suspended": SUSPENDED,
        "lapses": [reason.value for reason in LAPSES],
    }
    return {row[0]: Standing(*row[1:]) for row in session.execute(_STANDINGS, values)}


class Resting(NamedTuple):
    """A question that rests after so many misses in a row, of one enrollment."""

    enrollment_id: UUID
    patient_id: UUID
    step: str
    after: int


# The newest of each question, however long ago: one that rests has no newer ones.
_MISSES = text("""
    SELECT w.enrollment_id, w.step, c.status
    FROM unnest(CAST(:enrollments AS uuid[]), CAST(:patients AS uuid[]), CAST(:steps AS text[]),
                CAST(:afters AS int[])) AS w(enrollment_id, patient_id, step, after)
    CROSS JOIN LATERAL (
        SELECT c.status, c.asked_at FROM check_in c
        JOIN message m ON m.id = c.message_id AND m.clinic_id = c.clinic_id
        WHERE c.patient_id = w.patient_id AND c.item = w.step
          AND m.enrollment_id = w.enrollment_id AND m.nudge_for IS NULL
          -- These say nothing about a patient's silence, either way.
          AND c.status NOT IN ('open', 'void')
          AND c.asked_at > COALESCE((
              SELECT max(f.resolved_at) FROM follow_up f
              WHERE f.patient_id = w.patient_id AND f.reason = :reason), '-infinity')
        ORDER BY c.asked_at DESC LIMIT w.after
    ) AS c
    ORDER BY c.asked_at DESC
""")


_NO_WELCOME = text("""
    SELECT p.id FROM patient p
    WHERE p.id = ANY(CAST(:patients AS uuid[])) AND p.proved_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM message m WHERE m.patient_id = p.id AND m.protocol = :welcome
        AND (m.status IN ('planned', 'claimed', 'submitting', 'unknown')
             OR m.attempts > 0 AND m.recipient_blind = p.phone_blind
                AND (m.status NOT IN ('failed', 'undelivered') OR NOT :again)))
""")


def without_welcome(
    session: Session, patient_ids: Sequence[UUID], *, again: bool = False
) -> set[UUID]:
    """Return those with an unproved number to which no welcome went, and none is on its way.

    One that came back counts, for a person sees to that number; not with `again`: somebody has.
    """
    values = {"patients": list(patient_ids), "welcome": WELCOME, "again": again}
    return set(session.scalars(_NO_WELCOME, values))


def misses_running(session: Session, asked: Sequence[Resting]) -> dict[UUID, dict[str, int]]:
    """Count, by enrollment and step, the questions missed in a row since staff last acted on it.

    It is counted up to the number after which the question rests.
    """
    values = {
        "enrollments": [each.enrollment_id for each in asked],
        "patients": [each.patient_id for each in asked],
        "steps": [each.step for each in asked],
        "afters": [each.after for each in asked],
        "reason": FollowUpReason.MISSED_CHECK_INS.value,
    }
    running: dict[UUID, dict[str, int]] = {}
    over: set[tuple[UUID, str]] = set()
    for enrollment, step, status in session.execute(_MISSES, values):
        if (enrollment, step) in over:
            continue
        if status == "missed":
            counts = running.setdefault(enrollment, {})
            counts[step] = counts.get(step, 0) + 1
        else:
            over.add((enrollment, step))
    return running


class NewKind(NamedTuple):
    """What every text of one step in one wording shares."""

    step: str
    purpose: str
    priority: int
    template: str
    params: str
    policy: str | None
    expects: str | None
    nudge_for: str | None


class NewText(NamedTuple):
    """A text to be inserted; with a reason it is inserted as skipped.

    A tuple, since two weeks of a clinic are hundreds of thousands of them.
    """

    kind: NewKind
    occurrence: str
    round: int
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime | None
    answer_until: datetime | None
    prove_by: datetime | None
    status: str
    reason: str | None
    final_at: datetime | None
    reviewed_at: datetime | None


class NewOf(NamedTuple):
    """What the new texts of one enrollment share."""

    clinic_id: UUID
    sender_id: UUID
    patient_id: UUID
    enrollment_id: UUID
    appointment_id: UUID | None
    protocol: str
    protocol_number: int
    revision: int | None


_TYPES = {
    **dict.fromkeys(
        ("id", "clinic_id", "sender_id", "patient_id", "enrollment_id", "appointment_id"), "uuid"
    ),
    **dict.fromkeys(("protocol_number", "round", "priority", "revision"), "int"),
    **dict.fromkeys(
        (
            "due_at",
            "next_at",
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
_COLUMNS = ("id", "next_at", *NewOf._fields, *NewKind._fields, *NewText._fields[1:])
_NAMES = ", ".join(_COLUMNS)
# COPY takes rows at twice the speed of any INSERT, but none that is there already.
_COPY = f"COPY message ({_NAMES}) FROM STDIN"
_TYPED = ", ".join(f"CAST(v.{name} AS {_TYPES.get(name, 'text')})" for name in _COLUMNS)
_INSERT = text(f"""
    INSERT INTO message ({_NAMES}) SELECT {_TYPED}
    FROM unnest({", ".join(f"CAST(:{name} AS text[])" for name in _COLUMNS)}) AS v({_NAMES})
    ON CONFLICT DO NOTHING
""")
_NULL = r"\N"
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


@lru_cache(maxsize=16_384)
def _written(value: object) -> str:
    """Return a value as COPY takes it; remembered, since texts share most of theirs."""
    return _NULL if value is None else str(value).translate(_ESCAPED)


@lru_cache(maxsize=1024)
def _written_together(values: tuple[object, ...]) -> str:
    """Return several values as COPY takes them, side by side."""
    return "\t".join(map(_written, values))


def _lines(groups: Iterable[tuple[NewOf, Sequence[NewText]]]) -> Iterator[str]:
    for of, texts in groups:
        shared = "\t".join(map(_written, of))
        for one in texts:
            own = "\t".join(map(_written, one[1:]))
            kind = _written_together(one.kind)
            yield f"{new_id().hex}\t{_written(one.due_at)}\t{shared}\t{kind}\t{own}"


def insert_texts(session: Session, groups: Sequence[tuple[NewOf, Sequence[NewText]]]) -> None:
    """Insert planned and skipped texts by enrollment; a row that exists is left alone."""
    lines = list(_lines(groups))
    if not lines:
        return
    try:
        with session.begin_nested():
            _copy(session, "\n".join(lines))
    except UniqueViolation:
        # Planned once more after it was too old to be looked at, or another process was first.
        rows = [line.split("\t") for line in lines]
        said = [[None if value == _NULL else value for value in row] for row in rows]
        columns = map(list, zip(*said, strict=True))
        session.execute(_INSERT, dict(zip(_COLUMNS, columns, strict=True)))


def _copy(session: Session, lines: str) -> None:
    driver = session.connection().connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection to the database is closed")
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(lines)


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
_CHANGED_ARRAYS = ", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'text')}[])" for name in _CHANGED)
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
