"""Sealing of what identifies a patient: column encryption and blind indexes.

A value is sealed with AES-256-GCM and bound to its table, column and row, so that a ciphertext
moved elsewhere does not open. The data key and the blind-index key are kept in the database,
wrapped by the configured keys (`records.keys`); this module only uses them.
"""

import base64
import hashlib
import hmac
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_BLIND_BYTES = 16


class VaultError(Exception):
    """A sealed value does not open: it was moved, cut, or sealed with a key that is missing."""


class KeyFormatError(VaultError):
    """An encryption key is not 32 bytes of URL-safe base64: make one with `aftercare keys new`."""


def new_key() -> str:
    """Return a new random key in the form that AFTERCARE_ENCRYPTION_KEYS takes."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def parse_key(text: str) -> bytes:
    """Return the 32 bytes of a configured key; raises KeyFormatError."""
    try:
        key = base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFormatError(KeyFormatError.__doc__)
    return key


class _Nonces(threading.local):
    """Fresh random nonces, fetched many at once: a system call a value costs a burst dearly."""

    _AT_ONCE = 256

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._left = b""

    def next(self) -> bytes:
        if len(self._left) < _NONCE_BYTES:
            self._left = os.urandom(_NONCE_BYTES * self._AT_ONCE)
        nonce, self._left = self._left[:_NONCE_BYTES], self._left[_NONCE_BYTES:]
        return nonce


_nonces = _Nonces()
# A forked child must not use the nonces its parent holds.
os.register_at_fork(after_in_child=_nonces.forget)


def seal_with(key: AESGCM, plain: bytes, bound_to: bytes) -> bytes:
    """Return nonce and ciphertext of `plain`, bound to `bound_to`."""
    nonce = _nonces.next()
    return nonce + key.encrypt(nonce, plain, bound_to)


def open_with(key: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    """Return what `seal_with` sealed; raises VaultError."""
    try:
        return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise VaultError(VaultError.__doc__) from error


def _binding(table: str, column: str, row: UUID) -> bytes:
    return b"%s.%s." % (table.encode(), column.encode()) + row.bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """Seals and opens column values; the first byte of a sealed value names its data key."""

    data_keys: Mapping[int, AESGCM] = field(repr=False)
    current: int
    blind_key: bytes = field(repr=False)

    def seal(self, table: str, column: str, row: UUID, value: str) -> bytes:
        """Return `value` sealed for this one place."""
        bound_to = _binding(table, column, row)
        sealed = seal_with(self.data_keys[self.current], value.encode(), bound_to)
        return self.current.to_bytes(1) + sealed

    def open(self, table: str, column: str, row: UUID, sealed: bytes) -> str:
        """Return the value sealed for this place; raises VaultError."""
        key = self.data_keys.get(sealed[0]) if sealed else None
        if key is None:
            raise VaultError(VaultError.__doc__)
        return open_with(key, sealed[1:], _binding(table, column, row)).decode()

    def blind(self, kind: str, value: str) -> bytes:
        """Return the keyed hash under which `value` can be found among its `kind`."""
        message = kind.encode() + b"\0" + value.encode()
        return hmac.digest(self.blind_key, message, hashlib.sha256)[:_BLIND_BYTES]
