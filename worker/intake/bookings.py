"""Visits from a file, written beside what is on record.

A moved visit gets a new revision, so that no text about the old time goes out, and loses the
confirmation of its old time (care rule 1). What staff recorded or changed is not undone by a file
that merely repeats itself (care rule 25). What is news is texted, unless the import is quiet (care
rule 5).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from records import clinics, enrollments, intake
from records.appointments import Appointment, AppointmentEvent
from records.base import Session, new_id
from worker import enrolling, protocols
from worker.intake import fasts, merging
from worker.intake.batches import BatchResult
from worker.intake.table import RowFault
from worker.intake.visits import VisitRow, span
from worker.services import Services

_DIGEST_KIND = "import.appointment"
# What the last file said of the status, beside the details of visits of the time before
# `imported` was kept: only a change of it is news.
_TOLD_STATUS = "imported_status"
_DETAILS = ("location", "provider", "join_link")
_OVER = (
    "the file has this visit as booked, and it is over; nobody is texted of it. Check the year, or "
    "record what became of it with `aftercare event`"
)
_TOOK_PLACE = (
    "by what was recorded the patient has come to this visit, so it stays at its time; give a new "
    "visit an id of its own"
)
_RANK = {"booked": 0, "arrived": 1, "checked_out": 2, "fulfilled": 3}


class VisitBatch:
    """Writes batches of visit rows, in the name of `actor`.

    Patients of the clinics in `quiet` are not texted about what these rows bring.
    """

    def __init__(
        self, services: Services, *, actor: str, now: datetime, quiet: Collection[UUID] = ()
    ) -> None:
        self._services, self._vault = services, services.vault
        self._actor, self._now, self._quiet = actor, now, quiet

    def write(self, session: Session, rows: Sequence[VisitRow]) -> BatchResult:
        """Create, change, move and cancel visits; return what became of each row."""
        intake.take_turn(session, "appointments")
        clinic_ids = {row.patient.clinic.id for row in rows}
        known = intake.visits_by_external(
            session,
            clinic_ids,
            {row.external_id for row in rows},
        )
        result = BatchResult(clinics=clinic_ids)
        touched: list[Appointment] = []
        for row in rows:
            visit = known.get((row.patient.clinic.id, row.external_id))
            if visit is None:
                touched.append(self._create(session, row))
                _tell_if_over(row, result, self._now)
                result.counts["created"] += 1
            elif self._change(session, row, visit, result):
                touched.append(visit)
                result.counts["changed"] += 1
        session.flush()
        self._replan(session, touched)
        return result

    def _digest(self, row: VisitRow) -> str:
        return self._vault.blind(_DIGEST_KIND, row.canonical).hex()

    def _create(self, session: Session, row: VisitRow) -> Appointment:
        visit = Appointment(
            id=new_id(),
            clinic_id=row.patient.clinic.id,
            patient_id=row.patient.id,
            external_id=row.external_id,
            status=row.status,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            setting=row.setting,
            modality=row.modality,
            booked_at=self._now,
            created_at=self._now,
            revision=1,
        )
        self._set(visit, row, row.columns)
        self._set_details(visit, row.details)
        self._remember(visit, row, {})
        self._announce(visit)
        _happened(visit, row.status, _when(row, self._now))
        session.add(visit)
        return visit

    def _announce(self, visit: Appointment) -> None:
        visit.announced_at = None if visit.clinic_id in self._quiet else self._now

    def _change(
        self, session: Session, row: VisitRow, visit: Appointment, result: BatchResult
    ) -> bool:
        if visit.patient_id != row.patient.id:
            reason = (
                "this visit is on record for another patient; give the new visit an id of its own"
            )
            result.faults.append(_fault(row, "appointment_id", reason))
            return False
        if visit.import_digest == self._digest(row):
            result.counts["unchanged"] += 1
            return False
        details = self._details(visit)
        before = merging.opened(self._vault, "appointment", visit.id, visit.imported)
        told = (before or {"status": details.get(_TOLD_STATUS)}).get("status")
        merged = self._merge(row, visit, details, before, result)
        if _unmakes(visit, row, merged, now=self._now):
            result.notes.append(_fault(row, "starts_at", _TOOK_PLACE))
            merged = replace(merged, taken=merged.taken - {"starts_at"})
        moved = "starts_at" in merged.taken and visit.starts_at != row.starts_at
        if moved:
            move(visit, row.starts_at, now=self._now)
            self._announce(visit)
        status = _next_status(visit, row, told=told, ahead=moved and row.starts_at > self._now)
        if status is not None:
            self._set_status(session, visit, status, row)
        elif row.status not in {visit.status, told}:
            reason = f"the visit is {visit.status} by what was recorded since; that stays"
            result.notes.append(_fault(row, "status", reason))
        was = visit.route
        self._set(visit, row, merged.taken)
        fasts.tell_if_longer(session, visit, was, row.patient.clinic.file, now=self._now)
        kept = {
            each: row.details[each] if each in merged.taken else details.get(each)
            for each in _DETAILS
        }
        self._set_details(visit, kept)
        self._remember(visit, row, merging.with_conflicts(before, merged))
        if not merged.taken and status is None:
            result.counts["unchanged"] += 1
            return False
        return True

    def _merge(
        self,
        row: VisitRow,
        visit: Appointment,
        details: Mapping[str, Any],
        before: Mapping[str, Any] | None,
        result: BatchResult,
    ) -> merging.Merged:
        here = {**details, **on_record(visit)}
        merged = merging.merge(row.told, before, here)
        found = merging.conflicts(
            merged,
            line=row.line,
            names=row.names,
            clinic_id=visit.clinic_id,
            here=here,
            told=row.told,
            zone=row.patient.clinic.file.zone,
        )
        result.conflicts.extend(found)
        return merged

    def _details(self, visit: Appointment) -> dict[str, Any]:
        sealed = self._vault.open("appointment", "details", visit.id, visit.details)
        details: dict[str, Any] = json.loads(sealed)
        return details

    def _set(self, visit: Appointment, row: VisitRow, columns: frozenset[str]) -> None:
        for column in ("kind", "route", "setting", "modality", "dose_number"):
            if column in columns:
                setattr(visit, column, getattr(row, column))
        if "starts_at" in columns:
            visit.ends_at = row.ends_at

    def _set_details(self, visit: Appointment, details: Mapping[str, Any]) -> None:
        plain = json.dumps(details, ensure_ascii=False, sort_keys=True)
        visit.details = self._vault.seal("appointment", "details", visit.id, plain)

    def _remember(
        self, visit: Appointment, row: VisitRow, before: Mapping[str, Any] | None
    ) -> None:
        told = {**row.told, "status": row.status}
        visit.imported = merging.sealed(self._vault, "appointment", visit.id, before, told)
        visit.import_digest = self._digest(row)
        visit.updated_at = self._now

    def _set_status(self, session: Session, visit: Appointment, status: str, row: VisitRow) -> None:
        if status == "booked":
            if visit.status == "cancelled":
                self._announce(visit)
            book_again(visit, now=self._now)
        if status == "cancelled":
            cancel(visit, now=self._now)
            self._announce(visit)
        if status == "no_show":
            visit.no_show_at = self._now
        visit.status = status
        at = _when(row, self._now)
        _happened(visit, status, at)
        self._note_event(session, visit, status, at)

    def _note_event(self, session: Session, visit: Appointment, kind: str, at: datetime) -> None:
        session.add(
            AppointmentEvent(
                clinic_id=visit.clinic_id,
                appointment_id=visit.id,
                kind=kind,
                at=at,
                actor=self._actor,
            )
        )

    def cancel_missing(self, session: Session, found: Sequence[Appointment]) -> None:
        """Cancel visits that a whole file does not have; the patients are told as ever.

        The file's silence is what it said last: a visit that it has again is booked again.
        """
        for visit in found:
            cancel(visit, now=self._now)
            self._announce(visit)
            self._note_event(session, visit, visit.status, self._now)
            before = merging.opened(self._vault, "appointment", visit.id, visit.imported)
            visit.imported = merging.sealed(
                self._vault, "appointment", visit.id, before, {"status": visit.status}
            )
            visit.import_digest = None
            visit.updated_at = self._now
        session.flush()
        self._replan(session, found)

    def _replan(self, session: Session, touched: Sequence[Appointment]) -> None:
        by_clinic: dict[UUID, list[Appointment]] = {}
        for visit in touched:
            by_clinic.setdefault(visit.clinic_id, []).append(visit)
        for clinic_id, visits in by_clinic.items():
            file = clinics.by_id(session, clinic_id).file
            # Anew for each batch: another version may be in force since the last.
            published = protocols.of_clinic(session, clinic_id)
            enrolling.sync(session, clinic_id, file, published, visits, now=self._now)
        intake.release_of_visits(session, [visit.id for visit in touched])
        # Caps are shared by all that a patient follows, so all of it is planned anew.
        enrollments.request_plan_of_patients(session, {visit.patient_id for visit in touched})


def _tell_if_over(row: VisitRow, result: BatchResult, now: datetime) -> None:
    """Tell of a visit that is booked in the file and was over before: nobody is texted of it."""
    if row.status == "booked" and row.ends_at <= now:
        result.notes.append(_fault(row, "starts_at", _OVER))


def _fault(row: VisitRow, column: str, reason: str) -> RowFault:
    return RowFault(line=row.line, column=row.names.get(column, column), reason=reason)


def on_record(visit: Appointment) -> dict[str, Any]:
    """Return what is on record of a visit in clear, as a file tells it."""
    plain = {
        each: getattr(visit, each)
        for each in ("kind", "route", "setting", "modality", "dose_number")
    }
    return {**plain, "starts_at": span(visit.starts_at, visit.ends_at)}


def move(visit: Appointment, starts_at: datetime, *, now: datetime) -> None:
    """Give a visit another start: what was confirmed or asked about the old one is void."""
    visit.starts_at = starts_at
    visit.revision += 1
    visit.moved_at = now
    visit.confirmed_start = None
    visit.change_requested_at = None


def cancel(visit: Appointment, *, now: datetime) -> None:
    """Take note that a visit will not take place."""
    visit.status = "cancelled"
    visit.cancelled_at = now


def book_again(visit: Appointment, *, now: datetime) -> None:
    """Take back that a visit took place, was missed or was cancelled: it is ahead again."""
    visit.status = "booked"
    visit.revision += 1
    visit.booked_at = now
    visit.confirmed_start = None
    visit.change_requested_at = None
    visit.arrived_at = visit.checked_out_at = None
    visit.cancelled_at = visit.no_show_at = None
    visit.dose = None


def _when(row: VisitRow, now: datetime) -> datetime:
    """Return when something happened that a file tells without its time: as planned, or now."""
    planned = row.starts_at if row.status == "arrived" else row.ends_at
    return min(now, planned)


def _happened(visit: Appointment, status: str, at: datetime) -> None:
    # "Fulfilled" and "checked out" in a file don't say that a dose was given (care rule 6).
    if status == "arrived":
        visit.arrived_at = visit.arrived_at or at
    if status == "checked_out":
        visit.checked_out_at = visit.checked_out_at or at


def _next_status(visit: Appointment, row: VisitRow, *, told: Any, ahead: bool) -> str | None:
    """Return the status a row gives a visit; None leaves it as it is.

    `told` is what the last file said: repeated, it is no news against what staff recorded since.
    `ahead`: the visit has just been moved to a time to come.
    """
    if row.status == visit.status:
        return None
    if row.status == "booked" and ahead:
        return "booked"
    if row.status == told:
        return None
    return row.status if _may_become(visit.status, row.status) else None


def _unmakes(visit: Appointment, row: VisitRow, merged: merging.Merged, *, now: datetime) -> bool:
    """Say whether a row puts a visit that has begun ahead again: its dose and checks would go."""
    begun = _RANK.get(visit.status, 0) > 0
    return begun and "starts_at" in merged.taken and row.starts_at > now


def _may_become(now: str, told: str) -> bool:
    # A visit that took place is not unmade by a file, nor does it go back a stage.
    return _RANK.get(told, 0) > _RANK.get(now, 0) or now in {"booked", "no_show", "cancelled"}
