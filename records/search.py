"""Finding patients by what staff remember of them, though names and numbers are sealed.

    who somebody is -> keyed hashes beside the patient (`patient_token`)
    what is typed   -> the same hashes -> the patients who have them

Of the clinic's own id and of the number the whole is kept so, of the number also its last four
digits, of a first name its words and their first three letters. More letters than these are
compared with the names of those whom the first three find.
"""

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from messages.errors import BadPhone
from messages.phone import last_four, parse
from records.patients import Patient, PatientToken
from records.vault import Vault

_KIND = "patient.search"
_FIRST_LETTERS, _LAST_DIGITS = 3, 4


def tokens(vault: Vault, *, external_id: str, first_name: str, phone: str) -> set[bytes]:
    """Return all keyed hashes under which a patient can be found."""
    plain = {_id(external_id), _phone(phone), _last(last_four(phone))}
    plain |= {_word(part) for word in name_words(first_name) for part in (word, _first(word))}
    return {vault.blind(_KIND, token) for token in plain}


def name_words(name: str) -> list[str]:
    """Return the words of a name without capitals and accents."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    return re.findall(r"\w+", "".join(c for c in folded if not unicodedata.combining(c)))


def index(session: Session, patient: Patient, hashes: Iterable[bytes]) -> None:
    """Replace the hashes under which the patient is found."""
    session.query(PatientToken).where(PatientToken.patient_id == patient.id).delete()
    session.add_all(
        PatientToken(patient_id=patient.id, clinic_id=patient.clinic_id, token=token)
        for token in hashes
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A patient whom somebody looked for, with what tells them from others of that name."""

    id: UUID
    status: str
    first_name: str = field(repr=False)
    external_id: str = field(repr=False)
    last_four: str = field(repr=False)


def search(session: Session, vault: Vault, clinic_id: UUID, typed: str) -> list[Found]:
    """Return the clinic's patients whom this may mean, by name.

    It means somebody as their whole id, as their whole number or its last four digits, or as words
    that the words of their first name begin with, from three letters on.
    """
    words = name_words(typed)
    whole = [_have(clinic_id, vault, token) for token in _whole(typed)]
    found = {each.id: each for each in _people(session, vault, clinic_id, or_(*whole))}
    if words:
        called = [_have(clinic_id, vault, _word(_first(word))) for word in words]
        alike = _people(session, vault, clinic_id, and_(*called))
        found |= {each.id: each for each in alike if _is_called(each.first_name, words)}
    return sorted(found.values(), key=lambda each: (name_words(each.first_name), each.external_id))


def _whole(typed: str) -> list[str]:
    """Return what a text may be that is no name: an id, a number, or the end of one."""
    plain = typed.strip()
    may_be = [_id(plain)]
    if plain.isdecimal() and len(plain) == _LAST_DIGITS:
        may_be.append(_last(plain))
    with suppress(BadPhone):
        may_be.append(_phone(parse(plain)))
    return may_be


def _is_called(name: str, words: Iterable[str]) -> bool:
    said = name_words(name)
    return all(any(each.startswith(word) for each in said) for word in words)


def _have(clinic_id: UUID, vault: Vault, token: str) -> ColumnElement[bool]:
    """Return which patients have the hash of a token."""
    hashed = vault.blind(_KIND, token)
    having = select(PatientToken.patient_id).where(
        PatientToken.clinic_id == clinic_id, PatientToken.token == hashed
    )
    return Patient.id.in_(having)


def _people(
    session: Session, vault: Vault, clinic_id: UUID, which: ColumnElement[bool]
) -> Iterable[Found]:
    sealed = (Patient.first_name, Patient.external_id, Patient.phone)
    query = select(Patient.id, Patient.status, *sealed).where(Patient.clinic_id == clinic_id, which)
    for who, status, name, external_id, phone in session.execute(query):
        yield Found(
            id=who,
            status=status,
            first_name=vault.open("patient", "first_name", who, name),
            external_id=vault.open("patient", "external_id", who, external_id),
            last_four=last_four(vault.open("patient", "phone", who, phone)),
        )


def _first(word: str) -> str:
    return word[:_FIRST_LETTERS]


def _id(external_id: str) -> str:
    return f"id:{external_id.casefold()}"


def _phone(number: str) -> str:
    return f"phone:{number}"


def _last(digits: str) -> str:
    return f"last4:{digits}"


def _word(word: str) -> str:
    return f"name:{word}"
