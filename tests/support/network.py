"""Tests talk to this machine only: a connection or a name lookup beyond it raises, in any library.

It is an audit hook of the interpreter, so nothing is patched. Libraries that connect in C (libpq,
uvloop) do not pass here; the only addresses that tests hand to those are our own servers'.
"""

import ipaddress
import socket
import sys
from typing import Any

# What was tried, so that code that swallows the error still fails its test.
attempts: list[str] = []

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")


class OutsideConnectionError(RuntimeError):
    """A test tried to leave this machine."""


def install() -> None:
    """Guard this process, for its whole life."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTIONS and isinstance(arguments[1], tuple):
        if not _is_loopback(str(arguments[1][0])):
            _refuse(f"connect to {arguments[1]}")
    elif event in _LOOKUPS and not _is_local_name(arguments[0]):
        _refuse(f"look up {arguments[0]!r}")


def _refuse(attempt: str) -> None:
    attempts.append(attempt)
    raise OutsideConnectionError(f"A test tried to {attempt}; tests stay on this machine.")


def _is_loopback(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_local_name(host: str | bytes | None) -> bool:
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else host
    # An address needs no lookup; whether it may be connected to is asked when that is tried.
    return name in ("", "localhost", socket.gethostname()) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
