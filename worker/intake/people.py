"""Patients from a file, written beside what is on record.

An import never lifts a stop, a hold, a close or a death, and never replaces a newer consent; a
changed number makes consent pending; staff's edits win over what the file repeats (care rule 25).
An unchanged row changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from records import enrollments, intake, patients, search, stopping
from records.base import Session, new_id
from records.patients import Consent, Patient
from schedules import followups
from schedules.reasons import SkipReason
from worker import enrolling, held, protocols
from worker.endings import end_record
from worker.intake import ids, merging, stops
from worker.intake.batches import BatchResult
from worker.intake.onrecord import on_record
from worker.intake.patients import DETAILS, PatientRow
from worker.intake.table import RowFault
from worker.opening import open_follow_ups
from worker.services import Services

#: A status column's word and the reason it stands for on record.
_REASONS = {"held": "other", "closed": "other"}
_CRISIS_HOLD_ENDS = "this ends a crisis hold; a follow-up asks whether the patient is safe"
_STOP_STAYS = "this number has stopped texts; the stop stays"
_STOP_FOLLOWS = (
    "the patient stopped texts on the old number, and that holds for the new one until they text "
    "START from it"
)
_OTHER_NUMBER = (
    "staff have set another number since, and the file's consent is not for that one; record it "
    "with `aftercare consent`"
)
_SHARED = (
    "another patient has this number; whoever came second gets no automatic text until you say how "
    "they are reached (`aftercare patient reach`), or give them a number of their own"
)
#: What begins the reason of a stop that is about the number: no patient takes it along to another.
_OF_THE_NUMBER = (patients.WRONG_NUMBER, patients.DECEASED, patients.REFUSED, patients.SUSPENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is on record of the people in one batch."""

    people: dict[tuple[UUID, bytes], Patient]
    consents: dict[UUID, Consent]
    stopped: dict[tuple[UUID, bytes], str]
    look_alikes: set[tuple[UUID, str]]


@dataclass(slots=True, kw_only=True)
class _Touched:
    """A row, its patient, and what it did to them so far."""

    row: PatientRow
    person: Patient
    old_number: bytes
    fresh: bool = False
    moved: bool = False
    changed: bool = False


class PatientBatch:
    """Writes batches of patient rows, in the name of `actor`.

    `typed`: staff say it, and no file; a file that says otherwise later does not win over them.
    """

    def __init__(
        self,
        services: Services,
        *,
        actor: str,
        now: datetime,
        quiet: bool = False,
        typed: bool = False,
    ) -> None:
        self._vault, self._quiet, self._typed = services.vault, quiet, typed
        self._actor, self._now = actor, now

    def write(self, session: Session, rows: Sequence[PatientRow]) -> BatchResult:
        """Create and change patients; return what became of each row."""
        intake.take_turn(session, "patients")
        known = self._known(session, rows)
        result = BatchResult(clinics={row.clinic.id for row in rows})
        fresh: list[_Touched] = []
        touched: list[_Touched] = []
        for row in rows:
            person = known.people.get((row.clinic.id, self._blind(row)))
            if person is not None:
                touched += self._change(session, row, person, result)
            elif (row.clinic.id, row.external_id) in known.look_alikes:
                _refuse(result, row, "patient_id", ids.ZEROS_DIFFER)
            else:
                fresh.append(self._create(session, row))
        session.flush()
        self._joined: list[tuple[PatientRow, Patient]] = []
        self._find_again(session, fresh)
        for each in fresh:
            if each.person.status == "closed":
                end_record(session, each.person, now=self._now)
        for each in (*fresh, *touched):
            self._consent(session, each, known, result)
        self._welcome(session)
        self._tell_of_sharing(session, [*fresh, *touched], result)
        changed = [each.person.id for each in touched if each.changed]
        enrollments.request_plan_of_patients(session, [*changed, *self._beside(session, touched)])
        result.counts.update(
            created=len(fresh), changed=len(changed), unchanged=len(touched) - len(changed)
        )
        return result

    def _beside(self, session: Session, touched: Sequence[_Touched]) -> list[UUID]:
        """Return who else has the number that somebody came to or left: another is texted there."""
        return [
            other.id
            for each in touched
            if each.moved
            for blind in (each.old_number, each.person.phone_blind)
            for other in patients.on_number(session, each.person.clinic_id, blind)
            if other.id != each.person.id
        ]

    def _known(self, session: Session, rows: Sequence[PatientRow]) -> _Known:
        blinds = {self._blind(row) for row in rows}
        found = intake.patients_by_external(session, blinds, lock=True)
        people = {(each.clinic_id, each.external_id_blind): each for each in found}
        fresh = {
            (row.clinic.id, row.external_id)
            for row in rows
            if (row.clinic.id, self._blind(row)) not in people
        }
        numbers = {patients.phone_blind(self._vault, row.phone) for row in rows}
        return _Known(
            people=people,
            consents=intake.newest_consents(session, [each.id for each in found]),
            stopped=intake.stopped_numbers(session, numbers | {each.phone_blind for each in found}),
            look_alikes=ids.look_alikes(session, self._vault, fresh),
        )

    def _blind(self, row: PatientRow) -> bytes:
        return patients.external_blind(self._vault, row.external_id)

    def _create(self, session: Session, row: PatientRow) -> _Touched:
        person = Patient(id=new_id(), clinic_id=row.clinic.id, purposes=[], status="active")
        self._seal(person, row, row.first_name, row.phone, _told(row.details))
        self._set_plain(person, row, row.columns)
        self._remember(person, row, {})
        person.created_at = person.number_since = self._now
        if row.status not in {None, "active"}:
            _end_or_hold(person, row.status or "")
        session.add(person)
        return _Touched(row=row, person=person, old_number=person.phone_blind, fresh=True)

    def _change(
        self, session: Session, row: PatientRow, person: Patient, result: BatchResult
    ) -> list[_Touched]:
        """Bring a patient to what is new in the row; nothing for a row that says nothing new."""
        if person.import_digest == row.digest(self._vault):
            result.counts["unchanged"] += 1
            return []
        if person.status == "closed":
            _note(result, row, "status", "this patient's record is closed; the row changes nothing")
            result.counts["unchanged"] += 1
            return []
        done = _Touched(row=row, person=person, old_number=person.phone_blind)
        before = merging.opened(self._vault, "patient", person.id, person.imported)
        merged = self._merge(row, person, before, result)
        taken = merged.taken
        done.moved = person.phone_blind != done.old_number
        if done.moved:
            person.number_since = self._now
        if taken & {"first_name", "phone"}:
            search.index(session, person, self._tokens(person))
        told_before = (before or {}).get("status")
        done.changed = bool(taken)
        if row.status not in {None, person.status, told_before}:
            done.changed |= self._status(session, row, person, result)
        self._remember(person, row, merging.with_conflicts(before, merged))
        return [done]

    def _merge(
        self,
        row: PatientRow,
        person: Patient,
        before: Mapping[str, Any] | None,
        result: BatchResult,
    ) -> merging.Merged:
        """Take what holds against the record; return what became of the columns."""
        here = on_record(self._vault, person)
        name, phone = here["first_name"], here["phone"]
        details = patients.profile(self._vault, person)
        told = {column: value for column, value in row.told.items() if column != "status"}
        merged = merging.merge(told, before, here)
        found = merging.conflicts(
            merged,
            line=row.line,
            names=row.names,
            clinic_id=person.clinic_id,
            here=here,
            told=told,
        )
        result.conflicts.extend(found)
        if merged.taken:
            details |= {each: row.details[each] for each in merged.taken & DETAILS}
            self._seal(
                person,
                row,
                row.first_name if "first_name" in merged.taken else name,
                row.phone if "phone" in merged.taken else phone,
                _told(details),
            )
            self._set_plain(person, row, merged.taken)
        return merged

    def _seal(
        self, person: Patient, row: PatientRow, name: str, phone: str, details: dict[str, object]
    ) -> None:
        patients.seal_identity(
            self._vault,
            person,
            external_id=row.external_id,
            first_name=name,
            phone=phone,
            details=details,
        )

    def _set_plain(self, person: Patient, row: PatientRow, columns: frozenset[str]) -> None:
        for column in ("language", "timezone", "check_in_time", "phone_shared"):
            if column in columns:
                setattr(person, column, getattr(row, column))
        if "safe_hours" in columns:
            hours = row.safe_hours
            person.safe_from, person.safe_until = (
                (hours.opens, hours.closes) if hours else (None, None)
            )

    def _remember(self, person: Patient, row: PatientRow, before: Mapping[str, Any] | None) -> None:
        told = {} if self._typed else row.told
        person.imported = merging.sealed(self._vault, "patient", person.id, before, told)
        person.import_digest = row.digest(self._vault)
        person.updated_at = self._now

    def _status(
        self, session: Session, row: PatientRow, person: Patient, result: BatchResult
    ) -> bool:
        """Hold or close a patient whose status is new in the file; return whether it was done."""
        if row.status == "active":
            _note(result, row, "status", "texts to this patient are on hold; the hold stays")
            return False
        in_crisis = (person.status, person.status_reason) == ("held", "crisis")
        _end_or_hold(person, row.status or "")
        reason = SkipReason.PATIENT_HELD if person.status == "held" else SkipReason.PATIENT_CLOSED
        stopping.cancel_unsent_of_patient(session, person.id, reason=reason, now=self._now)
        if person.status == "held":
            held.call_about_visits(session, person, until=None, now=self._now)
        if person.status == "closed":
            end_record(session, person, now=self._now)
            if in_crisis:
                self._tell_of_hold(session, row, person)
                _note(result, row, "status", _CRISIS_HOLD_ENDS)
        return True

    def _tell_of_hold(self, session: Session, row: PatientRow, person: Patient) -> None:
        """Have somebody look after a patient whose crisis hold no person ended (care rule 10)."""
        wanted = followups.wanted(
            followups.FollowUpReason.CRISIS_HOLD_ENDED,
            now=self._now,
            staffed=row.clinic.file.staffed(),
            about=str(person.id),
        )
        open_follow_ups(
            session,
            person.clinic_id,
            person.id,
            [replace(wanted, for_lead=True)],
            source_kind="patient",
            source_id=person.id,
            now=self._now,
        )

    def _tokens(self, person: Patient) -> set[bytes]:
        return search.tokens(
            self._vault,
            external_id=patients.opened(self._vault, person, "external_id"),
            first_name=patients.opened(self._vault, person, "first_name"),
            phone=patients.opened(self._vault, person, "phone"),
        )

    def _find_again(self, session: Session, fresh: Sequence[_Touched]) -> None:
        intake.add_tokens(session, [(each.person, self._tokens(each.person)) for each in fresh])

    def _consent(
        self, session: Session, each: _Touched, known: _Known, result: BatchResult
    ) -> None:
        """Bring the ledger to what the row says, unless it knows something newer."""
        row, person, moved = each.row, each.person, each.moved
        last = known.consents.get(person.id)
        news = self._is_news(row, last, moved=moved)
        if moved:
            self._make_pending(session, person)
        differs = set(row.purposes) != set(person.purposes or ())
        stopped = (person.clinic_id, person.phone_blind) in known.stopped
        if self._stop_follows(session, each, known):
            _note(result, row, "phone", _STOP_FOLLOWS)
        elif stopped:
            if differs and row.purposes:
                _note(result, row, "phone", _STOP_STAYS)
        elif news and row.lacks_the_warning:
            _note(result, row, "sms_risk_ack", "the clinic requires it; consent stays pending")
        elif news:
            each.changed |= self._write_consent(session, row, person, last, result)
        elif moved:
            _note(result, row, "phone", "the number changed; consent is pending until given anew")
        elif row.consented_at is not None and differs:
            _note(result, row, "consented_at", "a newer consent is on record; it stays")

    def _stop_follows(self, session: Session, each: _Touched, known: _Known) -> bool:
        """Stop the new number of a patient who stopped texts on the old one."""
        person = each.person
        reason = known.stopped.get((person.clinic_id, each.old_number))
        if not each.moved or reason is None or reason.startswith(_OF_THE_NUMBER):
            return False
        old, actor = each.old_number, self._actor
        stops.take_along(session, person, old, reason=reason, actor=actor, now=self._now)
        return True

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
            self._record(
                session, person, "revoke", person.purposes, patients.PHONE_CHANGED, self._now
            )
        person.proved_at = None
        stopping.cancel_unsent_of_patient(
            session, person.id, reason=SkipReason.NO_CONSENT, now=self._now
        )

    def _write_consent(
        self,
        session: Session,
        row: PatientRow,
        person: Patient,
        last: Consent | None,
        result: BatchResult,
    ) -> bool:
        """Append what is new; a consent for a number that staff have replaced only takes away."""
        at, method = row.consented_at or self._now, row.consent_method or "import"
        wanted, had = set(row.purposes), set(person.purposes or ())
        gone = sorted(had - wanted)
        if gone:
            self._record(session, person, "revoke", gone, method, at, row)
            intake.release_of_patients(session, [person.id])
        if person.phone_blind != patients.phone_blind(self._vault, row.phone):
            if wanted:
                _note(result, row, "phone", _OTHER_NUMBER)
            return bool(gone)
        renewed = last is None or at > last.occurred_at
        if wanted and (renewed or wanted - had):
            self._record(session, person, "grant", sorted(wanted), method, at, row)
            # What a file says proves no number: that takes a reply from it (care rule 26).
            if not had:
                self._joined.append((row, person))
            return True
        return bool(gone)

    def _welcome(self, session: Session) -> None:
        """Let those whose consent begins here be told who writes, and how to stop.

        After a quiet import the plan step does so, before the first text that they are to get.
        """
        clinics = {row.clinic.id: row.clinic for row, _ in self._joined}
        for clinic in clinics.values() if not self._quiet else ():
            people = [person for row, person in self._joined if row.clinic.id == clinic.id]
            published = protocols.of_clinic(session, clinic.id)
            # A new number is welcomed even if the old one was so today.
            enrolling.join(session, clinic.file, published, people, now=self._now, again=True)

    def _tell_of_sharing(
        self, session: Session, rows: Sequence[_Touched], result: BatchResult
    ) -> None:
        """Say of whoever is new on a number that somebody else has it too (care rule 22)."""
        new = [each for each in rows if each.fresh or each.moved]
        shared = intake.sharing_numbers(session, [each.person.id for each in new])
        for each in new:
            if each.person.id in shared:
                _note(result, each.row, "phone", _SHARED)

    def _record(
        self,
        session: Session,
        person: Patient,
        action: str,
        purposes: Sequence[str],
        method: str,
        at: datetime,
        row: PatientRow | None = None,
    ) -> None:
        warned = row.details.get("sms_risk_ack") if row and action == "grant" else None
        patients.record_consent(
            session,
            person,
            action=action,
            purposes=list(purposes),
            method=method,
            actor=self._actor,
            occurred_at=at,
            wording_version=row.consent_version if row else None,
            risk_acknowledged=warned,
        )


def _told(details: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what nobody said; a "no" was said."""
    return {key: value for key, value in details.items() if value not in (None, [])}


def _end_or_hold(person: Patient, word: str) -> None:
    person.status = "held" if word == "held" else "closed"
    person.status_reason = _REASONS.get(word, word)
    person.held_until = None


def _note(result: BatchResult, row: PatientRow, column: str, reason: str) -> None:
    name = row.names.get(column, column)
    result.notes.append(RowFault(line=row.line, column=name, reason=reason))


def _refuse(result: BatchResult, row: PatientRow, column: str, reason: str) -> None:
    name = row.names.get(column, column)
    result.faults.append(RowFault(line=row.line, column=name, reason=reason))
