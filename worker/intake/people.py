"""Patients from a file, written beside what is on record.

An import never lifts a stop, a hold, a close or a death, and never replaces a newer consent; a
changed number makes consent pending (care rule 25). An unchanged row changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from records import enrollments, intake, patients, stopping
from records.base import Session, new_id
from records.patients import Consent, Patient
from schedules.reasons import SkipReason
from worker import enrolling, protocols
from worker.intake.batches import BatchResult
from worker.intake.patients import PatientRow
from worker.intake.table import RowFault
from worker.services import Services

_DIGEST_KIND = "import.patient"
_PHONE_CHANGED = "phone_changed"
#: A status column's word and the reason it stands for on record.
_REASONS = {"held": "other", "closed": "other"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is on record of the people in one batch."""

    people: dict[tuple[UUID, bytes], Patient]
    consents: dict[UUID, Consent]
    stopped: set[tuple[UUID, bytes]]


class PatientBatch:
    """Writes batches of patient rows, in the name of `actor`."""

    def __init__(
        self, services: Services, *, actor: str, now: datetime, quiet: bool = False
    ) -> None:
        self._services, self._vault, self._quiet = services, services.vault, quiet
        self._actor, self._now = actor, now

    def write(self, session: Session, rows: Sequence[PatientRow]) -> BatchResult:
        """Create and change patients; return what became of each row."""
        intake.take_turn(session, "patients")
        known = self._known(session, rows)
        result = BatchResult()
        fresh: list[tuple[PatientRow, Patient]] = []
        touched: list[tuple[PatientRow, Patient, bool]] = []
        for row in rows:
            person = known.people.get((row.clinic.id, self._blind(row)))
            if person is None:
                fresh.append((row, self._create(session, row)))
            elif (moved := self._change(session, row, person, result)) is not None:
                touched.append((row, person, moved))
        session.flush()
        self._joined: list[tuple[PatientRow, Patient]] = []
        self._find_again(session, fresh)
        for row, person in fresh:
            self._consent(session, row, person, known, result, moved=False)
        for row, person, moved in touched:
            self._consent(session, row, person, known, result, moved=moved)
        self._welcome(session)
        intake.request_plan_of_patients(session, [person.id for _, person, _ in touched])
        result.counts.update(created=len(fresh), changed=len(touched))
        return result

    def _known(self, session: Session, rows: Sequence[PatientRow]) -> _Known:
        blinds = {self._blind(row) for row in rows}
        found = intake.patients_by_external(session, blinds, lock=True)
        numbers = {patients.phone_blind(self._vault, row.phone) for row in rows}
        return _Known(
            people={(each.clinic_id, each.external_id_blind): each for each in found},
            consents=intake.newest_consents(session, [each.id for each in found]),
            stopped=intake.stopped_numbers(session, numbers),
        )

    def _blind(self, row: PatientRow) -> bytes:
        return patients.external_blind(self._vault, row.external_id)

    def _digest(self, row: PatientRow) -> str:
        # Keyed: a plain hash of a number would give the number away.
        return self._vault.blind(_DIGEST_KIND, row.canonical).hex()

    def _create(self, session: Session, row: PatientRow) -> Patient:
        person = Patient(id=new_id(), clinic_id=row.clinic.id, purposes=[], status="active")
        self._seal(person, row, _told(row.details))
        self._set_plain(person, row)
        person.created_at = self._now
        if row.status not in {None, "active"}:
            _end_or_hold(person, row.status or "")
        session.add(person)
        return person

    def _change(
        self, session: Session, row: PatientRow, person: Patient, result: BatchResult
    ) -> bool | None:
        """Bring a patient to what the row says; return whether the number changed.

        None: nothing was to be done.
        """
        if person.import_digest == self._digest(row):
            result.counts["unchanged"] += 1
            return None
        if person.status == "closed":
            _note(result, row, "status", "this patient's record is closed; the row changes nothing")
            result.counts["unchanged"] += 1
            return None
        moved = person.phone_blind != patients.phone_blind(self._vault, row.phone)
        details = patients.profile(self._vault, person) | dict(row.details)
        self._seal(person, row, _told(details))
        self._set_plain(person, row)
        self._reindex(session, person, row)
        self._status(session, row, person, result)
        return moved

    def _seal(self, person: Patient, row: PatientRow, details: dict[str, object]) -> None:
        patients.seal_identity(
            self._vault,
            person,
            external_id=row.external_id,
            first_name=row.first_name,
            phone=row.phone,
            details=details,
        )

    def _set_plain(self, person: Patient, row: PatientRow) -> None:
        person.language, person.timezone = row.language, row.timezone
        if "check_in_time" in row.columns:
            person.check_in_time = row.check_in_time
        if "safe_hours" in row.columns:
            hours = row.safe_hours
            person.safe_from, person.safe_until = (
                (hours.opens, hours.closes) if hours else (None, None)
            )
        if "phone_shared" in row.columns:
            person.phone_shared = row.phone_shared
        person.import_digest = self._digest(row)
        person.updated_at = self._now

    def _status(
        self, session: Session, row: PatientRow, person: Patient, result: BatchResult
    ) -> None:
        if row.status in {None, person.status}:
            return
        if row.status == "active":
            _note(result, row, "status", "texts to this patient are on hold; the hold stays")
            return
        _end_or_hold(person, row.status or "")
        reason = SkipReason.PATIENT_HELD if person.status == "held" else SkipReason.PATIENT_CLOSED
        stopping.cancel_unsent_of_patient(session, person.id, reason=reason, now=self._now)
        if person.status == "closed":
            for enrollment in enrollments.of_patient(session, person.id):
                if enrollment.status == "active":
                    enrollment.status, enrollment.ended_at = "completed", self._now

    def _tokens(self, row: PatientRow) -> set[bytes]:
        return patients.search_tokens(
            self._vault, external_id=row.external_id, first_name=row.first_name, phone=row.phone
        )

    def _find_again(self, session: Session, fresh: Sequence[tuple[PatientRow, Patient]]) -> None:
        intake.add_tokens(session, [(person, self._tokens(row)) for row, person in fresh])

    def _reindex(self, session: Session, person: Patient, row: PatientRow) -> None:
        patients.index_for_search(session, person, self._tokens(row))

    def _consent(
        self,
        session: Session,
        row: PatientRow,
        person: Patient,
        known: _Known,
        result: BatchResult,
        *,
        moved: bool,
    ) -> None:
        """Bring the ledger to what the row says, unless it knows something newer."""
        last = known.consents.get(person.id)
        news = self._is_news(row, last, moved=moved)
        if moved:
            self._make_pending(session, person)
        differs = set(row.purposes) != set(person.purposes or ())
        if (person.clinic_id, person.phone_blind) in known.stopped:
            if differs and row.purposes:
                _note(result, row, "phone", "this number has stopped texts; the stop stays")
        elif news and row.lacks_the_warning:
            _note(result, row, "sms_risk_ack", "the clinic requires it; consent stays pending")
        elif news:
            self._write_consent(session, row, person, last)
        elif moved:
            _note(result, row, "phone", "the number changed; consent is pending until given anew")
        elif row.consented_at is not None and differs:
            _note(result, row, "consented_at", "a newer consent is on record; it stays")

    def _is_news(self, row: PatientRow, last: Consent | None, *, moved: bool) -> bool:
        if row.consented_at is None:
            return False
        if last is None:
            return True
        # Consent is given for a number: what was said before of the old one says nothing here.
        return row.consented_at > last.occurred_at or (
            row.consented_at == last.occurred_at and not moved
        )

    def _make_pending(self, session: Session, person: Patient) -> None:
        if person.purposes:
            self._record(session, person, "revoke", person.purposes, _PHONE_CHANGED, self._now)
        person.proved_at = None
        stopping.cancel_unsent_of_patient(
            session, person.id, reason=SkipReason.NO_CONSENT, now=self._now
        )

    def _write_consent(
        self, session: Session, row: PatientRow, person: Patient, last: Consent | None
    ) -> None:
        at, method = row.consented_at or self._now, row.consent_method or "import"
        wanted, held = set(row.purposes), set(person.purposes or ())
        gone = sorted(held - wanted)
        if gone:
            self._record(session, person, "revoke", gone, method, at, row.consent_version)
            intake.release_of_patients(session, [person.id])
        renewed = last is None or at > last.occurred_at
        if wanted and (renewed or wanted - held):
            self._record(session, person, "grant", sorted(wanted), method, at, row.consent_version)
            person.proved_at = person.proved_at or at
            if not held and at > self._now - enrolling.WELCOMED_WITHIN:
                self._joined.append((row, person))

    def _welcome(self, session: Session) -> None:
        """Let those whose consent begins here be told who writes, and how to stop."""
        clinics = {row.clinic.id: row.clinic for row, _ in self._joined}
        for clinic in clinics.values() if not self._quiet else ():
            people = [person for row, person in self._joined if row.clinic.id == clinic.id]
            published = protocols.of_clinic(session, clinic.id)
            enrolling.join(session, clinic.file, published, people, now=self._now)

    def _record(
        self,
        session: Session,
        person: Patient,
        action: str,
        purposes: Sequence[str],
        method: str,
        at: datetime,
        version: str | None = None,
    ) -> None:
        patients.record_consent(
            session,
            person,
            action=action,
            purposes=list(purposes),
            method=method,
            actor=self._actor,
            occurred_at=at,
            wording_version=version,
        )


def _told(details: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what nobody said; a "no" was said."""
    return {key: value for key, value in details.items() if value not in (None, [])}


def _end_or_hold(person: Patient, word: str) -> None:
    person.status = "held" if word == "held" else "closed"
    person.status_reason = _REASONS.get(word, word)
    person.held_until = None


def _note(result: BatchResult, row: PatientRow, column: str, reason: str) -> None:
    result.notes.append(RowFault(line=row.line, column=column, reason=reason))
