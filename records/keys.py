"""The data key and the blind-index key, kept in the database and wrapped by the configured keys.

The first configured key wraps, all unwrap. Rotating re-wraps; the keys inside never change, so
that a remembered opt-out is still found afterwards.
"""

import hashlib
import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, CreatedAt
from records.vault import KEY_BYTES, Vault, VaultError, open_with, parse_key, seal_with


class NoKeyFitsError(VaultError):
    """None of AFTERCARE_ENCRYPTION_KEYS unwraps the kept keys: add the key used before."""


class KeptKey(Base):
    """A wrapped key. Kinds: `data` (numbered, the highest seals) and `blind` (one, for ever)."""

    __tablename__ = "kept_key"

    kind: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes]
    wrapped_by: Mapped[str]
    created_at: Mapped[CreatedAt]


def fingerprint(key: bytes) -> str:
    """Return a short name of a configured key that says nothing about it."""
    return hashlib.sha256(b"aftercare key name\0" + key).hexdigest()[:12]


def _bound(kind: str, number: int) -> bytes:
    return f"kept_key.{kind}.{number}".encode()


def _wrap(row: KeptKey, plain: bytes, wrapping: bytes) -> None:
    row.wrapped = seal_with(AESGCM(wrapping), plain, _bound(row.kind, row.number))
    row.wrapped_by = fingerprint(wrapping)


def _unwrap(row: KeptKey, configured: Sequence[bytes]) -> bytes:
    for key in configured:
        if fingerprint(key) == row.wrapped_by:
            return open_with(AESGCM(key), row.wrapped, _bound(row.kind, row.number))
    raise NoKeyFitsError(NoKeyFitsError.__doc__)


def _kept(session: Session) -> Sequence[KeptKey]:
    return session.scalars(select(KeptKey).order_by(KeptKey.kind, KeptKey.number)).all()


def open_vault(session: Session, configured: Sequence[str]) -> Vault:
    """Return the vault, making its two keys on the first use.

    Raises KeyFormatError or NoKeyFitsError, which say what to mend.
    """
    wrapping = [parse_key(key) for key in configured]
    # Two processes may start at once on an empty database; one makes the keys, both read them.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('aftercare.keys'))"))
    rows = list(_kept(session))
    if not rows:
        for kind in ("blind", "data"):
            row = KeptKey(kind=kind, number=1)
            _wrap(row, os.urandom(KEY_BYTES), wrapping[0])
            session.add(row)
            rows.append(row)
        session.flush()
    plain = {(row.kind, row.number): _unwrap(row, wrapping) for row in rows}
    data = {number: AESGCM(key) for (kind, number), key in plain.items() if kind == "data"}
    return Vault(data_keys=data, current=max(data), blind_key=plain["blind", 1])


def rewrap(session: Session, configured: Sequence[str]) -> int:
    """Wrap all kept keys with the first configured key; return how many changed hands."""
    wrapping = [parse_key(key) for key in configured]
    changed = 0
    for row in _kept(session):
        if row.wrapped_by != fingerprint(wrapping[0]):
            _wrap(row, _unwrap(row, wrapping), wrapping[0])
            changed += 1
    return changed
