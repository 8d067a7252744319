"""Slows down guessing of passwords: a few wrong ones, then a wait."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_network

from web.proxies import address_of

WINDOW_SECONDS = 15 * 60
MOST_FAILURES = 5
# One address may hold a whole office; guessing through a list of people is stopped here.
MOST_FAILURES_OF_ADDRESS = 50
_MOST_KEPT = 10_000


class Throttle:
    """Counts wrong passwords by address and e-mail, in memory: a restart forgives."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str, email: str) -> float:
        """Return the seconds until the next try is allowed; 0 for now."""
        source, _ = _source(address)
        with self._lock:
            pair = self._left((source, email), MOST_FAILURES)
            return max(pair, self._left((source, ""), MOST_FAILURES_OF_ADDRESS))

    def failed(self, address: str, email: str) -> None:
        """Note a wrong password."""
        source, is_one = _source(address)
        keys = [(source, email), (source, "")] if is_one else [(source, email)]
        with self._lock:
            for key in keys:
                self._failures.setdefault(key, []).append(self._monotonic())
                self._failures.move_to_end(key)
            while len(self._failures) > _MOST_KEPT:
                self._failures.popitem(last=False)

    def succeeded(self, address: str, email: str) -> None:
        """Forget this person's wrong passwords; the address keeps its count."""
        with self._lock:
            self._failures.pop((_source(address)[0], email), None)

    def _left(self, key: tuple[str, str], most: int) -> float:
        since = self._monotonic() - WINDOW_SECONDS
        recent = [at for at in self._failures.get(key, ()) if at > since]
        if recent:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)
        return recent[-most] - since if len(recent) >= most else 0.0


def _source(address: str) -> tuple[str, bool]:
    """Return whom an address stands for, and whether that is one client, or one office.

    A private address may be that of a proxy which AFTERCARE_TRUSTED_PROXIES does not name, and
    then stands for everybody. Of version 6 a client has a whole network (/64) to take addresses
    from, so that it counts as one.
    """
    found = address_of(address)
    if found is None:
        return address, False
    source = ip_network((found, 64), strict=False) if found.version == 6 else found
    return str(source), found.is_global
