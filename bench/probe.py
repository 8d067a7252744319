"""How much processor time and memory a process and its children have used."""

from __future__ import annotations

import threading
from typing import Self

import psutil

MB = 1024 * 1024


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that it started, as far as they still live."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a tree, those that ended and were waited for included."""
    total = 0.0
    for process in tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def memory_mb(pid: int) -> float:
    """Return the proportional set size of a tree: pages that processes share count once."""
    total = 0
    for process in tree(pid):
        try:
            full = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        total += getattr(full, "pss", 0) or full.uss
    return total / MB


class Peak:
    """Watches a tree's memory while the block runs."""

    def __init__(self, pid: int, *, every: float = 0.5) -> None:
        self._pid, self._every = pid, every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.mb = memory_mb(pid)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.mb = max(self.mb, memory_mb(self._pid))

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self.mb = max(self.mb, memory_mb(self._pid))


class Meter:
    """The processor time that named trees use between two looks."""

    def __init__(self, **pids: int) -> None:
        self._pids = pids
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def used(self) -> dict[str, float]:
        """Return the seconds that each has used since the meter was made."""
        return {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}
