"""Passwords of console users: argon2id, with the library's own parameters (RFC 9106's second)."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from worker.refusal import RefusedError

_hasher = PasswordHasher()

#: NIST SP 800-63B asks for at least 8; without a second factor 15, which nobody types at 02:00.
SHORTEST = 10
#: NIST asks for at least 64 at the long end. More is no safer, and each look at it takes longer.
LONGEST = 256


def hash_password(password: str) -> str:
    """Return what is kept of a password. Raises RefusedError for one too short or too long."""
    if len(password) < SHORTEST:
        raise RefusedError(f"The password is too short. Use at least {SHORTEST} letters.")
    if len(password) > LONGEST:
        raise RefusedError(f"The password is too long. Use at most {LONGEST} letters.")
    return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether the password is the one kept; for nobody (None) the same work ends in no."""
    if len(password) > LONGEST:
        kept, password = None, ""
    try:
        right = _hasher.verify(kept or nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    return right and kept is not None


@cache
def nobodys() -> str:
    """Return what is checked for an address that nobody has: that takes as long as any other.

    Made when it is first asked for, since it takes a tenth of a second and only pages ask.
    """
    return _hasher.hash("nobody has this password")
