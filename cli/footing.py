"""Where an embedded server stands: the account it runs as, and folders that this account can reach.

PostgreSQL refuses to run as root. When we are root it runs as `nobody`, and its data must lie where
`nobody` can go. No folder of anybody else is opened for that: if the wanted place is closed to the
account, a folder of ours under the machine's temporary folders is used, and programs that lie
behind a closed door (a virtual environment in root's home) are linked there.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

_PREFIX = "aftercare-"
# Longer than any start takes between making a folder and locking it.
_YOUNG_SECONDS = 60.0


class EmbeddedError(Exception):
    """An embedded server could not be started, found or ended; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The operating system's account that a server runs as."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """`nobody` when we are root, else None: then servers run as we do."""
    root = os.geteuid() == 0
    try:
        entry = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
    except KeyError:
        # initdb asks for the account's name, as containers started with a bare number find out.
        name = "`nobody`" if root else f"with the number {os.geteuid()}"
        raise EmbeddedError(
            f"PostgreSQL does not run as root and wants an account that has a name; "
            f"/etc/passwd has none {name}. Run this as another user."
        ) from None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid) if root else None


def is_open_to_all(folder: Path) -> bool:
    """Whether any account can go to `folder`: every door on the way is open."""
    resolved = folder.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (resolved, *resolved.parents))


class Footing:
    """The folders of one server: `base` is the account's own, `origin` has secret and lock."""

    def __init__(self, origin: Path, account: Account | None, *, temporary: bool) -> None:
        self.account = account
        self.temporary = temporary
        self._origin = origin
        self._lock: IO[bytes] | None = None
        self.secret = _secret(origin)
        self._root = origin
        if account and not is_open_to_all(origin):
            self._root = _outside(origin, self.secret)
        self.base = self._root / "server"
        self.base.mkdir(exist_ok=True, mode=0o700)
        if account:
            os.chown(self.base, account.uid, account.gid)

    @classmethod
    def make(
        cls, name: str, folder: Path | None, account: Account | None, place: Path | None = None
    ) -> Self:
        """Make the folders for the server `name`, in `folder`; without one they are temporary.

        Temporary ones lie in `place`, or where the machine keeps such things.
        """
        sweep(place)
        if folder is None:
            return cls(_temporary_folder(place), account, temporary=True)
        origin = folder.absolute() / name
        origin.mkdir(parents=True, exist_ok=True, mode=0o711)
        return cls(origin, account, temporary=False)

    def write(self, name: str, text: str) -> Path:
        """Write a small file that only the account can read."""
        path = self.base / name
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)
        return path

    def reachable(self, program: Path) -> Path:
        """`program` (a file or a folder) itself, or a copy of it where the account can reach it."""
        real = program.resolve()
        if self.account is None or is_open_to_all(real if real.is_dir() else real.parent):
            return program
        copy = self._root / "programs" / real.name
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True, mode=0o711)
            half = copy.with_name(f"{copy.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            _link(real, half)
            half.rename(copy)
        return copy

    def lock(self) -> None:
        """One starter at a time; the kernel frees the lock when we end, however that happens."""
        if self._lock is not None:
            return
        file = (self._origin / "lock").open("ab")
        if not _locked(file):
            file.close()
            raise EmbeddedError(
                f"Another process is using {self._origin}. Stop the demo that runs from here first."
            )
        self._lock = file

    def release(self) -> None:
        """Let others in; what was temporary is deleted."""
        if self.temporary:
            self.remove()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self._root, ignore_errors=True)
        shutil.rmtree(self._origin, ignore_errors=True)


def sweep(place: Path | None = None) -> None:
    """Delete what runs left that ended by SIGKILL, and the data of folders that are gone."""
    for folder in _ours({*_places(), *([place] if place else [])}):
        # Another sweep may be deleting the same folder.
        with contextlib.suppress(OSError):
            if _is_left_over(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder: Path) -> bool:
    pointer = folder / "origin"
    if pointer.exists():
        secret = Path(pointer.read_text()) / "secret"
        return not secret.exists() or _outside_name(secret.read_bytes()) != folder.name
    if time.time() - folder.stat().st_mtime < _YOUNG_SECONDS:
        return False
    with (folder / "lock").open("ab") as lock:
        return _locked(lock)


def _ours(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from filter(_is_our_folder, place.glob(f"{_PREFIX}{os.geteuid()}-*"))


def _is_our_folder(folder: Path) -> bool:
    try:
        facts = folder.lstat()
    except FileNotFoundError:
        # Whoever it belonged to has deleted it since it was listed.
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()


def _places() -> list[Path]:
    """Temporary folders that every account can reach, the one that was asked for (TMPDIR) first."""
    # What is made in them comes from mkdtemp, or its owner is checked.
    names = (tempfile.gettempdir(), "/var/tmp", "/tmp")  # noqa: S108
    wanted = dict.fromkeys(Path(name) for name in names)
    return [place for place in wanted if place.is_dir() and is_open_to_all(place)]


def _place() -> Path:
    places = _places()
    if not places:
        raise EmbeddedError("No temporary folder is open to other accounts. Set TMPDIR to one.")
    return places[0]


def _temporary_folder(place: Path | None) -> Path:
    # Without root it need not be open to others, so any temporary folder will do.
    place = place or (_place() if os.geteuid() == 0 else Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.geteuid()}-", dir=place))
    folder.chmod(0o711)
    return folder


def _outside_name(secret: bytes) -> str:
    return f"{_PREFIX}{os.geteuid()}-{hashlib.sha256(secret).hexdigest()[:16]}"


def _outside(origin: Path, secret: bytes) -> Path:
    """Make the folder that stands for `origin` where the account can reach it.

    Its name is bound to the secret: an origin made anew gets data made anew.
    """
    folder = _place() / _outside_name(secret)
    folder.mkdir(exist_ok=True, mode=0o711)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise EmbeddedError(f"{folder} belongs to somebody else. Remove it.")
    folder.chmod(0o711)
    _note(folder / "origin", str(origin))
    return folder


def _note(path: Path, text: str) -> None:
    """Write a small file in one step: who reads it while it is empty would take it for nobody's."""
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)


def _secret(origin: Path) -> bytes:
    path = origin / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _link(source: Path, target: Path) -> None:
    """Copy a file or a tree, by hard links where possible: nothing of it is ever written to."""

    def link_or_copy(here: str, there: str) -> str:
        try:
            os.link(here, there)
        except OSError:
            shutil.copy2(here, there)
        return there

    if source.is_dir():
        shutil.copytree(source, target, copy_function=link_or_copy)
    else:
        link_or_copy(str(source), str(target))
