"""The first instructions of every process that must not outlive the one that started it.

A script of its own (`python -I -S cli/launcher.py ...`): it drops root's rights where asked, ties
the process to the life of its parent, and becomes the wanted program, which keeps the process id.
A `preexec_fn` would do the same between fork and exec, but is unsafe in a program with threads and
warns there from Python 3.12 on.
"""

import os
import signal
import sys
from collections.abc import Callable

# From linux/prctl.h; Python has no name for it.
_PR_SET_PDEATHSIG = 1


def death_notice() -> Callable[[int], None]:
    """Return what asks Linux for a signal when the thread that started us ends.

    Elsewhere it does nothing, and the starter's `atexit` has to do. The library is loaded here,
    since the account that we become may not be able to read Python's folder.
    """
    if sys.platform != "linux":
        return lambda _: None
    import ctypes  # noqa: PLC0415 - Only Linux has the call.

    prctl = ctypes.CDLL(None).prctl
    return lambda number: prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def drop_rights(uid: int, gid: int) -> None:
    """Become that account for good, when we are root; -1 leaves the account as it is."""
    if uid < 0:
        return
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> None:
    """Read `PARENT_PID DEATH_SIGNAL UID GID PROGRAM ARGUMENT...` and become PROGRAM."""
    parent, death_signal, uid, gid = (int(number) for number in arguments[:4])
    command = arguments[4:]
    # The starter may ignore these (nohup, a shell's background job); a server has to hear them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    tie_to_parent = death_notice()
    drop_rights(uid, gid)
    # After the change of account, which would clear it.
    tie_to_parent(death_signal)
    # A parent that died before we asked would never be heard of.
    if os.getppid() != parent:
        sys.exit(f"launcher: the process {parent} that wanted this has gone")
    os.execvp(command[0], command)  # noqa: S606 - Becoming another program is what this is for.


if __name__ == "__main__":
    main(sys.argv[1:])
