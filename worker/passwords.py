"""Passwords of console users: argon2id, with the library's own parameters (RFC 9106's second)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
# Checked for addresses that nobody has, so that their answer takes as long as a wrong password's.
_NOBODY = _hasher.hash("nobody has this password")

SHORTEST = 10


def hash_password(password: str) -> str:
    """Return what is kept of a password. Raises ValueError when it is too short."""
    if len(password) < SHORTEST:
        raise ValueError(f"A password needs at least {SHORTEST} characters. Choose a longer one.")
    return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether the password is the one kept; for nobody (None) the same work ends in no."""
    try:
        right = _hasher.verify(kept or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return right and kept is not None
