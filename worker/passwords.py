"""Passwords of console users: argon2id, with the library's own parameters (RFC 9106's second)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from worker.refusal import RefusedError

_hasher = PasswordHasher()
# Checked for addresses that nobody has, so that their answer takes as long as a wrong password's.
_NOBODY = _hasher.hash("nobody has this password")

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
        right = _hasher.verify(kept or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return right and kept is not None
