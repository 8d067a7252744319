"""What intake asks of the rows: patients and visits by the clinic's own ids, many at a time.

`worker.intake` and the steps `clinics`, `people` and `visits` write through here. Rows are locked
in the order of their ids, as everywhere, so that nobody deadlocks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session, aliased

from records import clinics, conversation, followups
from records.appointments import Appointment, with_ids
from records.base import new_id
from records.clinics import Clinic, Sender, SenderNumber, Staff, StaffAbsence
from records.enrollments import Enrollment
from records.followups import FollowUp
from records.patients import Consent, OptOut, Patient, PatientToken
from schedules.protocol import Importance


def take_turn(session: Session, name: str) -> None:
    """Wait until no other transaction does `name`; held to the end of this one."""
    lock = text("SELECT pg_advisory_xact_lock(hashtext('aftercare.intake'), hashtext(:name))")
    session.execute(lock, {"name": name})


def lock_clinic(session: Session, key: str) -> Clinic | None:
    """Lock and return the clinic whose file bears the id `key`."""
    mine = select(Clinic).where(Clinic.key == key)
    found = session.scalars(mine.with_for_update(key_share=True)).first()
    return clinics.with_stand_in(session, found) if found is not None else None


def current_sender(session: Session, clinic_id: UUID) -> Sender | None:
    """Return the sender the clinic texts from now, if it has one yet."""
    mine = select(Sender).where(Sender.clinic_id == clinic_id, Sender.retired_at.is_(None))
    return session.scalars(mine.order_by(Sender.id.desc())).first()


def senders_with(
    session: Session, *, messaging_service_sid: str | None, from_number: str | None
) -> list[Sender]:
    """Return the senders in use, of all clinics, that text from the same place."""
    same = (
        Sender.messaging_service_sid == messaging_service_sid
        if messaging_service_sid
        else Sender.from_number == from_number
    )
    return list(session.scalars(select(Sender).where(same, Sender.retired_at.is_(None))))


def numbers_of(session: Session, clinic_id: UUID, numbers: Collection[str]) -> list[SenderNumber]:
    """Return the clinic's texting numbers, and whoever has one of `numbers`."""
    mine = select(SenderNumber).where(
        (SenderNumber.clinic_id == clinic_id) | SenderNumber.number.in_(numbers)
    )
    return list(session.scalars(mine.order_by(SenderNumber.number).with_for_update()))


_MOVE_TO_SENDER = text("""
    UPDATE message SET sender_id = :new, status = 'planned', claim_token = NULL, lease_until = NULL
    WHERE clinic_id = :clinic AND sender_id = :old AND status IN ('planned', 'claimed')
""")


def move_unsent(session: Session, *, clinic_id: UUID, old: UUID, new: UUID) -> int:
    """Hand every unsent text to another sender; claims are void; return how many.

    What comes back, or is committed for the old one only now, the sweep hands over.
    """
    values = {"clinic": clinic_id, "old": old, "new": new}
    return int(getattr(session.execute(_MOVE_TO_SENDER, values), "rowcount", 0))


# Whoever claims holds the sender's row until its claims are committed: before that they are still
# 'planned' to all others. KEY SHARE waits for that and lets whoever writes an outcome go on. It is
# a statement of its own, so that the next one sees what it has waited for.
_AWAIT_CLAIMS = """
    SELECT 1 FROM sender WHERE clinic_id IN ({clinics}) ORDER BY id FOR KEY SHARE
"""
_RELEASE = """
    UPDATE message SET status = 'planned', claim_token = NULL, lease_until = NULL
    WHERE status = 'claimed' AND priority > 1 AND {of}
"""


def _release(clinics: str, of: str) -> tuple[TextClause, TextClause]:
    """Return what ends claims: the wait for those that are being made, and their end."""
    return text(_AWAIT_CLAIMS.format(clinics=clinics)), text(_RELEASE.format(of=of))


_OF_VISITS = _release(
    "SELECT clinic_id FROM appointment WHERE id = ANY(CAST(:ids AS uuid[]))",
    "appointment_id = ANY(CAST(:ids AS uuid[]))",
)
_OF_PATIENTS = _release(
    "SELECT clinic_id FROM patient WHERE id = ANY(CAST(:ids AS uuid[]))",
    "patient_id = ANY(CAST(:ids AS uuid[]))",
)
_OF_CLINIC = _release(":id", "clinic_id = :id")


def release_of_visits(session: Session, appointment_ids: Collection[UUID]) -> None:
    """End the claims on these visits' texts: they are judged anew before anything is sent."""
    if appointment_ids:
        for statement in _OF_VISITS:
            session.execute(statement, {"ids": list(appointment_ids)})


def release_of_patients(session: Session, patient_ids: Collection[UUID]) -> None:
    """End the claims on these patients' started texts."""
    if patient_ids:
        for statement in _OF_PATIENTS:
            session.execute(statement, {"ids": list(patient_ids)})


def release_of_clinic(session: Session, clinic_id: UUID) -> None:
    """End the claims on a clinic's started texts."""
    for statement in _OF_CLINIC:
        session.execute(statement, {"id": clinic_id})


def patients_by_external(
    session: Session, blinds: Collection[bytes], *, lock: bool = False
) -> list[Patient]:
    """Return the patients, of any clinic, with one of these hashed ids."""
    mine = select(Patient).where(Patient.external_id_blind.in_(blinds)).order_by(Patient.id)
    return list(session.scalars(mine.with_for_update(key_share=True) if lock else mine))


def open_patients(session: Session, clinic_id: UUID) -> list[Patient]:
    """Return a clinic's patients whose record is not closed, without locking anybody."""
    mine = select(Patient).where(Patient.clinic_id == clinic_id, Patient.status != "closed")
    return list(session.scalars(mine.order_by(Patient.id)))


def lock_patient(session: Session, patient_id: UUID) -> Patient:
    """Lock and return the patient; they must exist."""
    mine = select(Patient).where(Patient.id == patient_id)
    return session.scalars(mine.with_for_update(key_share=True)).one()


def lock_visit(session: Session, appointment_id: UUID) -> Appointment | None:
    """Lock and return the visit."""
    mine = select(Appointment).where(Appointment.id == appointment_id)
    return session.scalars(mine.with_for_update(key_share=True)).first()


# A food text about a start that went, or may have.
_FOOD_WENT = """
    SELECT 1 FROM message
    WHERE appointment_id = {visit} AND kind = 'started' AND priority = :priority
      AND anchor_at = {start} AND attempts > 0
      AND status NOT IN ('undelivered', 'failed', 'expired', 'cancelled', 'skipped')
"""
_TOLD_OF_FOOD = text(f"SELECT EXISTS ({_FOOD_WENT.format(visit=':visit', start=':start')})")
_ALL_TOLD_OF_FOOD = text(f"""
    SELECT id FROM appointment v
    WHERE clinic_id = :clinic AND kind = 'dosing' AND status = 'booked' AND starts_at > :now
      AND EXISTS ({_FOOD_WENT.format(visit="v.id", start="v.starts_at")})
    ORDER BY starts_at, id
""")


def was_told_of_food(session: Session, appointment_id: UUID, start: datetime) -> bool:
    """Return whether a food text about this start of a visit went, or may have."""
    values = {"visit": appointment_id, "start": start, "priority": Importance.FOOD.priority}
    return bool(session.execute(_TOLD_OF_FOOD, values).scalar_one())


def all_told_of_food(session: Session, clinic_id: UUID, *, now: datetime) -> list[Appointment]:
    """Return a clinic's booked doses ahead whose patients were told when food ends, or may be."""
    values = {"clinic": clinic_id, "now": now, "priority": Importance.FOOD.priority}
    ids = session.scalars(_ALL_TOLD_OF_FOOD, values).all()
    found = with_ids(session, ids)
    return [found[each] for each in ids]


def newest_consents(session: Session, patient_ids: Collection[UUID]) -> dict[UUID, Consent]:
    """Return each patient's ledger entry that speaks of the latest instant."""
    mine = (
        select(Consent)
        .ext(distinct_on(Consent.patient_id))
        .where(Consent.patient_id.in_(patient_ids))
        .order_by(Consent.patient_id, Consent.occurred_at.desc(), Consent.id.desc())
    )
    return {row.patient_id: row for row in session.scalars(mine)}


def stopped_numbers(session: Session, blinds: Collection[bytes]) -> dict[tuple[UUID, bytes], str]:
    """Return why, by (clinic, hashed number), those among these numbers must not be texted."""
    mine = select(OptOut.clinic_id, OptOut.phone_blind, OptOut.reason).where(
        OptOut.lifted_at.is_(None), OptOut.phone_blind.in_(blinds)
    )
    return {(row.clinic_id, row.phone_blind): row.reason for row in session.execute(mine)}


def sharing_numbers(session: Session, patient_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these patients whose number another patient of the clinic has as well."""
    other = aliased(Patient)
    shared = select(Patient.id).where(
        Patient.id.in_(patient_ids),
        select(other.id)
        .where(
            other.clinic_id == Patient.clinic_id,
            other.phone_blind == Patient.phone_blind,
            other.id != Patient.id,
            other.status != "closed",
        )
        .exists(),
    )
    return set(session.scalars(shared))


def add_tokens(session: Session, rows: Iterable[tuple[Patient, Iterable[bytes]]]) -> None:
    """Add the hashes under which new patients are found, in one statement."""
    values = [
        {"patient_id": person.id, "clinic_id": person.clinic_id, "token": token}
        for person, tokens in rows
        for token in tokens
    ]
    if values:
        session.execute(insert(PatientToken).on_conflict_do_nothing(), values)


def visits_by_external(
    session: Session, clinic_ids: Collection[UUID], external_ids: Collection[str]
) -> dict[tuple[UUID, str], Appointment]:
    """Lock and return the visits of these clinics by (clinic, their own id)."""
    mine = select(Appointment).where(
        Appointment.clinic_id.in_(clinic_ids), Appointment.external_id.in_(external_ids)
    )
    mine = mine.order_by(Appointment.id).with_for_update(key_share=True)
    return {(row.clinic_id, row.external_id): row for row in session.scalars(mine)}


def visits_ahead(
    session: Session, clinic_id: UUID, *, since: datetime, until: datetime
) -> list[Appointment]:
    """Return a clinic's booked visits that start in [since, until), by start."""
    mine = select(Appointment).where(
        Appointment.clinic_id == clinic_id,
        Appointment.status == "booked",
        Appointment.starts_at >= since,
        Appointment.starts_at < until,
    )
    return list(session.scalars(mine.order_by(Appointment.starts_at, Appointment.id)))


def lock_visits(session: Session, appointment_ids: Collection[UUID]) -> list[Appointment]:
    """Lock and return these visits."""
    mine = select(Appointment).where(Appointment.id.in_(appointment_ids)).order_by(Appointment.id)
    return list(session.scalars(mine.with_for_update(key_share=True)))


def has_visits(session: Session, clinic_id: UUID) -> bool:
    """Whether any visit of the clinic was ever imported."""
    any_one = select(Appointment.id).where(Appointment.clinic_id == clinic_id).limit(1)
    return session.scalars(any_one).first() is not None


def visits_from(
    session: Session,
    *,
    since: datetime,
    clinic_id: UUID | None = None,
    patient_id: UUID | None = None,
) -> list[Appointment]:
    """Return a clinic's or a patient's visits that start at `since` or later."""
    mine = select(Appointment).where(Appointment.starts_at >= since)
    if clinic_id is not None:
        mine = mine.where(Appointment.clinic_id == clinic_id)
    if patient_id is not None:
        mine = mine.where(Appointment.patient_id == patient_id)
    return list(session.scalars(mine.order_by(Appointment.id)))


def visits_by_id(session: Session, appointment_ids: Collection[UUID]) -> list[Appointment]:
    """Return these visits."""
    mine = select(Appointment).where(Appointment.id.in_(appointment_ids))
    return list(session.scalars(mine.order_by(Appointment.id)))


def statuses_of(session: Session, patient_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the status of each of these patients."""
    mine = select(Patient.id, Patient.status).where(Patient.id.in_(patient_ids))
    return {row[0]: row[1] for row in session.execute(mine)}


def enrollments_of_visits(
    session: Session, appointment_ids: Collection[UUID]
) -> dict[UUID, dict[str, Enrollment]]:
    """Return the enrollments for these visits, by visit and then by protocol."""
    found: dict[UUID, dict[str, Enrollment]] = {each: {} for each in appointment_ids}
    mine = select(Enrollment).where(Enrollment.appointment_id.in_(appointment_ids))
    for row in session.scalars(mine):
        if row.appointment_id is not None:
            found[row.appointment_id][row.protocol] = row
    return found


def by_hand_to_switch(
    session: Session, clinic_id: UUID, *, on: Collection[str], new: Collection[str]
) -> list[Enrollment]:
    """Return what hangs on a day and not on a visit, and is to end or to run again.

    That is what runs and is not `on`, and what ended and is `new`. Its patients are locked.
    """
    runs, ended = Enrollment.status == "active", Enrollment.status == "completed"
    mine = (
        (Enrollment.clinic_id == clinic_id)
        & Enrollment.appointment_id.is_(None)
        & ((runs & Enrollment.protocol.not_in(on)) | (ended & Enrollment.protocol.in_(new)))
    )
    conversation.lock_patients(
        session, list(session.scalars(select(Enrollment.patient_id).where(mine).distinct()))
    )
    return list(session.scalars(select(Enrollment).where(mine).order_by(Enrollment.id)))


def active_enrollments_in(session: Session, clinic_id: UUID, protocol: str) -> list[Enrollment]:
    """Return the running enrollments in a protocol."""
    mine = select(Enrollment).where(
        Enrollment.clinic_id == clinic_id,
        Enrollment.protocol == protocol,
        Enrollment.status == "active",
    )
    return list(session.scalars(mine))


def open_items_of_visit(session: Session, appointment_id: UUID, reason: str) -> list[FollowUp]:
    """Lock and return the unresolved follow-ups with this reason that a visit gave rise to."""
    mine = select(FollowUp).where(
        FollowUp.source_kind == "appointment",
        FollowUp.source_id == appointment_id,
        FollowUp.reason == reason,
        FollowUp.status != "resolved",
    )
    return list(session.scalars(mine.order_by(FollowUp.id).with_for_update()))


def open_items_of_patient(session: Session, patient_id: UUID) -> list[FollowUp]:
    """Lock and return a patient's unresolved follow-ups."""
    mine = select(FollowUp).where(FollowUp.patient_id == patient_id, FollowUp.status != "resolved")
    return list(session.scalars(mine.order_by(FollowUp.id).with_for_update()))


def staff_member(session: Session, clinic_id: UUID, email: str) -> Staff | None:
    """Lock and return the clinic's staff member with this address."""
    mine = select(Staff).where(Staff.clinic_id == clinic_id, Staff.email == email)
    return session.scalars(mine.with_for_update(key_share=True)).first()


def staff_members(session: Session, email: str) -> list[Staff]:
    """Lock and return the staff members with this address, one a clinic at most.

    In the order of `clinics.end_sessions`, so that a sign-out meanwhile is neither lost nor waits
    crosswise.
    """
    mine = select(Staff).where(Staff.email == email.strip().lower()).order_by(Staff.id)
    return list(session.scalars(mine.with_for_update(key_share=True)))


def everybody(session: Session, clinic_id: UUID | None) -> list[Staff]:
    """Return the staff of a clinic, or of all, by address; also whose access has ended."""
    mine = select(Staff).order_by(Staff.email, Staff.id)
    if clinic_id is not None:
        mine = mine.where(Staff.clinic_id == clinic_id)
    return list(session.scalars(mine))


def away_with_items(session: Session, *, now: datetime) -> list[tuple[Staff, datetime]]:
    """Return who is away at `now` with open items from before, and since when they are away."""
    left_behind = select(FollowUp.id).where(
        FollowUp.owner_id == Staff.id,
        FollowUp.status != "resolved",
        followups.had_since() < StaffAbsence.starts_at,
    )
    mine = (
        select(Staff, StaffAbsence.starts_at)
        .join(StaffAbsence, StaffAbsence.staff_id == Staff.id)
        .where(StaffAbsence.starts_at <= now, StaffAbsence.ends_at > now, left_behind.exists())
    )
    return [(row[0], row[1]) for row in session.execute(mine)]


def absences_of(
    session: Session, staff_id: UUID, *, since: datetime, until: datetime | None = None
) -> list[StaffAbsence]:
    """Return somebody's absences that end at `since` or later, begun before `until`, by start."""
    mine = select(StaffAbsence).where(
        StaffAbsence.staff_id == staff_id, StaffAbsence.ends_at >= since
    )
    if until is not None:
        mine = mine.where(StaffAbsence.starts_at < until)
    return list(session.scalars(mine.order_by(StaffAbsence.starts_at)))


def absences_of_all(
    session: Session, staff_ids: Collection[UUID], *, since: datetime
) -> dict[UUID, list[StaffAbsence]]:
    """Return what `absences_of` does for several, by whose they are; no entry where none is."""
    theirs = StaffAbsence.staff_id.in_(staff_ids) & (StaffAbsence.ends_at >= since)
    found = defaultdict[UUID, list[StaffAbsence]](list)
    for one in session.scalars(select(StaffAbsence).where(theirs).order_by(StaffAbsence.starts_at)):
        found[one.staff_id].append(one)
    return dict(found)


def new_enrollment(**values: Any) -> Enrollment:
    """Return a running enrollment with these values, to be added."""
    return Enrollment(id=new_id(), status="active", **values)
