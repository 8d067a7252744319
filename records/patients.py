"""Patients, the ledger of their consent, and the numbers that must not be texted."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    case,
    false,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from records.base import Base, Blind, ClinicId, CreatedAt, Id, Sealed, within_clinic
from records.vault import Vault
from schedules.terms import Terms

#: How a consent was taken away that was given for another number.
PHONE_CHANGED = "phone_changed"


class Patient(Base):
    """A person who gets texts. Everything that names them is sealed."""

    __tablename__ = "patient"

    id: Mapped[Id]
    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    external_id: Mapped[Sealed]
    external_id_blind: Mapped[Blind]
    first_name: Mapped[Sealed]
    phone: Mapped[Sealed]
    phone_blind: Mapped[Blind]
    profile: Mapped[Sealed]
    language: Mapped[str]
    # None: unknown, so only hours allowed in every candidate zone are used.
    timezone: Mapped[str | None]
    check_in_time: Mapped[time | None]
    # Hours in which the patient wants texts, by their own clock: both or none.
    safe_from: Mapped[time | None]
    safe_until: Mapped[time | None]
    phone_shared: Mapped[bool] = mapped_column(server_default=text("false"))
    # How one of several patients on a number is reached: by calls, or by a tag before each text.
    calls_only: Mapped[bool] = mapped_column(server_default=text("false"))
    tag: Mapped[Sealed | None]
    # Since when the patient has this number: of two on one, who came to it first is texted.
    number_since: Mapped[CreatedAt]
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    status_reason: Mapped[str | None]
    held_until: Mapped[datetime | None]
    # The ledger's last word, kept here so that a claim reads it with the row.
    purposes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    proved_at: Mapped[datetime | None]
    # The end of the patient's pause; while a crisis is open, far away instead (see `in_crisis`).
    paused_until: Mapped[datetime | None]
    # The pause itself, kept where a crisis covers it.
    own_pause_until: Mapped[datetime | None]
    # When the text of staff goes whose conversation is open; check-ins rest from then on.
    conversation_since: Mapped[datetime | None]
    import_digest: Mapped[str | None]
    # What the last file said, by column; none for a row that was imported before this was kept.
    imported: Mapped[Sealed | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    @property
    def is_deceased(self) -> bool:
        """Whether the record was closed because its patient died."""
        return (self.status, self.status_reason) == ("closed", DECEASED)

    __table_args__ = (
        UniqueConstraint("clinic_id", "external_id_blind"),
        Index("ix_patient_phone", "phone_blind", "clinic_id"),
        Index("ix_patient_held", "held_until", postgresql_where=text("status = 'held'")),
    )


class PatientToken(Base):
    """A keyed hash under which a patient can be found: number, last four, words of a name."""

    __tablename__ = "patient_token"

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    clinic_id: Mapped[ClinicId]
    token: Mapped[Blind] = mapped_column(primary_key=True)

    __table_args__ = (
        within_clinic("patient_id", "patient", ondelete="CASCADE"),
        Index("ix_patient_token_token", "clinic_id", "token"),
    )


class Consent(Base):
    """One entry of the append-only ledger: a grant or a revocation, with method and wording."""

    __tablename__ = "consent"

    id: Mapped[Id]
    clinic_id: Mapped[ClinicId]
    patient_id: Mapped[UUID]
    action: Mapped[str]
    purposes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    method: Mapped[str]
    wording_version: Mapped[str | None]
    # Whether they know that texts are not private; None where nobody said, and of a revocation.
    risk_acknowledged: Mapped[bool | None]
    phone_blind: Mapped[Blind]
    actor: Mapped[str]
    inbound_id: Mapped[UUID | None]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[CreatedAt]

    __table_args__ = (
        within_clinic("patient_id", "patient"),
        Index("ix_consent_patient", "patient_id", "recorded_at"),
    )


class OptOut(Base):
    """A number that a clinic must not text, wherever that was learned. Kept for good."""

    __tablename__ = "opt_out"

    clinic_id: Mapped[UUID] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    phone_blind: Mapped[Blind] = mapped_column(primary_key=True)
    reason: Mapped[str]
    occurred_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]


PHONE_KIND = "phone"
EXTERNAL_KIND = "patient.external_id"


def external_blind(vault: Vault, external_id: str) -> bytes:
    """Return the keyed hash of a clinic's own id for a patient."""
    return vault.blind(EXTERNAL_KIND, external_id)


def phone_blind(vault: Vault, number: str) -> bytes:
    """Return the keyed hash of an E.164 number."""
    return vault.blind(PHONE_KIND, number)


def numbers_in_use(session: Session) -> list[tuple[UUID, UUID, bytes]]:
    """Return (patient, clinic, keyed hash) of every number that texts may go to."""
    mine = select(Patient.id, Patient.clinic_id, Patient.phone_blind)
    rows = session.execute(mine.where(Patient.status != "closed"))
    return [(patient_id, clinic_id, blind) for patient_id, clinic_id, blind in rows]


def find(
    session: Session, vault: Vault, external_id: str, clinic_id: UUID | None = None
) -> list[Patient]:
    """Return the patients with this id of their clinic's own; more than one clinic may use it."""
    mine = select(Patient).where(Patient.external_id_blind == external_blind(vault, external_id))
    if clinic_id is not None:
        mine = mine.where(Patient.clinic_id == clinic_id)
    return list(session.scalars(mine))


def by_id(session: Session, patient_id: UUID) -> Patient:
    """Return the patient; they must exist."""
    return session.scalars(select(Patient).where(Patient.id == patient_id)).one()


def number_of(session: Session, patient_id: UUID | None) -> list[bytes]:
    """Return the hash of a patient's present number, with nothing else read or locked."""
    return list(session.scalars(select(Patient.phone_blind).where(Patient.id == patient_id)))


def with_ids(session: Session, patient_ids: Collection[UUID]) -> dict[UUID, Patient]:
    """Return these patients, by id."""
    mine = select(Patient).where(Patient.id.in_(patient_ids))
    return {person.id: person for person in session.scalars(mine)} if patient_ids else {}


def by_phone(session: Session, vault: Vault, number: str, clinic_id: UUID) -> list[Patient]:
    """Return the clinic's patients on this number, the oldest first."""
    mine = select(Patient).where(
        Patient.phone_blind == phone_blind(vault, number), Patient.clinic_id == clinic_id
    )
    return list(session.scalars(mine.order_by(Patient.created_at, Patient.id)))


def opened(vault: Vault, patient: Patient, column: str) -> str:
    """Return a sealed column of the patient in clear."""
    return vault.open("patient", column, patient.id, getattr(patient, column))


def profile(vault: Vault, patient: Patient) -> dict[str, Any]:
    """Return the sealed details of a patient: substances, emergency contact, safe hours..."""
    details: dict[str, Any] = json.loads(opened(vault, patient, "profile"))
    return details


def silence_is_urgent(vault: Vault, patient: Patient, terms: Terms) -> bool:
    """Whether silence weighs more for a patient, by the substances of their sealed details."""
    return terms.urgent_in(profile(vault, patient).get("substances"))


def seal_identity(
    vault: Vault,
    patient: Patient,
    *,
    external_id: str,
    first_name: str,
    phone: str,
    details: dict[str, Any],
) -> None:
    """Write what names the patient, sealed, with the hashes that find it again."""
    values = {"external_id": external_id, "first_name": first_name, "phone": phone}
    values["profile"] = json.dumps(details, ensure_ascii=False, sort_keys=True, default=str)
    for column, value in values.items():
        setattr(patient, column, vault.seal("patient", column, patient.id, value))
    patient.external_id_blind = external_blind(vault, external_id)
    patient.phone_blind = phone_blind(vault, phone)


def seal_profile(vault: Vault, patient: Patient, details: dict[str, Any]) -> None:
    """Write a patient's details, sealed."""
    value = json.dumps(details, ensure_ascii=False, sort_keys=True, default=str)
    patient.profile = vault.seal("patient", "profile", patient.id, value)


def on_number(session: Session, clinic_id: UUID, blind: bytes) -> list[Patient]:
    """Return the clinic's patients on a number, the oldest first."""
    mine = select(Patient).where(Patient.phone_blind == blind, Patient.clinic_id == clinic_id)
    return list(session.scalars(mine.order_by(Patient.id)))


def record_consent(
    session: Session,
    patient: Patient,
    *,
    action: str,
    purposes: Sequence[str],
    method: str,
    actor: str,
    occurred_at: datetime,
    wording_version: str | None = None,
    risk_acknowledged: bool | None = None,
    inbound_id: UUID | None = None,
) -> None:
    """Append to the ledger and bring the patient's current purposes up to date."""
    session.add(
        Consent(
            clinic_id=patient.clinic_id,
            patient_id=patient.id,
            action=action,
            purposes=list(purposes),
            method=method,
            wording_version=wording_version,
            risk_acknowledged=risk_acknowledged,
            phone_blind=patient.phone_blind,
            actor=actor,
            inbound_id=inbound_id,
            occurred_at=occurred_at,
        )
    )
    left = set(patient.purposes or [])
    left = left | set(purposes) if action == "grant" else left - set(purposes)
    patient.purposes = sorted(left)


def consents(session: Session, patient_id: UUID) -> list[Consent]:
    """Return the ledger of a patient, the oldest entry first."""
    mine = select(Consent).where(Consent.patient_id == patient_id)
    return list(session.scalars(mine.order_by(Consent.recorded_at, Consent.id)))


def agreed_after(session: Session, people: Sequence[Patient], at: datetime) -> bool:
    """Whether one of these gave a consent on the number that they have, after this instant."""
    mine = select(Consent.id).where(
        Consent.patient_id.in_([person.id for person in people]),
        Consent.phone_blind.in_({person.phone_blind for person in people}),
        Consent.action == "grant",
        Consent.occurred_at > at,
    )
    return session.scalars(mine.limit(1)).first() is not None


#: Why a number is stopped, where the way of it decides who may take it back.
KEYWORD, WRONG_NUMBER = "keyword", "wrong_number"
#: Begins the reason of an opt-out that is the carrier's word: it refuses the number (21610...).
REFUSED = "carrier_"
#: Begins the reason of an opt-out that is the number's and not its owner's: it is out of service.
SUSPENDED = "suspended_"
NOBODYS_WORD = (REFUSED, SUSPENDED)
#: Why a record is closed, and from then on why its number is texted nothing, whoever else has it.
DECEASED = "deceased"


def opt_out(
    session: Session, *, clinic_id: UUID, blind: bytes, reason: str, occurred_at: datetime
) -> OptOut | None:
    """Remember that this number must not be texted by this clinic.

    Return the stop as it is now; None where one for a stronger reason goes on as it was.
    """
    row = {"reason": reason, "occurred_at": occurred_at, "lifted_at": None}
    statement = insert(OptOut).values(clinic_id=clinic_id, phone_blind=blind, **row)
    # Of two words the later one counts, also if the carrier's list brings the first after it.
    said = (OptOut.reason == KEYWORD) | OptOut.reason.startswith(REFUSED)
    again = OptOut.lifted_at.is_(None) & said
    latest = case((again, func.greatest(OptOut.occurred_at, occurred_at)), else_=occurred_at)
    statement = statement.on_conflict_do_update(
        index_elements=[OptOut.clinic_id, OptOut.phone_blind],
        set_={**row, "occurred_at": latest},
        where=OptOut.lifted_at.is_not(None) | _weaker_than(reason),
    )
    session.info.get(_OPT_OUTS, {}).pop((clinic_id, blind), None)
    written = statement.returning(OptOut).execution_options(populate_existing=True)
    return session.scalars(written).first()


def _weaker_than(reason: str) -> ColumnElement[bool]:
    """Match a stop in force whose place one for this reason takes.

    START lifts a keyword's stop, so that any stronger word stands above it. What the carrier says
    is nobody's own word, and the keyword is why it says so; a sentence leaves it as it is, for the
    carrier goes on to refuse. A number out of service is nobody's wish.
    """
    if reason.startswith(SUSPENDED):
        return false()
    weaker = OptOut.reason.startswith(SUSPENDED)
    if reason == DECEASED:
        # Whatever the dead person wished, nobody may take it back for them.
        return OptOut.reason != DECEASED
    if not reason.startswith(REFUSED):
        weaker = weaker | (OptOut.reason == KEYWORD)
    if reason in {KEYWORD, WRONG_NUMBER}:
        weaker = weaker | OptOut.reason.startswith(REFUSED)
    return weaker


#: How far ahead `paused_until` lies while a crisis is open: only a person ends that rest.
CRISIS_REST = timedelta(days=36_500)
# No pause that anybody asks for is as long.
_NO_PAUSE = timedelta(days=3_650)


def in_crisis(paused_until: datetime | None, now: datetime) -> bool:
    """Whether this rest is that of an open crisis, and no pause that ends by itself."""
    return paused_until is not None and paused_until > now + _NO_PAUSE


def own_pause(person: Patient, now: datetime) -> datetime | None:
    """Return the end of the patient's own pause, also where an open crisis covers it."""
    covered = in_crisis(person.paused_until, now)
    until = person.own_pause_until if covered else person.paused_until
    return until if until is not None and until > now else None


# Whoever is being planned, say, is left to the next turn: the sweep holds texts by now, and would
# wait crosswise for who holds the patient and wants these.
_END_HOLDS = text("""
    UPDATE patient SET status = 'active', status_reason = NULL, held_until = NULL
    WHERE id IN (SELECT id FROM patient WHERE status = 'held' AND held_until <= :now
                 AND status_reason IS DISTINCT FROM 'crisis' FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
""")


def end_holds(session: Session, *, now: datetime) -> list[UUID]:
    """End the holds whose time is over; a crisis hold ends only by a person (care rule 10)."""
    return list(session.scalars(_END_HOLDS, {"now": now}))


def lift_keyword_opt_out(session: Session, *, clinic_id: UUID, blind: bytes, at: datetime) -> bool:
    """Lift an opt-out if it was made by a keyword; return whether one was lifted."""
    row = session.get(OptOut, (clinic_id, blind))
    if row is None or row.lifted_at is not None or row.reason != KEYWORD:
        return False
    row.lifted_at = at
    return True


def lift_said_opt_out(
    session: Session, *, clinic_id: UUID, blind: bytes, reasons: Sequence[str], at: datetime
) -> bool:
    """Lift an opt-out that the patient took back to staff; return whether one was lifted."""
    row = opted_out(session, clinic_id=clinic_id, blind=blind)
    if row is None or row.reason not in reasons:
        return False
    row.lifted_at = at
    return True


def lift_suspension(session: Session, *, clinic_id: UUID, blind: bytes, at: datetime) -> bool:
    """Text a number again that was out of service and has been proved since."""
    row = opted_out(session, clinic_id=clinic_id, blind=blind)
    if row is None or not row.reason.startswith(SUSPENDED):
        return False
    row.lifted_at = at
    return True


def opted_out(session: Session, *, clinic_id: UUID, blind: bytes) -> OptOut | None:
    """Return the opt-out in force for this number, if any."""
    known: dict[tuple[UUID, bytes], OptOut | None] = session.info.get(_OPT_OUTS, {})
    number = (clinic_id, blind)
    row = known[number] if number in known else session.get(OptOut, number)
    return row if row is not None and row.lifted_at is None else None


def lock_opt_out(session: Session, *, clinic_id: UUID, blind: bytes) -> OptOut | None:
    """Lock and return what is on record of this number's stop, lifted or not, if anything."""
    mine = select(OptOut).where(OptOut.clinic_id == clinic_id, OptOut.phone_blind == blind)
    locked = mine.with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).first()


_OPT_OUTS = "opt_outs"


def read_opt_outs(session: Session, numbers: Collection[tuple[UUID, bytes]]) -> None:
    """Read at one go what `opted_out` is going to ask of numbers (clinic, blind).

    For a transaction that keeps everybody else from changing it: it holds their patients.
    """
    mine = select(OptOut).where(tuple_(OptOut.clinic_id, OptOut.phone_blind).in_(numbers))
    found = {(row.clinic_id, row.phone_blind): row for row in session.scalars(mine)}
    session.info.setdefault(_OPT_OUTS, {}).update({each: found.get(each) for each in numbers})
