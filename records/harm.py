"""Two lists for people: the call list when texts are down, and the closure list before closed days.

Both are read when they are asked for and kept nowhere, so that they are never out of date.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from records import clinics, patients
from records.patients import Patient
from records.vault import Vault
from schedules.terms import Terms

#: Visits that start within this time, and after-dose texts within that, are called about.
_VISITS_AHEAD, _AFTER_DOSE = timedelta(hours=36), timedelta(hours=12)
#: A dose's evening comes within half a day of it, and is called about for half a day more.
_DOSES_UNPLANNED = timedelta(hours=24)
_DOSES_SINCE, _SCORES_SINCE = timedelta(hours=72), timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Somebody to be called: why, in which order (1 first), and what it is about."""

    rank: int
    why: str
    patient_id: UUID
    about_at: datetime | None
    detail: str


# Food and ride stand first, then how somebody is after a dose, then other texts of near visits.
_UNSENT = text("""
    SELECT CASE WHEN m.priority IN (20, 30) AND a.kind = 'dosing' THEN 1
                WHEN m.priority = 40 THEN 2 ELSE 4 END AS rank,
           CASE WHEN m.priority = 20 THEN 'food' WHEN m.priority = 30 THEN 'ride'
                WHEN m.priority = 40 THEN 'after_dose' ELSE 'visit' END AS why,
           m.patient_id, COALESCE(a.starts_at, m.due_at) AS about_at,
           m.step || ': ' || m.status AS detail
    FROM message m LEFT JOIN appointment a ON a.id = m.appointment_id
         AND a.clinic_id = m.clinic_id
    WHERE m.clinic_id = :clinic AND m.kind = 'started' AND m.status <> 'delivered'
      AND m.status NOT IN ('cancelled', 'skipped') AND m.answered_at IS NULL
      AND m.due_at BETWEEN CAST(:now AS timestamptz) - CAST(:ahead AS interval)
                       AND CAST(:now AS timestamptz) + CAST(:ahead AS interval)
      AND ((m.priority = 40
            AND m.due_at BETWEEN CAST(:now AS timestamptz) - CAST(:after AS interval)
                             AND CAST(:now AS timestamptz) + CAST(:after AS interval))
           OR (a.status = 'booked' AND a.starts_at > :now
               AND a.starts_at <= CAST(:now AS timestamptz) + CAST(:ahead AS interval)))
      AND (m.status <> 'planned' OR m.due_at <= CAST(:now AS timestamptz) + interval '12 hours')
    ORDER BY m.priority, m.due_at, m.id
""")
# A plan makes the texts, and a worker makes the plan: while none runs, what came in since has no
# row above. A visit's texts are of its present revision; what was never planned has no number.
_WAITING = """
    WITH waiting AS MATERIALIZED (
        SELECT DISTINCT patient_id FROM enrollment
        WHERE clinic_id = :clinic AND (plan_requested_at IS NOT NULL OR next_roll_at <= :now)
    )
"""
_UNPLANNED_VISITS = text(f"""
    {_WAITING}
    SELECT CASE WHEN a.kind = 'dosing' THEN 1 ELSE 4 END AS rank,
           CASE WHEN a.kind = 'dosing' THEN 'food' ELSE 'visit' END AS why,
           a.patient_id, a.starts_at AS about_at, 'no text planned yet' AS detail
    FROM appointment a JOIN waiting w ON w.patient_id = a.patient_id
    WHERE a.clinic_id = :clinic AND a.status = 'booked' AND a.starts_at > :now
      AND a.starts_at <= CAST(:now AS timestamptz) + CAST(:ahead AS interval)
      AND EXISTS (
          SELECT 1 FROM enrollment e WHERE e.appointment_id = a.id AND e.status = 'active'
            AND (e.protocol_number IS NULL OR NOT EXISTS (
                SELECT 1 FROM message m WHERE m.appointment_id = a.id AND m.kind = 'started'
                  AND m.revision = a.revision AND m.status <> 'cancelled')))
""")
_UNPLANNED_EVENINGS = text(f"""
    {_WAITING}
    SELECT 2 AS rank, 'after_dose' AS why, a.patient_id,
           COALESCE(a.checked_out_at, a.arrived_at) AS about_at, 'no text planned yet' AS detail
    FROM appointment a JOIN waiting w ON w.patient_id = a.patient_id
    WHERE a.clinic_id = :clinic AND a.kind = 'dosing'
      AND (a.dose IN ('given', 'partial') OR (a.dose IS NULL AND a.status = 'arrived'))
      AND COALESCE(a.checked_out_at, a.arrived_at) <= :now
      AND COALESCE(a.checked_out_at, a.arrived_at)
          > CAST(:now AS timestamptz) - CAST(:doses AS interval)
      AND EXISTS (SELECT 1 FROM enrollment e
                  WHERE e.appointment_id = a.id AND e.status = 'active')
      AND NOT EXISTS (
          SELECT 1 FROM message m WHERE m.appointment_id = a.id AND m.kind = 'started'
            AND m.priority = 40 AND m.status <> 'cancelled')
""")
# Silence stands last, but where it is urgent it stands before other texts of near visits.
_SILENT = text("""
    SELECT 5 AS rank, f.reason AS why, f.patient_id, f.due_at AS about_at, f.severity AS detail
    FROM follow_up f
    WHERE f.clinic_id = :clinic AND f.status <> 'resolved' AND f.patient_id IS NOT NULL
      AND f.reason IN ('missed_check_ins', 'no_answer', 'cannot_reach')
    ORDER BY f.opened_at, f.id
""")


_RANK_OF_URGENT_SILENCE = 3


def call_list(session: Session, vault: Vault, clinic_id: UUID, *, now: datetime) -> list[Call]:
    """Return whom to call while texts do not go, the worst harm first (care rule 16).

    What is the same visit's stands together, as the queries order it: food before ride, then by
    when the text was due. Where a plan waits for a worker, visits and doses stand for its texts.
    """
    values = {
        "clinic": clinic_id,
        "now": now,
        "ahead": _VISITS_AHEAD,
        "after": _AFTER_DOSE,
        "doses": _DOSES_UNPLANNED,
    }
    found: list[Call] = []
    for query in (_UNSENT, _UNPLANNED_VISITS, _UNPLANNED_EVENINGS):
        found += [Call(**row) for row in session.execute(query, values).mappings()]
    silent = [Call(**row) for row in session.execute(_SILENT, values).mappings()]
    found += _urgent_first(session, vault, clinics.by_id(session, clinic_id).file.terms, silent)
    found = _in_care(session, found, now=now)
    return sorted(found, key=lambda one: (one.rank, one.about_at or now, str(one.patient_id)))


def _urgent_first(
    session: Session, vault: Vault, terms: Terms, silent: Sequence[Call]
) -> list[Call]:
    """Rank silence higher where the substance makes it urgent: a lapse may then be deadly.

    What somebody is treated for is sealed, so that it is read here and not by the query.
    """
    known = people(session, silent)
    watched = {key for key, row in known.items() if patients.silence_is_urgent(vault, row, terms)}
    return [
        replace(call, rank=_RANK_OF_URGENT_SILENCE) if call.patient_id in watched else call
        for call in silent
    ]


_RECENT_DOSES = text("""
    SELECT 1 AS rank, 'recent_dose' AS why, patient_id, checked_out_at AS about_at,
           COALESCE(route, kind) AS detail
    FROM appointment WHERE clinic_id = :clinic AND dose IN ('given', 'partial')
      AND checked_out_at > CAST(:now AS timestamptz) - CAST(:doses AS interval)
      AND checked_out_at <= :now
""")
_OPEN_MISSES = text("""
    SELECT 2 AS rank, f.reason AS why, f.patient_id, f.opened_at AS about_at,
           f.severity AS detail
    FROM follow_up f WHERE f.clinic_id = :clinic AND f.status <> 'resolved'
      AND f.patient_id IS NOT NULL
      AND f.reason IN ('missed_check_ins', 'no_answer', 'cannot_reach', 'crisis', 'overdose')
""")
_HIGH_SCORES = text("""
    SELECT DISTINCT ON (patient_id) 3 AS rank, 'high_score' AS why, patient_id,
           answered_at AS about_at, item || ': ' || value AS detail
    FROM check_in WHERE clinic_id = :clinic AND status = 'answered' AND ceil(value) >= 7
      AND context IN ('craving_scale', 'scale:0-10') AND item NOT LIKE '%confidence%'
      AND answered_at > CAST(:now AS timestamptz) - CAST(:scores AS interval)
    ORDER BY patient_id, answered_at DESC
""")


def closure_list(session: Session, clinic_id: UUID, *, now: datetime) -> list[Call]:
    """Return whom silence over closed days would hide (care rule 19), the most recent doses first.

    Doses of the last 72 h, open misses, and scores of 7 or more within a week. A dose's detail is
    its route in the words that staff read.
    """
    values = {"clinic": clinic_id, "now": now, "doses": _DOSES_SINCE, "scores": _SCORES_SINCE}
    terms = clinics.by_id(session, clinic_id).file.terms
    doses = [Call(**row) for row in session.execute(_RECENT_DOSES, values).mappings()]
    found = [replace(dose, detail=terms.route_shown(dose.detail)) for dose in doses]
    for query in (_OPEN_MISSES, _HIGH_SCORES):
        found += [Call(**row) for row in session.execute(query, values).mappings()]
    found = _in_care(session, found, now=now)
    return sorted(found, key=lambda one: (one.rank, -(one.about_at or now).timestamp()))


#: What may still kill whoever left: it stays on the lists until a clinician ends it.
_DANGER = frozenset({"crisis", "overdose"})


def _in_care(session: Session, calls: Sequence[Call], *, now: datetime) -> list[Call]:
    """Leave out whose record is closed, above all the dead, and say of a hold why it is one.

    Whoever left alive, and was in danger, is still called about that.
    """
    known = people(session, calls)
    return [
        replace(call, detail=f"{call.detail}{_hold_of(person, now)}")
        for call in calls
        if (person := known.get(call.patient_id)) is not None
        and (person.status != "closed" or (call.why in _DANGER and not person.is_deceased))
    ]


def _hold_of(person: Patient, now: datetime) -> str:
    over = person.held_until is not None and person.held_until <= now
    return f", on hold: {person.status_reason}" if person.status == "held" and not over else ""


def people(session: Session, calls: Sequence[Call]) -> dict[UUID, Patient]:
    """Return the patients that a list names, by our id."""
    ids = {call.patient_id for call in calls}
    mine = select(Patient).where(Patient.id.in_(ids))
    return {row.id: row for row in session.scalars(mine)}
