"""Whom a clinic's own ids mean, and ids that differ by zeros in front.

A spreadsheet takes 00123 for the number 123. A patient brought in again under such an id would be
two people, each with half of their texts.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from records import intake, patients
from records.base import Session
from records.vault import Vault
from worker.intake.patients import KnownClinic
from worker.intake.visits import VisitPatient
from worker.services import Services

#: Longer ids than this are not filled up with zeros by any record system we know of.
_WIDEST = 12
ZEROS_DIFFER = (
    "a patient is on record whose id differs by zeros in front: a spreadsheet drops them; format "
    "the column as text and export again"
)


def look_alikes(
    session: Session, vault: Vault, ids: Collection[tuple[UUID, str]]
) -> set[tuple[UUID, str]]:
    """Return those of these (clinic, unknown id) that somebody has with other zeros in front."""
    by_blind: dict[bytes, list[str]] = {}
    for name in {name for _, name in ids}:
        for other in _others(name):
            by_blind.setdefault(patients.external_blind(vault, other), []).append(name)
    found = intake.patients_by_external(session, by_blind.keys()) if by_blind else []
    alike = {(each.clinic_id, name) for each in found for name in by_blind[each.external_id_blind]}
    return alike & set(ids)


def _others(name: str) -> list[str]:
    if not (name.isascii() and name.isdigit()):
        return []
    plain = name.lstrip("0") or "0"
    return [
        each for width in range(len(plain), _WIDEST + 1) if (each := plain.zfill(width)) != name
    ]


def visit_patients(
    services: Services, known: Mapping[UUID, KnownClinic], names: set[str]
) -> tuple[Mapping[str, list[VisitPatient]], set[str]]:
    """Return whom these patient ids may mean, and which of them have lost or got zeros."""
    by_blind = {patients.external_blind(services.vault, name): name for name in names}
    found: dict[str, list[VisitPatient]] = defaultdict(list)
    with services.database.transaction() as session:
        for person in intake.patients_by_external(session, by_blind.keys()):
            if person.clinic_id in known:
                who = VisitPatient(id=person.id, clinic=known[person.clinic_id])
                found[by_blind[person.external_id_blind]].append(who)
        unknown = {(clinic_id, name) for name in names - found.keys() for clinic_id in known}
        alike = look_alikes(session, services.vault, unknown)
    return found, {name for _, name in alike}
