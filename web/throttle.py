"""Slows down guessing of passwords: a few wrong ones, then a wait."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

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
        with self._lock:
            pair = self._left((address, email), MOST_FAILURES)
            return max(pair, self._left((address, ""), MOST_FAILURES_OF_ADDRESS))

    def failed(self, address: str, email: str) -> None:
        """Note a wrong password."""
        with self._lock:
            for key in _keys(address, email):
                self._failures.setdefault(key, []).append(self._monotonic())
                self._failures.move_to_end(key)
            while len(self._failures) > _MOST_KEPT:
                self._failures.popitem(last=False)

    def succeeded(self, address: str, email: str) -> None:
        """Forget this person's wrong passwords; the address keeps its count."""
        with self._lock:
            self._failures.pop((address, email), None)

    def _left(self, key: tuple[str, str], most: int) -> float:
        since = self._monotonic() - WINDOW_SECONDS
        recent = [at for at in self._failures.get(key, ()) if at > since]
        if recent:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)
        return recent[-most] - since if len(recent) >= most else 0.0


def _keys(address: str, email: str) -> list[tuple[str, str]]:
    """Return what a wrong password counts for. A proxy's address stands for everybody."""
    try:
        outside = ipaddress.ip_address(address).is_global
    except ValueError:
        outside = False
    return [(address, email), (address, "")] if outside else [(address, email)]
