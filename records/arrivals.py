"""What is known around texts that have just come in, read for all of a group at once.

`worker.steps.receive` stores many texts in one transaction. Each of these functions costs one
statement, however many they are; a burst of replies is then as cheap as its rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

#: A number as one clinic knows it: the clinic's id and the number's keyed hash.
Writer = tuple[UUID, bytes]

_BY_NUMBER = text(
    "SELECT number, clinic_id FROM sender_number WHERE number = ANY(CAST(:numbers AS text[]))"
)
_BY_SERVICE = text("""
    SELECT DISTINCT ON (messaging_service_sid) messaging_service_sid, clinic_id FROM sender
    WHERE messaging_service_sid = ANY(CAST(:services AS text[]))
    ORDER BY messaging_service_sid, retired_at DESC NULLS FIRST
""")


def clinics_of_numbers(session: Session, numbers: Iterable[str]) -> dict[str, UUID]:
    """Return whose texting numbers these are, for those that are somebody's."""
    rows = session.execute(_BY_NUMBER, {"numbers": sorted(set(numbers))})
    return {row.number: row.clinic_id for row in rows}


def clinics_of_services(session: Session, services: Iterable[str]) -> dict[str, UUID]:
    """Return the clinics that text, or texted, through these messaging services."""
    wanted = sorted(set(services))
    if not wanted:
        return {}
    rows = session.execute(_BY_SERVICE, {"services": wanted})
    return {row.messaging_service_sid: row.clinic_id for row in rows}


# The inner query puts the locks in one order, so that two groups never wait for each other.
_LOCK_WRITERS = text("""
    SELECT pg_advisory_xact_lock(hashtext('aftercare.inbound'), w.key)
    FROM (SELECT DISTINCT hashtext(encode(blind, 'hex')) AS key
          FROM unnest(CAST(:blinds AS bytea[])) AS b(blind) ORDER BY key) AS w
""")


def lock_writers(session: Session, writers: Iterable[Writer]) -> None:
    """Let the texts of one number be stored one transaction after the other, by any process.

    Danger may be spread over two texts that come in at the same instant: whichever is stored
    second has to see the first.
    """
    session.execute(_LOCK_WRITERS, {"blinds": sorted({blind for _, blind in writers})})


# A stop waits for whoever holds the patient. The rest of its group must not wait as long.
_WAIT_BRIEFLY = text("SET LOCAL lock_timeout = '250ms'")


def wait_briefly(session: Session) -> None:
    """Give up on a lock after a quarter of a second, to the end of the transaction."""
    session.execute(_WAIT_BRIEFLY)


_WORDS = text("""
    SELECT id, settings -> 'words' AS words FROM clinic
    WHERE id = ANY(CAST(:clinics AS uuid[])) AND COALESCE(settings -> 'words', '{}') <> '{}'
""")


def words_of(session: Session, clinics: Iterable[UUID]) -> dict[UUID, Any]:
    """Return the phrases of their own that these clinics read replies by, where they have any."""
    rows = session.execute(_WORDS, {"clinics": sorted(set(clinics))})
    return {row.id: row.words for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A patient on a number, as far as reading a text needs them."""

    id: UUID
    language: str


_PEOPLE = text("""
    SELECT p.clinic_id, p.phone_blind, p.id, p.language
    FROM unnest(CAST(:clinics AS uuid[]), CAST(:blinds AS bytea[])) AS w(clinic_id, blind)
    JOIN patient p ON p.phone_blind = w.blind AND p.clinic_id = w.clinic_id
    ORDER BY p.id
""")


def people_of(session: Session, writers: Iterable[Writer]) -> dict[Writer, list[Person]]:
    """Return the patients on each of these numbers in its clinic, the oldest first."""
    wanted = sorted(set(writers))
    values = {"clinics": [each for each, _ in wanted], "blinds": [each for _, each in wanted]}
    found: defaultdict[Writer, list[Person]] = defaultdict(list)
    for row in session.execute(_PEOPLE, values):
        person = Person(id=row.id, language=row.language)
        found[row.clinic_id, bytes(row.phone_blind)].append(person)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Asks what a number sent in [`since`, `until`], but for the text `apart_from`."""

    writer: Writer
    since: datetime
    until: datetime
    apart_from: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A text that is stored, sealed: one received, or one of ours. `at` is when."""

    id: UUID
    body: bytes = field(repr=False)
    at: datetime


# Of a number that never stops writing only the newest texts: each costs its reading again. Those
# that were urgent are left out of no more rows than that.
_SAID = text("""
    SELECT w.nth, i.id, i.body, i.received_at
    FROM unnest(CAST(:nths AS int[]), CAST(:clinics AS uuid[]), CAST(:blinds AS bytea[]),
                CAST(:sinces AS timestamptz[]), CAST(:untils AS timestamptz[]),
                CAST(:apart AS uuid[])) AS w(nth, clinic_id, blind, since, until, apart_from)
    CROSS JOIN LATERAL (
        SELECT id, body, received_at, urgent FROM inbound
        WHERE clinic_id = w.clinic_id AND from_blind = w.blind
          AND received_at >= w.since AND received_at <= w.until AND id <> w.apart_from
        ORDER BY received_at DESC, id DESC LIMIT :most
    ) i
    WHERE NOT i.urgent
    ORDER BY i.received_at, i.id
""")


def said_in(session: Session, spans: Sequence[Span], *, most: int) -> list[list[Said]]:
    """Return, of each span's newest texts, those that were not urgent themselves, in order."""
    values: dict[str, Any] = {
        "most": most,
        "nths": list(range(len(spans))),
        "clinics": [each.writer[0] for each in spans],
        "blinds": [each.writer[1] for each in spans],
        "sinces": [each.since for each in spans],
        "untils": [each.until for each in spans],
        "apart": [each.apart_from for each in spans],
    }
    found: list[list[Said]] = [[] for _ in spans]
    for row in session.execute(_SAID, values):
        found[row.nth].append(Said(id=row.id, body=row.body, at=row.received_at))
    return found


# Each by its own index: what was started to a patient, and what answered a number.
_SENT = text("""
    (SELECT m.id, m.body, m.due_at FROM message m
     WHERE m.patient_id = ANY(CAST(:people AS uuid[])) AND m.recipient_blind = :blind
       AND m.attempts > 0 AND m.body IS NOT NULL
     ORDER BY m.due_at DESC LIMIT :most)
    UNION
    (SELECT m.id, m.body, m.due_at FROM message m
     WHERE m.clinic_id = :clinic AND m.recipient_blind = :blind AND m.inbound_id IS NOT NULL
       AND m.attempts > 0 AND m.body IS NOT NULL
     ORDER BY m.due_at DESC LIMIT :most)
    ORDER BY due_at DESC
""")


def sent_to(session: Session, writer: Writer, people: Sequence[UUID], *, most: int) -> list[Said]:
    """Return the last texts that went, or may have gone, to a number, the newest first."""
    clinic_id, blind = writer
    values = {"people": list(people), "clinic": clinic_id, "blind": blind, "most": most}
    return [Said(id=row.id, body=row.body, at=row.due_at) for row in session.execute(_SENT, values)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a number was told before a text of its own.

    `templates` are those of our last text and of the hours before that asked nothing; `danger` is
    the text of theirs that was answered about danger that no clinician has ended yet.
    """

    templates: Sequence[str] = ()
    danger: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Asks what these patients, those on one number, were told before that instant."""

    writer: Writer
    patients: Sequence[UUID]
    at: datetime


# A text that is older is answered by nobody without naming it.
_TOLD_SINCE = timedelta(days=3)
_DANGER_SINCE = timedelta(hours=6)
# The carrier's clock and ours may differ by this much when a reply is found on its list.
_CLOCK_SLACK = timedelta(seconds=60)
_SENT_WHEN = """m.due_at > w.at - CAST(:told AS interval) AND m.attempts > 0
               AND m.submitted_at <= w.at + CAST(:slack AS interval)
               AND m.status NOT IN ('cancelled', 'skipped', 'failed', 'expired', 'undelivered')
             ORDER BY m.submitted_at DESC LIMIT 10"""

# Each by its own index: what was started to a patient, and what answered a number.
_TOLD = text(f"""
    SELECT w.nth,
        (SELECT array_agg(t.template) FROM (
            SELECT s.*, max(s.submitted_at) OVER () AS last FROM (
            (SELECT m.template, m.expects, m.submitted_at FROM message m
             WHERE m.patient_id = w.patient AND m.recipient_blind = w.blind AND {_SENT_WHEN})
            UNION ALL
            (SELECT m.template, m.expects, m.submitted_at FROM message m
             WHERE m.clinic_id = w.clinic_id AND m.recipient_blind = w.blind
               AND m.inbound_id IS NOT NULL AND {_SENT_WHEN})) AS s
         ) AS t WHERE t.expects IS NULL AND (t.submitted_at = t.last
               OR t.submitted_at > w.at - CAST(:together AS interval))) AS templates,
        (SELECT i.id FROM message m
            JOIN inbound i ON i.id = m.inbound_id AND i.clinic_id = m.clinic_id
            JOIN follow_up f ON f.id = i.follow_up_id AND f.clinic_id = m.clinic_id
            WHERE m.clinic_id = w.clinic_id AND m.recipient_blind = w.blind
              AND m.inbound_id IS NOT NULL AND m.kind = 'safety'
              AND m.due_at > w.at - CAST(:danger AS interval)
              AND m.due_at <= w.at + CAST(:slack AS interval)
              AND m.status NOT IN ('cancelled', 'skipped', 'failed', 'expired', 'undelivered')
              AND f.cause LIKE 'safety:%' AND f.status <> 'resolved'
            ORDER BY m.due_at DESC LIMIT 1) AS danger
    FROM unnest(CAST(:nths AS int[]), CAST(:clinics AS uuid[]), CAST(:blinds AS bytea[]),
                CAST(:patients AS uuid[]), CAST(:ats AS timestamptz[]))
         AS w(nth, clinic_id, blind, patient, at)
""")


def told(session: Session, tellers: Sequence[Teller], *, together: timedelta) -> list[Told]:
    """Return, for each, what it was told before: of two on a number, what the first was.

    Texts of so long before may be read `together` with the last.
    """
    values = {
        "nths": list(range(len(tellers))),
        "clinics": [each.writer[0] for each in tellers],
        "blinds": [each.writer[1] for each in tellers],
        "patients": [next(iter(each.patients), None) for each in tellers],
        "ats": [each.at for each in tellers],
        "together": together,
    }
    bounds = {"told": _TOLD_SINCE, "danger": _DANGER_SINCE, "slack": _CLOCK_SLACK}
    found = [Told() for _ in tellers]
    for row in session.execute(_TOLD, values | bounds):
        found[row.nth] = Told(templates=row.templates or (), danger=row.danger)
    return found
